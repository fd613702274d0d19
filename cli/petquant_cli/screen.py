"""The screen: tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from petquant.checked import CheckedSeries
from petquant.errors import Finding
from petquant.export.record import Privacy, record_of
from petquant.flags import CODES
from petquant.quantification import Quantification
from petquant_cli.messages import escaped

__all__ = [
    "console_of",
    "number",
    "print_checked",
    "print_knowledge",
    "print_quantification",
    "table_of",
]

MAIN = {
    "suv_max": "SUVmax",
    "suv_mean": "SUVmean",
    "suv_peak": "SUVpeak",
    "mtv_ml": "MTV mL",
    "tlg_g": "TLG g",
}
NATIVE = {"activity_max_bqml": "max Bq/mL", "activity_mean_bqml": "mean Bq/mL", "mtv_ml": "MTV mL"}
WIDTH = 140  # of a table that goes to a file or a pipe


def console_of() -> Console:
    """Return the console, of a fixed width where it is no terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def table_of(title: str, columns: Sequence[tuple[str, bool]]) -> Table:
    """Return a table without rows; columns are names, and whether they hold numbers."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, is_number in columns:
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", min_width=8)
    return table


def number(value: Any) -> str:
    """Return a number to four digits; nothing of None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    return str(value)


def print_quantification(quantification: Quantification, privacy: Privacy) -> None:
    """Print one row a region with the main quantities, the sums, and how the SUV came about."""
    record = record_of(quantification, privacy)
    console = console_of()
    rows = record["measurements"]
    has_suv = bool(quantification.suv_types)
    numbers = dict(MAIN if has_suv else NATIVE)
    numbers |= {f"tbr_max_{one['name']}": f"TBRmax {one['name']}" for one in record["references"]}
    several = len(quantification.suv_types) > 1
    heads = [("region", False), *([("SUV type", False)] if several else []), ("voxels", True)]
    table = table_of(_title(record), [*heads, *((name, True) for name in numbers.values()), ("flags", False)])
    for row in rows:
        own = [flag for flag in row["flags"] if flag not in record["conversion"]["flags"]]
        table.add_row(
            escaped(f"{row['roi_id']} {row['roi_name']}"),
            *([row["suv_type"]] if several else []),
            str(row["n_voxels"]),
            *(number(row[name]) for name in numbers),
            "\n".join(own),
        )
    console.print(table)
    summary = ", ".join(
        f"{name} {number(value)}" for name, value in record["summary"].items() if value is not None
    )
    console.print(f"Study: {summary}")
    for reference in record["references"]:
        console.print(
            escaped(
                f"Background {reference['name']}: mean {number(reference['mean'])} {reference['unit']}, "
                f"{number(reference['volume_ml'])} mL"
                + (f"; no ratio: {reference['reason']}" if reference["reason"] else "")
            )
        )
    console.print(escaped(_conversion_words(record["conversion"])))
    if privacy.with_identifiers:
        study = record["study"]
        console.print(
            escaped(f"Patient {study['patient_name']}, id {study['patient_id']}, {study['study_date']}")
        )
    flags = [*record["conversion"]["flags"], *(flag for row in rows for flag in row["flags"])]
    for code in dict.fromkeys(flags):
        console.print(f"{code}: {CODES[code].meaning}")
    console.print("For research use only.", style="dim")


def _title(record: Mapping[str, Any]) -> str:
    conversion = record["conversion"]
    tracer = conversion["tracer"] or conversion["nuclide"] or "unknown tracer"
    kind = f"SUV {conversion['suv_type']} in {conversion['unit']}" if conversion["suv_type"] else (
        "SUV unavailable, TBR valid"
    )  # fmt: skip
    return f"{tracer}, {kind} (study {record['study']['key']})"


def _conversion_words(conversion: Mapping[str, Any]) -> str:
    factor = conversion["factor"]
    if isinstance(factor, list):
        words = f"{min(factor):.6g} to {max(factor):.6g}, one a slice"
    else:
        words = "none" if factor is None else f"{factor:.8g}"
    parts = [f"Conversion: factor {words} ({conversion['rule']})"]
    if conversion["decay_reference_at"]:
        rule = conversion["decay_reference_rule"]
        parts.append(f"decay reference {conversion['decay_reference_at']} ({rule})")
    if conversion["decay_interval_s"] is not None:
        parts.append(f"decay interval {conversion['decay_interval_s']:g} s")
    if conversion["weight_kg"] is not None and conversion["injected_activity_bq"] is not None:
        parts.append(f"{conversion['injected_activity_bq'] / 1e6:g} MBq, {conversion['weight_kg']:g} kg")
    return "; ".join(parts)


def print_checked(checked: Sequence[CheckedSeries], record: Sequence[Mapping[str, Any]]) -> None:
    """Print what every PET series is worth: values with their tags, rules, candidates, verdict."""
    console = console_of()
    for series, entry in zip(checked, record, strict=True):
        what = f"SUV {entry['suv_type']}"
        verdict = f"{what} can be computed" if series.is_computable else f"{what} refused"
        number = f" {series.series.number}" if series.series.number else ""
        console.print(
            f"Series{number} {series.series.uid} ({entry['n_files']} files): {verdict}", style="bold"
        )
        conversion = entry["conversion"]
        if conversion is not None:
            _print_conversion(console, conversion)
        _print_findings(console, "Refused because", series.refusals)
        _print_findings(console, "Worth knowing", series.caveats)
        console.print()


def _print_conversion(console: Console, conversion: Mapping[str, Any]) -> None:
    table = table_of("What the header says", [("quantity", False), ("value", False), ("from", False)])
    for item in conversion["evidence"]:
        where = f"{item['keyword'] or ''} {item['tag'] or ''}".strip()
        why = "" if item["why"] == "as written" else f" ({item['why']})"
        table.add_row(item["quantity"], escaped(item["value"]), escaped(where + why))
    console.print(table)
    if conversion["candidates"]:
        table = table_of(
            f"Decay reference: {conversion['decay_reference_rule'] or 'unresolved'}",
            [("id", False), ("time", False), ("SUV effect", True), ("usable", False), ("why", False)],
        )
        for item in conversion["candidates"]:
            effect = item["effect_percent"]
            table.add_row(
                item["id"],
                item["datetime"] or "",
                "" if effect is None else f"{effect:+.2f} %",
                "yes" if item["valid"] else "no",
                f"{item['name']}: {item['reason']}",
            )
        console.print(table)
    console.print(escaped(_conversion_words(conversion)))


def _print_findings(console: Console, title: str, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    console.print(f"{title}:")
    for finding in findings:
        line = replace(finding, where="").line()
        console.print(escaped(f"  {CODES[finding.code].severity} {line}"), soft_wrap=True)


def print_knowledge(tables: Mapping[str, Any]) -> None:
    """Print the tables of quantities, SUV types, tracers, nuclides and flags."""
    console = console_of()
    for name, columns in (
        ("quantities", ("column", "unit", "definition", "source")),
        ("suv_types", ("name", "dicom_suv_type", "unit", "source")),
        ("tracers", ("name", "nuclide", "uptake_window_min", "source")),
        ("nuclides", ("name", "half_life_s", "source")),
        ("flags", ("code", "severity", "strict", "meaning", "remedy")),
    ):
        table = table_of(name, [(column, False) for column in columns])
        for row in tables[name]:
            table.add_row(*("" if row[column] is None else str(row[column]) for column in columns))
        console.print(table)
