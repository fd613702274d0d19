"""JPEG Lossless is decoded by GDCM alone, in a process of its own with limits.

GDCM is the only free decoder that returns the right pixels, and one with open advisories about hostile bytes:
it never decodes in the process that holds the results. One child serves all slices; it is stopped with the
process that started it.
"""

from __future__ import annotations

import atexit
import struct
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from threading import Lock, Timer
from typing import IO, Final, cast

__all__ = ["JPEG_LOSSLESS", "decode", "is_available"]

JPEG_LOSSLESS: Final = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
TIMEOUT_S: Final = 60.0  # for one slice; the start of the child is part of the first
MEMORY_BYTES: Final = 2 * 2**30

REQUEST: Final = struct.Struct(
    "<IHHBBB?"
)  # bytes, rows, columns, bits allocated, bits stored, syntax, signed
ANSWER: Final = struct.Struct("<?I")  # whether decoded, bytes


def is_available() -> bool:
    """Whether GDCM is installed; it is not imported here."""
    return find_spec("gdcm") is not None


def decode(
    frame: bytes, shape: tuple[int, int], *, syntax: str, bits: tuple[int, int], is_signed: bool
) -> bytes:
    """Return the pixels of one code stream, little endian, row by row.

    Parameters
    ----------
    frame
        One whole code stream.
    shape
        Rows and columns.
    syntax
        One of `JPEG_LOSSLESS`.
    bits
        Allocated and stored.
    is_signed
        Whether the numbers are.

    Raises
    ------
    ValueError
        When the child cannot decode it, dies of it, or takes longer than a slice can need.
    """
    return _child().decode(
        REQUEST.pack(len(frame), *shape, *bits, JPEG_LOSSLESS.index(syntax), is_signed) + frame
    )


class _Child:
    """The process that decodes, started at the first slice and anew after one that killed it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        atexit.register(self.stop)

    def decode(self, request: bytes) -> bytes:
        with self._lock:
            process = self._running()
            watch = Timer(TIMEOUT_S, process.kill)
            watch.start()
            try:
                to_child, from_child = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
                to_child.write(request)
                to_child.flush()
                is_decoded, length = ANSWER.unpack(_exactly(from_child, ANSWER.size))
                content = _exactly(from_child, length)
            except (OSError, struct.error) as error:
                self.stop()
                raise ValueError("the decoder died, or took too long or too much memory") from error
            finally:
                watch.cancel()
        if not is_decoded:
            raise ValueError(content.decode("utf-8", errors="replace"))
        return content

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "petquant.dicom.jpeg_lossless_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what it did not take before it died
                    continue


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) != length:
        raise OSError("the stream ends")
    return content


@cache
def _child() -> _Child:
    return _Child()
