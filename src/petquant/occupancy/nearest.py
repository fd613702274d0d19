"""The nearest voxel decides whether a PET voxel belongs to a region: for comparison only."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.occupancy.frame import Covered, Frame, centres_mm, edges_mm, volumes_mm3, weights_of
from petquant.roi import Roi

__all__ = ["by_centre"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def by_centre(roi: Roi, frame: Frame) -> Covered:
    """Return the PET voxels whose centre lies in a voxel of the region."""
    if not len(roi.voxels):
        return Covered(voxels=roi.voxels, weights=np.empty(0), lost=0.0)
    theirs, mine = frame.theirs, frame.mine
    ends = _ends_mm(roi.voxels, theirs)
    half = np.array(theirs.spacing_mm)
    corners = np.array(list(product(*np.stack([ends[0] - half, ends[1] + half], axis=1))))
    corners = corners @ frame.turn.T + frame.shift
    box = []
    for axis in range(3):
        at = centres_mm(mine, axis)
        is_near = (at >= corners[:, axis].min()) & (at <= corners[:, axis].max())
        box.append(np.flatnonzero(is_near))
    back = np.linalg.inv(frame.turn)
    weights = weights_of(roi)
    found, carried = [np.empty(0, np.int64)], [np.empty(0)]
    for k in box[0].tolist():
        j, i = (side.ravel() for side in np.meshgrid(box[1], box[2], indexing="ij"))
        at_mm = np.stack(
            [np.full(len(j), centres_mm(mine, 0)[k]), centres_mm(mine, 1)[j], centres_mm(mine, 2)[i]], -1
        )
        own_mm = (at_mm - frame.shift) @ back.T
        index = [np.searchsorted(edges_mm(theirs, a), own_mm[:, a], side="right") - 1 for a in range(3)]
        is_in = np.logical_and.reduce([(index[a] >= 0) & (index[a] < theirs.shape[a]) for a in range(3)])
        flat = np.ravel_multi_index((index[0][is_in], index[1][is_in], index[2][is_in]), theirs.shape)
        place = np.minimum(np.searchsorted(roi.voxels, flat), len(roi.voxels) - 1)
        is_region = roi.voxels[place] == flat
        found.append(((k * mine.shape[1] + j) * mine.shape[2] + i)[is_in][is_region])
        carried.append(weights[place[is_region]])
    return Covered(
        voxels=np.concatenate(found),
        weights=np.concatenate(carried),
        lost=_outside_by_centre(roi, frame),
    )


def _outside_by_centre(roi: Roi, frame: Frame) -> float:
    """Return the fraction of a region's volume in voxels whose centre lies outside the PET."""
    index = np.unravel_index(roi.voxels, frame.theirs.shape)
    own_mm = np.stack([centres_mm(frame.theirs, axis)[index[axis]] for axis in range(3)], axis=-1)
    at_mm = own_mm @ frame.turn.T + frame.shift
    is_out = np.zeros(len(at_mm), np.bool_)
    for axis in range(3):
        edges = edges_mm(frame.mine, axis)
        is_out |= (at_mm[:, axis] < edges[0]) | (at_mm[:, axis] > edges[-1])
    volume = weights_of(roi) * volumes_mm3(roi.voxels, frame.theirs)
    return float(volume[is_out].sum() / volume.sum())


def _ends_mm(voxels: Int, grid: Grid) -> Float:
    """(2, 3) centres of the first and last voxels of the box around `voxels`, mm along the grid's axes."""
    ends = []
    for axis, index in enumerate(np.unravel_index(voxels, grid.shape)):
        ends.append(centres_mm(grid, axis)[[int(index.min()), int(index.max())]])
    return np.stack(ends, axis=1)
