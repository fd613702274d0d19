"""Overlap of spheres and cylinders with the boxes of voxels, exact, in mm along the axes of the grid.

A box that the planes through the centre cut is taken apart there: each piece then lies in one octant, for
which `petquant.metrics.sphere` has closed forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.sphere import covered_volume_mm3, quarter_area_mm2
from petquant.occupancy.frame import edges_mm

__all__ = ["cylinder_weights", "sphere_weights"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

NOTHING = 1e-12  # of a voxel: rounding, not overlap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axis:
    """The voxels along one axis that a shape may reach, cut at its centre.

    Parameters
    ----------
    first
        Index of the first of these voxels.
    starts
        (n,) which piece each voxel begins with.
    low, high
        (m,) distances of the near and the far end of each piece from the centre.
    widths
        (n,) of the voxels.
    """

    first: int
    starts: Int
    low: Float
    high: Float
    widths: Float

    @classmethod
    def of(cls, grid: Grid, axis: int, *, centre_mm: float, reach_mm: float) -> Self:
        """Return the voxels within reach of the centre; n = 0 when there is none."""
        edges = edges_mm(grid, axis) - centre_mm
        first = int(np.clip(np.searchsorted(edges, -reach_mm, side="right") - 1, 0, grid.shape[axis]))
        stop = int(np.clip(np.searchsorted(edges, reach_mm, side="left"), first, grid.shape[axis]))
        edges = edges[first : stop + 1]
        cut = np.union1d(edges, 0.0) if edges[0] < 0 < edges[-1] else edges
        ends = np.abs(np.stack([cut[:-1], cut[1:]]))
        return cls(
            first=first,
            starts=np.searchsorted(cut, edges[:-1]),
            low=ends.min(axis=0),
            high=ends.max(axis=0),
            widths=np.diff(edges),
        )

    @property
    def n(self) -> int:
        """Number of voxels."""
        return len(self.widths)


def sphere_weights(grid: Grid, centre_mm: Float, radius_mm: float) -> tuple[Int, Float]:
    """Return flat voxels and the fraction of each inside a sphere, to rounding.

    Parameters
    ----------
    grid
        With orthogonal axes; how they lie in the patient does not matter to a sphere.
    centre_mm
        (3,) along the axes k, j, i, from the centre of the first voxel.
    radius_mm
        Of any size.
    """
    axes = [_Axis.of(grid, axis, centre_mm=float(centre_mm[axis]), reach_mm=radius_mm) for axis in range(3)]
    if not all(axis.n for axis in axes):
        return np.empty(0, np.int64), np.empty(0)
    k, j, i = axes
    near2 = j.low[:, None] ** 2 + i.low**2
    far2 = j.high[:, None] ** 2 + i.high**2
    area = (j.high - j.low)[:, None] * (i.high - i.low)
    slabs = []
    for low, high in zip(k.low.tolist(), k.high.tolist(), strict=True):
        is_inside = far2 + high**2 <= radius_mm**2
        volume = np.where(is_inside, area * (high - low), 0.0)
        y, x = np.nonzero(~is_inside & (near2 + low**2 < radius_mm**2))
        if len(y):
            lows = np.stack([np.full(len(y), low), j.low[y], i.low[x]])
            highs = np.stack([np.full(len(y), high), j.high[y], i.high[x]])
            volume[y, x] = covered_volume_mm3(lows, highs, radius_mm)
        slabs.append(np.add.reduceat(np.add.reduceat(volume, j.starts, axis=0), i.starts, axis=1))
    volumes = np.add.reduceat(np.stack(slabs), k.starts, axis=0)
    return _weights(grid, axes, volumes / (k.widths[:, None, None] * j.widths[:, None] * i.widths))


def cylinder_weights(
    grid: Grid, centre_mm: Float, *, axis: int, radius_mm: float, length_mm: float
) -> tuple[Int, Float]:
    """Return flat voxels and the fraction of each inside a cylinder along an axis of the grid, to rounding.

    The area that its circle shares with the rectangle of a voxel, times the overlap of two intervals.

    Parameters
    ----------
    grid
        With orthogonal axes.
    centre_mm
        (3,) along the axes k, j, i, from the centre of the first voxel.
    axis
        Along which of them the cylinder runs.
    radius_mm, length_mm
        Of any size.
    """
    reach = [radius_mm] * 3
    reach[axis] = length_mm / 2
    axes = [_Axis.of(grid, a, centre_mm=float(centre_mm[a]), reach_mm=reach[a]) for a in range(3)]
    if not all(one.n for one in axes):
        return np.empty(0, np.int64), np.empty(0)
    one, other = (axes[a] for a in range(3) if a != axis)
    y0, x0 = (part.ravel() for part in np.meshgrid(one.low, other.low, indexing="ij"))
    y1, x1 = (part.ravel() for part in np.meshgrid(one.high, other.high, indexing="ij"))
    rho2 = np.full((len(y0), 1), radius_mm**2)
    area = (
        quarter_area_mm2(rho2, x1, y1)
        - quarter_area_mm2(rho2, x0, y1)
        - quarter_area_mm2(rho2, x1, y0)
        + quarter_area_mm2(rho2, x0, y0)
    ).reshape(len(one.low), len(other.low))
    area = np.add.reduceat(np.add.reduceat(area, one.starts, axis=0), other.starts, axis=1)
    along = axes[axis]
    lengths = np.minimum(along.high, length_mm / 2) - np.minimum(along.low, length_mm / 2)
    share = np.add.reduceat(lengths, along.starts) / along.widths
    weights = share[:, None, None] * (area / (one.widths[:, None] * other.widths))
    return _weights(grid, axes, np.moveaxis(weights, 0, axis))


def _weights(grid: Grid, axes: list[_Axis], weights: Float) -> tuple[Int, Float]:
    """Return the voxels of a block with a weight, ascending."""
    k, j, i = np.nonzero(weights > NOTHING)
    found = weights[k, j, i]
    voxels = np.ravel_multi_index((k + axes[0].first, j + axes[1].first, i + axes[2].first), grid.shape)
    return voxels.astype(np.int64), np.where(found >= 1 - NOTHING, 1.0, found)
