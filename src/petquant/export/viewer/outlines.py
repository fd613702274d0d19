"""Outlines are the voxels of regions as runs, so that a browser can draw and find them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.intensity import HALF
from petquant.roi import Roi

__all__ = ["centre_of", "index_at", "runs_of", "shown_voxels"]


def shown_voxels(roi: Roi) -> NDArray[np.int64]:
    """Return the voxels of a region that are at least half inside, or all when there is none."""
    if roi.weights is None:
        return roi.voxels
    inside = roi.voxels[roi.weights >= HALF]
    return inside if len(inside) else roi.voxels


def runs_of(rois: Sequence[Roi]) -> tuple[NDArray[np.int32], list[int]]:
    """Return (n, 2) first flat voxel and length of every run of neighbours, and the runs of each region."""
    runs, counts = [], []
    for roi in rois:
        voxels = shown_voxels(roi)
        starts = np.flatnonzero(np.diff(voxels, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(voxels))
        runs.append(np.column_stack([voxels[starts], lengths]))
        counts.append(len(starts))
    table = np.concatenate(runs) if runs else np.empty((0, 2))
    return np.asarray(table, "<i4"), counts


def index_at(grid: Grid, position_mm: Sequence[float]) -> list[int]:
    """Return the index k, j, i of the voxel whose centre lies nearest to a position in LPS mm."""
    kji = np.linalg.solve(grid.affine[:3, :3], np.asarray(position_mm) - grid.affine[:3, 3])
    if grid.slice_positions_mm is not None:
        off_mm = np.abs(grid.slice_positions_mm - kji[0] * grid.spacing_mm[0])
        kji[0] = int(off_mm.argmin())
    return [int(n) for n in np.clip(np.rint(kji), 0, np.array(grid.shape) - 1)]


def centre_of(roi: Roi, grid: Grid) -> list[int] | None:
    """Return the index k, j, i of the voxel of a region that lies nearest to the mean of its indices."""
    voxels = shown_voxels(roi)
    if not len(voxels):
        return None
    index = grid.index_of(voxels)
    nearest = ((index - index.mean(axis=0)) ** 2).sum(axis=1).argmin()
    return [int(n) for n in index[nearest]]
