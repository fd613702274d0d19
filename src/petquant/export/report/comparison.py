"""The report of a comparison: statistics and figures of the cohort, every patient, and all behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from petquant.comparison import Comparison, SessionPairs, TracerComparison
from petquant.export.comparison import comparison_record, headline, withheld_uids
from petquant.export.comparison_tables import comparison_tables, state_of
from petquant.export.record import as_json
from petquant.export.report.comparison_plots import (
    agreement_plot,
    change_plot,
    metric_words,
    paired_plot,
    region_plot,
    state_words,
)
from petquant.export.report.comparison_words import (
    ESTIMANDS,
    codes_of_record,
    concordances,
    counted,
    estimand_rows,
    interval,
    lesion_table,
    p_words,
    scan_words,
)
from petquant.export.report.lights import Light
from petquant.export.report.oriented import Window
from petquant.export.report.page import CSV, data_url, number_words, page
from petquant.export.report.pair_figures import pair_figures, scale_of, windows_of
from petquant.export.report.scan_view import PairViews, Shown
from petquant.export.report.words import conversion_sentences
from petquant.export.table import as_csv

__all__ = ["comparison_report"]

STATES: Final = ("both", "a_only", "b_only", "neither", "unknown")


def comparison_report(comparison: Comparison, shown: Shown, *, has_hashed_uids: bool = False) -> bytes:
    """Return the report of a comparison as one HTML file, UTF-8; the same input gives the same bytes.

    Parameters
    ----------
    comparison
        What the scans gave.
    shown
        Lights and views of them, as `petquant.compare.compare_shown` gives them.
    has_hashed_uids
        Whether UIDs are replaced by hashes.
    """
    record = comparison_record(comparison, has_hashed_uids=has_hashed_uids)
    tables = comparison_tables(comparison)
    if has_hashed_uids:
        tables = {name: withheld_uids(rows) for name, rows in tables.items()}
    windows = windows_of(comparison.sessions, shown.views)
    values = {
        "tracers": list(comparison.tracers),
        "summary": _summary(comparison),
        "comparison": comparison,
        "refused": _refused(record),
        "light_names": list(dict.fromkeys(light.name for lights in shown.lights for light in lights)),
        "scans": _scans(record, shown.lights),
        "statistics": [
            _statistics(one, comparison, tables["regions"], prefix=f"c{number}")
            for number, one in enumerate(comparison.comparisons)
        ],
        "light_counts": _light_counts(record, shown.lights),
        "rules": _rules(shown.lights),
        "legend": _legend(comparison),
        "windows": [(tracer, window) for (tracer, _), window in windows.items()],
        "patients": _patients(comparison, record, shown.views, windows),
        "methods": record["methods"],
        "codes": codes_of_record(record),
        "tables": [(name, data_url(as_csv(rows), CSV)) for name, rows in tables.items()],
        "json": data_url(as_json(record), "application/json"),
    }
    return page("comparison.html.j2", values)


def _summary(comparison: Comparison) -> list[tuple[str, str]]:
    measured = [scan for scan in comparison.scans if not scan.refusals]
    patients = {one.patient for one in comparison.sessions if not one.refusals}
    first = comparison.comparisons[0]
    top = headline(first.estimands)
    facts = [
        ("Patients compared", str(len(patients))),
        ("Scans measured", f"{len(measured)} of {len(comparison.scans)}"),
        ("Lesions", str(len(first.pairs))),
        ("Positive when", comparison.rule),
        ("Protocol", comparison.protocol or "none asked for"),
    ]
    if top is not None and top.estimate is not None:
        ends = interval(top.estimate)
        words = f"{number_words(top.estimate.value)} ({'no interval' if ends == '–' else ends}), "
        words += "not tested" if top.test.p is None else f"p {p_words(top.test.p)}"
        facts.append((f"Headline: {metric_words(top.metric)}, mean of A - B", words))
    return facts


def _light_counts(
    record: Mapping[str, Any], lights: Sequence[Sequence[Light]]
) -> list[tuple[str, list[int], str]]:
    """Return every light with how many scans pass, fail and are unknown, and the names of those that fail."""
    found: dict[str, dict[str, list[str]]] = {}
    for scan, of_scan in zip(record["scans"], lights, strict=True):
        for light in of_scan:
            found.setdefault(light.name, {}).setdefault(str(light.verdict), []).append(scan_words(scan))
    return [
        (
            name,
            [len(one.get(verdict, ())) for verdict in ("PASS", "FAIL", "UNKNOWN")],
            counted(one.get("FAIL", ())),
        )
        for name, one in found.items()
    ]


def _rules(lights: Sequence[Sequence[Light]]) -> list[str]:
    """Return every rule that scans were held against, with its source."""
    return list(
        dict.fromkeys(
            f"{light.name}: {light.expected or light.why}. Source: {light.source}."
            for of_scan in lights
            for light in of_scan
        )
    )


def _legend(comparison: Comparison) -> list[tuple[str, str, int | None]]:
    """Return the states as the pictures of all pairs of tracers have them."""
    several = len(comparison.tracers) > 2
    tracers = ("A", "B") if several else (comparison.tracers[0], comparison.tracers[1])
    return [(state, state_words(state, tracers), None) for state in STATES[:4]]


def _refused(record: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return every scan or pair of scans that is missing: which, code, what was found, the way out."""
    rows = [
        (scan_words(scan), one["code"], one["found"], one["remedy"] or "")
        for scan in record["scans"]
        for one in scan.get("refusals", ())
    ]
    for one in record["sessions"]:
        if one["is_refused"]:
            of = " ".join(str(part) for part in (one["patient"], one["session"], *one["tracers"]) if part)
            rows += [(of, code["code"], code["found"], code["remedy"] or "") for code in one["codes"]]
    return rows


def _scans(record: Mapping[str, Any], lights: Sequence[Sequence[Light]]) -> list[dict[str, Any]]:
    """Return every measured scan: name, lights by name, protocol, and how its SUV came about."""
    return [
        {
            "name": scan_words(scan),
            "lights": {light.name: light for light in of_scan},
            "protocol": scan["protocol"] or [],
            "sentences": conversion_sentences(scan["conversion"]),
            "series": scan["series"],
            "inputs": scan["inputs"],
        }
        for scan, of_scan in zip(record["scans"], lights, strict=True)
        if not scan["is_refused"]
    ]


def _session_words(one: SessionPairs | TracerComparison) -> str:
    """Return session and reader, as far as they were given."""
    session = f"session {one.session}" if one.session else ""
    return ", ".join(part for part in (session, f"reader {one.reader}" if one.reader else "") if part)


def _statistics(
    one: TracerComparison, comparison: Comparison, regions: Sequence[Mapping[str, Any]], *, prefix: str
) -> dict[str, Any]:
    """Return everything about two tracers in one session by one reader."""
    shown = _shown_metrics(one)
    agreed = {each.metric: each for each in one.agreement}
    plots = [paired_plot(one, metric, id_=f"{prefix}-paired-{place}") for place, metric in enumerate(shown)]
    limits = [
        agreement_plot(one, agreed[metric], id_=f"{prefix}-agreement-{place}", level=comparison.level)
        for place, metric in enumerate(shown)
        if metric in agreed
    ]
    top = headline(one.estimands)
    return {
        "id": prefix,
        "name": " and ".join(one.tracers),
        "of": _session_words(one),
        "tracers": one.tracers,
        "states": [
            (state, state_words(state, one.tracers), sum(1 for found in _states(one) if found == state))
            for state in STATES
        ],
        "states_alone": [(state, state_words(state, one.tracers), None) for state in STATES],
        "counts": concordances(one),
        "paired": [plot for plot in plots if plot is not None],
        "agreement": [plot for plot in limits if plot is not None],
        "agreed": [_agreed(each) for each in one.agreement if each.n],
        "change": change_plot(one, comparison, id_=f"{prefix}-change"),
        "regions": region_plot(one, regions, id_=f"{prefix}-regions"),
        "columns": ESTIMANDS,
        "headline": None if top is None else metric_words(top.metric),
        "defaults": estimand_rows([row for row in one.estimands if row.is_default], one),
        "estimands": estimand_rows(one.estimands, one),
        "against_reader": [
            (tracer, found)
            for tracer, found in zip(one.tracers, one.rule_against_reader, strict=True)
            if found is not None
        ],
    }


def _states(one: TracerComparison) -> list[str]:
    return [state_of(pair.calls) for pair in one.pairs]


def _shown_metrics(one: TracerComparison) -> list[str]:
    """Return the metrics that have plots: SUVmax, SUVpeak, and SUVmax over every background."""
    known = list(dict.fromkeys(row.metric for row in one.estimands))
    wanted = [metric for metric in ("suv_max", "suv_peak") if metric in known]
    return wanted + [metric for metric in known if metric.startswith("tbr_max_")]


def _agreed(each: Any) -> dict[str, Any]:
    limits = each.bland_altman
    return {
        "name": metric_words(each.metric),
        "n": each.n,
        "n_forced": each.n_forced,
        "scale": "–" if limits is None else {"log-ratio": "ratio a/b"}.get(limits.scale, limits.scale),
        "mean": "–" if limits is None else _with_ends(limits.mean),
        "limits": "–"
        if limits is None
        else f"{number_words(limits.lower.value)} to {number_words(limits.upper.value)}",
        "bias": "–" if limits is None else p_words(limits.proportional_bias.p),
        "ccc": "–" if each.ccc is None else _with_ends(each.ccc),
        "icc": "–" if "ICC(A,1)" not in each.icc else _with_ends(each.icc["ICC(A,1)"]),
        "spearman": "–" if each.spearman is None else number_words(each.spearman.statistic),
    }


def _with_ends(each: Any) -> str:
    return f"{number_words(each.value)} ({interval(each)})"


def _patients(
    comparison: Comparison,
    record: Mapping[str, Any],
    views: Sequence[PairViews | None],
    windows: Mapping[tuple[str, str], Window],
) -> list[dict[str, Any]]:
    """Return every patient with the pairs of scans that were compared, in order."""
    px = scale_of(views)
    found: dict[str, list[dict[str, Any]]] = {}
    for place, (one, seen) in enumerate(zip(comparison.sessions, views, strict=True)):
        if seen is None:
            continue
        columns, rows = lesion_table(one, comparison)
        found.setdefault(one.patient, []).append(
            {
                "id": f"p{place}",
                "name": " and ".join(one.tracers),
                "of": _session_words(one),
                "tracers": one.tracers,
                "figures": pair_figures(one, seen, windows, px=px),
                "columns": columns,
                "rows": rows,
                "offset_z_mm": seen.offset_z_mm,
                "registration": record["sessions"][place]["registration"],
                "codes": [code["code"] for code in record["sessions"][place]["codes"]],
                "counts": _counts(one),
            }
        )
    return [{"name": patient, "sessions": sessions} for patient, sessions in found.items()]


def _counts(one: SessionPairs) -> str:
    states = [state_of(pair.calls) for pair in one.pairs]
    counts = [
        f"{states.count(state)} {state_words(state, one.tracers)}" for state in STATES if state in states
    ]
    return ", ".join(counts) or "no lesion"
