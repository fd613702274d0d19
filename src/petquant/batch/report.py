"""The report of a batch: every study with its outcome, how values are spread, and what is odd across them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from petquant.batch.cohort import FEWEST, LEAST_DEPARTURE, OUTLYING_Z, CohortWarning, outlying
from petquant.batch.collected import Collected
from petquant.batch.folder import report_of
from petquant.batch.outcome import Outcome
from petquant.batch.store import Run
from petquant.export.report.page import CSV, data_url, number_words, page
from petquant.export.report.strips import strip
from petquant.export.table import csv_lines

__all__ = ["batch_report"]

Record = Mapping[str, Any]
Studies = Sequence[tuple[Run, Record | None]]

COLUMNS: Final = (
    ("Outcome", "", False),
    ("Study", "", False),
    ("Tracer", "", False),
    ("Lesions", "", True),
    ("SUVmax", "hottest", True),
    ("MTV", "total, mL", True),
    ("Uptake", "min", True),
    ("Activity", "MBq/kg", True),
    ("Liver", "mean", True),
    ("Codes", "", False),
    ("Message", "", False),
)
MARKS: Final = {
    Outcome.OK: "PASS",
    Outcome.FLAGGED: "UNKNOWN",
    Outcome.SKIPPED: "UNKNOWN",
}
WORDS: Final = {
    Outcome.OK: "measured",
    Outcome.FLAGGED: "measured, with caveats",
    Outcome.REFUSED: "no number would be safe",
    Outcome.FAILED: "could not be read, or a limit",
    Outcome.CRASHED: "its process died",
    Outcome.TIMEOUT: "took too long",
    Outcome.SKIPPED: "never tried",
}


def _activity_per_kg(record: Record) -> float | None:
    activity_bq, kg = record["conversion"]["injected_activity_bq"], record["conversion"]["weight_kg"]
    return None if activity_bq is None or not kg else activity_bq / 1e6 / kg


def _liver(record: Record) -> float | None:
    """Return the mean of the liver in SUV, where it was a background."""
    if record["conversion"]["suv_type"] is None:
        return None
    names = (one for one in record["references"] if one["name"].lower().split("_")[0] == "liver")
    found: float | None = next((one["mean"] for one in names), None)
    return found


def _suv_max(record: Record) -> float | None:
    return None if record["conversion"]["suv_type"] is None else record["summary"].get("suv_max")


# name, unit, how it is taken from a record, whether it depends on the SUV type
QUANTITIES: Final[tuple[tuple[str, str, Callable[[Record], float | None], bool], ...]] = (
    ("Hottest SUVmax", "", _suv_max, True),
    ("Total MTV", "mL", lambda record: record["summary"].get("tmtv_ml"), True),
    ("Uptake time", "min", lambda record: record["conversion"]["uptake_time_min"], False),
    ("Injected activity", "MBq/kg", _activity_per_kg, False),
    ("Liver, mean", "", _liver, True),
)


def batch_report(collected: Collected, folder: Path, *, at: Path) -> bytes:
    """Return the report of a batch as one HTML file, UTF-8.

    Parameters
    ----------
    collected
        What was measured.
    folder
        Of the batch, where the reports of its studies lie.
    at
        Where the page will lie, from which links to those start.
    """
    studies = tuple(collected.studies())
    counts = Counter(run.outcome for run, _ in studies)
    warnings = collected.cohort()
    runs = collected.runs()
    odd = collected.warnings()
    plots = [_strip(studies, place) for place in range(len(QUANTITIES))]
    values = {
        "n": len(studies),
        "counts": [
            (str(outcome), WORDS[outcome], MARKS.get(outcome, "FAIL"), counts[outcome]) for outcome in Outcome
        ],
        "columns": COLUMNS,
        "rows": [_row(run, record, folder, at) for run, record in studies],
        "plots_of": [plot for plot in plots if plot is not None],
        "rule": f"robust z of the logarithm beyond {OUTLYING_Z:g} and more than {LEAST_DEPARTURE:.0%} from "
        f"the median, among at least {FEWEST} studies of one tracer",
        "warnings": [_warning(one) for one in warnings],
        "versions": sorted(Counter(run.petquant_version for run, _ in studies).items()),
        "runs_csv": data_url(b"".join(csv_lines(runs.columns, runs.rows)), CSV),
        "warnings_csv": data_url(b"".join(csv_lines(odd.columns, odd.rows)), CSV),
    }
    return page("batch.html.j2", values)


def _row(run: Run, record: Record | None, folder: Path, at: Path) -> list[tuple[str, str, str]]:
    report = report_of(folder, run.study)
    link = quote(os.path.relpath(report.resolve(), at.resolve().parent)) if report.exists() else ""
    outcome, message = str(run.outcome), run.message.replace("\n", "; ")
    tracer = ""
    numbers: list[float | None] = [None] * 6
    if record is not None:
        tracer = _tracer(record, has_type=True)
        summary, conversion = record["summary"], record["conversion"]
        numbers = [
            summary.get("n_lesions"),
            _suv_max(record),
            summary.get("tmtv_ml"),
            conversion["uptake_time_min"],
            _activity_per_kg(record),
            _liver(record),
        ]
    return [
        (outcome, outcome, ""),
        (run.study, run.study, link),
        (tracer, tracer, ""),
        *((number_words(value), "" if value is None else repr(value), "") for value in numbers),
        (run.code, run.code, ""),
        (message, message, ""),
    ]


def _tracer(record: Record, *, has_type: bool) -> str:
    """Return the tracer, with the SUV type where that is not body weight."""
    conversion = record["conversion"]
    suv_type = conversion["suv_type"]
    name = conversion["tracer"] or conversion["nuclide"] or "unknown tracer"
    if not has_type or suv_type == "bw":
        return str(name)
    return f"{name}, {'no SUV' if suv_type is None else suv_type}"


def _strip(studies: Studies, place: int) -> Any:
    name, unit, taken, has_type = QUANTITIES[place]
    rows: dict[str, list[tuple[str, float]]] = {}
    for run, record in studies:
        value = None if record is None else taken(record)
        if record is not None and value is not None:
            rows.setdefault(_tracer(record, has_type=has_type), []).append((run.study, float(value)))
    outliers = {
        study for values in rows.values() for study, *_ in outlying([one for one in values if one[1] > 0])
    }
    return strip(name, unit, {label: rows[label] for label in sorted(rows)}, outliers, id_=f"strip-{place}")


def _warning(one: CohortWarning) -> tuple[str, str, str, str, str]:
    return one.code, one.tracer, one.found, one.expected, ", ".join(one.studies)
