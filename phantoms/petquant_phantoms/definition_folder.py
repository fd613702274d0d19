"""The folder of definitions holds one phantom a TOML file; a file may be like another one."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from petquant_phantoms.definition_file import DefinitionError, Table, merged, parsed

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition


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
    document = {"proves": ""} | _document(name, above=())
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
    if like is None:
        return document
    below = _document(like, above=(*above, name))
    below.pop("proves", None)  # another phantom shows something else
    return merged(below, document)
