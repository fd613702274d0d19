"""Pictures without a browser: how planes run along the voxels of a PET, and the CT on them."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from petquant.export.viewer.outlines import index_at, runs_of
from petquant.export.viewer.picture import NO_CT, picture_of, resampled_ct, stored_numbers
from petquant.grid import Grid
from petquant.roi import Roi
from petquant.volume import SliceTotals, Unit, Volume


def grid_of(directions, *, shape=(5, 6, 7), spacing=(3.0, 4.0, 2.0), positions_mm=None) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions, np.float64).T * spacing
    affine[:3, 3] = (10.0, -20.0, 30.0)
    return Grid(shape=shape, affine=affine, slice_positions_mm=positions_mm)


def volume_of(values, grid, *, unit=Unit.HU) -> Volume:
    n = len(values)
    per_slice = values.reshape(n, -1).astype(np.float64)
    return Volume(
        grid=grid,
        unit=unit,
        stored=values,
        slope=np.ones(n),
        intercept=np.zeros(n),
        totals=SliceTotals(total=per_slice.sum(1), smallest=per_slice.min(1), largest=per_slice.max(1)),
        is_loaded=np.ones(n, np.bool_),
    )


EVERY_WAY = [
    [np.eye(3)[axis] * sign for axis, sign in zip(order, signs, strict=True)]
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


@pytest.mark.parametrize("directions", EVERY_WAY)
def test_planes_run_to_the_right_the_front_and_the_head_however_the_voxels_lie(directions):
    grid = grid_of(directions)
    picture = picture_of(grid)
    for n, side in enumerate(([-1, 0, 0], [0, -1, 0], [0, 0, 1])):  # right, front, head in LPS
        step = grid.directions[:, picture.axes[n]] * (-1 if picture.is_reversed[n] else 1)
        np.testing.assert_allclose(step, side)
    assert picture.tilt_degrees == pytest.approx(0.0, abs=1e-6)


def test_tilt_of_the_planes_is_told():
    angle = np.radians(12.0)
    turned = [[0, -np.sin(angle), np.cos(angle)], [0, np.cos(angle), np.sin(angle)], [1, 0, 0]]
    assert picture_of(grid_of(turned)).tilt_degrees == pytest.approx(12.0)


def test_uneven_slices_are_all_shown_each_where_it_lies_nearest():
    """Steps 3, 3, 2.8, 3: planes at 0, 2.8, 5.6, 8.4, 11.2 and slices at 0, 3, 6, 8.8, 11.8."""
    grid = grid_of(np.eye(3)[::-1], positions_mm=np.array([0.0, 3.0, 6.0, 8.8, 11.8]))
    picture = picture_of(grid)
    assert picture.step_mm == pytest.approx(2.8)
    assert picture.slices.tolist() == [0, 1, 2, 3, 4]
    assert picture.farthest_mm == pytest.approx(0.6)


def test_no_slice_is_left_out_by_many_bed_joins():
    steps = np.tile([3.27, 3.27, 3.27, 3.19, 3.29], 40)
    grid = grid_of(np.eye(3)[::-1], shape=(201, 4, 4), positions_mm=np.concatenate([[0.0], np.cumsum(steps)]))
    picture = picture_of(grid)
    assert set(picture.slices.tolist()) == set(range(201))
    assert picture.farthest_mm <= 3.29 / 2 + 1e-9


def test_ct_is_split_until_it_is_as_fine_as_the_ct_was_and_lies_where_it_lay():
    """A straight line in x, y and z survives linear interpolation: every voxel holds its own position."""
    axial = np.eye(3)[::-1]
    pet = grid_of(axial, spacing=(3.0, 4.0, 4.0))
    fine = Grid(shape=(40, 60, 60), affine=grid_of(axial, spacing=(1.5, 1.0, 1.0)).affine.copy())
    fine.affine[:3, 3] = (0.0, -30.0, 20.0)
    at = fine.position_mm(np.stack(np.indices(fine.shape), axis=-1))
    ct = volume_of((at @ (1.0, 10.0, 100.0)).astype(np.float32) / 10, fine)
    hu, split = resampled_ct(ct, pet, picture_of(pet))
    assert split == 4
    assert hu.shape == (5, 24, 28)
    for k, j, i in ((0, 0, 0), (2, 11, 13), (4, 23, 27)):
        part = ((j + 0.5) / 4 - 0.5, (i + 0.5) / 4 - 0.5)
        place = pet.position_mm([k, *part])
        assert hu[k, j, i] == pytest.approx(place @ (1.0, 10.0, 100.0) / 10, abs=0.51)  # rounded to 1 HU


def test_beyond_the_ct_there_is_none_and_padding_is_air():
    axial = np.eye(3)[::-1]
    pet = grid_of(axial, spacing=(3.0, 4.0, 4.0))
    half = Grid(shape=(5, 6, 3), affine=pet.affine)
    values = np.full(half.shape, -3024, np.int16)
    hu, split = resampled_ct(volume_of(values, half), pet, picture_of(pet))
    assert split == 1
    assert (hu[:, :, :3] == -1024).all()
    assert (hu[:, :, 3:] == NO_CT).all()


@pytest.mark.parametrize(("given", "sent"), [(">i2", "<i2"), ("<u2", "<u2"), ("<f4", "<f4"), ("<i8", "<f8")])
def test_stored_numbers_travel_as_they_are(given, sent):
    values = np.arange(5 * 6 * 7).reshape(5, 6, 7).astype(given)
    found = stored_numbers(volume_of(values, grid_of(np.eye(3)[::-1]), unit=Unit.GML))
    assert found.dtype == np.dtype(sent)
    np.testing.assert_array_equal(found, values)


def test_runs_hold_the_voxels_that_are_half_inside():
    whole = Roi(roi_id="1", name="a", voxels=np.array([3, 4, 5, 9]))
    partial = Roi(roi_id="2", name="b", voxels=np.array([0, 1, 2]), weights=np.array([0.5, 0.49, 1.0]))
    thin = Roi(roi_id="3", name="c", voxels=np.array([7]), weights=np.array([0.1]))
    runs, counts = runs_of([whole, partial, thin])
    assert runs.tolist() == [[3, 3], [9, 1], [0, 1], [2, 1], [7, 1]]
    assert counts == [2, 2, 1]


def test_the_voxel_of_a_position_is_found_on_uneven_slices():
    grid = grid_of(np.eye(3)[::-1], positions_mm=np.array([0.0, 3.0, 6.0, 8.8, 11.8]))
    for k, j, i in product(range(5), (0, 5), (0, 6)):
        assert index_at(grid, grid.position_mm([k, j, i]).tolist()) == [k, j, i]
