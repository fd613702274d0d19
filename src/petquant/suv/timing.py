"""Timing: the decay reference and the injection of one series, each of which needs the other.

The day of an injection follows from the reference; a private reference is believed only after the injection.
So the injection is placed by a provisional reference, the jury is heard, and the injection is placed again
(suv.md sections 5 to 7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from petquant.acquisition import Frame, PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.flags import refusals_of
from petquant.overrides import Overrides
from petquant.suv.injection import LONG_LIVED_S, Injection, inject, on_scanner_clock
from petquant.suv.reference_time import Verdict, hear, not_per_bed
from petquant.suv.witnesses import TOLERANCE_S, Evidence

__all__ = ["Timing", "time_series"]

SHIFTED_S = 43200.0
DURATIONS = frozenset({"ActualFrameDuration", "FrameAcquisitionDuration"})
BEHIND_VENDOR_FACTOR = frozenset(
    {
        "--weight-kg", "--dose-mbq", "--assay-mbq", "--injection-datetime", "--injection-time",
        "--clock-offset-s", "--half-life", "--radiopharm-index", "--uptake-min",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things happened.

    Parameters
    ----------
    injection
        Time of injection with its rule.
    verdict
        What the jury said; None when the values are not START.
    reference_at
        Decay reference of START; for other states a time of the scan that the injection was placed by.
    earliest_at
        Earliest start of acquisition.
    frames
        One a slice, dates repaired.
    findings
        Of all of them.
    """

    injection: Injection
    verdict: Verdict | None
    reference_at: datetime | None
    earliest_at: datetime | None
    frames: tuple[Frame, ...]
    findings: tuple[Finding, ...]


def time_series(
    acquisition: PetAcquisition,
    item: Radiopharmaceutical,
    overrides: Overrides,
    *,
    state: str | None,
    half_life_s: float | None,
    dose_bq: float | None,
    weight_g: float | None,
) -> Timing:
    """Return the timing of a series.

    Parameters
    ----------
    state
        START hears the jury; NONE takes the earliest acquisition; otherwise the series or acquisition time
        only places the injection on a day.
    half_life_s, dose_bq, weight_g
        As far as they are known; the jury needs them for some witnesses.
    """
    series_at = None if acquisition.series_at.value is None else acquisition.series_at.value.at
    stated_at, stated_zone = on_scanner_clock(acquisition.decay_corrected_to, acquisition.utc_offset)
    anchor_at, anchor = series_at, "series time"
    if acquisition.is_enhanced:  # whose series time says nothing of the scan
        anchor_at, anchor = stated_at if state == "START" else None, "DecayCorrectionDateTime"
    frames, findings = _on_day_of(acquisition.frames, anchor_at, half_life_s, anchor=anchor)
    findings = (*_unlifted(acquisition.time_findings, overrides), *findings)
    started = [frame.acquired_at for frame in frames if frame.acquired_at is not None]
    earliest_at = min(started) if started else None
    private_at, zone = on_scanner_clock(acquisition.private.decay_corrected_to, acquisition.utc_offset)

    def placed(reference_at: datetime | None) -> Injection:
        return inject(
            acquisition,
            item,
            overrides,
            reference_at=reference_at,
            earliest_at=earliest_at,
            half_life_s=half_life_s,
        )

    provisional_at = stated_at or (
        earliest_at if acquisition.is_enhanced else _provisional(series_at, earliest_at, private_at)
    )
    if state == "NONE":
        provisional_at = min(
            (at for frame in frames if (at := frame.reference_at or frame.acquired_at) is not None),
            default=None,
        )
    injection = placed(provisional_at)
    if state != "START":
        if state == "NONE":
            findings += (*_needed_without_correction(frames), *not_per_bed(frames, half_life_s=half_life_s))
        return Timing(
            injection=injection,
            verdict=None,
            reference_at=provisional_at,
            earliest_at=earliest_at,
            frames=frames,
            findings=(*findings, *injection.findings),
        )
    evidence = Evidence(
        series_at=series_at,
        private_at=private_at,
        stated_at=stated_at,
        stated_by=acquisition.decay_corrected_to.keyword,
        must_be_stated=acquisition.is_enhanced,
        injected_at=injection.at,
        frames=frames,
        half_life_s=half_life_s,
        has_frame_start_convention=acquisition.vendor == "ge",
        vendor_factor_ratio=_factor_ratio(acquisition, overrides),
        dose_bq=dose_bq,
        weight_g=weight_g,
        utc_offset=acquisition.utc_offset,
    )

    verdict = hear(evidence, choice=overrides.decay_reference)
    again = placed(verdict.at)
    if again.at != injection.at:
        verdict = hear(replace(evidence, injected_at=again.at), choice=overrides.decay_reference)
        again = placed(verdict.at)
    return Timing(
        injection=again,
        verdict=verdict,
        reference_at=verdict.at,
        earliest_at=earliest_at,
        frames=frames,
        findings=(*findings, *zone, *stated_zone, *verdict.findings, *again.findings),
    )


def _provisional(
    series_at: datetime | None, earliest_at: datetime | None, private_at: datetime | None
) -> datetime | None:
    if series_at is not None and (
        earliest_at is None or (series_at - earliest_at).total_seconds() <= TOLERANCE_S
    ):
        return series_at
    return earliest_at or private_at


def _on_day_of(
    frames: tuple[Frame, ...], anchor_at: datetime | None, half_life_s: float | None, *, anchor: str
) -> tuple[tuple[Frame, ...], tuple[Finding, ...]]:
    """Return the frames moved by whole days to the date of an anchor, when they lie more than 12 h off.

    The anchor is the series time, or what an Enhanced image is decay-corrected to. De-identification shifts
    attributes one by one; a half-life below 11.5 h leaves no doubt about the day.
    """
    started = [frame.acquired_at for frame in frames if frame.acquired_at is not None]
    if not started or anchor_at is None or half_life_s is None or half_life_s >= LONG_LIVED_S:
        return frames, ()
    apart_s = (min(started) - anchor_at).total_seconds()
    if abs(apart_s) <= SHIFTED_S:
        return frames, ()
    days = -round(apart_s / 86400)
    moved = tuple(
        frame
        if frame.acquired_at is None
        else replace(frame, acquired_at=frame.acquired_at + timedelta(days=days))
        for frame in frames
    )
    finding = Finding(
        code="ACQ_DATE_SHIFTED",
        found=f"{min(started)}, far from the {anchor} {anchor_at}; moved by {days} d",
        expected=f"an acquisition near the {anchor}",
        keyword="AcquisitionDate",
        tag="(0008,0022)",
    )
    return moved, (finding,)


def _needed_without_correction(frames: tuple[Frame, ...]) -> tuple[Finding, ...]:
    findings = []
    untimed = [frame for frame in frames if frame.reference_at is None]
    without_time = sum(frame.acquired_at is None for frame in untimed)
    without_duration = sum(frame.duration_s is None for frame in untimed)
    if without_time:
        findings.append(
            Finding(
                code="ACQUISITION_TIME_MISSING",
                found=f"missing on {without_time} of {len(frames)} slices",
                expected="the start of acquisition of every slice, since nothing is decay-corrected",
                remedy="use the decay-corrected series",
                keyword="AcquisitionTime",
                tag="(0008,0032)",
            )
        )
    if without_duration:
        findings.append(
            Finding(
                code="FRAME_DURATION_MISSING",
                found=f"missing or not positive on {without_duration} of {len(frames)} slices",
                expected="the frame duration, since nothing is decay-corrected",
                remedy="give --frame-duration SECONDS",
                keyword="ActualFrameDuration",
                tag="(0018,1242)",
            )
        )
    return tuple(findings)


def _unlifted(findings: tuple[Finding, ...], overrides: Overrides) -> tuple[Finding, ...]:
    """Return the findings about times and durations without those that an option answers.

    A frame duration given replaces the written one; a decay reference given replaces the series time, and
    the acquisition times unless it is computed from them.
    """
    answered: set[str] = set()
    if overrides.frame_duration_s is not None:
        answered |= DURATIONS
    if overrides.decay_reference is not None:
        answered |= {
            "SeriesTime", "DecayCorrectionDateTime", "ImageDecayCorrectionTime", "FrameReferenceDateTime",
            "FrameReferenceTime", "DecayFactor", *DURATIONS,
        }  # fmt: skip
        by_slice = {"backcompute", "decayfactor"}
        if overrides.decay_reference not in {"acquisition", *by_slice}:
            answered |= {"AcquisitionTime", "AcquisitionDateTime", "FrameAcquisitionDateTime"}
        if overrides.decay_reference in by_slice:
            answered -= {"FrameReferenceTime", "DecayFactor", *DURATIONS}
    return tuple(f for f in findings if f.keyword not in answered or not refusals_of((f,)))


def _factor_ratio(acquisition: PetAcquisition, overrides: Overrides) -> float | None:
    """Return SUV factor / activity factor of the vendor, when both are usable.

    The scanner computed them from the header's dose, weight, injection and half-life; where an option
    replaces one of these they say nothing about the decay reference any more.
    """
    if BEHIND_VENDOR_FACTOR.intersection(overrides.given()):
        return None
    suv = acquisition.private.suv_scale_factor.value
    activity = acquisition.private.activity_scale_factor.value
    if suv is None or activity is None or suv <= 0 or activity <= 0:
        return None
    return suv / activity
