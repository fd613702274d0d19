"""The closed forms against published values, against each other and against brute force."""

import math

import numpy as np
import pytest
from petquant_phantoms import fields, recoveries
from scipy.stats import ncx2

# Diameter in mm: recoveries at FWHM 5, 6, 7, 8 mm, as tabulated for spheres on zero background.
AT_CENTRE = {
    10: (0.86404, 0.72197, 0.58128, 0.46134),
    13: (0.97526, 0.91065, 0.81147, 0.69949),
    17: (0.99888, 0.98895, 0.95749, 0.90038),
    22: (0.99999, 0.99968, 0.99665, 0.98513),
    28: (1.0, 1.0, 0.99994, 0.99929),
    37: (1.0, 1.0, 1.0, 1.0),
}
OF_TRUE_SPHERE = {
    10: (0.522306, 0.442880, 0.372057, 0.310620),
    13: (0.622948, 0.554880, 0.490815, 0.431397),
    17: (0.707251, 0.651984, 0.598509, 0.547122),
    22: (0.771849, 0.727733, 0.684444, 0.642119),
    28: (0.819875, 0.784585, 0.749696, 0.715275),
    37: (0.863239, 0.836206, 0.809346, 0.782689),
}
OF_CENTRAL_DISC_PERCENT = {
    10: (57.7, 48.6, 40.4, 33.4),
    13: (68.6, 61.3, 54.1, 47.3),
    17: (76.9, 71.6, 66.1, 60.5),
    22: (82.7, 78.8, 74.8, 70.6),
    28: (86.7, 83.8, 80.8, 77.7),
    37: (90.2, 88.1, 85.9, 83.7),
}
ISOCONTOUR_41_AND_50_AT_6 = {
    10: (1.004, 0.711),
    13: (0.901, 0.670),
    17: (0.940, 0.749),
    22: (0.996, 0.842),
    28: (1.025, 0.902),
    37: (1.038, 0.943),
}
FWHMS_MM = (5.0, 6.0, 7.0, 8.0)


def rows(table):
    return [
        (d, fwhm, value) for d, values in table.items() for fwhm, value in zip(FWHMS_MM, values, strict=True)
    ]


@pytest.mark.parametrize(("diameter_mm", "fwhm_mm", "value"), rows(AT_CENTRE))
def test_maximum_of_a_sphere_is_the_tabulated_recovery(diameter_mm, fwhm_mm, value):
    found = recoveries.at_centre(radius_mm=diameter_mm / 2, fwhm_mm=fwhm_mm)
    assert found == pytest.approx(value, abs=0.5e-5 + 1e-12)  # five decimals in the table
    assert float(fields.sphere(0.0, radius_mm=diameter_mm / 2, fwhm_mm=fwhm_mm)) == pytest.approx(
        found, abs=1e-14
    )


@pytest.mark.parametrize(("diameter_mm", "fwhm_mm", "value"), rows(OF_TRUE_SPHERE))
def test_mean_of_a_true_sphere_is_the_tabulated_recovery(diameter_mm, fwhm_mm, value):
    closed = recoveries.of_true_sphere(radius_mm=diameter_mm / 2, fwhm_mm=fwhm_mm)
    assert closed == pytest.approx(value, abs=0.5e-6 + 1e-12)  # six decimals in the table
    integrated = recoveries.of_ball(
        radius_mm=diameter_mm / 2, fwhm_mm=fwhm_mm, ball_radius_mm=diameter_mm / 2
    )
    assert integrated == pytest.approx(closed, abs=1e-8)  # the error of the quadrature


@pytest.mark.parametrize(("diameter_mm", "fwhm_mm", "percent"), rows(OF_CENTRAL_DISC_PERCENT))
def test_mean_of_the_central_disc_is_the_tabulated_recovery(diameter_mm, fwhm_mm, percent):
    found = recoveries.of_central_disc(radius_mm=diameter_mm / 2, fwhm_mm=fwhm_mm)
    assert 100.0 * found == pytest.approx(percent, abs=0.05 + 1e-9)  # one decimal in the table


@pytest.mark.parametrize(("diameter_mm", "ratios"), ISOCONTOUR_41_AND_50_AT_6.items())
def test_isocontours_hold_the_tabulated_share_of_the_volume(diameter_mm, ratios):
    for threshold, ratio in zip((0.41, 0.50), ratios, strict=True):
        found = recoveries.isocontour_volume_ratio(
            radius_mm=diameter_mm / 2, fwhm_mm=6.0, threshold=threshold
        )
        assert found == pytest.approx(ratio, abs=0.0005 + 1e-9)  # three decimals in the table


def test_peak_radius_is_that_of_one_millilitre():
    assert pytest.approx(6.20350, abs=0.5e-5) == recoveries.PEAK_RADIUS_MM
    assert 4.0 / 3.0 * math.pi * recoveries.PEAK_RADIUS_MM**3 == pytest.approx(1000.0, rel=1e-14)


def test_sphere_is_the_chi_square_distribution_of_three_degrees_of_freedom():
    s = fields.sigma_mm(6.0)
    r = np.array([1e-9, 1e-3, 0.1, 0.5, 1.0, 2.0, 4.9, 5.0, 5.1, 8.0, 12.0])
    expected = ncx2.cdf((5.0 / s) ** 2, 3, (r / s) ** 2)
    found = fields.sphere(r, radius_mm=5.0, fwhm_mm=6.0)
    np.testing.assert_allclose(found, expected, atol=1e-10)  # ncx2 itself is good to 6.6e-11 here


def test_sphere_is_smooth_through_its_centre():
    near = fields.sphere(np.array([0.0, 1e-12, 1e-8, 1e-5]), radius_mm=5.0, fwhm_mm=5.0)
    np.testing.assert_allclose(near, near[0], rtol=1e-11)  # C is quadratic in r: (1e-5 / 2.1)^2 is 2e-11


def test_sphere_joins_its_two_forms_without_a_step():
    s = fields.sigma_mm(6.0)
    seam_mm = s**2 / 5.0
    below, above = fields.sphere(np.array([seam_mm - 1e-12, seam_mm + 1e-12]), radius_mm=5.0, fwhm_mm=6.0)
    assert below == pytest.approx(above, abs=1e-12)


def test_disc_has_its_brute_force_value():
    fwhm_mm = 2.5 * fields.FWHM_PER_SIGMA
    found = fields.disc(8.0, radius_mm=10.0, fwhm_mm=fwhm_mm)
    assert float(found) == pytest.approx(0.7449536460, abs=0.5e-10)  # R = 10, s = 2.5, r = 8


def test_slab_falls_to_one_half_at_its_face():
    found = fields.slab(np.array([0.0, 100.0, 200.0]), half_width_mm=100.0, fwhm_mm=6.0)
    np.testing.assert_allclose(found, [1.0, 0.5, 0.0], atol=1e-15)


def test_blur_keeps_the_volume_of_a_sphere():
    r = np.linspace(0.0, 40.0, 400_001)
    shells = 4.0 * math.pi * r**2 * fields.sphere(r, radius_mm=8.5, fwhm_mm=7.0)
    assert np.trapezoid(shells, r) == pytest.approx(4.0 / 3.0 * math.pi * 8.5**3, rel=1e-9)  # step error


@pytest.mark.parametrize("shape", [fields.sphere, fields.disc])
def test_no_blur_leaves_one_inside_and_zero_outside(shape):
    found = shape(np.array([0.0, 4.999, 5.0, 5.001]), radius_mm=5.0, fwhm_mm=0.0)
    assert found.tolist() == [1.0, 1.0, 1.0, 0.0]
