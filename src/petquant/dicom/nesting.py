"""Nesting: where a sequence ends, found item by item without recursion and to a bounded depth.

PS3.5 section 7.5. Fragments of encapsulated values are items whose bytes are not looked into.
"""

from __future__ import annotations

from typing import NamedTuple

from petquant.dicom.elements import EXPLICIT, IMPLICIT, UNDEFINED, Damage, Encoding, Head, Window
from petquant.dicom.limits import Limits

__all__ = ["ITEM", "ITEM_END", "SEQUENCE_END", "value_end"]

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class _Level(NamedTuple):
    is_item: bool
    end: int  # -1: a delimiter ends it
    encoding: Encoding


def value_end(  # noqa: C901, PLR0912 - a recursion written as a loop, so that depth is a number
    window: Window, head: Head, offset: int, encoding: Encoding, limits: Limits
) -> tuple[int, int]:
    """Return where the value of the sequence or undefined-length `head` at `offset` ends, and its element.

    The two differ by the 8 bytes of the delimiter of an undefined length.

    Raises
    ------
    Damage
        When items do not fit into each other, or nest deeper than `limits` allow.
    """
    start = offset + head.size
    if head.length != UNDEFINED:
        encoding.checked(head, offset, window.size, limits.element_bytes)
    elif head.vr not in {b"", b"SQ", b"UN"}:
        return _fragments_end(window, start, encoding, limits)
    # UN of undefined length holds an implicit little endian sequence (PS3.5 6.2.2 note)
    inner = IMPLICIT if head.vr == b"UN" else encoding
    levels = [_Level(is_item=False, end=_end(start, head.length), encoding=inner)]
    at = start
    while levels:
        level = levels[-1]
        if level.end >= 0 and at >= level.end:
            if at > level.end:
                raise _misfit(at, head.tag)
            levels.pop()
            continue
        inside = level.encoding.head(window, at)
        if not level.is_item:
            at += 8
            if inside.tag == ITEM:
                levels.append(_Level(is_item=True, end=_end(at, inside.length), encoding=level.encoding))
            elif inside.tag == SEQUENCE_END and level.end < 0:
                levels.pop()
            else:
                raise _misfit(at, head.tag)
        elif inside.tag == ITEM_END and level.end < 0:
            at += 8
            levels.pop()
        elif inside.tag >> 16 == 0xFFFE:
            raise _misfit(at, head.tag)
        elif inside.length == UNDEFINED and inside.vr not in {b"", b"SQ", b"UN"}:
            at = _fragments_end(window, at + inside.size, level.encoding, limits)[1]
        elif inside.length == UNDEFINED or _is_sequence(window, inside, at, level.encoding):
            at += inside.size
            encoding_inside = IMPLICIT if inside.vr == b"UN" else level.encoding
            levels.append(_Level(is_item=False, end=_end(at, inside.length), encoding=encoding_inside))
            if len(levels) > 2 * limits.nesting:
                raise Damage.limit(
                    "NESTING_LIMIT",
                    f"more than {limits.nesting} nested sequences",
                    f"at most {limits.nesting}",
                )
        else:
            at = level.encoding.checked(inside, at, window.size, limits.element_bytes)
    return (at, at) if head.length != UNDEFINED else (at - 8, at)


def _end(start: int, length: int) -> int:
    return -1 if length == UNDEFINED else start + length


def _is_sequence(window: Window, head: Head, offset: int, encoding: Encoding) -> bool:
    """Whether a value of defined length holds items: by its representation, or by its first bytes."""
    if head.length < 8 or head.vr not in {b"", b"SQ", b"UN"}:
        return False
    encoding.checked(head, offset, window.size, UNDEFINED)
    return window.at(offset + head.size, 4) in {encoding.item, EXPLICIT.item}


def _fragments_end(window: Window, start: int, encoding: Encoding, limits: Limits) -> tuple[int, int]:
    at = start
    while True:
        head = encoding.head(window, at)
        if head.tag == SEQUENCE_END:
            return at, at + 8
        if head.tag != ITEM:
            raise _misfit(at, head.tag)
        at = encoding.checked(head, at, window.size, limits.element_bytes)


def _misfit(offset: int, tag: int) -> Damage:
    return Damage.unreadable(
        "FILE_NOT_UNDERSTOOD", f"of items that do not fit into each other at byte {offset}", tag=tag
    )
