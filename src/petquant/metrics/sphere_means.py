"""Sphere means: what both spheres of SUVpeak hold around given centres, in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.boxes import Box, boxes_of
from petquant.metrics.segments import Segments
from petquant.metrics.sphere import Sphere
from petquant.metrics.sphere_sums import SphereSums, Workspace
from petquant.volume import Volume

__all__ = ["box_values", "in_image", "is_cut_off", "places_in", "sphere_means"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MANY = 256  # centres of a region; from here on a box is summed faster than its spheres one by one
AT_ONCE = 2**19  # voxels that are gathered at once


def sphere_means(
    volume: Volume, sphere: Sphere, centres: Segments, *, is_crowded: NDArray[np.bool_]
) -> tuple[Float, Float]:
    """Return the means of the exact and of the binary sphere at every centre, each (n,).

    Where a sphere reaches out of the image, the weight inside renormalises it. Spheres of regions with many
    centres, or that are `is_crowded` (n regions,), are summed box by box, all others one by one.
    """
    kernel, totals = SphereSums.of(sphere), (sphere.exact_weights.sum(), sphere.binary_weights.sum())
    exact, binary = np.empty(len(centres.voxels)), np.empty(len(centres.voxels))
    is_in_box = is_crowded | (centres.sizes > MANY)
    is_boxed = np.repeat(is_in_box, centres.sizes)
    single = np.flatnonzero(~is_boxed)
    at_once = max(1, AT_ONCE // int(np.prod(2 * np.array(sphere.reach) + 1)))
    for start in range(0, len(single), at_once):
        members = single[start : start + at_once]
        around, is_inside = _around(volume, sphere, centres.voxels[members])
        sums = kernel.sums_at(around)
        is_cut = ~is_inside.all(axis=(0, 1, 2))
        within = [np.full(len(members), total) for total in totals]
        if is_cut.any():
            for weight, of_cut in zip(within, kernel.sums_at(is_inside[..., is_cut] * 1.0), strict=True):
                weight[is_cut] = of_cut
        exact[members], binary[members] = sums[0] / within[0], sums[1] / within[1]
    if is_boxed.any():
        boxed = np.flatnonzero(is_boxed)
        sizes = centres.sizes[is_in_box]
        ends = np.cumsum(sizes)
        segments = Segments(voxels=centres.voxels[boxed], starts=ends - sizes, ends=ends)
        exact[boxed], binary[boxed] = _means_in_boxes(volume, sphere, segments)
    return exact, binary


def _around(volume: Volume, sphere: Sphere, centres: Int) -> tuple[Float, NDArray[np.bool_]]:
    """Return the values around each centre, (nk, nj, ni, n), 0 outside the image, and which are inside."""
    index = volume.grid.index_of(centres).T
    inside, axes = [], []
    for axis, (at, n, reach) in enumerate(zip(index, volume.grid.shape, sphere.reach, strict=True)):
        along = at + np.arange(-reach, reach + 1)[:, None]
        shape = (*(len(along) if a == axis else 1 for a in range(3)), len(centres))
        inside.append(((along >= 0) & (along < n)).reshape(shape))
        axes.append(np.clip(along, 0, n - 1).reshape(shape))
    is_inside = inside[0] & inside[1] & inside[2]
    return np.where(is_inside, volume.at_index(axes[0], axes[1], axes[2]), 0.0), is_inside


def _means_in_boxes(volume: Volume, sphere: Sphere, centres: Segments) -> tuple[Float, Float]:
    kernel, totals = SphereSums.of(sphere), (sphere.exact_weights.sum(), sphere.binary_weights.sum())
    index = centres.index(volume.grid)
    exact, binary = np.empty(len(centres.voxels)), np.empty(len(centres.voxels))
    workspace = Workspace()
    for _, members, box in boxes_of(index, centres, sphere.reach):
        at = places_in(box, index, members)
        sums = kernel.sums_among(box_values(volume, box), workspace, at)
        within: tuple[Float, ...] | tuple[float, float] = totals
        if is_cut_off(box, volume.grid):
            within = kernel.sums_among(in_image(volume.grid, box), workspace, at)
        exact[members], binary[members] = sums[0] / within[0], sums[1] / within[1]
    return exact, binary


def places_in(box: Box, index: tuple[Int, Int, Int], members: Int) -> Int:
    """Return the flat positions in a box of some of the voxels `index`."""
    (k0, _), (j0, j1), (i0, i1) = box
    k, j, i = (axis[members] for axis in index)
    return ((k - k0) * (j1 - j0) + (j - j0)) * (i1 - i0) + (i - i0)


def is_cut_off(box: Box, grid: Grid) -> bool:
    """Whether a box reaches out of the image."""
    return any(low < 0 or high > n for (low, high), n in zip(box, grid.shape, strict=True))


def box_values(volume: Volume, box: Box, dtype: type = np.float64) -> NDArray[np.floating]:
    """Return the values of a box, 0 outside the image and in slices that were not loaded."""
    shape = tuple(high - low for low, high in box)
    inner, outer = _overlap(box, volume.grid)
    values: NDArray[np.floating] = (
        np.zeros(shape, dtype) if is_cut_off(box, volume.grid) else np.empty(shape, dtype)
    )
    target = values[outer]
    target[...] = volume.stored[inner[0], *_in_window(inner, volume)]
    target *= volume.slope[inner[0], None, None].astype(dtype)
    if (intercept := volume.intercept[inner[0], None, None]).any():
        target += intercept.astype(dtype)
    loaded = volume.is_loaded[inner[0]]
    if not loaded.all():
        target[~loaded] = 0.0
    return values


def _in_window(inner: tuple[slice, ...], volume: Volume) -> tuple[slice, ...]:
    """Return rows and columns by their places among those that were loaded.

    Raises
    ------
    LookupError
        When not all of them were.
    """
    if volume.window is None:
        return inner[1:]
    if any(s.start < low or s.stop > high for s, (low, high) in zip(inner[1:], volume.window, strict=True)):
        raise LookupError("a row or column that was not loaded")
    return tuple(
        slice(s.start - low, s.stop - low) for s, (low, _) in zip(inner[1:], volume.window, strict=True)
    )


def in_image(grid: Grid, box: Box, dtype: type = np.float64) -> NDArray[np.floating]:
    """Return 1 inside the image and 0 outside, over a box."""
    inside: NDArray[np.floating] = np.zeros(tuple(high - low for low, high in box), dtype)
    inside[_overlap(box, grid)[1]] = 1.0
    return inside


def _overlap(box: Box, grid: Grid) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the part of a box that lies in the image, by the indices of the image and of the box."""
    inner = tuple(slice(max(low, 0), min(high, n)) for (low, high), n in zip(box, grid.shape, strict=True))
    outer = tuple(slice(s.start - low, s.stop - low) for s, (low, _) in zip(inner, box, strict=True))
    return inner, outer
