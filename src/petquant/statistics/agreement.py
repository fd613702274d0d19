"""Agreement of two measurements: limits, concordance, intraclass correlation, repeatability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from petquant.statistics.estimate import Estimate, Test, finite_pairs
from petquant.statistics.limits import COVERAGE, limits_percent

__all__ = [
    "BlandAltman",
    "Repeatability",
    "bland_altman",
    "concordance_correlation",
    "intraclass_correlation",
    "limits_percent",
    "repeatability",
]

Scale = Literal["difference", "percent", "log-ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlandAltman:
    """Limits of agreement.

    Parameters
    ----------
    scale
        ``difference`` (a - b), ``percent`` (100 (a - b) / mean of both), or ``log-ratio`` (as the ratio a/b:
        mean, limits and their intervals are exponentials of those of ln a - ln b).
    n
        Pairs.
    mean, sd
        Of the differences; of the ratio `sd` stays that of the logarithms.
    lower, upper
        Limits ``mean -+ 1.96 sd`` with the interval ``t_(n-1) sd sqrt(1/n + 1.96^2/(2 (n-1)))`` of each.
    proportional_bias
        Test of the slope of difference on mean of the pair.
    """

    scale: Scale
    n: int
    mean: Estimate
    sd: float
    lower: Estimate
    upper: Estimate
    proportional_bias: Test


def bland_altman(
    a: ArrayLike, b: ArrayLike, *, scale: Scale = "log-ratio", level: float = 0.95
) -> BlandAltman:
    """Return the limits of agreement of (n,) pairs (Bland and Altman 1999, Stat Methods Med Res 8: 135).

    Raises
    ------
    ValueError
        With fewer than 3 pairs, or when the log-ratio is asked of values that are not positive.
    """
    first, second = finite_pairs(a, b)
    n = len(first)
    if n < 3:
        raise ValueError("limits of agreement need three pairs")
    if scale == "log-ratio":
        if min(first.min(), second.min()) <= 0:
            raise ValueError("a ratio needs positive values")
        d, centre = np.log(first) - np.log(second), (np.log(first) + np.log(second)) / 2.0
    else:
        d, centre = first - second, (first + second) / 2.0
        if scale == "percent":
            d = 100.0 * d / centre
    mean, sd = float(d.mean()), float(d.std(ddof=1))
    z, t = 1.96, float(stats.t.ppf(0.5 + level / 2.0, n - 1))
    of_mean = t * sd / math.sqrt(n)
    of_limit = t * sd * math.sqrt(1.0 / n + z**2 / (2.0 * (n - 1)))

    def estimate(value: float, half: float) -> Estimate:
        ends = [value, value - half, value + half]
        if scale == "log-ratio":
            ends = [math.exp(end) for end in ends]
        return Estimate(value=ends[0], low=ends[1], high=ends[2], level=level, method="t")

    slope = stats.linregress(centre, d) if np.ptp(centre) > 0 and np.ptp(d) > 0 else None
    return BlandAltman(
        scale=scale,
        n=n,
        mean=estimate(mean, of_mean),
        sd=sd,
        lower=estimate(mean - z * sd, of_limit),
        upper=estimate(mean + z * sd, of_limit),
        proportional_bias=Test(
            name="slope of difference on mean",
            p=None if slope is None else float(slope.pvalue),
            statistic=None if slope is None else float(slope.slope),
            n=n,
        ),
    )


def concordance_correlation(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return Lin's coefficient ``2 s_xy/(s_x^2 + s_y^2 + (m_x - m_y)^2)`` with moments over n.

    The interval is symmetric in Fisher's z with Lin's variance (Lin 1989, Biometrics 45: 255; 2000, 56: 324).
    """
    x, y = finite_pairs(a, b)
    n = len(x)
    covariance = float(((x - x.mean()) * (y - y.mean())).mean())
    shift = float(x.mean() - y.mean())
    spread = float(x.var() + y.var())
    method = "Fisher z, Lin's variance"
    if spread + shift**2 == 0.0:
        return Estimate(value=1.0, low=None, high=None, level=level, method=method)
    value = 2.0 * covariance / (spread + shift**2)
    r = covariance / math.sqrt(float(x.var() * y.var())) if x.var() and y.var() else 0.0
    if n < 4 or r == 0.0 or abs(value) >= 1.0:
        return Estimate(value=value, low=None, high=None, level=level, method=method)
    u2 = shift**2 / math.sqrt(float(x.var() * y.var()))
    c = value
    variance = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u2 / (r * (1 - c**2) ** 2)
        - c**4 * u2**2 / (2 * r**2 * (1 - c**2) ** 2)
    ) / (n - 2)
    if variance <= 0.0:
        return Estimate(value=value, low=None, high=None, level=level, method=method)
    half = float(stats.norm.ppf(0.5 + level / 2.0)) * math.sqrt(variance)
    z = math.atanh(value)
    return Estimate(
        value=value, low=math.tanh(z - half), high=math.tanh(z + half), level=level, method=method
    )


def intraclass_correlation(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> dict[str, Estimate]:
    """Return ICC(1,1), ICC(A,1) and ICC(C,1) of (n,) pairs with their F intervals.

    Notes
    -----
    From the mean squares of rows R, columns C, error E and within W of the n x 2 table, k = 2:
    ``(R - W)/(R + (k-1) W)``, ``(R - E)/(R + (k-1) E + k (C - E)/n)``, ``(R - E)/(R + (k-1) E)`` (McGraw,
    Wong 1996, Psychological Methods 1: 30, tables 4 and 7).
    """
    table = np.column_stack(finite_pairs(a, b))
    n, k = table.shape
    if n < 2:
        raise ValueError("an intraclass correlation needs two pairs")
    grand, of_rows, of_columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rows = k * float(((of_rows - grand) ** 2).sum()) / (n - 1)
    columns = n * float(((of_columns - grand) ** 2).sum()) / (k - 1)
    within = float(((table - of_rows[:, None]) ** 2).sum()) / (n * (k - 1))
    residual = table - of_rows[:, None] - of_columns[None, :] + grand
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    q = 0.5 + level / 2.0

    def f(degrees: float, others: float) -> float:
        return float(stats.f.ppf(q, degrees, others))

    def by_ratio(ratio: float, others: float) -> tuple[float, float]:
        low, high = ratio / f(n - 1, others), ratio * f(others, n - 1)
        return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)

    one = (rows - within) / (rows + (k - 1) * within)
    consistent = (rows - error) / (rows + (k - 1) * error)
    absolute = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    slope = k * absolute / (n * (1 - absolute))
    offset = 1 + k * absolute * (n - 1) / (n * (1 - absolute))
    degrees = (slope * columns + offset * error) ** 2 / (
        (slope * columns) ** 2 / (k - 1) + (offset * error) ** 2 / ((n - 1) * (k - 1))
    )
    upper, lower = f(n - 1, degrees), f(degrees, n - 1)
    mixed = k * columns + (k * n - k - n) * error
    ends = {
        "ICC(1,1)": by_ratio(rows / within, n * (k - 1)),
        "ICC(A,1)": (
            n * (rows - upper * error) / (upper * mixed + n * rows),
            n * (lower * rows - error) / (mixed + n * lower * rows),
        ),
        "ICC(C,1)": by_ratio(rows / error, (n - 1) * (k - 1)),
    }
    values = {"ICC(1,1)": one, "ICC(A,1)": absolute, "ICC(C,1)": consistent}
    return {
        name: Estimate(value=value, low=ends[name][0], high=ends[name][1], level=level, method="F")
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """What two measurements of the same lesion may differ by.

    Parameters
    ----------
    n
        Pairs.
    within_sd, coefficient
        wSD, and the repeatability coefficient ``1.96 sqrt(2) wSD`` (2.77 wSD).
    within_cv
        wSD of the logarithms; None where a value is not positive.
    lower_percent, upper_percent
        As of `limits_percent`.
    """

    n: int
    within_sd: float
    coefficient: float
    within_cv: float | None
    lower_percent: float | None
    upper_percent: float | None


def repeatability(a: ArrayLike, b: ArrayLike) -> Repeatability:
    """Return the repeatability of (n,) pairs; wSD is the root of the mean variance within pairs.

    Bland and Altman 1996, BMJ 313: 744.
    """
    first, second = finite_pairs(a, b)
    within_sd = math.sqrt(float(((first - second) ** 2 / 2.0).mean()))
    within_cv = None
    if min(first.min(), second.min()) > 0:
        within_cv = math.sqrt(float(((np.log(first) - np.log(second)) ** 2 / 2.0).mean()))
    limits = limits_percent(within_cv) if within_cv is not None else (None, None)
    return Repeatability(
        n=len(first),
        within_sd=within_sd,
        coefficient=COVERAGE * within_sd,
        within_cv=within_cv,
        lower_percent=limits[0],
        upper_percent=limits[1],
    )
