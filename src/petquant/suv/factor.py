"""The factor k of ``SUVbw = A[Bq/mL] * k``, in g/Bq, for each state of decay correction (suv.md 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from petquant.acquisition import Frame
from petquant.nuclides import decay_factor

__all__ = ["Factor", "admin_factor", "alignment", "is_usable", "none_factors", "start_factor", "times"]

Factor = float | tuple[float, ...]


def start_factor(*, weight_kg: float, dose_bq: float, decay_interval_s: float, half_life_s: float) -> float:
    """Return ``k = 1000 W / (D * 2^(-dt/T_half))`` in g/Bq, one for the series."""
    return admin_factor(weight_kg=weight_kg, dose_bq=dose_bq) * decay_factor(-decay_interval_s, half_life_s)


def admin_factor(*, weight_kg: float, dose_bq: float) -> float:
    """Return ``k = 1000 W / D`` in g/Bq: the voxels are corrected to the injection."""
    return 1000.0 * weight_kg / dose_bq


def none_factors(
    *, weight_kg: float, dose_bq: float, injected_at: datetime, frames: Sequence[Frame], half_life_s: float
) -> tuple[float, ...]:
    """Return ``k_i = (1000 W / D) * x * exp(lambda (t_i - t_adm)) / (1 - exp(-x))`` in g/Bq, one a slice.

    ``x = lambda T_i``; ``x / (1 - exp(-x))`` corrects for decay during the frame, computed with ``expm1``.
    A frame that states the time its values hold for has ``k_f = 1000 W / (D * 2^(-(t_f - t_adm)/T_half))``.
    """
    per_bq = admin_factor(weight_kg=weight_kg, dose_bq=dose_bq)
    return tuple(per_bq * growth for growth in alignment(frames, since=injected_at, half_life_s=half_life_s))


def alignment(frames: Sequence[Frame], *, since: datetime, half_life_s: float) -> tuple[float, ...]:
    """Return what brings values without decay correction to the time `since`, one factor a frame.

    Raises
    ------
    ValueError
        When a frame has no time that its values hold for, and no acquisition time or duration.
    """
    decay_constant = math.log(2.0) / half_life_s
    growths = []
    for frame in frames:
        if frame.reference_at is not None:
            growths.append(decay_factor(-(frame.reference_at - since).total_seconds(), half_life_s))
            continue
        if frame.acquired_at is None or frame.duration_s is None:
            raise ValueError("a frame without acquisition time or duration")
        x = decay_constant * frame.duration_s
        during = 1.0 + x / 2 if x < 1e-9 else x / -math.expm1(-x)
        waited_s = (frame.acquired_at - since).total_seconds()
        growths.append(during * decay_factor(-waited_s, half_life_s))
    return tuple(growths)


def is_usable(factor: Factor) -> bool:
    """Whether a factor is finite and above 0, in every slice where it has slices."""
    return all(0 < k < math.inf for k in (factor if isinstance(factor, tuple) else (factor,)))


def times(factor: Factor, number: float) -> Factor:
    """Return a factor times a number, slice by slice where it has slices."""
    if isinstance(factor, tuple):
        return tuple(k * number for k in factor)
    return factor * number
