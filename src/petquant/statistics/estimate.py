"""An estimate is a number with its interval; a test is a p value with its name and the counts behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "Test", "finite_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval.

    Parameters
    ----------
    value, low, high
        An end is None where the data do not bound it.
    level
        Of the interval, 0.95 as a rule.
    method
        How the interval came about.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A two-sided test.

    Parameters
    ----------
    name
        Of the test, with its variant.
    p
        None where the data do not allow the test.
    statistic
        What was compared with its distribution; None where the test has none.
    n, n_clusters
        Pairs, and patients where they were clusters.
    """

    __test__ = False  # for pytest, which collects whatever is called Test

    name: str
    p: float | None
    statistic: float | None
    n: int
    n_clusters: int | None = None


def finite_pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two arrays of one length as float64.

    Raises
    ------
    ValueError
        When the lengths differ, or a value is not finite: missing pairs are for the caller to leave out.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"pairs need two rows of one length, not {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a value of a pair is not finite")
    return first, second
