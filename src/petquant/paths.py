"""Paths that users give: they must exist, and may name a part of what they hold."""

from __future__ import annotations

import os
from pathlib import Path

from petquant.errors import UnreadableInput, UsageError

__all__ = ["existing", "file_and_label", "is_found"]


def existing(path: Path) -> Path:
    """Return `path`.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND, when nothing is there.
    UnreadableInput
        FILE_UNREADABLE, when the way to it is barred.
    """
    try:
        is_there = path.exists() or path.is_symlink()
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a path that may be entered",
            path=str(path),
        ) from error
    if not is_there:
        raise UsageError.of(
            "PATH_NOT_FOUND", f"{path} does not exist", remedy="give an existing file or folder"
        )
    return path


def is_found(path: Path) -> bool:
    """Whether something is there and may be reached; False for what can be no path."""
    return os.path.exists(path)  # noqa: PTH110 - pathlib raises where the way is barred or the name too long


def file_and_label(place: str, *, folder: Path | None = None) -> tuple[Path, str | None]:
    """Return file and label of ``FILE[:LABEL]``; a file whose name ends like a label is the file.

    Parameters
    ----------
    folder
        Where the path starts; None takes the working directory.

    Raises
    ------
    PetquantError
        As `existing`.
    """
    start = folder or Path()
    file, colon, label = place.rpartition(":")
    if colon and label and not (start / place).exists() and (start / file).exists():
        return start / file, label
    return existing(start / place), None
