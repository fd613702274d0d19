"""Libraries that reach for the network when they are imported are imported without what they reach with.

pydicom, and nibabel through it, import requests where it is installed, to download test data. requests opens
a socket as soon as it is imported, to see whether there is IPv6, and takes longer to import than pydicom.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["allow_requests", "without_requests"]

_NAME = "requests"


@contextmanager
def without_requests() -> Iterator[None]:
    """Let imports within the block find no requests, unless it is imported already."""
    if _NAME in sys.modules:  # or withheld by a block around this one
        yield
        return
    sys.modules[_NAME] = None  # type: ignore[assignment] # how Python is told that a module is not there
    try:
        yield
    finally:
        allow_requests()


def allow_requests() -> None:
    """Let requests be found again, also within a block of `without_requests`."""
    if sys.modules.get(_NAME, sys) is None:
        del sys.modules[_NAME]
