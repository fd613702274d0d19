"""Dates and times as they really occur in headers: DA, TM, DT and the offset from UTC.

Accepted (suv.md section 5): HH to HHMMSS.FFFFFF, colons, blanks around, dots or dashes in dates, DT with
``+ZZZZ``; hour 24 and second 60 are the next instant and are flagged. Anything else is a ValueError: a time
that has to be guessed is no time.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from petquant.acquisition import ClockTime, Instant

__all__ = [
    "clock_time",
    "instant",
    "is_rolled_over",
    "parse_clock",
    "parse_date",
    "parse_instant",
    "parse_offset",
]

_DATE = re.compile(r"(\d{4})([.\-/]?)(\d{2})\2(\d{2})")
_CLOCK = re.compile(r"(\d{2})(?:(:?)(\d{2})(?:\2(\d{2})(?:\.(\d{1,6}))?)?)?")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")
_STAMP = re.compile(r"([\d.:]+?)\s*([+-]\d{2}:?\d{2})?")


def parse_date(text: str) -> date:
    """Return the date of a DA such as ``20201217`` or ``2020.12.17``.

    Raises
    ------
    ValueError
        When it is no date.
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no date")
    day = date(int(match[1]), int(match[3]), int(match[4]))
    if not 1 < day.year < 9999:  # placeholders, without a day before or after
        raise ValueError(f"{text!r} is no date of a scan")
    return day


def parse_clock(text: str) -> timedelta:
    """Return the time since midnight of a TM such as ``0928``, ``09:28:30.5`` or ``240000``.

    A fraction is decimal: ``.05`` is 0.05 s. Hour 24 is the next midnight, second 60 the next minute.

    Raises
    ------
    ValueError
        When it is no time.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time")
    hours, minutes, seconds = int(match[1]), int(match[3] or 0), int(match[4] or 0)
    microseconds = int((match[5] or "0").ljust(6, "0"))
    since = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
    if minutes > 59 or seconds > 60 or hours > 24 or (hours == 24 and since > timedelta(hours=24)):
        raise ValueError(f"{text!r} is no time")
    return since


def parse_offset(text: str) -> timedelta:
    """Return an offset from UTC such as ``+0100``.

    Raises
    ------
    ValueError
        When it is none, or beyond 14 hours.
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no offset from UTC")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if offset > timedelta(hours=14) or int(match[3]) > 59:
        raise ValueError(f"{text!r} is no offset from UTC")
    return -offset if match[1] == "-" else offset


def parse_instant(text: str, *, utc_offset: timedelta | None = None) -> Instant:
    """Return the instant of a DT with at least date and hour.

    Parameters
    ----------
    text
        Such as ``20250101100000.5+0100``.
    utc_offset
        That of the data set, for a value without its own.

    Raises
    ------
    ValueError
        When date or hour is missing, or it is no date-time.
    """
    match = _STAMP.fullmatch(text.strip())
    if match is None or len(match[1]) < 10:
        raise ValueError(f"{text!r} is no date-time")
    day = _DATE.match(match[1])
    if day is None:
        raise ValueError(f"{text!r} is no date-time")
    at = datetime.combine(parse_date(day[0]), time()) + parse_clock(match[1][day.end() :])
    return Instant(at, parse_offset(match[2]) if match[2] else utc_offset)


def instant(day: date, clock: timedelta, *, utc_offset: timedelta | None = None) -> Instant:
    """Return the instant of a date and a time since midnight."""
    return Instant(datetime.combine(day, time()) + clock, utc_offset)


def clock_time(text: str, *, utc_offset: timedelta | None = None) -> ClockTime:
    """Return the clock time of a TM."""
    return ClockTime(parse_clock(text), utc_offset)


def is_rolled_over(text: str) -> bool:
    """Whether a TM or the time of a DT says hour 24 or second 60."""
    digits = re.sub(r"[^\d.]", "", re.sub(r"[+-]\d{2}:?\d{2}$", "", text.strip())).partition(".")[0]
    clock = digits[8:] if len(digits) > 8 else digits
    return clock[:2] == "24" or clock[4:6] == "60"
