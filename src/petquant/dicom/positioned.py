"""Positioned reading: bytes of an open file from an offset, the same on every system."""

from __future__ import annotations

import os
from typing import Final

from petquant.errors import PetquantError, UnreadableInput

__all__ = ["open_to_read", "pread", "pread_into", "unreadable"]

# A pipe that took a file's place must not block the run; Windows must not translate line ends.
_FLAGS: Final = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
_HAS_PREAD: Final = hasattr(os, "pread") and hasattr(os, "preadv")


def open_to_read(path: str) -> int:
    """Return a descriptor of `path`; the caller closes it."""
    return os.open(path, _FLAGS)


def unreadable(path: str, error: OSError) -> PetquantError:
    """Return the error that says why a file could not be opened or read."""
    return UnreadableInput.of(
        "FILE_UNREADABLE", error.strerror or str(error), path=path, expected="a file that can be read"
    )


def pread(descriptor: int, n: int, offset: int) -> bytes:
    """Return up to `n` bytes from `offset`."""
    if _HAS_PREAD:
        return os.pread(descriptor, n, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, n)


def pread_into(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill `buffer` (bytes) from `offset` and return how many bytes there were."""
    done = 0
    while done < len(buffer):
        if _HAS_PREAD:
            n = os.preadv(descriptor, [buffer[done:]], offset + done)
        else:
            part = pread(descriptor, min(len(buffer) - done, 2**24), offset + done)
            n = len(part)
            buffer[done : done + n] = part
        if n == 0:
            break
        done += n
    return done
