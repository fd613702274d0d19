"""``petquant lock``: the SHA-256 of every file of a study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    study: Annotated[Path, typer.Argument(help="Folder or file of the study.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write to a file outside the study; by default to stdout."),
    ] = None,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write the SHA-256 of every file of a study."""
    from petquant.errors import UsageError
    from petquant.manifest import lock
    from petquant.paths import existing
    from petquant_cli.destination import put

    existing(study)
    if out is not None and study.resolve() in out.resolve().parents:
        raise UsageError.of(
            "OPTION_INVALID",
            f"--out {out} lies inside the study that is locked",
            expected="a place outside it",
        )
    put(lock(study), out, stdout=sys.stdout)
