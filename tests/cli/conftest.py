"""The installed command as a process of its own: arguments in; exit code, bytes and files out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from petquant_cli.main import main
from petquant_phantoms import TINY, Definition, Study, write_study

TIMEOUT_S = 60.0
LINE = re.compile(r"petquant: (?:note: )?[A-Z][A-Z0-9_]+: \S.*|petquant: wrote .+")
FIELDS = {
    "code",
    "path",
    "series_uid",
    "tag",
    "keyword",
    "found",
    "expected",
    "remedy",
    "exit_code",
}  # of a message as JSON, reliability.md section 2


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run left: exit code, both streams, and the largest memory it held where that was asked for."""

    code: int
    out: bytes
    err: str
    peak_mb: float = 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        """The codes of the lines on stderr that are errors, in order."""
        return re.findall(r"^petquant: ([A-Z][A-Z0-9_]+): ", self.err, flags=re.MULTILINE)

    def line(self, code: str) -> str:
        """The one line on stderr that begins with `code`."""
        (line,) = [line for line in self.err.splitlines() if line.startswith(f"petquant: {code}: ")]
        return line


# A child inherits the memory figure of the process that it was forked from; a small one in between has none.
_MEASURE = (
    "import os,sys; pid=os.posix_spawn(sys.argv[2],sys.argv[2:],os.environ); "
    "_,status,usage=os.wait4(pid,0); open(sys.argv[1],'w').write(str(usage.ru_maxrss)); "
    "sys.exit(os.waitstatus_to_exitcode(status))"
)


def _command() -> list[str]:
    installed = shutil.which("petquant", path=str(Path(sys.executable).parent))
    return [installed] if installed else [sys.executable, "-c", "from petquant_cli.main import main; main()"]


@pytest.fixture
def petquant(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Run the command in the test's own folder, with nothing to lean on: no HOME, no terminal."""
    outside = tmp_path_factory.getbasetemp()

    def run(
        *args: str | bytes | Path,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        measures: bool = False,
    ):
        environment = {key: value for key, value in os.environ.items() if key != "HOME"} | {
            "TMPDIR": str(tmp_path),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(env or {}),
        }
        words = [*prefix, *_command(), *map(_word, args)]
        with tempfile.NamedTemporaryFile(dir=outside) as peak:
            if measures:
                words = [sys.executable, "-I", "-S", "-c", _MEASURE, peak.name, *words]
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=tmp_path,
                env=environment,
                timeout=TIMEOUT_S,
                check=False,
            )
            peak_mb = float(peak.read() or 0) / 1024
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        return Result(code=done.returncode, out=done.stdout, err=err, peak_mb=peak_mb)

    return run


@pytest.fixture
def petquant_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command within this process, where no property of a process is at stake: it is faster."""

    def run(*args: str | bytes | Path):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        at_terminate = signal.getsignal(signal.SIGTERM)
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.delenv("HOME", raising=False)
            patch.setattr(sys, "argv", ["petquant", *(os.fsdecode(arg) for arg in map(_word, args))])
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            with pytest.raises(SystemExit) as left:
                main()
        signal.signal(signal.SIGTERM, at_terminate)
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue() for stream in streams)
        return Result(code=left.value.code, out=out, err=err.decode())

    return run


def _word(arg: Any) -> str | bytes:
    return arg if isinstance(arg, bytes) else str(arg)


def snapshot(folder: Path) -> dict[bytes, tuple[Any, ...]]:
    """What stands in a folder: every entry with kind, permissions, time of change and content."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for parent, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(parent, name)  # noqa: PTH118 - names that are not UTF-8
            status = os.lstat(path)
            content = ""
            if stat.S_ISREG(status.st_mode) and status.st_size < 2**22:
                with open(path, "rb") as file:  # noqa: PTH123 - the same
                    content = hashlib.sha256(file.read()).hexdigest()
            found[path] = (stat.S_IFMT(status.st_mode), status.st_mode, status.st_mtime_ns, content)
    return found


@contextmanager
def _untouched(folder: Path) -> Iterator[None]:
    before = snapshot(folder)
    yield
    after = snapshot(folder)
    assert sorted(after) == sorted(before), set(after) ^ set(before)
    assert after == before


@pytest.fixture
def untouched(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Assert that within the block nothing in the test's folder appears, goes or changes."""
    return lambda: _untouched(tmp_path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The tiny phantom, for reading only; its regions fit every variant of it."""
    return write_study(TINY, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def study_of(tmp_path: Path) -> Callable[..., Study]:
    """Write a phantom into the test's own folder, to be spoiled."""

    def write(definition: Definition = TINY, name: str = "phantom", **how: Any) -> Study:
        return write_study(definition, tmp_path / name, **how)

    return write


@pytest.fixture
def refused(
    petquant: Callable[..., Result],
    petquant_within: Callable[..., Result],
    untouched: Callable[[], AbstractContextManager[None]],
    tiny: Study,
) -> Callable[..., Result]:
    """Run ``petquant suv`` on what must not give a number, and hold the refusal to its contract."""

    def run(
        study: Path | bytes,
        *options: str | Path,
        code: int,
        because: str,
        roi: Path | bytes | None = None,
        **how: Any,
    ):
        roi = roi or tiny.lesions
        with untouched():
            result = petquant("suv", study, "--roi", roi, "--out", "numbers.json", *options, **how)
        assert result.code == code, result.err
        assert result.out == b""
        assert because in result.codes, result.err
        assert_words_are_in_form(result.err)
        with untouched():
            run_again = petquant if how else petquant_within
            as_json = run_again("suv", study, "--roi", roi, "--messages", "json", *options, **how)
        assert as_json.code == code
        records = [json.loads(line) for line in as_json.err.splitlines()]
        assert all(set(record) == FIELDS for record in records), records
        assert [record["code"] for record in records if record["exit_code"]] == result.codes
        assert {record["exit_code"] for record in records} == {code}
        (first, *_) = [record for record in records if record["code"] == because]
        assert first["found"]
        assert first["remedy"], "no way out"
        return result

    return run


@pytest.fixture
def computed(petquant_within: Callable[..., Result], tiny: Study) -> Callable[..., dict[str, Any]]:
    """Run ``petquant suv`` on what must give the right numbers, and return the JSON with all its flags."""

    def run(
        study: Path | bytes,
        *options: str | Path,
        truth: Study | None = None,
        flag: str = "",
    ):
        truth = truth or tiny
        result = petquant_within(
            "suv",
            study,
            "--roi",
            truth.lesions,
            "--labels",
            truth.labels,
            "--format",
            "json",
            *options,
        )
        assert result.code == 0, result.err
        assert_words_are_in_form(result.err)
        record = result.json
        assert_true(record, truth)
        if flag:
            assert flag in record["conversion"]["flags"], record["conversion"]["flags"]
            assert flag in {entry["code"] for entry in record["conversion"]["codes"]}
        return record

    return run


def assert_true(record: Mapping[str, Any], truth: Study) -> None:
    """Assert that all that the phantom knows of its lesions was measured, within its own tolerances."""
    rows = {row["roi_name"]: row for row in record["measurements"]}
    lesions = [entry for entry in truth.truth["regions"] if entry["role"] == "lesion"]
    assert set(rows) == {entry["name"] for entry in lesions}
    for entry in lesions:
        for column, want in entry["expected"].items():
            found = rows[entry["name"]][column]
            assert abs(found - want["value"]) <= want["abs_tol"], (entry["name"], column, found, want)


def assert_words_are_in_form(words: str) -> None:
    """Assert one line a cause, and no character that moves a cursor or turns the direction of writing."""
    for line in words.splitlines():
        assert LINE.fullmatch(line), line
    odd = [c for c in words if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs"}]
    assert not odd, odd
