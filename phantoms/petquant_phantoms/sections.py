"""Shapes whose blur has no closed form: ellipses, ellipsoids, and the section of the IEC body phantom.

Across a row the blurred shape is a difference of two error functions; along the other axes it is integrated
by Gauss-Legendre over the part of the shape within eight standard deviations of the point. The quadrature
is good to 1e-9, and the tests hold it to brute force. Lengths are in mm, values as in `fields`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

from petquant_phantoms.fields import sigma_mm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Field = NDArray[np.float64]

WINDOW_IN_SIGMAS = 8.0  # a Gaussian holds 1.3e-15 outside
NODES = 40
CHUNK = 2048  # points at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A part of a cross-section, symmetric about x = 0: rows from y = low to high and their half-width."""

    low_mm: float
    high_mm: float
    half_width_mm: Callable[[Field], Field]


def _gauss(low: Field, high: Field) -> tuple[Field, Field]:
    """Return nodes and weights between ends (n,), each (n, NODES), with square roots at the ends smoothed."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
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
            row, weight = _gauss(low, high)
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
    point is taken as wholly inside or outside when a ball of eight standard deviations round it is: the
    ellipsoid scaled by q passes through the point, and its surface lies at least ``|1 - q| min(semi-axes)``
    away.
    """
    points = np.abs(np.asarray(from_centre_mm, np.float64))
    q = np.sqrt(((points / np.array(semi_axes_mm)) ** 2).sum(axis=-1))
    values: Field = (q <= 1.0).astype(np.float64)
    if fwhm_mm == 0.0:
        return values
    s = sigma_mm(fwhm_mm)
    near = np.abs(q - 1.0) * min(semi_axes_mm) < WINDOW_IN_SIGMAS * s
    at, found = points[near], np.empty(int(near.sum()))
    for start in range(0, len(at), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = _ellipsoid_at(at[part], semi_axes_mm, s)
    values[near] = found
    return np.asarray(values, np.float64)


def _ellipsoid_at(at: Field, semi_axes_mm: tuple[float, float, float], s: float) -> Field:
    a, b, c = semi_axes_mm
    window = WINDOW_IN_SIGMAS * s
    x, x_weight = _gauss(np.clip(at[:, 0] - window, -a, a), np.clip(at[:, 0] + window, -a, a))
    extent = b * np.sqrt(np.maximum(1.0 - (x / a) ** 2, 0.0))
    low = np.clip(at[:, 1, None] - window, -extent, extent)
    high = np.clip(at[:, 1, None] + window, -extent, extent)
    y, y_weight = _gauss(low, high)
    height = c * np.sqrt(np.maximum(1.0 - (x[..., None] / a) ** 2 - (y / b) ** 2, 0.0))
    along = _across(at[:, 2, None, None], height, s)
    inner = (y_weight * _normal(y - at[:, 1, None, None], s) * along).sum(axis=-1)
    return np.asarray((x_weight * _normal(x - at[:, 0, None], s) * inner).sum(axis=-1))
