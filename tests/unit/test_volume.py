"""Volume: stored numbers, a straight line for every slice, and a grid."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.volume import Unit


@pytest.fixture(scope="module")
def volume(make_volume):
    stored = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    return make_volume(stored, slope=[2.0, 0.5], intercept=[0.0, 10.0], unit=Unit.BQML)


def test_every_slice_has_its_own_line(volume):
    expected = [0, 2, 4, 6, 12, 12.5, 13, 13.5]  # 2 n, then 10 + n / 2
    assert volume.values().reshape(-1).tolist() == expected
    assert volume.at(np.arange(8)).tolist() == expected
    assert volume.values().dtype == volume.at([0]).dtype == np.float64


def test_values_are_computed_in_double_precision(make_volume):
    volume = make_volume(np.full((1, 1, 1), 32767, np.int16), slope=0.1)
    assert volume.at([0])[0] == 32767 * 0.1


def test_scaling_touches_no_voxel(volume):
    scaled = volume.scaled(3.0, unit=Unit.GML)
    assert scaled.stored is volume.stored
    assert scaled.unit is Unit.GML
    assert scaled.at([1, 5]).tolist() == [6.0, 37.5]


def test_scaling_may_differ_from_slice_to_slice(volume):
    assert volume.scaled(np.array([1.0, 10.0]), unit=Unit.GML).at([1, 5]).tolist() == [2.0, 125.0]


def test_slice_that_was_not_loaded_holds_no_values(make_volume):
    volume = make_volume(np.ones((2, 2, 2)), is_loaded=np.array([True, False]))
    assert volume.at([3]).tolist() == [1.0]
    with pytest.raises(LookupError):
        volume.at([4])
    with pytest.raises(LookupError):
        volume.values()


def test_totals_tell_sums_and_extremes_without_the_voxels(volume):
    assert volume.slice_sums().tolist() == [12.0, 51.0]
    assert (volume.smallest(), volume.largest()) == (0.0, 13.5)
