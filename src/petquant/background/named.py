"""A background is what ratios divide by, as the user names it: a file, a shape, or a place to be found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from petquant.errors import UsageError

if TYPE_CHECKING:  # most backgrounds are files, and delineation takes a while to import
    from petquant.delineation.shapes import Shape

__all__ = ["AUTOMATIC", "Background", "require_backgrounds"]

AUTOMATIC: Final = ("liver", "blood_pool")  # what `petquant.delineation.reference` finds


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A background as the user names it; one of `path`, `shape` and `automatic`.

    Parameters
    ----------
    name
        Stands in the names of the columns.
    path
        A file or folder of regions.
    label
        One region of it, by id or by the name of a TotalSegmentator class, or several joined by ``+``; None
        takes all together.
    erode_mm
        How far the boundary of what the file holds is moved inwards.
    shape
        A sphere, cylinder or box.
    automatic
        One of `AUTOMATIC`: the place is found.
    """

    name: str
    path: str | os.PathLike[str] | None = None
    label: int | str | None = None
    erode_mm: float = 0.0
    shape: Shape | None = None
    automatic: str = ""


def require_backgrounds(backgrounds: Sequence[Background]) -> None:
    """Raise what cannot be meant.

    Raises
    ------
    UsageError
        OPTION_INVALID: two backgrounds with one name, none or several of file, shape and automatic, an
        erosion of what is no file, a shape without volume.
    """
    names = [background.name for background in backgrounds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError.of(
            "OPTION_INVALID",
            f"several backgrounds are called {', '.join(twice)}",
            expected="a name of its own for every background",
            where="--background",
        )
    for one in backgrounds:
        given = [one.path is not None, one.shape is not None, bool(one.automatic)]
        is_odd = one.path is None and (one.label is not None or one.erode_mm)
        if sum(given) != 1 or is_odd or not 0 <= one.erode_mm < float("inf"):
            raise UsageError.of(
                "OPTION_INVALID",
                f"background {one.name}",
                expected="a file with a label and an erosion of 0 mm or more, or a shape, or auto",
                where="--background",
            )
        if one.automatic and one.automatic not in AUTOMATIC:
            raise UsageError.of(
                "OPTION_INVALID",
                f"{one.name}=auto:{one.automatic}",
                expected=" or ".join(f"auto:{name}" for name in AUTOMATIC),
                where="--background",
            )
        if one.shape is not None:
            from petquant.delineation.shapes import require_real  # noqa: PLC0415 - as above

            require_real(one.shape)
