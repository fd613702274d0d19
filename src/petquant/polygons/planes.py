"""Planes are the heights at which a region was drawn; a slab is what a plane stands for along the slices.

Heights are counted in slices of the PET, from the centre of slice 0; half-way between two slices is their
boundary, also where steps are uneven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.occupancy.frame import centres_mm, edges_mm

__all__ = ["Planes", "heights_of", "planes_of"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

ON_SLICE: Final = 0.1  # of a slice: nearer planes are those of the slice (roi.md 3.3)
SAME_PLANE: Final = 0.01  # of a slice
OWN_STEPS: Final = 1.5  # PET steps: planes farther apart were not drawn slice by slice
GAP: Final = 1.5  # median plane spacings: planes farther apart leave a gap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planes:
    """The planes of one region.

    Parameters
    ----------
    of_contour
        (n,) number of the plane of every contour.
    slab
        (m, 2) lower and upper height of every plane's slab, in slices.
    is_own
        Whether every plane is a slice of the PET.
    offset
        Largest distance of an own plane from its slice, in slices.
    n_missing
        Planes that are missing between others.
    is_filled
        Whether slabs reach over what is missing.
    """

    of_contour: Int
    slab: Float
    is_own: bool
    offset: float
    n_missing: int
    is_filled: bool

    def slices_inside(self, n_slices: int) -> tuple[Int, Int]:
        """Return plane and slice of every slice of the PET whose centre lies in a slab ``(lower, upper]``."""
        bounds = np.clip(np.floor(self.slab) + 1, 0, n_slices).astype(np.int64)
        counts = bounds[:, 1] - bounds[:, 0]
        plane = np.repeat(np.arange(len(counts)), counts)
        return plane, bounds[plane, 0] + np.arange(len(plane)) - np.repeat(np.cumsum(counts) - counts, counts)

    def thickness_mm(self, grid: Grid) -> Float:
        """(m,) thickness of the slabs."""
        slab = _mm(self.slab, grid)
        return np.asarray(slab[:, 1] - slab[:, 0])

    def overlap_mm(self, grid: Grid) -> Float:
        """(m, nk) length that every slab shares with every slice."""
        slab, edges = _mm(self.slab, grid), edges_mm(grid, 0)
        shared = np.minimum(slab[:, 1:], edges[1:]) - np.maximum(slab[:, :1], edges[:-1])
        return np.asarray(np.maximum(shared, 0.0))


def heights_of(along_mm: Float, grid: Grid) -> Float:
    """Return heights in slices from mm along the slice axis; beyond the ends by the median step."""
    at, step = centres_mm(grid, 0), grid.spacing_mm[0]
    inside = np.interp(along_mm, at, np.arange(len(at)))
    return np.asarray(
        inside + np.minimum(along_mm - at[0], 0.0) / step + np.maximum(along_mm - at[-1], 0.0) / step
    )


def _mm(heights: Float, grid: Grid) -> Float:
    at, step = centres_mm(grid, 0), grid.spacing_mm[0]
    inside = np.interp(heights, np.arange(len(at)), at)
    beyond = np.minimum(heights, 0.0) + np.maximum(heights - (len(at) - 1), 0.0)
    return np.asarray(inside + beyond * step)


def planes_of(heights: Float, grid: Grid, *, is_referenced: bool, fill_gaps: bool) -> Planes:
    """Return the planes of contours at these heights.

    They are slices of the PET when all lie within a tenth of a slice of one, and either the region refers to
    the PET or the median step of its planes is at most 1.5 slices; each then fills its slice. Otherwise slabs
    reach to the middle between planes, and half a median spacing at the ends and beside gaps. `fill_gaps`
    lets slabs reach to the middle everywhere.
    """
    nearest = np.rint(heights)
    offset = float(np.abs(heights - nearest).max())
    slices = np.unique(nearest)
    is_near = offset <= ON_SLICE
    if is_near and (is_referenced or len(slices) < 2 or np.median(np.diff(slices)) <= OWN_STEPS):
        n_missing = int(np.diff(slices).sum()) - (len(slices) - 1)
        is_filled = fill_gaps and n_missing > 0
        slab = _slabs(slices, np.inf) if is_filled else np.stack([slices - 0.5, slices + 0.5], axis=1)
        of_contour = np.searchsorted(slices, nearest)
        return Planes(
            of_contour=of_contour,
            slab=slab,
            is_own=True,
            offset=offset,
            n_missing=n_missing,
            is_filled=is_filled,
        )
    order = np.argsort(heights, kind="stable")
    is_new = np.diff(heights[order], prepend=-np.inf) > SAME_PLANE
    of_contour = np.empty(len(heights), np.int64)
    of_contour[order] = np.cumsum(is_new) - 1
    at = np.bincount(of_contour, heights) / np.bincount(of_contour)
    at_mm = _mm(at, grid)
    spacing = np.diff(at_mm)
    median = float(np.median(spacing)) if len(spacing) else grid.spacing_mm[0]
    is_gap = spacing > GAP * median
    n_missing = int((np.rint(spacing[is_gap] / median) - 1).sum())
    slab_mm = _slabs(at_mm, np.inf if fill_gaps else GAP * median, end=median / 2)
    return Planes(
        of_contour=of_contour,
        slab=heights_of(slab_mm, grid),
        is_own=False,
        offset=offset,
        n_missing=n_missing,
        is_filled=fill_gaps and n_missing > 0,
    )


def _slabs(at: Float, widest: float, end: float | None = None) -> Float:
    """(n, 2) lower and upper end of slabs about ascending planes; spacings above `widest` are gaps."""
    spacing = np.diff(at)
    half = float(np.median(spacing)) / 2 if end is None else end
    reach = np.where(spacing > widest, half, spacing / 2)
    return np.stack([at - np.concatenate([[half], reach]), at + np.concatenate([reach, [half]])], axis=1)
