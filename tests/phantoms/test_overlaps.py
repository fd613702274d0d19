"""Parts of voxels inside sharp shapes: against published weights, areas known by hand, and counting."""

import math

import numpy as np
import pytest
from petquant_phantoms import Body, ImageGrid, Sphere, Uptake, suv_field
from petquant_phantoms.body import Box, Cylinder, Ellipsoid
from petquant_phantoms.overlaps import PEAK_RADIUS_MM, ball_in_box, ball_weights, disc_in_rectangle

CUBES = {(0, 0, 0): 1.0, (1, 0, 0): 0.9832854238, (1, 1, 0): 0.5778444917, (1, 1, 1): 0.2145392131}
CUBES |= {(2, 0, 0): 0.0124733086}
BRICKS = {
    (0, 0, 1): 0.5827140041,
    (0, 1, 1): 0.1545056034,
    (1, 0, 0): 0.9999964850,
    (1, 0, 1): 0.3942161211,
    (1, 1, 1): 0.0621965141,
    (2, 0, 0): 0.2679645328,
    (2, 0, 1): 0.0111499477,
}


@pytest.mark.parametrize(
    ("spacing_mm", "published"), [((4.0, 4.0, 4.0), CUBES), ((3.27, 5.46875, 5.46875), BRICKS)]
)
def test_weights_of_the_peak_sphere_are_the_published_ones(spacing_mm, published):
    weights = ball_weights(spacing_mm, radius_mm=PEAK_RADIUS_MM)
    middle = np.array(weights.shape) // 2
    for offset, expected in published.items():
        # ten decimals in the table
        assert weights[tuple(middle + offset)] == pytest.approx(expected, abs=0.5e-10 + 1e-12)
    assert weights.sum() * math.prod(spacing_mm) == pytest.approx(1000.0, abs=1e-9)


def test_quarters_and_segments_of_a_disc_have_their_elementary_area():
    low = np.array([[0.0, 0.0], [-9.0, -9.0], [1.0, -9.0], [5.0, 5.0]])
    high = np.array([[9.0, 9.0], [9.0, 9.0], [9.0, 9.0], [6.0, 6.0]])
    found = disc_in_rectangle(low, high, radius_mm=2.0)
    segment = 4.0 * math.acos(0.5) - 1.0 * math.sqrt(3.0)  # R^2 acos(d/R) - d sqrt(R^2 - d^2)
    np.testing.assert_allclose(found, [math.pi, 4.0 * math.pi, segment, 0.0], atol=1e-14)


def test_an_eighth_and_a_cap_of_a_ball_have_their_elementary_volume():
    low = np.array([[0.0, 0.0, 0.0], [-9.0, -9.0, 1.0]])
    found = ball_in_box(low, np.full((2, 3), 9.0), radius_mm=2.0)
    cap = math.pi * 1.0**2 * (3.0 * 2.0 - 1.0) / 3.0  # height 1 of a ball of radius 2
    np.testing.assert_allclose(found, [4.0 / 3.0 * math.pi, cap], atol=1e-12)


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(centre_mm=(0.7, -1.3, 0.4), radius_mm=8.3),
        Cylinder(centre_mm=(0.7, -1.3, 0.4), radius_mm=8.3, half_length_mm=6.1),
        Box(centre_mm=(0.7, -1.3, 0.4), half_widths_mm=(8.3, 5.2, 6.1)),
    ],
)
def test_means_over_voxels_of_a_sharp_shape_hold_its_volume(shape):
    grid = ImageGrid.centred(shape=(12, 10, 9), spacing_mm=(3.0, 4.07, 4.5))
    body = Body(uptakes=(Uptake(name="hot", shape=shape, contrast_suv=1.0),))
    total_ml = suv_field(body, grid, fwhm_mm=0.0, sampling="voxel_mean").sum() * grid.voxel_volume_ml
    assert total_ml == pytest.approx(shape.volume_ml, rel=1e-12)


def test_one_voxel_of_a_sharp_sphere_is_what_counting_gives():
    sphere = Sphere(centre_mm=(0.7, -1.3, 0.4), radius_mm=8.3)
    fine = (np.arange(100) + 0.5) / 100.0 * 4.0
    x, y, z = np.meshgrid(4.0 + fine, -3.0 + fine, 2.0 + fine, indexing="ij")
    points = np.stack([x, y, z], axis=-1)
    counted = sphere.field(points, fwhm_mm=0.0).mean()
    exact = sphere.fractions(np.array([[6.0, -1.0, 4.0]]), np.array([4.0, 4.0, 4.0]))[0]
    assert exact == pytest.approx(counted, abs=2e-4)  # a million points on a curved face


def test_voxel_mean_of_a_blurred_sphere_is_what_a_fine_midpoint_rule_gives():
    ball = Uptake(name="hot", shape=Sphere(centre_mm=(0, 0, 0), radius_mm=5.0), contrast_suv=1.0)
    grid = ImageGrid(shape=(1, 1, 1), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(0.0, 0.0, 0.0))
    body = Body(uptakes=(ball,))
    mean = suv_field(body, grid, fwhm_mm=5.0, sampling="voxel_mean").item()
    fine = (np.arange(80) + 0.5) / 40.0 - 1.0
    points = np.stack(np.meshgrid(fine, fine, fine, indexing="ij"), axis=-1)
    brute = ball.shape.field(points, fwhm_mm=5.0).mean()
    assert mean == pytest.approx(brute, abs=1e-5)  # steps of 0.025 mm: curvature 0.016 / mm2 x 0.025^2 / 8
    assert suv_field(body, grid, fwhm_mm=5.0).item() == pytest.approx(0.86404, abs=0.5e-5)  # at the centre
    assert mean < 0.845


def test_a_mean_that_is_not_known_exactly_is_refused():
    ball = Uptake(
        name="hot", shape=Ellipsoid(centre_mm=(0, 0, 0), semi_axes_mm=(5.0, 6.0, 7.0)), contrast_suv=1.0
    )
    with pytest.raises(ValueError, match="sharp Ellipsoid on this grid is unknown"):
        suv_field(Body(uptakes=(ball,)), ImageGrid(), fwhm_mm=0.0, sampling="voxel_mean")
