"""The tables of a comparison's report, as cells that a template prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from petquant.comparison import Comparison, SessionPairs, TracerComparison
from petquant.export.bands import change_of
from petquant.export.comparison_tables import state_of
from petquant.export.report.comparison_plots import metric_words, state_words
from petquant.export.report.page import number_words
from petquant.flags import CODES, Severity
from petquant.reads.concordance import Concordance
from petquant.reads.pair import LesionRead
from petquant.reads.paired import Estimand
from petquant.statistics.estimate import Estimate

__all__ = [
    "ESTIMANDS",
    "codes_of_record",
    "concordances",
    "counted",
    "estimand_rows",
    "interval",
    "lesion_table",
    "p_words",
    "scan_words",
]

Cell = tuple[str, str, str]
SMALLEST_P: Final = 0.0001
CAVEATS: Final = {Severity.FLAG: 1, Severity.INFO: 2}  # behind what stands against a number
SHOWN_FOUND: Final = 6  # findings of one code; more are counted

ESTIMANDS: Final = (
    ("Metric", "", False),
    ("Lesions, unit, scale", "", False),
    ("n", "", True),
    ("Patients", "", True),
    ("Forced", "", True),
    ("Missing", "", True),
    ("Mean A", "", True),
    ("Mean B", "", True),
    ("Estimate", "a - b, or a/b", True),
    ("Interval", "", False),
    ("p", "", True),
    ("p, Holm", "", True),
    ("p, BH", "", True),
    ("Test", "", False),
)


def p_words(p: float | None) -> str:
    """Return a p value in three digits, a dash where nothing was tested."""
    if p is None:
        return "–"
    return f"< {SMALLEST_P:g}" if p < SMALLEST_P else f"{p:.3g}"


def interval(each: Estimate | None) -> str:
    """Return the ends of an interval; an end that the data do not bound is said to be none."""
    if each is None or (each.low is None and each.high is None):
        return "–"
    low, high = (number_words(end) if end is not None else "no bound" for end in (each.low, each.high))
    return f"{low} to {high}"


def scan_words(row: Mapping[str, Any] | Any) -> str:
    """Return what a scan is called: patient, session, reader and tracer."""
    parts = (row["patient"], row["session"], row["reader"], row["tracer"])
    return " ".join(str(part) for part in parts if part)


def concordances(one: TracerComparison) -> list[dict[str, Any]]:
    """Return the counts of lesions, regions and patients, those that have any, then region by region."""
    found = [
        _concordance({"lesion": "Lesions", "region": "Regions", "patient": "Patients"}[unit], each, None)
        for unit, each in one.concordance.items()
        if each.n or each.n_unknown
    ]
    by_region = [
        _concordance(region, each, one.regions_holm.get(region)) | {"is_region": True}
        for region, each in one.regions.items()
    ]
    return [*found, *by_region]


def _concordance(name: str, found: Concordance, p_holm: float | None) -> dict[str, Any]:
    tango = found.tango
    return {
        "name": name,
        "is_region": False,
        "counts": (found.both, found.a_only, found.b_only, found.neither),
        "n": found.n,
        "n_unknown": found.n_unknown,
        "n_patients": found.n_patients,
        "difference": "–" if tango is None else f"{100 * tango.value:+.1f}",
        "tango": "–" if tango is None else _percents(tango),
        "exact": p_words(found.mcnemar.exact),
        "mid_p": p_words(found.mcnemar.mid_p),
        "clustered": p_words(found.clustered[0].p) if found.clustered else "–",
        "p_holm": p_words(p_holm),
        "rates": tuple(
            "–" if rate is None else f"{100 * rate.value:.1f} ({_percents(rate)})"
            for rate in (found.rate_a, found.rate_b)
        ),
    }


def _percents(each: Estimate) -> str:
    low, high = (None if end is None else f"{100 * end:.1f}" for end in (each.low, each.high))
    return f"{low} to {high}"


def estimand_rows(rows: Sequence[Estimand], one: TracerComparison) -> list[list[Cell]]:
    """Return the rows of the table of estimands, by the columns of `ESTIMANDS`."""
    return [_estimand(row, one) for row in rows]


def _estimand(row: Estimand, one: TracerComparison) -> list[Cell]:
    n = f"{row.n}, {row.n_b}" if row.set == "own-positive" else str(row.n)
    value = None if row.estimate is None else row.estimate.value
    adjusted = [
        one.holm.get(row.metric) if row.is_default else None,
        one.benjamini_hochberg.get(row.metric) if row.is_default else None,
    ]
    what = f"{row.set}, {row.unit}, {row.scale}"
    return [
        (metric_words(row.metric), row.metric, ""),
        (f"{what} (default)" if row.is_default else what, what, ""),
        (n, str(row.n), ""),
        *((str(count), str(count), "") for count in (row.n_patients, row.n_forced, row.n_missing)),
        *((number_words(mean), repr(mean), "") for mean in (row.mean_a, row.mean_b)),
        (number_words(value), "" if value is None else repr(value), ""),
        (interval(row.estimate), interval(row.estimate), ""),
        *((p_words(p), "" if p is None else repr(p), "") for p in (row.test.p, *adjusted)),
        (row.test.name, row.test.name, ""),
    ]


def lesion_table(
    one: SessionPairs, comparison: Comparison
) -> tuple[list[tuple[str, str, bool]], list[list[Cell]]]:
    """Return columns and rows of the lesions of two scans; a forced value has an asterisk."""
    reads = [read for pair in one.pairs for read in (pair.a, pair.b) if read is not None]
    names = dict.fromkeys(name for read in reads for name in read.values)
    wanted: list[str] = [name for name in ("suv_max", "suv_peak", "activity_max_bqml") if name in names]
    wanted += [name for name in names if name.startswith("tbr_max_")]
    rows_of_change = tuple(comparison.repeatability.get(tracer) for tracer in one.tracers)
    changes = [change_of(pair, rows_of_change) for pair in one.pairs]
    has_changes = any(change is not None for change in changes)
    columns = [
        ("No.", "", True),
        ("Lesion", "", False),
        ("Region", "", False),
        ("State", "", False),
        *((metric_words(name), letter, True) for name in wanted for letter in "AB"),
        *([("MTV", f"mL, {letter}", True) for letter in "AB"] if "mtv_ml" in names else []),
        *([("Change", "%", True), ("Beyond repeatability", "", False)] if has_changes else []),
        ("Flags and why", "", False),
    ]
    rows = []
    for place, (pair, change) in enumerate(zip(one.pairs, changes, strict=True)):
        state = state_words(state_of(pair.calls), one.tracers)
        name = next((read.name for read in (pair.a, pair.b) if read is not None and read.name), "")
        shown = [*wanted, *(["mtv_ml"] if "mtv_ml" in names else [])]
        rows.append(
            [
                (str(place + 1), str(place + 1), ""),
                (f"{pair.lesion_id} {name}".strip(), pair.lesion_id, ""),
                (" ".join(part for part in (pair.region, pair.side) if part), pair.region, ""),
                (state, state, ""),
                *(_value(read, metric) for metric in shown for read in (pair.a, pair.b)),
                *(_change_cells(change) if has_changes else []),
                *_said(pair.a, pair.b, pair.missing),
            ]
        )
    return columns, rows


def _change_cells(change: Any) -> list[Cell]:
    if change is None or change.percent is None:
        return [("–", "", ""), ("–", "", "")]
    words = {True: "yes", False: "no", None: "–"}[change.exceeds_rc]
    return [(f"{change.percent:+.1f}", repr(change.percent), ""), (words, words, "")]


def _value(read: LesionRead | None, name: str) -> Cell:
    value = None if read is None else read.values.get(name)
    if read is None or value is None:
        return ("–", "", "")
    return (f"{number_words(value)}{'*' if read.is_forced else ''}", repr(value), "")


def _said(a: LesionRead | None, b: LesionRead | None, missing: tuple[str, str]) -> list[Cell]:
    words = []
    for letter, read, why in (("A", a, missing[0]), ("B", b, missing[1])):
        if read is None:
            words.append(f"{letter} not measured: {why}" if why else f"{letter} not measured")
        elif read.flags:
            words.append(f"{letter} {' '.join(read.flags)}")
    text = "; ".join(words)
    return [(text, text, "")]


def codes_of_record(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every code of a comparison once: meaning, remedy, what was found and where; errors first."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for code, of, words in _said_of(record):
        ofs, all_words = found.setdefault(code, ({}, {}))
        ofs[of] = None
        if words:
            all_words[words] = None
    ordered = sorted(found, key=lambda code: (CAVEATS.get(CODES[code].severity, 0), code))
    return [
        {
            "code": code,
            "severity": CODES[code].severity,
            "is_info": CODES[code].severity is Severity.INFO,
            "meaning": CODES[code].meaning,
            "remedy": CODES[code].remedy,
            "of": counted(list(found[code][0])),
            "found": list(found[code][1])[:SHOWN_FOUND],
            "n_found": len(found[code][1]),
        }
        for code in ordered
    ]


def _said_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield every code with what it is said of, and what was found, empty where nothing more is said."""
    for scan in record["scans"]:
        of = scan_words(scan)
        for one in (*scan.get("refusals", ()), *scan.get("conversion", {}).get("codes", ())):
            yield one["code"], of, one["found"]
        for reference in scan.get("references", ()):
            for code in reference["flags"]:
                yield code, f"{of}, reference {reference['name']}", ""
    for one in record["sessions"]:
        of = " ".join(str(part) for part in (one["patient"], one["session"], *one["tracers"]) if part)
        for code in one["codes"]:
            yield code["code"], of, code["found"]
    for pair in record["pairs"]:
        for read in (pair["a"], pair["b"]):
            for code in () if read is None else read["flags"]:
                yield code, f"{pair['patient']} {pair['pair']}", ""


def counted(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - SHOWN_FOUND
    return ", ".join(names[:SHOWN_FOUND]) + (f" and {more} more" if more > 0 else "")
