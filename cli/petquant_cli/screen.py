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
    "console_of_width",
    "number_words",
    "plain_table",
    "print_checked",
    "print_knowledge",
    "print_quantification",
    "print_table",
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


def console_of_width() -> Console:
    """Return a console that prints words as they are, wide where it is no terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def plain_table(title: str, columns: Sequence[tuple[str, bool]]) -> Table:
    """Return a table without rows, of columns with their name and whether they hold numbers."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, is_number in columns:
        longest_word = max(map(len, name.split()), default=0)
        table.add_column(
            name,
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=max(8, longest_word),
        )
    return table


def print_table(console: Console, table: Table) -> None:
    """Print all of a table: where it is wider than the terminal its lines wrap.

    No column is cropped, and no number is broken in two.
    """
    for column in table.columns:
        if column.justify == "right":
            column.min_width = max(column.min_width or 0, *(len(str(cell)) for cell in column.cells), 0)
    needed = console.measure(table).minimum
    console.print(table, width=max(console.width, needed), crop=False)


def number_words(value: Any) -> str:
    """Return a number in four digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    return str(value)


def print_quantification(quantification: Quantification, privacy: Privacy) -> None:
    """Print one row a region with the main quantities, the sums, and how the SUV came about."""
    record = record_of(quantification, privacy)
    console = console_of_width()
    rows = record["measurements"]
    has_suv = bool(quantification.suv_types)
    numbers = dict(MAIN if has_suv else NATIVE)
    numbers |= {f"tbr_max_{one['name']}": f"TBRmax {one['name']}" for one in record["references"]}
    several = len(quantification.suv_types) > 1
    heads = [("region", False), *([("SUV type", False)] if several else []), ("voxels", True)]
    table = plain_table(
        _title(record), [*heads, *((name, True) for name in numbers.values()), ("flags", False)]
    )
    table.columns[-1].no_wrap = True  # codes stay whole, to be looked up
    for row in rows:
        own = [flag for flag in row["flags"] if flag not in record["conversion"]["flags"]]
        table.add_row(
            escaped(f"{row['roi_id']} {row['roi_name']}"),
            *([row["suv_type"]] if several else []),
            str(row["n_voxels"]),
            *(number_words(row[name]) for name in numbers),
            "\n".join(own),
        )
    print_table(console, table)
    summary = ", ".join(
        f"{name} {number_words(value)}" for name, value in record["summary"].items() if value is not None
    )
    console.print(f"Study: {summary}")
    for reference in record["references"]:
        console.print(escaped(f"Background {reference['name']}: {_background_words(reference)}"))
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


def _background_words(reference: Mapping[str, Any]) -> str:
    measured = [
        f"{name}{number_words(value)} {unit}"
        for name, value, unit in (
            ("mean ", reference["mean"], reference["unit"]),
            ("", reference["volume_ml"], "mL"),
        )
        if value is not None
    ]
    if reference["se"] is not None:
        measured.append(f"SE {number_words(reference['se'])}")
    place = [reference["roi_source"]] if reference["placement"] else []
    reason = [f"no ratio: {reference['reason']}"] if reference["reason"] else []
    return "; ".join(filter(None, [", ".join(measured), *place, *reason]))


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
    console = console_of_width()
    for series, entry in zip(checked, record, strict=True):
        what = f"SUV {entry['suv_type']}"
        verdict = f"{what} can be computed" if series.is_computable else f"{what} refused"
        name = " ".join(filter(None, ("Series", series.series.number, series.series.uid)))
        console.print(f"{escaped(name)} ({entry['n_files']} files): {verdict}", style="bold")
        conversion = entry["conversion"]
        if conversion is not None:
            _print_conversion(console, conversion)
        _print_findings(console, "Refused because", series.refusals)
        _print_findings(console, "Worth knowing", series.caveats)
        console.print()


def _print_conversion(console: Console, conversion: Mapping[str, Any]) -> None:
    table = plain_table("What the header says", [("quantity", False), ("value", False), ("from", False)])
    for item in conversion["evidence"]:
        where = f"{item['keyword'] or ''} {item['tag'] or ''}".strip()
        why = "" if item["why"] == "as written" else f" ({item['why']})"
        table.add_row(item["quantity"], escaped(item["value"]), escaped(where + why))
    print_table(console, table)
    if conversion["candidates"]:
        table = plain_table(
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
        print_table(console, table)
    console.print(escaped(_conversion_words(conversion)))


def _print_findings(console: Console, title: str, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    console.print(f"{title}:")
    for finding in findings:
        line = replace(finding, where="").line()
        console.print(escaped(f"  {CODES[finding.code].severity} {line}"), soft_wrap=True)


def print_knowledge(tables: Mapping[str, Any]) -> None:
    """Print the tables: quantities, SUV types, tracers, nuclides, the rules and figures of reads, flags."""
    console = console_of_width()
    for name, columns in (
        ("quantities", ("column", "unit", "definition", "source")),
        ("suv_types", ("name", "dicom_suv_type", "unit", "source")),
        ("tracers", ("name", "nuclide", "uptake_window_min", "source")),
        ("nuclides", ("name", "half_life_s", "source")),
        ("positivity_rules", ("name", "rule", "is_verified", "citation")),
        ("criteria", ("name", "title", "is_verified", "citation")),
        ("protocols", ("name", "title", "provenance", "references")),
        ("repeatability", ("name", "label", "wcv_percent", "rc_percent", "citation")),
        ("flags", ("code", "severity", "strict", "meaning", "remedy")),
    ):
        table = plain_table(name, [(column, False) for column in columns])
        for row in tables[name]:
            table.add_row(*(_plain(row[column]) for column in columns))
        print_table(console, table)


def _plain(value: Any) -> str:
    """Return a cell of a table of knowledge: several values side by side, and nothing for None."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
