"""Adherence holds a scan and its patient against a protocol: one check a rule, with what was found and asked.

A rule that fails flags and never stops a measurement. A rule that the protocol does not have for the tracer,
as glucose for Pentixafor, gives no check. What is not known is UNKNOWN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from petquant.errors import Finding
from petquant.reads.facts import GLUCOSE_MG_DL_PER_MMOL_L, ClinicalFacts, ScanFacts, age_years
from petquant.reads.protocol import Protocol, TracerProtocol
from petquant.reads.verdict import Check, Verdict, checked, exceeds, known

__all__ = ["adherence", "protocol_findings", "uptake_times"]

ONE_SESSION_H: Final = 12.0  # CT and PET of one scan are closer; a shifted date is a day (our choice)


def adherence(
    protocol: Protocol, scan: ScanFacts, clinical: ClinicalFacts | None = None
) -> tuple[Check, ...]:
    """Return one check a rule of the protocol that applies to the tracer of the scan."""
    clinic = clinical or ClinicalFacts()
    of_tracer = protocol.tracers.get(scan.tracer or "")
    checks = [_tracer(protocol, scan.tracer)]
    if of_tracer is not None:
        checks += [
            check
            for check in (
                _activity(of_tracer, scan.activity_mbq),
                _uptake(protocol, of_tracer, scan),
                _glucose(of_tracer, clinic.glucose_mg_dl),
                _fasting(of_tracer, clinic.fasting_h),
                _egfr(of_tracer, clinic.egfr),
            )
            if check is not None
        ]
    checks += [
        check
        for check in (
            _ct_first(scan) if protocol.ct_before_pet else None,
            _coverage(protocol, scan),
            _reconstruction(protocol, scan.reconstruction),
            _age(protocol, scan),
            _pregnancy(clinic) if protocol.pregnancy_excluded else None,
            _therapy(protocol, clinic.therapy_free_days),
            _measurable(clinic) if protocol.measurable_disease_needed else None,
        )
        if check is not None
    ]
    return tuple(checks)


def uptake_times(protocol: Protocol, a: ScanFacts, b: ScanFacts) -> Check:
    """Return whether the uptake times of two scans allow a comparison.

    Scans of one tracer differ by less than the protocol's limit (PERCIST: 15 min). Scans of two tracers
    differ by design: each is held against its own window.
    """
    rule = "uptake_times"
    times = (a.uptake_time_min, b.uptake_time_min)
    if times[0] is None or times[1] is None or a.tracer is None or b.tracer is None:
        known = [f"{time:g} min" for time in times if time is not None]
        return checked(
            rule,
            holds=None,
            found=" and ".join(known) or "missing",
            expected="tracer and uptake time of both scans",
        )
    found = f"{times[0]:g} and {times[1]:g} min"
    if a.tracer == b.tracer:
        limit = protocol.uptake_difference_max_min
        if limit is None:
            return checked(rule, holds=None, found=found, expected="", why="the protocol sets no limit")
        is_less = exceeds(limit, abs(times[0] - times[1]))
        return checked(rule, holds=is_less, found=found, expected=f"less than {limit:g} min apart")
    checks = []
    for scan in (a, b):
        of_tracer = protocol.tracers.get(scan.tracer or "")
        checks.append(None if of_tracer is None else _uptake(protocol, of_tracer, scan))
    expected = " and ".join(check.expected for check in checks if check is not None)
    verdicts = {Verdict.UNKNOWN if check is None else check.verdict for check in checks}
    worst = next((one for one in (Verdict.FAIL, Verdict.UNKNOWN) if one in verdicts), Verdict.PASS)
    return Check(
        rule=rule,
        verdict=worst,
        found=found,
        expected=expected or "a window of each tracer",
        why="two tracers: each in its own window",
    )


def protocol_findings(checks: Iterable[Check], *, where: str = "") -> tuple[Finding, ...]:
    """Return PROTOCOL_NOT_MET for every check that failed."""
    return tuple(
        Finding(
            code="PROTOCOL_NOT_MET",
            found=f"{check.rule}: {check.found}",
            expected=check.expected,
            where=where,
        )
        for check in checks
        if check.verdict is Verdict.FAIL
    )


def _inside(value: float, window: tuple[float, float]) -> bool:
    return not exceeds(window[0], value) and not exceeds(value, window[1])


def _of(value: float | None, unit: str) -> str:
    return "missing" if value is None else f"{value:.6g} {unit}"


def _tracer(protocol: Protocol, tracer: str | None) -> Check:
    holds = None if tracer is None else tracer in protocol.tracers
    return checked("tracer", holds=holds, found=tracer or "missing", expected=" or ".join(protocol.tracers))


def _activity(of_tracer: TracerProtocol, activity_mbq: float | None) -> Check | None:
    accepted, target = of_tracer.activity_accepted_mbq, of_tracer.activity_target_mbq
    if accepted is None:
        return None
    value = known(activity_mbq)
    expected = f"{accepted[0]:g} to {accepted[1]:g} MBq"
    why = ""
    if target is not None:
        expected += f" (target {target[0]:g} to {target[1]:g})"
        if value is not None:
            why = "within the target" if _inside(value, target) else "outside the target"
    holds = None if value is None else _inside(value, accepted)
    return checked("activity", holds=holds, found=_of(value, "MBq"), expected=expected, why=why)


def _uptake(protocol: Protocol, of_tracer: TracerProtocol, scan: ScanFacts) -> Check | None:
    window, value = of_tracer.uptake_window_min, known(scan.uptake_time_min)
    if window is None:
        return None
    expected = f"{window[0]:g} to {window[1]:g} min"
    planned = scan.time_point_min
    if planned in protocol.time_points_min and planned is not None and not _inside(planned, window):
        why = f"planned at {planned:g} min; the protocol gives that time point no window"
        return checked(
            "uptake_window", holds=None, found=_of(value, "min"), expected=f"about {planned:g} min", why=why
        )
    holds = None if value is None else _inside(value, window)
    return checked(
        "uptake_window", holds=holds, found=_of(value, "min"), expected=expected, why=of_tracer.window_source
    )


def _glucose(of_tracer: TracerProtocol, glucose_mg_dl: float | None) -> Check | None:
    limit, value = of_tracer.glucose_max_mg_dl, known(glucose_mg_dl)
    if limit is None:
        return None
    expected = f"at most {limit:g} mg/dL ({limit / GLUCOSE_MG_DL_PER_MMOL_L:.1f} mmol/L)"
    return checked(
        "glucose",
        holds=None if value is None else not exceeds(value, limit),
        found=_of(value, "mg/dL"),
        expected=expected,
    )


def _fasting(of_tracer: TracerProtocol, fasting_h: float | None) -> Check | None:
    limit, value = of_tracer.fasting_min_h, known(fasting_h)
    if limit is None:
        return None
    holds = None if value is None else not exceeds(limit, value)
    return checked("fasting", holds=holds, found=_of(value, "h"), expected=f"at least {limit:g} h")


def _egfr(of_tracer: TracerProtocol, egfr: float | None) -> Check | None:
    limit, value = of_tracer.egfr_min, known(egfr)
    if limit is None:
        return None
    holds = None if value is None else not exceeds(limit, value)
    unit = "mL/min/1.73 m2"
    return checked("egfr", holds=holds, found=_of(value, unit), expected=f"at least {limit:g} {unit}")


def _ct_first(scan: ScanFacts) -> Check:
    rule, expected = "ct_before_pet", "CT not later than PET"
    if scan.ct_at is None or scan.pet_at is None:
        missing = [name for name, at in (("CT", scan.ct_at), ("PET", scan.pet_at)) if at is None]
        return checked(rule, holds=None, found=f"no time of {' and '.join(missing)}", expected=expected)
    if (scan.ct_at.tzinfo is None) != (scan.pet_at.tzinfo is None):
        return checked(rule, holds=None, found="times on two clocks", expected=expected)
    seconds = (scan.pet_at - scan.ct_at).total_seconds()
    order = "before" if seconds >= 0 else "after"
    found = f"CT {abs(seconds) / 60:.4g} min {order} PET"
    if abs(seconds) > ONE_SESSION_H * 3600.0:
        why = f"more than {ONE_SESSION_H:g} h apart: not of one session, or a date is wrong"
        return checked(rule, holds=None, found=found, expected=expected, why=why)
    return checked(rule, holds=seconds >= 0, found=found, expected=expected)


def _coverage(protocol: Protocol, scan: ScanFacts) -> Check | None:
    limit = protocol.coverage_min_mm
    if limit is None:
        return None
    rule = "coverage"
    if scan.z_mm is None or None in map(known, scan.z_mm):
        return checked(
            rule, holds=None, found="missing", expected=f"skull base to mid-thigh, at least {limit:g} mm"
        )
    low, high = scan.z_mm
    if scan.landmarks_z_mm is not None:
        thigh, skull = scan.landmarks_z_mm
        holds = not exceeds(low, thigh) and not exceeds(skull, high)
        expected = f"{thigh:g} to {skull:g} mm (mid-thigh to skull base)"
        return checked(
            rule, holds=holds, found=f"z {low:g} to {high:g} mm", expected=expected, why="located landmarks"
        )
    expected = f"skull base to mid-thigh, at least {limit:g} mm"
    why = "by extent alone: no landmark was located"
    return checked(
        rule, holds=not exceeds(limit, high - low), found=f"{high - low:.6g} mm", expected=expected, why=why
    )


def _reconstruction(protocol: Protocol, method: str) -> Check | None:
    if not protocol.reconstruction_expected:
        return None
    words = method.upper()
    is_expected = any(word.upper() in words for word in protocol.reconstruction_expected)
    is_other = any(word.upper() in words for word in protocol.reconstruction_other)
    holds = True if is_expected else False if is_other else None
    expected = " or ".join(protocol.reconstruction_expected)
    why = "" if holds is not None or not method else "a name that the protocol does not sort"
    return checked("reconstruction", holds=holds, found=method or "missing", expected=expected, why=why)


def _age(protocol: Protocol, scan: ScanFacts) -> Check | None:
    limit = protocol.age_min_years
    if limit is None:
        return None
    age, source = age_years(scan)
    holds = None if age is None else not exceeds(limit, age)
    return checked(
        "age", holds=holds, found=_of(age, "years"), expected=f"at least {limit:g} years", why=source
    )


def _pregnancy(clinic: ClinicalFacts) -> Check:
    states = (clinic.is_pregnant, clinic.is_breastfeeding)
    expected = "neither pregnant nor breastfeeding"
    if True in states:
        return checked(
            "pregnancy", holds=False, found="pregnant" if states[0] else "breastfeeding", expected=expected
        )
    if None in states:
        return checked("pregnancy", holds=None, found="missing", expected=expected)
    return checked("pregnancy", holds=True, found="neither", expected=expected)


def _therapy(protocol: Protocol, therapy_free_days: float | None) -> Check | None:
    limit, value = protocol.therapy_free_days, known(therapy_free_days)
    if limit is None:
        return None
    expected = f"no anti-cancer therapy within {limit:g} days"
    found = "never treated" if value == math.inf else _of(value, "days")
    return checked(
        "therapy", holds=None if value is None else not exceeds(limit, value), found=found, expected=expected
    )


def _measurable(clinic: ClinicalFacts) -> Check:
    holds = clinic.has_measurable_disease
    found = "missing" if holds is None else "yes" if holds else "no"
    return checked("measurable_disease", holds=holds, found=found, expected="measurable disease")
