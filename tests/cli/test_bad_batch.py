"""Reliability 86 and 89 to 93 of a batch: kills, signals, locks, full disks, studies that crash or hang."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest
from petquant_phantoms import TINY, pet_datasets, write_datasets

from petquant import batch
from petquant.batch import Outcome, Settings, StudyTask, run, slot
from petquant.batch import cluster as cluster_workers
from petquant.batch.collected import opened
from petquant.batch.folder import STUDIES
from petquant.batch.lock import locked
from petquant.batch.store import STORE, read_store
from petquant.batch.warm import serve
from petquant.errors import LimitReached, OutputFailed
from petquant.export.record import Privacy
from petquant.export.table import csv_lines

HERE = Path(__file__).parent
MARK = "PETQUANT_TEST_OF"  # in the environment of every process of a test
KEYED = Privacy(key=b"secret")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a batch needs a system that forks")


@pytest.fixture
def faults(monkeypatch, tmp_path) -> ModuleType:
    """The measures that misbehave, importable here and in every process that is started."""
    monkeypatch.syspath_prepend(HERE)
    path = filter(None, [str(HERE), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv(MARK, str(tmp_path))
    return importlib.import_module("batch_faults")


@pytest.fixture(scope="module")
def weightless(tmp_path_factory) -> Path:
    datasets = pet_datasets(TINY)
    for dataset in datasets:
        del dataset.PatientWeight
    folder = tmp_path_factory.mktemp("weightless")
    write_datasets(datasets, folder)
    return folder


def tasks_on(tiny, *names: str, **how) -> list[StudyTask]:
    return [StudyTask(name=name, study=str(tiny.dicom), rois=(str(tiny.lesions),), **how) for name in names]


def mixed(tiny, weightless) -> list[StudyTask]:
    """65 studies: 57 good, 5 that abort, one that hangs, one that takes too much, one without a weight."""
    bad = ["hang-1", "memory-1", *(f"abort-{n}" for n in range(5))]
    good = [f"good-{n:02}" for n in range(57)]
    tasks = tasks_on(tiny, bad[0], *good[:20], *bad[1:], *good[20:])
    return [*tasks, StudyTask(name="refused-1", study=str(weightless), rois=(str(tiny.lesions),))]


EXPECTED = {
    "good": "flagged",
    "hang": "timeout",
    "memory": "failed",
    "abort": "crashed",
    "refused": "refused",
}
CODES = {
    "hang": "TIME_LIMIT",
    "memory": "MEMORY_EXHAUSTED",
    "abort": "PROCESS_DIED",
    "refused": "WEIGHT_MISSING",
}


def assert_each_got_its_own(tasks, out, summary):
    assert summary.exit_code == 5
    assert (summary.total, summary.computed, summary.missing, summary.others) == (65, 65, 0, 0)
    with read_store(out) as store:
        runs = list(store.runs())
    assert {one.study: str(one.outcome) for one in runs} == {
        task.name: EXPECTED[task.name.partition("-")[0]] for task in tasks
    }
    assert {one.attempts for one in runs} == {1}
    for one in runs:
        assert CODES.get(one.study.partition("-")[0], one.code) == one.code, one
        assert ("SIGABRT" in one.message) == one.study.startswith("abort"), one
    assert len(list((out / STUDIES).iterdir())) == 57
    assert Counter(summary.counts) == Counter(flagged=57, timeout=1, failed=1, crashed=5, refused=1)


LIMITS = {"timeout_s": 6.0, "memory_gb": 1.0}


def test_bad_093_a_study_that_crashes_hangs_or_swells_takes_down_itself_alone(
    tiny, weightless, tmp_path, faults, monkeypatch
):
    apart = tmp_path / "tmp"
    apart.mkdir()
    monkeypatch.setenv("TMPDIR", str(apart))
    tasks = mixed(tiny, weightless)
    out = tmp_path / "out"
    seen: list[str] = []
    summary = run(
        tasks,
        out,
        settings=Settings(workers=2, **LIMITS),
        listener=lambda progress: seen.append(progress.study),
        measure=faults.faulty,
    )
    assert_each_got_its_own(tasks, out, summary)
    assert sorted(seen) == sorted(task.name for task in tasks)
    events = [json.loads(line) for line in (out / "petquant.log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", *["study"] * 65, "end"]
    assert not list(apart.iterdir()), "what a killed study left behind"
    first = dict.fromkeys(("hang-1", "abort-0", "memory-1"))
    again = run(  # what failed is measured again, and only that: the refusal stands while its input does
        tasks, out, settings=Settings(workers=2, retries_failed=True, **LIMITS), measure=batch.measure_task
    )
    assert (again.computed, again.exit_code) == (7, 5)
    with read_store(out) as store:
        assert {name: store.run(name).attempts for name in first} == dict.fromkeys(first, 2)
        assert {str(store.run(name).outcome) for name in first} == {"flagged"}


@pytest.fixture
def cluster(tmp_path, faults, tiny, monkeypatch) -> Iterator[Path]:
    """A Dask scheduler and two workers on loopback, not where the test runs; the file that tells where."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    file = tmp_path / "scheduler.json"
    host = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    quiet |= {"start_new_session": True}
    scheduler = [sys.executable, "-m", "dask", "scheduler", "--port", "0", *host]
    worker = [sys.executable, "-m", "dask", "worker", "--nworkers", "2", "--nthreads", "1", *host]
    processes = [subprocess.Popen(command, **quiet) for command in (scheduler, worker)]
    monkeypatch.chdir(tiny.root)
    try:
        yield file
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_bad_093_on_a_cluster_each_study_gets_its_own_outcome_too(
    tiny, weightless, tmp_path, cluster, faults
):
    deadline = time.monotonic() + 60
    while not cluster.exists():
        assert time.monotonic() < deadline, "no scheduler"
        time.sleep(0.05)
    tasks = [replace(task, rois=(os.path.relpath(task.rois[0]),)) for task in mixed(tiny, weightless)]
    out = tmp_path / "out"
    settings = Settings(scheduler_file=str(cluster), **LIMITS)
    summary = run(tasks, out, settings=settings, measure=faults.faulty)
    assert_each_got_its_own(tasks, out, summary)


def test_bad_093_a_scheduler_that_is_not_there_is_said(tiny, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.setattr("petquant.batch.cluster.CONNECTED_WITHIN_S", 1)  # of 10
    with pytest.raises(batch.driver.UsageError, match="SCHEDULER_UNREACHABLE"):
        run(tasks_on(tiny, "a"), tmp_path / "out", settings=Settings(scheduler="tcp://127.0.0.1:1"))


def test_bad_093_a_worker_without_petquant_is_said_before_it_is_given_a_study():
    class Client:
        closed = False

        def run(self, act, *args, on_error):
            assert (act("petquant"), args, on_error) == (version("petquant"), ("petquant",), "return")
            return {"tcp://a:1": "0.1.0", "tcp://b:2": PackageNotFoundError("petquant")}

        def close(self):
            self.closed = True

    client = Client()
    with pytest.raises(LimitReached, match=r"1 of 2 workers have no petquant, such as tcp://b:2"):
        cluster_workers._require_petquant(client)
    assert client.closed


def test_bad_093_a_warm_process_that_is_killed_costs_no_study(tiny, tmp_path, faults):
    killed: list[int] = []

    def kill_a_warm_process(progress):
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        if progress.done in {2, 5} and children.exists():
            pid = int(children.read_text().split()[-1])
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    names = [f"good-{n}" for n in range(10)]
    summary = run(
        tasks_on(tiny, *names),
        tmp_path / "out",
        settings=Settings(workers=2),
        listener=kill_a_warm_process,
        measure=faults.faulty,
    )
    assert summary.counts[Outcome.FLAGGED] == 10
    assert len(killed) == 2 or not Path("/proc/self/task").exists()


def test_bad_093_sigkill_and_an_error_of_ours_are_told_apart_and_neither_repeats_words(
    tiny, tmp_path, faults
):
    tasks = tasks_on(tiny, "killed-1", "error-1", "good-1")
    run(tasks, tmp_path / "out", settings=Settings(workers=1), measure=faults.faulty)
    with read_store(tmp_path / "out") as store:
        told = {one.study: (str(one.outcome), one.code, one.message) for one in store.runs()}
    assert told["killed-1"][:2] == ("crashed", "PROCESS_DIED")
    assert "SIGKILL" in told["killed-1"][2]
    assert told["error-1"][:2] == ("failed", "INTERNAL")
    assert "RuntimeError in batch_faults.py" in told["error-1"][2]
    assert "Doe" not in told["error-1"][2]
    assert told["good-1"][0] == "flagged"


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_the_memory_of_the_driver_does_not_grow_with_the_number_of_studies(tiny, tmp_path, faults):
    held: list[float] = []
    run(
        tasks_on(tiny, *(f"s{n:02}" for n in range(36))),
        tmp_path / "out",
        settings=Settings(workers=2),
        listener=lambda _: held.append(resident_mb()),
        measure=faults.incompressible,
    )
    # 24 studies with 1 MB each come between; a few MB are the slack of the allocator
    assert max(held[32:]) - max(held[:8]) < 8, held


# 89: SIGKILL


def tables_of(out: Path) -> dict[str, bytes]:
    """Everything that a batch says about its studies, as bytes."""
    with opened(out) as collected:
        tables = {"measurements": collected.measurements(), "runs": collected.runs()}
        said = {name: b"".join(csv_lines(table.columns, table.rows)) for name, table in tables.items()}
    return said | {path.name: path.read_bytes() for path in (out / STUDIES).iterdir()}


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


class Forked:
    """A warm process that is forked and not started anew, as a test that starts fifty can afford."""

    def __init__(self, _command, *, pass_fds, **_):
        self.pid = os.fork()
        if self.pid:
            return
        try:
            os.setsid()
            for entry in list(os.scandir("/proc/self/fd")):
                descriptor = int(entry.name)
                if descriptor > 2 and descriptor not in {*pass_fds, ALIVE[1]}:
                    with suppress(OSError):
                        os.close(descriptor)
            serve(*pass_fds)
        finally:
            os._exit(0)

    def wait(self, _timeout_s):
        os.waitpid(self.pid, 0)


ALIVE = [-1, -1]  # a pipe whose far end is open in every process of the last driver


def drive(tasks, out, faults) -> int:
    """Run a batch in a process of its own, and return its number."""
    ALIVE[:] = os.pipe()
    pid = os.fork()
    if pid:
        os.close(ALIVE[1])
        return pid
    code = 1
    try:
        slot.subprocess.Popen = Forked
        code = run(tasks, out, settings=Settings(workers=1, privacy=KEYED), measure=faults.logged).exit_code
    finally:
        os._exit(code)


def is_over(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def recorded_in(out: Path) -> set[str]:
    if not (out / STORE).exists():
        return set()
    with closing(sqlite3.connect(out / STORE)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return set()
        return {row[0] for row in connection.execute("SELECT study FROM runs")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_bad_089_a_driver_killed_fifty_times_resumes_to_the_same_bytes(tiny, tmp_path, faults, monkeypatch):
    monkeypatch.setenv(faults.LOG, str(tmp_path / "undisturbed.log"))
    tasks = tasks_on(tiny, *(f"s{n:02}" for n in range(50)))
    whole = tmp_path / "whole"
    run(tasks, whole, settings=Settings(workers=2, privacy=KEYED), measure=faults.logged)

    log, out = tmp_path / "killed.log", tmp_path / "out"
    monkeypatch.setenv(faults.LOG, str(log))
    chance = random.Random(89)  # noqa: S311 - moments of kills
    kills = 0
    for _ in range(50):
        before, recorded = lines_of(log), recorded_in(out)
        pid = drive(tasks, out, faults)
        wanted = len(before) + chance.choice([0, 0, 1, 1, 2])
        is_gone = False
        while len(lines_of(log)) < wanted and not is_gone:
            time.sleep(0.001)
            is_gone = is_over(pid)
        time.sleep(chance.uniform(0, 0.05))  # a study takes 0.03 s, and to record it less than 0.01 s
        if not is_gone and not is_over(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            kills += 1
        assert os.read(ALIVE[0], 1) == b"", "every process of it is gone"
        os.close(ALIVE[0])
        assert not recorded & set(lines_of(log)[len(before) :]), "computed again after it was recorded"
    assert kills >= 40
    at_last = len(lines_of(log))
    summary = run(tasks, out, settings=Settings(workers=2, privacy=KEYED), measure=faults.logged)
    assert (summary.counts[Outcome.FLAGGED], summary.missing) == (50, 0)
    assert len(lines_of(log)) - at_last == summary.computed
    assert tables_of(out) == tables_of(whole)
    assert {path.name for path in out.iterdir()} == {STORE, "petquant.log.jsonl", STUDIES}
    with closing(sqlite3.connect(out / STORE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_bad_089_the_studies_of_a_killed_driver_end_with_it(tiny, tmp_path, faults):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", script_of(tiny, tmp_path, out)])
    wait_for_the_first(out)
    assert computing()
    process.kill()
    process.wait()
    assert_nobody_computes_on()


def test_bad_089_what_a_kill_left_is_swept_and_a_json_that_is_missing_is_written_again(tiny, tmp_path):
    out = tmp_path / "out"
    tasks = tasks_on(tiny, "a")
    run(tasks, out, settings=Settings(workers=1))
    before = tables_of(out)
    (out / STUDIES / "a.json").unlink()
    (out / STUDIES / ".a.json.999999999.tmp").write_bytes(b"half")
    (out / ".pseudonym.key.999999999.tmp").write_bytes(b"half")
    summary = run(tasks, out, settings=Settings(workers=1))
    assert summary.computed == 0
    assert tables_of(out) == before
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]


# 90: signals


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_bad_090_a_signal_stops_the_studies_too_and_says_how_to_go_on(tiny, tmp_path, faults, name, code):
    out = tmp_path / "out"
    command = [sys.executable, "-c", script_of(tiny, tmp_path, out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    wait_for_the_first(out)
    time.sleep(0.2)
    process.send_signal(getattr(signal, name))
    try:
        _, words = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code, words
    assert b"stopped with 1 of 2 studies accounted for; the same call goes on" in words
    assert {path.name for path in out.iterdir()} == {STORE, "petquant.log.jsonl", "pseudonym.key", STUDIES}
    assert [path.name for path in (out / STUDIES).iterdir()] == ["good-1.json"]
    events = [json.loads(line)["event"] for line in (out / "petquant.log.jsonl").read_text().splitlines()]
    assert events == ["start", "study", "stop"]
    assert_nobody_computes_on()


def script_of(tiny, tmp_path, out) -> str:
    """The command on two studies, of which the second hangs."""
    return (
        "import signal, sys; import batch_faults; from petquant import batch; from petquant_cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it\n"
        "from petquant.batch import StudyTask, run, sources\n"
        f"sources.tasks_of = lambda *_, **__: [StudyTask(name=n, study={str(tiny.dicom)!r}, "
        f"rois=({str(tiny.lesions)!r},)) for n in ('good-1', 'hang-1')]\n"
        "batch.run = lambda *a, **k: run(*a, **k, measure=batch_faults.faulty)\n"
        f"sys.argv = ['petquant', 'batch', {str(tmp_path)!r}, '-o', {str(out)!r}, '--workers', '1']\n"
        "main.main()"
    )


def wait_for_the_first(out) -> None:
    deadline = time.monotonic() + 30
    while not list((out / STUDIES).glob("[!.]*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_nobody_computes_on() -> None:
    """Assert that the processes of a driver that is gone end too, within seconds."""
    deadline = time.monotonic() + 10
    while computing():
        assert time.monotonic() < deadline, "a study outlived its driver"
        time.sleep(0.01)


def computing() -> list[str]:
    """Processes that the batch of this test started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
            environment = place.with_name("environ").read_bytes()
        except OSError:
            continue
        if b"petquant.batch.warm" in words and f"{MARK}={os.environ[MARK]}\0".encode() in environment:
            found.append(place.parent.name)
    return found


# 91: two drivers


def test_bad_091_the_second_of_two_drivers_is_refused_and_told_by_whom(tiny, tmp_path):
    out = tmp_path / "out"
    run(tasks_on(tiny, "a"), out, settings=Settings(workers=1))
    before = tables_of(out)
    with locked(out), pytest.raises(OutputFailed) as refusal:
        run(tasks_on(tiny, "a", "b"), out, settings=Settings(workers=1))
    (finding,) = refusal.value.findings
    assert (finding.code, refusal.value.exit_code) == ("OUTPUT_LOCKED", 6)
    assert f"process {os.getpid()} on " in finding.found
    assert tables_of(out) == before


def test_bad_091_the_lock_of_a_killed_driver_is_no_lock(tiny, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    ready, told = os.pipe()
    pid = os.fork()
    if not pid:
        with locked(out):
            os.write(told, b"1")
            time.sleep(60)
    assert os.read(ready, 1) == b"1"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert (out / ".petquant.lock").exists()
    run(tasks_on(tiny, "a"), out, settings=Settings(workers=1))
    assert not (out / ".petquant.lock").exists()


# 86: a full disk


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=250k", "tmpfs", disk], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_bad_086_a_full_disk_ends_the_batch_and_leaves_the_store_intact(tiny, tmp_path, small_disk):
    tasks = tasks_on(tiny, *(f"s{n:02}" for n in range(40)))
    with pytest.raises(OutputFailed) as failure:
        run(tasks, small_disk, settings=Settings(workers=1, privacy=KEYED))
    assert failure.value.exit_code == 6
    with read_store(small_disk) as store:
        recorded = [one.study for one in store.runs()]
        assert 0 < len(recorded) < 40
        assert all(json.loads(store.record(name)) for name in recorded)
    room = tmp_path / "room"
    shutil.copytree(small_disk, room)
    summary = run(tasks, room, settings=Settings(workers=1, privacy=KEYED))
    assert (summary.computed, summary.missing) == (40 - len(recorded), 0)
