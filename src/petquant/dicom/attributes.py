"""Attributes are the values of one data set or sequence item by tag, as bytes, and read as text or numbers.

Bytes are little endian and keep their padding; text is stripped of blanks and NULs and decoded as Latin-1,
which no byte can break.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from petquant.dicom.elements import EXPLICIT, IMPLICIT, UNDEFINED, Damage, Window
from petquant.dicom.limits import DEFAULT_LIMITS
from petquant.dicom.nesting import ITEM, ITEM_END, value_end
from petquant.dicom.tags import KEYWORD, tag_words

__all__ = ["Attributes", "Origin"]

_PADDING = b" \0\t\r\n"


class Origin(NamedTuple):
    """Where a value was read, when it is kept under another tag.

    Attributes
    ----------
    keyword, tag
        Of the attribute that states it.
    text
        What stands there.
    """

    keyword: str
    tag: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Values by tag.

    Parameters
    ----------
    values
        Value bytes by tag (``gggg << 16 | eeee``), little endian, padding kept.
    is_implicit
        Whether sequences among them are in implicit VR.
    origins
        By tag, of values that were brought there from another attribute.
    """

    values: dict[int, bytes]
    is_implicit: bool = False
    origins: Mapping[int, Origin] | None = None

    def name(self, tag: int) -> tuple[str, str]:
        """Return keyword and ``(gggg,eeee)`` of the attribute that the value of `tag` was read from."""
        origin = None if self.origins is None else self.origins.get(tag)
        if origin is None:
            return KEYWORD.get(tag, ""), tag_words(tag)
        return origin.keyword, tag_words(origin.tag)

    def words(self, tag: int) -> str:
        """Return the value as it stands where it was read."""
        origin = None if self.origins is None else self.origins.get(tag)
        return self.text(tag) if origin is None else origin.text

    def text(self, tag: int) -> str:
        """Return the value as stripped text, "" when it is absent."""
        return self.values.get(tag, b"").strip(_PADDING).decode("latin-1")

    def texts(self, tag: int) -> list[str]:
        """Return the values between backslashes, each stripped; [] when absent or empty."""
        text = self.text(tag)
        return [part.strip(" \0") for part in text.split("\\")] if text else []

    def numbers(self, tag: int) -> list[float]:
        """Return the numbers of a DS or IS; they may be nan or infinite, which the caller checks.

        Raises
        ------
        ValueError
            When a part is no number.
        """
        value = self.values.get(tag, b"")
        if b"_" in value:  # 1_000 is a number to Python alone
            raise ValueError(f"{self.text(tag)!r} is no decimal string")
        text = value.strip(_PADDING)
        return [float(part) for part in text.split(b"\\")] if text else []

    def integer(self, tag: int) -> int | None:
        """Return the number of a US; None when it is absent or not of two bytes."""
        value = self.values.get(tag, b"")
        return int(struct.unpack("<H", value)[0]) if len(value) == 2 else None

    def real(self, tag: int) -> float | None:
        """Return the number of an FD, which may be nan or infinite; None when it is absent.

        Raises
        ------
        ValueError
            When it is not of eight bytes.
        """
        value = self.values.get(tag, b"")
        if len(value) not in {0, 8}:
            raise ValueError(f"{tag_words(tag)} of {len(value)} bytes is no double")
        return float(struct.unpack("<d", value)[0]) if value else None

    def items(self, tag: int) -> list[Attributes]:
        """Return the items of a sequence, with all their elements; [] when absent.

        Raises
        ------
        ValueError
            When the items do not fit into each other.
        """
        value = self.values.get(tag, b"")
        encoding = IMPLICIT if self.is_implicit else EXPLICIT
        window = Window(len(value), value, lambda offset, n: value[offset : offset + n])
        items, at = [], 0
        try:
            while at < len(value):
                head = encoding.head(window, at)
                at += head.size
                if head.tag != ITEM:
                    raise ValueError(f"no item at byte {at} of a sequence")
                stop = len(value) if head.length == UNDEFINED else at + head.length
                values: dict[int, bytes] = {}
                while at < stop:
                    inside = encoding.head(window, at)
                    if inside.tag == ITEM_END:
                        at += inside.size
                        break
                    start = at + inside.size
                    if inside.length == UNDEFINED:
                        value_stop, at = value_end(window, inside, at, encoding, DEFAULT_LIMITS)
                    else:
                        value_stop = at = encoding.checked(inside, at, stop, UNDEFINED)
                    values[inside.tag] = value[start:value_stop]
                items.append(Attributes(values=values, is_implicit=self.is_implicit))
        except Damage as damage:
            raise ValueError(damage.finding.found) from damage
        return items
