"""The times of a side-car: start and length of the frame, injection, and what the voxels are corrected to.

BIDS-PET counts seconds from TimeZero and states the injection. dcm2niix writes clock times of series and
acquisition and no injection; its ImageDecayCorrectionTime is then a convention and no statement, so the
witnesses of a DICOM header are heard instead. Where no date is written the day is nominal, and where no clock
time is written so is the clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from petquant.acquisition import Clock, Frame, Instant, Written
from petquant.errors import Finding
from petquant.sidecar.content import Sidecar

__all__ = ["Times", "times_of"]

NOMINAL = datetime(1900, 1, 2)  # noqa: DTZ001 - the day of a clock that has none
AT_ONCE_S = 1.0  # starts that differ by less are one (suv.md section 18, rule 5)
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9](?:\.[0-9]+)?)")
HALF_DAY = timedelta(hours=12)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What a side-car says about time, for the frame that is measured."""

    clock: Clock
    frame: Frame
    injected_at: Written[Instant]
    series_at: Written[Instant]
    decay_corrected_to: Written[Instant]
    findings: tuple[Finding, ...]


def times_of(sidecar: Sidecar, *, frame: int, n_frames: int) -> Times:
    """Return the times of one frame.

    Parameters
    ----------
    frame
        From 0.
    n_frames
        Of the image; lists of the side-car must have as many entries.
    """
    lists = {key: sidecar.numbers(key) for key in ("FrameTimesStart", "FrameDuration", "FrameReferenceTime")}
    lists["DecayFactor"] = sidecar.numbers("DecayFactor", "DecayCorrectionFactor")
    findings = [
        written.finding(written.defect, expected="a list of finite numbers", remedy="mend the side-car")
        for written in lists.values()
        if written.defect
    ]
    starts, durations = lists["FrameTimesStart"].value, lists["FrameDuration"].value
    findings += _inconsistent(starts, durations, n_frames)
    if sidecar.number("InjectionStart").text:
        origin = _bids(sidecar, starts, n_frames)
    else:
        origin = _dcm2niix(sidecar, starts, has_one_frame=n_frames == 1)

    def of_frame(key: str) -> float | None:
        values = lists[key].value
        return values[frame] if values is not None and len(values) == n_frames else None

    start_s, duration_s = of_frame("FrameTimesStart"), of_frame("FrameDuration")
    since_first_s = None if start_s is None or not starts else start_s - starts[0]
    if frame == 0:
        since_first_s = 0.0
    is_known = origin.first_at is not None and since_first_s is not None
    acquired_at = _later(origin.first_at, since_first_s) if is_known else None
    decay_factor = of_frame("DecayFactor")
    if origin.is_reference_missing and not (decay_factor is not None and decay_factor > 1):
        findings.append(
            Finding(
                code="SIDECAR_TIMES_MISSING",
                found="missing",
                expected="the seconds from TimeZero to the time that voxels are decay-corrected to",
                remedy="give --decay-reference",
                keyword="ImageDecayCorrectionTime",
            )
        )
    return Times(
        clock=origin.clock,
        frame=Frame(
            acquired_at=acquired_at,
            duration_s=duration_s if duration_s is not None and duration_s > 0 else None,
            reference_s=of_frame("FrameReferenceTime"),
            decay_factor=decay_factor,
        ),
        injected_at=origin.injected_at,
        series_at=origin.series_at,
        decay_corrected_to=origin.decay_corrected_to,
        findings=(*findings, *origin.findings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where the times of a dialect are counted from, and the events that it states."""

    clock: Clock
    first_at: datetime | None
    injected_at: Written[Instant]
    series_at: Written[Instant]
    decay_corrected_to: Written[Instant]
    is_reference_missing: bool = False
    findings: tuple[Finding, ...] = ()


def _bids(sidecar: Sidecar, starts: tuple[float, ...] | None, n_frames: int) -> _Origin:
    """Return the times that count from TimeZero."""
    zero, zero_finding = _clock(sidecar, "TimeZero")
    zero_at = NOMINAL + (zero or timedelta())
    scan = sidecar.number("ScanStart")
    first_s = starts[0] if starts else scan.value
    findings = list(zero_finding)
    if starts and scan.value is not None and abs(starts[0] - scan.value) > AT_ONCE_S:
        findings.append(
            Finding(
                code="SIDECAR_FRAMES_INCONSISTENT",
                found=f"ScanStart is {scan.value:g} s and the first of FrameTimesStart {starts[0]:g} s",
                expected="both in seconds from TimeZero",
                remedy="mend the side-car",
            )
        )
    injected = _event(sidecar, "InjectionStart", zero_at)
    if n_frames == 1 and first_s is not None and injected.value is not None:
        apart_s = (injected.value.at - zero_at).total_seconds() - first_s
        if abs(apart_s) < AT_ONCE_S:
            injected = Written(
                value=injected.value,
                text=f"{injected.text} and the static scan starts at {first_s:g} s",
                keyword="InjectionStart",
                defect="SIDECAR_INJECTION_EQUALS_SCAN",
            )
    reference = _event(sidecar, "ImageDecayCorrectionTime", zero_at)
    if reference.defect:
        findings.append(
            reference.finding(
                reference.defect, expected="seconds from TimeZero", remedy="give --decay-reference"
            )
        )
    is_corrected = sidecar.truth("ImageDecayCorrected") is not False
    return _Origin(
        clock=Clock.INTERVALS if zero is None else Clock.DAY,
        first_at=None if first_s is None else _later(zero_at, first_s),
        injected_at=injected,
        series_at=_series(sidecar, zero_at) if zero is not None else Written(keyword="SeriesTime"),
        decay_corrected_to=reference,
        is_reference_missing=is_corrected and not reference.text,
        findings=tuple(findings),
    )


def _dcm2niix(sidecar: Sidecar, starts: tuple[float, ...] | None, *, has_one_frame: bool) -> _Origin:
    """Return the times that are clock times of series and acquisition, as far as they are written."""
    absent: Written[Instant] = Written(keyword="InjectionStart", defect="SIDECAR_TIMES_MISSING")
    dated = _date_time(sidecar)
    clock, findings = _clock(sidecar, "AcquisitionTime")
    zero, more = _clock(sidecar, "TimeZero")
    if clock is None and zero is not None:
        clock = zero + timedelta(seconds=starts[0] if starts else 0.0)
    first_at = dated or (None if clock is None else NOMINAL + clock)
    kind = Clock.CALENDAR if dated else Clock.DAY if first_at else Clock.INTERVALS
    is_startable = has_one_frame or starts is not None
    return _Origin(
        clock=kind,
        first_at=first_at or (NOMINAL if is_startable else None),
        injected_at=absent,
        series_at=_series(sidecar, first_at) if first_at else Written(keyword="SeriesTime"),
        decay_corrected_to=Written(keyword="ImageDecayCorrectionTime"),
        findings=() if dated else (*findings, *more),
    )


def _inconsistent(
    starts: tuple[float, ...] | None, durations: tuple[float, ...] | None, n_frames: int
) -> list[Finding]:
    """Return the refusal of frame times that contradict each other or the image (suv.md 18, rule 5)."""
    found = [
        f"{key} has {len(values)} entries for {n_frames} frames"
        for key, values in (("FrameTimesStart", starts), ("FrameDuration", durations))
        if values is not None and len(values) != n_frames
    ]
    if not found and starts is not None and durations is not None:
        found = [
            f"frame {number} starts at {start:g} s and lasts {duration:g} s, the next starts at {after:g} s"
            for number, ((start, after), duration) in enumerate(
                zip(pairwise(starts), durations, strict=False), start=1
            )
            if abs(start + duration - after) > AT_ONCE_S
        ][:1]
    return [
        Finding(
            code="SIDECAR_FRAMES_INCONSISTENT",
            found=words,
            expected="one start and one length for every frame, each beginning where the last ends",
            remedy="mend the side-car",
        )
        for words in found
    ]


def _event(sidecar: Sidecar, key: str, zero_at: datetime) -> Written[Instant]:
    """Return what happened so many seconds after TimeZero."""
    written = sidecar.number(key)
    if written.value is None:
        return Written(text=written.text, keyword=key, defect=written.defect)
    at = _later(zero_at, written.value)
    if at is None:
        return Written(text=f"{written.text} s", keyword=key, defect="TIME_UNPARSABLE")
    return Written(value=Instant(at), text=f"{written.text} s", keyword=key)


def _later(at: datetime | None, seconds: float | None) -> datetime | None:
    """Return `at` plus `seconds`, None beyond ten years, where no scan is."""
    if at is None or seconds is None or abs(seconds) > 3.2e8:
        return None
    return at + timedelta(seconds=seconds)


def _clock(sidecar: Sidecar, key: str) -> tuple[timedelta | None, tuple[Finding, ...]]:
    """Return a clock time ``hh:mm:ss[.f]`` since midnight, and the refusal of what cannot be read."""
    written = sidecar.text(key)
    if not written.text:
        return None, ()
    match = CLOCK.fullmatch(written.text)
    if match is None:
        finding = written.finding(
            "TIME_UNPARSABLE", expected="a clock time hh:mm:ss", remedy="mend the side-car"
        )
        return None, (finding,)
    return timedelta(hours=int(match[1]), minutes=int(match[2]), seconds=float(match[3])), ()


def _date_time(sidecar: Sidecar) -> datetime | None:
    """Return AcquisitionDateTime, which dcm2niix writes without anonymisation."""
    text = sidecar.text("AcquisitionDateTime").text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if "T" in text else None
    except ValueError:
        return None


def _series(sidecar: Sidecar, near: datetime) -> Written[Instant]:
    """Return SeriesTime on the day that brings it nearest to the acquisition."""
    clock, findings = _clock(sidecar, "SeriesTime")
    if findings or clock is None:
        return Written(text=sidecar.text("SeriesTime").text, keyword="SeriesTime")
    midnight = near.replace(hour=0, minute=0, second=0, microsecond=0)
    apart = (midnight + clock - near + HALF_DAY) % DAY - HALF_DAY
    return Written(value=Instant(near + apart), text=sidecar.text("SeriesTime").text, keyword="SeriesTime")
