"""Overlap of boxes on grids with parallel axes: exact, and separable into overlaps of intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.occupancy.frame import Covered, Frame, centres_mm, edges_mm, summed, volumes_mm3, weights_of
from petquant.roi import Roi

__all__ = ["by_axis"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

PIECE_VOXELS: Final = 1_000_000  # voxels of regions worked on at a time


def by_axis(rois: Sequence[Roi], frame: Frame) -> Iterator[Covered]:
    """Yield what regions cover when the grids run along the same axes: overlap of intervals, axis by axis.

    All regions go through together: a key is region, then the indices along the axes of their grid, which
    become those of the PET one after the other, the densest first, as runs of neighbours.
    """
    if not rois:
        return
    axes = [_Axis.of(frame, axis) for axis in range(3)]
    whole = np.zeros(len(rois))
    parts = [(np.empty(0, np.int64), np.empty(0))]
    for piece in _pieces(rois):
        volume = piece.values * volumes_mm3(piece.voxels, frame.theirs)
        whole += np.bincount(piece.region, volume, len(rois))
        parts.append(_contracted(piece, frame, axes))
    keys, sums = summed(np.concatenate([k for k, _ in parts]), np.concatenate([s for _, s in parts]))
    region, voxels = np.divmod(keys, frame.mine.size)
    inside = np.bincount(region, sums * volumes_mm3(voxels, frame.mine), len(rois))
    lost = np.where(whole > 0, 1.0 - inside / np.where(whole > 0, whole, 1.0), 0.0).tolist()
    bounds = np.searchsorted(region, np.arange(len(rois) + 1)).tolist()
    for n in range(len(rois)):
        mine = slice(bounds[n], bounds[n + 1])
        yield Covered(voxels=voxels[mine], weights=sums[mine], lost=lost[n])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """Voxels of one or several regions: number of the region, flat voxel, weight; and whether all are 1."""

    region: Int
    voxels: Int
    values: Float
    is_plain: bool


def _pieces(rois: Sequence[Roi]) -> Iterator[_Piece]:
    """Yield the voxels of all regions, small ones together and large ones in parts."""
    gathered: list[tuple[int, slice]] = []
    n_gathered = 0
    for n, roi in enumerate(rois):
        for start in range(0, len(roi.voxels), PIECE_VOXELS):
            part = slice(start, min(start + PIECE_VOXELS, len(roi.voxels)))
            gathered.append((n, part))
            n_gathered += part.stop - part.start
            if n_gathered >= PIECE_VOXELS:
                yield _piece(rois, gathered)
                gathered, n_gathered = [], 0
    if gathered:
        yield _piece(rois, gathered)


def _piece(rois: Sequence[Roi], parts: Sequence[tuple[int, slice]]) -> _Piece:
    sizes = [part.stop - part.start for _, part in parts]
    is_plain = all(rois[n].weights is None for n, _ in parts)
    return _Piece(
        region=np.repeat([n for n, _ in parts], sizes),
        voxels=np.concatenate([rois[n].voxels[part] for n, part in parts]),
        values=np.ones(sum(sizes))
        if is_plain
        else np.concatenate([weights_of(rois[n])[part] for n, part in parts]),
        is_plain=is_plain,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axis:
    """One axis of the other grid, and the axis of the PET along it.

    Parameters
    ----------
    at
        (n + 1,) boundaries of its voxels, mm along the PET's axis; descending where it runs backwards.
    edges
        (m + 1,) boundaries of the PET's voxels.
    """

    at: Float
    edges: Float

    @classmethod
    def of(cls, frame: Frame, axis: int) -> _Axis:
        """Return an axis; grids that are parallel to 1e-4 only are laid upon each other at their middle."""
        assert frame.order is not None  # noqa: S101 - for the type checker
        mine = frame.order.index(axis)
        sign = np.sign(frame.turn[mine, axis])
        middle_mm = np.array([centres_mm(frame.theirs, a)[[0, -1]].mean() for a in range(3)])
        shift = frame.shift[mine] + frame.turn[mine] @ middle_mm - sign * middle_mm[axis]
        return cls(at=sign * edges_mm(frame.theirs, axis) + shift, edges=edges_mm(frame.mine, mine))

    @property
    def n(self) -> int:
        """Voxels of the PET along it."""
        return len(self.edges) - 1

    def cells(self, first: Int, stop: Int) -> tuple[Int, Int, Float]:
        """Return what runs [first, stop) of voxels cover: run, PET index, and fraction of that PET voxel."""
        one, other = self.at[first], self.at[stop]
        low, high = np.minimum(one, other), np.maximum(one, other)
        begin = np.clip(np.searchsorted(self.edges, low, side="right") - 1, 0, self.n)
        end = np.clip(np.searchsorted(self.edges, high, side="left"), 0, self.n)
        counts = np.maximum(end - begin, 0)
        run = np.repeat(np.arange(len(counts)), counts)
        cell = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts - begin, counts)
        shared = np.minimum(high[run], self.edges[cell + 1]) - np.maximum(low[run], self.edges[cell])
        return run, cell, np.clip(shared / (self.edges[cell + 1] - self.edges[cell]), 0.0, 1.0)


def _contracted(piece: _Piece, frame: Frame, axes: Sequence[_Axis]) -> tuple[Int, Float]:
    """Return keys over the PET grid and the covered fractions."""
    assert frame.order is not None  # noqa: S101 - for the type checker
    nk, nj, ni = frame.theirs.shape
    keys = piece.region * frame.theirs.size + piece.voxels
    starts = np.arange(len(keys) + 1)
    if piece.is_plain:
        is_new = np.diff(keys, prepend=-2) != 1
        is_new |= piece.voxels % ni == 0
        starts = np.append(np.flatnonzero(is_new), len(keys))
    row, first = np.divmod(keys[starts[:-1]], ni)
    run, cell, share = axes[2].cells(first, first + np.diff(starts))
    keys, values = summed(row[run] * axes[2].n + cell, piece.values[starts[:-1]][run] * share)
    inner_n = axes[2].n
    for axis, n in ((1, nj), (0, nk)):
        rest, inner = np.divmod(keys, inner_n)
        outer, index = np.divmod(rest, n)
        run, cell, share = axes[axis].cells(index, index + 1)
        keys, values = summed((outer[run] * axes[axis].n + cell) * inner_n + inner[run], values[run] * share)
        inner_n *= axes[axis].n
    if frame.order == (0, 1, 2):
        return keys, values
    region, flat = np.divmod(keys, frame.mine.size)
    turned = np.unravel_index(flat, [axis.n for axis in axes])
    k, j, i = (turned[axis] for axis in frame.order)
    _, nj, ni = frame.mine.shape
    return summed(region * frame.mine.size + (k * nj + j) * ni + i, values)
