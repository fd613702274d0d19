"""Tables: rows as CSV or TSV for machines; the columns of any row may differ from the others'."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

__all__ = ["as_csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Sequence[Mapping[str, Any]], *, delimiter: str = ",") -> bytes:
    """Return rows as UTF-8 text with a header line, numbers in full precision, empty where undefined.

    A text cell that a spreadsheet would take for a formula is prefixed with an apostrophe.
    """
    columns = list(dict.fromkeys(chain.from_iterable(rows)))
    lines = _Lines()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(
            [
                f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
                for cell in map(row.get, columns)
            ]
        )
    return "".join(lines).encode("utf-8", "backslashreplace")


class _Lines(list[str]):
    """Lines as csv writes them; a cell with a return in it was quoted, since a return ends its lines."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")
