"""Strays are files in a folder that are no DICOM; their first bytes say what they are, never their names."""

from __future__ import annotations

import os
from typing import Final

from petquant.dicom.positioned import open_to_read, pread

__all__ = ["CONTAINERS", "FORMATS", "kind_of"]

# first bytes: what a file is called that begins with them
CONTAINERS: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
FORMATS: Final = {
    b"\x93NUMPY": "NumPy array",
    b"NRRD000": "NRRD",
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
    b"\x5c\x01\x00\x00": "NIfTI",
    b"\x1c\x02\x00\x00": "NIfTI",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
_LONGEST: Final = max(map(len, (*CONTAINERS, *FORMATS)))


def kind_of(path: str) -> str:
    """Return what a file is that is no DICOM: "empty", the name of its format, or "not DICOM"."""
    try:
        descriptor = open_to_read(path)
    except OSError:
        return "not DICOM"
    try:
        if not os.fstat(descriptor).st_size:
            return "empty"
        start = pread(descriptor, _LONGEST, 0)
    finally:
        os.close(descriptor)
    known = {**CONTAINERS, **FORMATS}
    return next((kind for magic, kind in known.items() if start.startswith(magic)), "not DICOM")
