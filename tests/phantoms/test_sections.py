"""Shapes without a closed form: against the closed forms they meet, and against brute force."""

import math

import numpy as np
import pytest
from petquant_phantoms import fields, sections
from petquant_phantoms.body import Ellipsoid, EllipticCylinder, IecBody
from scipy.special import erf


def shell_points(radius_mm, fwhm_mm, *, count=1500):
    """Points scattered eight standard deviations to both sides of a spherical surface."""
    rng = np.random.default_rng(7)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return directions * (radius_mm + 8.0 * fields.sigma_mm(fwhm_mm) * rng.uniform(-1.0, 1.0, size=(count, 1)))


@pytest.mark.parametrize("fwhm_mm", [3.0, 6.0, 16.0])
@pytest.mark.parametrize("radius_mm", [4.0, 15.0, 40.0, 147.0])
def test_a_round_ellipsoid_is_a_sphere_and_a_round_ellipse_a_disc(radius_mm, fwhm_mm):
    points = shell_points(radius_mm, fwhm_mm)
    ball = sections.ellipsoid(points, semi_axes_mm=(radius_mm,) * 3, fwhm_mm=fwhm_mm)
    expected = fields.sphere(np.linalg.norm(points, axis=-1), radius_mm=radius_mm, fwhm_mm=fwhm_mm)
    np.testing.assert_allclose(ball, expected, atol=1e-8)  # what the quadrature promises
    x, y = points[:, 0], points[:, 1]
    rows = sections.ellipse_rows(radius_mm, radius_mm)
    disc = sections.section(x, y, rows=rows, fwhm_mm=fwhm_mm)
    expected = fields.disc(np.hypot(x, y), radius_mm=radius_mm, fwhm_mm=fwhm_mm)
    np.testing.assert_allclose(disc, expected, atol=1e-9)


@pytest.mark.parametrize(
    "at", [(0.0, 0.0, 0.0), (5.0, 0.0, 0.0), (2.0, 7.0, 3.0), (0.0, 0.0, 14.0), (6.0, 8.0, 1.0)]
)
def test_an_oblong_ellipsoid_is_what_brute_force_gives(at):
    semi_axes_mm, s = (5.0, 9.0, 14.0), fields.sigma_mm(6.0)
    step_mm = 0.1
    axes = [np.arange(-a + 0.5 * step_mm, a, step_mm) for a in semi_axes_mm]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = grid[((grid / np.array(semi_axes_mm)) ** 2).sum(axis=-1) <= 1.0]
    kernel = np.exp(-((inside - np.array(at)) ** 2).sum(axis=-1) / (2.0 * s**2))
    brute = kernel.sum() * step_mm**3 / ((2.0 * math.pi) ** 1.5 * s**3)
    found = sections.ellipsoid(np.array([at]), semi_axes_mm=semi_axes_mm, fwhm_mm=6.0)
    assert float(found[0]) == pytest.approx(brute, abs=5e-4)  # steps of 0.1 mm at the edge of the sum


@pytest.mark.parametrize("at", [(120.0, 60.0), (146.0, 34.0), (0.0, 112.0), (135.0, 80.0), (60.0, 111.0)])
def test_the_iec_body_is_what_brute_force_gives(at):
    s, step_mm = fields.sigma_mm(8.0), 0.001
    y = at[1] + np.arange(-30.0 + 0.5 * step_mm, 30.0, step_mm)
    # a half-disc of 147 mm in front of y = 35 mm; behind it a rectangle with corners of 77 mm
    front = np.sqrt(np.maximum(147.0**2 - (y - 35.0) ** 2, 0.0))
    behind = 70.0 + np.sqrt(np.maximum(77.0**2 - (y - 35.0) ** 2, 0.0))
    half_width = np.where(y <= 35.0, front, np.where(y <= 112.0, behind, 0.0))
    row = 0.5 * (
        erf((half_width - at[0]) / (math.sqrt(2) * s)) + erf((half_width + at[0]) / (math.sqrt(2) * s))
    )
    kernel = np.exp(-((y - at[1]) ** 2) / (2.0 * s**2)) / (math.sqrt(2.0 * math.pi) * s)
    brute = (row * kernel).sum() * step_mm
    found = sections.section(np.array([at[0]]), np.array([at[1]]), rows=sections.IEC_ROWS, fwhm_mm=8.0)
    # where the phantom ends between two rows, half a row is uncertain: 0.0005 mm / (sqrt(2 pi) s)
    assert float(found[0]) == pytest.approx(brute, abs=6e-5)


def test_the_front_of_the_iec_body_is_a_disc_of_147_mm():
    angles = np.linspace(np.radians(200.0), np.radians(340.0), 200)  # in front, more than 8 s from the chord
    radii = np.linspace(120.0, 170.0, 200)
    x, y = radii * np.cos(angles), radii * np.sin(angles)
    found = sections.section(x, y + 35.0, rows=sections.IEC_ROWS, fwhm_mm=8.0)
    expected = fields.disc(radii, radius_mm=147.0, fwhm_mm=8.0)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_iec_body_has_the_published_cross_section():
    assert pytest.approx(54036.0, abs=1.0) == sections.IEC_AREA_MM2  # 540.36 cm2
    body = IecBody(centre_mm=(0.0, 0.0, 0.0), half_length_mm=97.0)
    assert body.volume_ml == pytest.approx(540.36 * 19.4, abs=0.01 * 19.4)  # the last digit printed


@pytest.mark.parametrize(
    "shape",
    [
        Ellipsoid(centre_mm=(1.0, -2.0, 3.0), semi_axes_mm=(9.0, 12.0, 7.0)),
        EllipticCylinder(
            centre_mm=(1.0, -2.0, 3.0), half_width_mm=12.0, half_height_mm=8.0, half_length_mm=9.0
        ),
    ],
)
def test_blur_keeps_the_volume(shape):
    axis = np.arange(-40.0, 40.0, 1.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    total_ml = shape.field(points, fwhm_mm=6.0).sum() / 1000.0
    # sampling a blur of s = 2.5 mm every 1 mm leaves exp(-2 pi^2 2.5^2) of the sum uncertain
    assert total_ml == pytest.approx(shape.volume_ml, rel=1e-8)
