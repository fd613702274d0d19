"""A habit is a stretch of header that file after file of a series repeats, byte for byte.

Bytes that were walked once need no second walk: where a file holds the same bytes in the same encoding, the
same elements stand there. Only what differs from slice to slice is walked in every file.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from petquant.dicom.elements import UNDEFINED, Encoding, Window
from petquant.dicom.limits import Limits
from petquant.dicom.nesting import value_end
from petquant.dicom.tags import PIXEL_TAGS, TAG

__all__ = ["Habit", "Habits", "Stretch"]

_LESSONS: Final = 40  # how often a habit is learned anew before it is left as it is
_SHORTEST: Final = 2  # elements that are worth a comparison
_KINDS: Final = 64  # encodings times storage classes


class Stretch(NamedTuple):
    """Elements that follow each other and do not change.

    Attributes
    ----------
    content
        Their bytes, heads and values.
    values
        What is wanted of them.
    first, last
        Their first and last tag.
    """

    content: bytes
    values: dict[int, bytes]
    first: int
    last: int


class Habit:
    """The stretches of one kind of file, by the 8 bytes that they begin with.

    Parameters
    ----------
    is_whole
        Whether data sets that are no PET image are walked to their end, too.
    """

    __slots__ = ("_is_whole", "_lessons", "_sample", "_varying", "stretches")

    def __init__(self, *, is_whole: bool = False) -> None:
        self._is_whole = is_whole
        self.stretches: dict[bytes, Stretch] = {}
        self._lessons = 0
        self._sample: dict[int, bytes] = {}
        self._varying: set[int] = set()

    @property
    def is_to_be_learned(self) -> bool:
        """Whether another file may teach something."""
        return self._lessons < _LESSONS

    @property
    def is_new(self) -> bool:
        """Whether fewer than two files have been compared."""
        return self._lessons < 2

    def stop_tag(self, modality: bytes) -> int:
        """Return the tag at which a walk leaves a data set: early when it is no PET image."""
        is_wanted = self._is_whole or modality.strip(b" \0") in {b"PT", b""}
        return 1 << 32 if is_wanted else TAG["SeriesNumber"] + 1

    def learn(
        self, window: Window, start: int, encoding: Encoding, limits: Limits, values: dict[int, bytes]
    ) -> None:
        """Compare a file that was walked from `start` without a finding with the one learned from before."""
        self._lessons += 1
        window.move(start)
        buffer, sample, spans = window.buffer, dict[int, bytes](), list[tuple[int, int, int]]()
        at, stop = start, self.stop_tag(values.get(TAG["Modality"], b""))
        while at + 12 <= start + len(buffer):
            head = encoding.head(window, at)
            if head.tag in PIXEL_TAGS or head.tag >= stop:
                break
            if head.length == UNDEFINED:
                end = value_end(window, head, at, encoding, limits)[1]
            else:
                end = at + head.size + head.length
            if end > start + len(buffer):
                break
            sample[head.tag] = buffer[at - start : end - start]
            spans.append((head.tag, at - start, end - start))
            at = end
        if self._sample:
            self._varying |= {
                tag for tag in sample.keys() | self._sample.keys() if sample.get(tag) != self._sample.get(tag)
            }
            self._find_stretches(buffer, spans, values)
        self._sample = sample

    def _find_stretches(
        self, buffer: bytes, spans: list[tuple[int, int, int]], values: dict[int, bytes]
    ) -> None:
        self.stretches.clear()
        run: list[tuple[int, int, int]] = []
        for span in [*spans, None]:
            if span is not None and span[0] not in self._varying and span[0] != TAG["Modality"]:
                run.append(span)
                continue
            if len(run) >= _SHORTEST:
                content = buffer[run[0][1] : run[-1][2]]
                wanted = {tag: values[tag] for tag, _, _ in run if tag in values}
                self.stretches[content[:8]] = Stretch(content, wanted, run[0][0], run[-1][0])
            run = []


class Habits:
    """The habits of the files of one folder, by encoding and storage class; `is_whole` as for each."""

    __slots__ = ("_by_kind", "_is_whole")

    def __init__(self, *, is_whole: bool = False) -> None:
        self._is_whole = is_whole
        self._by_kind: dict[tuple[bool, bool, str], Habit] = {}

    def of(self, encoding: Encoding, storage_class: str) -> Habit:
        """Return the habit of one kind of file."""
        key = (encoding.is_implicit, encoding.is_big_endian, storage_class)
        habit = self._by_kind.get(key)
        if habit is None:
            if len(self._by_kind) >= _KINDS:
                self._by_kind.clear()
            habit = self._by_kind[key] = Habit(is_whole=self._is_whole)
        return habit
