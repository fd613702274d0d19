"""Frame times: when each slice was acquired, for how long, and what its header says of decay since.

Numbers and times that cannot be read are findings of the series, not of every slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

from petquant.acquisition import Frame, Instant
from petquant.dicom.attributes import Attributes
from petquant.dicom.datetimes import instant, is_rolled_over, parse_clock, parse_date, parse_instant
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.written import finite
from petquant.errors import Finding

__all__ = ["frames_of", "rolled_over"]

AGAIN = "export the series again"
NUMBERS = {
    "ActualFrameDuration": "give --frame-duration",
    "FrameReferenceTime": "give --decay-reference series",
    "DecayFactor": "give --decay-reference series",
}


def frames_of(
    instances: Sequence[Attributes], *, series_day: date | None, utc_offset: timedelta | None
) -> tuple[tuple[Frame, ...], tuple[Finding, ...]]:
    """Return the timing of every slice, and what is wrong with it.

    Parameters
    ----------
    series_day
        SeriesDate, for acquisition times without a date.
    utc_offset
        Of the scanner's clock; an AcquisitionDateTime with another offset is brought to it.
    """
    frames = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for attributes in instances:
        numbers: dict[str, float | None] = {}
        for keyword in NUMBERS:
            text = attributes.text(TAG[keyword])
            numbers[keyword] = finite(text) if text else None
            if text and numbers[keyword] is None:
                seen["VALUE_NOT_FINITE", keyword, text] += 1
        acquired_at, problem = _acquired(
            *(attributes.text(TAG[k]) for k in ("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime")),
            series_day,
            utc_offset,
        )
        reference_at, other_problem = _stamped(
            "FrameReferenceDateTime", attributes.text(TAG["FrameReferenceDateTime"]), utc_offset
        )
        for one in (problem, other_problem):
            if one is not None:
                seen[one] += 1
        duration, reference = numbers["ActualFrameDuration"], numbers["FrameReferenceTime"]
        frames.append(
            Frame(
                acquired_at=None if acquired_at is None else acquired_at.at,
                duration_s=duration / 1000.0 if duration is not None and duration >= 1 else None,  # IS, in ms
                reference_s=None if reference is None else reference / 1000.0,
                decay_factor=numbers["DecayFactor"],
                reference_at=None if reference_at is None else reference_at.at,
            )
        )
    first = instances[0]
    findings = [_about(code, first, keyword, text, n) for (code, keyword, text), n in seen.items()]
    return tuple(frames), (*findings, *_partial(frames, first))


@lru_cache(maxsize=4096)
def _acquired(
    day: str, clock: str, stamp: str, series_day: date | None, utc_offset: timedelta | None
) -> tuple[Instant | None, tuple[str, str, str] | None]:
    """Return the start of acquisition, or code, keyword and text of what is wrong with it.

    AcquisitionDateTime is used only without AcquisitionTime.
    """
    keyword, text = ("AcquisitionTime", f"{day} {clock}".strip()) if clock else ("AcquisitionDateTime", stamp)
    try:
        if not clock:
            return _stamped(keyword, stamp, utc_offset)
        dated = parse_date(day) if day else series_day
        if dated is None:
            return None, None
        started = instant(dated, parse_clock(clock))
    except (ValueError, OverflowError):
        return None, ("TIME_UNPARSABLE", keyword, text)
    if not day:
        return started, ("ACQ_DATE_SHIFTED", "AcquisitionDate", "")
    return started, ("TIME_ROLLED_OVER", keyword, text) if is_rolled_over(clock) else None


@lru_cache(maxsize=4096)
def _stamped(
    keyword: str, text: str, utc_offset: timedelta | None
) -> tuple[Instant | None, tuple[str, str, str] | None]:
    """Return the instant of a DT, or code, keyword and text of what is wrong with it."""
    if not text:
        return None, None
    try:
        stamp = parse_instant(text)
    except (ValueError, OverflowError):
        return None, ("TIME_UNPARSABLE", keyword, text)
    return _on_scanner_clock(stamp, keyword, utc_offset)


def _on_scanner_clock(
    stamp: Instant, keyword: str, utc_offset: timedelta | None
) -> tuple[Instant, tuple[str, str, str] | None]:
    if stamp.utc_offset is None or stamp.utc_offset == utc_offset:
        return stamp, None
    words = f"{stamp.at} with its own offset from UTC"
    if utc_offset is None:
        return stamp, ("TIMEZONE_ONE_SIDED", keyword, words)
    return Instant(stamp.at + utc_offset - stamp.utc_offset, utc_offset), (
        "TIMEZONE_APPLIED",
        keyword,
        words,
    )


def _about(code: str, first: Attributes, keyword: str, text: str, n: int) -> Finding:
    expected, remedy = {
        "VALUE_NOT_FINITE": ("a finite number", NUMBERS.get(keyword, AGAIN)),
        "TIME_UNPARSABLE": ("a date and time", "give --decay-reference, or export the series again"),
        "TIME_ROLLED_OVER": ("hours to 23 and seconds to 59; read as the next instant", ""),
        "ACQ_DATE_SHIFTED": ("the date of acquisition; the series date was used", ""),
        "TIMEZONE_ONE_SIDED": ("an offset of the series as well; it was ignored", "check the time"),
        "TIMEZONE_APPLIED": ("times of one clock; compared in UTC", ""),
    }[code]
    return Finding(
        code=code,
        found=f"{text or 'missing'} on {n} slices",
        expected=expected,
        remedy=remedy,
        keyword=first.name(TAG[keyword])[0],
        tag=first.name(TAG[keyword])[1],
    )


def _partial(frames: Sequence[Frame], first: Attributes) -> tuple[Finding, ...]:
    without = sum(frame.acquired_at is None and frame.reference_at is None for frame in frames)
    if not 0 < without < len(frames):
        return ()
    is_stamped = TAG["AcquisitionDateTime"] in (first.origins or {})
    keyword, tag = first.name(TAG["AcquisitionDateTime" if is_stamped else "AcquisitionTime"])
    return (
        Finding(
            code="MIXED_VALUES",
            found=f"missing on {without} of {len(frames)} slices",
            expected="an acquisition time on every slice or on none",
            remedy=AGAIN,
            keyword=keyword,
            tag=tag,
        ),
    )


def rolled_over(text: str, keyword: str, tag: int) -> Finding:
    """Return the flag for hour 24 or second 60."""
    return Finding(
        code="TIME_ROLLED_OVER",
        found=text,
        expected="hours to 23 and seconds to 59; read as the next instant",
        keyword=keyword,
        tag=tag_words(tag),
    )
