"""Agreement of two tracers on the values of the same lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petquant.reads.pair import LesionPair
from petquant.reads.paired import paired_values
from petquant.statistics.agreement import (
    BlandAltman,
    bland_altman,
    concordance_correlation,
    intraclass_correlation,
)
from petquant.statistics.estimate import Estimate, Test

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two tracers give the same number for a lesion.

    Parameters
    ----------
    metric
        Column of `petquant.quantities`.
    n, n_forced
        Pairs with a value of both, and those of them with a forced one.
    bland_altman
        Of ratios a/b; of differences where a value is not positive; None below three pairs.
    ccc
        Lin's concordance correlation; None below three pairs.
    icc
        ICC(1,1), ICC(A,1), ICC(C,1); empty below three pairs, or when all values are equal.
    spearman
        Rank correlation; None where it is not defined.
    """

    metric: str
    n: int
    n_forced: int
    bland_altman: BlandAltman | None
    ccc: Estimate | None
    icc: dict[str, Estimate]
    spearman: Test | None


def agreement(pairs: Sequence[LesionPair], metric: str, *, level: float = 0.95) -> Agreement:
    """Return the agreement of a and b in one metric; lesions count as independent, which limits assume."""
    found = paired_values(pairs, metric)
    a, b = found.a, found.b
    if len(a) < 3:
        return Agreement(
            metric=metric,
            n=len(a),
            n_forced=found.n_forced,
            bland_altman=None,
            ccc=None,
            icc={},
            spearman=None,
        )
    is_positive = min(a.min(), b.min()) > 0
    varies = bool(np.ptp(a) > 0 and np.ptp(b) > 0)
    return Agreement(
        metric=metric,
        n=len(a),
        n_forced=found.n_forced,
        bland_altman=bland_altman(a, b, scale="log-ratio" if is_positive else "difference", level=level),
        ccc=concordance_correlation(a, b, level=level),
        icc=intraclass_correlation(a, b, level=level) if varies and np.ptp(a - b) > 0 else {},
        spearman=_spearman(a, b) if varies else None,
    )


def _spearman(a: np.ndarray, b: np.ndarray) -> Test:
    from scipy import stats  # noqa: PLC0415 - the tables of one patient need no test

    result = stats.spearmanr(a, b)
    return Test(name="Spearman", p=float(result.pvalue), statistic=float(result.statistic), n=len(a))
