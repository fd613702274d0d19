"""Copies are files that hold the same image; two files that are no copies are two images."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from typing import Final

from petquant.dicom.positioned import open_to_read, pread, unreadable
from petquant.dicom.scan import Instance
from petquant.dicom.transfer_syntax import DEFLATED

__all__ = ["are_copies"]

_CHUNK: Final = 2**24


def are_copies(one: Instance, other: Instance) -> bool:
    """Whether two files agree in every byte from their pixels on, and in every value that was read before."""
    if one.values != other.values or one.transfer_syntax != other.transfer_syntax:
        return False
    if one.whole is not None and other.whole is not None:
        return one.frame == other.frame and _are_one_file(one.whole, other.whole)
    return _pixel_bytes(one) == _pixel_bytes(other)


def _are_one_file(one: Instance, other: Instance) -> bool:
    return _digest(one.path, one.mtime_ns, one.size, _start(one)) == _digest(
        other.path, other.mtime_ns, other.size, _start(other)
    )


@lru_cache(maxsize=8)
def _digest(path: str, mtime_ns: int, size: int, start: int) -> bytes:  # noqa: ARG001 - mtime_ns is for the cache
    """Return the SHA-256 of a file from `start` on; its frames ask one after the other."""
    digest = sha256()
    try:
        descriptor = open_to_read(path)
        try:
            for at in range(start, size, _CHUNK):
                digest.update(pread(descriptor, min(_CHUNK, size - at), at))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.digest()


def _start(instance: Instance) -> int:
    return 0 if instance.transfer_syntax == DEFLATED else instance.pixel_offset


def _pixel_bytes(instance: Instance) -> bytes:
    start = _start(instance)
    try:
        descriptor = open_to_read(instance.path)
        try:
            return pread(descriptor, instance.size - start, start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(instance.path, error) from error
