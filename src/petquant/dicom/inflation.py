"""Inflation: a deflated data set unpacked as a stream, to a bounded size (PS3.5 section A.5)."""

from __future__ import annotations

import zlib
from typing import Final

from petquant.dicom.elements import Damage, Window
from petquant.dicom.limits import Limits

__all__ = ["inflated"]

_CHUNK: Final = 2**20


def inflated(window: Window, start: int, limits: Limits) -> bytes:
    """Return the data set that is deflated from `start` to the end of the source.

    Raises
    ------
    Damage
        When the stream is broken or ends early, or inflates beyond `limits`.
    """
    bound = min(limits.inflation * window.size, limits.inflated_bytes)
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    parts, total = [], 0
    packed = window.at(start, window.size - start)
    try:
        while packed and not stream.eof:
            part = stream.decompress(packed, _CHUNK)
            packed = stream.unconsumed_tail
            total += len(part)
            if total > bound:
                found = f"{window.size} bytes inflate to more than {bound}"
                expected = f"at most {limits.inflation} times the file and {limits.inflated_bytes} bytes"
                raise Damage.limit("INFLATION_LIMIT", found, expected)
            parts.append(part)
    except zlib.error as error:
        raise Damage.unreadable("FILE_NOT_UNDERSTOOD", f"broken deflate stream: {error}") from error
    if not stream.eof:
        raise Damage.unreadable("FILE_TRUNCATED", "the deflate stream has no end")
    return b"".join(parts)
