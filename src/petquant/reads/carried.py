"""Regions carried over: where a lesion of one scan lies on the grid of another, and how far two overlap.

The grid of a region is moved, never a voxel of a PET: the region covers the voxels of the other scan by exact
occupancy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused
from petquant.grid import Grid
from petquant.metrics.intensity import HALF
from petquant.occupancy.frame import volumes_mm3, weights_of
from petquant.placement import place
from petquant.reads.scan import volume_mm3
from petquant.roi import Roi, RoiSet

__all__ = ["MOST_OUTSIDE", "Carried", "carried", "overlaps"]

MOST_OUTSIDE: Final = 0.5  # of the volume of a region: with more of it lost there is no forced read


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carried:
    """A region on the grid of the other scan, or why it has none."""

    roi: Roi | None
    missing: str = ""


def carried(
    roi: Roi,
    *,
    from_grid: Grid,
    onto: Grid,
    error_mm: float,
    apart: Sequence[Roi] = (),
    excluded: NDArray[np.int64] | None = None,
) -> Carried:
    """Return a region on the grid of another scan, dilated by the error of the registration.

    Parameters
    ----------
    roi
        On `from_grid`.
    from_grid
        The grid of the region as it lies in the frame of `onto`.
    onto
        The grid of the other scan.
    error_mm
        A voxel whose centre is at most so far from a voxel that is at least half inside belongs to the
        region as a whole; nothing grows below half a voxel.
    apart
        Regions of the other scan that the dilation does not enter.
    excluded
        Voxels that are taken out of the region: physiologic uptake.
    """
    try:
        (placed,) = place(RoiSet(grid=from_grid, rois=(roi,)), onto=onto).rois
    except Refused:
        return Carried(roi=None, missing="the region carried over lies outside the field of view")
    whole = volume_mm3(roi, from_grid)
    outside = 1.0 - volume_mm3(placed, onto) / whole
    if outside > MOST_OUTSIDE:
        words = f"{outside:.0%} of the region carried over lies outside the field of view"
        return Carried(roi=None, missing=words)
    if excluded is None or not len(excluded):
        return Carried(roi=_dilated(placed, onto, error_mm, apart))
    lost = 1.0 - volume_mm3(_without(placed, excluded), onto) / whole
    if lost > MOST_OUTSIDE:
        words = f"{lost:.0%} of the region carried over is excluded or lies outside the field of view"
        return Carried(roi=None, missing=words)
    return Carried(roi=_without(_dilated(placed, onto, error_mm, apart), excluded))


def overlaps(
    first: Sequence[Roi], second: Sequence[Roi], *, grid: Grid, from_grid: Grid
) -> dict[tuple[str, str], float]:
    """Return the Dice coefficient ``2 |A and B|/(|A| + |B|)`` of regions that overlap, by both ids.

    Parameters
    ----------
    first
        On `grid`.
    second
        On `from_grid`, which is their own grid as it lies in the frame of `grid`.
    """
    found: dict[tuple[str, str], float] = {}
    sizes = [volume_mm3(roi, grid) for roi in first]
    for roi in second:
        try:
            (placed,) = place(RoiSet(grid=from_grid, rois=(roi,)), onto=grid).rois
        except Refused:  # it lies outside
            continue
        weights, own = weights_of(placed), volume_mm3(roi, from_grid)
        for one, size in zip(first, sizes, strict=True):
            shared, at_one, at_placed = np.intersect1d(
                one.voxels, placed.voxels, assume_unique=True, return_indices=True
            )
            if len(shared):
                least = np.minimum(weights_of(one)[at_one], weights[at_placed])
                both = float((least * volumes_mm3(shared, grid)).sum())
                found[one.roi_id, roi.roi_id] = 2.0 * both / (size + own)
    return found


def _without(roi: Roi, excluded: NDArray[np.int64]) -> Roi:
    """Return a region without some voxels."""
    is_kept = ~np.isin(roi.voxels, excluded)
    return replace(
        roi,
        voxels=roi.voxels[is_kept],
        weights=None if roi.weights is None else roi.weights[is_kept],
    )


def _dilated(roi: Roi, grid: Grid, error_mm: float, apart: Sequence[Roi]) -> Roi:
    steps = _steps(grid, error_mm)
    if not len(steps):
        return roi
    weights = weights_of(roi)
    inside = roi.voxels[weights >= HALF] if (weights >= HALF).any() else roi.voxels[[np.argmax(weights)]]
    index = (grid.index_of(inside)[:, None] + steps).reshape(-1, 3)
    index = index[((index >= 0) & (index < grid.shape)).all(axis=1)]
    grown = np.unique(np.ravel_multi_index((index[:, 0], index[:, 1], index[:, 2]), grid.shape))
    for other in apart:
        grown = np.setdiff1d(grown, other.voxels, assume_unique=True)
    voxels = np.union1d(roi.voxels, grown)
    heavier = np.zeros(len(voxels))
    heavier[np.searchsorted(voxels, roi.voxels)] = weights
    heavier[np.searchsorted(voxels, grown)] = 1.0
    return replace(
        roi,
        voxels=voxels.astype(np.int64),
        weights=None if (heavier == 1.0).all() else heavier,
        source=f"{roi.source}, dilated by {error_mm:.2g} mm",
    )


def _steps(grid: Grid, error_mm: float) -> NDArray[np.int64]:
    """Return (n, 3) steps to the other voxels whose centres are that near to the box of a voxel."""
    spacing = np.array(grid.spacing_mm)
    reach = np.floor(error_mm / spacing + 0.5).astype(int)
    axes = [np.arange(-n, n + 1) for n in reach]
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    away_mm = np.linalg.norm(np.maximum(np.abs(steps) - 0.5, 0.0) * spacing, axis=1)
    return np.asarray(steps[(away_mm <= error_mm) & steps.any(axis=1)], np.int64)
