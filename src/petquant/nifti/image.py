"""An image is a volume as NIfTI-1: float32, RAS, sform and qform both set to scanner coordinates."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from petquant.errors import OutputFailed
from petquant.grid import Grid

__all__ = ["write_volume"]

SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
GZIP_LEVEL = 1  # noise of float32 hardly shrinks; level 6 takes four times as long for 3 % less


def write_volume(path: Path | str, values: NDArray[np.floating], grid: Grid) -> None:
    """Write `values` to `path`; the same values give the same bytes.

    Parameters
    ----------
    path
        ``.nii.gz`` is gzipped, any other name is not. What stood there before stays until all is written.
    values
        (nk, nj, ni); written as float32 without scaling.
    grid
        Of an uneven grid the median slice step is written: NIfTI knows no other.

    Raises
    ------
    OutputFailed
        OUTPUT_FAILED.
    """
    import nibabel as nib  # noqa: PLC0415 - its import costs more than to read a label map

    path = Path(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine[:, [2, 1, 0, 3]]
    image: Any = nib.Nifti1Image(np.asarray(values, np.float32).T, affine)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code=SCANNER)
    image.set_qform(affine, code=SCANNER)
    image.header.set_xyzt_units("mm")
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _failed(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            _write(image, file, is_gzipped=path.name.endswith(".gz"))
        Path(beside).chmod(0o666 & ~_umask())
        Path(beside).replace(path)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise _failed(path, error) from error
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _write(image: Any, file: BinaryIO, *, is_gzipped: bool) -> None:
    if not is_gzipped:
        image.to_stream(file)
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=GZIP_LEVEL, mtime=0) as packed:
        image.to_stream(packed)


def _failed(path: Path, error: OSError) -> Exception:
    return OutputFailed.of("OUTPUT_FAILED", f"{error.strerror or error}", path=str(path))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
