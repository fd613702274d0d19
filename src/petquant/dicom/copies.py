"""Copies are files that hold the same image; two files that are no copies are two images."""

from __future__ import annotations

import os

from petquant.dicom.positioned import open_to_read, pread, unreadable
from petquant.dicom.scan import Instance
from petquant.dicom.transfer_syntax import DEFLATED

__all__ = ["are_copies"]


def are_copies(one: Instance, other: Instance) -> bool:
    """Whether two files agree in every byte from their pixels on, and in every value that was read before."""
    if one.values != other.values or one.transfer_syntax != other.transfer_syntax:
        return False
    return _pixel_bytes(one) == _pixel_bytes(other)


def _pixel_bytes(instance: Instance) -> bytes:
    start = 0 if instance.transfer_syntax == DEFLATED else instance.pixel_offset
    try:
        descriptor = open_to_read(instance.path)
        try:
            return pread(descriptor, instance.size - start, start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(instance.path, error) from error
