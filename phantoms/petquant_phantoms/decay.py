"""Decay is the clock of the radionuclide: what is left, and when a frame shows its mean activity.

Times are in s, differences of datetimes keep their fractions; everything is float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def decay_constant_per_s(half_life_s: float) -> float:
    """Return lambda = ln 2 / T_half."""
    return math.log(2.0) / half_life_s


def remaining_fraction(elapsed_s: float, *, half_life_s: float) -> float:
    """Return ``2^(-t / T_half)``, the fraction left after ``elapsed_s``."""
    return float(2.0 ** (-elapsed_s / half_life_s))


def average_count_time_s(duration_s: float, *, half_life_s: float) -> float:
    """Return the time from the start of a frame at which the activity equals its mean over the frame.

    ``T_ave = ln(x / (1 - exp(-x))) / lambda`` with ``x = lambda T``.
    """
    if duration_s == 0.0:
        return 0.0
    rate_per_s = decay_constant_per_s(half_life_s)
    x = rate_per_s * duration_s
    return math.log(x / -math.expm1(-x)) / rate_per_s


def mean_remaining_fraction(duration_s: float, *, half_life_s: float) -> float:
    """Return the mean over a frame of the activity at its start: ``(1 - exp(-x)) / x``, ``x = lambda T``."""
    x = decay_constant_per_s(half_life_s) * duration_s
    return -math.expm1(-x) / x if x > 0.0 else 1.0


def seconds_between(earlier_at: datetime, later_at: datetime) -> float:
    """Return the seconds from one datetime to another, negative when they stand the other way round."""
    return (later_at - earlier_at).total_seconds()
