"""Tables: rows as CSV or TSV for machines; the columns of any row may differ from the others'."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from petquant.export.record import NOTICE, SCHEMA_VERSION, as_json
from petquant.version import __version__

__all__ = ["as_csv", "csv_lines", "json_lines"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Sequence[Mapping[str, Any]], *, delimiter: str = ",") -> bytes:
    """Return rows as UTF-8 text with a header line, numbers in full precision, empty where undefined.

    A text cell that a spreadsheet would take for a formula is prefixed with an apostrophe.
    """
    columns = list(dict.fromkeys(chain.from_iterable(rows)))
    return b"".join(csv_lines(columns, (list(map(row.get, columns)) for row in rows), delimiter=delimiter))


def csv_lines(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ","
) -> Iterator[bytes]:
    """Yield the lines of `as_csv` for cells in the order of the columns, a header first."""
    lines = _Lines()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\r\n")
    for cells in chain([columns], rows):
        writer.writerow(
            [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in cells]
        )
        yield "".join(lines).encode("utf-8", "backslashreplace")
        lines.clear()


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the lines of a JSON document with the rows as objects, whose keys are the columns."""
    head = {"schema_version": SCHEMA_VERSION, "petquant_version": __version__, "notice": NOTICE}
    yield as_json(head, indent=None).rstrip(b"}\n") + b', "rows": [\n'
    separator = b""
    for cells in rows:
        yield separator + as_json(dict(zip(columns, cells, strict=True)), indent=None).rstrip(b"\n")
        separator = b",\n"
    yield b"\n]}\n"


class _Lines(list[str]):
    """Lines as csv writes them; a cell with a return in it was quoted, since a return ends its lines."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")
