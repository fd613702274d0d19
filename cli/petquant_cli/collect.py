"""``petquant collect``: the results of many studies as one table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from petquant.batch.collected import Collected, Table
    from petquant.output import Content

__all__ = ["run"]

FORMATS = ("csv", "tsv", "json", "parquet")
LINES = 1000  # written at once


def run(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder of a batch, also of one that runs, or of JSON files of petquant suv.",
        ),
    ],
    *,
    table: Annotated[
        str,
        typer.Option(
            metavar="measurements|runs|warnings",
            help="A row for every region, for every study with its outcome, or for what is odd across them.",
        ),
    ] = "measurements",
    format_: Annotated[
        str | None, typer.Option("--format", metavar="|".join(FORMATS), help="Of the table; csv by default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write to a file; its suffix decides. By default to stdout."),
    ] = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="Add to the runs how long and how often each was measured.")
    ] = False,
    messages: Annotated[
        str, typer.Option(help="Words on stderr as text or json.", metavar="text|json")
    ] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Collect the results of many studies into one table."""
    from petquant.batch.collected import TABLES, opened
    from petquant.errors import UsageError
    from petquant.output import write_whole
    from petquant.paths import existing
    from petquant_cli.destination import checked_format, put

    format_ = checked_format(format_ or ("csv" if out is None else None), out, FORMATS)
    if table not in TABLES:
        raise UsageError.of("OPTION_INVALID", f"--table {table}", expected=" or ".join(TABLES))
    if timings and table != "runs":
        raise UsageError.of("OPTION_INVALID", "--timings", expected="--table runs beside it")
    if out is None and format_ == "parquet":
        raise UsageError.of("OPTION_INVALID", "--format parquet", expected="--out FILE.parquet beside it")
    with opened(existing(place)) as collected:
        found = _table(collected, table, with_timings=timings)
        if out is None:
            lines = _lines(found, format_)
            while part := b"".join(islice(lines, LINES)):
                put(part, None, stdout=sys.stdout)
        else:
            write_whole(out, _content(found, format_))


def _table(collected: Collected, name: str, *, with_timings: bool) -> Table:
    if name == "runs":
        return collected.runs(with_timings=with_timings)
    return collected.warnings() if name == "warnings" else collected.measurements()


def _lines(found: Table, format_: str) -> Iterator[bytes]:
    from petquant.export.table import csv_lines, json_lines

    if format_ == "json":
        return json_lines(found.columns, found.rows)
    return csv_lines(found.columns, found.rows, delimiter="\t" if format_ == "tsv" else ",")


def _content(found: Table, format_: str) -> Content:
    def lines(file: BinaryIO) -> None:
        file.writelines(_lines(found, format_))

    def parquet(file: BinaryIO) -> None:
        from petquant.batch.collected import INTEGERS, TEXT
        from petquant.export.parquet import write_parquet

        write_parquet(file, found.columns, found.rows, text=TEXT | {*found.given}, integers=INTEGERS)

    return parquet if format_ == "parquet" else lines
