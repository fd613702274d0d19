"""``petquant info``: what petquant knows, from its tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    *,
    json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
) -> None:
    """List quantities, tracers, rules, protocols and codes."""
    from petquant.export.knowledge import knowledge
    from petquant.export.record import as_json

    tables = knowledge()
    if json:
        sys.stdout.buffer.write(as_json(tables))
        return
    from petquant_cli.screen import print_knowledge

    print_knowledge(tables)
