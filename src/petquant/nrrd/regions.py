"""Regions of an NRRD file: one a label, or one a segment of 3D Slicer, whose layers may overlap.

A segment is ``SegmentN_*``: the voxels of layer ``SegmentN_Layer`` that hold ``SegmentN_LabelValue``. A file
without those two keys has one layer a segment and the value 1. Source: vtkMRMLSegmentationStorageNode of
3D Slicer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached
from petquant.label_map import by_label, frame_index, regions_of, whole_labels
from petquant.nifti.stream import ByteStream, inflated_stream, open_stream
from petquant.nrrd.header import MAX_VOXELS, NrrdHeader, not_understood, read_header
from petquant.roi import Reading, Roi, RoiSet

__all__ = ["read_nrrd"]

Int = NDArray[np.int64]

PIECE_NUMBERS = 2**20
SLACK_BYTES = 4096  # what may follow the numbers: padding of writers that fill blocks
_KEY = re.compile(r"Segment(\d{1,7})_(ID|Name|LabelValue|Layer)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """One ``SegmentN_*`` block."""

    number: int
    name: str
    label: int
    layer: int


def read_nrrd(
    path: Path | str,
    *,
    names: Mapping[int, str] | None = None,
    reading: Reading | None = None,
    max_voxels: int = MAX_VOXELS,
) -> RoiSet:
    """Return the regions of an NRRD file on its own grid.

    Parameters
    ----------
    path
        ``.nrrd``, ``.nhdr`` or ``.seg.nrrd``; raw or gzip.
    names
        Names of the labels of a plain label map; segments have their own.
    reading
        What fractions mean, and which frame of a plain 4-D file is read.
    max_voxels
        A header that declares more is refused before anything is allocated.

    Returns
    -------
    One region a label, or one a segment in the order of their numbers, also those without a voxel. The id of
    a segment is its label value; ``layer:label`` when a label value occurs in several layers.

    Raises
    ------
    UsageError, UnreadableInput, Refused, LimitReached
        As `petquant.nifti.stream.open_stream`, `petquant.nrrd.header.read_header` and
        `petquant.label_map.regions_of`.
    """
    path = Path(path)
    with open_stream(path, reads_nrrd=True) as stream:
        header = read_header(stream, max_voxels=max_voxels)
        segments = _segments(header, path)
        layers = sorted({one.layer for one in segments})
        if not segments:
            frame = None if reading is None else reading.frame
            layers = [frame_index(header.layers, frame, path)]
        with _numbers_of(header, stream) as numbers:
            found = _not_zero(header, numbers, layers)
    if not segments:
        voxels, values = found[layers[0]]
        return RoiSet(grid=header.grid, rois=regions_of(voxels, values, path, names=names, reading=reading))
    return RoiSet(grid=header.grid, rois=tuple(_rois(segments, found, path)))


def _segments(header: NrrdHeader, path: Path) -> list[_Segment]:
    """Return the segments that the keys describe, by their numbers."""
    keys: dict[int, dict[str, str]] = {}
    for key, value in header.keys.items():
        if match := _KEY.fullmatch(key):
            keys.setdefault(int(match[1]), {})[match[2]] = value.strip()
    segments = []
    for number, of in sorted(keys.items()):
        try:
            label, layer = int(of.get("LabelValue", "1")), int(of.get("Layer", str(number)))
        except ValueError as error:
            raise not_understood(f"Segment{number}: {error}", path) from error
        if not 0 <= layer < header.layers:
            raise not_understood(f"Segment{number} in layer {layer} of {header.layers}", path)
        name = of.get("Name") or of.get("ID") or f"segment {number}"
        segments.append(_Segment(number=number, name=name, label=label, layer=layer))
    if len({(one.layer, one.label) for one in segments}) < len(segments):
        raise not_understood("two segments with one label value in one layer", path)
    return segments


@contextmanager
def _numbers_of(header: NrrdHeader, stream: ByteStream) -> Iterator[ByteStream]:
    """Open the stream of the numbers: behind the header, or in a file of their own."""
    if header.data_file is None:
        yield _skipped(header, stream)
        return
    with open_stream(header.data_file, reads_gzip=False, reads_nrrd=True) as beside:
        yield _skipped(header, beside)


def _skipped(header: NrrdHeader, stream: ByteStream) -> ByteStream:
    for _ in range(header.line_skip):
        stream.line(2**20)
    numbers = inflated_stream(stream) if header.is_gzipped else stream
    if header.byte_skip < 0:
        if header.is_gzipped:
            raise not_understood("byte skip -1 with gzip", stream.path)
        n_bytes = header.before * header.layers * header.after * header.dtype.itemsize
        return numbers.last(n_bytes)
    numbers.skip(header.byte_skip)
    return numbers


def _not_zero(
    header: NrrdHeader, stream: ByteStream, layers: list[int]
) -> dict[int, tuple[Int, NDArray[np.generic]]]:
    """Return for each layer the flat numbers of the voxels whose value is not 0, ascending, and their values.

    The number at ``(outer, layer, inner)`` of the file belongs to voxel ``outer * before + inner``.

    Raises
    ------
    UnreadableInput
        FILE_TRUNCATED.
    LimitReached
        INFLATION_LIMIT.
    """
    total = header.before * header.layers * header.after
    found: dict[int, list[tuple[Int, NDArray[np.generic]]]] = {layer: [] for layer in layers}
    done = 0
    while done < total:
        n = min(PIECE_NUMBERS, total - done)
        numbers = np.frombuffer(stream.take(n * header.dtype.itemsize), header.dtype)
        at = np.flatnonzero(numbers)
        values = numbers[at].astype(header.dtype.newbyteorder("="), copy=False)
        outer, inner = np.divmod(at + done, header.before * header.layers)
        layer, inner = np.divmod(inner, header.before)
        voxels = outer * header.before + inner
        for wanted in layers:
            is_in = layer == wanted
            found[wanted].append((voxels[is_in], values[is_in]))
        done += n
    if sum(len(piece) for piece in islice(stream.rest(), 2)) > SLACK_BYTES:
        raise LimitReached.of(
            "INFLATION_LIMIT",
            f"more than {total} numbers",
            expected=f"{total}, as the header declares",
            path=str(stream.path),
        )
    return {
        layer: (
            np.concatenate([voxels for voxels, _ in parts]),
            np.concatenate([value for _, value in parts]),
        )
        for layer, parts in found.items()
    }


def _rois(
    segments: list[_Segment], found: Mapping[int, tuple[Int, NDArray[np.generic]]], path: Path
) -> Iterator[Roi]:
    is_unique = len({one.label for one in segments}) == len(segments)
    by_layer = {
        layer: dict(by_label(voxels, whole_labels(values, path))) for layer, (voxels, values) in found.items()
    }
    for one in segments:
        yield Roi(
            roi_id=str(one.label) if is_unique else f"{one.layer}:{one.label}",
            name=one.name,
            source="NRRD segmentation",
            voxels=by_layer[one.layer].get(one.label, np.empty(0, np.int64)),
        )
