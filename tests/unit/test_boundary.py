"""The boundary of a region moved by half the smallest spacing, against distances to every box, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from petquant.errors import Refused
from petquant.metrics import measure, slices_needed

ROUNDING = 1e-9  # relative: a distance of exactly h comes out of a square root


def nearest_mm(centres, boxes, spacing_mm):
    """Distance of each voxel centre to the nearest of the voxel boxes."""
    gap = np.maximum(np.abs(centres[:, None] - boxes[None]) - 0.5, 0.0) * np.array(spacing_mm)
    return np.sqrt((gap**2).sum(axis=-1)).min(axis=1)


def moved_by_distance(mask, spacing_mm):
    """Eroded and dilated mask by the definition; what lies around the image is outside."""
    h = min(spacing_mm) / 2 * (1 + ROUNDING)
    wide = np.pad(mask, 1)
    inside, outside = np.argwhere(wide), np.argwhere(~wide)
    eroded, dilated = np.zeros_like(wide), wide.copy()
    eroded[tuple(inside[nearest_mm(inside, outside, spacing_mm) > h].T)] = True
    dilated[tuple(outside[nearest_mm(outside, inside, spacing_mm) <= h].T)] = True
    return eroded[1:-1, 1:-1, 1:-1], dilated[1:-1, 1:-1, 1:-1]


def rows_of(volume, *rois):
    return [row.values for row in measure(volume, list(rois), suv_type="bw")]


def test_cube_loses_and_gains_one_layer(make_volume, make_roi):
    mask = np.zeros((9, 9, 9), np.bool_)
    mask[2:7, 2:7, 2:7] = True
    (row,) = rows_of(make_volume(np.full(mask.shape, 3.0)), make_roi(mask))
    v = 0.008  # mL of a 2 mm cube
    assert row["mtv_eroded_ml"] == pytest.approx(3**3 * v, rel=1e-14)
    assert row["mtv_dilated_ml"] == pytest.approx((5**3 + 6 * 5**2) * v, rel=1e-14)  # no edges, no corners
    assert row["tlg_eroded_g"] == pytest.approx(3.0 * 3**3 * v, rel=1e-14)
    assert row["tlg_dilated_g"] == pytest.approx(3.0 * (5**3 + 6 * 5**2) * v, rel=1e-14)


def test_boundary_moves_along_the_axis_of_the_smallest_voxels_alone(make_volume, make_roi):
    mask = np.zeros((9, 9, 9), np.bool_)
    mask[2:7, 2:7, 2:7] = True
    (row,) = rows_of(make_volume(np.ones(mask.shape), (2.0, 4.0, 4.0)), make_roi(mask))
    v = 0.032
    # h = 1 mm: in the plane the nearest centres are 2 mm from the boundary
    assert row["mtv_eroded_ml"] == pytest.approx(3 * 5 * 5 * v, rel=1e-14)
    assert row["mtv_dilated_ml"] == pytest.approx(7 * 5 * 5 * v, rel=1e-14)


@pytest.mark.parametrize("spacing_mm", [(2, 2, 2), (3, 4, 4), (4, 3, 3), (2, 3, 4), (5, 2.5, 6)])
@settings(max_examples=20, deadline=None)
@given(mask=arrays(np.bool_, (4, 5, 6)).filter(np.any), other=arrays(np.bool_, (4, 5, 6)).filter(np.any))
def test_moved_regions_are_those_of_the_distances(make_volume, make_roi, spacing_mm, mask, other):
    image = np.arange(mask.size, dtype=np.float64).reshape(mask.shape) % 17
    volume = make_volume(image, spacing_mm)
    v = volume.grid.voxel_volume_ml
    found = rows_of(volume, make_roi(mask), make_roi(other))  # they overlap, and touch nothing of each other
    for row, of_region in zip(found, (mask, other), strict=True):
        eroded, dilated = moved_by_distance(of_region, spacing_mm)
        assert row["mtv_eroded_ml"] == pytest.approx(v * eroded.sum(), rel=1e-13)
        assert row["mtv_dilated_ml"] == pytest.approx(v * dilated.sum(), rel=1e-13)
        assert row["tlg_eroded_g"] == pytest.approx(v * image[eroded].sum(), rel=1e-13)
        assert row["tlg_dilated_g"] == pytest.approx(v * image[dilated].sum(), rel=1e-13)


def test_fractional_edges_become_empty_or_full(make_volume, make_roi):
    # along i: w = 0.25 1 1 1 0.5 0 0, with 4 mm along k and j, so that only i moves
    weights = np.array([0.25, 1.0, 1.0, 1.0, 0.5])
    image = np.arange(1.0, 8.0).reshape(1, 1, 7)
    roi = make_roi(np.arange(5), weights=weights)
    (row,) = rows_of(make_volume(image, (4.0, 4.0, 2.0)), roi)
    v = 0.032
    # inside are voxels 1 to 4: 1 and 4 go, 0 keeps out; 0 and 5 come in full, and 4 becomes full
    assert row["mtv_eroded_ml"] == pytest.approx(2 * v, rel=1e-14)
    assert row["tlg_eroded_g"] == pytest.approx((3 + 4) * v, rel=1e-14)
    assert row["mtv_dilated_ml"] == pytest.approx(6 * v, rel=1e-14)
    assert row["tlg_dilated_g"] == pytest.approx((1 + 2 + 3 + 4 + 5 + 6) * v, rel=1e-14)


def test_region_without_voxels_stays_empty(make_volume, make_roi):
    (row,) = rows_of(make_volume(np.ones((3, 3, 3))), make_roi(np.empty(0, np.int64)))
    assert row["mtv_eroded_ml"] == row["mtv_dilated_ml"] == row["tlg_eroded_g"] == row["tlg_dilated_g"] == 0.0


@pytest.mark.parametrize("spacing_mm", [(14.0, 20.0, 20.0), (2.0, 2.0, 2.0)])
def test_dilated_region_needs_no_slice_but_those_asked_for(make_volume, make_roi, make_grid, spacing_mm):
    # slices of 14 mm are farther than a peak sphere reaches
    roi = make_roi(np.arange(32, 34))
    needed = slices_needed(make_grid((20, 4, 4), spacing_mm), [roi])
    (row,) = rows_of(make_volume(np.ones((20, 4, 4)), spacing_mm, is_loaded=needed), roi)
    assert row["mtv_dilated_ml"] > row["mtv_ml"]
    assert not needed.all()


def test_value_that_is_no_number_next_to_a_region_is_refused(make_volume, make_roi):
    image = np.ones((5, 3, 3))
    image[3, 1, 1] = np.nan
    roi = make_roi(np.ravel_multi_index(([2], [1], [1]), image.shape))
    with pytest.raises(Refused, match="ROI_VALUES_NOT_FINITE"):
        rows_of(make_volume(image, (14.0, 20.0, 20.0)), roi)  # out of reach of the sphere
