"""Noise scatters as it says, over many realisations of a small grid."""

import numpy as np
import pytest
from petquant_phantoms import ImageGrid, Sphere, catalogue
from petquant_phantoms.body import Region, region_mask
from petquant_phantoms.noise import Noise, factors, standard_error

SPACING_MM = (4.0, 4.0, 4.0)
SHAPE = (13, 13, 13)
RUNS = 400


@pytest.fixture(scope="module")
def ball():
    """A ball of 208 voxels of 4 mm, the region of the published figures."""
    grid = ImageGrid.centred(shape=SHAPE, spacing_mm=SPACING_MM)
    mask = region_mask(Region(name="ball", shape=Sphere(centre_mm=(2.0, 2.0, 2.0), radius_mm=14.6)), grid)
    assert mask.sum() == 208
    return mask


@pytest.fixture(scope="module")
def scans():
    noise = Noise(cv=0.1, fwhm_mm=6.0)
    return np.stack([factors(SHAPE, noise, spacing_mm=SPACING_MM, seed=seed) for seed in range(RUNS)])


def test_a_voxel_has_mean_one_and_the_coefficient_of_variation_asked_for(scans):
    # 400 runs of 2197 correlated voxels: about 400 x 200 independent ones; 4 standard errors of mean and SD
    assert scans.mean() == pytest.approx(1.0, abs=4 * 0.1 / np.sqrt(80_000))
    assert scans.std() == pytest.approx(0.1, abs=4 * 0.1 / np.sqrt(2 * 80_000))
    assert scans.min() > 0.0


def test_a_mean_scatters_by_the_standard_error_of_correlated_noise(ball, scans):
    noise = Noise(cv=0.1, fwhm_mm=6.0)
    formula = standard_error(np.ones(SHAPE), ball, noise, spacing_mm=SPACING_MM)
    assert formula == pytest.approx(0.0189, abs=0.0003)  # published for such a ball: 0.0189
    assert formula > 2.6 * 0.1 / np.sqrt(208)  # independent voxels would give 0.0069
    observed = scans[:, ball].mean(axis=1).std()
    # the SD of 400 values is known to 1 / sqrt(800), four times that allowed
    assert observed == pytest.approx(formula, rel=4.0 / np.sqrt(2 * RUNS))


def test_independent_voxels_scatter_by_one_over_root_n(ball):
    formula = standard_error(np.full(SHAPE, 2.0), ball, Noise(cv=0.1, fwhm_mm=0.0), spacing_mm=SPACING_MM)
    assert formula == pytest.approx(2.0 * 0.1 / np.sqrt(208), rel=1e-12)


def test_signed_noise_goes_below_zero_and_gamma_noise_never():
    strong = {"cv": 0.8, "fwhm_mm": 0.0}
    gamma = factors(SHAPE, Noise(**strong), spacing_mm=SPACING_MM, seed=1)
    gaussian = factors(SHAPE, Noise(**strong, marginal="gaussian"), spacing_mm=SPACING_MM, seed=1)
    assert gamma.min() >= 0.0 > gaussian.min()
    np.testing.assert_array_equal(np.argsort(gamma, axis=None), np.argsort(gaussian, axis=None))


def test_noise_without_a_size_is_refused():
    with pytest.raises(ValueError, match="noise needs cv > 0"):
        Noise(cv=0.0, fwhm_mm=6.0)


def test_a_noisy_phantom_stays_within_four_standard_errors_of_its_expectation(tmp_path):
    study = catalogue.build("nema_noisy", tmp_path)
    for region in study.truth["regions"]:
        free, noisy = region["noise_free"]["suv_mean"], region["expected"]["suv_mean"]["value"]
        assert abs(noisy - free["value"]) <= free["abs_tol"], region["name"]
        assert noisy != free["value"]
