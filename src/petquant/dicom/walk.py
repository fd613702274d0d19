"""A walk goes once over the top-level elements of a data set and keeps the values that petquant wants.

It is strict: what it cannot read for certain is damage, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from petquant.dicom.elements import KEEP, LONG, LONG_VALUE, SKIP, UNDEFINED, Damage, Encoding, Head, Window
from petquant.dicom.habit import Habit
from petquant.dicom.limits import Limits
from petquant.dicom.nesting import value_end
from petquant.dicom.representation import as_listed
from petquant.dicom.tags import KEYWORD, PIXEL_TAGS, TAG, VR, is_private_of_interest, tag_words
from petquant.errors import Finding, LimitReached

__all__ = ["Walk", "walk"]

_MODALITY: Final = TAG["Modality"]
_COUNTED_BYTES: Final = 65_536


@dataclass(slots=True)
class Walk:
    """What a walk has seen.

    Attributes
    ----------
    values
        Value bytes by tag, little endian, padding kept.
    pixel_tag, pixel_offset, pixel_length
        Where the pixels lie; length -1 when they are encapsulated; tag 0 without pixels.
    findings
        Irregularities that leave the values certain; still without the path.
    is_unusual
        Whether a stretch began as in other files and went on otherwise.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    findings: list[Finding] = field(default_factory=list)
    is_unusual: bool = False


def walk(  # noqa: PLR0917
    window: Window, start: int, encoding: Encoding, limits: Limits, habit: Habit, seen: Walk
) -> None:
    """Walk over the data set that begins at `start`, and note in `seen` what is there.

    A data set whose Modality is not PT is left after its series number, unless `habit` is one of whole
    data sets. When it raises, `seen` holds what
    came before the damage.

    Raises
    ------
    Damage
        When the data set cannot be read for certain.
    """
    if not _walk_ascending(window, start, encoding, limits, habit, seen):
        seen.values.clear()
        seen.findings.clear()
        _walk_any_order(window, start, encoding, limits, seen, tags=set())
    elif (habit.is_new or (seen.is_unusual and habit.is_to_be_learned)) and not seen.findings:
        habit.learn(window, start, encoding, limits, seen.values)
    if seen.pixel_length > 0 and window.size - seen.pixel_offset - seen.pixel_length > 1:
        _walk_tail(window, encoding, limits, seen)


def _walk_ascending(  # noqa: C901, PLR0912, PLR0917 - the one loop that runs over every element of every file
    window: Window, start: int, encoding: Encoding, limits: Limits, habit: Habit, seen: Walk
) -> bool:
    """Walk as fast as may be; return False when the tags do not ascend."""
    stretch_of = habit.stretches.get
    memo_get, long_length, values = encoding.memo.get, encoding.long_length, seen.values
    buffer, base = window.buffer, window.base
    at, last, stop = start - base, -1, habit.stop_tag(b"")
    while True:
        first = buffer[at : at + 8]
        stretch = stretch_of(first)
        if stretch is not None:
            if last < stretch.first and buffer.startswith(stretch.content, at):
                values.update(stretch.values)
                at += len(stretch.content)
                last = stretch.last
                continue
            seen.is_unusual = True
        entry = memo_get(first)
        if entry is None:
            if len(first) < 8:
                if base + at == window.size:
                    return True
                _require(window, base + at, 8, last)
                base += at
                buffer, at = window.move(base), 0
                continue
            entry = encoding.step(first)
        tag, step, action = entry
        if not last < tag < stop:
            if tag == last:
                raise _duplicate(tag)
            return tag >= stop
        if action == KEEP:
            end = at + step
            if end > len(buffer):
                _require(window, base + at, step, tag)
                base += at
                buffer, at = window.move(base), 0
                continue
            values[tag] = buffer[at + 8 : end]
            at = end
        elif action == SKIP:
            at += step
        elif action == LONG and (length := long_length(buffer[at + 8 : at + 12])) <= LONG_VALUE:
            at += 12 + length
        else:
            end = _take(window, encoding.head(window, base + at), base + at, encoding, limits, seen)
            if seen.pixel_tag:
                return True
            buffer, base = window.buffer, window.base
            at = end - base
            if tag == _MODALITY:
                stop = habit.stop_tag(values[tag])
        last = tag


def _walk_any_order(
    window: Window, start: int, encoding: Encoding, limits: Limits, seen: Walk, *, tags: set[int]
) -> None:
    """Walk over elements whose order is not to be relied on; `tags` are those that came before."""
    at, largest = start, max(tags, default=-1)
    is_flagged = False
    while at != window.size and not seen.pixel_tag:
        head = encoding.head(window, at)
        if head.tag in tags:
            raise _duplicate(head.tag)
        if head.tag < largest and not is_flagged:
            is_flagged = True
            found = f"{tag_words(head.tag)} follows {tag_words(largest)}"
            seen.findings.append(Finding(code="TAGS_OUT_OF_ORDER", found=found))
        tags.add(head.tag)
        largest = max(largest, head.tag)
        at = _take(window, head, at, encoding, limits, seen)


def _walk_tail(window: Window, encoding: Encoding, limits: Limits, seen: Walk) -> None:
    """Read what follows the pixels: elements to the last byte, or bytes that are none of ours."""
    end = seen.pixel_offset + seen.pixel_length
    tail = Walk()
    try:
        _walk_any_order(window, end, encoding, limits, tail, tags={seen.pixel_tag})
    except Damage as damage:
        if damage.error is LimitReached:
            raise
        found = f"{window.size - end} bytes after the pixels"
        seen.findings.append(Finding(code="TRAILING_BYTES", found=found))
        return
    for tag in tail.values:
        if tag in seen.values:
            raise _duplicate(tag)
    seen.values.update(tail.values)
    seen.findings.extend(tail.findings)


def _take(  # noqa: PLR0917
    window: Window, head: Head, offset: int, encoding: Encoding, limits: Limits, seen: Walk
) -> int:
    """Take what is wanted of the element at `offset` and return where the next one begins."""
    tag, start = head.tag, offset + head.size
    if not 8 <= tag >> 16 < 0xFFFE:
        raise Damage.unreadable("FILE_NOT_UNDERSTOOD", f"in the data set at byte {offset}", tag=tag)
    if tag in PIXEL_TAGS:
        seen.pixel_tag, seen.pixel_offset, seen.pixel_length = tag, start, -1
        if head.length != UNDEFINED:
            seen.pixel_length = head.length
            return encoding.checked(head, offset, window.size, limits.element_bytes)
        return start
    is_wanted = tag in VR or is_private_of_interest(tag)
    if head.length == UNDEFINED:
        value_stop, end = value_end(window, head, offset, encoding, limits)
    else:
        value_stop = end = encoding.checked(head, offset, window.size, limits.element_bytes)
        if head.length > LONG_VALUE:
            _bound_nesting(window, head, offset, encoding, limits, is_wanted=is_wanted)
    irregular = f"of the odd length {head.length}" if head.length & 1 and head.length != UNDEFINED else ""
    if is_wanted:
        value = window.at(start, value_stop - start)
        seen.values[tag], words = as_listed(head, value, encoding)
        irregular = words or irregular
    if irregular:
        seen.findings.append(
            Finding(code="VALUE_IRREGULAR", found=irregular, keyword=KEYWORD.get(tag, ""), tag=tag_words(tag))
        )
    return end


def _bound_nesting(
    window: Window, head: Head, offset: int, encoding: Encoding, limits: Limits, *, is_wanted: bool
) -> None:
    """Raise when the value nests too deep; damage in sequences that nobody reads is let be."""
    is_sequence = head.vr == b"SQ" or (
        head.vr in {b"", b"UN"} and window.at(offset + head.size, 4) == encoding.item
    )
    if not is_sequence:
        return
    if head.length <= _COUNTED_BYTES:
        value = window.at(offset + head.size, head.length)
        if value.count(encoding.item) <= limits.nesting:  # as many items as levels at least
            return
    try:
        value_end(window, head, offset, encoding, limits)
    except Damage as damage:
        if is_wanted or damage.error is LimitReached:
            raise


def _require(window: Window, offset: int, n: int, tag: int) -> None:
    """Raise when the source has no n bytes from `offset` on."""
    if offset + n > window.size:
        raise Damage.unreadable(
            "FILE_TRUNCATED",
            f"at or after {tag_words(max(tag, 0))} the file ends at byte {window.size}",
            expected=f"{n} bytes at {offset}",
        )


def _duplicate(tag: int) -> Damage:
    return Damage.unreadable("DUPLICATE_TAGS", "there twice", tag=tag, expected="once")
