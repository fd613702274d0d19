"""A label map is an image whose whole numbers name regions; 0 is no region.

The numbers are inflated piece by piece and only the voxels that are not 0 are kept, so that memory grows with
the regions and not with the volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached, Refused, UnreadableInput
from petquant.nifti.header import MAX_VOXELS, NiftiHeader, read_header
from petquant.nifti.stream import ByteStream, open_stream, truncated
from petquant.roi import Roi, RoiSet

__all__ = ["read_label_map"]

Int = NDArray[np.int64]

LARGEST_LABEL = 2**32 - 1
WHOLE = 1e-3  # a float this near a whole number is that number (roi.md section 1)
SLACK_BYTES = 4096  # what may follow the numbers: padding of writers that fill blocks
WORD_BYTES = 8  # zeros are looked for this many bytes at a time


def read_label_map(
    path: Path | str, *, names: Mapping[int, str] | None = None, max_voxels: int = MAX_VOXELS
) -> RoiSet:
    """Return the regions of a NIfTI label map on the file's own grid, one a label, in ascending order.

    Parameters
    ----------
    path
        NIfTI-1 or NIfTI-2 in one file, plain or gzipped, of either byte order.
    names
        Names of labels; the others are called ``label N``.
    max_voxels
        A header that declares more is refused before anything is allocated.

    Raises
    ------
    UsageError, UnreadableInput, Refused, LimitReached
        As in `petquant.nifti.stream.open_stream` and `petquant.nifti.header.read_header`; LimitReached with
        INFLATION_LIMIT when more bytes come than the header declares; ROI_LABELS_INVALID;
        ROI_LABELS_FRACTIONAL.
    """
    path = Path(path)
    with open_stream(path) as stream:
        header = read_header(stream, max_voxels=max_voxels)
        stream.skip(header.gap_bytes)
        voxels, values = _labelled(stream, header)
    labels = _whole_labels(values, path)
    is_labelled = labels > 0
    if not is_labelled.all():
        voxels, labels = voxels[is_labelled], labels[is_labelled]
    names = names or {}
    return RoiSet(
        grid=header.grid,
        rois=tuple(
            Roi(roi_id=str(label), name=names.get(label, f"label {label}"), voxels=of_label)
            for label, of_label in _by_label(voxels, labels)
        ),
    )


def _labelled(stream: ByteStream, header: NiftiHeader) -> tuple[Int, NDArray[np.generic]]:
    """Return the flat numbers of the voxels whose value is not 0, ascending, and their values."""
    per_word = WORD_BYTES // header.dtype.itemsize
    expected = header.grid.size * header.dtype.itemsize
    found, done, carried = [], 0, b""
    for piece in stream.rest():
        if done + len(carried) + len(piece) > expected + SLACK_BYTES:
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
    values = words.view(header.dtype).reshape(-1, per_word)[at]
    if header.is_scaled:
        values = values * header.slope + header.intercept
    row, column = np.nonzero(values)
    native = values[row, column].astype(values.dtype.newbyteorder("="), copy=False)
    return first + at[row] * per_word + column, native


def _whole_labels(values: NDArray[np.generic], path: Path) -> NDArray[np.int64]:
    """Return the values as labels.

    Raises
    ------
    UnreadableInput
        ROI_LABELS_INVALID: negative, NaN, infinite or above 2^32 - 1.
    Refused
        ROI_LABELS_FRACTIONAL: farther than 1e-3 from a whole number.
    """
    if values.dtype.kind == "f":
        numbers = np.asarray(values, np.float64)
        _reject(~np.isfinite(numbers) | (numbers < -WHOLE) | (numbers > LARGEST_LABEL + WHOLE), numbers, path)
        whole = np.rint(numbers)
        is_fraction = np.abs(numbers - whole) > WHOLE
        if is_fraction.any():
            raise Refused.of(
                "ROI_LABELS_FRACTIONAL",
                f"{int(is_fraction.sum())} voxels hold a fraction, the first {numbers[is_fraction][0]:.6g}",
                expected="whole numbers",
                remedy="threshold the mask and write whole numbers",
                path=str(path),
            )
        return whole.astype(np.int64)
    if values.dtype.itemsize == 8 or values.dtype.kind == "i":
        _reject((values < 0) | (values > LARGEST_LABEL), values, path)  # type: ignore[operator]
    return values.astype(np.int64)


def _reject(is_bad: NDArray[np.bool_], values: NDArray[np.generic], path: Path) -> None:
    if is_bad.any():
        raise UnreadableInput.of(
            "ROI_LABELS_INVALID",
            f"{int(is_bad.sum())} voxels hold no label, the first {values[is_bad][0]}",
            expected=f"whole numbers from 0 to {LARGEST_LABEL}",
            path=str(path),
        )


def _by_label(voxels: Int, labels: NDArray[np.int64]) -> Iterator[tuple[int, Int]]:
    """Yield each label with its voxels, ascending."""
    if not len(labels):
        return
    narrow = labels.astype(np.uint16) if labels.max() < 2**16 else labels  # 16 bits are sorted by counting
    order = np.argsort(narrow, kind="stable")
    voxels, labels = voxels[order], labels[order]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(labels)], strict=True):
        yield int(labels[start]), voxels[start:end]
