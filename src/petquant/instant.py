"""An instant is a date and time on some clock; a clock time is the same without a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["ClockTime", "Instant"]


@dataclass(frozen=True, slots=True)
class Instant:
    """A date and time on some clock.

    Parameters
    ----------
    at
        Naive wall-clock time, to the microsecond.
    utc_offset
        Offset of that clock from UTC where it was written down, else None.
    """

    at: datetime
    utc_offset: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of day without a date.

    Parameters
    ----------
    since_midnight
        0 to 24 h; 24 h is the next midnight.
    utc_offset
        As in `Instant`.
    """

    since_midnight: timedelta
    utc_offset: timedelta | None = None
