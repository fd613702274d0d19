"""Methods of delineation against arithmetic that stands beside them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from petquant.delineation import METHODS, Delineation, Level, Sphere, delineate, drawn, require_meant
from petquant.delineation.threshold import adapted, mean_above_70, otsu, percist, threshold_of
from petquant.errors import Refused, UsageError

ROW = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 4.0, 2.0, 8.0])


def taken(make_volume, make_roi, delineation, *, row=ROW, within=True, level=None):
    """The voxels that a method takes of a row of voxels, and its threshold."""
    volume = make_volume(np.asarray(row, np.float64).reshape(1, 1, -1))
    rois = [make_roi(np.arange(len(row)))] if within else None
    (found,) = delineate(volume, delineation, suv_type="bw", within=rois, level=level)
    return found.roi.voxels.tolist(), found.threshold, found.roi.source


@pytest.mark.parametrize("within", [True, False])
def test_a_voxel_at_the_threshold_belongs(make_volume, make_roi, within):
    voxels, threshold, source = taken(
        make_volume, make_roi, Delineation(method="fixed", threshold=4.0), within=within
    )
    assert voxels == [3, 4, 5, 7]
    assert threshold == 4.0
    assert source.startswith("threshold fixed = 4 g/mL (SUV bw), ")


def test_a_fraction_is_that_of_the_maximum_of_the_region(make_volume, make_roi):
    voxels, threshold, source = taken(make_volume, make_roi, Delineation(method="fraction", fraction=0.5))
    assert (voxels, threshold) == ([3, 4, 5, 7], 4.0)
    assert source == "threshold 50 % of max = 4 g/mL (SUV bw), in region 1 (label map)"


def test_connected_keeps_the_part_of_the_first_maximum(make_volume, make_roi):
    method = Delineation(method="fraction", fraction=0.5, is_connected=True)
    voxels, _, source = taken(make_volume, make_roi, method)
    assert voxels == [3, 4, 5]  # voxel 7 holds the maximum too, and comes later
    assert source.endswith(", 26-connected to the maximum")


def test_connected_is_empty_when_the_threshold_lies_above_the_maximum(make_volume, make_roi):
    method = Delineation(method="fixed", threshold=9.0, is_connected=True)
    assert taken(make_volume, make_roi, method)[0] == []


def test_every_region_has_a_threshold_of_its_own(make_volume, make_roi):
    volume = make_volume(np.array([10.0, 5.0, 1.0, 1.0, 0.5, 0.4]).reshape(1, 1, -1))
    seeds = [make_roi(np.arange(2), roi_id="4", name="a"), make_roi(np.arange(3, 6), roi_id="9", name="b")]
    found = delineate(volume, Delineation(method="fraction", fraction=0.5), suv_type="bw", within=seeds)
    assert [one.threshold for one in found] == [5.0, 0.5]
    assert [one.roi.voxels.tolist() for one in found] == [[0, 1], [3, 4]]
    assert [(one.roi.roi_id, one.roi.name) for one in found] == [("4", "a"), ("9", "b")]


def test_voxels_at_least_half_inside_are_searched(make_volume, make_roi):
    volume = make_volume(np.array([9.0, 4.0, 3.0, 1.0]).reshape(1, 1, -1))
    seed = make_roi(np.arange(4), weights=np.array([0.49, 0.5, 1.0, 1.0]))
    (found,) = delineate(volume, Delineation(method="fraction", fraction=0.5), suv_type="bw", within=[seed])
    assert found.threshold == 2.0
    assert found.roi.voxels.tolist() == [1, 2]
    assert found.roi.weights is None


def test_the_adapted_isocontour_lies_midway_between_maximum_and_background(make_volume, make_roi):
    assert adapted(8.0, 2.0, 0.5) == 5.0
    method = Delineation(method="adapted", fraction=0.5)
    voxels, threshold, source = taken(make_volume, make_roi, method, level=Level(mean=2.0))
    assert (voxels, threshold) == ([4, 7], 5.0)
    assert "0.5 (max + background 2)" in source


def test_percist_is_one_and_a_half_times_the_liver_or_twice_the_blood_pool():
    assert percist(2.0, 0.25, of="liver") == 1.5 * 2.0 + 2 * 0.25
    assert percist(1.5, 0.1, of="blood_pool") == pytest.approx(3.2, rel=1e-15)
    liver = threshold_of(Delineation(method="percist"), ROW, Level(name="liver", mean=2.0, sd=0.25))
    assert liver.value == 3.5
    assert liver.rule == "PERCIST 1.5 mean + 2 SD of liver (mean 2, SD 0.25)"


def test_the_liver_threshold_is_mean_and_k_sd():
    level = Level(name="liver", mean=2.0, sd=0.25)
    assert threshold_of(Delineation(method="liver", n_sd=3.0), ROW, level).value == 2.75


def test_nestle_and_schaefer_rest_on_the_mean_of_the_voxels_from_70_percent_on():
    x = np.array([10.0, 8.0, 7.0, 6.9, 2.0])
    assert mean_above_70(x) == pytest.approx(25 / 3, rel=1e-15)
    level = Level(mean=1.0)
    nestle = threshold_of(Delineation(method="nestle", beta=0.3), x, level)
    assert nestle.value == pytest.approx(0.3 * 25 / 3 + 1.0, rel=1e-15)
    schaefer = threshold_of(Delineation(method="schaefer", a=0.5, b=0.4), x, level)
    assert schaefer.value == pytest.approx(0.5 * 25 / 3 + 0.4, rel=1e-15)


def test_otsu_is_that_of_scikit_image(make_volume, make_roi):
    image = np.array([[1.0, 2.0], [9.0, 10.0]])
    assert otsu(image.ravel()) == threshold_otsu(image)
    voxels, threshold, _ = taken(make_volume, make_roi, Delineation(method="otsu"), row=image.ravel())
    assert voxels == [2, 3]
    assert 2.0 < threshold <= 9.0


def test_otsu_of_equal_values_is_refused(make_volume, make_roi):
    with pytest.raises(Refused) as refused:
        taken(make_volume, make_roi, Delineation(method="otsu"), row=np.ones(4))
    (finding,) = refused.value.findings
    assert finding.code == "DELINEATION_UNDEFINED"
    assert finding.where == "region 1 (lesion)"


def blurred_ball(make_volume, *, radius_mm, sigma_mm, spacing_mm=2.0, n=25):
    """A ball of 9 on 1 under a Gaussian, sampled at voxel centres from exact overlap; and a box around it."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - of this test alone

    volume = make_volume(np.ones((n, n, n)), (spacing_mm,) * 3)
    centre = ((n - 1) / 2 * spacing_mm,) * 3
    ball, _ = drawn(Sphere(name="ball", centre_mm=centre, radius_mm=radius_mm), volume.grid)
    x = np.ones(volume.grid.size)
    x[ball.voxels] += 8 * ball.weights
    x = gaussian_filter(x.reshape(volume.grid.shape), sigma_mm / spacing_mm)
    around, _ = drawn(Sphere(name="ball", centre_mm=centre, radius_mm=radius_mm + 8), volume.grid)
    return make_volume(x, (spacing_mm,) * 3), around


def test_the_watershed_ends_where_the_gradient_is_steepest(make_volume):
    # of a blurred ball the gradient is steepest sigma^2 / R inside its surface (to first order in sigma / R);
    # a voxel may lie on either side of the ridge: half a voxel each way
    radius_mm, sigma_mm = 12.0, 2.5
    volume, around = blurred_ball(make_volume, radius_mm=radius_mm, sigma_mm=sigma_mm)
    (found,) = delineate(volume, Delineation(method="watershed"), suv_type="bw", within=[around])
    held_mm = (len(found.roi.voxels) * 8 * 3 / (4 * np.pi)) ** (1 / 3)
    assert held_mm == pytest.approx(radius_mm - sigma_mm**2 / radius_mm, abs=1.0)
    assert found.threshold is None
    assert found.roi.source.startswith(
        "gradient watershed from the maximum, in region 1 (sphere of radius 20"
    )


def test_a_watershed_needs_something_around_the_region(make_volume, make_roi):
    volume = make_volume(np.arange(27.0).reshape(3, 3, 3))
    with pytest.raises(Refused) as refused:
        delineate(volume, Delineation(method="watershed"), suv_type="bw", within=[make_roi(np.arange(27))])
    assert refused.value.findings[0].code == "DELINEATION_UNDEFINED"


def test_a_value_that_is_no_number_is_refused(make_volume, make_roi):
    row = np.array([1.0, np.nan, 3.0])
    for within in (True, False):
        with pytest.raises(Refused) as refused:
            taken(make_volume, make_roi, Delineation(method="fixed", threshold=2.0), row=row, within=within)
        assert refused.value.findings[0].code == "ROI_VALUES_NOT_FINITE"


def test_scaling_the_volume_changes_no_region_of_a_relative_method(make_volume, make_roi):
    rng = np.random.default_rng(5)
    x = rng.gamma(2.0, 1.0, (6, 7, 8))
    seed = make_roi(np.arange(x.size))
    for method in (Delineation(method="fraction", fraction=0.41), Delineation(method="otsu")):
        one, other = (
            delineate(make_volume(scale * x), method, suv_type="bw", within=[seed])[0] for scale in (1.0, 4.0)
        )
        assert one.roi.voxels.tolist() == other.roi.voxels.tolist()
        assert other.threshold == pytest.approx(4 * one.threshold, rel=1e-12)


NEEDS = {"threshold": 4.0, "fraction": 0.5, "n_sd": 2.0, "beta": 0.3, "a": 0.5, "b": 0.4}


def meant(row, **changes):
    """The method with all that it needs."""
    given = {name: NEEDS[name] for name in row.needs} | changes
    return Delineation(method=row.name, **given)


def surroundings(row):
    return {
        "suv_type": "lbm-janma" if row.is_lean else "bw",
        "has_region": True,
        "background": {(): None, ("*",): "muscle"}.get(row.backgrounds, "liver"),
    }


@pytest.mark.parametrize("row", METHODS.values(), ids=lambda row: row.name)
def test_a_method_with_all_that_it_needs_is_meant(row):
    require_meant(meant(row), **surroundings(row))


@pytest.mark.parametrize("row", METHODS.values(), ids=lambda row: row.name)
def test_no_parameter_has_a_default_and_none_is_passed_over(row):
    for name, value in NEEDS.items():
        changed = meant(row, **{name: None if name in row.needs else value})
        with pytest.raises(UsageError) as refused:
            require_meant(changed, **surroundings(row))
        assert [finding.code for finding in refused.value.findings] == ["OPTION_INVALID"]
        assert f"--{name.replace('_', '-')}" in refused.value.findings[0].found


@pytest.mark.parametrize("row", METHODS.values(), ids=lambda row: row.name)
def test_a_background_is_there_when_it_is_needed_and_only_then(row):
    wrong = {"background": None if row.backgrounds else "liver"}
    with pytest.raises(UsageError):
        require_meant(meant(row), **(surroundings(row) | wrong))


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        (Delineation(method="flab"), {}),
        (Delineation(method="fraction", fraction=0.5), {"has_region": False}),
        (Delineation(method="fixed", threshold=4.0, is_connected=True), {"has_region": False}),
        (Delineation(method="percist"), {"background": "liver", "suv_type": "bw"}),
        (Delineation(method="percist"), {"background": "muscle", "suv_type": "lbm-janma"}),
        (Delineation(method="percist"), {"has_background_value": True, "suv_type": "lbm-janma"}),
        (Delineation(method="adapted", fraction=0.5), {"background": "liver", "has_background_value": True}),
        (Delineation(method="fraction", fraction=1.2), {}),
        (Delineation(method="fraction", fraction=0.0), {}),
        (Delineation(method="fixed", threshold=float("nan")), {}),
        (Delineation(method="watershed", is_connected=True), {}),
        (Delineation(method="fixed", threshold=4.0, connectivity=8), {}),
    ],
)
def test_what_means_nothing_is_refused(method, changes):
    with pytest.raises(UsageError):
        require_meant(method, **({"suv_type": "bw", "has_region": True} | changes))
