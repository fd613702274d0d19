"""Paired values: the same lesions under two tracers, by explicit estimand.

One data set gives p from 0.01 to 0.4, by which lesions count, what a case is, and on what scale one compares:
a p value is never given without those three, and the alternatives always stand beside the default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from petquant.reads.pair import LesionPair, LesionRead
from petquant.statistics.estimate import Estimate, Test
from petquant.statistics.paired import (
    cluster_bootstrap_interval,
    hodges_lehmann,
    mann_whitney,
    paired_t,
    paired_t_interval,
    wilcoxon,
)
from petquant.statistics.sign_flip import sign_flip, sign_flip_interval

__all__ = ["Estimand", "PairedValues", "estimands", "paired_values"]

Which = Literal["union", "both-positive", "own-positive"]
Unit = Literal["lesion", "patient-max", "patient-mean", "region-max"]
Scale = Literal["difference", "log-ratio"]
Float = NDArray[np.float64]

FEWEST: Final = 6  # pairs: with fewer there is an estimate and no test


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimand:
    """One comparison of a with b: which lesions, what a case is, on what scale, by what test.

    Parameters
    ----------
    set
        ``union`` (every lesion, the other tracer measured at its place), ``both-positive``, or
        ``own-positive`` (each tracer its own lesions, unpaired).
    unit
        ``lesion``, ``patient-max``, ``patient-mean`` or ``region-max``.
    scale
        ``difference`` (a - b) or ``log-ratio`` (geometric mean of a/b, with its interval).
    metric
        Column of `petquant.quantities`.
    n, n_b, n_patients, n_missing, n_forced
        Cases (of a, where unpaired, and of b), patients, lesions left out because a value is missing, and
        pairs in which one value is forced.
    mean_a, mean_b, sd_a, sd_b
        Means and sample standard deviations of the values that were compared; no SD of one value.
    estimate
        Difference or ratio with its interval; None where unpaired.
    test
        Two-sided; p is None below 6 cases.
    is_default
        Whether this is the one that counts: union, lesion, difference, patient sign-flip.
    """

    set: Which
    unit: Unit
    scale: Scale
    metric: str
    n: int
    n_b: int
    n_patients: int
    n_missing: int
    n_forced: int
    mean_a: float
    mean_b: float
    sd_a: float | None
    sd_b: float | None
    estimate: Estimate | None
    test: Test
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedValues:
    """Values of one metric: (n,) of a and of b with their patients and regions, and what was left out."""

    a: Float
    b: Float
    patients: tuple[str, ...]
    regions: tuple[str, ...]
    n_missing: int
    n_forced: int


def paired_values(pairs: Iterable[LesionPair], metric: str) -> PairedValues:
    """Return the pairs that have the metric on both scans."""
    kept, n_missing = [], 0
    for pair in pairs:
        first, second = _value(pair.a, metric), _value(pair.b, metric)
        if first is None or second is None:
            n_missing += 1
            continue
        is_forced = any(read is not None and read.is_forced for read in (pair.a, pair.b))
        kept.append((first, second, pair.patient, f"{pair.patient}\0{pair.region}", is_forced))
    return PairedValues(
        a=np.array([row[0] for row in kept], np.float64),
        b=np.array([row[1] for row in kept], np.float64),
        patients=tuple(row[2] for row in kept),
        regions=tuple(row[3] for row in kept),
        n_missing=n_missing,
        n_forced=sum(row[4] for row in kept),
    )


def estimands(pairs: Sequence[LesionPair], metric: str, *, level: float = 0.95) -> tuple[Estimand, ...]:
    """Return the sensitivity table of one metric, the default first.

    Parameters
    ----------
    pairs
        All lesions of the cohort.
    metric
        Column of `petquant.quantities`, for example ``suv_max``.
    level
        Of the intervals.
    """
    union = paired_values(pairs, metric)
    both = paired_values([pair for pair in pairs if pair.calls == (True, True)], metric)
    rows: list[Estimand] = []
    if len(union.a):
        d = union.a - union.b
        flip = sign_flip(d, union.patients)
        rows.append(
            _row(
                union,
                metric,
                test=flip,
                estimate=sign_flip_interval(d, union.patients, level=level),
                is_default=True,
            )
        )
        rows.append(_row(union, metric, test=paired_t(d), estimate=paired_t_interval(d, level=level)))
        rows.append(_row(union, metric, test=wilcoxon(d), estimate=hodges_lehmann(d, level=level)))
        if len(set(union.patients)) > 1:
            interval = cluster_bootstrap_interval(d, union.patients, level=level)
            no_test = Test(name="none, interval by bootstrap of patients", p=None, statistic=None, n=len(d))
            rows.append(_row(union, metric, test=no_test, estimate=interval))
    if len(both.a):
        d = both.a - both.b
        for test, estimate in _of_differences(d, both.patients, level):
            rows.append(_row(both, metric, which="both-positive", test=test, estimate=estimate))
    rows += _unpaired(pairs, metric)
    summaries: tuple[tuple[Unit, Sequence[str], Any], ...] = (
        ("patient-max", union.patients, np.max),
        ("patient-mean", union.patients, np.mean),
        ("region-max", union.regions if any(pair.region for pair in pairs) else (), np.max),
    )
    for unit, groups, how in summaries:
        rows += _grouped(union, metric, unit, groups=groups, how=how, level=level)
    if len(union.a) and min(union.a.min(), union.b.min()) > 0:
        d = np.log(union.a) - np.log(union.b)
        for test, estimate in _of_differences(d, union.patients, level):
            rows.append(_row(union, metric, scale="log-ratio", test=test, estimate=_exponential(estimate)))
    return tuple(rows)


def _of_differences(d: Float, patients: Sequence[str], level: float) -> list[tuple[Test, Estimate]]:
    return [
        (sign_flip(d, patients), sign_flip_interval(d, patients, level=level)),
        (paired_t(d), paired_t_interval(d, level=level)),
    ]


def _grouped(
    union: PairedValues,
    metric: str,
    unit: Unit,
    *,
    groups: Sequence[str],
    how: Callable[[Float], Any],
    level: float,
) -> list[Estimand]:
    """Return the rows of values summarised by patient or region; regions stay clustered by patient."""
    if not groups:
        return []
    names = list(dict.fromkeys(groups))
    place = np.array([names.index(group) for group in groups])
    a, b = (np.array([how(values[place == n]) for n in range(len(names))]) for values in (union.a, union.b))
    patients = tuple(name.partition("\0")[0] for name in names)
    summarised = PairedValues(
        a=a, b=b, patients=patients, regions=(), n_missing=union.n_missing, n_forced=union.n_forced
    )
    return [
        _row(summarised, metric, unit=unit, test=test, estimate=estimate)
        for test, estimate in _of_differences(a - b, patients, level)
    ]


def _unpaired(pairs: Sequence[LesionPair], metric: str) -> list[Estimand]:
    """Return the comparison of each tracer's own positive lesions: what a paper without pairing reports."""
    own_a = [_value(pair.a, metric) for pair in pairs if pair.calls[0]]
    own_b = [_value(pair.b, metric) for pair in pairs if pair.calls[1]]
    a = np.array([value for value in own_a if value is not None], np.float64)
    b = np.array([value for value in own_b if value is not None], np.float64)
    if not len(a) or not len(b):
        return []
    return [
        Estimand(
            set="own-positive",
            unit="lesion",
            scale="difference",
            metric=metric,
            n=len(a),
            n_b=len(b),
            n_patients=len({pair.patient for pair in pairs if True in pair.calls}),
            n_missing=len(own_a) - len(a) + len(own_b) - len(b),
            n_forced=0,
            mean_a=float(a.mean()),
            mean_b=float(b.mean()),
            sd_a=_sd(a),
            sd_b=_sd(b),
            estimate=None,
            test=_tested(mann_whitney(a, b), min(len(a), len(b))),
        )
    ]


def _row(
    values: PairedValues,
    metric: str,
    *,
    test: Test,
    estimate: Estimate,
    which: Which = "union",
    unit: Unit = "lesion",
    scale: Scale = "difference",
    is_default: bool = False,
) -> Estimand:
    return Estimand(
        set=which,
        unit=unit,
        scale=scale,
        metric=metric,
        n=len(values.a),
        n_b=len(values.b),
        n_patients=len(set(values.patients)),
        n_missing=values.n_missing,
        n_forced=values.n_forced,
        mean_a=float(values.a.mean()),
        mean_b=float(values.b.mean()),
        sd_a=_sd(values.a),
        sd_b=_sd(values.b),
        estimate=estimate,
        test=_tested(test, len(values.a)),
        is_default=is_default,
    )


def _sd(values: Float) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _tested(test: Test, n: int) -> Test:
    """Return the test, without its p below 6 cases."""
    if n >= FEWEST:
        return test
    return Test(
        name=f"{test.name}: not tested below {FEWEST} pairs",
        p=None,
        statistic=test.statistic,
        n=test.n,
        n_clusters=test.n_clusters,
    )


def _exponential(estimate: Estimate) -> Estimate:
    """Return an estimate of logarithms as that of ratios."""
    low, high = (None if end is None else math.exp(end) for end in (estimate.low, estimate.high))
    return Estimate(
        value=math.exp(estimate.value), low=low, high=high, level=estimate.level, method=estimate.method
    )


def _value(read: LesionRead | None, metric: str) -> float | None:
    value = None if read is None else read.values.get(metric)
    return None if value is None else float(value)
