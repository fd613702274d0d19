"""Paired tests against their tabulated values and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from petquant.statistics.paired import (
    cluster_bootstrap_interval,
    hodges_lehmann,
    mann_whitney,
    paired_t,
    paired_t_interval,
    wilcoxon,
)


def test_the_estimands_of_the_cohort(cohort):
    d = cohort.differences
    assert paired_t(d).p == pytest.approx(0.0749, abs=5e-5)
    assert wilcoxon(d).p == pytest.approx(0.0993, abs=5e-5)
    assert "exact" in wilcoxon(d).name
    interval = paired_t_interval(d)
    assert (interval.low, interval.high) == pytest.approx((-5.691, 0.292), abs=5e-4)
    both = cohort.state == "both"
    assert paired_t(d[both]).p == pytest.approx(0.0316, abs=5e-5)
    own = mann_whitney(cohort.pentixafor[cohort.state != "fdg"], cohort.fdg[cohort.state != "pent"])
    assert own.p == pytest.approx(0.0122, abs=5e-5)
    assert "continuity" in own.name
    logs = np.log(cohort.pentixafor) - np.log(cohort.fdg)
    assert np.exp(logs.mean()) == pytest.approx(0.809, abs=5e-4)
    assert paired_t(logs).p == pytest.approx(0.402, abs=5e-4)


def test_hodges_lehmann_of_the_cohort(cohort):
    estimate = hodges_lehmann(cohort.differences)
    # k = round(351/2 - 1.95996 sqrt(26 27 53/24)) = 98 of 351 averages
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((-1.51, -4.31, 0.275), abs=1e-9)


def test_hodges_lehmann_of_three_by_hand():
    # averages 1, 1.5, 2, 2.5, 3, 4 and 2.5 of (1, 4), (2, 3) ... of 1, 2, 4: 1 1.5 2 2.5 3 4
    assert hodges_lehmann([1.0, 2.0, 4.0]).value == 2.25
    assert hodges_lehmann([1.0, 2.0, 4.0]).low is None


def test_the_bootstrap_of_patients_is_liberal_and_says_so(cohort):
    interval = cluster_bootstrap_interval(cohort.differences, cohort.patient)
    # "about [-5.51, -0.24]"; two percentiles of 10,000 means of sd 1.36 are good to 0.05
    assert (interval.low, interval.high) == pytest.approx((-5.51, -0.24), abs=0.06)
    assert "liberal" in interval.method
    assert cluster_bootstrap_interval(cohort.differences, cohort.patient) == interval


def test_against_scipy():
    rng = np.random.default_rng(2)
    for n in (6, 20, 60):
        d = rng.normal(0.3, 1.0, n)
        assert paired_t(d).p == pytest.approx(stats.ttest_rel(d, np.zeros(n)).pvalue, abs=1e-12)
        method = "exact" if n <= 50 else "asymptotic"
        want = stats.wilcoxon(d, method=method, correction=n > 50)
        assert wilcoxon(d).p == pytest.approx(want.pvalue, abs=1e-12)


def test_differences_equal_but_for_rounding_are_ties():
    d = np.array([4.45 - 24.21, 24.21 - 4.45, 0.3, 0.1 + 0.2, 1.0, 2.0])
    assert "asymptotic" in wilcoxon(d).name


def test_without_spread_or_pairs_there_is_no_test():
    assert paired_t([1.0]).p is None
    assert paired_t([1.0, 1.0]).p is None
    assert wilcoxon([0.0, 0.0]).p is None
    assert mann_whitney([], [1.0]).p is None


@pytest.mark.filterwarnings("error")
def test_differences_that_are_equal_up_to_rounding_have_no_t_test():
    assert paired_t([0.1 + 0.2, 0.3, 0.3]).p is None  # 0.1 + 0.2 is not 0.3 in the last bit
    assert paired_t([0.0, 0.0, 0.0]).p is None
