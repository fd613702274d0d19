"""An image grid places voxels in the patient: arrays are indexed [k, j, i], positions are DICOM LPS in mm.

``orientation`` is ImageOrientationPatient as DICOM writes it: the direction in which i grows, then the
direction in which j grows; k grows along their cross product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGrid:
    """Where the voxels of a phantom lie.

    Attributes
    ----------
    shape
        Slices, rows, columns.
    spacing_mm
        Distance between slices, between rows (PixelSpacing 1) and between columns (PixelSpacing 2).
    origin_mm
        LPS position of the centre of voxel [0, 0, 0].
    orientation
        ImageOrientationPatient.
    slice_offsets_mm
        Distance of each slice from the first along the normal, where they are not evenly spaced.
    """

    shape: tuple[int, int, int] = (8, 16, 16)
    spacing_mm: Vector = (4.0, 4.0, 4.0)
    origin_mm: Vector = (-30.0, -30.0, -14.0)
    orientation: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    slice_offsets_mm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.slice_offsets_mm is not None and len(self.slice_offsets_mm) != self.shape[0]:
            raise ValueError(
                f"slice_offsets_mm has {len(self.slice_offsets_mm)} values for {self.shape[0]} slices"
            )

    @classmethod
    def centred(
        cls,
        *,
        shape: tuple[int, int, int],
        spacing_mm: Vector,
        centre_mm: Vector = (0.0, 0.0, 0.0),
        orientation: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        slice_offsets_mm: tuple[float, ...] | None = None,
    ) -> Self:
        """Return the grid whose box of voxels has its middle at ``centre_mm``."""
        at_zero = cls(
            shape=shape,
            spacing_mm=spacing_mm,
            origin_mm=(0.0, 0.0, 0.0),
            orientation=orientation,
            slice_offsets_mm=slice_offsets_mm,
        )
        middle = 0.5 * (at_zero.voxel_centre_mm(0, 0, 0) + at_zero.voxel_centre_mm(*(n - 1 for n in shape)))
        x, y, z = (round(float(c - m), 6) for c, m in zip(centre_mm, middle, strict=True))
        return cls(
            shape=shape,
            spacing_mm=spacing_mm,
            origin_mm=(x, y, z),
            orientation=orientation,
            slice_offsets_mm=slice_offsets_mm,
        )

    @property
    def along_columns(self) -> NDArray[np.float64]:
        """Unit vector in which the column index i grows."""
        return np.array(self.orientation[:3])

    @property
    def along_rows(self) -> NDArray[np.float64]:
        """Unit vector in which the row index j grows."""
        return np.array(self.orientation[3:])

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector in which the slice index k grows."""
        return np.asarray(np.cross(self.along_columns, self.along_rows), dtype=np.float64)

    @property
    def offsets_mm(self) -> NDArray[np.float64]:
        """Distance of every slice from the first, along the normal."""
        if self.slice_offsets_mm is not None:
            return np.array(self.slice_offsets_mm)
        return np.asarray(np.arange(self.shape[0]) * self.spacing_mm[0], dtype=np.float64)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel of an evenly spaced grid."""
        return self.spacing_mm[0] * self.spacing_mm[1] * self.spacing_mm[2] / 1000.0

    def voxel_centre_mm(self, k: int, j: int, i: int) -> NDArray[np.float64]:
        """Return the LPS position of the centre of voxel [k, j, i]."""
        return np.asarray(
            np.array(self.origin_mm)
            + self.offsets_mm[k] * self.normal
            + j * self.spacing_mm[1] * self.along_rows
            + i * self.spacing_mm[2] * self.along_columns
        )

    def voxel_centres_mm(self) -> NDArray[np.float64]:
        """Return the LPS positions of all voxel centres, (slices, rows, columns, 3), read-only."""
        return _voxel_centres_mm(self)

    def ras_affine(self) -> NDArray[np.float64]:
        """Return the affine of a NIfTI image indexed [i, j, k]: RAS mm, mean slice distance where uneven."""
        n_slices = self.shape[0]
        step_mm = self.offsets_mm[-1] / (n_slices - 1) if n_slices > 1 else self.spacing_mm[0]
        affine = np.eye(4)
        affine[:3, 0] = self.spacing_mm[2] * self.along_columns
        affine[:3, 1] = self.spacing_mm[1] * self.along_rows
        affine[:3, 2] = step_mm * self.normal
        affine[:3, 3] = self.origin_mm
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


@lru_cache(maxsize=4)
def _voxel_centres_mm(grid: ImageGrid) -> NDArray[np.float64]:
    _, n_rows, n_columns = grid.shape
    slices = grid.offsets_mm[:, None] * grid.normal
    rows = (np.arange(n_rows) * grid.spacing_mm[1])[:, None] * grid.along_rows
    columns = (np.arange(n_columns) * grid.spacing_mm[2])[:, None] * grid.along_columns
    centres = np.asarray(
        np.array(grid.origin_mm) + slices[:, None, None] + rows[None, :, None] + columns[None, None, :]
    )
    centres.flags.writeable = False
    return centres
