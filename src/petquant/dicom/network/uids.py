"""A UID is digits and dots (PS3.5 chapter 9); only one that is may become part of a path or of an address."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_uid"]

# Components with a leading zero break the standard and occur; one without a digit would climb in paths.
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST: Final = 64


def is_uid(text: str) -> bool:
    """Whether `text` is digits in components that dots part, at most 64 characters."""
    return len(text) <= _LONGEST and _UID.fullmatch(text) is not None
