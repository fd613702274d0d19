"""The truth of a cohort: what must be measured in every lesion on both tracers, and how many agree.

::

    {"cohort", "version", "variants": [...], "dialect": {...}, "tracers": [a, b],
     "rule": {"background", "factor"},
     "motion": {"from", "to", "matrix"},          a point [x, y, z, 1] of the frame of a to that of b
     "suv": {"expected": "ok" | "refused", "error_code"}, "tbr": {the same},
     "patients": [{"patient",
         "scans": {tracer: {"study", "factor", "series_uid", "frame_of_reference_uid",
                            "backgrounds": {name: {"label", "expected": {column: {value, abs_tol, why}}}}}},
         "lesions": [{"lesion", "region", "side", "state": "both" | a | b | "neither",
                      tracer: {"label": null | number, "suv", "center_lps_mm", "is_positive",
                               "expected": {column: {"value", "abs_tol", "why"}}}}]}],
     "merged": [{"patient", "tracer", "label", "lesions", "expected"}],
     "concordance": {"both", a, b, "neither", "n"},
     "other_rules": [{"background", "factor", "concordance"}],
     "regions": {region: concordance of patients}, and "any",
     "quoted": [{"quantity", ..., "value", "abs_tol"}]}

``label`` is the number on the map of what the reader drew; without one the lesion was not drawn, and its
number on the map of all sites is ``lesion``. Where SUV must be refused its columns are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from petquant_phantoms.body import region_mask
from petquant_phantoms.cohort import Cohort, Lesion, Patient, Tracer, site_name
from petquant_phantoms.pet_series import Frame, frames
from petquant_phantoms.region_truth import SINGLE_PRECISION, expected_statistics
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition

Table = dict[str, Any]
Expected = dict[str, dict[str, Any]]

COLUMNS = ("n_voxels", "mtv_ml", "suv_max", "suv_mean", "suv_peak")
RATIO = "errors of numerator and denominator, each of half a stored unit, and 6e-8 of the value"


def cohort_record(cohort: Cohort, scans: dict[tuple[str, str], Definition], *, is_whole: bool) -> Table:
    """Return the content of truth.json.

    Parameters
    ----------
    cohort
        The cohort.
    scans
        The scan of every patient and tracer, by their names.
    is_whole
        Whether all patients are there; what is quoted holds for them alone.
    """
    a, b = cohort.tracers
    made = {key: frames(scan)[0] for key, scan in scans.items()}
    return {
        "cohort": cohort.name,
        "version": cohort.version,
        "variants": list(cohort.variants),
        "dialect": _dialect(a.definition),
        "tracers": [a.name, b.name],
        "rule": {"background": cohort.rule.background, "factor": cohort.rule.factor},
        "motion": {"from": a.name, "to": b.name, "matrix": cohort.motion.matrix},
        "suv": _outcome(cohort.suv_refusal),
        "tbr": _outcome(cohort.tbr_refusal),
        "patients": [_patient(cohort, patient, scans, made) for patient in cohort.patients],
        "merged": _merged(cohort, scans, made),
        "concordance": concordance(cohort),
        "other_rules": [
            {
                "background": rule.background,
                "factor": rule.factor,
                "concordance": concordance(replace(cohort, rule=rule)),
            }
            for rule in cohort.other_rules
        ],
        "regions": by_region(cohort),
        "quoted": list(cohort.quoted) if is_whole else [],
    }


def concordance(cohort: Cohort) -> Table:
    """Return how many lesions are positive on both tracers, on one alone, and on neither."""
    calls = [
        tuple(cohort.is_positive(lesion, tracer) for tracer in cohort.tracers)
        for patient in cohort.patients
        for lesion in patient.lesions
    ]
    return _counted(cohort, calls)


def by_region(cohort: Cohort) -> dict[str, Table]:
    """Return the same of patients, region by region and in any: positive where one lesion is."""
    regions = dict.fromkeys(lesion.region for patient in cohort.patients for lesion in patient.lesions)
    found = {region: _counted(cohort, _calls(cohort, region)) for region in regions}
    return found | {"any": _counted(cohort, _calls(cohort, None))}


def _calls(cohort: Cohort, region: str | None) -> list[tuple[bool, ...]]:
    asked = [
        [lesion for lesion in patient.lesions if region in {None, lesion.region}]
        for patient in cohort.patients
    ]
    return [
        tuple(any(cohort.is_positive(lesion, tracer) for lesion in own) for tracer in cohort.tracers)
        for own in asked
        if own
    ]


def _counted(cohort: Cohort, calls: Iterable[tuple[bool, ...]]) -> Table:
    a, b = (tracer.name for tracer in cohort.tracers)
    listed = list(calls)
    counts = {"both": (True, True), a: (True, False), b: (False, True), "neither": (False, False)}
    return {name: listed.count(call) for name, call in counts.items()} | {"n": len(listed)}


def _state(cohort: Cohort, lesion: Lesion) -> str:
    a, b = cohort.tracers
    on_a, on_b = cohort.is_positive(lesion, a), cohort.is_positive(lesion, b)
    if on_a and on_b:
        return "both"
    return a.name if on_a else b.name if on_b else "neither"


def _dialect(definition: Definition) -> Table:
    return {
        "vendor": definition.header.dialect,
        "decay_correction": definition.header.decay_correction,
        "units": definition.header.units,
        "transfer_syntax": definition.transfer_syntax,
        "object": definition.object,
        "time_variant": definition.time_variant,
    }


def _outcome(code: str | None) -> Table:
    return {"expected": "ok" if code is None else "refused", "error_code": code}


def _patient(
    cohort: Cohort,
    patient: Patient,
    scans: dict[tuple[str, str], Definition],
    made: dict[tuple[str, str], Frame],
) -> Table:
    found: Table = {"patient": patient.patient, "scans": {}, "lesions": []}
    on_tracer = {}
    for tracer in cohort.tracers:
        key = (patient.patient, tracer.name)
        scan, frame = scans[key], made[key]
        backgrounds = {
            region.name: _statistics(frame, region_mask(region, scan.grid), scan)
            for region in scan.body.backgrounds
        }
        factors = sorted({1.0 / float(x) for x in frame.stored_per_suv})
        found["scans"][tracer.name] = {
            "study": f"{patient.patient}/{tracer.name}/study",
            "series_uid": uid(scan.name, "PT"),
            "frame_of_reference_uid": uid(scan.name, "frame of reference"),
            "factor": None if cohort.suv_refusal else factors[0] if len(factors) == 1 else factors,
            "backgrounds": {
                name: {"label": label, "expected": _shown(cohort, expected)}
                for label, (name, expected) in enumerate(backgrounds.items(), start=1)
            },
        }
        on_tracer[tracer.name] = _lesions(cohort, patient, tracer, scan=scan, frame=frame, around=backgrounds)
    for n, lesion in enumerate(patient.lesions):
        found["lesions"].append(
            {
                "lesion": lesion.number,
                "region": lesion.region,
                "side": lesion.side,
                "state": _state(cohort, lesion),
                **{name: entries[n] for name, entries in on_tracer.items()},
            }
        )
    return found


def _lesions(
    cohort: Cohort,
    patient: Patient,
    tracer: Tracer,
    *,
    scan: Definition,
    frame: Frame,
    around: dict[str, Expected],
) -> list[Table]:
    labels = cohort.labels(patient, tracer)
    entries = []
    for lesion, region in zip(patient.lesions, scan.body.lesions, strict=True):
        statistics = _statistics(frame, region_mask(region, scan.grid), scan)
        entries.append(
            {
                "label": labels.get(lesion.number),
                "suv": lesion.suv[tracer.name],
                "center_lps_mm": list(region.shape.centre_mm),
                "is_positive": cohort.is_positive(lesion, tracer),
                "expected": _shown(cohort, statistics) | _ratios(cohort, statistics, around),
            }
        )
    return entries


def _statistics(frame: Frame, mask: NDArray[np.bool_], scan: Definition) -> Expected:
    found = expected_statistics(frame, mask, grid=scan.grid)
    return {column: found[column] for column in COLUMNS}


def _shown(cohort: Cohort, statistics: Expected) -> Expected:
    is_refused = cohort.suv_refusal is not None
    return {name: entry for name, entry in statistics.items() if not (is_refused and name.startswith("suv_"))}


def _ratios(cohort: Cohort, lesion: Expected, around: dict[str, Expected]) -> Expected:
    """Return the ratios of a lesion over each background.

    ``|a'/b' - a/b| <= (q_a + q_b a/b) / (b - q_b)`` where a' and b' are off by at most q_a and q_b.
    """
    if cohort.tbr_refusal is not None:
        return {}
    found = {}
    for name, background in around.items():
        mean, error = background["suv_mean"]["value"], background["suv_mean"]["abs_tol"]
        for statistic in ("max", "mean", "peak"):
            own = lesion[f"suv_{statistic}"]
            value = own["value"] / mean
            tolerance = (own["abs_tol"] + error * value) / (mean - error) + SINGLE_PRECISION * value
            found[f"tbr_{statistic}_{name}"] = {"value": value, "abs_tol": tolerance, "why": RATIO}
    return found


def _merged(
    cohort: Cohort, scans: dict[tuple[str, str], Definition], made: dict[tuple[str, str], Frame]
) -> list[Table]:
    merged = cohort.merged
    key = None if merged is None else (merged.patient, merged.tracer)
    if merged is None or key not in scans:
        return []
    scan = scans[key]
    patient = next(one for one in cohort.patients if one.patient == merged.patient)
    tracer = next(one for one in cohort.tracers if one.name == merged.tracer)
    names = {site_name(lesion) for lesion in patient.lesions if lesion.number in merged.lesions}
    mask = np.logical_or.reduce(
        [region_mask(region, scan.grid) for region in scan.body.lesions if region.name in names]
    )
    return [
        {
            "patient": merged.patient,
            "tracer": merged.tracer,
            "label": cohort.labels(patient, tracer)[merged.lesions[0]],
            "lesions": list(merged.lesions),
            "expected": _shown(cohort, _statistics(made[key], mask, scan)),
        }
    ]
