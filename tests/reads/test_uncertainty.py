"""Uncertainty: the table of the specification by arithmetic, and again by drawing every input at random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petquant.flags import CODES
from petquant.reads.uncertainty import (
    DEFAULTS,
    Scan,
    clock_bias_percent,
    noise_differs,
    noise_of_mean_percent,
    quantisation_percent,
    ratio_of_suvs,
    ratio_of_tbrs,
    suv_uncertainty,
    tbr_uncertainty,
)

F18, GA68 = 6586.2, 4062.6  # s
LESION, BACKGROUND = 5.6, 2.0  # percent


def suv_of(half_life_s, clock_min):
    scan = Scan(half_life_s=half_life_s, is_weight_measured=True, clock_min=clock_min)
    return suv_uncertainty(scan, noise_percent=LESION)


@pytest.mark.parametrize(
    ("half_life_s", "clock_min", "suv"), [(F18, 1, 7.19), (GA68, 1, 7.24), (F18, 3, 7.41), (GA68, 3, 7.80)]
)
def test_the_table_of_the_specification(half_life_s, clock_min, suv):
    """sqrt(3^2 + 3^2 + 1^2 + 1^2 + (100 ln2 u_t/T)^2 + 5.6^2); the ratio sqrt(5.6^2 + 2^2) = 5.95 always."""
    assert suv_of(half_life_s, clock_min).percent == pytest.approx(suv, abs=0.005)
    ratio = tbr_uncertainty(noise_percent=LESION, background_noise_percent=BACKGROUND)
    assert ratio.percent == pytest.approx(5.95, abs=0.005)


@pytest.mark.parametrize(("half_life_s", "clock_min"), [(F18, 1), (GA68, 1), (F18, 3), (GA68, 3)])
def test_a_monte_carlo_run_agrees_within_a_tenth_of_a_percentage_point(half_life_s, clock_min):
    """Every input is drawn on its own; the SD of 10^6 draws of about 7 % is known to 0.005 points."""
    random = np.random.default_rng(20250301)
    n = 1_000_000

    def about_one(percent):
        return 1.0 + percent / 100.0 * random.standard_normal(n)

    decay = math.log(2.0) / half_life_s
    assayed, residual, weight_g = 150e6, 6e6, 70_000.0
    at_injection = 900.0  # s after the assay; the residual is measured 300 s after the injection
    net = assayed * math.exp(-decay * at_injection) - residual * math.exp(decay * 300.0)
    # u_A and u_res are relative to the net activity
    drawn = net + net * (about_one(3.0) - 1.0) + net * (about_one(1.0) - 1.0)
    interval_s = 3600.0 + 60.0 * clock_min * random.standard_normal(n)
    calibration = about_one(3.0)
    lesion, background = 20_000.0 * about_one(LESION), 5_000.0 * about_one(BACKGROUND)
    weight = weight_g * about_one(1.0)
    suv = calibration * lesion * weight / (drawn * np.exp(-decay * interval_s))
    reference = calibration * background * weight / (drawn * np.exp(-decay * interval_s))

    def percent(values):
        return 100.0 * values.std() / values.mean()

    assert percent(suv) == pytest.approx(suv_of(half_life_s, clock_min).percent, abs=0.1)
    ratio = tbr_uncertainty(noise_percent=LESION, background_noise_percent=BACKGROUND)
    assert percent(suv / reference) == pytest.approx(ratio.percent, abs=0.1)


def test_shared_and_local_parts_make_the_whole():
    found = suv_of(F18, 1)
    assert found.local_percent == pytest.approx(5.6)
    assert found.shared_percent == pytest.approx(math.sqrt(20 + (100 * math.log(2) / 109.77) ** 2))
    assert found.percent == pytest.approx(math.hypot(found.shared_percent, found.local_percent))
    assert found.expanded_percent == pytest.approx(2 * found.percent)


def test_nothing_shared_enters_a_ratio_within_one_scan():
    found = tbr_uncertainty(
        noise_percent=LESION, background_noise_percent=BACKGROUND, partial_volume_percent=4
    )
    assert found.shared_percent == 0.0
    assert found.percent == pytest.approx(math.sqrt(5.6**2 + 2**2 + 4**2))


def test_beds_that_are_not_aligned_enter_by_decay():
    found = tbr_uncertainty(noise_percent=3, background_noise_percent=4, bed_min=2, half_life_s=GA68)
    assert found.percent == pytest.approx(math.hypot(5.0, 100 * math.log(2) * 120 / 4062.6))
    with pytest.raises(ValueError, match="half-life"):
        tbr_uncertainty(noise_percent=3, background_noise_percent=4, bed_min=2)


def test_defaults_are_marked_as_assumed_and_given_values_are_not():
    found = suv_uncertainty(Scan(half_life_s=F18, calibration_percent=2.0), noise_percent=5.0)
    assumed = {term.name: term.percent for term in found.terms if term.is_assumed}
    assert assumed.pop("clock") == pytest.approx(0.631, abs=5e-4)  # 1 min of 109.77
    assert assumed == {"activity": 3.0, "residual": 1.0, "weight": 5.0}  # nobody said that it was measured
    assert len(found.assumptions) == 4
    assert all("assumed" in words for words in found.assumptions)
    assert all("assumed" in row.source for row in DEFAULTS.values())


def test_what_is_not_known_is_left_out_and_said_so():
    assert suv_of(F18, 1).left_out == ("partial volume", "quantisation")
    found = suv_uncertainty(
        Scan(half_life_s=F18), noise_percent=None, partial_volume_percent=3, quantisation_percent=0.1
    )
    assert found.left_out == ("noise",)
    assert found.local_percent == pytest.approx(math.hypot(3, 0.1))


def test_a_ratio_of_two_tracers_has_the_terms_of_both_scans():
    a, b = suv_of(F18, 1), suv_of(GA68, 1)
    assert ratio_of_suvs(a, b).percent == pytest.approx(math.hypot(a.percent, b.percent))
    one = tbr_uncertainty(noise_percent=3, background_noise_percent=4)  # 5
    two = tbr_uncertainty(noise_percent=12, background_noise_percent=0)  # 12
    assert ratio_of_tbrs(one, two).percent == pytest.approx(13.0)
    assert ratio_of_tbrs(one, two).left_out == ("partial volume of a", "partial volume of b")
    with pytest.raises(ValueError, match="two uncertainties of tbr"):
        ratio_of_tbrs(one, b)


@pytest.mark.parametrize(("half_life_s", "one", "five"), [(GA68, 1.03, 5.3), (F18, 0.63, 3.2)])
def test_a_clock_offset_biases_suv(half_life_s, one, five):
    assert clock_bias_percent(1, half_life_s) == pytest.approx(one, abs=0.005)
    assert clock_bias_percent(5, half_life_s) == pytest.approx(five, abs=0.05)
    assert clock_bias_percent(0, half_life_s) == 0.0


def test_noise_of_a_mean_falls_with_the_root_of_its_independent_voxels():
    assert noise_of_mean_percent(0.12, 9.0) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="at least one"):
        noise_of_mean_percent(0.12, 0.5)


def test_a_stored_step_is_a_uniform_error():
    """The SD of a uniform distribution of width 1 is 1/sqrt(12)."""
    assert quantisation_percent(0.01, 2.0) == pytest.approx(100 * 0.01 / 3.4641016 / 2)


@pytest.mark.parametrize(
    ("a", "b", "differs"),
    [
        (0.10, 0.15, False),
        (0.15, 0.10, False),
        (0.10, 0.151, True),
        (0.2, 0.3, False),
        (0.0, 0.1, True),
        (0.0, 0.0, False),
        (1e-16, 4e-4, False),  # two phantoms without noise, each rounded to 16 bits
    ],
)
def test_noise_differs_by_more_than_a_factor_of_one_and_a_half(a, b, differs):
    found = noise_differs(a, b, tissue="liver")
    assert [finding.code for finding in found] == ["NOISE_DIFFERS"] * differs
    assert CODES["NOISE_DIFFERS"].severity == "flag"
