"""Reliability 86 to 98: full disks, signals, odd locales and clocks, readers that leave, inputs that change.

What happens in the middle of a run is brought about by a ``sitecustomize`` module: an audit hook sees the
run open, rename and connect, and acts at that very moment.
"""

from __future__ import annotations

import ast
import errno
import io
import os
import pathlib
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from petquant_cli.main import main
from petquant_phantoms import TINY, Study, pet_datasets, write_datasets

from petquant import output

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sys.executable).with_name("petquant")
COMMAND = (
    (str(INSTALLED),)
    if INSTALLED.exists()
    else (sys.executable, "-c", "from petquant_cli.main import main; main()")
)
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals, limits and mounts")


@pytest.fixture
def hooked(tmp_path) -> Callable[[str], dict[str, str]]:
    """Return the environment of a run whose interpreter executes `code` as it starts."""

    def environment(code: str) -> dict[str, str]:
        folder = tmp_path / "hook"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}

    return environment


def outcome(arguments: list[Any], **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], check=False, **how)


# 86, 87: no room

OLD = b"what stood there before\n"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of three pages of 4 KiB, the first holding an earlier result, the others full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=12k", "tmpfs", disk], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("name", ["numbers.csv", "numbers.json", "suv.nii.gz"])
def test_bad_086_full_disk_leaves_what_stood_there(petquant, tiny, small_disk, name):
    for place in {name, name.replace(".nii.gz", ".json")}:
        (small_disk / place).write_bytes(OLD)
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
    before = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    verb = ("convert", tiny.dicom) if "nii" in name else ("suv", tiny.dicom, "--roi", tiny.lesions)
    result = petquant(*verb, "--out", small_disk / name)
    assert result.code == 6
    assert result.codes == ["OUTPUT_FAILED"]
    assert "No space left" in result.err
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == before


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_bad_086_full_stdout_is_said(tiny, form):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        run = outcome(
            ["suv", tiny.dicom, "--roi", tiny.lesions, "--format", form], stdout=full, stderr=subprocess.PIPE
        )
    assert run.returncode == 6
    assert b"petquant: OUTPUT_FAILED: stdout" in run.stderr
    assert b"Traceback" not in run.stderr


class Fault:
    """The k-th of a kind of acts on outputs fails as a full disk does; none when k is 0."""

    def __init__(self, kind: str, k: int) -> None:
        self.kind, self.k, self.seen = kind, k, 0

    def at(self, kind: str) -> None:
        if kind == self.kind:
            self.seen += 1
            if self.seen == self.k:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FaultyFile:
    """An open output; a failing close has closed, as it has on a network disk."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self.file, self.fault = file, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.fault.at("close")

    def write(self, content: Any) -> int:
        self.fault.at("write")
        return self.file.write(content)

    def flush(self) -> None:
        self.fault.at("flush")
        self.file.flush()


class FaultyOs:
    """The module os as the outputs see it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, *args: Any) -> int:
        self.fault.at("open")
        return os.open(*args)

    def fdopen(self, *args: Any) -> FaultyFile:
        return FaultyFile(os.fdopen(*args), self.fault)

    def fsync(self, descriptor: int) -> None:
        self.fault.at("fsync")
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)
        self.fault.at("close")


def run_with(fault: Fault, monkeypatch: pytest.MonkeyPatch, *args: object) -> tuple[int, str]:
    """Run the command in this process while `fault` watches its outputs; exit code and words."""
    rename, chmod = pathlib.Path.replace, pathlib.Path.chmod

    def replace(path: Path, target: Path) -> Path:
        if not path.name.startswith(".") or ".old." not in path.name:  # taking back must not fail as well
            fault.at("rename")
        return rename(path, target)

    def change_mode(path: Path, mode: int) -> None:
        fault.at("chmod")
        chmod(path, mode)

    terminated, words = signal.getsignal(signal.SIGTERM), io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(output, "os", FaultyOs(fault))
        patch.setattr(pathlib.Path, "replace", replace)
        patch.setattr(pathlib.Path, "chmod", change_mode)
        patch.setattr(sys, "argv", ["petquant", *map(str, args)])
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
        patch.setattr(sys, "stderr", words)
        with pytest.raises(SystemExit) as left:
            main()
    signal.signal(signal.SIGTERM, terminated)
    return left.value.code, words.getvalue()


@pytest.mark.parametrize("has_old", [True, False], ids=["over an old result", "in an empty folder"])
@pytest.mark.parametrize("verb", ["suv", "convert"])
@pytest.mark.parametrize("kind", ["open", "write", "flush", "fsync", "close", "chmod", "rename"])
def test_bad_086_fault_at_any_act_leaves_what_stood_there(
    tiny, tmp_path, monkeypatch, *, kind, verb, has_old
):
    folder = tmp_path / "results"
    folder.mkdir()
    names = ["suv.nii.gz", "suv.json"] if verb == "convert" else ["suv.csv"]
    args = [verb, tiny.dicom, "--out", folder / names[0]]
    args += ["--roi", tiny.lesions] if verb == "suv" else []

    counted = Fault(kind, 0)
    assert run_with(counted, monkeypatch, *args)[0] == 0
    assert counted.seen >= len(names), "the fault sees no act at all"
    before = dict.fromkeys(names, OLD) if has_old else {}
    for k in range(1, counted.seen + 1):
        for path in folder.iterdir():
            path.unlink()
        for name, content in before.items():
            (folder / name).write_bytes(content)
        code, words = run_with(Fault(kind, k), monkeypatch, *args)
        assert code == 6, (k, words)
        assert "petquant: OUTPUT_FAILED: " in words
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, k


def test_bad_086_disk_without_hard_links_is_written_all_the_same(tiny, tmp_path, monkeypatch):
    class NoLinks(FaultyOs):
        def link(self, *_args: Any, **_how: Any) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    (tmp_path / "suv.csv").write_bytes(OLD)
    monkeypatch.setattr(sys.modules[__name__], "FaultyOs", NoLinks)
    args = ("suv", tiny.dicom, "--roi", tiny.lesions, "--out", tmp_path / "suv.csv")
    assert run_with(Fault("rename", 0), monkeypatch, *args)[0] == 0
    assert (tmp_path / "suv.csv").read_bytes().startswith(b"study_key,")
    assert run_with(Fault("rename", 1), monkeypatch, *args)[0] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["suv.csv"]


@pytest.mark.parametrize("name", ["numbers.json", "suv.nii"])
def test_bad_087_file_size_limit_leaves_no_partial_file(petquant, tiny, tmp_path, name):
    # 4 KiB; the JSON takes 20, the volume 8
    limited = ("bash", "-c", 'ulimit -f 4 && exec "$@"', "bash")
    (tmp_path / name).write_bytes(OLD)
    before = {path.name for path in tmp_path.iterdir()}
    verb = ("convert", tiny.dicom) if "nii" in name else ("suv", tiny.dicom, "--roi", tiny.lesions)
    result = petquant(*verb, "--out", tmp_path / name, prefix=limited)
    assert result.code == 6
    assert result.codes == ["OUTPUT_FAILED"]
    assert "File too large" in result.err
    assert (tmp_path / name).read_bytes() == OLD
    assert {path.name for path in tmp_path.iterdir()} == before


# 88: nowhere to write


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user may enter, with the tiny study in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def unprivileged(public, tiny) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the command as a user without rights on a study that anyone may read."""
    shutil.copytree(tiny.root, public / "tiny")
    (public / "tiny").chmod(0o755)
    prefix = NOBODY if os.getuid() == 0 else ()
    if prefix and shutil.which("setpriv") is None:
        pytest.skip("root cannot give up its rights here")

    def run(*args: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        kept = {key: value for key, value in os.environ.items() if key != "HOME"}
        return subprocess.run(
            [*prefix, *COMMAND, *map(str, args)],
            capture_output=True,
            check=False,
            cwd=public,
            env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )

    if run("--version").returncode:
        pytest.skip("the interpreter is not readable for a user without rights")
    return run


def test_bad_088_read_only_folder_is_said_clearly(unprivileged, public):
    folder = public / "results"
    folder.mkdir(mode=0o755)
    folder.chmod(0o555)
    study = (public / "tiny/study", "--roi", public / "tiny/rois/lesions.nii.gz")
    for args in (
        ("suv", *study, "--out", folder / "numbers.csv"),
        ("convert", study[0], "--out", folder / "suv.nii.gz"),
        ("lock", study[0], "--out", folder / "MANIFEST"),
    ):
        run = unprivileged(*args)
        assert run.returncode == 6, run.stderr
        assert run.stderr.startswith(b"petquant: OUTPUT_FAILED: ")
        assert b"Permission denied" in run.stderr
        assert not list(folder.iterdir())


@pytest.mark.parametrize("place", ["missing/numbers.csv", "file/numbers.csv", "folder.csv"])
def test_bad_088_place_that_is_none_is_said_clearly(petquant, tiny, tmp_path, untouched, place):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.csv").mkdir()
    with untouched():
        result = petquant("suv", tiny.dicom, "--roi", tiny.lesions, "--out", tmp_path / place)
    assert result.code == 6
    assert result.codes == ["OUTPUT_FAILED"]


def test_bad_088_neither_home_nor_cache_is_needed(unprivileged, public):
    home = public / "home"
    home.mkdir()
    home.chmod(0o555)
    study = (public / "tiny/study", "--roi", public / "tiny/rois/lesions.nii.gz")
    for args in (
        ("suv", *study, "--format", "json"),
        ("check", study[0], "--format", "json"),
        ("info", "--json"),
    ):
        runs = [
            unprivileged(*args),
            unprivileged(*args, env={"HOME": "/nonexistent"}),
            unprivileged(*args, env={"HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(home)}),
        ]
        assert [run.returncode for run in runs] == [0, 0, 0], [run.stderr for run in runs]
        assert len({run.stdout for run in runs}) == 1
    assert not list(home.iterdir())


# 90: signals

SIGNAL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits SIGINT ignored
seen = []

def hook(event, args):
    if "sent" in seen:
        return
    if event == {event!r} and {words!r} in os.fsdecode(args[0]):
        seen.append("once")
        if len(seen) == {nth}:
            seen.append("sent")
            os.kill(os.getpid(), signal.{name})

sys.addaudithook(hook)
"""
MOMENTS = {
    "reading": ("open", "IM0003.dcm", 2),  # the first time for its header, the second for its pixels
    "writing": ("open", ".tmp", 1),
    "placing": ("os.rename", ".tmp", 1),
}


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("verb", ["suv", "convert"])
def test_bad_090_signal_leaves_nothing_partial(petquant, tiny, tmp_path, hooked, *, verb, moment, name, code):
    event, words, nth = MOMENTS[moment]
    env = hooked(SIGNAL.format(event=event, words=words, nth=nth, name=name))
    folder = tmp_path / "results"
    folder.mkdir()
    names = ["suv.nii.gz", "suv.json"] if verb == "convert" else ["suv.csv"]
    for old in names:
        (folder / old).write_bytes(OLD)
    args = [verb, tiny.dicom, "--out", folder / names[0]]
    args += ["--roi", tiny.lesions] if verb == "suv" else []
    result = petquant(*args, env=env)
    assert result.code == code, result.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == dict.fromkeys(names, OLD)


# 92: memory


def test_bad_092_memory_that_does_not_suffice_is_a_limit(petquant, tmp_path, untouched):
    # 8 slices of 8192 x 8192 numbers of 2 bytes, 1 GB, that lie in files with holes
    n = 8192
    datasets = pet_datasets(TINY)
    for dataset in datasets:
        dataset.Rows = dataset.Columns = n
        del dataset.PixelData
    for path in write_datasets(datasets, tmp_path / "study"):
        with path.open("ab") as file:
            n_bytes = 2 * n * n
            file.write(b"\xe0\x7f\x10\x00OW\0\0" + n_bytes.to_bytes(4, "little"))
            file.truncate(file.tell() + n_bytes)
    limited = ("bash", "-c", 'ulimit -v 1000000 && exec "$@"', "bash")
    with untouched():
        result = petquant(
            "convert",
            tmp_path / "study",
            "--out",
            tmp_path / "suv.nii.gz",
            prefix=limited,
            env={"OPENBLAS_NUM_THREADS": "1"},
        )
    assert result.code == 7, result.err
    assert result.codes == ["MEMORY_EXHAUSTED"]


# 94, 95: locale, terminal, clock

NAMES = '{"1": "Läsion ✓ İı", "2": "b"}'


@pytest.fixture(scope="module")
def results(tiny, tmp_path_factory) -> Callable[..., dict[str, bytes]]:
    """Return what the commands give in an environment: data by name."""

    def run(env: Mapping[str, str]) -> dict[str, bytes]:
        folder = tmp_path_factory.mktemp("results")
        (folder / "names.json").write_text(NAMES, encoding="utf-8")
        study = ("suv", tiny.dicom, "--roi", tiny.lesions, "--labels", folder / "names.json")
        found = {}
        for name, args in {
            "json": (*study, "--format", "json"),
            "csv": study,  # no terminal: the default
            "volume": ("convert", tiny.dicom, "--out", "suv.nii.gz"),
        }.items():
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
            done = outcome(list(args), capture_output=True, env={**kept, **env}, cwd=folder)
            assert done.returncode == 0, done.stderr
            found[name] = done.stdout
        for name in ("suv.nii.gz", "suv.json"):
            found[name] = (folder / name).read_bytes()
        return found

    return run


@pytest.fixture(scope="module")
def usual(results) -> dict[str, bytes]:
    return results({"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"})


ENVIRONMENTS = {
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "1"},
    "comma": {"LANG": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8", "PYTHONHASHSEED": "random"},
    "dotless i": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TERM": "dumb", "COLUMNS": "20"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1", "NO_COLOR": "1", "FORCE_COLOR": "1"},
}


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_bad_094_locale_does_not_touch_the_bytes(results, usual, env):
    assert "Läsion ✓ İı" in usual["csv"].decode()
    assert results(env) == usual


def test_bad_094_terminal_does_not_touch_a_file(tiny, tmp_path):
    for form in ("csv", "json"):
        args = ["suv", tiny.dicom, "--roi", tiny.lesions]
        piped = outcome([*args, "--format", form], capture_output=True)
        ours, theirs = pty.openpty()
        try:
            out = tmp_path / f"numbers.{form}"
            run = outcome([*args, "--out", out], stdin=theirs, stdout=theirs, stderr=theirs)
        finally:
            os.close(ours)
            os.close(theirs)
        assert run.returncode == 0
        assert out.read_bytes() == piped.stdout


def test_bad_094_table_can_be_said_in_ascii(petquant, tiny, tmp_path):
    (tmp_path / "names.json").write_text(NAMES, encoding="utf-8")
    result = petquant(
        "suv",
        tiny.dicom,
        "--roi",
        tiny.lesions,
        "--labels",
        tmp_path / "names.json",
        "--format",
        "table",
        env=ENVIRONMENTS["ASCII"],
    )
    assert result.code == 0, result.err
    assert rb"L\xe4sion \u2713" in result.out


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_bad_095_time_zone_of_the_machine_does_not_touch_the_bytes(results, usual, zone):
    assert results({"TZ": zone}) == usual


CLOCK = """
import time
time.time = lambda: {now}
time.time_ns = lambda: {now} * 10**9
time.localtime = time.gmtime = time.strftime = None
"""


@pytest.mark.parametrize("now", [0, 4_000_000_000], ids=["1970", "2096"])
def test_bad_095_wrong_clock_does_not_touch_the_bytes(results, usual, hooked, now):
    assert results(hooked(CLOCK.format(now=now))) == usual


DIARY = ROOT / "src/petquant/batch/run_log.py"  # says when a batch did what; nothing is made from it


def test_bad_095_nothing_asks_the_clock():
    asked = {"now", "utcnow", "today", "time", "time_ns", "localtime", "strftime"}
    for path in {*(ROOT / "src").rglob("*.py"), *(ROOT / "cli").rglob("*.py")} - {DIARY}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in asked
            ):
                owner = ast.unparse(node.func.value)
                assert owner not in {"datetime", "date", "time", "datetime.datetime"}, f"{path}:{node.lineno}"


# 96: readers that leave

READ_BY_NOBODY = {
    "csv": ["suv", "{study}", "--roi", "{roi}", "--format", "csv"],
    "json": ["suv", "{study}", "--roi", "{roi}", "--format", "json"],
    "table": ["suv", "{study}", "--roi", "{roi}", "--format", "table"],
    "check": ["check", "{study}"],
    "info": ["info"],
    "lock": ["lock", "{study}"],
    "help": ["--help"],
}


def _filled(words: list[str], tiny: Study) -> list[str]:
    return [word.format(study=tiny.dicom, roi=tiny.lesions) for word in words]


@pytest.mark.parametrize("words", READ_BY_NOBODY.values(), ids=READ_BY_NOBODY)
def test_bad_096_reader_that_has_left_is_no_error(tiny, words):
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        run = outcome(_filled(words, tiny), stdout=theirs, stderr=subprocess.PIPE)
    finally:
        os.close(theirs)
    assert run.returncode == 0, run.stderr
    assert b"Traceback" not in run.stderr
    assert b"Broken" not in run.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "| head -c 1 >/dev/null", "<&-"])
def test_bad_096_closed_streams_are_no_error(tiny, redirection):
    words = " ".join(_filled(READ_BY_NOBODY["csv"], tiny))
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join(COMMAND)} {words} {redirection}"],
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == b""


def test_bad_096_closed_stderr_keeps_the_exit_code(tmp_path):
    for redirection in ("2>&-", "2>/dev/full"):
        line = f"{shlex.join(COMMAND)} suv {tmp_path}/absent --roi absent {redirection}"
        assert subprocess.run(["bash", "-c", line], check=False).returncode == 2


# 97: inputs that change

CHANGE = """
import os, sys
target, done = {target!r}, []

def hook(event, args):
    if event == "open" and not done and os.fsdecode(args[0]).endswith("IM0001.dcm"):
        hook.seen += 1
        if hook.seen == {nth}:
            done.append(True)
            {act}

hook.seen = 0
sys.addaudithook(hook)
"""
FLIP = "f = open(target, 'r+b'); f.seek(-9, 2); f.write(b'!'); f.close()"
ACTS = {
    "grown": "f = open(target, 'ab'); f.write(b'\\0\\0'); f.close()",
    "another pixel": FLIP,
    "touched": "os.utime(target)",
    "removed": "os.unlink(target)",
}


@pytest.mark.parametrize("slice_", ["IM0001.dcm", "IM0008.dcm"], ids=["being read", "still to be read"])
@pytest.mark.parametrize("act", ACTS)
def test_bad_097_input_that_changes_is_refused(petquant, study_of, tmp_path, hooked, *, act, slice_):
    study = study_of()
    env = hooked(CHANGE.format(target=str(study.pet / slice_), nth=2, act=ACTS[act]))
    out = tmp_path / "numbers.csv"
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--out", out, env=env)
    assert not out.exists()
    if act == "removed":
        assert result.code in {3, 4}
        assert set(result.codes) <= {"INPUT_CHANGED", "FILE_UNREADABLE"}
        return
    assert result.code == 4, result.err
    assert set(result.codes) == {"INPUT_CHANGED"}
    assert slice_ in result.err


def test_bad_097_slice_that_changes_after_it_was_read_is_refused(petquant, study_of, tmp_path, hooked):
    study = study_of()
    act = f"target = {str(study.pet / 'IM0001.dcm')!r}; {FLIP}"
    code = CHANGE.format(target="", nth=2, act=act).replace(
        'endswith("IM0001.dcm")', 'endswith("IM0002.dcm")'
    )
    out = tmp_path / "suv.nii.gz"
    result = petquant("convert", study.dicom, "--out", out, env=hooked(code))
    assert result.code == 4, result.err
    assert result.codes == ["INPUT_CHANGED"]
    assert not out.exists()


def test_bad_097_changed_bit_with_its_time_set_back_is_seen_by_the_manifest(
    petquant, study_of, tmp_path, hooked
):
    study = study_of()
    manifest = tmp_path / "MANIFEST"
    assert petquant("lock", study.dicom, "--out", manifest).code == 0
    args = ("suv", study.dicom, "--roi", study.lesions, "--manifest", manifest)
    assert petquant(*args).code == 0
    act = f"s = os.stat(target); {FLIP}; os.utime(target, ns=(s.st_atime_ns, s.st_mtime_ns))"
    # the manifest opens the slice first, then its header and its pixels are read
    env = hooked(CHANGE.format(target=str(study.pet / "IM0008.dcm"), nth=3, act=act))
    result = petquant(*args, "--out", tmp_path / "numbers.csv", env=env)
    assert result.code == 4, result.err
    assert result.codes == ["MANIFEST_MISMATCH"]
    assert "IM0008.dcm has changed" in result.err
    assert not (tmp_path / "numbers.csv").exists()


# 98: no network

NO_SOCKETS = """
import os, sys

def hook(event, args):
    if event.startswith("socket."):
        os.write(2, b"socket: " + event.encode() + b"\\n")
        os._exit(99)

sys.addaudithook(hook)
"""
EVERY_COMMAND = READ_BY_NOBODY | {
    "convert": ["convert", "{study}", "--out", "suv.nii.gz"],
    "demo": ["demo", "--out", "demo"],
    "refused": ["suv", "{study}", "--roi", "{study}"],
    "view": ["view", "{study}", "--out", "view.html"],
    "version": ["--version"],
}


def test_bad_098_the_hook_sees_a_socket(hooked):
    env = os.environ | hooked(NO_SOCKETS)
    run = subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket()"], env=env, check=False, capture_output=True
    )
    assert run.returncode == 99


@pytest.mark.parametrize("words", EVERY_COMMAND.values(), ids=EVERY_COMMAND)
def test_bad_098_no_socket_is_opened(petquant, tiny, hooked, words):
    apart = (
        shutil.which("unshare")
        and not subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode
    )
    prefix = ("unshare", "-rn") if apart else ()
    result = petquant(*_filled(words, tiny), env=hooked(NO_SOCKETS), prefix=prefix)
    assert result.code == (3 if words == EVERY_COMMAND["refused"] else 0), result.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["my_study", "--list"], "PACS_ADDRESS_INVALID"),
        (["http://pacs.example/", "--list"], "PACS_NOT_ENCRYPTED"),
        (["dicom://ARCHIVE@127.0.0.1:104", "-o", "out"], "OPTION_INVALID"),
    ],
)
def test_bad_098_a_fetch_opens_no_socket_before_its_source_is_known(petquant, hooked, words, code):
    result = petquant("fetch", *words, env=hooked(NO_SOCKETS))
    assert (result.code, result.codes) == (2, [code])
