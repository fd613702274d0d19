"""Offline is how every command runs that names no network source: libraries open no socket either.

pydicom imports requests where that is installed, to fetch sample data that petquant never asks for, and with
it comes a look for IPv6: a socket, and a fifth of the start-up.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["go_online", "offline"]

CLIENT = "requests"


@contextmanager
def offline() -> Iterator[None]:
    """Hide the client of the network from imports, unless it was imported before."""
    sys.modules.setdefault(CLIENT, cast("ModuleType", None))  # what is None there cannot be imported
    try:
        yield
    finally:
        go_online()


def go_online() -> None:
    """Let the client of the network be imported."""
    if CLIENT in sys.modules and sys.modules[CLIENT] is None:
        del sys.modules[CLIENT]
