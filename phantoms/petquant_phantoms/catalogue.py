"""The catalogue holds the phantoms by name, one TOML file each in ``definitions``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from petquant_phantoms.definition_file import DefinitionError, Table, merged, parsed
from petquant_phantoms.study import Study, write_study

if TYPE_CHECKING:
    from pathlib import Path

    from petquant_phantoms.definition import Definition, PetObject


def names() -> tuple[str, ...]:
    """Return the names of all phantoms, sorted."""
    folder = files("petquant_phantoms") / "definitions"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


@lru_cache(maxsize=256)
def load(name: str) -> Definition:
    """Return the phantom of a name.

    Raises
    ------
    DefinitionError
        If there is no phantom of this name, or its file does not make one.
    """
    document = _document(name, above=())
    document.pop("like", None)
    return parsed(name, document)


def _document(name: str, *, above: tuple[str, ...]) -> Table:
    if name in above:
        raise DefinitionError(f"{name}: is like itself by way of {', '.join(above)}")
    if name not in names():
        raise DefinitionError(f"no phantom {name!r}; there are {', '.join(names())}")
    text = (files("petquant_phantoms") / "definitions" / f"{name}.toml").read_text(encoding="utf-8")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{name}: {error}") from error
    like = document.get("like")
    return document if like is None else merged(_document(like, above=(*above, name)), document)


def build(
    name: str,
    out: Path | str,
    *,
    vendor: str | None = None,
    decay: str | None = None,
    units: str | None = None,
    transfer_syntax: str | None = None,
    object: PetObject | None = None,  # noqa: A002  the word of DICOM
) -> Study:
    """Write the phantom of a name into a folder, in the dialect of a vendor where one is given.

    Parameters
    ----------
    name
        One of `names`.
    out
        Folder to write to.
    vendor, decay, units, transfer_syntax, object
        As for `Definition.in_dialect`; the truth of the image stays the same.
    """
    variant = load(name).in_dialect(
        vendor=vendor, decay=decay, units=units, transfer_syntax=transfer_syntax, object=object
    )
    return write_study(variant, out)
