"""A route leads from stored values to SUVbw: the one that their unit and decay correction open.

What a route does not need (dose and times of values that are SUV already, times of values corrected to the
injection) never refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petquant.acquisition import PetAcquisition
from petquant.errors import Finding
from petquant.flags import CODES, Severity
from petquant.nuclides import decay_factor
from petquant.suv.factor import Factor, admin_factor, is_usable, none_factors, start_factor, times
from petquant.suv.facts import Facts

__all__ = ["Route", "decay_of", "route_of"]

VENDOR_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a rescaled value becomes SUVbw.

    Parameters
    ----------
    suvbw_per_value
        One number, or one a slice; None when it is refused, or when the values are SUV already.
    rule
        The route in words.
    findings
        What concerns it.
    """

    suvbw_per_value: Factor | None
    rule: str
    findings: tuple[Finding, ...]


def route_of(facts: Facts, acquisition: PetAcquisition, item_findings: tuple[Finding, ...]) -> Route:
    """Return the route that the units open, with the findings that concern it.

    Parameters
    ----------
    item_findings
        About the choice of the radiopharmaceutical item.
    """
    stored, rule = facts.stored, _rule(facts)
    caveats = _caveats((*facts.life.findings, *facts.timing.findings))
    if stored.suv is not None:
        return Route(suvbw_per_value=None, rule=rule, findings=caveats)
    if stored.suvbw_per_value is not None:
        disagreement = _vendor_disagreement(acquisition, _activity_factor(facts))
        findings = (*facts.state_findings, *caveats, *disagreement)
        return Route(suvbw_per_value=stored.suvbw_per_value, rule=rule, findings=findings)
    factor = _activity_factor(facts)
    if factor is not None and stored.bqml_per_value is not None:
        factor = times(factor, stored.bqml_per_value)
    else:
        factor = None
    findings = (
        *facts.state_findings,
        *item_findings,
        *facts.dose_findings,
        *facts.weight_findings,
        *_needed(facts.life.findings, facts.state, contradiction="HALF_LIFE_WRONG_NUCLIDE"),
        *_needed(facts.timing.findings, facts.state, contradiction="UPTAKE_IMPLAUSIBLE"),
    )
    if factor is not None and not is_usable(factor):
        return Route(suvbw_per_value=None, rule=rule, findings=(*findings, _beyond_numbers(factor)))
    return Route(suvbw_per_value=factor, rule=rule, findings=findings)


def _beyond_numbers(factor: Factor) -> Finding:
    return Finding(
        code="VALUE_NOT_FINITE",
        found=f"the factor from dose, weight, half-life and times is {factor}",
        expected="a finite factor above 0",
        remedy="check dose, weight, half-life and times",
    )


def _caveats(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(f for f in findings if CODES[f.code].severity is not Severity.REFUSE)


def _needed(findings: tuple[Finding, ...], state: str | None, *, contradiction: str) -> tuple[Finding, ...]:
    """Return the findings about times and half-life that concern a state of decay correction.

    Values corrected to the injection need neither; what is missing does not refuse them, what contradicts
    does, since the scanner used the same numbers.
    """
    if state != "ADMIN":
        return findings
    return tuple(
        f for f in findings if CODES[f.code].severity is not Severity.REFUSE or f.code == contradiction
    )


def _activity_factor(facts: Facts) -> Factor | None:
    """Return k in g/Bq, None when something it needs is not known."""
    weight, dose, life_s = facts.weight_kg, facts.dose_bq, facts.life.half_life_s
    if weight is None or dose is None:
        return None
    if facts.state == "ADMIN":
        return admin_factor(weight_kg=weight, dose_bq=dose)
    injected_at = facts.timing.injection.at
    if injected_at is None or life_s is None:
        return None
    if facts.state == "START" and facts.timing.reference_at is not None:
        interval_s = (facts.timing.reference_at - injected_at).total_seconds()
        return start_factor(weight_kg=weight, dose_bq=dose, decay_interval_s=interval_s, half_life_s=life_s)
    frames = facts.timing.frames
    if facts.state == "NONE" and all(frame.is_timed for frame in frames):
        return none_factors(
            weight_kg=weight, dose_bq=dose, injected_at=injected_at, frames=frames, half_life_s=life_s
        )
    return None


def _vendor_disagreement(acquisition: PetAcquisition, header: Factor | None) -> tuple[Finding, ...]:
    """Return the flag when the vendor's SUV and activity factors imply another factor than the header."""
    suv, activity = acquisition.private.suv_scale_factor, acquisition.private.activity_scale_factor
    if not suv.value or not activity.value or not isinstance(header, float):
        return ()
    ratio = suv.value / activity.value
    apart = ratio / header - 1.0
    if abs(apart) <= VENDOR_TOLERANCE:
        return ()
    return (
        suv.finding(
            "PHILIPS_FACTORS_DISAGREE",
            found=f"{suv.value:g}; over the activity factor {activity.value:g} it is {ratio:.6g}",
            expected=f"{header:.6g} g/Bq by the header ({apart:+.2%})",
            remedy="check dose, weight and times",
        ),
    )


def decay_of(facts: Facts) -> tuple[float | None, float | None]:
    """Return the decay interval in s and the injected activity at the decay reference in Bq."""
    if facts.stored.suv is not None:
        return None, None
    if facts.state == "ADMIN":
        return 0.0, facts.dose_bq
    if facts.state != "START":
        return None, None
    injected_at, reference_at = facts.timing.injection.at, facts.timing.reference_at
    if injected_at is None or reference_at is None:
        return None, None
    interval_s = (reference_at - injected_at).total_seconds()
    if facts.dose_bq is None or facts.life.half_life_s is None:
        return interval_s, None
    return interval_s, facts.dose_bq * decay_factor(interval_s, facts.life.half_life_s)


def _rule(facts: Facts) -> str:
    stored = facts.stored
    if stored.suv is not None or stored.suvbw_per_value is not None:
        return stored.rule
    formula = {
        "START": "W / (D 2^(-dt/T_half))",
        "ADMIN": "W / D",
        "NONE": "per slice, W / (D 2^(-(t_i - t_adm)/T_half)), t_i FrameReferenceDateTime"
        if all(frame.reference_at is not None for frame in facts.timing.frames)
        else "per slice, W/D x exp(lambda(t_i - t_adm)) / (1 - exp(-x))",
    }.get(facts.state or "", "")
    return "; ".join(part for part in (stored.rule, f"{facts.state} {formula}" if formula else "") if part)
