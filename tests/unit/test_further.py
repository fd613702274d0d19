"""Further quantities: moments of the values, and the mesh of a region."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petquant.metrics import measure
from petquant.quantities import FURTHER_COLUMNS


def further_of(volume, roi):
    (row,) = measure(volume, [roi], suv_type="bw", has_further=True)
    return row.values


def test_they_are_measured_on_request_alone(make_volume, make_roi):
    (row,) = measure(make_volume(np.ones((3, 3, 3))), [make_roi(np.array([13]))], suv_type="bw")
    assert not set(FURTHER_COLUMNS) & set(row.values)


def test_moments_are_those_of_the_weighted_values(make_volume, make_roi):
    # x = 0 with weight 3/4 and x = 4 with weight 1/4 of the sum: mean 1, m2 = 3, m3 = 6, m4 = 21
    volume = make_volume(np.array([[[0.0, 4.0, 0.0]]]))
    roi = make_roi(np.array([0, 1, 2]), weights=np.array([1.0, 0.5, 0.5]))
    found = further_of(volume, roi)
    assert found["suv_skewness"] == pytest.approx(6 / 3**1.5, rel=1e-14)
    assert found["suv_excess_kurtosis"] == pytest.approx(21 / 9 - 3, rel=1e-14)
    assert found["suv_rms"] == pytest.approx(2.0, rel=1e-14)  # sqrt(16 / 4)


def test_a_constant_region_has_no_skewness_and_no_kurtosis(make_volume, make_roi):
    found = further_of(make_volume(np.full((4, 4, 4), 0.1)), make_roi(np.arange(20)))
    assert (found["suv_skewness"], found["suv_excess_kurtosis"], found["suv_iqr"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("weight", "reach"), [(1.0, 0.5), (0.8, 0.375)])
def test_the_mesh_of_a_voxel_is_an_octahedron(make_volume, make_roi, weight, reach):
    # w falls from `weight` to 0 over one step and is 0.5 at reach = 1 - 0.5 / weight: volume 4/3 abc
    volume = make_volume(np.ones((3, 3, 3)), (2.0, 3.0, 5.0))
    found = further_of(volume, make_roi(np.array([13]), weights=np.array([weight])))
    assert found["mesh_volume_ml"] == pytest.approx(
        4 / 3 * reach**3 * 30 / 1000, rel=1e-6
    )  # float32 vertices
    assert found["max_3d_diameter_mm"] == pytest.approx(2 * reach * 5.0, rel=1e-6)
    assert found["equivalent_sphere_diameter_mm"] == pytest.approx(
        (6 * 30 * weight / math.pi) ** (1 / 3), rel=1e-12
    )


def test_the_mesh_keeps_every_slice_at_its_own_place(make_volume, make_grid, make_roi):
    # a row of three voxels along k at 0, 2 and 5 mm; the mesh ends half a median step of 2.5 mm beyond
    grid = make_grid((3, 3, 3), (2.5, 2.0, 2.0), slice_positions_mm=np.array([0.0, 2.0, 5.0]))
    found = further_of(make_volume(np.ones((3, 3, 3)), grid=grid), make_roi(np.array([4, 13, 22])))
    assert found["max_3d_diameter_mm"] == pytest.approx(5.0 + 2.5, rel=1e-6)


def test_a_region_without_a_voxel_more_than_half_inside_has_no_mesh(make_volume, make_roi):
    found = further_of(make_volume(np.ones((3, 3, 3))), make_roi(np.array([13]), weights=np.array([0.5])))
    assert found["mesh_volume_ml"] is None
    assert found["max_3d_diameter_mm"] is None


def test_a_sphere_has_its_diameter(make_volume, make_roi):
    k, j, i = np.ogrid[:41, :41, :41]
    ball = (k - 20) ** 2 + (j - 20) ** 2 + (i - 20) ** 2 <= 15**2
    found = further_of(make_volume(np.ones(ball.shape)), make_roi(ball))
    assert found["max_3d_diameter_mm"] == pytest.approx(
        62.0, abs=0.1
    )  # centres 60 mm apart, half a voxel more
