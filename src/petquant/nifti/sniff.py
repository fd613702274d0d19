"""To sniff is to tell a NIfTI image by its first bytes, also within gzip, never by its suffix."""

from __future__ import annotations

import zlib
from pathlib import Path

__all__ = ["is_nifti"]

GZIP = b"\x1f\x8b"
PACKED_BYTES = 8192
HEADER_BYTES = 540
# size of the header: (place of the magic, what stands there; "ni" says that the numbers lie elsewhere)
MAGIC = {348: (344, (b"n+1\x00", b"ni1\x00")), 540: (4, (b"n+2\x00", b"ni2\x00"))}


def is_nifti(path: Path) -> bool:
    """Whether a regular file begins with a NIfTI-1 or NIfTI-2 header, plain or gzipped."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(PACKED_BYTES)
        if head.startswith(GZIP):
            head = zlib.decompressobj(wbits=31).decompress(head, HEADER_BYTES)
    except (OSError, zlib.error):
        return False
    sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    known = (MAGIC[size] for size in sizes if size in MAGIC)
    return head[128:132] != b"DICM" and any(head[at : at + 4] in magics for at, magics in known)
