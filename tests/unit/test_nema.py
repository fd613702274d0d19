"""Discs, blurred spheres, limits: the parts of a phantom analysis, by arithmetic."""

import math

import numpy as np
import pytest

from petquant.nema.discs import Slices, disc_mean, disc_weights
from petquant.nema.iec_phantom import DIAMETERS_MM, volume_ml
from petquant.nema.image_quality import Check, Verdict
from petquant.nema.limits import STANDARDS
from petquant.nema.record import verdict_words
from petquant.nema.spheres import blurred_sphere


@pytest.mark.parametrize("centre_mm", [(40.0, 40.0), (41.3, 38.7), (42.0, 40.0)])
def test_weights_of_a_disc_hold_its_area(centre_mm):
    _, weights = disc_weights((30, 30), centre_mm, spacing_mm=(3.0, 4.07), radius_mm=8.5)
    assert weights.sum() * 3.0 * 4.07 == pytest.approx(math.pi * 8.5**2, rel=1e-12)
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0 + 1e-12


def test_a_disc_inside_one_pixel_weighs_its_share_of_the_pixel():
    window, weights = disc_weights((9, 9), (12.0, 16.0), spacing_mm=(4.0, 4.0), radius_mm=1.5)
    assert [part.start for part in window] == [3, 4]
    assert weights[weights > 0].tolist() == [pytest.approx(math.pi * 1.5**2 / 16.0, rel=1e-12)]


def test_pixels_cut_by_a_disc_weigh_what_counting_gives():
    (rows, columns), weights = disc_weights((20, 20), (20.4, 21.1), spacing_mm=(2.0, 3.0), radius_mm=7.0)
    fine = (np.arange(400) + 0.5) / 400.0 - 0.5
    for j in range(rows.start, rows.stop):
        for i in range(columns.start, columns.stop):
            y, x = np.meshgrid((j + fine) * 2.0 - 20.4, (i + fine) * 3.0 - 21.1, indexing="ij")
            counted = (x**2 + y**2 <= 7.0**2).mean()
            # 160,000 points a pixel; the edge passes about 400 of them
            assert weights[j - rows.start, i - columns.start] == pytest.approx(counted, abs=1e-3)


def test_mean_of_a_plane_in_a_disc_is_its_value_at_the_centre():
    # a linear image, averaged over pixels whose weights are symmetric about a pixel centre
    values = np.broadcast_to(np.arange(30.0), (1, 30, 30))
    image = Slices(values=values, spacing_mm=(2.0, 2.0, 2.0))
    assert disc_mean(image, 0, (28.0, 24.0), radius_mm=9.3) == pytest.approx(12.0, abs=1e-12)


@pytest.mark.parametrize(("fwhm_mm", "tabulated"), [(5.0, 0.86404), (6.0, 0.72197), (8.0, 0.46134)])
def test_the_centre_of_a_blurred_sphere_of_10_mm_is_the_tabulated_recovery(fwhm_mm, tabulated):
    found = blurred_sphere(np.array([0.0]), radius_mm=5.0, fwhm_mm=fwhm_mm)
    assert found[0] == pytest.approx(tabulated, abs=0.5e-5 + 1e-6)  # five decimals, limit at r = 0


def test_a_blurred_sphere_keeps_its_volume():
    r = np.linspace(0.0, 40.0, 40_001)
    shells = 4.0 * math.pi * r**2 * blurred_sphere(r, radius_mm=8.5, fwhm_mm=7.0)
    assert np.trapezoid(shells, r) == pytest.approx(1000.0 * volume_ml(17.0), rel=1e-6)


def test_spheres_have_the_volumes_of_their_inner_diameters():
    # 0.524, 1.150, 2.572, 5.575, 11.494 and 26.522 mL
    found = [round(volume_ml(diameter), 3) for diameter in DIAMETERS_MM]
    assert found == [26.522, 11.494, 5.575, 2.572, 1.150, 0.524]


def test_the_tables_of_limits_are_those_of_their_sources():
    # https://earl.eanm.org accreditation specifications; two entries of each table, typed in anew
    first, second = STANDARDS["earl1"], STANDARDS["earl2"]
    assert (first.a50[37], first.maximum[10]) == ((0.76, 0.89), (0.34, 0.57))
    assert (second.a50[10], second.maximum[17]) == ((0.39, 0.61), (1.00, 1.38))
    assert (first.verified, second.verified) == (True, False)
    for standard in STANDARDS.values():
        assert set(standard.a50) == set(standard.maximum) == {round(d) for d in DIAMETERS_MM}


def checks(*values):
    limits = (0.5, 0.8)
    return tuple(Check(diameter_mm=10, quantity="rc_a50", value=value, limits=limits) for value in values)


def test_a_verdict_passes_when_all_lie_within_and_names_the_nearest_limit():
    passed = Verdict(standard=STANDARDS["earl1"], checks=checks(0.5, 0.7))
    assert (passed.is_passed, passed.smallest_margin) == (True, 0.0)  # limits are part of the interval
    failed = Verdict(standard=STANDARDS["earl1"], checks=checks(0.6, 0.82))
    assert (failed.is_passed, failed.smallest_margin) == (False, pytest.approx(-0.02))


def test_limits_without_a_verified_source_are_said_to_be_so_and_nothing_is_accredited():
    words = [verdict_words(Verdict(standard=standard, checks=checks(0.6))) for standard in STANDARDS.values()]
    assert ["NOT VERIFIED" in one for one in words] == [False, True]
    assert not any("accredited" in one for one in words)
