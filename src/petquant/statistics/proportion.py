"""Proportions: of one sample, of pairs (McNemar, Tango), and of pairs in clusters.

Pairs are counted as ``both``, ``b`` (only the first), ``c`` (only the second) and ``neither``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from petquant.statistics.estimate import Estimate, Test
from petquant.statistics.sign_flip import sign_flip

__all__ = [
    "McNemar",
    "clopper_pearson",
    "clustered_mcnemar",
    "conditional_odds_ratio",
    "mcnemar",
    "tango",
    "wilson",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The four p values of the test that ``b`` and ``c`` are equally likely; all 1 without discordant pairs.

    ``exact = min(1, 2 BinCDF(min(b, c); b + c, 1/2))``; ``mid_p`` takes the chance of the observed split off;
    ``chi2_cc`` and ``chi2`` are the p values of ``(|b - c| - 1)^2/(b + c)`` and ``(b - c)^2/(b + c)``, one
    degree of freedom.
    """

    exact: float
    mid_p: float
    chi2_cc: float
    chi2: float


def mcnemar(b: int, c: int) -> McNemar:
    """Return McNemar's test of `b` and `c` discordant pairs (McNemar 1947; mid-p: Fagerland 2013)."""
    n = b + c
    if not n:
        return McNemar(exact=1.0, mid_p=1.0, chi2_cc=1.0, chi2=1.0)
    tail = 2.0 * float(stats.binom.cdf(min(b, c), n, 0.5))
    point = float(stats.binom.pmf(min(b, c), n, 0.5))
    return McNemar(
        exact=min(1.0, tail),
        mid_p=min(1.0, tail - point),
        chi2_cc=float(stats.chi2.sf(max(abs(b - c) - 1, 0) ** 2 / n, 1)),
        chi2=float(stats.chi2.sf((b - c) ** 2 / n, 1)),
    )


def tango(b: int, c: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return the difference ``(b - c)/n`` of two paired proportions with Tango's score interval.

    Notes
    -----
    The ends are the roots of ``(b - c - n D)/sqrt(n (2 q + D (1 - D))) = +-z`` with
    ``q = (sqrt(B^2 - 4 A C) - B)/(2 A)``, ``A = 2 n``, ``B = -b - c + (2 n - b + c) D``, ``C = -c D (1 - D)``
    (Tango 1998, Statistics in Medicine 17: 891).
    """
    if n < 1 or b < 0 or c < 0 or b + c > n:
        raise ValueError(f"{b} and {c} discordant of {n} pairs")
    z = float(stats.norm.ppf(0.5 + level / 2.0))

    def score(difference: float) -> float:
        a = 2.0 * n
        linear = -b - c + (2.0 * n - b + c) * difference
        constant = -c * difference * (1.0 - difference)
        q = (math.sqrt(max(linear**2 - 4.0 * a * constant, 0.0)) - linear) / (2.0 * a)
        variance = n * (2.0 * q + difference * (1.0 - difference))
        distance = b - c - n * difference
        if variance <= 0.0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(variance)

    value = (b - c) / n
    return Estimate(
        value=value,
        low=-1.0 if value == -1.0 else _root(lambda d: score(d) - z, -1.0, value),
        high=1.0 if value == 1.0 else _root(lambda d: score(d) + z, value, 1.0),
        level=level,
        method="Tango score",
    )


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function crosses zero between two points, by halving."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in {low, high}:
            break
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2.0


def clopper_pearson(k: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return the proportion ``k/n`` with the exact interval (Clopper and Pearson 1934)."""
    return _binomial(k, n, level, "exact", "Clopper-Pearson")


def wilson(k: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return the proportion ``k/n`` with Wilson's score interval."""
    return _binomial(k, n, level, "wilson", "Wilson")


def _binomial(k: int, n: int, level: float, method: str, name: str) -> Estimate:
    interval = stats.binomtest(k, n).proportion_ci(level, method=method)
    return Estimate(value=k / n, low=float(interval.low), high=float(interval.high), level=level, method=name)


def conditional_odds_ratio(b: int, c: int, *, level: float = 0.95) -> Estimate | None:
    """Return ``b/c`` with the exact interval of ``p = b/(b + c)`` as ``p/(1 - p)``; None if b = c = 0.

    Without pairs of the second kind the ratio is infinite, and its upper end is not bounded (None).
    """
    if b + c == 0:
        return None
    share = clopper_pearson(b, b + c, level=level)
    low, high = (None if p is None or p >= 1.0 else p / (1.0 - p) for p in (share.low, share.high))
    value = b / c if c else math.inf
    return Estimate(value=value, low=low, high=high, level=level, method="Clopper-Pearson of b/(b + c)")


def clustered_mcnemar(b: ArrayLike, c: ArrayLike, n: ArrayLike) -> tuple[Test, ...]:
    """Return the tests that `b` and `c` are equally likely when pairs come in clusters.

    Parameters
    ----------
    b, c, n
        (K,) discordant pairs of both kinds and all pairs of every cluster.

    Returns
    -------
    tuple of Test
        Sign-flip on ``d_k = b_k - c_k`` (the default), then Obuchowski
        ``((K-1)/K) (sum d)^2 / sum d^2``, Durkalski ``(sum d/n)^2 / sum (d/n)^2`` and unweighted
        ``(sum d)^2 / sum d^2``, each against chi-square with one degree of freedom (Obuchowski 1998;
        Durkalski 2003, Statistics in Medicine 22: 2417).
    """
    first, second, pairs = (np.asarray(x, np.float64) for x in (b, c, n))
    if not (first.shape == second.shape == pairs.shape) or first.ndim != 1:
        raise ValueError("three rows of one length")
    d = first - second
    k, total = len(d), int(pairs.sum())
    flip = sign_flip(d)
    tests = [Test(name=f"clustered {flip.name}", p=flip.p, statistic=flip.statistic, n=total, n_clusters=k)]
    share = d / pairs
    for name, top, bottom in (
        ("Obuchowski", (k - 1) / k * d.sum() ** 2 if k else 0.0, (d**2).sum()),
        ("Durkalski", share.sum() ** 2, (share**2).sum()),
        ("clustered McNemar, unweighted", d.sum() ** 2, (d**2).sum()),
    ):
        statistic = float(top / bottom) if bottom else None
        p = None if statistic is None else float(stats.chi2.sf(statistic, 1))
        tests.append(Test(name=name, p=p, statistic=statistic, n=total, n_clusters=k))
    return tuple(tests)
