"""An archive is a study in a zip file; it is unpacked member by member into a private folder that goes again.

Names inside it are never paths: files get a number and what is harmless of their name. What no honest archive
has (members that lie over each other, links, ways out of the folder, bombs) is an error.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.errors import LimitReached, PetquantError, UnreadableInput

__all__ = ["unpacked"]

_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL_HEADER: Final = 30  # bytes before name and data of a member
_PIECE: Final = 1 << 20
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


@contextmanager
def unpacked(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Iterator[str]:
    """Give the path of a study to read: `path` itself, or, of a zip file, a folder with its members.

    The folder is private (mode 0700) and is removed at the end, whatever happens.

    Raises
    ------
    UnreadableInput
        ARCHIVE_UNSAFE for members that lead out of the folder, are links, are encrypted or lie over each
        other; FILE_NOT_UNDERSTOOD for a broken archive.
    LimitReached
        When it holds more members, or inflates to more, than `limits` allow.
    """
    archive = Path(path)
    if not archive.is_file() or not _is_zip(archive):
        yield os.fspath(path)
        return
    with tempfile.TemporaryDirectory(prefix="petquant_") as folder:
        try:
            with zipfile.ZipFile(archive) as members:
                _unpack(members, archive, Path(folder), limits)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
            raise UnreadableInput.of(
                "FILE_NOT_UNDERSTOOD",
                f"the zip file cannot be unpacked: {error}",
                expected="a whole zip file",
                remedy="pack the study again",
                path=str(archive),
            ) from error
        yield folder


def _is_zip(archive: Path) -> bool:
    try:
        with archive.open("rb") as file:
            return file.read(4) in _MAGIC
    except OSError:
        return False


def _unpack(members: zipfile.ZipFile, archive: Path, folder: Path, limits: Limits) -> None:
    found = [member for member in members.infolist() if not member.is_dir()]
    _require_honest(found, archive, limits)
    for number, member in enumerate(found):
        name = _UNSAFE.sub("_", PurePosixPath(member.filename).name)[-80:]
        target = folder / f"{number:06d}_{name}"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, members.open(member) as content:
            left = member.file_size
            while piece := content.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise _limit(archive, f"{member.filename!r} inflates beyond its declared size")
                file.write(piece)


def _require_honest(found: list[zipfile.ZipInfo], archive: Path, limits: Limits) -> None:
    """Raise what forbids to unpack, before a byte is inflated."""
    if len(found) > limits.archive_members:
        raise _limit(archive, f"{len(found)} members, more than {limits.archive_members}")
    for member in found:
        reason = _unsafe(member)
        if reason:
            raise UnreadableInput.of(
                "ARCHIVE_UNSAFE",
                f"the member {member.filename!r} {reason}",
                expected="plain files below one folder",
                remedy="unpack it with a tool that you trust, and give the folder",
                path=str(archive),
            )
    by_place = sorted(found, key=lambda member: member.header_offset)
    for before, after in pairwise(by_place):
        if before.header_offset + _LOCAL_HEADER + before.compress_size > after.header_offset:
            raise UnreadableInput.of(
                "ARCHIVE_UNSAFE",
                f"the members {before.filename!r} and {after.filename!r} lie over each other",
                expected="members behind each other",
                remedy="pack the study again",
                path=str(archive),
            )
    total = sum(member.file_size for member in found)
    packed = max(sum(member.compress_size for member in found), 1)
    if total > limits.archive_bytes:
        raise _limit(archive, f"{total} bytes inside, more than {limits.archive_bytes}")
    if total > limits.inflated_bytes and total > limits.inflation * packed:
        raise _limit(archive, f"{total} bytes inside {packed}, more than {limits.inflation} times as many")


def _unsafe(member: zipfile.ZipInfo) -> str:
    """Return why a member may not be unpacked, "" when it may."""
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or member.filename.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", member.filename):
        return "leads out of the folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 1:
        return "is encrypted"
    return ""


def _limit(archive: Path, found: str) -> PetquantError:
    return LimitReached.of(
        "INFLATION_LIMIT",
        found,
        expected="the size of an honest study",
        remedy="unpack it with a tool that you trust, and give the folder",
        path=str(archive),
    )
