"""A representation is how the bytes of a value are meant; here wanted values are brought to the listed one.

The listed one is that of the table in ``tags``, in explicit little endian. A value that says the same in
another representation is irregular and kept; one that may be misread is damage.
"""

from __future__ import annotations

import io
import struct
from typing import Final

from petquant.dicom.elements import TEXT_VRS, Damage, Encoding, Head
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.tags import VR

__all__ = ["as_listed"]

_WHOLE: Final = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i"}
_REAL: Final = {b"FL": "f", b"FD": "d"}
_WORD_BYTES: Final = {
    b"US": 2,
    b"SS": 2,
    b"OW": 2,
    b"UL": 4,
    b"SL": 4,
    b"FL": 4,
    b"OF": 4,
    b"FD": 8,
    b"OD": 8,
}


def as_listed(head: Head, value: bytes, encoding: Encoding) -> tuple[bytes, str]:
    """Return the value in its listed representation, little endian, and what was irregular ("" if nothing).

    Raises
    ------
    Damage
        When the value cannot be brought to the listed representation for certain.
    """
    listed = VR.get(head.tag)
    if listed == "SQ":
        return _sequence(head, value, encoding), ""
    if encoding.is_big_endian and head.vr in _WORD_BYTES:
        value = _swapped(value, _WORD_BYTES[head.vr])
    if listed is None or head.vr in {b"", b"UN", listed.encode()}:
        return value, ""
    words = f"{head.vr.decode()}, the standard says {listed}"
    if listed == "US":
        return _whole_number(head, value), words
    if head.vr in TEXT_VRS:
        return value, words
    if listed in {"DS", "IS"} and head.vr in {**_WHOLE, **_REAL}:
        return _number_text(head, value), words
    raise _uncertain(head, listed)


def _whole_number(head: Head, value: bytes) -> bytes:
    """Return the two bytes of a single whole number that came as SS, UL, SL or text."""
    try:
        if head.vr in _WHOLE:
            (number,) = struct.unpack(f"<{_WHOLE[head.vr]}", value)
        elif head.vr in TEXT_VRS:
            number = int(value.strip(b" \0"))
        else:
            raise _uncertain(head, "US")
        return struct.pack("<H", number)
    except (struct.error, ValueError):
        raise _uncertain(head, "US") from None


def _number_text(head: Head, value: bytes) -> bytes:
    """Return the decimal strings of binary numbers."""
    letter = {**_WHOLE, **_REAL}[head.vr]
    try:
        numbers = [number for (number,) in struct.iter_unpack(f"<{letter}", value)]
    except struct.error:
        raise _uncertain(head, "DS") from None
    return "\\".join(repr(number) for number in numbers).encode()


def _sequence(head: Head, value: bytes, encoding: Encoding) -> bytes:
    """Return the items of a sequence in the encoding of the data set, big endian ones in explicit little."""
    if head.vr not in {b"", b"SQ", b"UN"}:
        raise _uncertain(head, "SQ")
    if head.vr != b"UN" and not encoding.is_big_endian:
        return value
    pydicom = pydicom_of_today()
    is_implicit = head.vr == b"UN"
    is_little_endian = is_implicit or not encoding.is_big_endian
    try:
        stream = io.BytesIO(value)
        sequence = pydicom.filereader.read_sequence(
            stream, is_implicit, is_little_endian, len(value), ["iso8859"]
        )
        out = pydicom.filebase.DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, False
        pydicom.filewriter.write_sequence(out, pydicom.DataElement(head.tag, "SQ", sequence), ["iso8859"])
        return bytes(out.getvalue())
    except Exception as error:  # pydicom raises whatever a broken sequence leads it to
        raise _uncertain(head, "SQ") from error


def _swapped(value: bytes, width: int) -> bytes:
    if len(value) % width:
        return value
    return b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))


def _uncertain(head: Head, listed: str) -> Damage:
    return Damage.unreadable(
        "FILE_NOT_UNDERSTOOD",
        f"{head.vr.decode('latin-1')} of {head.length} bytes",
        tag=head.tag,
        expected=listed,
    )
