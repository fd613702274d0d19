"""The boundary of a region is what separates its voxels from all others; it is known to half a voxel at best.

Volume and uptake are therefore given once more for the boundary moved inwards and outwards by h, half the
smallest voxel spacing. A voxel goes with its centre: inside the moved region when the signed distance of the
centre to the boundary, negative inside, is below -h (eroded) or at most h (dilated).

A centre is half a spacing away from the faces of its voxel, and farther from the box of any voxel that
touches it by an edge or a corner. So only neighbours along the axes of smallest spacing are as near as h, and
no distance has to be computed: the first layer goes, or the next one comes, along those axes. The edge of the
image bounds a region as well, and nothing is added outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.intensity import Intensity
from petquant.metrics.segments import values_not_finite
from petquant.volume import Volume

__all__ = ["Moved", "finest_axes", "moved"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

SAME = 0.01  # spacings that differ by less are both the smallest: h is not known better


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """Sums of the weights and of the weighted values with the boundary moved; each is (n regions,).

    A voxel that the moved boundary leaves out weighs 0, one that it takes in weighs 1; of all others the
    weight stays. Voxels at least half inside are inside.
    """

    eroded_weight: Float
    eroded_total: Float
    dilated_weight: Float
    dilated_total: Float


def finest_axes(grid: Grid) -> tuple[int, ...]:
    """Return the axes (0 for k, 1 for j, 2 for i) along which voxels are smallest."""
    smallest = min(grid.spacing_mm)
    return tuple(axis for axis, step in enumerate(grid.spacing_mm) if step <= smallest * (1 + SAME))


def moved(volume: Volume, found: Intensity) -> Moved:
    """Return what every region holds with its boundary moved by half the smallest spacing, both ways.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE, when a voxel of the dilated region is NaN or infinite.
    """
    is_surface, outer = _layers(found, volume.grid)
    of_outer, voxels = np.divmod(outer, volume.grid.size)
    x = volume.at(voxels)
    if volume.stored.dtype.kind == "f" and not np.isfinite(x).all():
        raise values_not_finite(len(np.unique(voxels[~np.isfinite(x)])))
    n = len(found.count)
    centre_x, centre_w = found.values, found.weights
    gained = np.ones(len(outer))
    if found.is_centre is not None and found.weights is not None:
        centre_x, centre_w = found.values[found.is_centre], found.weights[found.is_centre]
        keys = found.regions.keys(volume.grid.size)
        place = np.minimum(np.searchsorted(keys, outer), len(keys) - 1)
        gained -= np.where(keys[place] == outer, found.weights[place], 0.0)
    kept = np.where(is_surface, 0.0, 1.0 if centre_w is None else centre_w)
    dilated_weight = found.total_weight + np.bincount(of_outer, weights=gained, minlength=n)
    dilated_total = found.total + np.bincount(of_outer, weights=gained * x, minlength=n)
    if centre_w is not None:
        dilated_weight += found.centres.sum(1.0 - centre_w)
        dilated_total += found.centres.sum((1.0 - centre_w) * centre_x)
    return Moved(
        eroded_weight=found.centres.sum(kept),
        eroded_total=found.centres.sum(kept * centre_x),
        dilated_weight=dilated_weight,
        dilated_total=dilated_total,
    )


def _layers(found: Intensity, grid: Grid) -> tuple[Bool, Int]:
    """Return which voxels lie at the boundary, and the keys of the voxels on its other side, ascending."""
    keys, index = found.centres.keys(grid.size), found.index
    is_surface = np.zeros(len(keys), np.bool_)
    outer = []
    for axis in finest_axes(grid):
        step = int(np.prod(grid.shape[axis + 1 :]))
        is_last, is_first = index[axis] == grid.shape[axis] - 1, index[axis] == 0
        after = np.arange(1, len(keys) + 1) if step == 1 else np.searchsorted(keys, keys + step)
        has_next = ~is_last
        has_next &= keys[np.minimum(after, len(keys) - 1)] == keys + step
        has_previous = np.zeros(len(keys), np.bool_)
        has_previous[after[has_next]] = True
        is_surface |= ~(has_next & has_previous)
        outer += [keys[~has_next & ~is_last] + step, keys[~has_previous & ~is_first] - step]
    return is_surface, _once(np.concatenate(outer))


def _once(keys: Int) -> Int:
    keys.sort(kind="stable")  # runs of ascending keys
    return keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
