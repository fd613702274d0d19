"""Gradient watershed: a lesion ends where the gradient is steepest on the way to its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused
from petquant.grid import Grid
from petquant.occupancy.frame import centres_mm
from petquant.volume import Volume

__all__ = ["basin"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

AROUND = 2  # voxels looked at around a region: its shell, and what the gradient at the shell needs


def basin(volume: Volume, voxels: Int) -> Int:
    """Return the voxels of a region that belong to its maximum, by a watershed with two markers.

    The relief is the magnitude of the gradient (central differences in mm). One marker is the first voxel of
    the maximum, the other the shell of voxels that touch the region from outside; both floods meet at the
    ridge.
    Flooding goes over faces, edges and corners.

    Parameters
    ----------
    volume
        All slices loaded.
    voxels
        (n,) flat voxels of the region, ascending; it must hold the lesion with a rim of its surroundings.

    Raises
    ------
    Refused
        DELINEATION_UNDEFINED, when nothing lies around the region.
    """
    from scipy.ndimage import binary_dilation  # noqa: PLC0415 - not needed by any other method
    from skimage.segmentation import watershed  # noqa: PLC0415

    index = volume.grid.index_of(voxels)
    low = np.maximum(index.min(axis=0) - AROUND, 0)
    high = np.minimum(index.max(axis=0) + AROUND + 1, volume.grid.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    k = box[0]
    x = np.asarray(volume.stored[box], np.float64)
    x = x * volume.slope[k, None, None] + volume.intercept[k, None, None]
    is_in = np.zeros(x.shape, np.bool_)
    is_in[tuple((index - low).T)] = True
    is_near = binary_dilation(is_in, np.ones((3, 3, 3)))
    is_shell = is_near & ~is_in
    if not is_shell.any() or min(x.shape) < 2:
        raise Refused.of(
            "DELINEATION_UNDEFINED",
            "no voxel lies around the region that a watershed could flood from",
            expected="a region smaller than the image",
        )
    at = index[np.argmax(volume.at(voxels))] - low
    markers = np.where(is_shell, 2, 0).astype(np.int32)
    markers[tuple(at)] = 1
    flooded = watershed(  # type: ignore[no-untyped-call] # scikit-image has no types here
        _gradient(x, volume.grid, box), markers, connectivity=3, mask=is_near
    )
    k_, j, i = np.nonzero((flooded == 1) & is_in)
    flat = np.ravel_multi_index((k_ + low[0], j + low[1], i + low[2]), volume.grid.shape)
    return np.asarray(flat, np.int64)


def _gradient(x: Float, grid: Grid, box: tuple[slice, ...]) -> Float:
    """Return the magnitude of the gradient per mm, each slice at its own position."""
    at = [centres_mm(grid, axis)[part] for axis, part in enumerate(box)]
    parts = np.gradient(np.asarray(x, np.float64), *at)
    return np.asarray(np.sqrt(sum(part**2 for part in parts)), np.float64)
