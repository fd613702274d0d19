"""The sphere of SUVpeak: 1 mL around a voxel centre, as weights of the voxels that it covers.

The *exact* weight of a voxel is the fraction of its box inside the sphere; the *binary* weight (IBSI) is 1
when its centre is. Both are even along every axis, so an octant holds all that there is to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PEAK_RADIUS_MM",
    "PEAK_VOLUME_MM3",
    "Sphere",
    "covered_volume_mm3",
    "exact_octant",
    "peak_sphere",
    "quarter_area_mm2",
]

Float = NDArray[np.float64]

PEAK_VOLUME_MM3 = 1000.0  # 1 mL: IBSI 0F91, Wahl 2009 (PERCIST)
PEAK_RADIUS_MM = (PEAK_VOLUME_MM3 * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)  # 6.20350 mm
NODES = 24  # Gauss-Legendre nodes a piece: the volume is then right to 1e-15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sphere:
    """Weights of the 1 mL sphere on one voxel size.

    Attributes
    ----------
    reach
        Largest offset along k, j, i of a voxel with a weight above 0.
    exact, binary
        (reach + 1) octants, float64: fraction of the voxel's box inside, and 0 or 1.
    offsets
        (n, 3) int64, all offsets k, j, i with an exact or binary weight above 0.
    exact_weights, binary_weights
        (n,) float64, the weights of `offsets`.
    """

    reach: tuple[int, int, int]
    exact: Float
    binary: Float
    offsets: NDArray[np.int64]
    exact_weights: Float
    binary_weights: Float


@lru_cache(maxsize=64)
def peak_sphere(spacing_mm: tuple[float, float, float]) -> Sphere:
    """Return the 1 mL sphere for voxels of `spacing_mm` (k, j, i), centred on a voxel."""
    exact = exact_octant(spacing_mm, PEAK_RADIUS_MM)
    axes = [np.arange(n) * step for n, step in zip(exact.shape, spacing_mm, strict=True)]
    squared_mm2 = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    # a centre on the surface is inside, whatever the last bit of its distance says
    binary = (squared_mm2 <= PEAK_RADIUS_MM**2 * (1 + 1e-12)).astype(np.float64)
    reach = (exact.shape[0] - 1, exact.shape[1] - 1, exact.shape[2] - 1)
    offsets = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    at = tuple(np.moveaxis(np.abs(offsets), -1, 0))
    covered = (exact[at] > 0) | (binary[at] > 0)
    return Sphere(
        reach=reach,
        exact=exact,
        binary=binary,
        offsets=offsets[covered].astype(np.int64),
        exact_weights=exact[at][covered],
        binary_weights=binary[at][covered],
    )


def exact_octant(spacing_mm: tuple[float, float, float], radius_mm: float) -> Float:
    """Return the fraction of each voxel's box inside a sphere centred on voxel [0, 0, 0].

    A box is integrated along its first axis over the area that the circle of radius
    rho(z) = sqrt(r^2 - z^2) shares with the box's rectangle. The integral is split where rho passes an edge
    or a corner of the rectangle, and z = mid - half cos(theta) smooths both ends of a piece, so that
    24-point Gauss-Legendre is exact to rounding.

    Parameters
    ----------
    spacing_mm
        Voxel size along k, j, i.
    radius_mm
        Radius of the sphere.

    Returns
    -------
    (nk, nj, ni) float64 weights of the octant of offsets that are not negative; the rest is its mirror image.
    """
    lower, upper = [], []
    for step in spacing_mm:
        # the middle voxel is even about 0: its upper half tells its fraction
        edges = (np.arange(int(np.floor(radius_mm / step + 0.5)) + 1) + 0.5) * step
        start = np.concatenate([[0.0], edges[:-1]])
        lower.append(start[start < radius_mm])
        upper.append(edges[start < radius_mm])
    low = np.stack(np.meshgrid(*lower, indexing="ij"))
    high = np.stack(np.meshgrid(*upper, indexing="ij"))
    is_inside = (high**2).sum(axis=0) <= radius_mm**2
    is_cut = ~is_inside & ((low**2).sum(axis=0) < radius_mm**2)
    low, high = low[:, is_cut], high[:, is_cut]
    weights: Float = is_inside.astype(np.float64)
    weights[is_cut] = covered_volume_mm3(low, high, radius_mm) / (high - low).prod(axis=0)
    if spacing_mm[1] == spacing_mm[2]:
        weights = np.asarray((weights + weights.transpose(0, 2, 1)) / 2)  # equal to the last bit
    return weights


def covered_volume_mm3(low: Float, high: Float, radius_mm: float) -> Float:
    """Return (n,) volumes that boxes `low`..`high` (3, n) in the first octant share with the sphere."""
    z0, y0, x0 = low
    z1, y1, x1 = high
    turns = np.stack([y0, y1, x0, x1, *(np.hypot(y, x) for y in (y0, y1) for x in (x0, x1))])
    turns = np.sqrt(np.maximum(radius_mm**2 - turns**2, 0.0))
    end = np.minimum(z1, radius_mm)
    cuts = np.sort(np.concatenate([z0[None], np.clip(turns, z0, end), end[None]]), axis=0)
    half = (cuts[1:] - cuts[:-1]) / 2
    piece, box = np.nonzero(half > 1e-12 * radius_mm)
    half, mid = half[piece, box], ((cuts[1:] + cuts[:-1]) / 2)[piece, box]
    node, node_weight = _nodes()
    rho2 = np.maximum(radius_mm**2 - (mid[:, None] - half[:, None] * np.cos(node)) ** 2, 0.0)
    area = (
        quarter_area_mm2(rho2, x1[box], y1[box])
        - quarter_area_mm2(rho2, x0[box], y1[box])
        - quarter_area_mm2(rho2, x1[box], y0[box])
        + quarter_area_mm2(rho2, x0[box], y0[box])
    )
    volume = half * (area @ (node_weight * np.sin(node)))
    return np.asarray(np.bincount(box, weights=volume, minlength=low.shape[1]), np.float64)


def quarter_area_mm2(rho2: Float, x: Float, y: Float) -> Float:
    """Return the area that discs of radius^2 `rho2` (n, nodes) share with [0, x] x [0, y], x and y (n,).

    Left of a = sqrt(rho^2 - y^2) the rectangle is full; right of it the circle bounds it, with the
    antiderivative H(t) = (t sqrt(1 - t^2) + asin(t)) / 2 for rho = 1.
    """
    rho = np.sqrt(rho2)
    # in units of rho, so that the end of the circle (1) is met to the last bit
    u = np.minimum(np.divide(x[:, None], rho, out=np.ones_like(rho), where=rho > x[:, None]), 1.0)
    v = np.minimum(np.divide(y[:, None], rho, out=np.ones_like(rho), where=rho > y[:, None]), 1.0)
    full = np.minimum(np.sqrt((1 - v) * (1 + v)), u)
    area: Float = rho2 * (v * full + _circle_integral(u) - _circle_integral(full))
    return area


def _circle_integral(t: Float) -> Float:
    """Return H(t) of the unit circle."""
    integral: Float = (t * np.sqrt((1 - t) * (1 + t)) + np.arcsin(t)) / 2
    return integral


@lru_cache(maxsize=1)
def _nodes() -> tuple[Float, Float]:
    """Return Gauss-Legendre nodes and weights on [0, pi]."""
    node, weight = np.polynomial.legendre.leggauss(NODES)
    return np.asarray((node + 1) * np.pi / 2), np.asarray(weight * np.pi / 2)
