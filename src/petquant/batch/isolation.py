"""Isolation: one study in a child process of its own, with a deadline and a limit of memory.

The child is forked from a process that has imported all that measuring needs, so that it starts within
milliseconds. Whatever it does, an end comes out: what it said, or how it died.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn

from petquant.batch.measuring import Measure, ended
from petquant.batch.outcome import Ended, Outcome
from petquant.batch.task import StudyTask
from petquant.export.record import Privacy

if sys.platform != "win32":
    import resource

__all__ = ["Job", "measured_alone"]

HEAD: Final = struct.Struct("<QQQ")  # bytes of the JSON, and of record and report behind it
PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>
BLOCK: Final = 2**20
TOLD: Final = ("outcome", "code", "message", "columns", "n_measurements")
LIBC: Final = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A task with what it may take, as it travels to the process that measures it."""

    task: StudyTask
    privacy: Privacy
    measure: Measure
    timeout_s: float
    memory_bytes: int
    version: str


def measured_alone(job: Job, driver: Connection) -> tuple[Ended, list[str]] | None:
    """Return how a job ended in a child, and the modules that it imported beyond those of its parent.

    None is returned when the driver went away; then the child was stopped.

    Parameters
    ----------
    driver
        Whence jobs come; nothing comes while one runs, so that it is readable only at its end.
    """
    if driver.poll():
        return None  # it went away while this process started
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="petquant_batch_"))
    from_child, to_driver = os.pipe()
    own = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(from_child)
        driver.close()
        _be_child(job, to_driver, scratch, own)
    os.close(to_driver)
    with suppress(
        OSError
    ):  # the child does it too: whoever comes first, it is killed with all that it starts
        os.setpgid(child, child)
    try:
        said, is_in_time = _heard(from_child, driver, started + job.timeout_s)
        if said is None or not is_in_time:
            _stop(child)
        _, status = os.waitpid(child, 0)
        _stop(child)  # what it started and left
    finally:
        os.close(from_child)
        shutil.rmtree(scratch, ignore_errors=True)
    if said is None:
        return None
    seconds = time.monotonic() - started
    if not is_in_time:
        slow = Ended(
            outcome=Outcome.TIMEOUT,
            code="TIME_LIMIT",
            message=f"not done after {job.timeout_s:g} s; raise --timeout-s and give --retry-failed",
            seconds=seconds,
        )
        return slow, []
    end, modules = _read(said) or (_died(status), [])
    return replace(end, seconds=seconds), modules


def _heard(from_child: int, driver: Connection, deadline: float) -> tuple[bytes | None, bool]:
    """Return what a child wrote until it ended, None when the driver ended first; and whether in time."""
    said = bytearray()
    watched: list[Any] = [from_child, driver]
    while True:
        left_s = deadline - time.monotonic()
        ready = select.select(watched, [], [], left_s)[0] if left_s > 0 else []
        if driver in ready:
            return None, True
        if not ready:
            return bytes(said), False
        block = os.read(from_child, BLOCK)
        if not block:
            return bytes(said), True
        said += block


def _stop(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has died
        os.killpg(child, signal.SIGKILL)


def _read(said: bytes) -> tuple[Ended, list[str]] | None:
    """Return what a child told, None when it did not come to its last byte."""
    if len(said) < HEAD.size:
        return None
    n_words, n_record, n_report = HEAD.unpack_from(said)
    record, report = HEAD.size + n_words, HEAD.size + n_words + n_record
    if len(said) != report + n_report:
        return None
    words = json.loads(said[HEAD.size : record])
    modules = words.pop("modules")
    words |= {"outcome": Outcome(words["outcome"]), "columns": tuple(words["columns"])}
    return Ended(**words, record=said[record:report], report=said[report:]), modules


def _died(status: int) -> Ended:
    code = os.waitstatus_to_exitcode(status)
    how = f"ended with exit code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"was killed by {signal.Signals(-code).name}"
    if code == -signal.SIGKILL:
        how += ", as a system does that runs out of memory"
    return Ended(outcome=Outcome.CRASHED, code="PROCESS_DIED", message=f"its process {how}")


def _be_child(job: Job, to_driver: int, scratch: Path, parent: int) -> NoReturn:
    """Measure, tell, and leave without any of the parent's clean-up."""
    code = 1
    try:
        os.setpgid(0, 0)
        _die_with(parent)
        _limit(job.memory_bytes)
        tempfile.tempdir = str(scratch)
        imported = set(sys.modules)
        end = ended(job.task, job.privacy, job.measure)
        told = {name: getattr(end, name) for name in TOLD} | {"modules": sorted({*sys.modules} - imported)}
        words = json.dumps(told).encode()
        with os.fdopen(to_driver, "wb") as pipe:
            pipe.write(HEAD.pack(len(words), len(end.record), len(end.report)) + words)
            pipe.write(end.record)
            pipe.write(end.report)
        code = 0
    finally:
        os._exit(code)


def _die_with(parent: int) -> None:
    """Let no child outlive its parent, and let it be the first to go when memory runs out."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if os.getppid() != parent:
        os._exit(1)


def _limit(memory_bytes: int) -> None:
    """Hold this process to so much memory, and let its death leave no image of it on disk.

    RLIMIT_DATA counts what a process may write and shares with nobody. RLIMIT_AS would count libraries and
    mapped files too: measured, 0.06 GB after a small study, 0.4 GB once SimpleITK and highdicom are imported.
    macOS counts neither well.
    """
    kind = resource.RLIMIT_DATA
    _, hard = resource.getrlimit(kind)
    most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(kind, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
