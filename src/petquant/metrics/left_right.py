"""Left and right are held against the PET: regions whose mirror image fits it better may be flipped.

Two witnesses, each of the regions as they are and of their mirror image in the same rows of voxels:

- the body: the fraction of the voxels that lie in it, row by row from the first to the last voxel with more
  than a quarter of the mean over the whole field of view;
- the edge: how far a region stands out from its surroundings, ``ln(mean inside / mean around)``. A drawn
  region has an edge in the uptake, its mirror image has none but by chance.

A body that is alike on both sides cannot show a flip by the first witness, and regions without uptake of
their own, or across the midline, not by the second. Source: roi.md section 5, reliability.md 80.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Finding
from petquant.grid import Grid
from petquant.metrics.intensity import HALF
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["SURROUNDINGS", "left_right_findings"]

Int = NDArray[np.int64]

# The mean over the field of view is SUV 0.15 to 0.4 on whole-body scans, so that a quarter of it lies between
# air and lung.
BODY: Final = 0.25
# Every voxel of 18 real regions lies in the body; a tenth allows for regions that reach out through the skin.
BODY_MARGIN: Final = 0.1
# Mirror images of true regions stand out 0.2 to 1.0 times as much as the regions, on real scans, reference
# objects and phantoms; those of flipped regions that are not across the midline 1.6 to 4.3 times.
EDGE_MARGIN: Final = math.log(1.5)
SMALLEST: Final = 10  # voxels of a region whose edge is more than noise
MOST: Final = 32  # regions whose edges are looked at, the largest first
WIDEST: Final = 4_000_000  # voxels of the box of such a region
SAMPLE: Final = 10_000  # voxels of a region from which on only some of its slices are looked at
SURROUNDINGS: Final = 2  # rows or columns that the surroundings of a region are off it
ACROSS: Final = 0.9  # cosine between rows and the left-right axis from which a reversed row is a flip
ALONG: Final = 0.999  # the same from which x -> -x stays within a row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shape:
    """Voxels of a region and of its surroundings, two voxels off it within the slices."""

    inside: Int
    around: Int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mirror:
    """A reflection within rows, ``i -> total - i``, and the plane that it is about."""

    total: int
    plane: str


def left_right_findings(volume: Volume, rois: Sequence[Roi]) -> tuple[Finding, ...]:
    """Return LEFT_RIGHT_SUSPECT when the mirror image of the regions fits the PET better than they do.

    Reflected are the columns of the image, as when an array is reversed, and the x coordinate, as when LPS
    and RAS are confused. A mirror image fits better when a tenth more of its voxels lies in the body, or when
    the mean over the regions of ``max(0, ln C_mirrored) - |ln C|`` is more than ln 1.5, with the contrast
    ``C = mean inside / mean around``: it stands out where the regions themselves have no edge, hot or cold.

    Parameters
    ----------
    volume
        Any unit linear in activity; the slices of the regions are loaded.
    rois
        On the grid of the volume.

    Returns
    -------
    Nothing when rows do not run from left to right.
    """
    grid = volume.grid
    mirrors = _mirrors(grid)
    if not mirrors:
        return ()
    inside = [
        _thinned(grid, roi.voxels if roi.weights is None else roi.voxels[roi.weights >= HALF]) for roi in rois
    ]
    if not any(voxels.size for voxels in inside):
        return ()
    floor = BODY * float(volume.slice_sums().sum()) / grid.size
    if not floor > 0:
        return ()
    shapes = _shapes(grid, inside)
    everything = np.concatenate(inside)
    own_body = _in_body(volume, everything, floor)
    own_edges = [abs(_log_contrast(volume, shape, floor)) for shape in shapes]
    for mirror in mirrors:
        mirrored = _mirrored(grid, everything, mirror)
        body = _in_body(volume, mirrored, floor) * mirrored.size / everything.size
        if body - own_body > BODY_MARGIN:
            return (_finding(mirror, f"{body:.0%} of their voxels lie in the body, as given {own_body:.0%}"),)
        edges = [_mirrored_edge(volume, shape, mirror, floor) for shape in shapes]
        if shapes and np.mean(edges) - np.mean(own_edges) > EDGE_MARGIN:
            times, own_times = math.exp(np.mean(edges)), math.exp(np.mean(own_edges))
            words = f"they stand out {times:.2g}-fold from their surroundings, as given {own_times:.2g}-fold"
            return (_finding(mirror, words),)
    return ()


def _finding(mirror: _Mirror, words: str) -> Finding:
    return Finding(
        code="LEFT_RIGHT_SUSPECT",
        found=f"mirrored about {mirror.plane} the regions fit the PET better: {words}",
        expected="regions on the side on which they were drawn",
        remedy="look at the regions over the PET; check how they were converted",
    )


def _mirrors(grid: Grid) -> list[_Mirror]:
    """Return the reflections within rows; none when rows do not run from left to right."""
    cosine = float(grid.directions[0, 2])
    if abs(cosine) < ACROSS:
        return []
    _, nj, ni = grid.shape
    mirrors = [_Mirror(total=ni - 1, plane="the middle of the image")]
    if abs(cosine) > ALONG:
        middle_mm = float(grid.position_mm(((grid.shape[0] - 1) / 2, (nj - 1) / 2, (ni - 1) / 2))[0])
        total = round(ni - 1 - 2 * middle_mm / float(grid.affine[0, 2]))
        if abs(total - (ni - 1)) > 1:
            mirrors.append(_Mirror(total=total, plane="x = 0"))
    return mirrors


def _mirrored(grid: Grid, voxels: Int, mirror: _Mirror) -> Int:
    """Return the mirror image of voxels, without those that leave the image."""
    column = voxels % grid.shape[2]
    other = mirror.total - column
    stays = (other >= 0) & (other < grid.shape[2])
    return np.asarray((voxels - column + other)[stays])


def _in_body(volume: Volume, voxels: Int, floor: float) -> float:
    """Return the fraction of voxels above the floor, or with such voxels on both sides in their row."""
    below = voxels[volume.at(voxels) <= floor]
    if not below.size:
        return 1.0
    ni = volume.grid.shape[2]
    rows, row_of = np.unique(below // ni, return_inverse=True)
    is_above = volume.at((rows[:, None] * ni + np.arange(ni)).ravel()).reshape(-1, ni) > floor
    first = np.where(is_above.any(axis=1), is_above.argmax(axis=1), ni)
    last = ni - 1 - is_above[:, ::-1].argmax(axis=1)
    column = below % ni
    is_out = (column < first[row_of]) | (column > last[row_of])
    return 1.0 - float(is_out.sum()) / voxels.size


def _shapes(grid: Grid, inside: Sequence[Int]) -> list[_Shape]:
    """Return the largest regions with their surroundings."""
    fitting = sorted((voxels for voxels in inside if voxels.size >= SMALLEST), key=len, reverse=True)
    around = ((voxels, _around(grid, voxels)) for voxels in fitting[:MOST])
    return [_Shape(inside=voxels, around=others) for voxels, others in around if others.size]


def _thinned(grid: Grid, voxels: Int) -> Int:
    """Return the voxels of every slice, or of a large region of evenly picked slices."""
    step = -(-voxels.size // SAMPLE)
    if step <= 1:
        return voxels
    in_slice = grid.shape[1] * grid.shape[2]
    ks = np.arange(voxels[0] // in_slice, voxels[-1] // in_slice + 2)
    ends = np.searchsorted(voxels, ks * in_slice)
    filled = np.flatnonzero(np.diff(ends))
    return np.concatenate([voxels[ends[k] : ends[k + 1]] for k in filled[:: min(step, filled.size)]])


def _around(grid: Grid, voxels: Int) -> Int:
    """Return the voxels two rows or columns off a region, not next to it, where the PET blurs it."""
    kji = grid.index_of(voxels)
    start, stop = kji.min(axis=0), kji.max(axis=0) + 1
    start[1:] -= SURROUNDINGS
    stop[1:] += SURROUNDINGS
    shape = stop - start
    if shape.prod() > WIDEST:
        return np.empty(0, np.int64)
    mask = np.zeros(shape, np.bool_)
    mask[tuple((kji - start).T)] = True
    ring = np.zeros_like(mask)
    for step, value in ((SURROUNDINGS, True), (1, False)):
        for to, of in ((np.s_[step:], np.s_[:-step]), (np.s_[:-step], np.s_[step:])):
            for axes in ((slice(None), slice(None)), (slice(None),)):
                target, source = (*axes, to)[-2:], (*axes, of)[-2:]
                ring[(slice(None), *target)][mask[(slice(None), *source)]] = value
    ring[mask] = False
    found = np.argwhere(ring) + start
    is_in_image = ((found >= 0) & (found < np.array(grid.shape))).all(axis=1)
    return np.asarray(np.ravel_multi_index(tuple(found[is_in_image].T), grid.shape), np.int64)


def _log_contrast(volume: Volume, shape: _Shape, floor: float) -> float:
    """Return ``ln(mean inside / mean around)``, each at least the floor of the body."""
    inside, around = volume.at(shape.inside).mean(), volume.at(shape.around).mean()
    return math.log(max(inside, floor) / max(around, floor))


def _mirrored_edge(volume: Volume, shape: _Shape, mirror: _Mirror, floor: float) -> float:
    """Return by how much the mirror image is hotter than its surroundings; 0 when it leaves the image."""
    inside = _mirrored(volume.grid, shape.inside, mirror)
    around = _mirrored(volume.grid, shape.around, mirror)
    if inside.size < shape.inside.size or not around.size:
        return 0.0
    return max(0.0, _log_contrast(volume, _Shape(inside=inside, around=around), floor))
