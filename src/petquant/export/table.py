"""Tables: rows as CSV or TSV for machines; the columns of any row may differ from the others'."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Sequence[Mapping[str, Any]], *, delimiter: str = ",") -> bytes:
    """Return rows as UTF-8 text with a header line, numbers in full precision, empty where undefined.

    A text cell that a spreadsheet would take for a formula is prefixed with an apostrophe.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    text = "".join(_line(cells, delimiter) for cells in lines)
    return text.encode("utf-8", "backslashreplace")


def _line(cells: Sequence[Any], delimiter: str) -> str:
    """Return one line; a cell with a return in it is quoted: what follows would begin a line of its own."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return repr(value) if isinstance(value, float) else value
