"""Shapes keep their volume, and each voxel has the part of it that arithmetic says."""

from __future__ import annotations

from math import acos, cos, pi, sin, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.delineation import Box, Cylinder, Sphere, drawn
from petquant.errors import Refused, UsageError
from petquant.grid import Grid
from petquant.occupancy.frame import volumes_mm3

EXACT = 1e-9  # roi.md: on grids along the axes
OBLIQUE = 1e-3  # roi.md: on rotated grids


def turned(about_z=0.0, about_x=0.0):
    c, s, d, t = cos(about_z), sin(about_z), cos(about_x), sin(about_x)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, d, -t], [0, t, d]])


def grid_of(spacing_mm=(4.0, 4.0, 4.0), *, shape=(24, 24, 24), turn=None, order=(2, 1, 0), signs=(1, 1, 1)):
    """A grid about the origin; `order` says which of x, y, z the axes k, j, i run along."""
    affine = np.eye(4)
    axes = np.eye(3)[:, order] * np.array(signs)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) @ axes * np.array(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape=shape, affine=affine)


def weights_of(roi):
    return np.ones(len(roi.voxels)) if roi.weights is None else roi.weights


def volume_ml(roi, grid):
    return float(weights_of(roi).sum() * grid.voxel_volume_ml)


def weight_at(roi, grid, index):
    flat = np.ravel_multi_index(index, grid.shape)
    (place,) = np.flatnonzero(roi.voxels == flat)
    return weights_of(roi)[place]


places = st.tuples(*[st.floats(-9, 9)] * 3)
spacings = st.tuples(*[st.floats(1.5, 6)] * 3)
ways = st.tuples(st.permutations((0, 1, 2)).map(tuple), st.tuples(*[st.sampled_from((-1, 1))] * 3))


@settings(max_examples=60, deadline=None)
@given(places, st.floats(0.3, 25), spacings, ways)
def test_a_sphere_keeps_its_volume_wherever_it_lies(centre, radius, spacing, way):
    grid = grid_of(spacing, shape=(48, 48, 48), order=way[0], signs=way[1])
    sphere = Sphere(name="s", centre_mm=centre, radius_mm=radius)
    roi, findings = drawn(sphere, grid)
    assert findings == ()
    assert volume_ml(roi, grid) == pytest.approx(4 / 3 * pi * radius**3 / 1000, rel=EXACT)
    assert (np.diff(roi.voxels) > 0).all()
    assert weights_of(roi).min() > 0
    assert weights_of(roi).max() <= 1


@settings(max_examples=40, deadline=None)
@given(places, st.tuples(st.floats(0.5, 20), st.floats(0.5, 25)), spacings, ways, st.integers(0, 2))
def test_a_cylinder_along_an_axis_of_the_grid_keeps_its_volume(centre, size, spacing, way, along):
    radius, length = size
    grid = grid_of(spacing, shape=(48, 48, 48), order=way[0], signs=way[1])
    axis = tuple(np.eye(3)[along])
    roi, _ = drawn(Cylinder(name="c", centre_mm=centre, radius_mm=radius, length_mm=length, axis=axis), grid)
    assert volume_ml(roi, grid) == pytest.approx(pi * radius**2 * length / 1000, rel=EXACT)
    assert "exact overlap" in roi.source


@settings(max_examples=40, deadline=None)
@given(places, st.tuples(*[st.floats(0.5, 25)] * 3), spacings, ways)
def test_a_box_keeps_its_volume(low, sides, spacing, way):
    grid = grid_of(spacing, shape=(60, 60, 60), order=way[0], signs=way[1])
    high = tuple(a + b for a, b in zip(low, sides, strict=True))
    roi, _ = drawn(Box(name="b", low_mm=low, high_mm=high), grid)
    assert volume_ml(roi, grid) == pytest.approx(np.prod(sides) / 1000, rel=EXACT)
    assert roi.flags == ()


@pytest.mark.parametrize("turn", [turned(0.3, 0.5), turned(pi / 4), turned(0.0, pi / 4), turned(1.2, -0.7)])
def test_shapes_keep_their_volume_on_a_rotated_grid(turn):
    grid = grid_of((3.0, 2.5, 2.5), shape=(40, 40, 40), turn=turn)
    sphere = Sphere(name="s", centre_mm=(1.3, -2.2, 0.7), radius_mm=14)
    cylinder = Cylinder(name="c", centre_mm=(1.3, -2.2, 0.7), radius_mm=9, length_mm=31)
    box = Box(name="b", low_mm=(-7, -11, -5.5), high_mm=(8.2, 6, 13))
    assert volume_ml(drawn(sphere, grid)[0], grid) == pytest.approx(4 / 3 * pi * 14**3 / 1000, rel=EXACT)
    assert volume_ml(drawn(cylinder, grid)[0], grid) == pytest.approx(pi * 81 * 31 / 1000, rel=OBLIQUE)
    assert volume_ml(drawn(box, grid)[0], grid) == pytest.approx(15.2 * 17 * 18.5 / 1000, rel=OBLIQUE)


def test_the_axis_of_a_cylinder_may_point_anywhere():
    grid = grid_of((3.0, 2.5, 2.5), shape=(40, 40, 40))
    slanted = Cylinder(name="c", centre_mm=(0, 0, 0), radius_mm=6, length_mm=40, axis=(1, 1, 2))
    roi, _ = drawn(slanted, grid)
    assert volume_ml(roi, grid) == pytest.approx(pi * 36 * 40 / 1000, rel=OBLIQUE)
    at = grid.position_mm(grid.index_of(roi.voxels))
    spread = np.cov(at.T, aweights=weights_of(roi))
    _, directions = np.linalg.eigh(spread)
    assert abs(directions[:, -1] @ np.array([1, 1, 2]) / sqrt(6)) == pytest.approx(1, abs=1e-4)


def test_the_length_of_an_axis_does_not_matter():
    grid = grid_of()
    one, other = (
        drawn(Cylinder(name="c", centre_mm=(1, 2, 3), radius_mm=7, length_mm=9, axis=axis), grid)[0]
        for axis in ((0, 0, 1), (0, 0, -5))
    )
    assert one.voxels.tolist() == other.voxels.tolist()
    assert one.weights == pytest.approx(other.weights, abs=1e-12)


def test_the_sphere_of_one_ml_has_the_weights_of_the_specification():
    # roi.md 4.2, 4 mm cubes; the centre of an odd grid is a voxel
    grid = grid_of(shape=(9, 9, 9))
    roi, _ = drawn(Sphere(name="s", centre_mm=(0, 0, 0), radius_mm=(3000 / (4 * pi)) ** (1 / 3)), grid)
    known = {
        (0, 0, 0): 1.0,
        (1, 0, 0): 0.9832854238,
        (1, 1, 0): 0.5778444917,
        (1, 1, 1): 0.2145392131,
        (2, 0, 0): 0.0124733086,
    }
    for offset, weight in known.items():
        index = tuple(4 + step for step in offset)
        assert weight_at(roi, grid, index) == pytest.approx(weight, abs=6e-11)


def test_a_sphere_about_a_corner_of_voxels_is_an_eighth_in_each_of_the_eight():
    grid = grid_of(shape=(4, 4, 4))  # the origin is a corner
    roi, _ = drawn(Sphere(name="s", centre_mm=(0, 0, 0), radius_mm=3), grid)
    assert len(roi.voxels) == 8
    assert roi.weights == pytest.approx(4 / 3 * pi * 27 / 8 / 64, rel=1e-12)


def test_a_sphere_across_a_face_leaves_a_cap_beyond_it():
    grid = grid_of((10.0, 10.0, 10.0), shape=(5, 5, 5))  # faces at 5 mm
    roi, _ = drawn(Sphere(name="s", centre_mm=(3.0, 0, 0), radius_mm=4), grid)
    h = 4 - 2
    assert weight_at(roi, grid, (2, 2, 3)) == pytest.approx(pi * h**2 * (3 * 4 - h) / 3 / 1000, rel=1e-12)


def test_a_cylinder_across_a_face_leaves_a_segment_beyond_it():
    grid = grid_of((10.0, 10.0, 10.0), shape=(5, 5, 5))
    roi, _ = drawn(Cylinder(name="c", centre_mm=(0, 3.0, 0), radius_mm=4, length_mm=6), grid)
    segment = 16 * acos(2 / 4) - 2 * sqrt(16 - 4)
    assert weight_at(roi, grid, (2, 3, 2)) == pytest.approx(segment * 6 / 1000, rel=1e-12)


def test_a_box_takes_the_product_of_its_overlaps():
    grid = grid_of((10.0, 10.0, 10.0), shape=(5, 5, 5))
    roi, _ = drawn(Box(name="b", low_mm=(-5, -5, 0), high_mm=(7, 5, 5)), grid)
    assert weight_at(roi, grid, (2, 2, 2)) == pytest.approx(0.5, rel=1e-12)
    assert weight_at(roi, grid, (2, 2, 3)) == pytest.approx(0.2 * 0.5, rel=1e-12)
    assert len(roi.voxels) == 2


def test_a_box_of_whole_voxels_has_no_weights():
    grid = grid_of((10.0, 10.0, 10.0), shape=(5, 5, 5))
    roi, _ = drawn(Box(name="b", low_mm=(-5, -5, -5), high_mm=(15, 5, 5)), grid)
    assert roi.weights is None
    assert len(roi.voxels) == 2


def test_weights_on_a_rotated_grid_are_those_of_counted_points():
    # 20^3 points a voxel: a count is off by less than a layer of points, and so is the quadrature
    grid = grid_of(shape=(7, 7, 7), turn=turned(0.4, 0.6))
    cut = (np.arange(20) + 0.5) / 20 - 0.5
    parts = np.stack(np.meshgrid(cut, cut, cut, indexing="ij"), axis=-1).reshape(-1, 3)
    index = grid.index_of(np.arange(grid.size))
    at = (index[:, None] + parts) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    shapes = (
        (
            Sphere(name="s", centre_mm=(0.5, 1, -1), radius_mm=8),
            (np.linalg.norm(at - (0.5, 1, -1), axis=-1) <= 8),
        ),
        (
            Box(name="b", low_mm=(-6, -5, -7), high_mm=(5, 6, 4)),
            ((at >= (-6, -5, -7)) & (at <= (5, 6, 4))).all(axis=-1),
        ),
        (
            Cylinder(name="c", centre_mm=(0, 0, 0), radius_mm=7, length_mm=11),
            (np.hypot(at[..., 0], at[..., 1]) <= 7) & (np.abs(at[..., 2]) <= 5.5),
        ),
    )
    for shape, is_in in shapes:
        roi, _ = drawn(shape, grid)
        found = np.zeros(grid.size)
        found[roi.voxels] = weights_of(roi)
        assert np.abs(found - is_in.mean(axis=1)).max() < 1 / 20, shape


def test_slices_of_uneven_steps_hold_their_own_part(make_grid):
    positions = np.array([0.0, 3.0, 6.2, 9.2, 12.2, 15.4, 18.4])
    grid = make_grid((7, 9, 9), (3.0, 4.0, 4.0), slice_positions_mm=positions)
    roi, findings = drawn(Sphere(name="s", centre_mm=(16, 17, 9), radius_mm=7), grid)
    held = float((weights_of(roi) * volumes_mm3(roi.voxels, grid)).sum())
    assert held == pytest.approx(4 / 3 * pi * 343, rel=EXACT)
    assert findings == ()


def test_what_reaches_out_of_the_image_is_cut_off_and_said():
    grid = grid_of(shape=(8, 8, 8))  # faces at 16 mm
    roi, (finding,) = drawn(Sphere(name="node", centre_mm=(16, 0, 0), radius_mm=6), grid)
    assert roi.flags == ("ROI_CLIPPED_BY_FOV",)
    assert finding.found.startswith("0.5 of the region's volume")
    assert volume_ml(roi, grid) == pytest.approx(2 / 3 * pi * 216 / 1000, rel=EXACT)
    boxed, (of_box,) = drawn(Box(name="b", low_mm=(8, 0, 0), high_mm=(24, 4, 4)), grid)
    assert of_box.code == "ROI_CLIPPED_BY_FOV"
    assert boxed.flags == ("ROI_CLIPPED_BY_FOV",)


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(name="s", centre_mm=(100, 0, 0), radius_mm=6),
        Cylinder(name="c", centre_mm=(0, 0, 90), radius_mm=6, length_mm=10),
        Cylinder(name="c", centre_mm=(0, 0, 90), radius_mm=6, length_mm=10, axis=(1, 1, 0)),
        Box(name="b", low_mm=(50, 0, 0), high_mm=(60, 1, 1)),
    ],
)
def test_a_shape_outside_the_image_is_refused(shape):
    with pytest.raises(Refused) as refused:
        drawn(shape, grid_of(shape=(8, 8, 8)))
    assert refused.value.findings[0].code == "ROI_OUTSIDE_FOV"


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(name="s", centre_mm=(0, 0, 0), radius_mm=0),
        Sphere(name="s", centre_mm=(0, float("nan"), 0), radius_mm=1),
        Cylinder(name="c", centre_mm=(0, 0, 0), radius_mm=6, length_mm=-1),
        Cylinder(name="c", centre_mm=(0, 0, 0), radius_mm=6, length_mm=1, axis=(0, 0, 0)),
        Box(name="b", low_mm=(5, 0, 0), high_mm=(5, 1, 1)),
    ],
)
def test_a_shape_without_volume_is_refused(shape):
    with pytest.raises(UsageError):
        drawn(shape, grid_of(shape=(8, 8, 8)))


def test_a_shape_says_what_it_is():
    roi, _ = drawn(Sphere(name="s", centre_mm=(1.5, 0, -2), radius_mm=6), grid_of())
    assert roi.source == "sphere of radius 6 mm at (1.5, 0, -2) mm LPS, exact overlap"
