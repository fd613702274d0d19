"""A volume from NIfTI: one frame of stored numbers, read slice by slice, with one slope and intercept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused
from petquant.grid import Grid
from petquant.nifti.header import MAX_VOXELS, ImageKind, NiftiHeader, read_header
from petquant.nifti.stream import open_stream
from petquant.volume import PlaneWindow, SliceTotals, Unit, Volume, cut_of, worth_cutting

__all__ = ["PET", "read_pet_header", "read_pet_volume"]

SHEAR = 0.1  # of the smallest spacing: how far rows, columns and slices may lie off one axis

PET = ImageKind(
    words="a PET image",
    formats="a PET image in NIfTI, .nii or .nii.gz",
    scaling="RESCALE_SLOPE_INVALID",
    scaling_error=Refused,
    no_affine="GEOMETRY_MISSING",
    affines_apart="PET_AFFINES_DISAGREE",
)


def read_pet_header(path: Path, *, max_voxels: int = MAX_VOXELS) -> NiftiHeader:
    """Return the header of a PET image; no number is read.

    Raises
    ------
    UsageError, UnreadableInput, LimitReached
        As `petquant.nifti.stream.open_stream` and `petquant.nifti.header.read_header`.
    Refused
        RESCALE_SLOPE_INVALID for a slope that is infinite or negative; GEOMETRY_MISSING, also for axes
        that are not at right angles; PET_AFFINES_DISAGREE.
    """
    with open_stream(path) as stream:
        header = read_header(stream, max_voxels=max_voxels, kind=PET)
    if header.slope < 0:
        raise Refused.of(
            "RESCALE_SLOPE_INVALID",
            f"scl_slope {header.slope:g}",
            expected="a slope above 0",
            path=str(path),
        )
    _require_right_angles(header.grid, path)
    return header


def _require_right_angles(grid: Grid, path: Path) -> None:
    """Raise when rows, columns and slices do not lie behind each other, as for a series in DICOM."""
    alike = np.abs(grid.directions.T @ grid.directions - np.eye(3))
    extent_mm = (np.array(grid.shape) - 1) * grid.spacing_mm
    aside_mm = float((alike * extent_mm).max())
    if aside_mm > SHEAR * min(grid.spacing_mm):
        raise Refused.of(
            "GEOMETRY_MISSING",
            f"the axes of the affine are not at right angles: an end of one lies {aside_mm:.4g} mm aside",
            expected="rows, columns and slices at right angles, which a sphere needs",
            remedy="resample it, or give the study in DICOM",
            path=str(path),
        )


def read_pet_volume(
    path: Path,
    header: NiftiHeader,
    *,
    grid: Grid,
    frame: int,
    keep: NDArray[np.bool_] | None,
    window: PlaneWindow | None,
    unit: Unit,
) -> Volume:
    """Return one frame of a PET image.

    Parameters
    ----------
    header
        What `read_pet_header` returned.
    grid
        Of the header, or the same with the true positions of uneven slices.
    frame
        From 0.
    keep
        (nk,) bool: slices whose values will be asked for; all when None. Totals are taken over every slice.
    window
        Rows and columns whose values will be asked for; all when None.

    Raises
    ------
    UnreadableInput
        FILE_TRUNCATED; FILE_NOT_UNDERSTOOD for a damaged gzip stream.
    LimitReached
        INFLATION_LIMIT, when more follows the last frame than the header declares.
    """
    nk, nj, ni = header.grid.shape
    is_loaded = np.ones(nk, np.bool_) if keep is None else np.asarray(keep, np.bool_)
    native = header.dtype.newbyteorder("=")
    window = worth_cutting(window, (nj, ni))
    spare = np.empty((nj, ni), native)
    part = cut_of(window)
    stored = np.empty((nk, *spare[part].shape), native)
    totals = np.empty((3, nk), np.float64)
    with open_stream(path) as stream:
        read_header(stream, kind=PET)
        stream.skip(header.gap_bytes + frame * header.frame_bytes)
        for k in range(nk):
            numbers = stored[k] if is_loaded[k] and window is None else spare
            stream.fill(memoryview(numbers).cast("B"))  # type: ignore[arg-type] # an array is a buffer
            if native != header.dtype:
                numbers.byteswap(inplace=True)
            if is_loaded[k] and window is not None:
                stored[k] = spare[part]
            totals[:, k] = numbers.sum(dtype=np.float64), numbers.min(), numbers.max()
        if frame == header.n_frames - 1:
            stream.require_end(f"{header.n_frames} x {header.frame_bytes} bytes, as the header declares")
    return Volume(
        grid=grid,
        unit=unit,
        stored=stored,
        slope=np.full(nk, header.slope),
        intercept=np.full(nk, header.intercept),
        totals=SliceTotals(total=totals[0], smallest=totals[1], largest=totals[2]),
        is_loaded=is_loaded,
        window=window,
    )
