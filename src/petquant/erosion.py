"""To erode a region is to move its boundary inwards, on the grid on which it was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from petquant.grid import Grid
from petquant.roi import Roi

__all__ = ["eroded"]

HALF = 0.5  # the fraction from which on a voxel is inside


def eroded(roi: Roi, grid: Grid, *, by_mm: float) -> Roi:
    """Return the voxels of a region whose centres lie at least `by_mm` inside of its boundary.

    The distance is that from centre to centre of the nearest voxel outside, less half the smallest spacing.
    The edge of the grid bounds a region as well. Voxels at least half inside are inside, and what stays
    weighs 1.

    Parameters
    ----------
    roi
        A region on `grid`.
    by_mm
        More than 0.
    """
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - few ask for it, and its import is slow

    voxels = roi.voxels if roi.weights is None else roi.voxels[roi.weights >= HALF]
    words = f"{roi.source}, eroded {by_mm:g} mm"
    if not len(voxels):
        return replace(roi, voxels=voxels, weights=None, source=words)
    index = grid.index_of(voxels)
    low = index.min(axis=0)
    is_in = np.zeros(index.max(axis=0) - low + 3, np.bool_)
    is_in[tuple((index - low + 1).T)] = True
    apart_mm = distance_transform_edt(is_in, sampling=grid.spacing_mm)
    to_box_mm = apart_mm[tuple((index - low + 1).T)] - min(grid.spacing_mm) / 2
    return replace(roi, voxels=voxels[to_box_mm >= by_mm - 1e-6], weights=None, source=words)
