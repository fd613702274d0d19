"""A transfer syntax says how a data set is written and its pixels are packed (PS3.5 chapters 8, 10 and A)."""

from __future__ import annotations

from typing import Final

from petquant.dicom.elements import BIG_ENDIAN, EXPLICIT, IMPLICIT, Encoding

__all__ = [
    "BIG",
    "DEFLATED",
    "EXPLICIT_LITTLE",
    "IMPLICIT_LITTLE",
    "LOSSLESS",
    "NATIVE",
    "encoding_of",
    "is_encapsulated",
    "is_lossy",
]

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG: Final = "1.2.840.10008.1.2.2"

# Encapsulated, and the same pixels come out as went in.
LOSSLESS: Final = {
    "1.2.840.10008.1.2.1.98": "encapsulated uncompressed",
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.57": "JPEG lossless, process 14",
    "1.2.840.10008.1.2.4.70": "JPEG lossless, first-order prediction",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.92": "JPEG 2000 part 2 lossless",
    "1.2.840.10008.1.2.4.110": "JPEG XL lossless",
    "1.2.840.10008.1.2.4.201": "HTJ2K lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K lossless RPCL",
}

# Whatever else is encapsulated may lose: the JPEG, JPEG-LS near, JPEG 2000, MPEG, HEVC, JPEG XL families.
_MAY_LOSE: Final = "1.2.840.10008.1.2.4."

NATIVE: Final = {
    IMPLICIT_LITTLE: IMPLICIT,
    EXPLICIT_LITTLE: EXPLICIT,
    DEFLATED: EXPLICIT,
    BIG: BIG_ENDIAN,
}


def encoding_of(transfer_syntax: str) -> Encoding:
    """Return the encoding of data sets in `transfer_syntax`; all but four are explicit little endian."""
    return NATIVE.get(transfer_syntax, EXPLICIT)


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether pixels are packed in fragments."""
    return transfer_syntax not in NATIVE


def is_lossy(transfer_syntax: str) -> bool:
    """Whether pixels may differ from what the scanner reconstructed."""
    return transfer_syntax.startswith(_MAY_LOSE) and transfer_syntax not in LOSSLESS
