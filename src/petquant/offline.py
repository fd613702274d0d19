"""Libraries that would reach for the network when they are imported are imported without what they reach with.

pydicom, and nibabel through it, import requests where it is installed, to download test data; requests opens a
socket as soon as it is imported, to see whether there is IPv6, and takes longer to import than pydicom.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_requests"]


@contextmanager
def without_requests() -> Iterator[None]:
    """Let imports within the block find no requests, unless it is imported already."""
    if "requests" in sys.modules:
        yield
        return
    sys.modules["requests"] = None  # type: ignore[assignment] # how Python is told that a module is not there
    try:
        yield
    finally:
        del sys.modules["requests"]
