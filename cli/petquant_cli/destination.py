"""Where words point to: the file of a secret, the format of an output, and its destination."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from petquant.background import Background

__all__ = [
    "apart",
    "apart_folder",
    "checked_format",
    "file_of",
    "has_names",
    "put",
    "read_with",
    "secret",
]


def file_of(background: Background) -> Path | None:
    """Return the file of a background, if it has one."""
    return None if background.path is None else Path(background.path)


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
    from petquant.paths import existing

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


def apart_folder(out: Path, inputs: Iterable[Path]) -> None:
    """Hold a folder of outputs apart from what is read.

    Raises
    ------
    UsageError
        OPTION_INVALID, when it lies in a folder that is read, or is one.
    """
    from petquant.errors import UsageError

    places = {path.resolve() for path in inputs}
    own = out.resolve()
    for folder in (own, *own.parents):
        if folder in places:
            raise UsageError.of(
                "OPTION_INVALID",
                f"--out {out} would write into what is read: {folder}",
                expected="a folder of its own",
                remedy="choose another name",
            )


def has_names(roi_names: str) -> bool:
    """Whether ``--roi-names`` keeps the names of regions.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    from petquant.errors import UsageError

    if roi_names not in {"given", "index"}:
        raise UsageError.of("OPTION_INVALID", f"--roi-names {roi_names}", expected="given or index")
    return roi_names == "given"


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
