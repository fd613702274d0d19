"""A picture is an even grid along the axes of the PET, on which its slices and the CT are drawn.

Pictures only show. The page carries the stored numbers of the PET with slope and intercept of every slice, so
that the value under the cursor is ``slope_k * stored + intercept_k`` of the voxel in which the cursor lies,
never one that was interpolated. A picture knows one slice step; where those of the scanner are uneven, every
plane of the picture shows the slice that lies nearest, and no slice is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["NO_CT", "Picture", "auto_window", "picture_of", "resampled_ct", "stored_numbers"]

Int = NDArray[np.int64]

NO_CT: Final = -32768  # where the CT has no voxel
LOWEST_HU: Final = -1024  # padding of CT images lies below
CT_VOXELS: Final = 48_000_000  # what a browser holds as a texture without trouble
FINE_ENOUGH: Final = 1.05  # of the spacing of the CT
_RAS: Final = np.diag([-1.0, -1.0, 1.0])
_PERCENT: Final = 99.9
_SAMPLED: Final = 1_000_000  # voxels from which a window is guessed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """How the planes of a picture run along the voxels of a PET.

    Parameters
    ----------
    axes
        Axis of the PET (0, 1, 2 for k, j, i) that runs most nearly to the right, to the front, to the head.
    is_reversed
        Whether it runs the other way: to the left, back, feet.
    slices
        (n,) slice k of the PET that each plane along the slice axis shows.
    step_mm
        Distance of those planes.
    farthest_mm
        How far such a slice lies off its plane at most; 0 when the steps are even.
    tilt_degrees
        Between the axes of the PET and those of the patient.
    """

    axes: tuple[int, int, int]
    is_reversed: tuple[bool, bool, bool]
    slices: Int
    step_mm: float
    farthest_mm: float
    tilt_degrees: float


def picture_of(grid: Grid) -> Picture:
    """Return the picture of a PET grid."""
    along = _RAS @ grid.directions  # (3, 3): how far the axes k, j, i run to the right, front and head
    axes = max(permutations(range(3)), key=lambda order: sum(abs(along[n, order[n]]) for n in range(3)))
    cosines = np.array([along[n, axes[n]] for n in range(3)])
    positions = grid.slice_positions_mm
    slices, step_mm, farthest_mm = np.arange(grid.shape[0]), grid.spacing_mm[0], 0.0
    if positions is not None:
        step_mm = float(np.diff(positions).min())
        planes = np.arange(round((positions[-1] - positions[0]) / step_mm) + 1) * step_mm + positions[0]
        slices = np.searchsorted((positions[1:] + positions[:-1]) / 2, planes)
        farthest_mm = float(np.abs(positions[slices] - planes).max())
    return Picture(
        axes=(axes[0], axes[1], axes[2]),
        is_reversed=(bool(cosines[0] < 0), bool(cosines[1] < 0), bool(cosines[2] < 0)),
        slices=np.asarray(slices, np.int64),
        step_mm=step_mm,
        farthest_mm=farthest_mm,
        tilt_degrees=float(np.degrees(np.arccos(np.clip(np.abs(cosines).min(), 0.0, 1.0)))),
    )


def stored_numbers(volume: Volume) -> NDArray[np.generic]:
    """Return the numbers as stored, (nk, nj, ni), little endian, of a type that browsers have too.

    Raises
    ------
    LookupError
        When a part was not loaded.
    """
    if volume.window is not None or not volume.is_loaded.all():
        raise LookupError("a part was not loaded")
    stored = volume.stored
    kind, size = stored.dtype.kind, stored.dtype.itemsize
    if kind not in "iuf" or size not in ((4, 8) if kind == "f" else (1, 2, 4)):
        stored = stored.astype(np.float64)
    return np.ascontiguousarray(stored, stored.dtype.newbyteorder("<"))


def resampled_ct(ct: Volume, grid: Grid, picture: Picture) -> tuple[NDArray[np.int16], int]:
    """Return the CT on the voxels of a picture, each split in-plane, and into how many along j and i.

    Parameters
    ----------
    ct
        In HU, every slice of it.
    grid
        Of the PET.

    Returns
    -------
    (n planes, nj s, ni s) int16 HU by trilinear interpolation, `NO_CT` where the CT has no voxel; and s, such
    that voxels are as fine as those of the CT, as far as `CT_VOXELS` allow.
    """
    from petquant.delineation.lattice import sampled  # noqa: PLC0415 - it needs scipy

    n, (_, nj, ni) = len(picture.slices), grid.shape
    wanted = np.ceil(min(grid.spacing_mm[1:]) / (FINE_ENOUGH * min(ct.grid.spacing_mm[1:])))
    most = np.floor(np.sqrt(CT_VOXELS / (n * nj * ni)))
    split = int(max(1, min(wanted, most)))
    steps = np.column_stack(
        [
            grid.directions[:, 0] * picture.step_mm,
            grid.affine[:3, 1] / split,
            grid.affine[:3, 2] / split,
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = steps
    shift = -(split - 1) / 2  # of the first part of a voxel from its centre, in parts
    affine[:3, 3] = grid.position_mm([0, 0, 0]) + steps @ np.array([0.0, shift, shift])
    fine = Grid(shape=(n, nj * split, ni * split), affine=affine)
    hu = sampled(ct, fine, outside=NO_CT)
    is_ct = hu > NO_CT / 2
    return np.where(is_ct, np.clip(np.rint(hu), LOWEST_HU, 32767), NO_CT).astype(np.int16), split


def auto_window(volume: Volume) -> float:
    """Return the 99.9th percentile of a sample of the voxels: the upper end of a window that fits."""
    every = max(1, volume.grid.size // _SAMPLED)
    found = float(np.percentile(volume.at(np.arange(0, volume.grid.size, every)), _PERCENT))
    return found if np.isfinite(found) and found > 0 else 1.0
