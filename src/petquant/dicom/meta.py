"""The meta header names the transfer syntax (PS3.10 section 7.1); without it the encoding is sniffed."""

from __future__ import annotations

from typing import Final, NamedTuple

from petquant.dicom.elements import BIG_ENDIAN, EXPLICIT, IMPLICIT, Damage, Encoding, Window

__all__ = ["MEDIA_STORAGE_DIRECTORY", "Meta", "read_meta", "sniffed_encoding"]

MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"  # a DICOMDIR: its paths are never followed

_PREAMBLE: Final = 132
_GROUP_2: Final = b"\x02\x00"
_STORAGE_CLASS, _SYNTAX = 0x00020002, 0x00020010
_LONGEST: Final = 4_096  # no attribute of this group needs more
_HEADS: Final = 1_000
_MEMO: Final[dict[bytes, tuple[int, int]]] = {}  # heads seen before, as in Encoding


class Meta(NamedTuple):
    """What the meta header says.

    Attributes
    ----------
    transfer_syntax
        UID, "" when it is not named.
    storage_class
        MediaStorageSOPClassUID, "" when it is not named.
    end
        Offset at which the data set begins.
    is_complete
        Whether preamble and transfer syntax are there.
    """

    transfer_syntax: str = ""
    storage_class: str = ""
    end: int = 0
    is_complete: bool = False


def read_meta(window: Window) -> Meta:
    """Return the meta header of a file, with empty words where there is none.

    Raises
    ------
    Damage
        When a meta header is there and cannot be read.
    """
    buffer = window.buffer
    has_preamble = buffer[128:_PREAMBLE] == b"DICM"
    at = _PREAMBLE if has_preamble else 0
    syntax = storage_class = ""
    while buffer[at : at + 2] == _GROUP_2:
        first = buffer[at : at + 8]
        entry = _MEMO.get(first)
        if entry is None:
            head = EXPLICIT.head(window, at)
            end = EXPLICIT.checked(head, at, window.size, _LONGEST)
            if len(_MEMO) < _HEADS and head.size == 8:
                _MEMO[first] = (head.tag, end - at)
            tag, step = head.tag, end - at
        else:
            tag, step = entry
        if tag == _SYNTAX:
            syntax = _uid(window.at(at + 8, step - 8))
        elif tag == _STORAGE_CLASS:
            storage_class = _uid(window.at(at + 8, step - 8))
        at += step
    return Meta(syntax, storage_class, at, has_preamble and bool(syntax))


def sniffed_encoding(window: Window, start: int, declared: Encoding | None) -> Encoding | None:
    """Return the encoding that the first element at `start` is in, None when it is in none for certain.

    The first element must be one that can begin an image's data set: (0008,0000) to (0008,0018), short.
    The declared encoding is tried first.
    """
    if start + 8 > window.size:
        return None
    for encoding in (declared, EXPLICIT, IMPLICIT, BIG_ENDIAN):
        if encoding is None:
            continue
        try:
            head = encoding.head(window, start)
        except Damage:
            continue
        if 0x00080000 <= head.tag <= 0x00080018 and head.length <= 1024:
            return encoding
    return None


def _uid(value: bytes) -> str:
    return value.strip(b" \0").decode("latin-1")
