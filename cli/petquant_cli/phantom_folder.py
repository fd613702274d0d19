"""The folder of a phantom: never one that holds anything else, and never half of a phantom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["placed", "require_own"]

MANIFEST = "MANIFEST.sha256"


def require_own(folder: Path) -> None:
    """Require a folder that is absent or empty, or holds a phantom and nothing else.

    Raises
    ------
    UsageError
        OPTION_INVALID, naming the first thing that is foreign.
    """
    from petquant.errors import UsageError

    foreign = _foreign(folder)
    if foreign is not None:
        raise UsageError.of(
            "OPTION_INVALID",
            f"--out {folder} holds what is no phantom: {foreign}",
            expected="an empty folder, or one that holds a phantom alone",
            remedy="choose another folder",
        )


def _foreign(folder: Path) -> Path | None:
    if not folder.exists():
        return folder if folder.is_symlink() else None
    if not folder.is_dir():
        return folder
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return next(iter(sorted(folder.iterdir())), None)
    lines = manifest.read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {manifest, *(folder / line.partition("  ")[2] for line in lines)}
    return next(iter(sorted(_files(folder) - listed)), None)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


@contextmanager
def placed(folder: Path) -> Iterator[Path]:
    """Yield a place inside ``folder``; afterwards what lies there replaces the phantom that stood around it.

    After an error everything is as it was before.
    """
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f".building.{os.getpid()}"
    place.mkdir()
    try:
        yield place
        for child in [path for path in folder.iterdir() if path != place]:
            if child.is_dir():
                shutil.rmtree(child)
            else:
                child.unlink()
        for child in sorted(place.iterdir()):
            child.rename(folder / child.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if not was_there:
            with suppress(OSError):  # it holds the phantom now
                folder.rmdir()
