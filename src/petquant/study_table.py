"""A study table is CSV with one row a study or scan; its paths start where the table lies.

What a cell may hold stands here: one path or several joined by ``;``, backgrounds, and values in place of the
header's in a column with the name of the override (``weight_kg``, ...).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from petquant.errors import PetquantError, UnreadableInput, UsageError
from petquant.overrides import Overrides
from petquant.paths import is_found

__all__ = [
    "OVERRIDES",
    "StudyTable",
    "overrides_of",
    "parts",
    "path_of",
    "read_table",
    "unreadable_table",
]

OVERRIDES: Final = tuple(field.name for field in fields(Overrides) if field.name != "tracer")
YES_NO: Final = {"yes": True, "true": True, "1": True, "no": None, "false": None, "0": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTable:
    """A table as it was read.

    Parameters
    ----------
    columns
        Their names, in order.
    rows
        Line number and stripped cells of every row.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read_table(
    path: Path, *, needed: Sequence[str], known: Sequence[str] | None, expected: str
) -> StudyTable:
    """Return the rows of a table.

    Parameters
    ----------
    needed
        Columns that must be there.
    known
        The other columns that may be there; None lets any.
    expected
        What the table should be, for the words of an error.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID: no such table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(text.splitlines(), strict=True)
        heads = [head.strip() for head in reader.fieldnames or ()]
        reader.fieldnames = heads
        lines = [(reader.line_num, line) for line in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable_table(path, str(error), expected) from error
    if "\0" in text:
        raise unreadable_table(path, "a NUL character", expected)
    if any(None in line for _, line in lines):
        raise unreadable_table(path, "a row with more cells than columns", expected)
    missing = [name for name in needed if name not in heads]
    twice = sorted({name for name in heads if heads.count(name) > 1})
    unknown = [name for name in heads if known is not None and name not in {*needed, *known}]
    words = [f"no column {', '.join(missing)}"] if missing else []
    words += [f"unknown columns {', '.join(unknown)}"] if unknown else []
    words += [f"columns that stand there twice: {', '.join(twice)}"] if twice else []
    words += [] if lines else ["no row"]
    if words:
        raise unreadable_table(path, "; ".join(words), expected)
    return StudyTable(
        columns=tuple(heads),
        rows=tuple(
            (number, {name: (line.get(name) or "").strip() for name in heads}) for number, line in lines
        ),
    )


def unreadable_table(path: Path, found: str, expected: str) -> PetquantError:
    """Return the error of a table that is not what it should be."""
    return UnreadableInput.of(
        "SIDECAR_INVALID", f"a table that cannot be read: {found}", expected=expected, path=str(path)
    )


def parts(cell: str) -> list[str]:
    """Return what is joined by ``;``."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def path_of(folder: Path, cell: str) -> str:
    """Return the path that a cell names.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND.
    """
    path = folder / cell
    if not is_found(path):
        raise UsageError.of("PATH_NOT_FOUND", f"{path} does not exist", remedy="paths start at the manifest")
    return str(path)


def overrides_of(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that a row gives in place of the header's, by name of the override.

    What a value cannot be is for `Overrides` to say.
    """
    given = {name: _value(name, row[name]) for name in OVERRIDES if row.get(name)}
    return {name: value for name, value in given.items() if value is not None}


def _value(name: str, text: str) -> Any:
    kinds = get_args(get_type_hints(Overrides)[name])
    kind = next(kind for kind in kinds if kind is not type(None))
    if kind is bool:
        return YES_NO.get(text.casefold(), text)
    try:
        return kind(text)
    except ValueError:
        return text
