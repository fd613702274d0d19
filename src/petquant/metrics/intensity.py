"""Intensity is what the values of a region say: maximum, mean, percentiles, volumes at thresholds.

All regions are measured in one pass over one row of voxels. Order statistics (maximum, minimum, percentiles,
peak centres, number of voxels) are those of voxels at least half inside; sums run over all voxels with their
weight. Comparisons are inclusive and made on float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.metrics.order import at_ranks
from petquant.metrics.segments import Segments, values_not_finite
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["FRACTIONS", "HALF", "LEVELS", "PERCENTILES", "Intensity", "intensity"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

HALF = 0.5 - 1e-9  # a voxel half inside is inside, whatever the last bit of its weight says
PERCENTILES = {"p10": 10.0, "p25": 25.0, "median": 50.0, "p75": 75.0, "p90": 90.0}
FRACTIONS = {"mtv41_ml": 0.41, "mtv42_ml": 0.42, "mtv50_ml": 0.50}  # of the region's own maximum
LEVELS = {"mtv_suv2_5_ml": 2.5, "mtv_suv4_0_ml": 4.0}  # SUV


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intensity:
    """What every region gave; each array is (n regions, ...), in the order of the regions.

    Attributes
    ----------
    regions, values, weights
        All voxels, their values, and their weights (None: all 1).
    centres, index, is_centre, is_maximum
        The voxels at least half inside, their indices k, j, i, which of all voxels they are (None: all), and
        which of them hold the maximum of their region.
    count
        Voxels at least half inside (or the one voxel of largest weight).
    is_fallback
        Whether that one voxel had to stand in.
    total_weight, total
        sum(w) and sum(w x).
    mean, sd, maximum, minimum, percentiles
        In the unit of the volume; `sd` with ddof 0.
    ties
        Voxels that hold the maximum.
    maximum_at
        Flat voxel number of the maximum, the first in k, j, i order.
    centroid_mm
        (n, 3) LPS.
    weight_above
        Column to sum(w) of voxels at or above that threshold.
    """

    regions: Segments
    values: Float
    weights: Float | None
    centres: Segments
    index: tuple[Int, Int, Int]
    is_centre: Bool | None
    is_maximum: Bool
    count: Int
    is_fallback: Bool
    total_weight: Float
    total: Float
    mean: Float
    sd: Float
    maximum: Float
    minimum: Float
    percentiles: dict[str, Float]
    ties: Int
    maximum_at: Int
    centroid_mm: Float
    weight_above: dict[str, Float]


def intensity(volume: Volume, rois: Sequence[Roi]) -> Intensity:
    """Return the statistics of all regions, none of which is empty.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE, when a voxel of a region is NaN or infinite.
    """
    regions = Segments.of([roi.voxels for roi in rois])
    weights = _weights(rois)
    x = volume.at(regions.voxels)
    if volume.stored.dtype.kind == "f" and not np.isfinite(x).all():
        raise values_not_finite(len(np.unique(regions.voxels[~np.isfinite(x)])))
    centres, centre_x, is_fallback = regions, x, np.zeros(len(rois), np.bool_)
    is_centre: Bool | None = None
    if weights is not None:
        is_centre, is_fallback = _at_least_half(weights, regions)
        centres, centre_x = regions.keep(is_centre), x[is_centre]

    maximum = np.maximum.reduceat(centre_x, centres.starts)
    minimum = np.minimum.reduceat(centre_x, centres.starts)
    is_maximum = centre_x == centres.spread(maximum)
    total_weight = regions.sizes.astype(np.float64) if weights is None else regions.sum(weights)
    total = regions.sum(x if weights is None else x * weights)
    mean = total / total_weight
    index = regions.index(volume.grid)
    squares = (x - regions.spread(mean)) ** 2
    return Intensity(
        regions=regions,
        values=x,
        weights=weights,
        centres=centres,
        index=index if is_centre is None else centres.index(volume.grid),
        is_centre=is_centre,
        is_maximum=is_maximum,
        count=centres.sizes,
        is_fallback=is_fallback,
        total_weight=total_weight,
        total=total,
        mean=mean,
        sd=np.sqrt(regions.sum(squares if weights is None else squares * weights) / total_weight),
        maximum=maximum,
        minimum=minimum,
        percentiles=_percentiles(centre_x, centres, minimum, maximum),
        ties=centres.count(is_maximum),
        maximum_at=centres.voxels[centres.first(is_maximum)],
        centroid_mm=_centroid_mm(volume, index, regions, weights, total_weight),
        weight_above={
            **{
                name: _weight_above(x, regions, weights, regions.spread(fraction * maximum))
                for name, fraction in FRACTIONS.items()
            },
            **{name: _weight_above(x, regions, weights, level) for name, level in LEVELS.items()},
        },
    )


def _weights(rois: Sequence[Roi]) -> Float | None:
    """Return the weights of all voxels in one row, or None when all are 1."""
    if all(roi.weights is None for roi in rois):
        return None
    return np.concatenate([np.ones(len(roi.voxels)) if roi.weights is None else roi.weights for roi in rois])


def _at_least_half(weights: Float, regions: Segments) -> tuple[Bool, Bool]:
    """Return which voxels are at least half inside, and which regions had to take their heaviest instead."""
    is_half = weights >= HALF
    is_fallback = regions.count(is_half) == 0
    if is_fallback.any():
        is_heaviest = weights == regions.spread(np.maximum.reduceat(weights, regions.starts))
        is_half[regions.first(is_heaviest)[is_fallback]] = True
    return is_half, is_fallback


def _percentiles(x: Float, centres: Segments, minimum: Float, maximum: Float) -> dict[str, Float]:
    """Return x[h] at h = (n - 1) percent / 100, on a straight line between neighbours (numpy ``linear``)."""
    h = (centres.sizes[:, None] - 1) * (np.array(list(PERCENTILES.values())) / 100.0)
    below = np.floor(h)
    rank = below.astype(np.int64)
    ranks = np.concatenate([rank, np.minimum(rank + 1, centres.sizes[:, None] - 1)], axis=1)
    low, high = np.split(at_ranks(x, centres, ranks, smallest=minimum, largest=maximum), 2, axis=1)
    found = np.clip(low + (high - low) * (h - below), low, high)
    return dict(zip(PERCENTILES, np.ascontiguousarray(found.T), strict=True))


def _weight_above(x: Float, regions: Segments, weights: Float | None, threshold: Float | float) -> Float:
    is_above = x >= threshold
    if weights is None:
        return regions.count(is_above).astype(np.float64)
    return regions.sum(weights * is_above)


def _centroid_mm(
    volume: Volume,
    index: tuple[Int, Int, Int],
    regions: Segments,
    weights: Float | None,
    total_weight: Float,
) -> Float:
    """Return sum(w p) / sum(w) over voxel centres, each slice at its own position."""
    grid = volume.grid
    along, j, i = (np.asarray(axis, np.float64) for axis in index)
    if grid.slice_positions_mm is not None:
        along = grid.slice_positions_mm[index[0]] / grid.spacing_mm[0]
    means = [
        regions.sum(axis if weights is None else axis * weights) / total_weight for axis in (along, j, i)
    ]
    return np.asarray(np.stack(means, axis=-1) @ grid.affine[:3, :3].T + grid.affine[:3, 3])
