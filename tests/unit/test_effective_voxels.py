"""The standard error of a mean of correlated voxels, against the double sum and numbers of reads.md."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from petquant.metrics import references
from petquant.metrics.correlation import effective_voxels, effective_voxels_of_peak
from petquant.metrics.sphere import peak_sphere
from petquant.reads.technical import Technical, uncertainties
from petquant.reads.uncertainty import Scan


def sphere(make_roi, grid, radius_mm):
    """Voxels whose centre is within a radius of the central voxel's."""
    centre = grid.position_mm((np.array(grid.shape) - 1) / 2)
    index = np.indices(grid.shape).reshape(3, -1).T
    apart = np.linalg.norm(grid.position_mm(index) - centre, axis=1)
    return make_roi(np.flatnonzero(apart <= radius_mm), name="liver")


# reads.md section 2, computed there: voxels of 4 mm
@pytest.mark.parametrize(
    ("fwhm_mm", "radius_mm", "voxels", "n_eff"),
    [(6.0, 15.0, 251, 29.5), (6.0, 10.0, 81, 11.2), (8.0, 15.0, 251, 14.1)],
)
def test_spheres_have_the_effective_number_of_the_specification(
    make_grid, make_roi, *, fwhm_mm, radius_mm, voxels, n_eff
):
    grid = make_grid((9, 9, 9), (4.0, 4.0, 4.0))
    roi = sphere(make_roi, grid, radius_mm)
    assert len(roi.voxels) == voxels
    assert effective_voxels(roi, grid, fwhm_mm=fwhm_mm) == pytest.approx(n_eff, abs=0.05)  # as printed


def test_weights_and_uneven_slices_enter_the_double_sum(make_grid, make_roi):
    rng = np.random.default_rng(5)
    grid = make_grid((5, 4, 6), (3.2, 4.0, 5.0), slice_positions_mm=np.array([0.0, 3.1, 6.4, 9.6, 12.9]))
    voxels = np.sort(rng.choice(grid.size, 40, replace=False))
    weights = rng.uniform(0.1, 1.0, 40)
    at = grid.position_mm(grid.index_of(voxels))
    s = 7.0 / 2.354820045
    rho = np.exp(-((at[:, None] - at[None]) ** 2).sum(-1) / (4 * s**2))
    expected = weights.sum() ** 2 / (weights @ rho @ weights)
    found = effective_voxels(make_roi(voxels, weights=weights), grid, fwhm_mm=7.0)
    assert found == pytest.approx(expected, rel=1e-9)


def test_voxels_far_apart_are_independent(make_grid, make_roi):
    grid = make_grid((1, 1, 9), (4.0, 4.0, 4.0))
    assert effective_voxels(make_roi([0, 4, 8]), grid, fwhm_mm=2.0) == pytest.approx(3.0, rel=1e-9)


def test_one_voxel_is_one(make_grid, make_roi):
    assert effective_voxels(make_roi([3]), make_grid((2, 2, 2)), fwhm_mm=6.0) == 1.0


def test_the_error_of_the_mean_is_that_of_filtered_noise(make_grid, make_roi):
    grid = make_grid((24, 24, 24), (4.0, 4.0, 4.0))
    roi = sphere(make_roi, grid, 15.0)
    rng = np.random.default_rng(11)
    noise = [
        gaussian_filter(rng.normal(size=grid.shape), 6.0 / 2.3548 / 4.0, mode="wrap") for _ in range(600)
    ]
    means = np.array([one.reshape(-1)[roi.voxels].mean() for one in noise])
    of_one_voxel = np.std([one[12, 12, 12] for one in noise] + [one[2, 2, 2] for one in noise])
    n_eff = effective_voxels(roi, grid, fwhm_mm=6.0)
    # a standard deviation of 600 draws is known to 1 / sqrt(1200) = 2.9 %; both together, three times
    assert means.std() == pytest.approx(of_one_voxel / np.sqrt(n_eff), rel=3 * np.hypot(0.029, 0.021))


def test_a_reference_has_an_error_only_with_a_width(make_volume, make_roi):
    volume = make_volume(np.array([2.0, 4.0, 2.0, 4.0]).reshape(1, 1, -1), (4.0, 4.0, 4.0))
    background = make_roi(np.arange(4), name="liver")
    (without,) = references(volume, [background], [])
    assert without.values["se"] is None
    assert without.values["n_eff"] is None
    (found,) = references(volume, [background], [], psf_fwhm_mm=0.5)
    assert found.values["n_eff"] == pytest.approx(4.0, rel=1e-9)  # rho at 4 mm: exp(-88)
    assert found.values["se"] == pytest.approx(1.0 / 2.0, rel=1e-9)  # sd 1, ddof 0


def test_the_sphere_of_suv_peak_counts_by_its_weights():
    spacing_mm, s = (3.0, 4.0, 4.0), 6.0 / 2.354820045
    sphere = peak_sphere(spacing_mm)
    at, w = sphere.offsets * spacing_mm, sphere.exact_weights
    rho = np.exp(-((at[:, None] - at[None]) ** 2).sum(-1) / (4 * s**2))
    found = effective_voxels_of_peak(spacing_mm, fwhm_mm=6.0)
    assert found == pytest.approx(w.sum() ** 2 / (w @ rho @ w), rel=1e-9)


def test_rounding_is_that_of_the_widest_step_of_the_slices_of_a_region(make_grid, make_volume, make_roi):
    stored = np.full((3, 2, 2), 1000, np.int16)
    volume = make_volume(
        stored, grid=make_grid((3, 2, 2), (4.0, 4.0, 4.0)), slope=np.array([1e-3, 2e-3, 9e-3])
    )
    roi = make_roi([0, 4, 5, 6])  # of the first two slices
    values = {"suv_max": 2.0, "suv_peak": None, "suv_mean": 1.75}
    scan = Scan(half_life_s=6586.2)
    found = uncertainties(Technical(shared=scan), volume, roi, values, references=())
    assert set(found) == {"suv_max", "suv_mean"}
    rounding = {name: one.terms[-1].percent for name, one in found.items()}
    # a step of 2e-3 over sqrt(12); the mean of four has half of that
    assert rounding["suv_max"] == pytest.approx(100 * 2e-3 / np.sqrt(12) / 2.0)
    assert rounding["suv_mean"] == pytest.approx(100 * 2e-3 / np.sqrt(12) / 1.75 / 2)
    assert not found["suv_max"].has_noise
    floats = make_volume(stored * 1.5, grid=volume.grid)
    (term,) = uncertainties(Technical(shared=scan), floats, roi, {"suv_max": 2.0}, references=())[
        "suv_max"
    ].terms[-1:]
    assert (term.name, term.percent) == ("quantisation", 0.0)


def test_an_image_without_noise_does_not_make_a_ratio_certain(make_grid, make_volume, make_roi):
    volume = make_volume(np.full((3, 2, 2), 2.0), grid=make_grid((3, 2, 2), (4.0, 4.0, 4.0)))
    silent = Technical(psf_fwhm_mm=6.0, cov=1e-5, tissue="liver")  # what 16 bits leave of a flat organ
    values = {"tbr_max_liver": 2.0}
    liver = references(volume, [make_roi([8, 9], name="liver")], [], psf_fwhm_mm=6.0)
    (found,) = uncertainties(silent, volume, make_roi([0]), values, references=liver).values()
    assert not found.has_noise
    assert "no noise of counts" in silent.why_no_noise
