"""Cores are the processors that this process may use; a queue may give it only some of the machine."""

from __future__ import annotations

import os

__all__ = ["cores"]


def cores() -> int:
    """Return their number."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
