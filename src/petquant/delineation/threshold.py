"""A threshold is the value from which on a voxel belongs: x >= t, both float64.

Each function is one rule; `threshold_of` takes the one that a method names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.delineation.methods import Delineation, Level
from petquant.errors import Refused

__all__ = [
    "Threshold",
    "adapted",
    "mean_above_70",
    "mean_and_sd",
    "otsu",
    "percist",
    "threshold_of",
]

Float = NDArray[np.float64]

PERCIST_FACTOR = {"liver": 1.5, "blood_pool": 2.0}  # of the mean; both + 2 SD (Wahl et al. 2009)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold in the unit of the volume, and the rule that gave it, in words."""

    value: float
    rule: str


def adapted(maximum: float, background: float, fraction: float) -> float:
    """Return ``F (max + background)``: F = 0.5 is the point midway between the two (A50, EARL)."""
    return fraction * (maximum + background)


def mean_and_sd(mean: float, sd: float, *, factor: float, n_sd: float) -> float:
    """Return ``factor mean + n_sd SD``."""
    return factor * mean + n_sd * sd


def percist(mean: float, sd: float, *, of: str) -> float:
    """Return 1.5 mean + 2 SD of the liver, or 2 mean + 2 SD of the blood pool (Wahl et al. 2009)."""
    return mean_and_sd(mean, sd, factor=PERCIST_FACTOR[of], n_sd=2.0)


def mean_above_70(x: Float) -> float:
    """Return I70, the mean of the values of at least 0.7 of their maximum."""
    return float(x[x >= 0.7 * x.max()].mean())


def otsu(x: Float) -> float:
    """Return Otsu's threshold of values, as scikit-image finds it in 256 bins.

    Raises
    ------
    Refused
        DELINEATION_UNDEFINED, of values that are all equal.
    """
    from skimage.filters import threshold_otsu  # noqa: PLC0415 - its import takes a second

    if x.min() == x.max():
        raise Refused.of(
            "DELINEATION_UNDEFINED",
            f"all {len(x)} voxels hold {x.min():.6g}: Otsu's threshold separates two classes",
            expected="a region that holds the lesion and what surrounds it",
        )
    return float(threshold_otsu(x))  # type: ignore[no-untyped-call] # scikit-image has no types here


def threshold_of(delineation: Delineation, x: Float, level: Level | None) -> Threshold:
    """Return the threshold of a method that has one.

    Parameters
    ----------
    delineation
        Accepted by `petquant.delineation.methods.require_meant`.
    x
        (n,) values of the voxels that are searched; may be empty for methods that do not look at them.
    level
        The background.
    """
    method, d = delineation.method, delineation
    mean, sd = (0.0, None) if level is None else (level.mean, level.sd)
    if method == "fixed":
        return Threshold(value=_given(d.threshold), rule="fixed")
    if method == "fraction":
        fraction = _given(d.fraction)
        return Threshold(value=fraction * float(x.max()), rule=f"{100 * fraction:g} % of max")
    if method == "adapted":
        fraction = _given(d.fraction)
        return Threshold(
            value=adapted(float(x.max()), mean, fraction),
            rule=f"{fraction:g} (max + background {_of(level)})",
        )
    if method == "percist":
        name = "" if level is None else level.name
        return Threshold(
            value=percist(mean, _given(sd), of=name),
            rule=f"PERCIST {PERCIST_FACTOR[name]:g} mean + 2 SD of {_of(level)}",
        )
    if method == "liver":
        n_sd = _given(d.n_sd)
        return Threshold(
            value=mean_and_sd(mean, _given(sd), factor=1.0, n_sd=n_sd),
            rule=f"mean + {n_sd:g} SD of {_of(level)}",
        )
    if method == "nestle":
        beta = _given(d.beta)
        return Threshold(
            value=beta * mean_above_70(x) + mean,
            rule=f"Nestle {beta:g} I70 + background {_of(level)}",
        )
    if method == "schaefer":
        a, b = _given(d.a), _given(d.b)
        return Threshold(
            value=a * mean_above_70(x) + b * mean,
            rule=f"Schaefer {a:g} I70 + {b:g} background {_of(level)}",
        )
    return Threshold(value=otsu(x), rule="Otsu (256 bins)")


def _given(value: float | None) -> float:
    if value is None:
        raise TypeError("a parameter of the method is missing")  # require_meant comes first
    return value


def _of(level: Level | None) -> str:
    if level is None:
        return ""
    numbers = f"{level.mean:.6g}" if level.sd is None else f"mean {level.mean:.6g}, SD {level.sd:.6g}"
    return f"{level.name} ({numbers})" if level.name else numbers
