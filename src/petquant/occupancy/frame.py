"""A frame holds two grids in mm along the axes of the PET, and what is measured along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.roi import Roi

__all__ = [
    "Covered",
    "Frame",
    "centres_mm",
    "edges_mm",
    "extent_mm",
    "extent_words",
    "slices_beside",
    "summed",
    "volumes_mm3",
    "weights_of",
]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

ALIGNED: Final = 1e-4  # direction cosines this near those of the PET's axes are theirs (roi.md 3.1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covered:
    """What a region covers of the PET: flat voxels, weights, and the fraction of its volume outside."""

    voxels: Int
    weights: Float
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Two grids in mm along the axes of the PET, from the centre of its first voxel.

    A voxel of the other grid that lies at ``m`` mm along its own axes lies at ``turn @ m + shift``.
    `order[a]` is the axis of the other grid that runs along axis a of the PET; None when one is oblique.
    """

    theirs: Grid
    mine: Grid
    turn: Float
    shift: Float
    order: tuple[int, ...] | None

    @classmethod
    def between(cls, theirs: Grid, mine: Grid) -> Frame:
        """Return the frame of a grid and the PET's."""
        back = np.linalg.inv(mine.directions)
        turn = back @ theirs.directions
        shift = back @ (np.array(theirs.origin_mm) - mine.origin_mm)
        axes = np.argmax(np.abs(turn), axis=1)
        straight = np.zeros((3, 3))
        straight[range(3), axes] = np.sign(turn[range(3), axes])
        is_aligned = len(set(axes)) == 3 and np.abs(turn - straight).max() <= ALIGNED
        order = tuple(axes.tolist()) if is_aligned else None
        return cls(theirs=theirs, mine=mine, turn=turn, shift=shift, order=order)


def edges_mm(grid: Grid, axis: int) -> Float:
    """(n + 1,) boundaries of the voxels along an axis, from the centre of the first one."""
    n, step = grid.shape[axis], grid.spacing_mm[axis]
    if axis == 0 and grid.slice_positions_mm is not None:
        at = grid.slice_positions_mm
        return np.concatenate([[at[0] - step / 2], (at[1:] + at[:-1]) / 2, [at[-1] + step / 2]])
    return np.asarray((np.arange(n + 1) - 0.5) * step)


def centres_mm(grid: Grid, axis: int) -> Float:
    """(n,) voxel centres along an axis, from the first one."""
    if axis == 0 and grid.slice_positions_mm is not None:
        return grid.slice_positions_mm
    return np.asarray(np.arange(grid.shape[axis]) * grid.spacing_mm[axis])


def extent_mm(grid: Grid) -> Float:
    """(2, 3) smallest and largest LPS position of the outer faces of a grid."""
    ends = [edges_mm(grid, axis)[[0, -1]] for axis in range(3)]
    corners = np.array(list(product(*ends))) @ grid.directions.T + grid.origin_mm
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def extent_words(extent: Float) -> str:
    """Return an extent in words."""
    parts = (f"{axis} {low:.6g} to {high:.6g}" for axis, low, high in zip("xyz", *extent, strict=True))
    return ", ".join(parts) + " mm LPS"


def slices_beside(grid: Grid, rois: Sequence[Roi], *, of: Grid) -> NDArray[np.bool_]:
    """Return (nk,) which slices of a grid lie beside voxels of regions on another, and their neighbours."""
    frame = Frame.between(grid, of)
    edges = edges_mm(of, 0)
    is_beside = np.zeros(of.shape[0] + 2, np.bool_)
    for roi in rois:
        kji = grid.index_of(roi.voxels)
        along = np.stack([centres_mm(grid, axis)[kji[:, axis]] for axis in range(3)], axis=-1)
        slices = np.unique(np.searchsorted(edges, along @ frame.turn[0] + frame.shift[0], side="right"))
        is_beside[slices] = True  # 0 is before the first slice
    is_beside[1:] |= is_beside[:-1].copy()
    is_beside[:-1] |= is_beside[1:].copy()
    return is_beside[1:-1]


def volumes_mm3(voxels: Int, grid: Grid) -> Float:
    """(n,) box volumes of voxels, with the true thickness of their slices."""
    in_slice = grid.shape[1] * grid.shape[2]
    area_mm2 = grid.spacing_mm[1] * grid.spacing_mm[2] * abs(float(np.linalg.det(grid.directions)))
    return np.asarray(np.diff(edges_mm(grid, 0))[voxels // in_slice] * area_mm2)


def weights_of(roi: Roi) -> Float:
    """(n,) weights of a region, 1 where it has none."""
    return np.ones(len(roi.voxels)) if roi.weights is None else roi.weights


def summed(keys: Int, values: Float) -> tuple[Int, Float]:
    """Return the different keys, ascending, and the sum of the values of each."""
    if not len(keys):
        return keys, values
    first = int(keys.min())
    span = int(keys.max()) - first + 1
    if span <= 8 * len(keys) + 65_536:
        sums = np.asarray(np.bincount(keys - first, weights=values, minlength=span), np.float64)
        at = np.flatnonzero(sums).astype(np.int64)
        return at + first, sums[at]
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return keys[starts], np.add.reduceat(values, starts)
