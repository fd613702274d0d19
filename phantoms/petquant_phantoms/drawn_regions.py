"""A drawn region is one that is given on the grid itself, voxel by voxel or by fractions of voxels.

`body.Region` is the usual one: the voxels whose centre lies in a shape. What is here has no such shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Role
    from petquant_phantoms.image_grid import ImageGrid, Vector

Voxel = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A value that is known from elsewhere than the generator's own field, and where from."""

    quantity: str
    value: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelRun:
    """The first ``count`` voxels, in C order, of the block that begins at a voxel [k, j, i].

    ``count`` None takes the whole block.
    """

    name: str
    first: Voxel
    shape: Voxel
    count: int | None = None
    role: Role = "lesion"
    flags: tuple[str, ...] = ()
    quoted: tuple[Quoted, ...] = ()

    def weights(self, grid: ImageGrid) -> NDArray[np.float64]:
        """Return 1 for every voxel of the region, [k, j, i]."""
        block = np.zeros(math.prod(self.shape))
        block[: self.count] = 1.0
        found = np.zeros(grid.shape)
        place = tuple(slice(at, at + size) for at, size in zip(self.first, self.shape, strict=True))
        if found[place].shape != self.shape:
            raise ValueError(f"region {self.name!r} reaches out of the grid {grid.shape}")
        found[place] = block.reshape(self.shape)
        return found

    def volume_ml(self, grid: ImageGrid) -> float:
        """Return the volume of its voxels."""
        return (self.count or math.prod(self.shape)) * grid.voxel_volume_ml

    def centre_mm(self, grid: ImageGrid) -> Vector:
        """Return the mean of its voxel centres."""
        inside = self.weights(grid) > 0.0
        x, y, z = grid.voxel_centres_mm()[inside].mean(axis=0).tolist()
        return (x, y, z)


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupancyBox:
    """A box whose voxels weigh as much as of them lies inside; the grid must lie along the patient's axes.

    The weight of a voxel is the product over the axes of the covered part of its side, so that
    ``sum(w) v`` is the volume of the box.
    """

    name: str
    low_mm: Vector
    high_mm: Vector
    role: Role = "lesion"
    flags: tuple[str, ...] = ()
    quoted: tuple[Quoted, ...] = ()

    def weights(self, grid: ImageGrid) -> NDArray[np.float64]:
        """Return the covered part of every voxel, [k, j, i]."""
        if grid.orientation != (1.0, 0.0, 0.0, 0.0, 1.0, 0.0) or grid.slice_offsets_mm is not None:
            raise ValueError(f"region {self.name!r} needs an even grid along the axes of the patient")
        along = []
        for axis in range(3):  # k, j, i against z, y, x
            step_mm, at_mm = grid.spacing_mm[axis], grid.origin_mm[2 - axis]
            low, high = ((bound[2 - axis] - at_mm) / step_mm for bound in (self.low_mm, self.high_mm))
            along.append(covered(low, high, n=grid.shape[axis]))
        return np.asarray(np.einsum("k,j,i->kji", *along))

    def volume_ml(self, grid: ImageGrid) -> float:  # noqa: ARG002 - as the other regions are asked
        """Return the volume of the box."""
        sides_mm = (high - low for low, high in zip(self.low_mm, self.high_mm, strict=True))
        return math.prod(sides_mm) / 1000.0

    def centre_mm(self, grid: ImageGrid) -> Vector:  # noqa: ARG002 - as the other regions are asked
        """Return the middle of the box."""
        x, y, z = (0.5 * (low + high) for low, high in zip(self.low_mm, self.high_mm, strict=True))
        return (x, y, z)


def covered(low: float, high: float, *, n: int) -> NDArray[np.float64]:
    """Return which part of each of n voxels lies between two places; voxel m spans m - 1/2 to m + 1/2."""
    middles = np.arange(n, dtype=np.float64)
    shares = np.minimum(high, middles + 0.5) - np.maximum(low, middles - 0.5)
    return np.asarray(np.clip(shares, 0.0, 1.0))
