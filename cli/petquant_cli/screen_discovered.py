"""The table of what was discovered, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petquant.discover import Discovered, discovered_rows
from petquant.suv.normalisation import NORMALISATIONS
from petquant_cli.messages import escaped
from petquant_cli.screen import console_of_width, plain_table, print_table

__all__ = ["print_discovered"]


def print_discovered(found: Discovered) -> None:
    """Print a line for every PET series: where, what, and what can be computed or why not."""
    console = console_of_width()
    heads = ["folder", "series", "tracer", "scanner", "slices", "choice", "computable", "refused", "regions"]
    table = plain_table("PET series", [(head, head == "slices") for head in heads])
    for row in discovered_rows(found):
        scanner = " ".join(filter(None, (row["manufacturer"], row["model"])))
        table.add_row(
            escaped(row["folder"]),
            escaped(row["series_number"] or ""),
            row["tracer"] or row["nuclide"] or "",
            escaped(scanner),
            str(row["n_slices"] or ""),
            row["choice"],
            _computable(row["computable"]),
            row["refusals"],
            _regions(row),
        )
    print_table(console, table)


def _computable(names: str) -> str:
    """Return what can be computed in as few words as say it."""
    types = [row.name for row in NORMALISATIONS]
    found = names.split()
    if not set(types) <= set(found):
        return names
    return " ".join(["all SUV types", *(name for name in found if name not in types)])


def _regions(row: Mapping[str, Any]) -> str:
    kinds = (("SEG", row["n_seg"]), ("RTSTRUCT", row["n_rtstruct"]))
    return ", ".join(f"{number} {kind}" for kind, number in kinds if number)
