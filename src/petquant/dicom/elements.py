"""An element is tag, value representation, length and value; here its head is read, in three encodings.

Implicit and explicit little endian and explicit big endian (PS3.5 chapter 7). A head that has been seen
before is looked up, not parsed: a series repeats the same heads in every file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from petquant.dicom.tags import KEYWORD, PIXEL_TAGS, TAG, VR, is_private_of_interest, tag_words
from petquant.errors import Finding, LimitReached, PetquantError, UnreadableInput

__all__ = [
    "BIG_ENDIAN",
    "CARE",
    "EXPLICIT",
    "IMPLICIT",
    "KEEP",
    "LONG",
    "LONG_VALUE",
    "SKIP",
    "TEXT_VRS",
    "UNDEFINED",
    "Damage",
    "Encoding",
    "Head",
    "Window",
]

UNDEFINED: Final = 0xFFFFFFFF
_NO_LENGTH: Final = 0xFFFFFF00  # lengths from here on are errors of writers, 0xFFFFFFF0 among them
LONG_VALUE: Final = 512  # shorter values cannot nest 33 sequences (16 bytes a level) and hold no pixels
_MEMO_HEADS: Final = 20_000

TEXT_VRS: Final = frozenset(b"AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())
_SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

SKIP, KEEP, LONG, CARE = 0, 1, 2, 3  # what a walk does with an element


class Damage(Exception):
    """A data set that cannot be read on: the error it amounts to and its cause, still without the path."""

    def __init__(self, error: type[PetquantError], finding: Finding) -> None:
        super().__init__(error, finding)
        self.error = error
        self.finding = finding

    @classmethod
    def unreadable(cls, code: str, found: str, *, tag: int | None = None, expected: str = "") -> Damage:
        """Return the damage that is an `UnreadableInput`."""
        keyword = "" if tag is None else KEYWORD.get(tag) or PIXEL_TAGS.get(tag, "")
        words = "" if tag is None else tag_words(tag)
        return cls(
            UnreadableInput, Finding(code=code, found=found, expected=expected, keyword=keyword, tag=words)
        )

    @classmethod
    def limit(cls, code: str, found: str, expected: str) -> Damage:
        """Return the damage that is a `LimitReached`."""
        return cls(LimitReached, Finding(code=code, found=found, expected=expected))


class Window:
    """The part of a byte source that is in memory, in `buffer` from offset `base` on.

    Parameters
    ----------
    size
        Bytes of the whole source.
    buffer
        Its first bytes.
    fetch
        ``fetch(offset, n)`` returns up to n bytes of the source.
    """

    __slots__ = ("_fetch", "base", "buffer", "size")

    def __init__(self, size: int, buffer: bytes, fetch: Callable[[int, int], bytes]) -> None:
        self.size = size
        self.base = 0
        self.buffer = buffer
        self._fetch = fetch

    def move(self, offset: int) -> bytes:
        """Return a new buffer that begins at `offset`."""
        self.base = offset
        self.buffer = self._fetch(offset, 16_384)
        return self.buffer

    def at(self, offset: int, n: int) -> bytes:
        """Return n bytes from `offset`; a value longer than a window is fetched for itself."""
        start = offset - self.base
        if start >= 0 and start + n <= len(self.buffer):
            return self.buffer[start : start + n]
        if n > 8_192:
            value = self._fetch(offset, n) if offset + n <= self.size else b""
        else:
            value = self.move(offset)[:n]
        if len(value) != n:
            raise Damage.unreadable(
                "FILE_TRUNCATED", f"the file ends at byte {self.size}", expected=f"{n} bytes at {offset}"
            )
        return value


class Head(NamedTuple):
    """Head of an element: tag, representation (b"" when implicit), bytes of the head, length of the value."""

    tag: int
    vr: bytes
    size: int
    length: int


class Encoding:
    """One way to write elements.

    Parameters
    ----------
    is_implicit
        Whether heads carry no value representation.
    is_big_endian
        Whether numbers have their high byte first.
    """

    __slots__ = ("_long", "_numbers", "_tag", "is_big_endian", "is_implicit", "item", "memo")

    def __init__(self, *, is_implicit: bool = False, is_big_endian: bool = False) -> None:
        order = ">" if is_big_endian else "<"
        self.is_implicit = is_implicit
        self.is_big_endian = is_big_endian
        self.item = struct.pack(f"{order}HH", 0xFFFE, 0xE000)
        self.memo: dict[bytes, tuple[int, int, int]] = {}
        self._tag = struct.Struct(f"{order}HHI")
        self._numbers = struct.Struct(f"{order}HH2sH")
        self._long = struct.Struct(f"{order}I")

    def head(self, window: Window, offset: int) -> Head:
        """Return the head at `offset`; damage when no head of this encoding stands there."""
        first = window.at(offset, 8)
        group, element, length = self._tag.unpack(first)
        tag = group << 16 | element
        if self.is_implicit or group == 0xFFFE:
            return Head(tag, b"", 8, length)
        group, element, vr, length = self._numbers.unpack(first)
        if vr in _SHORT_VRS:
            return Head(tag, vr, 8, length)
        if vr not in _LONG_VRS:
            raise Damage.unreadable(
                "FILE_NOT_UNDERSTOOD",
                f"{vr!r} at byte {offset + 4} is no value representation",
                tag=tag,
                expected="the encoding that the transfer syntax names",
            )
        return Head(tag, vr, 12, self._long.unpack(window.at(offset + 8, 4))[0])

    def step(self, first: bytes) -> tuple[int, int, int]:
        """Return tag, bytes to the next head, and SKIP, KEEP, LONG or CARE, for the 8 bytes of a head.

        LONG: 4 bytes of length follow, and nobody wants the value. CARE: the element needs a closer look.
        """
        group, element, length = self._tag.unpack(first)
        tag = group << 16 | element
        action = SKIP
        if tag in VR or is_private_of_interest(tag):
            action = KEEP
        if not self.is_implicit:
            _, _, vr, length = self._numbers.unpack(first)
            is_plain = vr in _SHORT_VRS and (action == SKIP or self._is_as_listed(tag, vr))
        else:
            is_plain = VR.get(tag) != "SQ"
        is_plain = is_plain and length <= LONG_VALUE and not length & 1
        is_plain = is_plain and tag != TAG["Modality"] and tag not in PIXEL_TAGS and 8 <= group < 0xFFFE
        if not is_plain:
            is_long = not self.is_implicit and vr in _LONG_VRS and vr not in {b"SQ", b"UN"}
            is_long = is_long and action == SKIP and tag not in PIXEL_TAGS and 8 <= group < 0xFFFE
            action = LONG if is_long else CARE
        entry = (tag, 8 + length, action)
        if len(self.memo) >= _MEMO_HEADS:
            self.memo.clear()
        self.memo[first] = entry
        return entry

    def long_length(self, four: bytes) -> int:
        """Return the length that 4 bytes after a head say; UNDEFINED when they are not all there or odd."""
        length = int.from_bytes(four, "big" if self.is_big_endian else "little")
        return UNDEFINED if len(four) < 4 or length & 1 else length

    def _is_as_listed(self, tag: int, vr: bytes) -> bool:
        listed = VR.get(tag)
        return not self.is_big_endian and listed == vr.decode() if listed else not self.is_big_endian

    def checked(self, head: Head, offset: int, size: int, element_bytes: int) -> int:
        """Return where the value of `head` at `offset` ends; damage when that cannot be."""
        if head.length >= _NO_LENGTH:
            raise Damage.unreadable(
                "FILE_NOT_UNDERSTOOD",
                f"of length 0x{head.length:08X}",
                tag=head.tag,
                expected="a length in bytes",
            )
        start = offset + head.size
        end = start + head.length
        if end > size:
            raise Damage.unreadable(
                "FILE_TRUNCATED",
                f"declared with {head.length} bytes at byte {start}, "
                f"of which {max(size - start, 0)} are there",
                tag=head.tag,
            )
        if head.length > element_bytes:
            raise Damage.limit(
                "SIZE_LIMIT", f"{tag_words(head.tag)} of {head.length} bytes", f"at most {element_bytes}"
            )
        return end


EXPLICIT: Final = Encoding()
IMPLICIT: Final = Encoding(is_implicit=True)
BIG_ENDIAN: Final = Encoding(is_big_endian=True)
