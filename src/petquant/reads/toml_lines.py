"""In which line of a TOML text a key stands, for messages: the reader of TOML does not say."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

__all__ = ["lines_of_keys"]

HEAD: Final = re.compile(r"\s*\[.*\]\s*(?:#.*)?")
KEY: Final = re.compile(r"""\s*((?:[\w\-.\s]|"[^"]*"|'[^']*')+?)\s*=""")


def lines_of_keys(text: str) -> dict[str, int]:
    """Return whole keys, such as ``tracers.[18F]FDG.positivity``, and the first line, from 1, of each.

    Parameters
    ----------
    text
        Valid TOML. A key inside a text of several lines is taken for one of the table; it only moves a line
        number in a message.
    """
    lines: dict[str, int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        head, key = HEAD.fullmatch(line), KEY.match(line)
        if head is not None:
            found = _path(line)
            table = found or table
            lines.setdefault(".".join(table), number)
        elif key is not None:
            found = _path(f"{key[1]} = 0")
            if found:
                lines.setdefault(".".join((*table, *found)), number)
    return lines


def _path(line: str) -> tuple[str, ...]:
    """Return the parts of the only key of a line of TOML, none when it is not one."""
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while value:
        if isinstance(value, list):
            value = value[0]
        else:
            ((name, value),) = value.items()
            path.append(name)
    return tuple(path)
