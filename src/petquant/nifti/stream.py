"""A byte stream is the content of a plain or gzipped file, read forward in pieces of bounded size.

What a file is, its first bytes decide, never its suffix. Inflated bytes are never held all at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from petquant.errors import UnreadableInput, UsageError

__all__ = ["ByteStream", "open_stream"]

PIECE_BYTES = 2**20
GZIP = b"\x1f\x8b"
COMPRESSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
FOREIGN = {b"\x93NUMPY": "a NumPy array", b"NRRD000": "NRRD", b"\x89HDF": "HDF5", b"%PDF": "PDF"}


class ByteStream:
    """Bytes that are taken once, from the front."""

    def __init__(self, pieces: Iterator[bytes], path: Path) -> None:
        self.path = path
        self._pieces = pieces
        self._ahead = b""

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises
        ------
        UnreadableInput
            FILE_TRUNCATED, when there are fewer.
        """
        while len(self._ahead) < count:
            piece = next(self._pieces, None)
            if piece is None:
                raise truncated(self.path, f"{count} bytes were expected and {len(self._ahead)} are there")
            self._ahead += piece
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        while count:
            count -= len(self.take(min(count, PIECE_BYTES)))

    def rest(self) -> Iterator[bytes]:
        """Yield what is left, piece by piece."""
        ahead, self._ahead = self._ahead, b""
        if ahead:
            yield ahead
        yield from self._pieces


@contextmanager
def open_stream(path: Path) -> Iterator[ByteStream]:
    """Open the content of a plain or gzipped file.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE; COMPRESSION_UNSUPPORTED or FORMAT_UNSUPPORTED, which name the format; while bytes are
        taken also FILE_TRUNCATED and FILE_NOT_UNDERSTOOD.
    """
    if not path.exists():
        raise UsageError.of("PATH_NOT_FOUND", "does not exist", path=str(path))
    if not path.is_file():
        raise UnreadableInput.of("FORMAT_UNSUPPORTED", "not a regular file", path=str(path))
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableInput.of("FILE_UNREADABLE", f"{error.strerror}", path=str(path)) from error
    with file:
        start = file.read(8)
        file.seek(0)
        for magic, name in COMPRESSED.items():
            if start.startswith(magic):
                raise UnreadableInput.of(
                    "COMPRESSION_UNSUPPORTED",
                    f"compressed with {name}",
                    remedy="unpack it first",
                    path=str(path),
                )
        for magic, name in FOREIGN.items():
            if start.startswith(magic):
                raise UnreadableInput.of("FORMAT_UNSUPPORTED", f"the file is {name}", path=str(path))
        pieces = _inflated(file, path) if start.startswith(GZIP) else _plain(file)
        yield ByteStream(pieces, path)


def truncated(path: Path, found: str) -> UnreadableInput:
    """Return the error of a file that ends too early."""
    return cast(
        "UnreadableInput",
        UnreadableInput.of("FILE_TRUNCATED", found, remedy="export the file again", path=str(path)),
    )


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _inflated(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the content of gzip members that follow each other; zeros after the last are padding."""
    packed = file.read(PIECE_BYTES)
    while packed:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise UnreadableInput.of(
                    "FILE_NOT_UNDERSTOOD", f"damaged gzip stream ({error})", path=str(path)
                ) from error
            if piece:
                yield piece
            packed = member.unconsumed_tail or (b"" if member.eof else file.read(PIECE_BYTES))
            if not packed and not piece and not member.eof:
                raise truncated(path, "the gzip stream ends early")
        packed = (member.unused_data or file.read(PIECE_BYTES)).lstrip(b"\x00")
