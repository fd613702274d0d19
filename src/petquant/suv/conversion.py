"""The conversion of one series to SUV: the factor, where it comes from, and all that speaks against it.

Every cause of a refusal is collected; evaluation never stops at the first. What a route does not need (dose
and times of values that are SUV already, times of values corrected to the injection) never refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from petquant.acquisition import Clock, Frame, Instant, PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.flags import refusals_of
from petquant.overrides import DECAY_REFERENCES, Overrides, moment
from petquant.suv.corrections import attenuation_findings
from petquant.suv.facts import gather
from petquant.suv.patient import height_m, sex
from petquant.suv.radiopharmaceutical import HalfLife, chosen_item, identified_tracer
from petquant.suv.route import decay_of, route_of
from petquant.suv.scales import SuvScale, scales_of
from petquant.suv.timing import Timing
from petquant.suv.units import Stored
from petquant.tracers import Tracer

__all__ = ["SuvConversion", "SuvScale", "convert"]

_UNITS_OF_WORDS = {"SUV": "GML"}  # what --units says in words that are no DICOM term

ABOUT_DATES = frozenset(
    {
        "ACQ_DATE_SHIFTED", "INJ_DATE_SHIFTED", "INJ_DATE_SHIFTED_LONG_LIVED", "INJ_TIME_MISSING",
        "INJ_TIME_ONLY_LONG_LIVED", "REF_TIME_SERIES_AFTER_ACQ", "REF_TIME_UNRESOLVED", "UPTAKE_IMPLAUSIBLE",
    }
)  # fmt: skip


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
        return _refused(self.findings, *suv_types, is_strict=is_strict)

    def scale(self, name: str) -> SuvScale | None:
        """Return the scale of an SUV type, None when it was refused or not asked for."""
        return next((scale for scale in self.scales if scale.name == name), None)


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
    facts = gather(acquisition, item, overrides)
    tracer, tracer_findings = identified_tracer(item, facts.life, overrides)
    route = route_of(facts, acquisition, item_findings)
    scales = scales_of(
        acquisition,
        stored=facts.stored,
        factor_bw=route.suvbw_per_value,
        weight_kg=facts.weight_kg,
        weight_findings=facts.weight_findings,
        suv_types=suv_types,
    )
    findings = (
        *acquisition.findings,
        *_override_findings(overrides),
        *_beyond_clock(acquisition, overrides),
        *attenuation_findings(acquisition, allow_nac=allow_nac),
        *tracer_findings,
        *facts.stored.findings,
        *route.findings,
        *scales.findings,
        *_protocol(tracer, facts.timing),
    )
    located = tuple(dict.fromkeys(_located(finding, acquisition) for finding in findings))
    interval_s, decayed_bq = decay_of(facts)
    uptake_s = _seconds(facts.timing.injection.at, facts.timing.earliest_at)
    is_reference_known = facts.stored.suv is None and facts.state in {"START", "ADMIN"}
    at_injection = facts.state == "ADMIN"
    reference_at = facts.timing.injection.at if at_injection else facts.timing.reference_at
    return SuvConversion(
        acquisition=acquisition,
        overrides=overrides,
        stored=facts.stored,
        rule=route.rule,
        scales=tuple(scale for scale in scales.scales if not _refused(located, scale.name)),
        decay_correction=facts.state,
        decay_reference_at=reference_at if is_reference_known else None,
        decay_interval_s=interval_s,
        uptake_time_min=None if uptake_s is None else uptake_s / 60.0,
        injected_activity_bq=facts.dose_bq,
        decayed_activity_bq=decayed_bq,
        half_life=facts.life,
        tracer=tracer,
        weight_kg=facts.weight_kg,
        height_m=height_m(acquisition, needed_by="bsa")[0],
        sex=sex(acquisition, needed_by="ibw")[0],
        item=item,
        timing=facts.timing,
        findings=located,
    )


def _refused(findings: tuple[Finding, ...], *suv_types: str, is_strict: bool = False) -> tuple[Finding, ...]:
    wanted = {"*", *suv_types}
    return tuple(f for f in refusals_of(findings, is_strict=is_strict) if wanted.intersection(f.quantities))


def _located(finding: Finding, acquisition: PetAcquisition) -> Finding:
    """Return a finding with its series; one about dates says what de-identification says it did to them."""
    located = acquisition.located(finding)
    modified = dict(acquisition.deidentification).get("LongitudinalTemporalInformationModified")
    if modified is None or finding.code not in ABOUT_DATES:
        return located
    note = f"(LongitudinalTemporalInformationModified (0028,0303) is {modified})"
    return replace(located, found=f"{finding.found} {note}")


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
        units=acquisition.units.given(
            _UNITS_OF_WORDS.get((overrides.units or "").upper(), overrides.units),
            option="--units",
            text=overrides.units or "",
        ),
        suv_type=acquisition.suv_type.given(overrides.suv_type, option="--suv-type"),
        decay_correction=acquisition.decay_correction.given(
            overrides.decay_correction, option="--decay-correction"
        ),
    )


def _override_findings(overrides: Overrides) -> tuple[Finding, ...]:
    return tuple(
        Finding(code="OVERRIDE", found=f"{option} {value} was given in place of the header's value")
        for option, value in overrides.given().items()
    )


def _beyond_clock(acquisition: PetAcquisition, overrides: Overrides) -> tuple[Finding, ...]:
    """Return the refusal of every time given that cannot be compared with those of the file."""
    given = overrides.given()
    options = (
        "--injection-datetime",
        "--injection-time",
        "--decay-reference",
        "--assay-time",
        "--residual-time",
    )
    findings = []
    for option in options:
        text = given.get(option, DECAY_REFERENCES[0])
        if acquisition.clock is Clock.CALENDAR or text in DECAY_REFERENCES:
            continue
        is_dated = isinstance(moment(text), Instant)
        if acquisition.clock is Clock.INTERVALS or is_dated:
            lacking = "date" if is_dated and acquisition.clock is Clock.DAY else "clock time"
            findings.append(
                Finding(
                    code="SIDECAR_TIMES_MISSING",
                    found=f"{option} {text} was given, and nothing says the {lacking} of the scan",
                    expected="times of one clock",
                    remedy="give --uptake-min, --decay-reference acquisition, --dose-mbq",
                )
            )
    return tuple(findings)


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
