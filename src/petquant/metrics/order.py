"""Order statistics are the values at given ranks; they are found by counting, not by sorting.

The values of each region fall into bins of equal width between its smallest and its largest. The counts tell
in which bin a rank lies, and only the values of such bins are sorted: a few of thousands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petquant.metrics.segments import Segments

__all__ = ["at_ranks"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MOST_BINS = 2**12  # of a region; it has no more than voxels


def at_ranks(x: Float, regions: Segments, ranks: Int, *, smallest: Float, largest: Float) -> Float:
    """Return the values at ranks of every region, exact, (n regions, n ranks).

    Parameters
    ----------
    x
        (n,) finite values of all voxels.
    ranks
        (n regions, n ranks), from 0 for the smallest value.
    smallest, largest
        (n regions,) of `x`.
    """
    n_bins = np.minimum(regions.sizes, MOST_BINS)
    first = np.cumsum(n_bins) - n_bins
    bins = _bins(x, regions, smallest, largest, n_bins)
    bins += np.repeat(first.astype(np.int32), regions.sizes)
    counts = np.bincount(bins, minlength=int(n_bins.sum()))
    up_to = np.cumsum(counts)
    bin_of = np.searchsorted(up_to, regions.starts[:, None] + ranks, side="right")
    is_needed = np.zeros(len(counts), np.bool_)
    is_needed[bin_of] = True
    kept_of = np.where(is_needed, counts, 0)
    kept_before = np.cumsum(kept_of) - kept_of
    ordered = _ordered(x, bins, np.flatnonzero(is_needed[bins]), counts, kept_before)
    return ordered[kept_before[bin_of] + regions.starts[:, None] + ranks - (up_to - counts)[bin_of]]


def _ordered(x: Float, bins: NDArray[np.int32], kept: Int, counts: Int, kept_before: Int) -> Float:
    """Return the values at the places `kept`, bin after bin and ascending within each."""
    is_alone = counts[bins[kept]] == 1
    alone, others = kept[is_alone], kept[~is_alone]
    ordered = np.empty(len(kept))
    is_free = np.ones(len(kept), np.bool_)
    at = kept_before[bins[alone]]
    ordered[at], is_free[at] = x[alone], False
    values = x[others]
    ordered[is_free] = values[np.lexsort((values, bins[others]))]
    return ordered


def _bins(x: Float, regions: Segments, smallest: Float, largest: Float, n_bins: Int) -> NDArray[np.int32]:
    """Return the bin of every value within its region; a larger value has no smaller bin."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if not np.isfinite(largest - smallest).all():  # a range that no float64 holds
            x, smallest, largest = x / 4, smallest / 4, largest / 4
        scale = (n_bins - 1) / (largest - smallest)
    scale[~np.isfinite(scale)] = 0.0  # one value, or nearly: one bin
    above = x - regions.spread(smallest)
    above *= regions.spread(scale)
    return above.astype(np.int32)
