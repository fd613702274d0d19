"""The screen of a comparison: lesions side by side, concordance, and estimands with their alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from petquant.comparison import Comparison, TracerComparison
from petquant.reads.pair import LesionRead
from petquant_cli.messages import escaped
from petquant_cli.screen import console_of_width, number_words, plain_table

__all__ = ["print_comparison"]

MOST_LESIONS = 60  # on a screen; the rest stands in pairs.csv
COUNTS = ("both", "a_only", "b_only", "neither", "n_unknown")


def print_comparison(found: Comparison, record: Mapping[str, Any]) -> None:
    """Print every two tracers: lesions, concordance, estimands."""
    console = console_of_width()
    for one, statistics in zip(found.comparisons, (record, *record["further"]), strict=True):
        words = [f"{one.tracers[0]} (a) and {one.tracers[1]} (b)", one.session, one.reader]
        title = ", ".join(word for word in words if word)
        _print_lesions(console, one, title)
        _print_concordance(console, statistics, f"Concordance, positive: {found.positivity}")
        _print_estimands(console, statistics)
    for session in record["sessions"]:
        registration = session["registration"]
        if registration is not None and registration["inverse_consistency_mm"]:
            away_mm, dice = registration["inverse_consistency_mm"], registration["body_dice"]
            found_words = f"inverse consistency {away_mm:.2f} mm, body Dice {dice:.3f}"
            console.print(escaped(f"Registration of {session['patient']}: {found_words}"))
    console.print("For research use only.", style="dim")


def _print_lesions(console: Console, one: TracerComparison, title: str) -> None:
    ratios = [row.metric for row in one.estimands if row.is_default and row.metric.startswith("tbr_max_")]
    shown = {"suv_max": "SUVmax", "suv_peak": "SUVpeak"} | {name: f"TBRmax {name[8:]}" for name in ratios}
    has_values = {row.metric for row in one.estimands}
    shown = {name: words for name, words in shown.items() if name in has_values}
    is_cohort = len({pair.patient for pair in one.pairs}) > 1
    columns = [*([("patient", False)] if is_cohort else []), ("lesion", False), ("name", False)]
    columns += [(f"{words} {letter}", True) for words in shown.values() for letter in "ab"]
    table = plain_table(title, [*columns, ("positive", False), ("matched", False)])
    for pair in one.pairs[:MOST_LESIONS]:
        read = pair.a or pair.b
        table.add_row(
            *([escaped(pair.patient)] if is_cohort else []),
            escaped(pair.lesion_id),
            escaped("" if read is None else read.name),
            *(_value(side, name) for name in shown for side in (pair.a, pair.b)),
            "".join(
                letter for letter, call in zip("ab", pair.calls, strict=True) if call
            ) or ("?" if None in pair.calls else "-"),
            pair.matched_by or "alone",
        )  # fmt: skip
    console.print(table)
    if len(one.pairs) > MOST_LESIONS:
        console.print(f"... and {len(one.pairs) - MOST_LESIONS} more in pairs.csv")
    if any(read is not None and read.is_forced for pair in one.pairs for read in (pair.a, pair.b)):
        console.print("* forced read: measured where the other tracer shows the lesion", style="dim")


def _value(read: LesionRead | None, name: str) -> str:
    text = "" if read is None else number_words(read.values.get(name))
    return f"{text}*" if text and read is not None and read.is_forced else text


def _print_concordance(console: Console, statistics: Mapping[str, Any], title: str) -> None:
    heads = [("by", False), *((name.replace("_", " "), True) for name in COUNTS)]
    table = plain_table(title, [*heads, ("McNemar p", True), ("a - b", True), ("Tango interval", True)])
    for unit, found in statistics["concordance"].items():
        difference, interval = found["difference"], found["tango_ci"]
        table.add_row(
            unit,
            *(str(found[name]) for name in COUNTS),
            number_words(found["mcnemar"]["exact"]),
            "" if difference is None else f"{100 * difference:+.1f} %",
            "" if interval is None else " to ".join(f"{100 * end:+.1f}" for end in interval),
        )
    console.print(table)


def _print_estimands(console: Console, statistics: Mapping[str, Any]) -> None:
    """Print the default of every metric, and the alternatives of the headline."""
    numbers = ("n", "mean a", "mean b", "estimate", "interval", "p")
    table = plain_table(
        "Estimands (a - b, or the ratio a/b); of the first metric with all alternatives",
        [
            ("metric", False),
            ("estimand", False),
            *((name, True) for name in numbers),
            ("test", False),
        ],
    )
    first = statistics["headline"]
    rows = sorted(statistics["estimands"], key=lambda row: row["metric"] != first)
    for row in rows:
        if row["metric"] == first or row["is_default"]:
            low, high = row["ci"] or (None, None)
            name, _, untested = row["test"].partition(": ")
            table.add_row(
                escaped(row["metric"]),
                f"{row['set']}, {row['unit']}, {row['scale']}",
                str(row["n"]) if row["n"] == row["n_b"] else f"{row['n']}, {row['n_b']}",
                number_words(row["mean_a"]),
                number_words(row["mean_b"]),
                number_words(row["estimate"]),
                "" if low is None and high is None else f"{number_words(low)} to {number_words(high)}",
                "n < 6" if untested else number_words(row["p"]),
                name,
            )
    console.print(table)
