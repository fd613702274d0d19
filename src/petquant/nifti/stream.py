"""A byte stream is the content of a plain or gzipped file, read forward in pieces of bounded size.

What a file is, its first bytes decide, never its suffix. Inflated bytes are never held all at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from petquant.errors import LimitReached, UnreadableInput, UsageError

__all__ = ["SLACK_BYTES", "ByteStream", "inflated_stream", "open_stream"]

PIECE_BYTES = 2**20
SLACK_BYTES = 4096  # what may follow the numbers: padding of writers that fill blocks
GZIP = b"\x1f\x8b"
COMPRESSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
NRRD = b"NRRD000"
FOREIGN = {b"\x93NUMPY": "a NumPy array", NRRD: "NRRD", b"\x89HDF": "HDF5", b"%PDF": "PDF"}


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

    def fill(self, buffer: memoryview) -> None:
        """Fill `buffer` (bytes) with what comes next.

        Raises
        ------
        UnreadableInput
            FILE_TRUNCATED, when there is less.
        """
        done = 0
        while done < len(buffer):
            piece = self._ahead or next(self._pieces, b"")
            if not piece:
                found = f"{len(buffer)} bytes were expected and {done} are there"
                raise truncated(self.path, found)
            n = min(len(piece), len(buffer) - done)
            buffer[done : done + n] = piece[:n]
            self._ahead = piece[n:]
            done += n

    def require_end(self, expected: str) -> None:
        """Raise when more follows than padding.

        Raises
        ------
        LimitReached
            INFLATION_LIMIT.
        """
        left = 0
        for piece in self.rest():
            left += len(piece)
            if left > SLACK_BYTES:
                raise LimitReached.of(
                    "INFLATION_LIMIT",
                    f"more than {SLACK_BYTES} bytes behind the numbers",
                    expected=expected,
                    path=str(self.path),
                )

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

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, none at the end."""
        if not self._ahead:
            self._ahead = next(self._pieces, b"")
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    def line(self, longest: int) -> bytes:
        """Return the bytes up to the next line end, without it; up to the end where none follows.

        Raises
        ------
        LimitReached
            SIZE_LIMIT, when it is longer than `longest`.
        """
        while (end := self._ahead.find(b"\n")) < 0 and len(self._ahead) <= longest:
            piece = next(self._pieces, None)
            if piece is None:
                end = len(self._ahead)
                break
            self._ahead += piece
        if end < 0 or end > longest:
            raise LimitReached.of(
                "SIZE_LIMIT", f"a line of more than {longest} bytes", expected="text", path=str(self.path)
            )
        line, self._ahead = self._ahead[:end], self._ahead[end + 1 :]
        return line.removesuffix(b"\r")

    def last(self, count: int) -> ByteStream:
        """Return the stream of the last `count` bytes.

        Raises
        ------
        UnreadableInput
            FILE_TRUNCATED, when there are fewer.
        """
        content = b"".join(self.rest())
        if len(content) < count:
            raise truncated(self.path, f"{count} bytes were expected and {len(content)} are there")
        return ByteStream(iter([content[len(content) - count :]]), self.path)


@contextmanager
def open_stream(path: Path, *, reads_nrrd: bool = False, reads_gzip: bool = True) -> Iterator[ByteStream]:
    """Open the content of a plain or gzipped file.

    Parameters
    ----------
    reads_nrrd
        Whether NRRD is no foreign format.
    reads_gzip
        Whether gzip is undone; otherwise its bytes come as they are.

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
            if start.startswith(magic) and not (reads_nrrd and magic == NRRD):
                raise UnreadableInput.of("FORMAT_UNSUPPORTED", f"the file is {name}", path=str(path))
        pieces = _inflated(file, path) if reads_gzip and start.startswith(GZIP) else _plain(file)
        yield ByteStream(pieces, path)


def inflated_stream(stream: ByteStream) -> ByteStream:
    """Return what is left of a stream, inflated."""
    return ByteStream(_inflated(stream, stream.path), stream.path)


def truncated(path: Path, found: str) -> UnreadableInput:
    """Return the error of a file that ends too early."""
    return cast(
        "UnreadableInput",
        UnreadableInput.of("FILE_TRUNCATED", found, remedy="export the file again", path=str(path)),
    )


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _inflated(file: BinaryIO | ByteStream, path: Path) -> Iterator[bytes]:
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
