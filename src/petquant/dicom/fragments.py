"""Fragments are the items that encapsulated pixels come in; here they are assigned to frames (PS3.5 A.4)."""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from itertools import pairwise

from petquant.dicom.nesting import ITEM, SEQUENCE_END
from petquant.dicom.positioned import open_to_read, pread
from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG

__all__ = ["packed_frame"]

_Spans = tuple[tuple[int, int], ...]


def packed_frame(instance: Instance) -> bytes:
    """Return the packed bytes of the one frame that an instance is.

    Raises
    ------
    ValueError
        When the fragments cannot be assigned to frames for certain.
    OSError
        When the file cannot be read.
    """
    whole = instance.whole or instance
    n_frames = int(whole.text(TAG["NumberOfFrames"]) or 1)
    spans = _spans(whole.path, whole.mtime_ns, whole.size, whole.pixel_offset, n_frames)
    descriptor = open_to_read(whole.path)
    try:
        parts = [pread(descriptor, length, at) for at, length in spans[max(instance.frame, 1) - 1]]
    finally:
        os.close(descriptor)
    return b"".join(parts)


@lru_cache(maxsize=32)
def _spans(path: str, mtime_ns: int, size: int, start: int, n_frames: int) -> tuple[_Spans, ...]:  # noqa: ARG001 - mtime_ns is for the cache
    """Return offset and length of the fragments of every frame.

    One fragment a frame needs no table; several of them are told apart by the basic offset table.
    """
    items = _items(path, size, start)
    if not items:
        raise ValueError("no basic offset table before the fragments")
    (table_at, table_length), *fragments = items
    if n_frames == 1:
        return (tuple(fragments),)
    if len(fragments) == n_frames:
        return tuple((one,) for one in fragments)
    if table_length != 4 * n_frames:
        raise ValueError(f"{len(fragments)} fragments for {n_frames} frames, without a table of offsets")
    descriptor = open_to_read(path)
    try:
        offsets = struct.unpack(f"<{n_frames}I", pread(descriptor, table_length, table_at))
    finally:
        os.close(descriptor)
    first = fragments[0][0] - 8 if fragments else 0
    heads = [at - 8 - first for at, _ in fragments]
    if not set(offsets) <= set(heads) or offsets[0] != 0 or any(b <= a for a, b in pairwise(offsets)):
        raise ValueError("the table of offsets does not lead to fragments")
    bounds = [heads.index(offset) for offset in offsets]
    return tuple(tuple(fragments[a:b]) for a, b in pairwise([*bounds, len(fragments)]))


def _items(path: str, size: int, start: int) -> list[tuple[int, int]]:
    """Return offset and length of the table of offsets and of every fragment."""
    items: list[tuple[int, int]] = []
    descriptor = open_to_read(path)
    try:
        at = start
        while True:
            head = pread(descriptor, 8, at)
            if len(head) < 8:
                raise ValueError(f"the file ends at byte {size}, within its fragments")
            group, element, length = struct.unpack("<HHI", head)
            tag = group << 16 | element
            if tag == SEQUENCE_END:
                return items
            if tag != ITEM or at + 8 + length > size:
                raise ValueError(f"no fragment at byte {at}")
            items.append((at + 8, length))
            at += 8 + length
    finally:
        os.close(descriptor)
