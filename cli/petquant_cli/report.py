"""``petquant report``: a batch as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]

NAME = "report.html"


def run(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder of a batch, also of one that runs, or of JSON files of petquant suv.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.html", help=f"The page; {NAME} in the folder by default."),
    ] = None,
    messages: Annotated[
        str, typer.Option(help="Words on stderr as text or json.", metavar="text|json")
    ] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Report a batch: every study with its outcome, distributions, what is odd."""
    from petquant.batch.collected import opened
    from petquant.batch.report import batch_report
    from petquant.output import write_whole
    from petquant.paths import existing
    from petquant_cli.messages import MESSAGES
    from petquant_cli.report_page import checked_report

    folder = existing(place)
    at = checked_report(out, option="--out") or folder / NAME
    with opened(folder) as collected:
        page = batch_report(collected, folder, at=at)
    write_whole(at, page)
    MESSAGES.say(f"wrote {at}")
