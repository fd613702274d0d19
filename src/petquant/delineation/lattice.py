"""A lattice is an even grid along x, y and z on which PET and CT are looked at together, coarsely.

It finds places; nothing is ever measured on it. Its arrays are indexed ``[k, j, i]`` for ascending z, y and
x, so that patient right lies at low i, and the head at high k.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["FWHM_PER_SIGMA", "inner_mm", "lattice", "part_of", "sampled", "smoothed"]

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Bool = NDArray[np.bool_]

FWHM_PER_SIGMA: Final = 2.0 * np.sqrt(2.0 * np.log(2.0))


def lattice(low_mm: Float, high_mm: Float, step_mm: float) -> Grid:
    """Return the lattice from one corner to another, both LPS in mm."""
    n = np.floor((high_mm - low_mm) / step_mm + 1e-6).astype(int) + 1
    affine = np.zeros((4, 4))
    affine[(2, 1, 0), (0, 1, 2)] = step_mm
    affine[:, 3] = [*low_mm, 1.0]
    return Grid(shape=(int(n[2]), int(n[1]), int(n[0])), affine=affine)


def part_of(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """Return the part of a lattice that a box of indices holds."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.position_mm([side.start for side in box])
    return Grid(
        shape=tuple(side.stop - side.start for side in box),
        affine=affine,
    )


def sampled(volume: Volume, onto: Grid, *, outside: float) -> Single:
    """Return a volume at the points of a lattice, by trilinear interpolation; `outside` beyond its voxels.

    Parameters
    ----------
    volume
        All slices loaded, on any grid.
    onto
        A lattice.
    """
    grid = volume.grid
    back = np.linalg.inv(grid.affine[:3, :3])
    matrix = back @ onto.affine[:3, :3]
    offset = back @ (onto.affine[:3, 3] - grid.affine[:3, 3])
    is_one_line = np.ptp(volume.slope) == 0 and np.ptp(volume.intercept) == 0
    slope, intercept = (volume.slope[0], volume.intercept[0]) if is_one_line else (1.0, 0.0)
    x = volume.stored if is_one_line else volume.values()
    beyond = (outside - intercept) / slope
    if grid.slice_positions_mm is None:
        found = ndimage.affine_transform(
            x, matrix, offset, output_shape=onto.shape, order=1, cval=beyond, output=np.float32
        )
    else:
        index = np.indices(onto.shape, np.float32).reshape(3, -1)
        at = matrix @ index + offset[:, None]
        along = at[0] * grid.spacing_mm[0]
        at[0] = np.interp(
            along, grid.slice_positions_mm, np.arange(grid.shape[0]), left=-1, right=grid.shape[0]
        )
        found = ndimage.map_coordinates(x, at, order=1, cval=beyond, output=np.float32).reshape(onto.shape)
    return np.asarray(found * np.float32(slope) + np.float32(intercept))


def smoothed(x: Single, grid: Grid, fwhm_mm: float) -> Single:
    """Return the values of a lattice after a Gaussian filter."""
    return np.asarray(ndimage.gaussian_filter(x, fwhm_mm / FWHM_PER_SIGMA / grid.spacing_mm[2]), np.float32)


def inner_mm(is_in: Bool, grid: Grid) -> Float:
    """Return how far each point of a lattice lies inside of a mask, from its boundary; 0 outside.

    The boundary lies half a step away from the last points inside; what lies beyond the lattice is outside.
    """
    step = grid.spacing_mm[2]
    apart = ndimage.distance_transform_edt(np.pad(is_in, 1), sampling=step)[1:-1, 1:-1, 1:-1]
    return np.asarray(np.maximum(apart - step / 2, 0.0), np.float64)
