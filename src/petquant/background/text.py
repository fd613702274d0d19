"""Backgrounds in words, of options and manifests: ``NAME=FILE[:LABEL][,erode=MM]``, a shape, or ``auto``.

Shapes are ``sphere:X,Y,Z,R``, ``cylinder:X,Y,Z,R,LENGTH[,AX,AY,AZ]`` and ``box:X0,Y0,Z0,X1,Y1,Z1`` in mm LPS;
places that are found are ``auto:liver`` and ``auto:blood_pool``. A file whose whole name is there is meant,
whatever its name ends with.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from petquant.background.named import Background
from petquant.errors import UsageError
from petquant.paths import file_and_label

__all__ = ["background_of", "region_of"]

FORMS: Final = "FILE[:LABEL][,erode=MM], sphere:..., cylinder:..., box:... or auto:..."


def background_of(text: str, *, folder: Path | None = None) -> Background:
    """Return the background that ``NAME=PLACE`` describes.

    Parameters
    ----------
    text
        As in the head of this module.
    folder
        Where its path starts; None takes the working directory.

    Raises
    ------
    UsageError
        OPTION_INVALID, PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE, when the way to a file is barred.
    """
    name, equals, place = (part.strip() for part in text.partition("="))
    if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UsageError.of(
            "OPTION_INVALID",
            f"background {text}",
            expected=f"NAME= and {FORMS}, the name of letters, digits and _",
        )
    kind, colon, rest = place.partition(":")
    if colon and kind == "auto":
        return Background(name=name, automatic=rest)
    return region_of(place, name=name, folder=folder)


def region_of(text: str, *, name: str, folder: Path | None = None) -> Background:
    """Return a region by its place alone, which is not to be found: what is excluded, for example.

    Parameters
    ----------
    text
        As in the head of this module, without a name.
    name
        Of the region.
    folder
        Where its path starts; None takes the working directory.

    Raises
    ------
    UsageError
        OPTION_INVALID, PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE.
    """
    from petquant.delineation.shape_text import NUMBERS, shape_of  # noqa: PLC0415 - most are files

    kind, colon, rest = text.partition(":")
    if colon and kind in NUMBERS:
        return Background(name=name, shape=shape_of(kind, rest, name=name, given=f"{name} {text}"))
    place, erode_mm = _erosion(text, name, folder)
    file, label = file_and_label(place, folder=folder)
    return Background(name=name, path=str(file), label=label, erode_mm=erode_mm)


def _erosion(text: str, name: str, folder: Path | None) -> tuple[str, float]:
    """Return a place without its ``,erode=MM``, and that number; 0 without one."""
    before, comma, number = text.rpartition(",erode=")
    if not comma or (folder or Path()).joinpath(text).exists():
        return text, 0.0
    try:
        erode_mm = float(number)
    except ValueError:
        erode_mm = -1.0
    if not 0 < erode_mm < float("inf"):
        raise UsageError.of("OPTION_INVALID", f"{name} {text}", expected="erode=MM, more than 0 mm")
    return before, erode_mm
