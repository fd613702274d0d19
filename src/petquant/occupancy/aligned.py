"""Overlap of boxes on grids with parallel axes: exact, and separable into overlaps of intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.occupancy.frame import Covered, Frame, edges_mm, ends_mm, summed, volumes_mm3, weights_of
from petquant.roi import Roi

__all__ = ["by_axis"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

PIECE_VOXELS: Final = 1_000_000  # voxels of regions worked on at a time


def by_axis(rois: Sequence[Roi], frame: Frame) -> Iterator[Covered]:
    """Yield what regions cover when the grids run along the same axes: overlap of intervals, axis by axis.

    All regions go through together: a key is region, then the indices along the axes of their grid, which
    become those of the PET one after the other.
    """
    if not rois:
        return
    size = frame.theirs.size
    region = np.repeat(np.arange(len(rois)), [len(roi.voxels) for roi in rois])
    voxels = np.concatenate([roi.voxels for roi in rois])
    weights = np.concatenate([weights_of(roi) for roi in rois])
    bands = [_band(frame, axis, voxels) for axis in range(3)]
    pieces = []
    for start in range(0, len(voxels), PIECE_VOXELS):
        piece = slice(start, start + PIECE_VOXELS)
        pieces.append(_contracted(region[piece] * size + voxels[piece], weights[piece], frame, bands))
    keys, sums = summed(np.concatenate([k for k, _ in pieces]), np.concatenate([s for _, s in pieces]))
    bounds = np.searchsorted(keys, np.arange(len(rois) + 1) * frame.mine.size)
    for n, roi in enumerate(rois):
        mine = slice(bounds[n], bounds[n + 1])
        at, covered = keys[mine] - n * frame.mine.size, sums[mine]
        inside = float((covered * volumes_mm3(at, frame.mine)).sum())
        whole = float((weights_of(roi) * volumes_mm3(roi.voxels, frame.theirs)).sum())
        yield Covered(voxels=at, weights=covered, lost=1.0 - inside / whole if whole else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Band:
    """For every index along an axis of the other grid: the first PET index it meets, and the overlaps.

    `overlap` is (bands, n): the fraction of PET box ``first + band`` that is covered, 0 outside the PET.
    """

    first: Int
    overlap: Float


def _band(frame: Frame, axis: int, voxels: Int) -> _Band:
    """Return how the boxes of one axis of the other grid overlap those of the PET's axis along it.

    Where directions agree to 1e-4 only, the grids are laid upon each other at the middle of the regions.
    """
    assert frame.order is not None  # noqa: S101 - for the type checker
    mine = frame.order.index(axis)
    sign = np.sign(frame.turn[mine, axis])
    ends = ends_mm(voxels, frame.theirs)
    middle = ends.mean(axis=0)
    shift = frame.shift[mine] + frame.turn[mine] @ middle - sign * middle[axis]
    theirs = sign * edges_mm(frame.theirs, axis) + shift
    low, high = np.minimum(theirs[:-1], theirs[1:]), np.maximum(theirs[:-1], theirs[1:])
    edges = edges_mm(frame.mine, mine)
    n = len(edges) - 1
    first = np.clip(np.searchsorted(edges, low, side="right") - 1, 0, n)
    last = np.clip(np.searchsorted(edges, high, side="left") - 1, -1, n - 1)
    cell = first + np.arange(max(int((last - first).max()) + 1, 1))[:, None]
    is_in = cell < n
    cell_in = np.where(is_in, cell, n - 1)
    overlap = np.minimum(high, edges[cell_in + 1]) - np.maximum(low, edges[cell_in])
    width = edges[cell_in + 1] - edges[cell_in]
    return _Band(first=first, overlap=np.where(is_in, np.clip(overlap / width, 0.0, 1.0), 0.0))


def _contracted(keys: Int, values: Float, frame: Frame, bands: Sequence[_Band]) -> tuple[Int, Float]:
    """Return keys over the PET grid and the covered fractions, from keys over the other grid."""
    assert frame.order is not None  # noqa: S101 - for the type checker
    shape = list(frame.theirs.shape)
    for axis in (2, 1, 0):  # the densest first: the list shrinks before the next
        inner_n = int(np.prod(shape[axis + 1 :]))
        rest, inner = np.divmod(keys, inner_n)
        outer, index = np.divmod(rest, shape[axis])
        shape[axis] = frame.mine.shape[frame.order.index(axis)]
        found_keys, found_values = [], []
        for number, overlap in enumerate(bands[axis].overlap):
            share = overlap[index]
            at = np.flatnonzero(share)
            cell = bands[axis].first[index[at]] + number
            found_keys.append((outer[at] * shape[axis] + cell) * inner_n + inner[at])
            found_values.append(values[at] * share[at])
        keys, values = summed(np.concatenate(found_keys), np.concatenate(found_values))
    if frame.order == (0, 1, 2):
        return keys, values
    region, flat = np.divmod(keys, int(np.prod(shape)))
    turned = np.unravel_index(flat, shape)
    k, j, i = (turned[axis] for axis in frame.order)
    _, nj, ni = frame.mine.shape
    return summed(region * frame.mine.size + (k * nj + j) * ni + i, values)
