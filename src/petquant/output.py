"""An output is a file that appears whole or not at all.

It is written beside its destination under ``.NAME.PID.tmp`` with mode 0600, flushed, synced and moved into
place; what stood there before stands until then, and is put back when one of several files that belong
together cannot be placed. A temporary file whose process is gone is swept away by the next output to the same
place.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from petquant.errors import OutputFailed

__all__ = ["Content", "sweep_folder", "write_all", "write_whole"]

Content = bytes | Callable[[BinaryIO], None]


def write_whole(path: str | os.PathLike[str], content: Content, *, is_private: bool = False) -> None:
    """Write one file whole or not at all; see `write_all`."""
    write_all({Path(path): content}, is_private=is_private)


def write_all(contents: Mapping[Path, Content], *, is_private: bool = False) -> None:
    """Write files that belong together: none is put in place before all are complete.

    Parameters
    ----------
    contents
        Destination to its bytes, or to a function that writes them to an open binary file. The folders must
        exist.
    is_private
        Whether their owner alone may read them, whatever the mask of permissions.

    Raises
    ------
    OutputFailed
        When a folder is missing or read-only, the disk is full, or a size limit is reached.
    """
    own = f"{os.getpid()}.tmp"
    temporaries = {path: path.with_name(f".{path.name}.{own}") for path in contents}
    kept = {path: path.with_name(f".{path.name}.old.{own}") for path in contents}
    destination = Path()
    try:
        for destination, content in contents.items():
            _sweep(destination)
            _write(temporaries[destination], content)
        with _undone_on_error(kept) as placed:
            for destination, temporary in temporaries.items():
                _keep(destination, kept[destination])
                if not is_private:
                    temporary.chmod(0o666 & ~_umask())
                placed.append(destination)
                temporary.replace(destination)
            for folder in {path.parent for path in contents}:
                _sync_folder(folder)
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{destination} could not be written: {error.strerror or error}",
            expected="an existing folder that can be written, with room",
            remedy="what stood there before still stands; choose another place",
            path=str(destination),
        ) from error
    finally:
        for leftover in (*temporaries.values(), *kept.values()):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _keep(destination: Path, kept: Path) -> None:
    """Give what stands at `destination` a second name, where something does."""
    if not os.path.lexists(destination):
        return
    try:
        os.link(destination, kept, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(destination, kept, follow_symlinks=False)


@contextmanager
def _undone_on_error(kept: Mapping[Path, Path]) -> Iterator[list[Path]]:
    """Take back the files placed, a list that the block fills, when not all of them could be."""
    placed: list[Path] = []
    try:
        yield placed
    except BaseException:
        for destination in placed:
            with suppress(OSError):
                if os.path.lexists(kept[destination]):
                    kept[destination].replace(destination)
                else:
                    destination.unlink(missing_ok=True)
        raise


def _write(temporary: Path, content: Content) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            content(file)
        file.flush()
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sweep_folder(folder: Path) -> None:
    """Remove the temporary files of dead processes for every destination in a folder."""
    _sweep_names(folder, ".+")


def _sweep(destination: Path) -> None:
    """Remove temporary files of processes that died while writing to `destination`."""
    _sweep_names(destination.parent, re.escape(destination.name))


def _sweep_names(folder: Path, names: str) -> None:
    """Remove the temporary files of dead processes for destinations of the pattern `names`.

    One that bears our own number is of a process before us: in containers the numbers come again.
    """
    pattern = re.compile(rf"\.{names}(?:\.old)?\.(\d+)\.tmp")
    with os.scandir(folder) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match and (int(match[1]) == os.getpid() or not _is_alive(int(match[1]))):
                with suppress(OSError):  # another user's
                    Path(entry.path).unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make the new name durable where folders can be synced (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
