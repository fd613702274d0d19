"""ROC against counting by hand, scikit-learn, and permutation."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.statistics.multiplicity import benjamini_hochberg, holm
from petquant.statistics.roc import delong_test, roc, roc_bootstrap_interval


def test_five_values_by_hand():
    found = roc([1.0, 2.0, 2.0, 3.0, 4.0], [False, False, True, True, False])
    # positives 2, 3; negatives 1, 2, 4: wins 1 + 1/2 + 0 and 1 + 1 + 0 of 6
    assert found.auc.value == pytest.approx(3.5 / 6.0)
    # placements 0.5, 2/3 of positives; 1, 0.75, 0 of negatives
    variance = np.var([0.5, 2 / 3], ddof=1) / 2 + np.var([1.0, 0.75, 0.0], ddof=1) / 3
    half = 1.959964 * variance**0.5
    assert found.auc.high == pytest.approx(min(1.0, 3.5 / 6.0 + half), abs=1e-6)
    assert (found.n_positive, found.n_negative) == (2, 3)
    # >= 2 finds both positives and passes one negative of three
    assert (found.cutoff, found.youden) == (2.0, pytest.approx(1.0 / 3.0))
    assert (found.sensitivity, found.specificity) == (1.0, pytest.approx(1.0 / 3.0))


def test_area_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 80).astype(bool)
    values = np.round(rng.normal(size=80) + truth, 1)  # with ties
    found = roc(values, truth)
    assert found.auc.value == pytest.approx(metrics.roc_auc_score(truth, values), abs=1e-12)
    rates = metrics.roc_curve(truth, values, drop_intermediate=False)
    assert found.youden == pytest.approx(float((rates[1] - rates[0]).max()), abs=1e-12)


def test_delong_against_permutation():
    # swapping the two values of a thing leaves the null in place
    rng = np.random.default_rng(12)
    truth = np.arange(60) < 30
    a, b = rng.normal(size=60) + 1.2 * truth, rng.normal(size=60) + 0.4 * truth
    observed = roc(a, truth).auc.value - roc(b, truth).auc.value
    hits = 0
    for _ in range(2000):
        swap = rng.random(60) < 0.5
        first, second = np.where(swap, b, a), np.where(swap, a, b)
        hits += abs(roc(first, truth).auc.value - roc(second, truth).auc.value) >= abs(observed)
    assert delong_test(a, b, truth).p == pytest.approx(hits / 2000, abs=0.03)
    assert delong_test(a, a, truth).p == 1.0


def test_the_bootstrap_draws_patients(cohort):
    truth = cohort.state != "fdg"
    interval = roc_bootstrap_interval(cohort.fdg, truth, cohort.patient)
    assert interval.low <= interval.value <= interval.high
    assert interval == roc_bootstrap_interval(cohort.fdg, truth, cohort.patient)


@pytest.mark.parametrize("truth", [[True, True], [False, False]])
def test_one_group_alone_has_no_curve(truth):
    with pytest.raises(ValueError, match="both groups"):
        roc([1.0, 2.0], truth)


def test_adjusted_p_values_by_hand():
    p = [0.01, 0.04, 0.03, 0.5]
    assert holm(p) == pytest.approx([0.04, 0.09, 0.09, 0.5])  # 4, 3, 2, 1 times, never falling
    assert benjamini_hochberg(p) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_adjusted_p_values_against_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(1).random(20) ** 3
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multitest.multipletests(p, method="fdr_bh")[1], abs=1e-12)
