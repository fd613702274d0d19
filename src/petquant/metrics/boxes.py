"""Boxes cover the centres of spheres: small enough for the cache, and few enough for many regions.

A box holds its centres and, around them, all that their spheres reach. Regions that lie close together share
a box; a large region is cut into several.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from petquant.metrics.segments import Segments

__all__ = ["BOX_VOXELS", "Box", "boxes_of"]

Int = NDArray[np.int64]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

BOX_VOXELS = 2**15  # with its margins a box stays in the cache
VOXELS_A_BOX = 2000  # that could be summed in the time that a further box costs


def boxes_of(
    index: tuple[Int, Int, Int], centres: Segments, reach: tuple[int, int, int], *, voxels: int | None = None
) -> Iterator[tuple[Int, Int, Box]]:
    """Yield regions with their centres (places in `index`) and a box, which may reach out of the image.

    A region that is cut comes once for every part of it.

    Parameters
    ----------
    index
        k, j, i of all centres, each (n,).
    centres
        Which of them belong to one region.
    reach
        Of the sphere along k, j, i.
    voxels
        Of a box, at most; `BOX_VOXELS` when None.
    """
    largest = BOX_VOXELS if voxels is None else voxels
    margin = np.array(reach)
    low = np.stack([np.minimum.reduceat(axis, centres.starts) for axis in index], axis=1) - margin
    high = np.stack([np.maximum.reduceat(axis, centres.starts) for axis in index], axis=1) + margin + 1
    alone = (high - low).prod(axis=1)
    pending = [np.arange(len(alone))]
    while pending:
        regions = pending.pop()
        start, end = low[regions].min(axis=0), high[regions].max(axis=0)
        size = int((end - start).prod())
        if size <= min(largest, int(alone[regions].sum()) + VOXELS_A_BOX * (len(regions) - 1)):
            yield regions, _members(centres, regions), _box(start, end)
        elif len(regions) == 1:
            for part, box in _cut(index, _members(centres, regions), margin, largest):
                yield regions, part, box
        else:
            axis = int((end - start).argmax())
            middle = low[regions, axis] + high[regions, axis]
            order = np.argsort(middle, kind="stable")
            pending += [regions[order[: len(order) // 2]], regions[order[len(order) // 2 :]]]


def _members(centres: Segments, regions: Int) -> Int:
    """Return the places of the centres of some regions."""
    sizes = centres.sizes[regions]
    ends = np.cumsum(sizes)
    return np.arange(ends[-1]) + np.repeat(centres.starts[regions] - ends + sizes, sizes)


def _cut(index: tuple[Int, Int, Int], members: Int, margin: Int, largest: int) -> Iterator[tuple[Int, Box]]:
    """Halve a region along its longest axis until no box is large."""
    pending = [members]
    while pending:
        part = pending.pop()
        axes = [axis[part] for axis in index]
        start = np.array([axis.min() for axis in axes])
        end = np.array([axis.max() for axis in axes]) + 1
        length = end - start
        if int((length + 2 * margin).prod()) <= largest or len(part) == 1:
            yield part, _box(start - margin, end + margin)
            continue
        longest = int(length.argmax())
        is_low = axes[longest] < (start[longest] + end[longest]) // 2
        pending += [part[~is_low], part[is_low]]


def _box(start: Int, end: Int) -> Box:
    (k0, j0, i0), (k1, j1, i1) = start.tolist(), end.tolist()
    return (k0, k1), (j0, j1), (i0, i1)
