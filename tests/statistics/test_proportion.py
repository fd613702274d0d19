"""Proportions: published tables rebuilt from their counts, and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petquant.statistics.proportion import (
    clopper_pearson,
    clustered_mcnemar,
    conditional_odds_ratio,
    mcnemar,
    tango,
    wilson,
)

# only the first, only the second, all; exact, mid-p, corrected, plain; difference and its ends in %
PUBLISHED = {
    "Waldenstroem, any": (7, 0, 17, 0.015625, 0.007813, 0.023342, 0.008151, 41.2, 15.2, 64.0),
    "Waldenstroem, marrow": (7, 1, 17, 0.070312, 0.039063, 0.077100, 0.033895, 35.3, 3.1, 60.8),
    "Waldenstroem, node": (11, 0, 17, 0.000977, 0.000488, 0.002569, 0.000911, 64.7, 34.3, 82.7),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_tables(name):
    b, c, n, exact, mid_p, corrected, plain, difference, low, high = PUBLISHED[name]
    test = mcnemar(b, c)
    assert test.exact == pytest.approx(exact, abs=6e-7)
    assert test.mid_p == pytest.approx(mid_p, abs=6e-7)
    assert test.chi2_cc == pytest.approx(corrected, abs=6e-7)
    assert test.chi2 == pytest.approx(plain, abs=6e-7)
    interval = tango(b, c, n)
    found = 100.0 * interval.value, 100.0 * interval.low, 100.0 * interval.high
    assert found == pytest.approx((difference, low, high), abs=0.05)


def test_the_oesophagus_cohort(cohort):
    assert mcnemar(7, 5).exact == pytest.approx(0.774414, abs=6e-7)
    assert mcnemar(7, 5).chi2_cc == pytest.approx(0.772830, abs=6e-7)
    interval = tango(7, 5, 26)
    assert (100 * interval.low, 100 * interval.high) == pytest.approx((-18.9, 33.1), abs=0.05)
    b = cohort.by_patient(cohort.state == "pent", np.sum)
    c = cohort.by_patient(cohort.state == "fdg", np.sum)
    n = cohort.by_patient(cohort.state == "both", len)
    flip, obuchowski, durkalski, unweighted = clustered_mcnemar(b, c, n)
    assert flip.p == pytest.approx(0.844, abs=5e-4)
    found = obuchowski.statistic, durkalski.statistic, unweighted.statistic
    assert found == pytest.approx((0.2571, 0.0045, 0.2857), abs=5e-5)
    assert (obuchowski.p, durkalski.p, unweighted.p) == pytest.approx((0.612, 0.946, 0.593), abs=5e-4)


def test_the_examples_of_another_package_for_clustered_pairs():
    b, c = np.array([51, 67, 44, 58, 47]), np.array([18, 26, 43, 21, 28])
    n = b + c + [1, 3, 0, 1, 2] + np.array([0, 2, 1, 3, 4])
    assert clustered_mcnemar(b, c, n)[2].statistic == pytest.approx(3.841167, abs=5e-7)
    b, c = np.array([56, 64, 75, 95, 87]), np.array([7, 1, 2, 3, 9])
    n = b + c + [1, 3, 0, 1, 2] + np.array([0, 2, 1, 3, 3])
    assert clustered_mcnemar(b, c, n)[1].statistic == pytest.approx(3.841201, abs=5e-7)


def test_mcnemar_against_statsmodels():
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    for b in range(12):
        for c in range(12):
            if b + c == 0:
                continue
            table = [[3, b], [c, 5]]
            found = mcnemar(b, c)
            assert found.exact == pytest.approx(contingency.mcnemar(table, exact=True).pvalue, abs=1e-9)
            corrected = contingency.mcnemar(table, exact=False, correction=True)
            if abs(b - c) >= 1:  # with b = c it corrects |0| - 1 to -1 and squares it
                assert found.chi2_cc == pytest.approx(corrected.pvalue, abs=1e-9)
            plain = contingency.mcnemar(table, exact=False, correction=False)
            assert found.chi2 == pytest.approx(plain.pvalue, abs=1e-9)


def test_without_discordant_pairs_nothing_differs():
    assert mcnemar(0, 0).exact == 1.0
    assert conditional_odds_ratio(0, 0) is None
    interval = tango(0, 0, 20)
    assert interval.value == 0.0
    # n z^2-score of 0 against D: D^2 n/(1 - D^2 ...) has the symmetric solution +-z^2/(n + z^2)
    assert interval.high == pytest.approx(1.959964**2 / (20 + 1.959964**2), abs=1e-6)
    assert interval.low == pytest.approx(-interval.high, abs=1e-12)


@pytest.mark.parametrize(("b", "c", "n"), [(7, 5, 26), (1, 9, 12), (20, 0, 20), (0, 20, 20), (3, 3, 6)])
def test_the_ends_of_tango_are_roots_of_the_score_by_brute_force(b, c, n):
    # maximum likelihood of the second cell under D, by a fine search instead of the closed form
    interval = tango(b, c, n)
    for end in (interval.low, interval.high):
        if abs(end) == 1.0:
            assert abs(interval.value) == 1.0
            continue
        q = np.linspace(max(0.0, -end), (1.0 - end) / 2.0, 400_001)[1:-1]
        with np.errstate(divide="ignore"):
            likelihood = (
                (n - b - c) * np.log1p(-2.0 * q - end)
                + (b * np.log(q + end) if b else 0.0)
                + (c * np.log(q) if c else 0.0)
            )
        best = q[np.argmax(likelihood)]
        score = (b - c - n * end) / math.sqrt(n * (2.0 * best + end * (1.0 - end)))
        assert abs(score) == pytest.approx(1.959964, abs=2e-3)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (8, 10, 44.4, 97.5),
        (16, 17, 71.3, 99.9),
        (10, 17, 32.9, 81.6),
        (13, 17, 50.1, 93.2),
        (2, 17, 1.5, 36.4),
        (15, 23, 42.7, 83.6),
        (21, 162, 8.2, 19.1),
        (23, 168, 8.9, 19.8),
        (9, 24, 18.8, 59.4),
        (15, 24, 40.6, 81.2),
    ],
)
def test_exact_intervals_of_published_proportions(k, n, low, high):
    interval = clopper_pearson(k, n)
    assert (100.0 * interval.low, 100.0 * interval.high) == pytest.approx((low, high), abs=0.051)


def test_intervals_against_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for k, n in ((0, 9), (3, 9), (9, 9), (40, 90)):
        exact, score = clopper_pearson(k, n), wilson(k, n)
        assert (exact.low, exact.high) == pytest.approx(proportion.proportion_confint(k, n, method="beta"))
        assert (score.low, score.high) == pytest.approx(proportion.proportion_confint(k, n, method="wilson"))


def test_the_conditional_odds_ratio():
    ratio = conditional_odds_ratio(7, 5)
    share = clopper_pearson(7, 12)
    assert ratio.value == 1.4
    assert ratio.low == pytest.approx(share.low / (1.0 - share.low))
    unbounded = conditional_odds_ratio(7, 0)
    assert unbounded.value == math.inf
    assert unbounded.high is None
    assert unbounded.low == pytest.approx(0.025 ** (1 / 7) / (1.0 - 0.025 ** (1 / 7)))
