"""Sign-flip: against brute force, the tabulated cohort, and simulations of no difference."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from petquant.statistics.paired import paired_t
from petquant.statistics.sign_flip import sign_flip, sign_flip_interval


def brute_force(sums) -> float:
    observed = abs(sum(sums))
    hits = [
        abs(sum(s * c for s, c in zip(signs, sums, strict=True))) >= observed - 1e-9
        for signs in product((1, -1), repeat=len(sums))
    ]
    return sum(hits) / len(hits)


def test_the_cohort_gives_72_of_1024(cohort):
    test = sign_flip(cohort.differences, cohort.patient)
    assert test.p == 72 / 1024
    assert (test.n, test.n_clusters) == (26, 10)


@pytest.mark.parametrize(("values", "p"), [("max", 0.0234), ("mean", 0.0332)])
def test_values_of_patients_give_the_tabulated_p(values, p, cohort):
    how = np.max if values == "max" else np.mean
    differences = cohort.by_patient(cohort.pentixafor, how) - cohort.by_patient(cohort.fdg, how)
    assert sign_flip(differences).p == pytest.approx(p, abs=5e-5)


def test_it_is_brute_force_over_all_signs():
    rng = np.random.default_rng(7)
    for k in range(1, 10):
        patient = np.sort(rng.integers(0, k, 3 * k))
        differences = rng.normal(0.4, 1.0, 3 * k)
        sums = [differences[patient == one].sum() for one in np.unique(patient)]
        assert sign_flip(differences, patient).p == brute_force(sums)


def test_the_order_of_pairs_and_the_names_of_patients_do_not_matter(cohort):
    order = np.random.default_rng(1).permutation(26)
    names = np.array([f"patient {9 - k}" for k in cohort.patient])
    assert sign_flip(cohort.differences[order], names[order]).p == 72 / 1024


def test_many_patients_are_drawn_with_a_seed_and_never_reach_zero():
    test = sign_flip(np.full(40, 1.0))
    assert test.p == 1 / 100_001
    assert "seed" in test.name
    assert sign_flip(np.full(40, 1.0)).p == test.p


def test_nothing_has_no_p():
    assert sign_flip([]).p is None
    assert sign_flip([0.0, 0.0, 0.0]).p == 1.0


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_holds_the_shifts_that_are_not_rejected_and_no_other(level, cohort):
    interval = sign_flip_interval(cohort.differences, cohort.patient, level=level)
    assert interval.value == pytest.approx(-2.6996, abs=5e-5)
    for end, outward in ((interval.low, -1e-9), (interval.high, 1e-9)):
        inside = sign_flip(cohort.differences - (end - outward), cohort.patient)
        outside = sign_flip(cohort.differences - (end + outward), cohort.patient)
        assert inside.p > 1.0 - level >= outside.p
    grid = np.linspace(-12.0, 6.0, 500)
    kept = [x for x in grid if sign_flip(cohort.differences - x, cohort.patient).p > 1.0 - level]
    assert interval.low <= min(kept) <= interval.low + 0.05
    assert interval.high - 0.05 <= max(kept) <= interval.high


def test_five_patients_bound_nothing_at_95_percent():
    interval = sign_flip_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (interval.low, interval.high) == (None, None)
    assert sign_flip([1.0, 2.0, 3.0, 4.0, 5.0]).p == 2 / 32  # can never be 0.05


def test_the_drawn_interval_is_near_that_of_all_signs():
    rng = np.random.default_rng(3)
    differences = rng.normal(1.0, 1.0, 17)
    drawn = sign_flip_interval(differences)
    t_half = 2.1199 * differences.std(ddof=1) / 17**0.5  # t with 16 degrees of freedom
    assert drawn.low == pytest.approx(differences.mean() - t_half, abs=0.15)
    assert drawn.high == pytest.approx(differences.mean() + t_half, abs=0.15)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_of_nothing_five_in_a_hundred_are_called_something(correlation, cohort):
    # 2000 sets of the cohort's layout; the standard error of 5 % is 0.49 %, the bound asked for 2 %
    rng = np.random.default_rng(11)
    between, within = correlation**0.5, (1.0 - correlation) ** 0.5
    called = t_called = 0
    for _ in range(2000):
        differences = between * rng.normal(size=10)[cohort.patient] + within * rng.normal(size=26)
        called += sign_flip(differences, cohort.patient).p <= 0.05
        t_called += paired_t(differences).p <= 0.05
    assert 0.03 <= called / 2000 <= 0.07
    if correlation == 0.6:
        assert t_called / 2000 > 0.12  # the simulation sees what a test that ignores patients does


@pytest.mark.parametrize("bad", [[np.nan], [np.inf, 1.0]])
def test_a_difference_that_is_not_finite_is_not_passed_over(bad):
    with pytest.raises(ValueError, match="finite"):
        sign_flip(bad)
