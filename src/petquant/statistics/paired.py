"""Paired differences without clusters: the tests that everybody knows, for the sensitivity table."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from petquant.statistics.estimate import Estimate, Test

__all__ = [
    "cluster_bootstrap_interval",
    "hodges_lehmann",
    "mann_whitney",
    "paired_t",
    "paired_t_interval",
    "wilcoxon",
]


def paired_t(differences: ArrayLike) -> Test:
    """Return Student's paired t test of (n,) differences; it takes every pair for independent.

    Differences that are equal up to rounding have no spread, and then there is no test.
    """
    d = np.asarray(differences, np.float64)
    if len(d) < 2 or d.std() <= 1e-12 * np.abs(d).max():
        return Test(name="paired t", p=None, statistic=None, n=len(d))
    result = stats.ttest_1samp(d, 0.0)
    return Test(name="paired t", p=float(result.pvalue), statistic=float(result.statistic), n=len(d))


def paired_t_interval(differences: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the mean of (n,) differences with ``mean +- t_(n-1) sd / sqrt(n)``."""
    d = np.asarray(differences, np.float64)
    mean, n = float(d.mean()), len(d)
    if n < 2:
        return Estimate(value=mean, low=None, high=None, level=level, method="t")
    half = float(stats.t.ppf(0.5 + level / 2.0, n - 1) * d.std(ddof=1) / math.sqrt(n))
    return Estimate(value=mean, low=mean - half, high=mean + half, level=level, method="t")


def wilcoxon(differences: ArrayLike) -> Test:
    """Return Wilcoxon's signed-rank test of (n,) differences: exact to 50 pairs without ties or zeros.

    Differences that are equal up to rounding (1e-12 of the largest) are ties: 4.45 - 24.21 and 4.45 - 24.21
    of two lesions must not be told apart by their last bit.
    """
    d = np.asarray(differences, np.float64)
    if not len(d) or not d.any():
        return Test(name="Wilcoxon signed-rank", p=None, statistic=None, n=len(d))
    scale = float(np.abs(d).max())
    rounded = np.round(d / scale, 12)
    distinct = np.unique(np.abs(rounded))
    is_exact = len(d) <= 50 and len(distinct) == len(d) and bool(rounded.all())
    method = "exact" if is_exact else "asymptotic"
    result = stats.wilcoxon(rounded, method=method, correction=not is_exact)
    name = f"Wilcoxon signed-rank, {method}" + ("" if is_exact else ", continuity-corrected")
    return Test(name=name, p=float(result.pvalue), statistic=float(result.statistic), n=len(d))


def mann_whitney(a: ArrayLike, b: ArrayLike) -> Test:
    """Return the Mann-Whitney test of two unpaired rows: exact below 50 values without ties."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    n = len(first) + len(second)
    if not len(first) or not len(second):
        return Test(name="Mann-Whitney", p=None, statistic=None, n=n)
    together = np.concatenate([first, second])
    is_exact = n < 50 and len(np.unique(together)) == n
    method = "exact" if is_exact else "asymptotic"
    result = stats.mannwhitneyu(first, second, method=method, use_continuity=True)
    name = f"Mann-Whitney, {method}" + ("" if is_exact else ", continuity-corrected")
    return Test(name=name, p=float(result.pvalue), statistic=float(result.statistic), n=n)


def hodges_lehmann(differences: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the median of the Walsh averages ``(d_i + d_j)/2``, i <= j, with its interval.

    Notes
    -----
    The ends are the k-th smallest and k-th largest of the ``M = n(n+1)/2`` averages,
    ``k = round(M/2 - z sqrt(n(n+1)(2n+1)/24))`` (Hollander, Wolfe, Chicken 2014, section 3.3). Where k
    would be below 1 the interval has no ends.
    """
    d = np.asarray(differences, np.float64)
    n = len(d)
    if not n:
        raise ValueError("no difference")
    i, j = np.triu_indices(n)
    walsh = np.sort((d[i] + d[j]) / 2.0)
    m = len(walsh)
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    k = round(m / 2.0 - z * math.sqrt(n * (n + 1) * (2 * n + 1) / 24.0))
    low, high = (float(walsh[k - 1]), float(walsh[m - k])) if k >= 1 else (None, None)
    return Estimate(
        value=float(np.median(walsh)), low=low, high=high, level=level, method="ordered Walsh averages"
    )


def cluster_bootstrap_interval(
    differences: ArrayLike, clusters: ArrayLike, *, level: float = 0.95, draws: int = 10_000, seed: int = 1
) -> Estimate:
    """Return the mean difference with the percentile interval of patients drawn again with replacement.

    It is liberal below 30 patients (with 10 it calls 9 % of nothing significant, not 5 %); `method` says so.
    """
    d, names = np.asarray(differences, np.float64), np.asarray(clusters)
    _, which = np.unique(names, return_inverse=True)
    sums, counts = np.bincount(which, weights=d), np.bincount(which)
    k = len(counts)
    drawn = np.random.default_rng(seed).integers(0, k, (draws, k))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    method = f"bootstrap of patients, {draws} draws, seed {seed}" + (
        "" if k >= 30 else ", liberal below 30 patients"
    )
    return Estimate(value=float(d.mean()), low=float(low), high=float(high), level=level, method=method)
