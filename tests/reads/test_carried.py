"""Regions carried over, by hand: shifts of whole and half voxels, cuts, dilations, overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.grid import Grid
from petquant.reads.carried import carried, overlaps
from petquant.roi import Roi

SHAPE = (6, 8, 10)


def grid(*, origin=(0.0, 0.0, 0.0), spacing=4.0, shape=SHAPE) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = spacing * np.eye(3)[:, ::-1]
    affine[:3, 3] = origin
    return Grid(shape=shape, affine=affine)


def roi(*kji, roi_id="1", weights=None, shape=SHAPE) -> Roi:
    voxels = np.sort([np.ravel_multi_index(index, shape) for index in kji]).astype(np.int64)
    return Roi(
        roi_id=roi_id, name=roi_id, voxels=voxels, weights=None if weights is None else np.array(weights)
    )


def indices(found: Roi, shape=SHAPE) -> set[tuple[int, ...]]:
    return {tuple(int(at) for at in np.unravel_index(voxel, shape)) for voxel in found.voxels}


def test_a_region_on_the_same_voxels_is_itself():
    one = roi((2, 3, 4), (2, 3, 5))
    found = carried(one, from_grid=grid(), onto=grid(), error_mm=0.0)
    np.testing.assert_array_equal(found.roi.voxels, one.voxels)
    assert found.roi.weights is None


def test_a_shift_by_a_voxel_moves_it_by_a_voxel_and_by_half_shares_it():
    one = roi((2, 3, 4))
    moved = carried(one, from_grid=grid(origin=(4.0, 0.0, 0.0)), onto=grid(), error_mm=0.0)
    assert indices(moved.roi) == {(2, 3, 5)}
    halved = carried(one, from_grid=grid(origin=(2.0, 0.0, 0.0)), onto=grid(), error_mm=0.0)
    assert indices(halved.roi) == {(2, 3, 4), (2, 3, 5)}
    np.testing.assert_allclose(halved.roi.weights, [0.5, 0.5])


@pytest.mark.parametrize(("shift", "is_there"), [(-4.0, True), (-8.0, True), (-12.0, False)])
def test_with_more_than_half_of_it_outside_there_is_no_forced_read(shift, is_there):
    # four voxels from i = 0 on: one, two or three of them leave the grid
    one = roi(*((2, 3, i) for i in range(4)))
    found = carried(one, from_grid=grid(origin=(shift, 0.0, 0.0)), onto=grid(), error_mm=0.0)
    assert (found.roi is not None) is is_there
    assert found.missing == (
        "" if is_there else "75% of the region carried over lies outside the field of view"
    )


def test_a_region_wholly_outside_says_so():
    found = carried(roi((2, 3, 4)), from_grid=grid(origin=(400.0, 0.0, 0.0)), onto=grid(), error_mm=0.0)
    assert found.roi is None
    assert "outside the field of view" in found.missing


@pytest.mark.parametrize(
    ("error_mm", "n"),
    [
        (1.9, 1),  # less than the 2 mm from face to centre
        (2.0, 7),  # the six neighbours by a face
        (2.8, 7),
        (2.83, 19),  # and the twelve by an edge: sqrt(2) 2 mm = 2.828
        (3.47, 27),  # and the eight by a corner: sqrt(3) 2 mm = 3.464
    ],
)
def test_dilation_reaches_centres_within_the_error(error_mm, n):
    found = carried(roi((2, 3, 4)), from_grid=grid(), onto=grid(), error_mm=error_mm)
    assert len(found.roi.voxels) == n


def test_dilation_takes_whole_voxels_enters_no_other_lesion_and_stays_in_the_image():
    corner, other = roi((0, 0, 0)), roi((0, 0, 1), roi_id="2")
    found = carried(corner, from_grid=grid(), onto=grid(), error_mm=2.0, apart=[other])
    assert indices(found.roi) == {(0, 0, 0), (0, 1, 0), (1, 0, 0)}
    halved = carried(roi((2, 3, 4)), from_grid=grid(origin=(2.0, 0, 0)), onto=grid(), error_mm=2.0)
    assert halved.roi.weights is None  # both halves lie beside a voxel that is half inside


@pytest.mark.parametrize(("n", "left"), [(1, 3), (2, 2), (3, None)])
def test_excluded_voxels_are_taken_out_and_more_than_half_leaves_no_read(n, left):
    one = roi(*((2, 3, i) for i in range(4)))
    out = one.voxels[:n]
    found = carried(one, from_grid=grid(), onto=grid(), error_mm=0.0, excluded=out)
    if left is None:
        assert found.roi is None
        assert found.missing.startswith("75% of the region carried over is excluded")
    else:
        np.testing.assert_array_equal(found.roi.voxels, one.voxels[n:])


def test_dilation_does_not_enter_what_is_excluded():
    one, beside = roi((2, 3, 4)), roi((2, 3, 5))
    found = carried(one, from_grid=grid(), onto=grid(), error_mm=2.0, excluded=beside.voxels)
    assert len(found.roi.voxels) == 6
    assert beside.voxels[0] not in found.roi.voxels


def test_dice_is_twice_the_shared_volume_over_both():
    a = [roi((2, 3, 4), (2, 3, 5)), roi((5, 7, 9), roi_id="9")]
    b = [roi((2, 3, 5), (2, 3, 6), (2, 3, 7), roi_id="7")]
    found = overlaps(a, b, grid=grid(), from_grid=grid())
    assert found == {("1", "7"): pytest.approx(2 * 1 / (2 + 3))}
    # moved by half a voxel: half of a voxel is shared
    shifted = overlaps(a[:1], b, grid=grid(), from_grid=grid(origin=(2.0, 0.0, 0.0)))
    assert shifted == {("1", "7"): pytest.approx(2 * 0.5 / 5)}
    assert overlaps(a, b, grid=grid(), from_grid=grid(origin=(900.0, 0.0, 0.0))) == {}


def test_a_turned_grid_carries_the_point_it_holds():
    # a quarter turn about z through the origin: (x, y) becomes (-y, x)
    turn = np.eye(4)
    turn[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    own = grid()
    turned = Grid(shape=own.shape, affine=turn @ own.affine)
    onto = grid(origin=(-40.0, 0.0, 0.0), shape=(6, 16, 16))
    found = carried(roi((2, 3, 4)), from_grid=turned, onto=onto, error_mm=0.0)
    x, y, z = onto.position_mm(np.unravel_index(found.roi.voxels[0], onto.shape))
    assert (x, y, z) == pytest.approx((-3 * 4.0, 4 * 4.0, 2 * 4.0))
