"""Grid: where voxels lie in the patient, and when two grids hold the same voxels."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.grid import Grid


@pytest.fixture(scope="module")
def grid(make_grid):
    return make_grid((5, 6, 7), (3.0, 2.0, 2.5), origin_mm=(-10.0, 20.0, -300.0))


def moved(grid, *, by=(0, 0, 0), shape=None, columns=(1, 1, 1)):
    affine = grid.affine.copy()
    affine[:3, :3] *= columns
    affine[:3, 3] += by
    return Grid(shape=shape or grid.shape, affine=affine)


def turned(grid, order, back):
    """The same voxels with axes in another order and direction."""
    affine, shape = np.eye(4), tuple(grid.shape[a] for a in order)
    affine[:3, :3] = grid.affine[:3, list(order)]
    affine[:3, 3] = grid.affine[:3, 3]
    for axis, is_back in enumerate(back):
        if is_back:
            affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
            affine[:3, axis] *= -1
    return Grid(shape=shape, affine=affine)


def test_index_becomes_patient_position(grid):
    np.testing.assert_allclose(grid.position_mm([1, 2, 3]), [-10 + 3 * 2.5, 20 + 2 * 2, -300 + 3])
    assert grid.spacing_mm == (3.0, 2.0, 2.5)
    assert grid.voxel_volume_ml == pytest.approx(0.015, rel=1e-14)


def test_flat_numbers_run_with_i_fastest(grid):
    assert grid.index_of([0, 1, 7, 42]).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_uneven_slices_keep_their_positions(make_grid):
    grid = make_grid((4, 2, 2), (3.27, 1, 1), slice_positions_mm=np.array([0.0, 3.27, 6.46, 9.75]))
    np.testing.assert_allclose(grid.position_mm([[2, 0, 0], [3, 1, 1]]), [[0, 0, 6.46], [1, 1, 9.75]])
    assert grid.corners_mm()[-1][2] == pytest.approx(9.75)


def test_every_turn_and_flip_of_a_grid_is_found(grid):
    values = np.arange(grid.size).reshape(grid.shape)
    for order, back in product(permutations(range(3)), product((False, True), repeat=3)):
        other = turned(grid, order, back)
        axes = grid.axes_of(other)
        flip = tuple(slice(None, None, -1) if b else slice(None) for b in back)
        assert axes is not None
        np.testing.assert_array_equal(axes.apply(values.transpose(order)[flip]), values)


def test_offset_within_a_hundredth_is_the_same_and_within_a_tenth_is_snapped(grid):
    # smallest spacing 2 mm: limits 0.02 and 0.2 mm
    for by_mm, is_snapped in ((0.019, False), (0.021, True), (0.199, True)):
        axes = grid.axes_of(moved(grid, by=(by_mm, 0, 0)))
        assert axes is not None
        assert axes.offset_mm == pytest.approx(by_mm)
        assert grid.is_snapped(axes) is is_snapped
    assert grid.axes_of(moved(grid, by=(0.201, 0, 0))) is None


def test_mask_of_equal_shape_and_origin_but_turned_is_another_grid(grid):
    # a peer's test of sameness ignores direction cosines
    turn = np.eye(4)
    angle = np.radians(10)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ grid.affine
    affine[:3, 3] = grid.affine[:3, 3]
    other = Grid(shape=grid.shape, affine=affine)
    assert grid.axes_of(other) is None
    assert grid.difference(other) == "orientation turned by 10 degrees"


def test_difference_names_shape_spacing_and_origin_with_both_values(grid):
    words = grid.difference(moved(grid, by=(0, 0, 3), shape=(5, 6, 8), columns=(1, 1, 2)))
    assert "shape 5 x 6 x 8 against 5 x 6 x 7 (k, j, i)" in words
    assert "spacing 3 x 2 x 5 against 3 x 2 x 2.5 mm (k, j, i)" in words
    assert "origin -10 x 20 x -297 against -10 x 20 x -300 mm LPS, 3 mm apart" in words
    assert "orientation" not in words


def test_difference_does_not_call_a_flip_another_orientation(grid):
    other = turned(moved(grid, by=(5, 0, 0)), (0, 1, 2), (False, True, True))
    assert grid.difference(other) == "origin -5 x 20 x -300 against -10 x 20 x -300 mm LPS, 5 mm apart"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.permutations([0, 1, 2]), st.lists(st.booleans(), min_size=3, max_size=3))
def test_same_grid_goes_both_ways(order, back):
    affine = np.array([[0.1, 0, 2.0, 3], [0, 2.5, 0, 4], [3.0, 0, -0.2, 5], [0, 0, 0, 1]])
    grid = Grid(shape=(4, 4, 4), affine=affine)
    other = turned(grid, order, back)
    there, home = grid.axes_of(other), other.axes_of(grid)
    values = np.arange(64).reshape(4, 4, 4)
    np.testing.assert_array_equal(home.apply(there.apply(values)), values)
