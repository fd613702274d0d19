"""Agreement against tabulated values, pingouin, scikit-learn and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petquant.statistics.agreement import (
    bland_altman,
    concordance_correlation,
    intraclass_correlation,
    limits_percent,
    repeatability,
)
from petquant.statistics.calls import cohen_kappa, fleiss_kappa, gwet_ac1


def test_limits_of_agreement_of_the_cohort(cohort):
    plain = bland_altman(cohort.pentixafor, cohort.fdg, scale="difference")
    assert plain.mean.value == pytest.approx(-2.6996, abs=5e-5)
    assert plain.sd == pytest.approx(7.4070, abs=5e-5)
    assert (plain.lower.value, plain.upper.value) == pytest.approx((-17.217, 11.818), abs=5e-4)
    ratio = bland_altman(cohort.pentixafor, cohort.fdg)
    assert ratio.mean.value == pytest.approx(0.8091, abs=5e-5)
    assert ratio.lower.value == pytest.approx(0.0674, abs=5e-5)
    assert ratio.upper.value == pytest.approx(9.715, abs=5e-4)


def test_limits_of_agreement_of_four_pairs_by_hand():
    found = bland_altman([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 2.0, 2.0], scale="difference")
    # differences 1, 0, 1, 2: mean 1, sd sqrt(2/3); t with 3 degrees 3.182446
    sd = math.sqrt(2.0 / 3.0)
    assert (found.mean.value, found.sd) == pytest.approx((1.0, sd))
    assert found.mean.high == pytest.approx(1.0 + 3.182446 * sd / 2.0, abs=1e-6)
    half = 3.182446 * sd * math.sqrt(1 / 4 + 1.96**2 / 6)
    assert found.upper.high == pytest.approx(1.0 + 1.96 * sd + half, abs=1e-6)
    percent = bland_altman([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], scale="percent")
    assert percent.mean.value == pytest.approx(0.0)
    assert percent.sd == pytest.approx(100.0)  # -100, 0, 100 %


def test_a_proportional_bias_is_seen():
    a = np.linspace(1.0, 9.0, 20)
    steep = bland_altman(1.3 * a, a + 0.01 * np.sin(9 * a), scale="difference")
    assert steep.proportional_bias.p < 1e-6
    assert steep.proportional_bias.statistic == pytest.approx(0.3 / 1.15, abs=0.01)


def test_a_ratio_needs_positive_values():
    with pytest.raises(ValueError, match="positive"):
        bland_altman([1.0, 2.0, 0.0], [1.0, 1.0, 1.0])


def test_concordance_and_intraclass_correlation_of_the_cohort(cohort):
    assert concordance_correlation(cohort.pentixafor, cohort.fdg).value == pytest.approx(-0.00970, abs=5e-6)
    found = intraclass_correlation(cohort.pentixafor, cohort.fdg)
    assert found["ICC(1,1)"].value == pytest.approx(-0.05609, abs=5e-6)
    assert found["ICC(A,1)"].value == pytest.approx(-0.01009, abs=5e-6)
    assert found["ICC(C,1)"].value == pytest.approx(-0.01106, abs=5e-6)


def test_concordance_is_one_on_the_diagonal_and_falls_off_it():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert concordance_correlation(x, x).value == 1.0
    # s_xy = s_x^2 = s_y^2 = 1.25, shift 1: 2.5/(2.5 + 1)
    assert concordance_correlation(x, x + 1.0).value == pytest.approx(2.5 / 3.5)


def test_the_interval_of_concordance_covers():
    # 400 samples of 40 pairs with a true coefficient of 2 x 0.8/(1 + 1 + 0.25) = 0.7111
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        x = rng.normal(size=40)
        y = 0.8 * x + 0.6 * rng.normal(size=40) + 0.5
        interval = concordance_correlation(x, y)
        held += interval.low <= 1.6 / 2.25 <= interval.high
    assert 0.92 <= held / 400 <= 0.98  # 3 standard errors are 3.3 %


def test_intraclass_correlation_against_pingouin(cohort):
    pingouin = pytest.importorskip("pingouin")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(8)
    x = rng.normal(5.0, 2.0, 15)
    for a, b in ((cohort.pentixafor, cohort.fdg), (x, x + rng.normal(0.5, 0.7, 15))):
        n = len(a)
        frame = pandas.DataFrame(
            {"thing": [*range(n), *range(n)], "rater": ["a"] * n + ["b"] * n, "value": [*a, *b]}
        )
        with np.errstate(all="ignore"):
            table = pingouin.intraclass_corr(frame, targets="thing", raters="rater", ratings="value")
        found = intraclass_correlation(a, b)
        rows = [row for row in table.itertuples(index=False) if row.Type in found]
        assert len(rows) == 3
        for row in rows:
            assert found[row.Type].value == pytest.approx(row.ICC, abs=1e-6)
            ends = next(value for value in row if isinstance(value, np.ndarray))  # to two digits
            assert (found[row.Type].low, found[row.Type].high) == pytest.approx(tuple(ends), abs=5.1e-3)


@pytest.mark.parametrize(
    ("cv", "low", "high"),
    [(10.0, -24.2, 31.9), (11.7, -27.7, 38.3), (12.0, -28.3, 39.5), (13.7, -31.6, 46.2)],
)
def test_asymmetric_limits_of_repeatability(cv, low, high):
    assert limits_percent(cv / 100.0) == pytest.approx((low, high), abs=0.05)


def test_repeatability_of_two_pairs_by_hand():
    found = repeatability([1.0, 2.0], [3.0, 2.0])
    # variances within 2 and 0: wSD 1
    assert found.within_sd == 1.0
    assert found.coefficient == pytest.approx(2.7718586)
    assert found.within_cv == pytest.approx(math.log(3.0) / 2.0)
    assert repeatability([0.0, 1.0], [1.0, 1.0]).within_cv is None


def test_calls_of_the_adrenal_table():
    # 13 both, 4 the first alone, 2 the second alone, 7 neither: kappa 0.5155, AC1 0.5618
    a = [1] * 13 + [1] * 4 + [0] * 2 + [0] * 7
    b = [1] * 13 + [0] * 4 + [1] * 2 + [0] * 7
    assert cohen_kappa(a, b, categories=[0, 1]) == pytest.approx(0.5155, abs=5e-5)
    assert gwet_ac1(a, b, categories=[0, 1]) == pytest.approx(0.5618, abs=5e-5)
    assert cohen_kappa([1, 1], [1, 1], categories=[0, 1]) is None


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_against_scikit_learn(weights):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(9)
    a = rng.integers(0, 4, 60)
    b = np.clip(a + rng.integers(-1, 2, 60), 0, 3)
    want = metrics.cohen_kappa_score(a, b, weights=None if weights == "none" else weights)
    found = cohen_kappa(a.tolist(), b.tolist(), categories=[0, 1, 2, 3], weights=weights)
    assert found == pytest.approx(want, abs=1e-9)


def test_fleiss_against_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    counts = np.random.default_rng(4).multinomial(5, [0.5, 0.3, 0.2], 30)
    assert fleiss_kappa(counts) == pytest.approx(inter_rater.fleiss_kappa(counts), abs=1e-9)
