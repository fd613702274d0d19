"""Pixels of a segmentation, frame by frame: packed bits, octets or words, as stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.transfer_syntax import BIG, EXPLICIT_LITTLE, NATIVE, is_lossy
from petquant.errors import Refused, UnreadableInput

__all__ = ["planes"]

_RLE: Final = "1.2.840.10008.1.2.5"


def planes(ds: Any, n: int, in_slice: int, path: str) -> Iterator[NDArray[np.generic]]:
    """Yield the stored numbers of every frame, (rows x columns,).

    Raises
    ------
    UnreadableInput
        PIXELS_UNSUPPORTED, DECODER_MISSING, FILE_TRUNCATED.
    Refused
        LOSSY_COMPRESSION.
    """
    meta = getattr(ds, "file_meta", None) or {}  # without one, or inflated: native and little endian
    syntax = str(meta.get("TransferSyntaxUID") or EXPLICIT_LITTLE)
    bits = int(ds.BitsAllocated)
    if is_lossy(syntax):
        raise Refused.of("LOSSY_COMPRESSION", f"transfer syntax {syntax}", path=path)
    if bits not in {1, 8, 16} or syntax == BIG or int(ds.get("SamplesPerPixel") or 1) != 1:
        raise UnreadableInput.of(
            "PIXELS_UNSUPPORTED",
            f"BitsAllocated {bits}, transfer syntax {syntax}",
            expected="1, 8 or 16 bits, little endian",
            path=path,
        )
    if syntax not in NATIVE:
        yield from _decoded(ds, n, in_slice, syntax, path)
        return
    content = ds.PixelData
    needed = -(-n * in_slice * bits // 8)
    if len(content) < needed:
        raise UnreadableInput.of(
            "FILE_TRUNCATED",
            f"PixelData has {len(content)} bytes",
            expected=f"{needed}, as {n} frames of {in_slice} voxels need",
            remedy="export the file again",
            path=path,
        )
    octets = np.frombuffer(content, np.uint8, count=needed)
    numbers = octets if bits < 16 else octets.view("<u2")
    for number in range(n):
        start, stop = number * in_slice, (number + 1) * in_slice
        if bits > 1:
            yield numbers[start:stop]
            continue
        # frames follow each other without padding, lowest bit first (PS3.5 section 8.1.1)
        first = start // 8
        yield np.unpackbits(octets[first : -(-stop // 8)], bitorder="little")[start - first * 8 :][:in_slice]


def _decoded(ds: Any, n: int, in_slice: int, syntax: str, path: str) -> Iterator[NDArray[np.generic]]:
    if syntax != _RLE:
        raise UnreadableInput.of(
            "DECODER_MISSING",
            f"transfer syntax {syntax}",
            expected="uncompressed or RLE",
            remedy="re-encode losslessly, explicit little endian",
            path=path,
        )
    decoder = pydicom_of_today().pixels.get_decoder(syntax)
    for number in range(n):
        pixels, _ = decoder.as_array(ds, index=number, raw=True, decoding_plugin="pydicom")
        if pixels.size != in_slice:
            raise UnreadableInput.of("PIXELS_UNSUPPORTED", f"frame {number + 1}: {pixels.shape}", path=path)
        yield pixels.reshape(-1)
