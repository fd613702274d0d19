"""``petquant discover``: which PET studies lie in a tree, and what can be computed of each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices_for_all

if TYPE_CHECKING:
    from petquant.discover import Discovered
    from petquant.study import Choices

__all__ = ["run"]

FORMATS = ("table", "csv", "tsv", "json")


@with_choices_for_all
def run(
    folder: Annotated[Path, typer.Argument(help="Tree of studies, in any mess.")],
    *,
    choices: Choices,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="On stdout; table on a terminal, else csv, by default.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to a file; its suffix .csv, .tsv or .json decides.")
    ] = None,
) -> None:
    """List the PET studies of a tree: tracers, series, what can be computed and what not."""
    from petquant.discover import discover, discovered_record, discovered_rows
    from petquant.errors import Refused
    from petquant.export.record import as_json
    from petquant.export.table import as_csv
    from petquant.paths import existing
    from petquant_cli.destination import checked_format, put

    format_ = checked_format(format_, out, FORMATS)
    found = discover(existing(folder), choices)
    if format_ == "table":
        from petquant_cli.screen_discovered import print_discovered

        print_discovered(found)
    elif format_ == "json":
        put(as_json(discovered_record(found)), out, stdout=sys.stdout)
    else:
        rows = discovered_rows(found)
        put(as_csv(rows, delimiter="\t" if format_ == "tsv" else ","), out, stdout=sys.stdout)
    _say(found)
    if not found.series:
        raise Refused.of("NO_PET_SERIES", "no PET in any file", expected="PET images", path=str(folder))
    if not any(one.is_computable for one in found.series):
        raise Refused.because(*dict.fromkeys(cause for one in found.series for cause in one.refusals))


def _say(found: Discovered) -> None:
    """Say what was gone through, and what could not be read."""
    from petquant.errors import Finding
    from petquant_cli.messages import MESSAGES

    tree = found.tree
    for one in tree.unread:
        words = f"{one.n_files} that may be PET, the first {one.first}: {one.found}"
        MESSAGES.note(Finding(code=one.code, found=words))
    n_studies = len(tree.studies) + len(tree.images)
    n_good = sum(one.is_computable for one in found.series)
    MESSAGES.say(
        f"{tree.n_files} files: {n_studies} studies with PET, {tree.n_without_pet} without; "
        f"{len(found.series)} PET series, {n_good} can be computed"
    )
