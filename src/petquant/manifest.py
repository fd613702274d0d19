"""A manifest locks a study: the SHA-256 of every file, so that a single changed bit is seen.

Of a NIfTI image the side-car and the table of participants that are read with it are locked as well. A
manifest is the text that ``sha256sum`` writes and reads: hash, two blanks, path relative to the study. Where
a name holds a line break or a backslash, it is escaped and a backslash begins the line.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from petquant.errors import Finding, PetquantError, Refused, UnreadableInput

__all__ = ["lock", "verify"]

_LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_BACKSLASH = "\\"
_ESCAPES = {_BACKSLASH: r"\\", "\n": r"\n", "\r": r"\r"}


def lock(study: str | os.PathLike[str]) -> bytes:
    """Return the manifest of a study: one line a regular file, in the order of their paths.

    Paths are relative to the study, or, of one file, to its folder.

    Raises
    ------
    UnreadableInput
        When the study holds no file, or one cannot be read.
    """
    root = Path(study)
    lines = [_line(_sha256(path), _relative(path, root)) for path in _files(root)]
    if not lines:
        raise UnreadableInput.of("NO_FILES", f"{root} holds no file", remedy="give the folder of the study")
    return "".join(lines).encode("utf-8", "surrogateescape")


def verify(study: str | os.PathLike[str], manifest: str | os.PathLike[str]) -> str:
    """Hold a study to its manifest and return the SHA-256 of the manifest itself.

    Raises
    ------
    UnreadableInput
        When the manifest cannot be read.
    Refused
        MANIFEST_MISMATCH, one finding for each file that is changed, missing or new.
    """
    root = Path(study)
    content = _content(Path(manifest))
    expected = {}
    for line in content.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if content else ():
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise UnreadableInput.of(
                "SIDECAR_INVALID",
                f"{manifest} has a line that is no hash and path",
                expected="lines as petquant lock writes them",
                path=str(manifest),
            )
        expected[_unescaped(match[3]) if match[1] else match[3]] = match[2]
    found = {_relative(path, root): path for path in _files(root)}
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is not in the manifest" for name in found if name not in expected]
    problems += [
        f"{name} has changed"
        for name, path in found.items()
        if name in expected and _sha256(path) != expected[name]
    ]
    if problems:
        raise _mismatch(sorted(problems), str(manifest))
    return hashlib.sha256(content).hexdigest()


def _line(sha256: str, name: str) -> str:
    escaped = "".join(_ESCAPES.get(character, character) for character in name)
    return f"{'' if escaped == name else _BACKSLASH}{sha256}  {escaped}\n"


def _unescaped(name: str) -> str:
    characters = {escape: character for character, escape in _ESCAPES.items()}
    return re.sub(r"\\.", lambda match: characters.get(match[0], match[0]), name)


def _content(manifest: Path) -> bytes:
    if not manifest.is_file():
        raise UnreadableInput.of(
            "SIDECAR_INVALID",
            "no regular file",
            expected="what petquant lock wrote",
            path=str(manifest),
        )
    try:
        return manifest.read_bytes()
    except OSError as error:
        raise _unreadable(manifest, error) from error


def _unreadable(path: Path, error: OSError) -> PetquantError:
    return UnreadableInput.of(
        "FILE_UNREADABLE", error.strerror or str(error), expected="a file that can be read", path=str(path)
    )


def _mismatch(problems: list[str], manifest: str) -> PetquantError:
    return Refused.because(
        *(
            Finding(
                code="MANIFEST_MISMATCH",
                found=problem,
                expected=f"the files that {manifest} locked",
                remedy="restore the file, or lock the study again",
                where="--manifest",
            )
            for problem in problems
        )
    )


def _files(root: Path) -> list[Path]:
    if root.is_file():
        from petquant.sidecar.pairs import companions  # noqa: PLC0415 - not needed for a folder

        return [root, *companions(root)]
    found = []
    for folder, _, names in os.walk(root):
        found += [Path(folder, name) for name in names]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root.parent if root.is_file() else root)).as_posix()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
