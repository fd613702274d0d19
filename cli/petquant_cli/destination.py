"""Where words point to: paths that must exist, the format of an output, and its destination."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from petquant.background import Background

__all__ = [
    "apart",
    "background_of",
    "checked_format",
    "existing",
    "file_and_label",
    "file_of",
    "put",
    "read_with",
    "secret",
]

BACKGROUND = "NAME=FILE[:LABEL][,erode=MM], NAME=sphere:..., NAME=cylinder:... or NAME=auto:..."


def existing(path: Path) -> Path:
    """Return `path`.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND, when nothing is there.
    UnreadableInput
        FILE_UNREADABLE, when the way to it is barred.
    """
    from petquant.errors import UnreadableInput, UsageError

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


def file_and_label(place: str) -> tuple[Path, str | None]:
    """Return file and label of ``FILE[:LABEL]``; a file whose name ends like a label is the file.

    Raises
    ------
    PetquantError
        As `existing`.
    """
    file, colon, label = place.rpartition(":")
    if colon and label and not Path(place).exists() and Path(file).exists():
        return Path(file), label
    return existing(Path(place)), None


def background_of(text: str) -> Background:
    """Return the background that an option describes, see `BACKGROUND`.

    Raises
    ------
    UsageError
        OPTION_INVALID, PATH_NOT_FOUND.
    """
    from petquant.background import Background
    from petquant.errors import UsageError
    from petquant_cli.shapes import NUMBERS, shape_of

    name, equals, place = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UsageError.of(
            "OPTION_INVALID",
            f"--background {text}",
            expected=f"{BACKGROUND}, the name of letters, digits and _",
        )
    kind, colon, rest = place.partition(":")
    if colon and kind == "auto":
        return Background(name=name, automatic=rest)
    if colon and kind in NUMBERS:
        return Background(name=name, shape=shape_of(kind, rest, name=name, given=f"--background {text}"))
    place, erode_mm = _erosion(place, text)
    file, label = file_and_label(place)
    return Background(name=name, path=str(file), label=label, erode_mm=erode_mm)


def file_of(background: Background) -> Path | None:
    """Return the file of a background, if it has one."""
    return None if background.path is None else Path(background.path)


def _erosion(place: str, text: str) -> tuple[str, float]:
    """Return a place without its ``,erode=MM``, and that number; 0 without one."""
    from petquant.errors import UsageError

    before, comma, number = place.rpartition(",erode=")
    if not comma or Path(place).exists():
        return place, 0.0
    try:
        erode_mm = float(number)
    except ValueError:
        erode_mm = -1.0
    if not 0 < erode_mm < float("inf"):
        raise UsageError.of("OPTION_INVALID", f"--background {text}", expected="erode=MM, more than 0 mm")
    return before, erode_mm


def secret(path: Path) -> bytes:
    """Return the content of a key file.

    Raises
    ------
    UnreadableInput
        FILE_UNREADABLE.
    UsageError
        PATH_NOT_FOUND; OPTION_INVALID, when the file is empty and its pseudonyms anybody's to compute.
    """
    from petquant.errors import UnreadableInput, UsageError

    try:
        content = existing(path).read_bytes()
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a file that can be read",
            path=str(path),
        ) from error
    if not content.strip():
        raise UsageError.of("OPTION_INVALID", f"{path} is empty", expected="a file that holds a secret")
    return content


def checked_format(format_: str | None, out: Path | None, formats: tuple[str, ...]) -> str:
    """Return the format of an output: as asked for, by the suffix of its file, or by where stdout goes.

    Raises
    ------
    UsageError
        When format and suffix contradict, or none of `formats` is meant.
    """
    from petquant.errors import UsageError

    suffix = "" if out is None else out.suffix.lower().removeprefix(".")
    if format_ is not None and format_ not in formats:
        raise UsageError.of("OPTION_INVALID", f"--format {format_}", expected=f"one of {', '.join(formats)}")
    if out is None:
        return format_ or ("table" if sys.stdout.isatty() else "csv")
    files = [name for name in formats if name != "table"]
    if suffix not in files or (format_ is not None and format_ != suffix):
        raise UsageError.of(
            "OPTION_INVALID",
            f"--out {out}" + (f" with --format {format_}" if format_ else ""),
            expected=f"a suffix of {', '.join(f'.{name}' for name in files)} that says the format",
        )
    return suffix


def apart(out: Path | None, inputs: Iterable[Path | None], *, option: str = "--out") -> None:
    """Hold an output apart from what is read.

    Raises
    ------
    UsageError
        OPTION_INVALID, when the file is one of `inputs`, or lies in a folder of them and is there already.
    """
    from petquant.errors import UsageError

    if out is None or not out.exists():
        return
    target = out.resolve()
    for path in inputs:
        if path is not None and (target == path.resolve() or path.resolve() in target.parents):
            raise UsageError.of(
                "OPTION_INVALID",
                f"{option} {out} would overwrite what is read: {path}",
                expected="a place of its own",
                remedy="choose another name",
            )


def read_with(study: Path) -> list[Path]:
    """Return what is read of a study: its folder or file, and of a NIfTI image what lies beside it."""
    if not study.is_file():
        return [study]
    from petquant.sidecar.pairs import companions

    return [study, *companions(study)]


def put(content: bytes, out: Path | None, *, stdout: TextIO) -> None:
    """Write bytes to a file, whole or not at all, or to stdout; a terminal gets nothing that commands it."""
    if out is None:
        if stdout.isatty():
            content = b"\n".join(_shown(line) for line in content.split(b"\n"))
        stdout.flush()
        stdout.buffer.write(content)
        stdout.flush()
        return
    from petquant.output import write_whole

    write_whole(out, content)


def _shown(line: bytes) -> bytes:
    from petquant_cli.messages import escaped

    cells = line.decode("utf-8", "backslashreplace").split("\t")
    return "\t".join(escaped(cell) for cell in cells).encode()
