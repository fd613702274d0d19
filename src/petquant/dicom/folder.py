"""A folder is any mess of files; here its regular files are named, each once, in an order that never changes.

Pipes, sockets and devices are not opened. A link within the folder leads to what is found anyway; a link
out of it is followed only on request. Folders are remembered by device and inode, so that no loop is endless.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from petquant.errors import Finding, UnreadableInput, UsageError

__all__ = ["LINK_OUT", "Folder", "look_into"]

LINK_OUT: Final = "link out of the folder"
_SPECIAL: Final = "special file"


@dataclass(slots=True)
class Folder:
    """What lies in a folder.

    Attributes
    ----------
    files
        Paths of the regular files.
    strays
        How many entries of each kind were passed over.
    firsts
        The first path of each kind.
    barred
        Folders that could not be listed, where that does not stop the look.
    """

    files: list[str] = field(default_factory=list)
    strays: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, str] = field(default_factory=dict)
    barred: list[Finding] = field(default_factory=list)

    def pass_over(self, kind: str, path: str) -> None:
        """Count an entry that is not read."""
        self.strays[kind] += 1
        self.firsts.setdefault(kind, path)

    def findings(self) -> tuple[Finding, ...]:
        """Return one finding for what was not opened, and one for what was ignored."""
        codes = {_SPECIAL: "NOT_A_REGULAR_FILE", LINK_OUT: "SYMLINK_NOT_FOLLOWED"}
        findings = [
            Finding(code=code, found=f"{self.strays[kind]} {kind}, the first at {self.firsts[kind]}")
            for kind, code in codes.items()
            if self.strays[kind]
        ]
        ignored = [f"{n} {kind}" for kind, n in sorted(self.strays.items()) if kind not in codes]
        if ignored:
            findings.append(Finding(code="STRAY_FILES", found=", ".join(ignored)))
        return tuple(findings)


def look_into(path: str, *, follow_symlinks: bool, passes_barred: bool = False) -> Folder:
    """Return the files of a folder and of all folders in it, or the one file that `path` is.

    Parameters
    ----------
    passes_barred
        Whether a folder that cannot be listed is noted and passed by; otherwise it raises.

    Raises
    ------
    UsageError
        When `path` does not exist.
    UnreadableInput
        When a folder cannot be listed.
    """
    folder = Folder()
    if not os.path.lexists(path):
        raise UsageError.of("PATH_NOT_FOUND", "does not exist", path=path)
    if Path(path).is_file():
        folder.files.append(path)
        return folder
    if not Path(path).is_dir():
        folder.pass_over(_SPECIAL, path)
        return folder
    root = os.path.realpath(path)
    seen: set[tuple[int, int]] = set()
    waiting = [path]
    while waiting:
        try:
            inside = _list(waiting.pop(), root, folder, seen, follow_symlinks=follow_symlinks)
        except UnreadableInput as error:
            if not passes_barred:
                raise
            folder.barred.extend(error.findings)
            continue
        waiting.extend(reversed(inside))
    return folder


def _list(
    path: str, root: str, folder: Folder, seen: set[tuple[int, int]], *, follow_symlinks: bool
) -> list[str]:
    """Note the files of one folder and return the folders in it."""
    try:
        status = Path(path).stat()
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE", error.strerror or str(error), path=path, expected="a folder that can be listed"
        ) from error
    folders = []
    for entry in entries:
        is_link = entry.is_symlink()
        if is_link and not Path(entry.path).exists():
            folder.pass_over("broken link", entry.path)
        elif is_link and _is_within(entry.path, root):
            folder.pass_over("link within the folder", entry.path)
        elif is_link and not follow_symlinks:
            folder.pass_over(LINK_OUT, entry.path)
        elif entry.is_dir():
            folders.append(entry.path)
        elif not entry.is_file():
            folder.pass_over(_SPECIAL, entry.path)
        elif entry.name.upper() == "DICOMDIR":
            folder.pass_over("DICOMDIR", entry.path)
        else:
            folder.files.append(entry.path)
    return folders


def _is_within(path: str, root: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), root]) == root
