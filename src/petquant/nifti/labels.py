"""A label map is an image whose whole numbers name regions; 0 is no region.

The numbers are inflated piece by piece and only the voxels that are not 0 are kept, so that memory grows with
the regions and not with the volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached
from petquant.label_map import frame_index, regions_of
from petquant.nifti.header import MAX_VOXELS, NiftiHeader, read_header
from petquant.nifti.stream import SLACK_BYTES, ByteStream, open_stream, truncated
from petquant.roi import Reading, RoiSet

__all__ = ["read_label_map"]

Int = NDArray[np.int64]

WORD_BYTES = 8  # zeros are looked for this many bytes at a time


def read_label_map(
    path: Path | str,
    *,
    names: Mapping[int, str] | None = None,
    reading: Reading | None = None,
    max_voxels: int = MAX_VOXELS,
) -> RoiSet:
    """Return the regions of a NIfTI label map on the file's own grid, one a label, in ascending order.

    Parameters
    ----------
    path
        NIfTI-1 or NIfTI-2 in one file, plain or gzipped, of either byte order.
    names
        Names of labels; the others are called ``label N``.
    reading
        What fractions mean, and which frame of a 4-D image is read.
    max_voxels
        A header that declares more is refused before anything is allocated.

    Raises
    ------
    UsageError, UnreadableInput, Refused, LimitReached
        As in `petquant.nifti.stream.open_stream` and `petquant.nifti.header.read_header`; LimitReached with
        INFLATION_LIMIT when more bytes come than the header declares; and as in
        `petquant.label_map.regions_of`.
    """
    path = Path(path)
    with open_stream(path) as stream:
        header = read_header(stream, max_voxels=max_voxels)
        before = frame_index(header.n_frames, None if reading is None else reading.frame, path)
        stream.skip(header.gap_bytes + before * header.frame_bytes)
        after_bytes = (header.n_frames - 1 - before) * header.frame_bytes
        voxels, values = _labelled(stream, header, after_bytes)
    return RoiSet(grid=header.grid, rois=regions_of(voxels, values, path, names=names, reading=reading))


def _labelled(stream: ByteStream, header: NiftiHeader, after_bytes: int) -> tuple[Int, NDArray[np.generic]]:
    """Return the flat numbers of the voxels whose value is not 0, ascending, and their values."""
    per_word = WORD_BYTES // header.dtype.itemsize
    expected = header.frame_bytes
    found, done, carried = [], 0, b""
    for piece in stream.rest():
        if after_bytes and done >= expected:
            break
        if done + len(carried) + len(piece) > expected + after_bytes + SLACK_BYTES:
            raise LimitReached.of(
                "INFLATION_LIMIT",
                f"more than {expected} bytes of voxels",
                expected=f"{expected}, as the header declares",
                path=str(stream.path),
            )
        data = carried + piece if carried else piece
        usable = len(data) // WORD_BYTES * WORD_BYTES
        words = np.frombuffer(data, np.uint64, usable // WORD_BYTES)
        found.append(_nonzero(words, header, done // header.dtype.itemsize))
        carried, done = data[usable:], done + usable
    if done + len(carried) < expected:
        raise truncated(
            stream.path, f"{done + len(carried)} bytes of voxels where the header declares {expected}"
        )
    words = np.frombuffer(carried.ljust(WORD_BYTES, b"\x00"), np.uint64)
    found.append(_nonzero(words, header, done // WORD_BYTES * per_word))
    voxels = np.concatenate([at for at, _ in found])
    values = np.concatenate([value for _, value in found])
    is_in_grid = voxels < header.grid.size  # what follows the numbers is no voxel
    return (voxels, values) if is_in_grid.all() else (voxels[is_in_grid], values[is_in_grid])


def _nonzero(words: NDArray[np.uint64], header: NiftiHeader, first: int) -> tuple[Int, NDArray[np.generic]]:
    """Return the voxels of `words` that are not 0, where voxel `first` is the first of them."""
    per_word = WORD_BYTES // header.dtype.itemsize
    at = np.flatnonzero(words != 0) if header.intercept == 0 else np.arange(len(words))
    values = words[at].view(header.dtype)
    if header.is_scaled:
        values = values * header.slope + header.intercept
    voxels = ((first + at * per_word)[:, None] + np.arange(per_word)).reshape(-1)
    is_labelled = values != 0
    if not is_labelled.all():
        voxels, values = voxels[is_labelled], values[is_labelled]
    return voxels, values.astype(values.dtype.newbyteorder("="), copy=False)
