"""A slot is a place for one study at a time: a warm process, and the pipes to it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Final

from petquant.batch.isolation import Job
from petquant.batch.outcome import Ended, Outcome
from petquant.errors import LimitReached

__all__ = ["TRIES", "Slot", "SlotLost", "lost"]

TRIES: Final = 3  # of a study whose warm process died, which no study can do
STOPPED_WITHIN_S: Final = 10.0
THREADS: Final = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")}


class SlotLost(Exception):
    """The warm process is gone; the study in it is to be measured elsewhere."""


class Slot:
    """A warm process of this interpreter; it and its child end when this object or its process does."""

    def __init__(self) -> None:
        theirs, self._jobs = Pipe(duplex=False)
        self.ends, theirs_out = Pipe(duplex=False)
        descriptors = (theirs.fileno(), theirs_out.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours
                [sys.executable, "-m", "petquant.batch.warm", *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=THREADS | os.environ,
                start_new_session=True,
            )
        except OSError as error:
            raise LimitReached.of(
                "PROCESS_DIED",
                f"no process could be started: {error.strerror or error}",
                expected="a system that allows some more",
                remedy="fewer --workers",
            ) from error
        finally:
            theirs.close()
            theirs_out.close()

    @property
    def connection(self) -> Connection:
        """What becomes readable when the study has ended."""
        return self.ends

    def give(self, job: Job) -> None:
        """Begin a job; a process that is gone shows when its end is taken."""
        with suppress(BrokenPipeError):
            self._jobs.send(job)

    def take(self) -> Ended:
        """Return how the job ended, waiting for it.

        Raises
        ------
        SlotLost
            When the warm process died.
        """
        try:
            end: Ended = self.ends.recv()
        except (EOFError, OSError) as error:
            raise SlotLost from error
        return end

    def close(self) -> None:
        """Stop the process and what it runs."""
        self._jobs.close()
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.ends.close()


def lost() -> Ended:
    """Return the end of a study whose warm process died every time."""
    return Ended(
        outcome=Outcome.CRASHED,
        code="PROCESS_DIED",
        message=f"the process that starts its process died {TRIES} times; see the log of the system",
    )
