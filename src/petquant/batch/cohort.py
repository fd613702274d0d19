"""What is odd across a cohort, though every study alone is right: mixed scanners, duplicates, outliers.

Values of one tracer can be compared between studies that were scanned and reconstructed alike (EANM procedure
guidelines for tumour imaging with [18F]FDG, version 2.0, Boellaard et al. 2015, EJNMMI 42, 328).
What is found here takes nothing from a number, and is for a person to look at.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final

from petquant.tracers import tracer_by_name

__all__ = [
    "COLUMNS",
    "FEWEST",
    "LEAST_DEPARTURE",
    "OUTLYING_Z",
    "CohortWarning",
    "StudyFacts",
    "cohort_warnings",
    "facts_of_record",
    "outlying",
    "robust_z",
]

COLUMNS: Final = ("code", "tracer", "n_studies", "found", "expected", "studies")
FEWEST: Final = 5  # studies with a value, below which nothing is an outlier
OUTLYING_Z: Final = 3.5  # Iglewicz and Hoaglin 1993, How to detect and handle outliers
LEAST_DEPARTURE: Final = 0.2  # of the median: equal doses make small departures outliers that mean nothing
_SHOWN: Final = 5

# what is outlying: name, unit, how it is taken from the facts
QUANTITIES: tuple[tuple[str, str, Callable[[StudyFacts], float | None]], ...] = (
    ("SUV factor", "g/Bq", lambda facts: facts.factor),
    ("injected activity", "MBq", lambda facts: facts.injected_mbq),
    ("body weight", "kg", lambda facts: facts.weight_kg),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What is held of one measured study against the others.

    Parameters
    ----------
    study
        Its name in the batch.
    patient
        Its pseudonym: of the patient where there was a key, else of the study.
    study_uid, series_uid, digest
        As in its record; the digest is that of its image files.
    tracer, manufacturer, model, reconstruction, voxel_mm
        "" where not known.
    factor
        SUVbw per Bq/mL, the median of slices that have one each; None for other units.
    injected_mbq, weight_kg, uptake_time_min
        As the conversion took them.
    """

    study: str
    patient: str = ""
    study_uid: str = ""
    series_uid: str = ""
    digest: str = ""
    tracer: str = ""
    manufacturer: str = ""
    model: str = ""
    reconstruction: str = ""
    voxel_mm: str = ""
    factor: float | None = None
    injected_mbq: float | None = None
    weight_kg: float | None = None
    uptake_time_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortWarning:
    """One thing that is odd across a cohort.

    Parameters
    ----------
    code
        A row of `petquant.flags`.
    tracer
        Whose studies; "" for all.
    studies
        Names of those that it is about, in order.
    found, expected
        In words.
    """

    code: str
    tracer: str
    studies: tuple[str, ...]
    found: str
    expected: str

    def row(self) -> dict[str, Any]:
        """Return the warning by `COLUMNS`."""
        return {
            "code": self.code,
            "tracer": self.tracer or None,
            "n_studies": len(self.studies),
            "found": self.found,
            "expected": self.expected,
            "studies": "; ".join(self.studies),
        }

    def line(self) -> str:
        """Return the warning in one line."""
        of_tracer = f"{self.tracer}: " if self.tracer else ""
        return f"{of_tracer}{self.found} ({_listed(self.studies)}); expected {self.expected}"


def facts_of_record(study: str, record: Mapping[str, Any]) -> StudyFacts:
    """Return the facts of a study from its record (`petquant.export.record.record_of`)."""
    series, conversion = record["series"], record["conversion"]
    activity_bq, spacing_mm = conversion["injected_activity_bq"], series["spacing_mm_kji"]
    return StudyFacts(
        study=study,
        patient=record["study"]["key"],
        study_uid=record["study"]["study_uid"] or "",
        series_uid=series["series_uid"] or "",
        digest=record["inputs"]["instances_sha256"] or "",
        tracer=conversion["tracer"] or conversion["nuclide"] or "",
        manufacturer=series["manufacturer"] or "",
        model=series["model"] or "",
        reconstruction=series["reconstruction"] or "",
        voxel_mm="" if spacing_mm is None else " x ".join(f"{mm:.2f}" for mm in reversed(spacing_mm)),
        factor=_factor(conversion),
        injected_mbq=None if activity_bq is None else activity_bq / 1e6,
        weight_kg=conversion["weight_kg"],
        uptake_time_min=conversion["uptake_time_min"],
    )


def cohort_warnings(facts: Iterable[StudyFacts]) -> tuple[CohortWarning, ...]:
    """Return what is odd across the studies of a cohort, in a fixed order.

    Duplicates are looked for among all; scanners, reconstructions, voxel sizes, uptake times and outliers
    among the studies of one tracer.
    """
    all_ = sorted(facts, key=lambda one: one.study)
    by_tracer: dict[str, list[StudyFacts]] = defaultdict(list)
    for one in all_:
        by_tracer[one.tracer].append(one)
    return (
        *_duplicates(all_),
        *(warning for tracer in sorted(by_tracer) for warning in _of_tracer(tracer, by_tracer[tracer])),
    )


def outlying(values: Sequence[tuple[str, float]]) -> list[tuple[str, float, float, float]]:
    """Return study, value, median of all and robust z of every positive value that lies far from the others.

    By the logarithm, since errors in such values are factors; nothing is outlying among fewer than `FEWEST`.
    """
    if len(values) < FEWEST:
        return []
    middle = median(value for _, value in values)
    return [
        (study, value, middle, z)
        for (study, value), z in zip(values, robust_z([math.log(value) for _, value in values]), strict=True)
        if abs(z) > OUTLYING_Z and abs(value / middle - 1) > LEAST_DEPARTURE
    ]


def robust_z(values: Sequence[float]) -> list[float]:
    """Return how far each value lies from the median, in robust standard deviations.

    ``z = (x - median) / (1.4826 MAD)``, MAD the median absolute deviation; where it is 0,
    ``z = (x - median) / (1.2533 AD)`` with the mean absolute deviation AD, and 0 where that is 0 too.

    Source: the modified z of Iglewicz and Hoaglin 1993, How to detect and handle outliers; 1.4826 =
    1/0.6745 and 1.2533 = sqrt(pi/2) make either scale one standard deviation of a normal distribution.
    """
    middle = median(values)
    departures = [value - middle for value in values]
    scale = 1.4826 * median(map(abs, departures)) or math.sqrt(math.pi / 2) * fmean(map(abs, departures))
    return [departure / scale if scale else 0.0 for departure in departures]


def _factor(conversion: Mapping[str, Any]) -> float | None:
    """Return the factor of SUVbw of stored Bq/mL, from which an odd dose, weight or delay is seen."""
    factor = conversion["factors"].get("bw")
    if conversion["units"] != "BQML" or factor is None:
        return None
    return float(median(factor)) if isinstance(factor, list) else float(factor)


def _duplicates(facts: Sequence[StudyFacts]) -> Iterator[CohortWarning]:
    same_files = _shared(facts, lambda one: one.digest)
    for group in same_files:
        yield CohortWarning(
            code="COHORT_DUPLICATE",
            tracer="",
            studies=group,
            found=f"{len(group)} studies are the same image files",
            expected="every scan once",
        )
    for group in _shared(facts, lambda one: one.series_uid):
        if group not in same_files:
            yield CohortWarning(
                code="COHORT_DUPLICATE",
                tracer="",
                studies=group,
                found=f"{len(group)} studies have one series UID, and not the same files",
                expected="every scan once",
            )
    known = {*same_files, *_shared(facts, lambda one: one.series_uid)}
    for group in _shared(facts, lambda one: one.patient and f"{one.patient} {one.tracer}"):
        if group not in known:
            yield CohortWarning(
                code="COHORT_PATIENT_REPEATED",
                tracer="",
                studies=group,
                found=f"{len(group)} studies with one tracer are of one patient",
                expected="independent patients, or an analysis that knows of the repeats",
            )


def _of_tracer(tracer: str, facts: Sequence[StudyFacts]) -> Iterator[CohortWarning]:
    for code, what, of in (
        ("COHORT_SCANNER_MIXED", "scanners", lambda one: f"{one.manufacturer} {one.model}".strip()),
        ("COHORT_RECONSTRUCTION_MIXED", "reconstructions", lambda one: one.reconstruction),
        ("COHORT_VOXELS_MIXED", "voxel sizes in mm", lambda one: one.voxel_mm),
    ):
        yield from _mixed(code, tracer, what, [(one.study, of(one)) for one in facts])
    yield from _uptake(tracer, facts)
    for what, unit, taken in QUANTITIES:
        values = [(one.study, value) for one in facts if (value := taken(one)) is not None and value > 0]
        yield from _outlying(tracer, what, unit, values)


def _mixed(code: str, tracer: str, what: str, found: Sequence[tuple[str, str]]) -> Iterator[CohortWarning]:
    """Yield a warning about the studies that are not like most, where not all are alike."""
    counts = Counter(value for _, value in found)
    if len(counts) < 2:
        return
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{value or 'unknown'} ({number})" for value, number in ordered)
    yield CohortWarning(
        code=code,
        tracer=tracer,
        studies=tuple(study for study, value in found if value != ordered[0][0]),
        found=f"{len(counts)} {what}: {words}",
        expected="one, or values harmonised between them (such as by EARL)",
    )


def _uptake(tracer: str, facts: Sequence[StudyFacts]) -> Iterator[CohortWarning]:
    """Yield a warning about uptake times outside the window of the tracer's protocols."""
    known = tracer_by_name(tracer) if tracer else None
    if known is None or known.uptake_window_min is None:
        return
    low, high = known.uptake_window_min
    times = [(one.study, one.uptake_time_min) for one in facts if one.uptake_time_min is not None]
    outside = [(study, minutes) for study, minutes in times if not low <= minutes <= high]
    if outside:
        least, most = min(minutes for _, minutes in outside), max(minutes for _, minutes in outside)
        yield CohortWarning(
            code="COHORT_UPTAKE_OUTSIDE_PROTOCOL",
            tracer=tracer,
            studies=tuple(study for study, _ in outside),
            found=f"{len(outside)} of {len(times)} uptake times outside the window: {least:.0f} to "
            f"{most:.0f} min",
            expected=f"{low:.0f} to {high:.0f} min ({known.source})",
        )


def _outlying(
    tracer: str, what: str, unit: str, values: Sequence[tuple[str, float]]
) -> Iterator[CohortWarning]:
    """Yield a warning for every value far from the others."""
    for study, value, middle, z in outlying(values):
        yield CohortWarning(
            code="COHORT_OUTLIER",
            tracer=tracer,
            studies=(study,),
            found=f"{what} {value:.4g} {unit}, robust z {z:+.1f}",
            expected=f"nearer to the median of {len(values)} studies, {middle:.4g} {unit}",
        )


def _shared(facts: Sequence[StudyFacts], key: Callable[[StudyFacts], str]) -> list[tuple[str, ...]]:
    """Return the studies that have one key, of every key that several have."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in facts:
        if key(one):
            groups[key(one)].append(one.study)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _listed(studies: Sequence[str]) -> str:
    more = len(studies) - _SHOWN
    return ", ".join(studies[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
