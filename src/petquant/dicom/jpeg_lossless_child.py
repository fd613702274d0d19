"""The child that decodes JPEG Lossless: requests on stdin, pixels on stdout, until stdin ends."""

from __future__ import annotations

import os
import sys
from typing import Any

from petquant.dicom.jpeg_lossless import ANSWER, JPEG_LOSSLESS, MEMORY_BYTES, REQUEST
from petquant.dicom.pydicom_today import pydicom_of_today

try:
    import resource
except ImportError:  # not on Windows: no limit of memory there
    resource = None  # type: ignore[assignment] # a module or nothing

__all__: list[str] = []

_PYDICOM = pydicom_of_today()  # before memory is limited


def _limit_memory() -> None:
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _pixels(frame: bytes, head: tuple[int, ...]) -> bytes:
    _, rows, columns, allocated, stored, syntax, is_signed = head
    options: Any = {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": 1,
        "bits_allocated": allocated,
        "bits_stored": stored,
        "pixel_representation": int(is_signed),
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    decoder = _PYDICOM.pixels.get_decoder(JPEG_LOSSLESS[syntax])
    pixels, _ = decoder.as_array(
        _PYDICOM.encaps.encapsulate([frame]), index=0, raw=True, decoding_plugin="gdcm", **options
    )
    content: bytes = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    return content


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever the decoder prints is no answer
    while head_bytes := sys.stdin.buffer.read(REQUEST.size):
        head = REQUEST.unpack(head_bytes)
        frame = sys.stdin.buffer.read(head[0])
        try:
            content, is_decoded = _pixels(frame, head), True
        except Exception as error:  # noqa: BLE001 - decoders raise whatever their code meets
            content, is_decoded = f"{type(error).__name__}: {error}".encode(), False
        answers.write(ANSWER.pack(is_decoded, len(content)) + content)
        answers.flush()


if __name__ == "__main__":
    _limit_memory()
    _serve()
