"""A study of a batch is called by words for a file name, unique in the batch and the same at every call."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from petquant.sidecar.pairs import SUFFIXES

__all__ = ["names_of", "words_of"]

PACKED: Final = (*SUFFIXES, ".zip")
LONGEST: Final = 100  # with a suffix, within what file systems allow (255 bytes)


def names_of(studies: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for every study.

    Parameters
    ----------
    studies
        Words for each, such as its folder from the root on, and what tells it from all others. Words that
        several share, whatever the case of their letters, get 8 hex digits of the SHA-256 of that.
    """
    plain = [_plain(words) for words, _ in studies]
    counts = Counter(name.casefold() for name in plain)
    return [
        name
        if counts[name.casefold()] == 1 and len(name) <= LONGEST
        else f"{name[:LONGEST]}-{sha256(identity.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        for name, (_, identity) in zip(plain, studies, strict=True)
    ]


def words_of(path: str, start: Path) -> str:
    """Return a path from a folder on, without the suffix of a file; the folder's own name for itself."""
    words = os.path.relpath(path, start)
    if words == os.curdir:
        return start.resolve().name
    suffix = next((one for one in PACKED if words.lower().endswith(one) and os.path.isfile(path)), "")  # noqa: PTH113 - it never raises
    return words[: -len(suffix)] if suffix else words


def _plain(words: str) -> str:
    """Return words as letters, digits, dot, dash and underscore, beginning with none of the signs."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", words).lstrip("._-").rstrip("._")
    return name or "study"
