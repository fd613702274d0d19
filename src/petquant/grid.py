"""A grid says where voxels lie in the patient.

Every array of petquant is indexed ``[k, j, i]`` (slice, row, column); every position is DICOM patient LPS
in mm. This is the only module that turns one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AxisMap", "Grid"]

Float = NDArray[np.float64]

SAME_FRACTION = 0.01  # of the smallest spacing: two grids are the same (roi.md section 2)
SNAP_FRACTION = 0.1  # of the smallest spacing: treated as the same, flagged


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMap:
    """How the axes of one grid run along those of another that has the same voxels.

    Attributes
    ----------
    order
        ``order[a]`` is the axis of the other grid that runs along axis ``a`` of this one.
    reversed
        Whether that axis runs backwards.
    offset_mm
        Largest distance between corresponding corner voxel centres.
    """

    order: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]
    offset_mm: float

    def apply(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the other grid's array seen along this grid's axes (a view)."""
        turned = values.transpose(self.order)
        return turned[tuple(slice(None, None, -1) if back else slice(None) for back in self.reversed)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Shape and place of a voxel grid.

    Parameters
    ----------
    shape
        ``(nk, nj, ni)``.
    affine
        (4, 4) float64, ``[k, j, i, 1] -> [x, y, z, 1]`` in mm, LPS; its slice step is the median step.
    slice_positions_mm
        (nk,) float64, distance of each slice centre from the first along the slice axis, when the steps
        are uneven (bed joins of real scanners); otherwise None.
    """

    shape: tuple[int, int, int]
    affine: Float
    slice_positions_mm: Float | None = None

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along k, j, i in mm; along k the median step."""
        steps = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(steps[0]), float(steps[1]), float(steps[2])

    @property
    def directions(self) -> Float:
        """(3, 3) unit vectors of the k, j and i axes, one a column."""
        return np.asarray(self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """LPS position of the centre of voxel [0, 0, 0]."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel in mL: |det| of the affine / 1000, with the median slice step."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000.0)

    @property
    def size(self) -> int:
        """Number of voxels."""
        nk, nj, ni = self.shape
        return nk * nj * ni

    def position_mm(self, index: ArrayLike) -> Float:
        """Return the LPS positions of voxel indices.

        Parameters
        ----------
        index
            (..., 3) indices k, j, i; fractions allowed on even grids.

        Returns
        -------
        (..., 3) float64 in mm.
        """
        kji = np.asarray(index, np.float64)
        if self.slice_positions_mm is not None:
            step = self.spacing_mm[0]
            along = np.interp(kji[..., 0], np.arange(self.shape[0]), self.slice_positions_mm) / step
            kji = np.stack([along, kji[..., 1], kji[..., 2]], axis=-1)
        return np.asarray(kji @ self.affine[:3, :3].T + self.affine[:3, 3])

    def index_of(self, voxels: ArrayLike) -> NDArray[np.int64]:
        """Return (..., 3) indices k, j, i of flat voxel numbers (C order)."""
        return np.stack(np.unravel_index(np.asarray(voxels, np.int64), self.shape), axis=-1)

    def corners_mm(self) -> Float:
        """(8, 3) LPS positions of the eight corner voxel centres, k slowest."""
        ends = [(0, n - 1) for n in self.shape]
        return self.position_mm(np.array(list(product(*ends))))

    def axes_of(self, other: Grid) -> AxisMap | None:
        """Return how `other` runs along this grid when both hold the same voxels, else None.

        The same voxels: equal shapes after turning, and all eight corner voxel centres agree within a
        tenth of the smallest spacing. The caller flags offsets above a hundredth.
        """
        limit_mm = SNAP_FRACTION * min(self.spacing_mm)
        mine = self.corners_mm().reshape(2, 2, 2, 3)
        theirs = other.corners_mm().reshape(2, 2, 2, 3)
        best: AxisMap | None = None
        for order in permutations(range(3)):
            if tuple(other.shape[axis] for axis in order) != self.shape:
                continue
            for back in product((False, True), repeat=3):
                turned = theirs.transpose(*order, 3)[
                    tuple(slice(None, None, -1) if flip else slice(None) for flip in back)
                ]
                offset_mm = float(np.linalg.norm(turned - mine, axis=-1).max())
                if offset_mm <= limit_mm and (best is None or offset_mm < best.offset_mm):
                    best = AxisMap(
                        order=(order[0], order[1], order[2]),
                        reversed=(back[0], back[1], back[2]),
                        offset_mm=offset_mm,
                    )
        return best

    def is_snapped(self, axes: AxisMap) -> bool:
        """Whether the offset of `axes` is more than the hundredth that counts as the same grid."""
        return axes.offset_mm > SAME_FRACTION * min(self.spacing_mm)

    def difference(self, other: Grid) -> str:
        """Return in words what differs from `other`: shape, spacing, origin, orientation, with both values.

        `other` is looked at along the axes of this grid, so that an RAS file of the same scan does not
        differ in orientation.
        """
        order, signs = _nearest_axes(self.directions, other.directions)
        shape = tuple(other.shape[axis] for axis in order)
        spacing = tuple(other.spacing_mm[axis] for axis in order)
        start = [0 if sign > 0 else other.shape[axis] - 1 for axis, sign in zip(order, signs, strict=True)]
        first = np.zeros(3)
        first[list(order)] = start
        origin = other.position_mm(first)
        turned = other.directions[:, order] * np.array(signs)
        degrees = float(np.degrees(np.arccos(np.clip((np.trace(self.directions.T @ turned) - 1) / 2, -1, 1))))
        words = []
        if shape != self.shape:
            words.append(f"shape {_words(shape)} against {_words(self.shape)} (k, j, i)")
        if not np.allclose(spacing, self.spacing_mm, rtol=1e-3):
            words.append(f"spacing {_words(spacing)} against {_words(self.spacing_mm)} mm (k, j, i)")
        if degrees > 0.01:
            words.append(f"orientation turned by {degrees:.3g} degrees")
        distance_mm = float(np.linalg.norm(origin - np.array(self.origin_mm)))
        if distance_mm > SAME_FRACTION * min(self.spacing_mm):
            words.append(
                f"origin {_words(origin)} against {_words(self.origin_mm)} mm LPS, {distance_mm:.4g} mm apart"
            )
        corners_mm = float(np.abs(self.corners_mm()[-1] - other.corners_mm()[-1]).max())
        return "; ".join(words) or f"far corner off by {corners_mm:.4g} mm"


def _nearest_axes(mine: Float, theirs: Float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the order and signs of their axes that run best along mine."""
    alike = mine.T @ theirs
    order = max(permutations(range(3)), key=lambda axes: sum(abs(alike[a, axes[a]]) for a in range(3)))
    signs = [1 if alike[a, order[a]] >= 0 else -1 for a in range(3)]
    return (order[0], order[1], order[2]), (signs[0], signs[1], signs[2])


def _words(values: ArrayLike) -> str:
    return " x ".join(f"{value:.7g}" for value in np.asarray(values, np.float64))
