"""A flipped region shows where the body or the uptake differs from left to right, and a true one never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petquant.grid import Grid
from petquant.metrics import left_right_findings

SHAPE = (4, 24, 40)


def body(columns=(2, 38)):
    """Uptake 1 within columns of every row but the outer four, nothing outside."""
    values = np.zeros(SHAPE, np.float32)
    values[:, 4:20, slice(*columns)] = 1.0
    return values


def box(columns, rows=(8, 13)):
    mask = np.zeros(SHAPE, np.bool_)
    mask[1:3, slice(*rows), slice(*columns)] = True
    return mask


def centred(make_grid):
    """40 columns of 2 mm about x = 0."""
    return make_grid(SHAPE, origin_mm=(-39.0, 0.0, 0.0))


@pytest.fixture
def suspicion(make_grid, make_volume, make_roi):
    def found(values, *masks, grid=None):
        volume = make_volume(values, grid=grid or centred(make_grid))
        return left_right_findings(volume, [make_roi(mask) for mask in masks])

    return found


def test_a_region_beside_the_body_whose_mirror_image_lies_in_it_is_suspect(suspicion):
    values = body(columns=(2, 16))
    assert suspicion(values, box((5, 10))) == ()
    (finding,) = suspicion(values, box((30, 35)))  # columns 5 to 9 reversed: 39 - 9 to 39 - 5
    assert finding.code == "LEFT_RIGHT_SUSPECT"
    assert "100% of their voxels lie in the body, as given 0%" in finding.found


def test_up_to_a_tenth_outside_the_body_says_nothing(suspicion):
    # a true region of 20 columns, 2 of them through the skin at column 16, is mirrored to 8 fewer
    values = body(columns=(2, 16))
    assert suspicion(values, box((6, 17))) == ()


def test_a_hot_spot_that_the_mirror_image_fills_is_suspect(suspicion):
    values = body()
    lesion = box((6, 11))
    values[lesion] = 4.0
    assert suspicion(values, lesion) == ()
    (finding,) = suspicion(values, lesion[:, :, ::-1])
    # 4 against 1 two voxels off it; as given 1 against 1
    assert "stand out 4-fold from their surroundings, as given 1-fold" in finding.found
    assert "the middle of the image" in finding.found


def test_one_and_a_half_times_the_contrast_is_the_margin(suspicion):
    for contrast, n in ((1.45, 0), (1.55, 1)):
        values = body()
        lesion = box((6, 11))
        values[lesion] = contrast
        assert len(suspicion(values, lesion[:, :, ::-1])) == n


def test_a_cold_region_has_an_edge_too(suspicion):
    # 0.1 in 1 on one side, 4 in 1 on the other: |ln 0.1| is more than ln 4
    values = body()
    cold = box((6, 11))
    values[cold], values[cold[:, :, ::-1]] = 0.1, 4.0
    assert suspicion(values, cold) == ()


def test_a_region_beside_a_hot_organ_of_the_other_side_is_not_suspect(suspicion):
    # the mirror image lies between hot rows: colder than its surroundings is no fit
    values = body()
    values[:, 4:7, 28:34] = values[:, 14:17, 28:34] = 8.0
    assert suspicion(values, box((6, 11))) == ()


def test_alike_on_both_sides_cannot_show_a_flip(suspicion):
    values = body()
    lesion = box((6, 11))
    values[lesion | lesion[:, :, ::-1]] = 4.0
    assert suspicion(values, lesion) == suspicion(values, lesion[:, :, ::-1]) == ()


def test_a_region_across_the_midline_cannot_show_a_flip(suspicion):
    values = body()
    lesion = box((16, 25))
    values[lesion] = 4.0
    assert suspicion(values, lesion[:, :, ::-1]) == ()


def test_x_may_be_reversed_where_the_image_is_not_centred(suspicion, make_grid):
    # columns at x = -19, -17, ... 59 mm: x = 0 lies between columns 9 and 10, so i becomes 19 - i
    grid = make_grid(SHAPE, origin_mm=(-19.0, 0.0, 0.0))
    values = body()
    lesion = box((3, 8))
    values[lesion] = 4.0
    flipped = box((12, 17))
    assert suspicion(values, lesion, grid=grid) == ()
    (finding,) = suspicion(values, flipped, grid=grid)
    assert "about x = 0" in finding.found


def test_rows_that_run_backwards_are_rows_all_the_same(suspicion, make_grid):
    forward = centred(make_grid)
    affine = forward.affine.copy()
    affine[0, 2], affine[0, 3] = -2.0, 39.0
    values = body()
    lesion = box((6, 11))
    values[lesion] = 4.0
    assert suspicion(values, lesion[:, :, ::-1], grid=replace(forward, affine=affine))


def test_rows_from_front_to_back_are_not_looked_at(suspicion, make_grid):
    turned = np.eye(4)
    turned[:3, :3] = 2 * np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])  # k along x: sagittal slices
    values = body(columns=(2, 16))
    assert suspicion(values, box((30, 35)), grid=Grid(shape=SHAPE, affine=turned)) == ()


def test_a_large_region_is_looked_at_in_some_of_its_slices(make_volume, make_roi):
    # 30 slices of 30 x 30 voxels: every third slice is enough
    values = np.zeros((30, 40, 90), np.float32)
    values[:, 2:38, 2:88] = 1.0
    lesion = np.zeros(values.shape, np.bool_)
    lesion[:, 5:35, 6:36] = True
    values[lesion] = 3.0
    volume = make_volume(values)
    assert left_right_findings(volume, [make_roi(lesion)]) == ()
    assert left_right_findings(volume, [make_roi(lesion[:, :, ::-1])])


def test_only_the_slices_of_the_regions_need_be_loaded(make_grid, make_volume, make_roi):
    values = body()
    lesion = box((6, 11))
    values[lesion] = 4.0
    is_loaded = np.array([False, True, True, False])
    volume = make_volume(values, grid=centred(make_grid), is_loaded=is_loaded)
    assert left_right_findings(volume, [make_roi(lesion[:, :, ::-1])])


def test_no_region_is_not_suspect(suspicion, make_volume):
    assert suspicion(body()) == ()
    assert suspicion(body(), np.zeros(SHAPE, np.bool_)) == ()
    assert suspicion(np.zeros(SHAPE, np.float32), box((6, 11))) == ()
