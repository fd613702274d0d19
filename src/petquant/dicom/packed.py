"""Packed pixels: lossless compression, undone by pydicom with a decoder that may be trusted with any bytes.

What a code stream says of its own size is compared with the header before a decoder takes memory for it.
JPEG Lossless is handed to a process of its own.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom import jpeg_lossless
from petquant.dicom.fragments import packed_frame
from petquant.dicom.jpeg_lossless import JPEG_LOSSLESS
from petquant.dicom.pixel_format import PixelFormat
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG
from petquant.dicom.transfer_syntax import LOSSLESS
from petquant.errors import UnreadableInput

__all__ = ["unpacked"]

# pydicom's name of the decoder, by transfer syntax; GDCM runs in `jpeg_lossless`
_DECODERS: Final = {
    "1.2.840.10008.1.2.5": "pydicom",
    **dict.fromkeys(JPEG_LOSSLESS, "gdcm"),
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
}
_REMEDY: Final = "pip install 'petquant[codecs]', or re-encode losslessly in explicit little endian"


def unpacked(instance: Instance, shape: tuple[int, ...], form: PixelFormat) -> NDArray[np.generic]:
    """Return the stored numbers (nj, ni) of one file, or one frame of it, with encapsulated pixels.

    Raises
    ------
    UnreadableInput
        When no decoder is there, or the packed bytes do not give the image that the header describes.
    """
    syntax = instance.transfer_syntax
    name = _DECODERS.get(syntax)
    known = LOSSLESS.get(syntax, "unknown")
    if name is None:
        raise _error(
            "DECODER_MISSING", instance, f"transfer syntax {syntax} ({known})", "one that is decoded"
        )
    pydicom = pydicom_of_today()
    decoder = pydicom.pixels.get_decoder(syntax)
    is_jpeg_lossless = syntax in JPEG_LOSSLESS
    if not (jpeg_lossless.is_available() if is_jpeg_lossless else name in decoder.available_plugins):
        raise _error(
            "DECODER_MISSING",
            instance,
            f"transfer syntax {syntax} ({known})",
            f"the decoder {name} installed",
        )
    try:
        frame = packed_frame(instance)
        _require_shape(frame, shape, syntax)
        if is_jpeg_lossless:
            pixels = _of_jpeg_lossless(frame, shape, syntax, form)
        else:
            pixels, _ = decoder.as_array(
                pydicom.encaps.encapsulate([frame], has_bot=False),
                index=0,
                raw=True,
                decoding_plugin=name,
                rows=shape[0],
                columns=shape[1],
                number_of_frames=1,
                samples_per_pixel=1,
                photometric_interpretation=instance.text(TAG["PhotometricInterpretation"]) or "MONOCHROME2",
                bits_allocated=form.bits_allocated,
                bits_stored=form.bits_stored,
                pixel_representation=instance.integer(TAG["PixelRepresentation"]) or 0,
                pixel_keyword="PixelData",
            )
    except UnreadableInput:
        raise
    except Exception as error:  # decoders raise whatever their code meets
        raise _error(
            "PIXELS_UNSUPPORTED", instance, f"{known}: {error}", "pixels that can be unpacked"
        ) from error
    if pixels.shape != shape or pixels.dtype.itemsize != form.dtype.itemsize:
        found = f"{known} gives {pixels.dtype} {pixels.shape}"
        raise _error("PIXELS_UNSUPPORTED", instance, found, f"{form.dtype} {shape}")
    return np.asarray(pixels).astype(form.dtype, copy=False)


def _of_jpeg_lossless(
    frame: bytes, shape: tuple[int, ...], syntax: str, form: PixelFormat
) -> NDArray[np.generic]:
    content = jpeg_lossless.decode(
        frame,
        (shape[0], shape[1]),
        syntax=syntax,
        bits=(form.bits_allocated, form.bits_stored),
        is_signed=form.dtype.kind == "i",
    )
    return np.frombuffer(content, form.dtype).reshape(shape)


def _require_shape(frame: bytes, shape: tuple[int, ...], syntax: str) -> None:
    """Compare rows and columns in the head of a code stream with the header's."""
    if syntax in JPEG_LOSSLESS:
        at = frame.find(b"\xff\xc3")  # SOF3, ISO 10918-1 B.2.2: length, precision, rows, columns
        found = struct.unpack(">HH", frame[at + 5 : at + 9]) if at >= 0 else ()
    elif syntax.startswith("1.2.840.10008.1.2.4.8"):
        at = frame.find(b"\xff\xf7")  # SOF55, ISO 14495-1 C.2.2: length, precision, rows, columns
        found = struct.unpack(">HH", frame[at + 5 : at + 9]) if at >= 0 else ()
    elif syntax.startswith("1.2.840.10008.1.2.4"):
        at = frame.find(b"\xff\x51")  # SIZ, ISO 15444-1 A.5.1: length, capabilities, Xsiz, Ysiz
        found = struct.unpack(">II", frame[at + 6 : at + 14])[::-1] if at >= 0 else ()
    else:
        return
    if found != shape:
        raise ValueError(f"rows and columns of the code stream are {found}, of the header {shape}")


def _error(code: str, instance: Instance, found: str, expected: str) -> Any:
    return UnreadableInput.of(code, found, path=instance.path, expected=expected, remedy=_REMEDY)
