"""A volume is what the scanner stored, the straight line that turns it into a quantity, and where it lies.

Stored numbers stay as they were written (16-bit, as a rule); every slice keeps its own slope and intercept,
and a conversion to SUV multiplies those. Values are float64 and are made only where they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petquant.grid import Grid

__all__ = ["PlaneWindow", "SliceTotals", "Unit", "Volume", "cut_of", "worth_cutting"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
PlaneWindow = tuple[tuple[int, int], tuple[int, int]]  # rows from and to, columns from and to
WORTH_CUTTING = 0.75  # of a slice; to copy more would cost more than to have it all


class Unit(StrEnum):
    """Unit of the values of a volume."""

    BQML = "Bq/mL"
    GML = "g/mL"
    CM2ML = "cm2/mL"
    COUNTS = "counts"
    CPS = "counts/s"
    HU = "HU"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceTotals:
    """Sum, smallest and largest stored number of every slice, taken while the slices were read.

    Each is (nk,) float64.
    """

    total: Float
    smallest: Float
    largest: Float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """Values on a grid.

    Parameters
    ----------
    grid
        Where the voxels lie.
    unit
        Unit of ``slope * stored + intercept``.
    stored
        (nk, nj, ni) numbers as stored; only the rows and columns of `window` where there is one.
    slope, intercept
        (nk,) float64, one a slice.
    totals
        Per-slice totals of `stored`, over all slices.
    is_loaded
        (nk,) bool; slices that were not asked for hold no values and asking for them is an error.
    window
        Rows and columns that were loaded; all when None.
    """

    grid: Grid
    unit: Unit
    stored: NDArray[np.generic]
    slope: Float
    intercept: Float
    totals: SliceTotals
    is_loaded: NDArray[np.bool_]
    window: PlaneWindow | None = None

    def at(self, voxels: ArrayLike) -> Float:
        """Return float64 values at flat voxel numbers (C order): ``slope_k * stored + intercept_k``.

        Raises
        ------
        LookupError
            When a voxel lies in a slice, row or column that was not loaded.
        """
        flat = np.asarray(voxels, np.int64)
        nj, ni = self.grid.shape[1:]
        in_slice = flat // (nj * ni)
        if not (self.is_loaded.all() or self.is_loaded[in_slice].all()):
            raise LookupError("a voxel of a slice that was not loaded")
        if self.window is not None:
            row = flat // ni
            j, i = row - in_slice * nj, flat - row * ni
            (j0, j1), (i0, i1) = self.window
            if flat.size and not (j.min() >= j0 and j.max() < j1 and i.min() >= i0 and i.max() < i1):
                raise LookupError("a voxel of a row or column that was not loaded")
            flat = (in_slice * (j1 - j0) + j - j0) * (i1 - i0) + i - i0
        return self._converted(flat, in_slice)

    def at_index(self, k: Int, j: Int, i: Int) -> Float:
        """Return float64 values at indices that broadcast against each other.

        Raises
        ------
        LookupError
            When a voxel lies in a slice, row or column that was not loaded.
        """
        (j0, j1), (i0, i1) = self.window or ((0, self.grid.shape[1]), (0, self.grid.shape[2]))
        is_within = self.is_loaded[k].all() and j.min() >= j0 and j.max() < j1
        if not (is_within and i.min() >= i0 and i.max() < i1):
            raise LookupError("a voxel of a slice, row or column that was not loaded")
        return self._converted((k * (j1 - j0) + (j - j0)) * (i1 - i0) + (i - i0), k)

    def _converted(self, at: Int, k: Int) -> Float:
        """Return the values of the numbers `at`, of slices `k`."""
        values = np.multiply(self.stored.reshape(-1)[at], self.slope[k], dtype=np.float64)
        if self.intercept.any():
            values += self.intercept[k]
        return np.asarray(values)

    def values(self) -> Float:
        """Return all values, (nk, nj, ni) float64.

        Raises
        ------
        LookupError
            When a part was not loaded.
        """
        if self.window is not None or not self.is_loaded.all():
            raise LookupError("a part was not loaded")
        return np.asarray(
            np.multiply(self.stored, self.slope[:, None, None], dtype=np.float64)
            + self.intercept[:, None, None]
        )

    def scaled(self, factor: float | Float, *, unit: Unit) -> Volume:
        """Return the volume times `factor` (one number, or one a slice) in `unit`; no voxel is touched."""
        return replace(self, slope=self.slope * factor, intercept=self.intercept * factor, unit=unit)

    def slice_sums(self) -> Float:
        """(nk,) float64: sum of the values of every slice."""
        in_slice = self.grid.shape[1] * self.grid.shape[2]
        return np.asarray(self.slope * self.totals.total + self.intercept * in_slice)

    def largest(self) -> float:
        """Return the largest value of the whole volume (slopes are positive)."""
        return float((self.slope * self.totals.largest + self.intercept).max())

    def smallest(self) -> float:
        """Return the smallest value of the whole volume."""
        return float((self.slope * self.totals.smallest + self.intercept).min())


def worth_cutting(window: PlaneWindow | None, plane: tuple[int, int]) -> PlaneWindow | None:
    """Return a window of a plane (nj, ni), None where it leaves out too little."""
    if window is None:
        return None
    (j0, j1), (i0, i1) = window
    return window if (j1 - j0) * (i1 - i0) <= WORTH_CUTTING * plane[0] * plane[1] else None


def cut_of(window: PlaneWindow | None) -> tuple[slice, slice]:
    """Return the index of a window in its plane."""
    return (slice(None), slice(None)) if window is None else (slice(*window[0]), slice(*window[1]))
