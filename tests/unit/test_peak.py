"""SUVpeak: the 1 mL sphere, its weights, and the search for the centre where its mean is largest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from petquant.errors import Refused
from petquant.metrics import boxes, measure, slices_needed, window_needed
from petquant.metrics.sphere import PEAK_RADIUS_MM, exact_octant, peak_sphere

ROUNDED = 6e-11  # the published weights have ten decimals


def peaks_of(volume, *rois):
    return [row.values for row in measure(volume, rois, suv_type="bw")]


def gathered(values, region, sphere):
    """The largest mean of either sphere over the region's voxels, one voxel after the other."""
    best = [-math.inf, -math.inf]
    for centre in np.argwhere(region):
        at = centre + sphere.offsets
        is_inside = ((at >= 0) & (at < values.shape)).all(axis=1)
        x = values[tuple(at[is_inside].T)]
        for which, weights in enumerate((sphere.exact_weights, sphere.binary_weights)):
            w = weights[is_inside]
            best[which] = max(best[which], math.fsum(w * x) / math.fsum(w))
    return best


def test_sphere_of_one_millilitre_has_its_radius():
    assert pytest.approx(6.20350, abs=5e-6) == PEAK_RADIUS_MM
    assert 4 / 3 * math.pi * PEAK_RADIUS_MM**3 == pytest.approx(1000.0, rel=1e-14)


@pytest.mark.parametrize(
    ("spacing_mm", "published"),
    [
        (
            (4.0, 4.0, 4.0),
            {
                (0, 0, 0): 1.0,
                (1, 0, 0): 0.9832854238,
                (1, 1, 0): 0.5778444917,
                (1, 1, 1): 0.2145392131,
                (2, 0, 0): 0.0124733086,
            },
        ),
        (
            (3.27, 5.46875, 5.46875),
            {
                (0, 0, 1): 0.5827140041,
                (0, 1, 1): 0.1545056034,
                (1, 0, 0): 0.9999964850,
                (1, 0, 1): 0.3942161211,
                (1, 1, 1): 0.0621965141,
                (2, 0, 0): 0.2679645328,
                (2, 0, 1): 0.0111499477,
            },
        ),
    ],
)
def test_exact_weights_are_the_closed_form_ones(spacing_mm, published):
    octant = exact_octant(spacing_mm, PEAK_RADIUS_MM)
    for offset, weight in published.items():
        assert octant[offset] == pytest.approx(weight, abs=ROUNDED)


@pytest.mark.parametrize(
    "spacing_mm",
    [
        (1.65, 1.65, 1.65),
        (4.0, 4.0, 4.0),
        (2.025, 3.394, 3.394),
        (5.0, 0.9, 3.1),
        (20.0, 20.0, 20.0),
        (0.7, 9, 9),
    ],
)
def test_exact_weights_fill_one_millilitre(spacing_mm):
    # quadrature of smooth pieces: rounding alone remains, measured below 1e-12
    sphere = peak_sphere(spacing_mm)
    assert sphere.exact_weights.sum() * math.prod(spacing_mm) == pytest.approx(1000.0, rel=1e-12)


def test_weights_do_not_depend_on_which_axis_is_integrated():
    # the closed form integrates along k; turning the axes must turn the weights
    octant = exact_octant((2.0, 3.0, 4.0), PEAK_RADIUS_MM)
    turned = exact_octant((4.0, 2.0, 3.0), PEAK_RADIUS_MM)
    np.testing.assert_allclose(turned, octant.transpose(2, 0, 1), atol=1e-13)


@pytest.mark.parametrize(
    ("spacing_mm", "volume_ml"),
    [
        ((1.65, 1.65, 1.65), 1.128),
        ((2.0, 2.0, 2.0), 0.984),
        ((3.27, 3.9, 3.9), 0.945),
        ((2.027, 4.07, 4.07), 1.31),
        ((3.27, 5.46875, 5.46875), 0.685),
    ],
)
def test_binary_sphere_holds_the_published_volume(spacing_mm, volume_ml):
    held_ml = peak_sphere(spacing_mm).binary_weights.sum() * math.prod(spacing_mm) / 1000
    assert held_ml == pytest.approx(volume_ml, abs=0.006 if volume_ml == 1.31 else 0.0006)  # as printed


@pytest.mark.parametrize("size", [300, 301])
def test_a_region_grown_by_one_voxel_keeps_its_peaks(make_volume, make_roi, size):
    # a peer changes its algorithm above 300 voxels: 6.786 fell to 5.000
    image = np.ones((24, 24, 24))
    image[0, 8:16, 8:16] = 10.0
    block = np.zeros(image.shape, np.bool_)
    block[0:5, 8:16, 8:16] = True
    region = make_roi(np.flatnonzero(block)[:size])
    (values,) = peaks_of(make_volume(image, (4.0, 4.0, 4.0)), region)
    assert values["suv_peak_ibsi_global"] == pytest.approx(95 / 14, rel=1e-14)
    assert values["suv_peak_ibsi_local"] == pytest.approx(95 / 14, rel=1e-14)
    assert values["suv_peak"] == pytest.approx(6.7287432593, abs=6e-11)
    assert values["peak_in_fov_fraction"] == pytest.approx(0.7334212127, abs=6e-11)


@pytest.mark.parametrize(
    "spacing_mm", [(3.27, 5.46875, 5.46875), (2.0, 2.0, 2.0), (3.0, 2.5, 4.5), (4.0, 1.9, 1.9)]
)
def test_box_sums_are_the_sums_of_gathering_voxel_by_voxel(make_volume, make_roi, spacing_mm):
    rng = np.random.default_rng(4)
    values = rng.normal(2.0, 3.0, (9, 11, 13))
    region = rng.random(values.shape) < 0.1
    region[0, 0, 0] = region[-1, -1, -1] = True
    exact, binary = gathered(values, region, peak_sphere(spacing_mm))
    (found,) = peaks_of(make_volume(values, spacing_mm), make_roi(region))
    assert found["suv_peak"] == pytest.approx(exact, rel=1e-12)
    assert found["suv_peak_ibsi_global"] == pytest.approx(binary, rel=1e-12)


def test_peaks_do_not_depend_on_how_regions_are_covered_by_boxes(make_volume, make_roi, monkeypatch):
    rng = np.random.default_rng(5)
    volume = make_volume(rng.integers(-50, 900, (20, 21, 22)).astype(np.int16), slope=rng.random(20) + 0.1)
    regions = [make_roi(rng.random((20, 21, 22)) < p) for p in (0.3, 0.02, 0.02)]
    regions += [make_roi(np.array([voxel])) for voxel in range(0, 9000, 700)]
    whole = peaks_of(volume, *regions)
    monkeypatch.setattr(boxes, "BOX_VOXELS", 1500)
    monkeypatch.setattr(boxes, "VOXELS_A_BOX", 0)
    for one, other in zip(whole, peaks_of(volume, *regions), strict=True):
        for column in ("suv_peak", "suv_peak_ibsi_global", "suv_peak_ibsi_local", "peak_x_mm", "peak_z_mm"):
            assert one[column] == pytest.approx(other[column], rel=1e-12)


def test_constant_image_has_its_constant_as_peak_even_in_a_corner(make_volume, make_roi):
    volume = make_volume(np.full((6, 7, 8), 3.7), (4.0, 4.0, 4.0))
    corner, edge, middle = (make_roi(np.array([voxel])) for voxel in (0, 3, 3 * 56 + 3 * 8 + 4))
    for values in peaks_of(volume, corner, edge, middle):
        assert values["suv_peak"] == pytest.approx(3.7, rel=1e-14)
        assert values["suv_peak_ibsi_local"] == pytest.approx(3.7, rel=1e-14)


def test_corner_sphere_has_an_eighth_of_its_octants_inside(make_volume, make_roi):
    # cubes of 20 mm hold the whole sphere: it lies in the corner voxel and is inside
    (values,) = peaks_of(make_volume(np.ones((3, 3, 3)), (20.0, 20.0, 20.0)), make_roi(np.array([0])))
    assert values["peak_in_fov_fraction"] == 1.0
    # 1 mm cubes: a corner keeps the octant and half of each middle plane
    sphere = peak_sphere((1.0, 1.0, 1.0))
    kept = sphere.exact_weights[(sphere.offsets >= 0).all(axis=1)].sum() / sphere.exact_weights.sum()
    (values,) = peaks_of(make_volume(np.ones((9, 9, 9)), (1.0, 1.0, 1.0)), make_roi(np.array([0])))
    assert values["peak_in_fov_fraction"] == pytest.approx(kept, rel=1e-13)


def test_equal_peaks_are_reported_at_the_first_centre(make_volume, make_roi):
    volume = make_volume(np.full((12, 12, 12), 0.1), (4.0, 4.0, 4.0))
    region = np.zeros((12, 12, 12), np.bool_)
    region[4:8, 4:8, 4:8] = True
    (values,) = peaks_of(volume, make_roi(region))
    assert (values["peak_z_mm"], values["peak_y_mm"], values["peak_x_mm"]) == (16.0, 16.0, 16.0)


def test_local_peak_takes_the_highest_of_tied_maxima(make_volume, make_roi):
    # 2 maxima of 5 with spheres of 33 voxels (4 mm cubes hold 19): one has a neighbour of 4
    image = np.zeros((15, 15, 15))
    image[3, 7, 7] = image[11, 7, 7] = 5.0
    image[11, 7, 8] = 4.0
    (values,) = peaks_of(make_volume(image, (4.0, 4.0, 4.0)), make_roi(image > 0))
    voxels = 1 + 6 + 12  # centres within 6.2035 mm: distances 0, 4 and 5.66 mm
    assert values["suv_peak_ibsi_local"] == pytest.approx((5 + 4) / voxels, rel=1e-14)


def test_peak_may_exceed_the_maximum_and_says_so(make_volume, make_roi):
    image = np.full((11, 11, 11), 9.0)
    image[5, 5, 5] = 1.0
    (row,) = measure(make_volume(image), [make_roi(np.array([5 * 121 + 5 * 11 + 5]))], suv_type="bw")
    assert "PEAK_EXCEEDS_MAX" in row.flags
    assert "ROI_SMALLER_THAN_PEAK_SPHERE" in row.flags  # 0.008 mL
    assert row.values["peak_in_roi_fraction"] == pytest.approx(0.008, rel=1e-12)  # one voxel of 1 mL


def test_constant_region_does_not_exceed_its_maximum_by_rounding(make_volume, make_roi):
    (row,) = measure(make_volume(np.full((9, 9, 9), 0.3)), [make_roi(np.arange(729))], suv_type="bw")
    assert "PEAK_EXCEEDS_MAX" not in row.flags


def test_uneven_slices_take_the_sphere_of_the_median_step(make_volume, make_roi, make_grid):
    rng = np.random.default_rng(6)
    values, region = rng.random((7, 9, 9)), rng.random((7, 9, 9)) < 0.1
    grid = make_grid(
        (7, 9, 9), (3.27, 4, 4), slice_positions_mm=np.array([0, 3.27, 6.54, 9.73, 13, 16.27, 19.54])
    )
    exact, _ = gathered(values, region, peak_sphere((3.27, 4.0, 4.0)))
    (row,) = measure(make_volume(values, grid=grid), [make_roi(region)], suv_type="bw")
    assert row.values["suv_peak"] == pytest.approx(exact, rel=1e-12)
    assert "UNEVEN_SLICES" in row.flags


def test_slices_that_are_not_needed_are_never_touched(make_volume, make_roi):
    rng = np.random.default_rng(7)
    values = rng.random((30, 9, 9))
    region = np.zeros(values.shape, np.bool_)
    region[5, 4, 4] = region[22, 4, 4] = True
    whole = make_volume(values, (4.0, 4.0, 4.0))
    needed = slices_needed(whole.grid, [make_roi(region)])
    assert np.flatnonzero(needed).tolist() == [3, 4, 5, 6, 7, 20, 21, 22, 23, 24]  # reach of 2 slices of 4 mm
    poisoned = np.where(needed[:, None, None], values, np.nan)
    part = make_volume(poisoned, (4.0, 4.0, 4.0), is_loaded=needed)
    assert peaks_of(part, make_roi(region)) == peaks_of(whole, make_roi(region))


def test_needed_slices_stop_at_the_ends_of_the_volume(make_grid, make_roi):
    needed = slices_needed(make_grid((3, 4, 4), (4.0, 4.0, 4.0)), [make_roi(np.array([0]))])
    assert needed.tolist() == [True, True, True]
    assert not slices_needed(make_grid((3, 4, 4)), []).any()


def test_not_a_number_under_a_sphere_is_refused_with_the_count(make_volume, make_roi):
    image = np.ones((15, 15, 15), np.float32)
    image[7, 7, 9] = image[7, 9, 7] = np.nan  # 4 mm from the centre
    with pytest.raises(Refused, match="ROI_VALUES_NOT_FINITE: 2 voxels"):
        measure(make_volume(image), [make_roi(np.array([7 * 225 + 7 * 15 + 7]))], suv_type="bw")


def test_not_a_number_beyond_the_sphere_does_not_matter(make_volume, make_roi):
    image = np.ones((15, 15, 15), np.float32)
    image[7 + 3, 7 + 3, 7 + 3] = np.nan  # within the box of the sphere, but 10.4 mm from its centre
    (values,) = peaks_of(make_volume(image), make_roi(np.array([7 * 225 + 7 * 15 + 7])))
    assert values["suv_peak"] == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("radius_mm", [3.0, 5.0, 8.0, 12.0, 20.0])
def test_no_lesion_is_too_small_for_a_peak(make_volume, make_roi, radius_mm):
    k, j, i = np.ogrid[-13:14, -13:14, -13:14]
    region = (k * k + j * j + i * i) * 4.0 <= radius_mm**2
    (values,) = peaks_of(make_volume(np.where(region, 8.0, 1.0)), make_roi(region))
    assert 1.0 < values["suv_peak"] <= 8.0 * (1 + 1e-14)


def test_peak_of_a_blurred_sphere_hardly_depends_on_voxels_and_position(make_volume, make_roi):
    # sphere of 15 mm under a Gaussian of 6 mm FWHM, closed form of the radius. Its plateau holds the 1 mL
    # sphere wherever the nearest centre lies: 6.2 + half a diagonal (3.5) + 2 sigma (5.1) = 14.8 mm.
    radius, sigma = 15.0, 6.0 / math.sqrt(8 * math.log(2))
    erf = np.vectorize(math.erf)

    def blurred(r):
        r = np.maximum(r, 1e-6)
        both = (erf((radius + r) / sigma / math.sqrt(2)) + erf((radius - r) / sigma / math.sqrt(2))) / 2
        ends = np.exp(-((r - radius) ** 2) / 2 / sigma**2) - np.exp(-((r + radius) ** 2) / 2 / sigma**2)
        return both - sigma / r / math.sqrt(2 * math.pi) * ends

    rng = np.random.default_rng(8)
    found = []
    for step in (2.0, 3.0, 4.0):
        axis = (np.arange(round(56 / step)) - round(28 / step)) * step
        for _ in range(10):
            shift = (rng.random(3) - 0.5) * step
            k, j, i = np.meshgrid(*(axis - s for s in shift), indexing="ij")
            r = np.sqrt(k * k + j * j + i * i)
            volume = make_volume(1 + 9 * blurred(r), (step, step, step))
            found.append(peaks_of(volume, make_roi(r <= radius))[0]["suv_peak"])
    assert max(found) / min(found) < 1.01


@pytest.mark.parametrize("kind", ["noise", "hot spot", "plateau", "tiny", "huge"])
def test_screened_peaks_are_those_of_every_single_centre(make_volume, make_roi, kind):
    # what single precision and bounds rule out must not be the largest: a large region is searched in full
    rng = np.random.default_rng(6)
    values = rng.normal(5.0, 1.0, (40, 30, 32))
    if kind == "hot spot":
        values[30, 20, 21] = 400.0
    if kind == "plateau":
        values[5:35, 5:25, 5:27] = 7.0
    values *= {"tiny": 1e-60, "huge": 1e60}.get(kind, 1.0)
    region = np.zeros(values.shape, np.bool_)
    region[2:38, 2:29, 2:30] = True
    exact, binary = gathered(values, region, peak_sphere((4.0, 4.0, 4.0)))
    (found,) = peaks_of(make_volume(values, (4.0, 4.0, 4.0)), make_roi(region))
    assert found["suv_peak"] == pytest.approx(exact, rel=1e-12)
    assert found["suv_peak_ibsi_global"] == pytest.approx(binary, rel=1e-12)


def test_a_window_of_rows_gives_the_same_peaks(make_volume, make_roi):
    rng = np.random.default_rng(7)
    values = rng.normal(5.0, 1.0, (12, 30, 32))
    region = np.zeros(values.shape, np.bool_)
    region[3:6, 10:13, 0:4] = True
    whole, roi = make_volume(values, (4.0, 4.0, 4.0)), make_roi(region)
    window = window_needed(whole.grid, [roi])
    assert window == ((8, 15), (0, 32))  # the sphere reaches 2 voxels of 4 mm
    part = replace(whole, stored=values[:, 8:15].copy(), window=window)
    assert peaks_of(part, roi) == peaks_of(whole, roi)
    with pytest.raises(LookupError):
        part.at([7 * 32])
