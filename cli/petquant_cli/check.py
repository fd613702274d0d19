"""``petquant check``: why a series can or cannot become SUV, from headers alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.study import Choices

__all__ = ["run"]

FORMATS = ("table", "json")


@with_choices
def run(
    study: Annotated[
        Path, typer.Argument(help="Folder, zip or file of the study, a tree of studies, or a NIfTI image.")
    ],
    *,
    choices: Choices,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="table|json", help="On stdout; table by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to a .json file.")] = None,
) -> None:
    """Explain why a series can become SUV, or not."""
    from petquant.check import check
    from petquant.errors import Refused
    from petquant.export.checked import checked_record
    from petquant.export.record import as_json
    from petquant.paths import existing
    from petquant_cli.destination import apart, checked_format, put, read_with

    format_ = "table" if format_ is None and out is None else checked_format(format_, out, FORMATS)
    apart(out, read_with(study)[1:])
    checked = check(existing(study), choices)
    record = checked_record(checked, choices)
    if format_ == "json":
        put(as_json(record), out, stdout=sys.stdout)
    else:
        from petquant_cli.screen import print_checked

        print_checked(checked, record["series"])
    if not any(series.is_computable for series in checked):
        raise Refused.because(*dict.fromkeys(f for series in checked for f in series.refusals))
