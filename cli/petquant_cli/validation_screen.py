"""A validation as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from petquant.validation import Check
from petquant_cli.messages import escaped
from petquant_cli.screen import console_of_width, plain_table, print_table

__all__ = ["print_validation"]

FAILURES = 40  # shown one by one


def print_validation(record: Mapping[str, Any], failed: Sequence[Check]) -> None:
    """Print one row a phantom, then the failures, and the sum."""
    console = console_of_width()
    numbers = ("variants", "checks", "failed", "error/tolerance")
    title = f"Against the truth of phantoms, petquant {record['petquant_version']}"
    table = plain_table(title, [("phantom", False), *((name, True) for name in numbers), ("in", False)])
    for row in record["phantoms"]:
        share = row["largest_share_of_tolerance"]
        table.add_row(
            escaped(row["phantom"]),
            str(row["n_variants"]),
            str(row["n_checks"]),
            str(row["n_failed"]),
            "" if share is None else f"{share:.3f}",
            escaped(row["worst_quantity"] or ""),
        )
    print_table(console, table)
    for check in failed[:FAILURES]:
        words = (check.phantom, check.variant, check.region, check.quantity)
        place = " ".join(word for word in words if word)
        bound = "" if check.error is None else f" within {check.abs_tol:.3g}"
        line = f"FAIL {place}: {_exact(check.found)} instead of {_exact(check.expected)}{bound} ({check.why})"
        console.print(escaped(line), soft_wrap=True)
    if len(failed) > FAILURES:
        console.print(f"and {len(failed) - FAILURES} more")
    verdict = "passed" if not record["n_failed"] else "FAILED"
    console.print(
        f"{verdict}: {record['n_trials']} trials, {record['n_checks']} checks, {record['n_failed']} failed."
    )


def _exact(value: float | str | None) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else f"{value:.9g}"
