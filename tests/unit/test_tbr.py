"""Ratios: what a lesion holds over the mean of a background."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.metrics import measure, references
from petquant.roi import Role
from petquant.volume import Unit


@pytest.fixture(scope="module")
def image():
    """A lesion of 12 (voxels 0 to 2) beside a background of 2, 4, 2, 4."""
    return np.array([12.0, 9.0, 6.0, 2.0, 4.0, 2.0, 4.0]).reshape(1, 1, -1)


@pytest.fixture
def background(make_roi):
    return make_roi(np.arange(3, 7), name="liver", role=Role.BACKGROUND)


def ratios_of(volume, lesion, background, **choices):
    found = references(volume, [background], [lesion])
    return measure(volume, [lesion], **{"suv_type": "bw", "references": found} | choices)[0], found[0]


def test_ratio_is_the_maximum_over_the_mean_of_the_background(make_volume, make_roi, image, background):
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(3)), background)
    assert reference.values["mean"] == 3.0
    assert reference.values["sd"] == 1.0
    assert reference.values["cov"] == pytest.approx(1 / 3, rel=1e-15)
    assert reference.values["median"] == 3.0
    assert reference.values["volume_ml"] == pytest.approx(0.032, rel=1e-15)
    assert row.values["tbr_max_liver"] == 4.0
    assert row.values["tbr_mean_liver"] == 3.0
    assert row.values["tbr_peak_liver"] == row.values["suv_peak"] / 3.0


def test_ratio_does_not_depend_on_the_unit(make_volume, make_roi, image, background):
    suv, _ = ratios_of(make_volume(image), make_roi(np.arange(3)), background)
    counts = make_volume(image, slope=117.0, unit=Unit.COUNTS)
    raw, reference = ratios_of(counts, make_roi(np.arange(3)), background, suv_type="none")
    for column in ("tbr_max_liver", "tbr_mean_liver", "tbr_peak_liver"):
        assert raw.values[column] == pytest.approx(suv.values[column], rel=1e-14)
    assert reference.unit == "counts"


def test_shared_voxels_leave_the_background(make_volume, make_roi, image, background):
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(4)), background)
    assert reference.values["n_voxels"] == 3
    assert reference.values["overlap_voxels"] == 1
    assert reference.values["mean"] == pytest.approx(10 / 3, rel=1e-15)
    assert reference.flags == ("LESION_OVERLAPS_BACKGROUND",)
    assert "LESION_OVERLAPS_BACKGROUND" in row.flags


def test_half_of_the_background_may_be_lesion(make_volume, make_roi, image, background):
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(5)), background)
    assert reference.reason == ""
    assert row.values["tbr_max_liver"] == 4.0  # (2 + 4) / 2 remains


def test_more_than_half_lost_leaves_no_ratio(make_volume, make_roi, image, background):
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(6)), background)
    assert reference.flags == ("LESION_OVERLAPS_BACKGROUND", "BACKGROUND_MOSTLY_LESION")
    assert reference.reason == "3 of 4 voxels of the background belong to lesions"
    assert row.values["tbr_max_liver"] is None
    assert "BACKGROUND_MOSTLY_LESION" in row.flags


def test_background_wholly_lesion_has_no_mean(make_volume, make_roi, image, background):
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(7)), background)
    assert reference.values["mean"] is None
    assert row.values["tbr_mean_liver"] is None


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_mean_of_zero_or_less_gives_a_reason_and_never_infinity(make_volume, make_roi, background, level):
    image = np.array([5.0, 5, 5, level, level, level, level]).reshape(1, 1, -1)
    row, reference = ratios_of(make_volume(image), make_roi(np.arange(3)), background)
    assert row.values["tbr_max_liver"] is None
    assert reference.flags == ("MEAN_NOT_POSITIVE",)
    assert reference.reason == f"the mean of the background is {level:.6g}"


def test_weights_of_the_background_count(make_volume, make_roi, image):
    background = make_roi(np.array([3, 4]), weights=np.array([1.0, 0.5]), name="blood", role=Role.BACKGROUND)
    _, reference = ratios_of(make_volume(image), make_roi(np.arange(3)), background)
    assert reference.values["mean"] == pytest.approx((2 + 0.5 * 4) / 1.5, rel=1e-15)


def test_several_backgrounds_give_columns_each(make_volume, make_roi, image, background):
    volume, lesion = make_volume(image), make_roi(np.arange(3))
    blood = make_roi(np.array([4]), name="blood", role=Role.BACKGROUND)
    (row,) = measure(
        volume, [lesion], suv_type="bw", references=references(volume, [background, blood], [lesion])
    )
    assert (row.values["tbr_max_liver"], row.values["tbr_max_blood"]) == (4.0, 3.0)
