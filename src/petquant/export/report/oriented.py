"""An orientation says how a grid is looked at: feet to head, front to back, right to left.

Arrays of pictures are indexed ``[z, y, x]`` along these directions, whatever the order and sense of the
grid's own axes. Places along them are mm along the grid axis that runs nearest: LPS coordinates where the
grid is not tilted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petquant.grid import Grid
from petquant.occupancy.frame import edges_mm
from petquant.volume import Volume

__all__ = ["Orientation", "Window", "levels_of", "orientation_of"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Levels = NDArray[np.uint8]

MOST_LEVEL: Final = 255
PATIENT: Final = (2, 1, 0)  # z, y, x of LPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Values that are shown: `lower` is level 0, `upper` level 255, all beyond is clipped."""

    lower: float
    upper: float
    unit: str

    def levels(self, values: NDArray[np.floating]) -> Levels:
        """Return ``round(255 (value - lower) / (upper - lower))``, clipped; what is no number is 0."""
        scaled = (values - self.lower) * (MOST_LEVEL / (self.upper - self.lower))
        return np.asarray(np.clip(np.rint(np.nan_to_num(scaled)), 0, MOST_LEVEL).astype(np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orientation:
    """How a grid lies to the patient.

    Parameters
    ----------
    shape_kji
        Of the grid.
    axes
        Grid axis that runs along z, y and x.
    is_back
        Whether it runs against them.
    edges_mm
        For z, y, x: (n + 1,) ascending boundaries of the voxels, the true ones of uneven slices.
    directions
        (3, 3) unit vectors of z, y, x as seen, one a column.
    """

    shape_kji: tuple[int, int, int]
    axes: tuple[int, int, int]
    is_back: tuple[bool, bool, bool]
    edges_mm: tuple[Float, Float, Float]
    directions: Float

    def turned(self, values: NDArray[np.uint8]) -> Levels:
        """Return an array [k, j, i] as [z, y, x] (a view)."""
        turned = values.transpose(self.axes)
        return turned[tuple(slice(None, None, -1) if back else slice(None) for back in self.is_back)]

    def zyx_of(self, voxels: ArrayLike) -> Int:
        """Return (n, 3) indices z, y, x of flat voxel numbers."""
        kji = np.stack(np.unravel_index(np.asarray(voxels, np.int64), self.shape_kji), axis=-1)
        zyx = kji[:, self.axes]
        for axis, back in enumerate(self.is_back):
            if back:
                zyx[:, axis] = self.shape_kji[self.axes[axis]] - 1 - zyx[:, axis]
        return zyx

    def kji_of(self, z: Int, y: Int, x: Int) -> tuple[Int, Int, Int]:
        """Return indices k, j, i of indices z, y, x that broadcast against each other."""
        kji: list[Int] = [z, y, x]
        for place, (axis, back) in enumerate(zip(self.axes, self.is_back, strict=True)):
            given = (z, y, x)[place]
            kji[axis] = self.shape_kji[axis] - 1 - given if back else given
        return kji[0], kji[1], kji[2]

    def runs_with(self, other: Orientation, *, degrees: float = 1.0) -> bool:
        """Whether both look along the same directions, within some degrees."""
        cosines = (self.directions * other.directions).sum(axis=0)
        return bool((cosines >= np.cos(np.radians(degrees))).all())


def orientation_of(grid: Grid) -> Orientation:
    """Return how a grid lies to the patient; a tilted one is seen along its own nearest axes."""
    directions = grid.directions
    along = directions[PATIENT, :]
    best = max(permutations(range(3)), key=lambda axes: sum(abs(along[row, axes[row]]) for row in range(3)))
    axes = (best[0], best[1], best[2])
    back = [bool(along[row, axes[row]] < 0) for row in range(3)]
    seen = directions[:, axes] * np.where(back, -1.0, 1.0)
    edges = []
    for row, axis in enumerate(axes):
        along = edges_mm(grid, axis)
        first = float(np.dot(grid.origin_mm, seen[:, row]))
        edges.append(first + (-along[::-1] if back[row] else along))
    return Orientation(
        shape_kji=grid.shape,
        axes=axes,
        is_back=(back[0], back[1], back[2]),
        edges_mm=(edges[0], edges[1], edges[2]),
        directions=seen,
    )


def levels_of(volume: Volume, orientation: Orientation, window: Window) -> Levels:
    """Return the levels of a whole volume, [z, y, x]; slice by slice, so that no float copy of it is made."""
    levels = np.empty(volume.grid.shape, np.uint8)
    for k in range(volume.grid.shape[0]):
        plane = volume.stored[k].astype(np.float32)
        plane *= np.float32(volume.slope[k])
        plane += np.float32(volume.intercept[k])
        levels[k] = window.levels(plane)
    return orientation.turned(levels)
