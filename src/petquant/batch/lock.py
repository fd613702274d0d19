"""The lock of a folder: one driver at a time writes to it.

The system holds it for as long as the process lives, so that a killed driver leaves nothing to be cleared
away; the file says whose it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from petquant.errors import OutputFailed

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK", "locked"]

LOCK: Final = ".petquant.lock"
SHOWN_BYTES: Final = 200


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while the block runs.

    Raises
    ------
    OutputFailed
        OUTPUT_LOCKED, when another process holds it; OSError where there can be none.
    """
    path = folder / LOCK
    descriptor = _held(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held, so that nobody else's goes
        os.close(descriptor)


def _held(path: Path) -> int:
    """Return a descriptor of the lock file that holds its lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, SHOWN_BYTES, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise OutputFailed.of(
                "OUTPUT_LOCKED",
                f"another run writes to {path.parent}: {holder or 'it just began'}",
                expected="one run at a time",
                remedy="wait for it or stop it, or choose another folder",
                path=str(path.parent),
            ) from error
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
        os.close(descriptor)  # it was removed between open and lock
