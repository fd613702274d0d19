"""A volume or label map is written as NIfTI-1: RAS, sform and qform both set to scanner coordinates."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.offline import without_requests

__all__ = ["label_map_writer", "volume_writer"]

SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
GZIP_LEVEL = 1  # noise of float32 hardly shrinks; level 6 takes four times as long for 3 % less


def volume_writer(
    values: NDArray[np.floating], grid: Grid, *, is_gzipped: bool
) -> Callable[[BinaryIO], None]:
    """Return what writes `values` to an open file; the same values give the same bytes.

    Parameters
    ----------
    values
        (nk, nj, ni); written as float32 without scaling.
    grid
        Of an uneven grid the median slice step is written: NIfTI knows no other.
    is_gzipped
        Whether the file is ``.nii.gz``.
    """
    return _writer(np.asarray(values, np.float32), grid, is_gzipped=is_gzipped)


def label_map_writer(
    labels: NDArray[np.unsignedinteger], grid: Grid, *, is_gzipped: bool
) -> Callable[[BinaryIO], None]:
    """Return what writes a label map (nk, nj, ni) to an open file, in its own type; see `volume_writer`."""
    return _writer(labels, grid, is_gzipped=is_gzipped)


def _writer(values: NDArray[np.generic], grid: Grid, *, is_gzipped: bool) -> Callable[[BinaryIO], None]:
    with without_requests():
        import nibabel as nib  # noqa: PLC0415 - its import costs more than to read a label map

    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine[:, [2, 1, 0, 3]]
    image: Any = nib.Nifti1Image(values.T, affine)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code=SCANNER)
    image.set_qform(affine, code=SCANNER)
    image.header.set_xyzt_units("mm")

    def write(file: BinaryIO) -> None:
        if not is_gzipped:
            image.to_stream(file)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=GZIP_LEVEL, mtime=0) as packed:
            image.to_stream(packed)

    return write
