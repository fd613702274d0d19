"""An overlap is the part of a voxel that a sharp shape fills, exact to rounding.

The area of a disc inside a rectangle is elementary; the volume of a ball inside a box is that area integrated
along the third axis, piece by piece between the places where its form changes. Lengths are in mm.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Values = NDArray[np.float64]

# Radius of a ball of 1 mL, the region of SUVpeak.
PEAK_RADIUS_MM = (3000.0 / (4.0 * math.pi)) ** (1.0 / 3.0)

NODES = 24  # of Gauss-Legendre on a piece; with z = middle - half cos(theta) no end of it is singular
CHUNK = 4096  # boxes at once: 4096 x 17 pieces x 24 nodes of eight bytes are 13 MB


def _primitive(t: Values, rho: Values) -> Values:
    """Return ``integral_0^t sqrt(rho^2 - u^2) du = (t sqrt(rho^2 - t^2) + rho^2 asin(t/rho)) / 2``."""
    ratio = np.clip(np.divide(t, rho, out=np.zeros_like(t), where=rho > 0.0), -1.0, 1.0)
    return np.asarray(0.5 * (t * np.sqrt(np.maximum(rho**2 - t**2, 0.0)) + rho**2 * np.arcsin(ratio)))


def _corner_area(x: Values, y: Values, rho: Values) -> Values:
    """Return the area of the part of a disc of radius ``rho`` with X <= x and Y <= y."""
    x, y = np.clip(x, -rho, rho), np.clip(y, -rho, rho)
    c = np.sqrt(np.maximum(rho**2 - y**2, 0.0))  # the line Y = y cuts the disc between -c and c
    inner = np.clip(x, -c, c)
    cut = y * (inner + c) + _primitive(inner, rho) + _primitive(c, rho)
    left, right = np.minimum(x, -c), np.maximum(x, c)
    whole = 2.0 * (_primitive(left, rho) + _primitive(rho, rho) + _primitive(right, rho) - _primitive(c, rho))
    return np.asarray(cut + np.where(y >= 0.0, whole, 0.0))


def disc_in_rectangle(low_mm: ArrayLike, high_mm: ArrayLike, *, radius_mm: ArrayLike) -> Values:
    """Return the area in mm2 of a disc at the origin inside rectangles.

    Parameters
    ----------
    low_mm, high_mm
        Corners of the rectangles, shape (..., 2).
    radius_mm
        Radius of the disc, one or one a rectangle.
    """
    low, high = np.asarray(low_mm, np.float64), np.asarray(high_mm, np.float64)
    x0, y0, x1, y1, rho = np.broadcast_arrays(
        low[..., 0], low[..., 1], high[..., 0], high[..., 1], np.asarray(radius_mm, np.float64)
    )
    return (
        _corner_area(x1, y1, rho)
        - _corner_area(x0, y1, rho)
        - _corner_area(x1, y0, rho)
        + _corner_area(x0, y0, rho)
    )


def ball_in_box(low_mm: ArrayLike, high_mm: ArrayLike, *, radius_mm: float) -> Values:
    """Return the volume in mm3 of a ball at the origin inside boxes.

    Parameters
    ----------
    low_mm, high_mm
        Corners of the boxes, shape (n, 3).
    radius_mm
        Radius of the ball.

    Notes
    -----
    ``integral area(sqrt(R^2 - z^2)) dz`` over the box's extent in z, cut where the circle passes an edge or a
    corner of the rectangle.
    """
    low, high = np.asarray(low_mm, np.float64), np.asarray(high_mm, np.float64)
    nearest = np.maximum(np.maximum(low, -high), 0.0)
    farthest = np.maximum(np.abs(low), np.abs(high))
    volume = np.where((farthest**2).sum(axis=-1) <= radius_mm**2, np.prod(high - low, axis=-1), 0.0)
    is_cut = ((nearest**2).sum(axis=-1) < radius_mm**2) & ((farthest**2).sum(axis=-1) > radius_mm**2)
    places = np.flatnonzero(is_cut)
    for start in range(0, len(places), CHUNK):
        part = places[start : start + CHUNK]
        volume[part] = _cut_volume(low[part], high[part], radius_mm)
    return np.asarray(volume)


def _cut_volume(low: Values, high: Values, radius_mm: float) -> Values:
    edges = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=-1)
    corners = np.hypot(edges[:, [0, 0, 1, 1]], edges[:, [2, 3, 2, 3]])
    passed = np.sqrt(np.maximum(radius_mm**2 - np.concatenate([edges, corners], axis=-1) ** 2, 0.0))
    bottom = np.maximum(low[:, 2], -radius_mm)[:, None]
    top = np.minimum(high[:, 2], radius_mm)[:, None]
    cuts = np.sort(np.clip(np.concatenate([-passed, passed, bottom, top], axis=-1), bottom, top), axis=-1)
    middle, half = 0.5 * (cuts[:, 1:] + cuts[:, :-1]), 0.5 * (cuts[:, 1:] - cuts[:, :-1])
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    theta = 0.5 * np.pi * (nodes + 1.0)
    z = middle[..., None] - half[..., None] * np.cos(theta)
    rho = np.sqrt(np.maximum(radius_mm**2 - z**2, 0.0))
    area = disc_in_rectangle(low[:, None, None, :2], high[:, None, None, :2], radius_mm=rho)
    step = half[..., None] * (0.5 * np.pi * weights * np.sin(theta))
    return np.asarray((area * step).sum(axis=(1, 2)))


@lru_cache(maxsize=64)
def ball_weights(spacing_mm: tuple[float, float, float], *, radius_mm: float) -> Values:
    """Return the volume fractions of the voxels round a voxel centre inside a ball there, [k, j, i] odd.

    Parameters
    ----------
    spacing_mm
        Voxel size along k, j, i.
    radius_mm
        Radius of the ball.
    """
    reach = [int(np.ceil(radius_mm / step + 0.5)) for step in spacing_mm]
    steps = np.array(spacing_mm)
    index = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    centres = index.reshape(-1, 3) * steps
    volumes = ball_in_box(centres - 0.5 * steps, centres + 0.5 * steps, radius_mm=radius_mm)
    weights = (volumes / np.prod(steps)).reshape(index.shape[:3])
    weights.flags.writeable = False
    return np.asarray(weights)
