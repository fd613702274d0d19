"""ROC: how well a number tells two groups apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from petquant.statistics.estimate import Estimate, Test

__all__ = ["Roc", "delong_test", "roc", "roc_bootstrap_interval"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """Area under the curve with DeLong's interval, and the cut-off with the largest Youden index.

    Parameters
    ----------
    auc
        With a normal interval of DeLong's variance, cut at 0 and 1.
    n_positive, n_negative
        Values of both groups.
    cutoff, youden
        Positive is ``value >= cutoff``; of several equal indices the highest cut-off. ``sensitivity +
        specificity - 1``.
    sensitivity, specificity
        At the cut-off.
    """

    auc: Estimate
    n_positive: int
    n_negative: int
    cutoff: float
    youden: float
    sensitivity: float
    specificity: float


def roc(values: ArrayLike, is_positive: ArrayLike, *, level: float = 0.95) -> Roc:
    """Return the curve of (n,) values by (n,) truth (DeLong et al. 1988, Biometrics 44: 837).

    Raises
    ------
    ValueError
        When one of the groups is empty.
    """
    positive, negative = _groups(values, is_positive)
    of_positive, of_negative = _placements(positive, negative)
    auc = float(of_positive.mean())
    variance = _variance(of_positive, of_negative)
    half = float(stats.norm.ppf(0.5 + level / 2.0)) * math.sqrt(variance)
    cutoffs = np.unique(np.concatenate([positive, negative]))[::-1]
    sensitivity = (positive[None, :] >= cutoffs[:, None]).mean(axis=1)
    specificity = (negative[None, :] < cutoffs[:, None]).mean(axis=1)
    best = int(np.argmax(sensitivity + specificity))
    return Roc(
        auc=Estimate(
            value=auc, low=max(0.0, auc - half), high=min(1.0, auc + half), level=level, method="DeLong"
        ),
        n_positive=len(positive),
        n_negative=len(negative),
        cutoff=float(cutoffs[best]),
        youden=float(sensitivity[best] + specificity[best] - 1.0),
        sensitivity=float(sensitivity[best]),
        specificity=float(specificity[best]),
    )


def delong_test(a: ArrayLike, b: ArrayLike, is_positive: ArrayLike) -> Test:
    """Return the test that two (n,) rows of values of the same things have the same area under the curve."""
    of_a, of_b = (_placements(*_groups(values, is_positive)) for values in (a, b))
    difference = float(of_a[0].mean() - of_b[0].mean())
    n = len(of_a[0]) + len(of_a[1])
    variance = _variance(of_a[0] - of_b[0], of_a[1] - of_b[1])
    if variance <= 0.0:
        return Test(name="DeLong", p=1.0 if difference == 0.0 else None, statistic=None, n=n)
    z = difference / math.sqrt(variance)
    return Test(name="DeLong", p=float(2.0 * stats.norm.sf(abs(z))), statistic=z, n=n)


def roc_bootstrap_interval(
    values: ArrayLike,
    is_positive: ArrayLike,
    clusters: ArrayLike,
    *,
    level: float = 0.95,
    draws: int = 2_000,
    seed: int = 1,
) -> Estimate:
    """Return the area with the percentile interval of patients drawn again with replacement."""
    x, truth, names = np.asarray(values, np.float64), np.asarray(is_positive, bool), np.asarray(clusters)
    auc = float(_placements(*_groups(x, truth))[0].mean())
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(draws):
        picked = np.concatenate([members[n] for n in rng.integers(0, len(members), len(members))])
        if 0 < truth[picked].sum() < len(picked):
            areas.append(float(_placements(*_groups(x[picked], truth[picked]))[0].mean()))
    low, high = np.percentile(areas, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    method = f"bootstrap of patients, {len(areas)} draws, seed {seed}"
    return Estimate(value=auc, low=float(low), high=float(high), level=level, method=method)


def _groups(values: ArrayLike, is_positive: ArrayLike) -> tuple[Float, Float]:
    x, truth = np.asarray(values, np.float64), np.asarray(is_positive, bool)
    if x.shape != truth.shape or x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("one finite value and one truth for each thing")
    if not 0 < truth.sum() < len(truth):
        raise ValueError("both groups need a member")
    return x[truth], x[~truth]


def _placements(positive: Float, negative: Float) -> tuple[Float, Float]:
    """Return for every positive the share of negatives below, for every negative that of positives above."""
    compared = np.sign(np.subtract.outer(positive, negative)) * 0.5 + 0.5
    return compared.mean(axis=1), compared.mean(axis=0)


def _variance(of_positive: Float, of_negative: Float) -> float:
    return sum(float(part.var(ddof=1)) / len(part) for part in (of_positive, of_negative) if len(part) > 1)
