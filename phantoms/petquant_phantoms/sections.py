"""Shapes whose blur has no closed form: ellipses, ellipsoids, and the section of the IEC body phantom.

Across a row the blurred shape is a difference of two error functions; along the other axes it is integrated
by Gauss-Legendre over the part of the shape within seven standard deviations of the point. The quadrature
is good to 1e-9, and the tests hold it to brute force. Lengths are in mm, values as in `fields`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

from petquant_phantoms.fields import sigma_mm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Field = NDArray[np.float64]

WINDOW_IN_SIGMAS = 6.5  # a Gaussian holds 8e-11 outside
ROW_NODES = 240  # the width of a row grows steeply at the top of a shape
NODES = 44  # across an ellipsoid, whose rows are laid along its normal, so that they grow slowly
STEPS = 25  # of the trapezoid where the end of an ellipsoid is not in sight: 0.54 standard deviations each
CHUNK = 2048  # points at once
BISECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A part of a cross-section, symmetric about x = 0: rows from y = low to high and their half-width."""

    low_mm: float
    high_mm: float
    half_width_mm: Callable[[Field], Field]


@lru_cache(maxsize=8)
def _legendre(count: int) -> tuple[Field, Field]:
    """Return nodes and weights on -1 to 1, which take longer to find than to use."""
    return np.polynomial.legendre.leggauss(count)


def _gauss(low: Field, high: Field, count: int) -> tuple[Field, Field]:
    """Return nodes and weights between ends (n,), each (n, count), with square roots at the ends smoothed."""
    nodes, weights = _legendre(count)
    theta = 0.5 * np.pi * (nodes + 1.0)
    middle, half = 0.5 * (high + low), np.maximum(0.5 * (high - low), 0.0)
    at = middle[..., None] - half[..., None] * np.cos(theta)
    return at, half[..., None] * (0.5 * np.pi * weights * np.sin(theta))


def _normal(offset: Field, s: float) -> Field:
    return np.asarray(np.exp(-0.5 * (offset / s) ** 2) / (math.sqrt(2.0 * np.pi) * s))


def _across(x: Field, half_width: Field, s: float) -> Field:
    width = math.sqrt(2.0) * s
    return np.asarray(0.5 * (erf((half_width + x) / width) + erf((half_width - x) / width)))


def section(x_mm: Field, y_mm: Field, *, rows: Sequence[Rows], fwhm_mm: float) -> Field:
    """Return a blurred cross-section of unit contrast at points.

    Parameters
    ----------
    x_mm, y_mm
        Positions across, of equal shape.
    rows
        Parts of the cross-section, one above the other.
    fwhm_mm
        As for `fields.sphere`.

    Notes
    -----
    ``integral N(y' - y; s) 1/2 [erf((h(y') + x)/(sqrt2 s)) + erf((h(y') - x)/(sqrt2 s))] dy'``.
    """
    x, y = np.asarray(x_mm, np.float64), np.asarray(y_mm, np.float64)
    if fwhm_mm == 0.0:
        return _sharp_section(x, y, rows)
    s = sigma_mm(fwhm_mm)
    places, back = np.unique(np.abs(x).ravel() + 1j * y.ravel(), return_inverse=True)
    values = np.zeros(places.size)
    for start in range(0, places.size, CHUNK):
        part = slice(start, start + CHUNK)
        at_x, at_y = places.real[part], places.imag[part]
        for piece in rows:
            low = np.clip(at_y - WINDOW_IN_SIGMAS * s, piece.low_mm, piece.high_mm)
            high = np.clip(at_y + WINDOW_IN_SIGMAS * s, piece.low_mm, piece.high_mm)
            row, weight = _gauss(low, high, ROW_NODES)
            lit = _across(at_x[:, None], piece.half_width_mm(row), s)
            values[part] += (weight * _normal(row - at_y[:, None], s) * lit).sum(axis=-1)
    return values[back].reshape(x.shape)


def _sharp_section(x: Field, y: Field, rows: Sequence[Rows]) -> Field:
    inside = np.zeros(x.shape, dtype=np.bool_)
    for piece in rows:
        row = np.clip(y, piece.low_mm, piece.high_mm)
        inside |= (row == y) & (np.abs(x) <= piece.half_width_mm(row))
    return inside.astype(np.float64)


def _circle(radius_mm: float, offset_mm: float = 0.0) -> Callable[[Field], Field]:
    return lambda y: offset_mm + np.sqrt(np.maximum(radius_mm**2 - y**2, 0.0))


def ellipse_rows(half_width_mm: float, half_height_mm: float) -> tuple[Rows, ...]:
    """Return the rows of an ellipse at the origin."""
    ratio = half_width_mm / half_height_mm
    circle = _circle(half_height_mm)
    return (Rows(low_mm=-half_height_mm, high_mm=half_height_mm, half_width_mm=lambda y: ratio * circle(y)),)


# OpenGATE contrib/phantoms/nemaiec.py: a half-disc over a rectangle with rounded lower corners.
IEC_RADIUS_MM = 147.0
IEC_CORNER_RADIUS_MM = 77.0
IEC_CORNER_OFFSET_MM = 70.0
IEC_CENTRE_ABOVE_CHORD_MM = 35.0
IEC_AREA_MM2 = (
    0.5 * math.pi * IEC_RADIUS_MM**2
    + 0.5 * math.pi * IEC_CORNER_RADIUS_MM**2
    + 2.0 * IEC_CORNER_OFFSET_MM * IEC_CORNER_RADIUS_MM
)

# y points backwards (LPS) from the middle of the phantom, so the half-disc lies at low y.
IEC_ROWS = (
    Rows(
        low_mm=IEC_CENTRE_ABOVE_CHORD_MM - IEC_RADIUS_MM,
        high_mm=IEC_CENTRE_ABOVE_CHORD_MM,
        half_width_mm=lambda y: _circle(IEC_RADIUS_MM)(y - IEC_CENTRE_ABOVE_CHORD_MM),
    ),
    Rows(
        low_mm=IEC_CENTRE_ABOVE_CHORD_MM,
        high_mm=IEC_CENTRE_ABOVE_CHORD_MM + IEC_CORNER_RADIUS_MM,
        half_width_mm=lambda y: _circle(IEC_CORNER_RADIUS_MM, IEC_CORNER_OFFSET_MM)(
            y - IEC_CENTRE_ABOVE_CHORD_MM
        ),
    ),
)


def ellipsoid(from_centre_mm: Field, *, semi_axes_mm: tuple[float, float, float], fwhm_mm: float) -> Field:
    """Return a blurred ellipsoid of unit contrast at points (..., 3) relative to its centre.

    Parameters
    ----------
    from_centre_mm
        Positions x, y, z from the centre.
    semi_axes_mm
        Semi-axes along x, y, z.
    fwhm_mm
        As for `fields.sphere`.

    Notes
    -----
    The error functions of the rows along z, integrated over the ellipse that the ellipsoid shows along z. A
    point farther from the surface than that window is wholly inside or outside; the ellipsoid scaled by q
    passes through it, so the surface is at least ``|1 - q| min(semi-axes)`` away, which decides most points.
    """
    points = np.abs(np.asarray(from_centre_mm, np.float64))
    axes = np.array(semi_axes_mm)
    q = np.sqrt(((points / axes) ** 2).sum(axis=-1))
    values: Field = (q <= 1.0).astype(np.float64)
    if fwhm_mm == 0.0:
        return values
    s = sigma_mm(fwhm_mm)
    near = np.abs(q - 1.0) * axes.min() < WINDOW_IN_SIGMAS * s
    near[near] = _distance_to_surface(points[near], axes) < WINDOW_IN_SIGMAS * s
    order = np.argsort(points[near] / axes**2, axis=-1)  # the rows run along the axis nearest to the normal
    at = np.take_along_axis(points[near], order, axis=-1)
    own = np.take_along_axis(np.broadcast_to(axes, at.shape), order, axis=-1)
    is_face = at[:, 2] > WINDOW_IN_SIGMAS * s
    found = np.empty(len(at))
    for places, rule in (
        (np.flatnonzero(is_face), _trapezoid),
        (np.flatnonzero(~is_face), _gauss_of_ellipse),
    ):
        for start in range(0, len(places), CHUNK):
            part = places[start : start + CHUNK]
            found[part] = _ellipsoid_at(at[part], own[part], s, rule)
    values[near] = found
    return np.asarray(values, np.float64)


def _distance_to_surface(points: Field, axes: Field) -> Field:
    """Return the distance of points (n, 3) of the first octant to the surface of an ellipsoid.

    The nearest point is ``a^2 p / (t + a^2)`` with t the largest root of ``sum (a p / (t + a^2))^2 = 1``
    (Eberly, Distance from a point to an ellipsoid), found by bisection.
    """
    p = np.maximum(points, 1e-9 * axes)  # on a plane of symmetry the root would be a pole
    low = np.max(axes * p - axes**2, axis=-1)
    high = np.sqrt(((axes * p) ** 2).sum(axis=-1)) - axes.min() ** 2
    for _ in range(BISECTIONS):
        t = 0.5 * (low + high)
        is_above = ((axes * p / (t[:, None] + axes**2)) ** 2).sum(axis=-1) > 1.0
        low, high = np.where(is_above, t, low), np.where(is_above, high, t)
    nearest = axes**2 * p / (high[:, None] + axes**2)
    return np.asarray(np.linalg.norm(nearest - p, axis=-1))


Nodes = tuple["Field", "Field", "Field", "Field"]


def _trapezoid(at: Field, _axes: Field, window: float) -> Nodes:
    """Return x and y with their weights where the rows vanish before they reach the ellipse's edge."""
    offsets = np.linspace(-window, window, STEPS)
    step = np.full(STEPS, offsets[1] - offsets[0])
    y = np.broadcast_to((at[:, 1, None] + offsets)[:, None, :], (len(at), STEPS, STEPS))
    return at[:, 0, None] + offsets, step, y, step


def _gauss_of_ellipse(at: Field, axes: Field, window: float) -> Nodes:
    """Return x and y with their weights inside the ellipse that the ellipsoid shows along its rows."""
    a, b = axes[:, 0], axes[:, 1, None]
    x, x_weight = _gauss(np.clip(at[:, 0] - window, -a, a), np.clip(at[:, 0] + window, -a, a), NODES)
    extent = b * np.sqrt(np.maximum(1.0 - (x / a[:, None]) ** 2, 0.0))
    low = np.clip(at[:, 1, None] - window, -extent, extent)
    high = np.clip(at[:, 1, None] + window, -extent, extent)
    y, y_weight = _gauss(low, high, NODES)
    return x, x_weight, y, y_weight


def _ellipsoid_at(at: Field, axes: Field, s: float, rule: Callable[[Field, Field, float], Nodes]) -> Field:
    x, x_weight, y, y_weight = rule(at, axes, WINDOW_IN_SIGMAS * s)
    inside = 1.0 - (x[..., None] / axes[:, 0, None, None]) ** 2 - (y / axes[:, 1, None, None]) ** 2
    half = axes[:, 2, None, None] * np.sqrt(np.maximum(inside, 0.0))
    along = _across(at[:, 2, None, None], half, s)
    inner = (y_weight * _normal(y - at[:, 1, None, None], s) * along).sum(axis=-1)
    return np.asarray((x_weight * _normal(x - at[:, 0, None], s) * inner).sum(axis=-1))
