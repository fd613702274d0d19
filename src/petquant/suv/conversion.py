"""The conversion of one series to SUV: the factor, where it comes from, and all that speaks against it.

Every cause of a refusal is collected; evaluation never stops at the first. What a route does not need (dose
and times of values that are SUV already, times of values corrected to the injection) never refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from petquant.acquisition import Frame, PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.flags import CODES, Severity, refusals_of
from petquant.nuclides import decay_factor
from petquant.overrides import Overrides
from petquant.suv.corrections import attenuation_findings, decay_state
from petquant.suv.dose import dose_bq, dose_caveats, net_dose_bq
from petquant.suv.factor import Factor, admin_factor, none_factors, start_factor, times
from petquant.suv.normalisation import Normalisation, normalisation, normaliser
from petquant.suv.patient import height_m, sex, weight_kg
from petquant.suv.radiopharmaceutical import HalfLife, chosen_item, half_life, identified_tracer
from petquant.suv.timing import Timing, time_series
from petquant.suv.units import Stored, stored_quantity
from petquant.tracers import Tracer

__all__ = ["SuvConversion", "SuvScale", "convert"]

VENDOR_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvScale:
    """One SUV type with its factor.

    Parameters
    ----------
    name
        ``bw``, ``lbm-janma`` ...
    unit, ucum
        Unit of the SUV, in words and as UCUM code.
    factor
        SUV per rescaled value (per Bq/mL for BQML); one number, or one a slice.
    normaliser
        N: kg, or 10 m2 for bsa; None when the values were SUV of this type already.
    """

    name: str
    unit: str
    ucum: str
    factor: Factor
    normaliser: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvConversion:
    """What is known about turning one series into SUV.

    `scales` holds the SUV types that can be computed; `findings` every caveat and every refusal. None stands
    for what is not known or not needed.
    """

    acquisition: PetAcquisition
    overrides: Overrides
    stored: Stored
    rule: str
    scales: tuple[SuvScale, ...]
    decay_correction: str | None
    decay_reference_at: datetime | None
    decay_interval_s: float | None
    uptake_time_min: float | None
    injected_activity_bq: float | None
    decayed_activity_bq: float | None
    half_life: HalfLife
    tracer: Tracer | None
    weight_kg: float | None
    height_m: float | None
    sex: str | None
    item: Radiopharmaceutical
    timing: Timing
    findings: tuple[Finding, ...]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Timing of the slices, dates repaired."""
        return self.timing.frames

    def refusals(self, suv_types: Sequence[str], *, is_strict: bool = False) -> tuple[Finding, ...]:
        """Return what forbids the SUV types asked for."""
        wanted = {"*", *suv_types}
        return tuple(
            f for f in refusals_of(self.findings, is_strict=is_strict) if wanted.intersection(f.quantities)
        )

    def scale(self, name: str) -> SuvScale | None:
        """Return the scale of an SUV type, None when it was refused or not asked for."""
        return next((scale for scale in self.scales if scale.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known, each with its own findings, before it is decided which of it is needed."""

    state: str | None
    state_findings: tuple[Finding, ...]
    stored: Stored
    weight_kg: float | None
    weight_findings: tuple[Finding, ...]
    dose_bq: float | None
    dose_findings: tuple[Finding, ...]
    life: HalfLife
    timing: Timing


def convert(
    acquisition: PetAcquisition,
    overrides: Overrides,
    *,
    suv_types: Sequence[str] = ("bw",),
    allow_nac: bool = False,
) -> SuvConversion:
    """Return the conversion of a series, with every refusal it deserves; no pixel is needed.

    Parameters
    ----------
    acquisition
        What was written down.
    overrides
        What the user says instead.
    suv_types
        Names of `petquant.suv.normalisation`, or ``native`` for stored SUV values as they are.
    allow_nac
        Whether a series without attenuation correction may be quantified.
    """
    acquisition = _as_the_user_says(acquisition, overrides)
    item, item_findings = chosen_item(acquisition, overrides)
    facts = _facts(acquisition, item, overrides)
    tracer, tracer_findings = identified_tracer(item, facts.life, overrides)
    factor, route_findings = _route(facts, acquisition, item_findings)
    scales, body, scale_findings = _scales(acquisition, facts, factor, suv_types)
    findings = (
        *acquisition.findings,
        *_override_findings(overrides),
        *attenuation_findings(acquisition, allow_nac=allow_nac),
        *tracer_findings,
        *facts.stored.findings,
        *route_findings,
        *scale_findings,
        *_protocol(tracer, facts.timing),
    )
    located = (replace(f, where=f.where or f"series {acquisition.series_uid}") for f in findings)
    interval_s, decayed_bq = _decay(facts)
    uptake_s = _seconds(facts.timing.injection.at, facts.timing.earliest_at)
    is_reference_known = facts.stored.suv is None and facts.state in {"START", "ADMIN"}
    at_injection = facts.state == "ADMIN"
    reference_at = facts.timing.injection.at if at_injection else facts.timing.reference_at
    return SuvConversion(
        acquisition=acquisition,
        overrides=overrides,
        stored=facts.stored,
        rule=_rule(facts),
        scales=scales,
        decay_correction=facts.state,
        decay_reference_at=reference_at if is_reference_known else None,
        decay_interval_s=interval_s,
        uptake_time_min=None if uptake_s is None else uptake_s / 60.0,
        injected_activity_bq=facts.dose_bq,
        decayed_activity_bq=decayed_bq,
        half_life=facts.life,
        tracer=tracer,
        weight_kg=facts.weight_kg,
        height_m=body[0],
        sex=body[1],
        item=item,
        timing=facts.timing,
        findings=tuple(dict.fromkeys(located)),
    )


def _as_the_user_says(acquisition: PetAcquisition, overrides: Overrides) -> PetAcquisition:
    """Return the acquisition with the user's values in place; they are checked like any other."""
    frames = acquisition.frames
    if overrides.frame_duration_s is not None:
        frames = tuple(replace(frame, duration_s=overrides.frame_duration_s) for frame in frames)
    return replace(
        acquisition,
        frames=frames,
        weight_kg=acquisition.weight_kg.given(overrides.weight_kg, option="--weight-kg"),
        height_m=acquisition.height_m.given(overrides.height_m, option="--height-m"),
        sex=acquisition.sex.given(overrides.sex, option="--sex"),
        units=acquisition.units.given(overrides.units, option="--units"),
        suv_type=acquisition.suv_type.given(overrides.suv_type, option="--suv-type"),
        decay_correction=acquisition.decay_correction.given(
            overrides.decay_correction, option="--decay-correction"
        ),
    )


def _facts(acquisition: PetAcquisition, item: Radiopharmaceutical, overrides: Overrides) -> _Facts:
    life = half_life(acquisition, item, overrides)
    state, state_findings = decay_state(acquisition)
    dose, dose_findings = dose_bq(item)
    weight, weight_findings = weight_kg(acquisition)
    timing = time_series(
        acquisition,
        item,
        overrides,
        state=state,
        half_life_s=life.half_life_s,
        dose_bq=dose,
        weight_g=None if weight is None else 1000.0 * weight,
    )
    net, net_findings = net_dose_bq(overrides, timing.injection.at, life.half_life_s)
    if net_findings:
        dose, dose_findings = net, net_findings
    elif dose is not None:
        dose_findings += dose_caveats(
            acquisition,
            item,
            dose=dose,
            weight_kg=weight,
            injected_at=timing.injection.at,
            half_life_s=life.half_life_s,
        )
    return _Facts(
        state=state,
        state_findings=state_findings,
        stored=stored_quantity(acquisition, overrides, decay=state),
        weight_kg=weight,
        weight_findings=weight_findings,
        dose_bq=dose,
        dose_findings=dose_findings,
        life=life,
        timing=timing,
    )


def _route(
    facts: _Facts, acquisition: PetAcquisition, item_findings: tuple[Finding, ...]
) -> tuple[Factor | None, tuple[Finding, ...]]:
    """Return SUVbw per rescaled value by the route that the units open, and the findings that concern it."""
    stored = facts.stored
    if stored.suv is not None:
        return None, _caveats((*facts.life.findings, *facts.timing.findings))
    if stored.suvbw_per_value is not None:
        disagreement = _vendor_disagreement(acquisition, _activity_factor(facts))
        caveats = _caveats((*facts.life.findings, *facts.timing.findings))
        return stored.suvbw_per_value, (*facts.state_findings, *caveats, *disagreement)
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
    return None if refusals_of(item_findings) else factor, findings


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


def _activity_factor(facts: _Facts) -> Factor | None:
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
    if facts.state == "NONE" and all(f.acquired_at and f.duration_s for f in frames):
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


def _scales(
    acquisition: PetAcquisition, facts: _Facts, factor_bw: Factor | None, suv_types: Sequence[str]
) -> tuple[tuple[SuvScale, ...], tuple[float | None, str | None], tuple[Finding, ...]]:
    """Return a scale for each SUV type asked for, the height and sex used, and the findings.

    From activity ``factor_x = factor_bw N_x / W``; from stored SUV of type s ``factor_x = N_x / N_s``.
    """
    body = _Body(acquisition, facts)
    scales: list[SuvScale] = []
    findings: list[Finding] = []
    for name in dict.fromkeys(suv_types):
        row = facts.stored.suv if name == "native" else normalisation(name)
        if row is None:
            findings.append(_no_native(facts.stored))
            continue
        factor, n, problems = body.factor(row, factor_bw)
        findings += problems
        if factor is not None and not refusals_of(problems):
            scales.append(SuvScale(name=name, unit=row.unit, ucum=row.ucum, factor=factor, normaliser=n))
    return tuple(scales), (body.height_m, body.sex), tuple(findings)


def _no_native(stored: Stored) -> Finding:
    return Finding(
        code="UNITS_NOT_SUV",
        found=f"--suv native asks for stored SUV values, and Units is {stored.units or 'missing'}",
        expected="Units GML or CM2ML",
        remedy="use --suv bw",
        quantities=("native",),
    )


class _Body:
    """Weight, height and sex, asked for when the first normaliser needs them."""

    def __init__(self, acquisition: PetAcquisition, facts: _Facts) -> None:
        self.acquisition = acquisition
        self.facts = facts
        self.height_m: float | None = None
        self.sex: str | None = None

    def factor(
        self, row: Normalisation, factor_bw: Factor | None
    ) -> tuple[Factor | None, float | None, tuple[Finding, ...]]:
        """Return SUV of type `row` per value, N of `row`, and what speaks against it."""
        stored = self.facts.stored.suv
        if stored is row:
            return 1.0, None, ()
        if stored is None and row.name == "bw":
            return factor_bw, self.facts.weight_kg, ()
        weight = self.facts.weight_kg
        n, problems = self._normaliser(row, asked_by=row.name)
        per_stored: Factor | None = factor_bw
        divisor = weight
        if stored is not None:
            divisor, more = self._normaliser(stored, asked_by=row.name)
            per_stored, problems = 1.0, (*more, *problems)
        if stored is not None or self.facts.stored.suvbw_per_value is not None:
            problems = (*_asked_by(self.facts.weight_findings, row.name), *problems)
        if n is None or divisor is None or per_stored is None:
            return None, n, problems
        return times(per_stored, n / divisor), n, problems

    def _normaliser(self, row: Normalisation, *, asked_by: str) -> tuple[float | None, tuple[Finding, ...]]:
        findings: tuple[Finding, ...] = ()
        if row.needs_height:
            self.height_m, more = height_m(self.acquisition, needed_by=asked_by)
            findings += more
        if row.needs_sex:
            self.sex, more = sex(self.acquisition, needed_by=asked_by)
            findings += more
        if self.facts.weight_kg is None or refusals_of(findings):
            return None, findings
        n, more = normaliser(row, weight_kg=self.facts.weight_kg, height_m=self.height_m, sex=self.sex)
        return n, (*findings, *_asked_by(more, asked_by))


def _asked_by(findings: tuple[Finding, ...], suv_type: str) -> tuple[Finding, ...]:
    return tuple(replace(finding, quantities=(suv_type,)) for finding in findings)


def _override_findings(overrides: Overrides) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code="OVERRIDE", found=f"{option} {value} was used", expected="the user's word for the header's"
        )
        for option, value in overrides.given().items()
    )


def _protocol(tracer: Tracer | None, timing: Timing) -> tuple[Finding, ...]:
    """Return the flag when the uptake time lies outside the window of the tracer."""
    uptake_s = _seconds(timing.injection.at, timing.earliest_at)
    if tracer is None or tracer.uptake_window_min is None or uptake_s is None:
        return ()
    low, high = tracer.uptake_window_min
    if low <= uptake_s / 60.0 <= high:
        return ()
    return (
        Finding(
            code="UPTAKE_OUTSIDE_PROTOCOL",
            found=f"the uptake time is {uptake_s / 60.0:.1f} min",
            expected=f"{low:g} to {high:g} min for {tracer.name} ({tracer.source})",
        ),
    )


def _seconds(start_at: datetime | None, end_at: datetime | None) -> float | None:
    return None if start_at is None or end_at is None else (end_at - start_at).total_seconds()


def _decay(facts: _Facts) -> tuple[float | None, float | None]:
    """Return the decay interval in s and the injected activity at the decay reference in Bq."""
    if facts.stored.suv is not None:
        return None, None
    if facts.state == "ADMIN":
        return 0.0, facts.dose_bq
    if facts.state != "START":
        return None, None
    interval_s = _seconds(facts.timing.injection.at, facts.timing.reference_at)
    if interval_s is None or facts.dose_bq is None or facts.life.half_life_s is None:
        return interval_s, None
    return interval_s, facts.dose_bq * decay_factor(interval_s, facts.life.half_life_s)


def _rule(facts: _Facts) -> str:
    stored = facts.stored
    if stored.suv is not None or stored.suvbw_per_value is not None:
        return stored.rule
    formula = {
        "START": "W / (D 2^(-dt/T_half))",
        "ADMIN": "W / D",
        "NONE": "per slice, W/D x exp(lambda(t_i - t_adm)) / (1 - exp(-x))",
    }.get(facts.state or "", "")
    return "; ".join(part for part in (stored.rule, f"{facts.state} {formula}" if formula else "") if part)
