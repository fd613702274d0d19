"""Witnesses of the decay reference: every time that a header states, or that can be computed back from it.

The table of suv.md section 7: series time, earliest acquisition, private time, decay factors, frame reference
times, the vendor's own SUV factor. Whom to believe is decided in `reference_time`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from petquant.acquisition import Frame
from petquant.nuclides import average_count_time_s

__all__ = [
    "FAMILIES",
    "TOLERANCE_S",
    "Candidate",
    "Evidence",
    "convention",
    "range_behind_one_start_s",
    "spread_s",
    "testify",
]

TOLERANCE_S = 2.0  # valid headers differ by microseconds to 1 s
EARLIEST_BEFORE_INJECTION_S = 3600.0

NAMES = {
    "S": "series time",
    "A0": "earliest acquisition",
    "P": "private decay time",
    "D": "back-computed from DecayFactor",
    "B": "back-computed from FrameReferenceTime",
    "R": "back-computed from the vendor's SUV factor",
    "T": "stated in the file",
    "O": "given by --decay-reference",
}
FAMILIES = {
    "S": "series",
    "A0": "last resort",
    "P": "private",
    "D": "acquisition",
    "B": "acquisition",
    "R": "scanner factor",
    "T": "stated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One possible decay reference time.

    Attributes
    ----------
    id
        S, A0, P, D, B, R, T where the file states it, or O for the user's own.
    at
        None when it cannot be computed.
    is_valid
        Whether it may be chosen and heard.
    reason
        Why it is valid or not.
    effect_percent
        Change of the SUV if it were used instead of the chosen one: ``100 (2^((t - t_chosen)/T_half) - 1)``.
    """

    id: str
    at: datetime | None
    is_valid: bool
    reason: str
    effect_percent: float | None = None

    @property
    def name(self) -> str:
        """What it is, in words."""
        return NAMES[self.id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the jury hears, all times on the scanner's clock.

    Parameters
    ----------
    series_at, private_at, injected_at
        None when not known.
    frames
        One a slice.
    half_life_s
        None when it was refused; then nothing can be back-computed or compared.
    has_frame_start_convention
        Whether the vendor counts FrameReferenceTime to the start of a frame (GE); others to the average
        count.
    vendor_factor_ratio
        SUV factor over activity factor (Philips), g/Bq, when both are usable and rest on the same dose,
        weight, injection and half-life as the conversion.
    dose_bq, weight_g
        For the witness R.
    utc_offset
        Of the scanner's clock, for a time that the user gives with its own.
    stated_at
        What the file itself calls the decay reference; None when it does not.
    stated_by
        Attribute or key that states it.
    must_be_stated
        Whether nothing else may be chosen: of an Enhanced image, whose series time is not even heard (suv.md
        section 13).
    """

    series_at: datetime | None
    private_at: datetime | None
    injected_at: datetime | None
    frames: Sequence[Frame]
    half_life_s: float | None
    has_frame_start_convention: bool
    vendor_factor_ratio: float | None = None
    dose_bq: float | None = None
    weight_g: float | None = None
    utc_offset: timedelta | None = None
    stated_at: datetime | None = None
    stated_by: str = ""
    must_be_stated: bool = False


def testify(evidence: Evidence) -> tuple[Candidate, ...]:
    """Return the candidates S, A0, P, D, B and R, in this order, and T where it is, or must be, stated."""
    started = [frame.acquired_at for frame in evidence.frames if frame.acquired_at is not None]
    earliest = min(started) if started else None
    return (
        _series(evidence, earliest),
        _plain("A0", earliest, "no acquisition time"),
        _private(evidence, earliest),
        _from_decay_factor(evidence),
        _from_frame_reference(evidence, convention(evidence)[0]),
        _from_vendor_factor(evidence),
        *_stated(evidence),
    )


def spread_s(instants: Sequence[datetime]) -> float:
    """Return the seconds between the first and the last of `instants`."""
    return (max(instants) - min(instants)).total_seconds()


def range_behind_one_start_s(frames: Sequence[Frame]) -> float:
    """Return the range of FrameReferenceTime in s where all slices state one acquisition time, else 0.

    Above the tolerance the acquisition time is that of the series and not of the bed, as in many GE series.
    """
    started = [frame.acquired_at for frame in frames if frame.acquired_at is not None]
    references = [frame.reference_s for frame in frames if frame.reference_s is not None]
    if not started or len(references) < len(frames) or spread_s(started) > TOLERANCE_S:
        return 0.0
    return max(references) - min(references)


def _plain(id_: str, at: datetime | None, absent: str) -> Candidate:
    return Candidate(id=id_, at=at, is_valid=at is not None, reason="last resort" if at else absent)


def _stated(evidence: Evidence) -> tuple[Candidate, ...]:
    at, is_stated = evidence.stated_at, evidence.stated_at is not None
    if not is_stated and not evidence.must_be_stated:
        return ()
    reason = f"{evidence.stated_by} is {'' if is_stated else 'not '}written"
    return (Candidate(id="T", at=at, is_valid=is_stated, reason=reason),)


def _series(evidence: Evidence, earliest: datetime | None) -> Candidate:
    at = evidence.series_at
    if at is None:
        return Candidate(id="S", at=None, is_valid=False, reason="no series date and time")
    if evidence.must_be_stated:
        return Candidate(id="S", at=at, is_valid=False, reason="no candidate in an Enhanced image")
    if earliest is None:
        return Candidate(id="S", at=at, is_valid=True, reason="no acquisition time to check it against")
    late_s = (at - earliest).total_seconds()
    if late_s <= TOLERANCE_S:
        return Candidate(id="S", at=at, is_valid=True, reason="not later than the earliest acquisition")
    return Candidate(
        id="S", at=at, is_valid=False, reason=f"{late_s:g} s after the earliest acquisition: post-processed"
    )


def _private(evidence: Evidence, earliest: datetime | None) -> Candidate:
    at = evidence.private_at
    if at is None:
        return Candidate(id="P", at=None, is_valid=False, reason="not written")
    if earliest is not None and (at - earliest).total_seconds() > TOLERANCE_S:
        return Candidate(id="P", at=at, is_valid=False, reason="later than the earliest acquisition")
    injected = evidence.injected_at
    if injected is not None and (injected - at).total_seconds() > EARLIEST_BEFORE_INJECTION_S:
        return Candidate(id="P", at=at, is_valid=False, reason="more than 1 h before the injection")
    return Candidate(id="P", at=at, is_valid=True, reason="written by the vendor")


def _has_decay_factors(evidence: Evidence) -> bool:
    return all(frame.decay_factor is not None and frame.decay_factor > 1 for frame in evidence.frames)


def convention(evidence: Evidence) -> tuple[str, str]:
    """Return which moment FrameReferenceTime counts to, and why.

    The data decide when decay factors say anything: ``F = ln(DF)/lambda`` on all slices is the average-count
    time, ``F = ln(DF)/lambda - T_ave`` the frame start.
    """
    by_vendor = "frame-start" if evidence.has_frame_start_convention else "average-count"
    half_life_s = evidence.half_life_s
    if half_life_s is None or not evidence.frames or not _has_decay_factors(evidence):
        return by_vendor, "by vendor"
    per_ln = half_life_s / math.log(2.0)
    to_average, to_start = [], []
    for frame in evidence.frames:
        if frame.reference_s is None or frame.duration_s is None:
            return by_vendor, "by vendor"
        counted_s = math.log(frame.decay_factor or 1.0) * per_ln
        to_average.append(abs(frame.reference_s - counted_s))
        average_s = average_count_time_s(frame.duration_s, half_life_s)
        to_start.append(abs(frame.reference_s - counted_s + average_s))
    if max(to_average) <= TOLERANCE_S:
        return "average-count", "by DecayFactor"
    if max(to_start) <= TOLERANCE_S:
        return "frame-start", "by DecayFactor"
    return by_vendor, "by vendor"


def _later(at: datetime, seconds: float) -> datetime | None:
    """Return `at` plus `seconds`, None beyond the calendar."""
    try:
        return at + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def _from_slices(id_: str, slices: list[datetime | None]) -> Candidate:
    """Return the candidate on whose time the slices agree within the tolerance."""
    computed = [at for at in slices if at is not None]
    if not computed or len(computed) < len(slices):
        return Candidate(id=id_, at=None, is_valid=False, reason="no date of this calendar")
    first = min(computed)
    spread_s = (max(computed) - first).total_seconds()
    after_s = median((at - first).total_seconds() for at in computed)
    at = first + timedelta(seconds=after_s)
    if spread_s > TOLERANCE_S:
        return Candidate(id=id_, at=at, is_valid=False, reason=f"differs between slices by {spread_s:.0f} s")
    return Candidate(id=id_, at=at, is_valid=True, reason=f"slices agree within {spread_s:.2g} s")


def _from_decay_factor(evidence: Evidence) -> Candidate:
    half_life_s = evidence.half_life_s
    if half_life_s is None or not _has_decay_factors(evidence):
        return Candidate(id="D", at=None, is_valid=False, reason="no decay factors above 1")
    per_ln = half_life_s / math.log(2.0)
    computed: list[datetime | None] = []
    for frame in evidence.frames:
        if frame.acquired_at is None or frame.duration_s is None or frame.decay_factor is None:
            return Candidate(id="D", at=None, is_valid=False, reason="no acquisition time or duration")
        after_s = average_count_time_s(frame.duration_s, half_life_s) - math.log(frame.decay_factor) * per_ln
        computed.append(_later(frame.acquired_at, after_s))
    return _from_slices("D", computed)


def _from_frame_reference(evidence: Evidence, convention: str) -> Candidate:
    half_life_s = evidence.half_life_s
    computed: list[datetime | None] = []
    for frame in evidence.frames:
        if frame.acquired_at is None or frame.reference_s is None:
            return Candidate(id="B", at=None, is_valid=False, reason="no acquisition or frame reference time")
        if convention == "frame-start":
            after_s = -frame.reference_s
        elif frame.reference_s <= 0:
            return Candidate(id="B", at=None, is_valid=False, reason="frame reference time 0 means unknown")
        elif frame.duration_s is None or half_life_s is None:
            return Candidate(id="B", at=None, is_valid=False, reason="no frame duration or half-life")
        else:
            after_s = average_count_time_s(frame.duration_s, half_life_s) - frame.reference_s
        computed.append(_later(frame.acquired_at, after_s))
    return _from_slices("B", computed)


def _from_vendor_factor(evidence: Evidence) -> Candidate:
    """Return ``t_adm + T_half log2(ratio D / W)``: the time at which the vendor's own SUV factor holds."""
    known = (evidence.vendor_factor_ratio, evidence.dose_bq, evidence.weight_g, evidence.half_life_s)
    ratio, dose_bq, weight_g, half_life_s = known
    if ratio is None:
        return Candidate(id="R", at=None, is_valid=False, reason="no vendor factors")
    if dose_bq is None or weight_g is None or half_life_s is None or evidence.injected_at is None:
        return Candidate(
            id="R", at=None, is_valid=False, reason="dose, weight, half-life or injection unknown"
        )
    growth = ratio * dose_bq / weight_g
    at = _later(evidence.injected_at, half_life_s * math.log2(growth)) if 0 < growth < math.inf else None
    if at is None:
        return Candidate(id="R", at=None, is_valid=False, reason="no date of this calendar")
    return Candidate(id="R", at=at, is_valid=True, reason="the ratio of the vendor's factors")
