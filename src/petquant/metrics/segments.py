"""Segments: the voxels of many regions in one row, region after region, so that one pass serves all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from petquant.errors import PetquantError, Refused
from petquant.grid import Grid

__all__ = ["Segments", "values_not_finite"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Values = TypeVar("Values", NDArray[np.float64], NDArray[np.float32])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segments:
    """Voxels of regions, none of them empty.

    Attributes
    ----------
    voxels
        (n,) flat voxel numbers, ascending within a region.
    starts, ends
        (n regions,) where each region begins and ends in `voxels`.
    """

    voxels: Int
    starts: Int
    ends: Int

    @classmethod
    def of(cls, regions: Sequence[Int]) -> Segments:
        """Return `regions` one after the other."""
        ends = np.cumsum([len(voxels) for voxels in regions], dtype=np.int64)
        voxels = np.concatenate(regions) if len(regions) > 1 else np.asarray(regions[0])
        return cls(voxels=voxels, starts=np.concatenate([[0], ends[:-1]]).astype(np.int64), ends=ends)

    @property
    def sizes(self) -> Int:
        """(n regions,) number of voxels."""
        return self.ends - self.starts

    def spread(self, values: Values) -> Values:
        """Return the value of each voxel's region, (n,)."""
        return cast("Values", np.repeat(values, self.sizes))

    def keep(self, is_kept: Bool) -> Segments:
        """Return the segments of those voxels alone; every region must keep one."""
        ends = np.cumsum(is_kept)[self.ends - 1].astype(np.int64)
        return Segments(
            voxels=self.voxels[is_kept], starts=np.concatenate([[0], ends[:-1]]).astype(np.int64), ends=ends
        )

    def among(self, places: Int) -> Segments:
        """Return the segments of the voxels at `places`, ascending; every region must have one."""
        ends = np.searchsorted(places, self.ends)
        return Segments(
            voxels=self.voxels[places], starts=np.concatenate([[0], ends[:-1]]).astype(np.int64), ends=ends
        )

    def sum(self, values: Float) -> Float:
        """Return the sum of each region, (n regions,); pairwise, as numpy sums."""
        return np.asarray(np.add.reduceat(values, self.starts), np.float64)

    def count(self, is_counted: Bool) -> Int:
        """Return how many voxels of each region are marked, (n regions,)."""
        before = np.concatenate([[0], np.cumsum(is_counted)])
        return np.asarray(before[self.ends] - before[self.starts], np.int64)

    def first(self, is_marked: Bool) -> Int:
        """Return the place in `voxels` of the first marked voxel of each region; each must have one."""
        marked = np.flatnonzero(is_marked)
        return np.asarray(marked[np.searchsorted(marked, self.starts)], np.int64)

    def index(self, grid: Grid) -> tuple[Int, Int, Int]:
        """Return the indices k, j, i of all voxels, each (n,)."""
        _, nj, ni = grid.shape
        row = self.voxels // ni
        k = row // nj
        return k, row - k * nj, self.voxels - row * ni

    def keys(self, grid_size: int) -> Int:
        """Return (n,) ascending numbers that name region and voxel: region * grid_size + voxel."""
        return self.voxels + np.repeat(np.arange(len(self.starts), dtype=np.int64) * grid_size, self.sizes)


def values_not_finite(count: int) -> PetquantError:
    """Return the refusal of `count` voxels that are no finite number."""
    return Refused.of(
        "ROI_VALUES_NOT_FINITE",
        f"{count} voxels under a region or its peak sphere are NaN or infinite",
        expected="finite values",
        remedy="export the PET again",
    )
