"""A cluster: the workers of a Dask scheduler, each of which isolates its studies as a local one does.

A study that dies takes down its own process and neither the worker nor its neighbours, so that Dask never has
to find out who was guilty.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from petquant.batch.isolation import Job
from petquant.batch.outcome import Ended, Outcome
from petquant.batch.slot import TRIES, Slot, SlotLost, lost
from petquant.errors import LimitReached, UsageError
from petquant.version import __version__

__all__ = ["ends_on_dask", "measured_on_worker"]

CONNECTED_WITHIN_S = 10
AHEAD = 2  # jobs a thread of the cluster: one that runs, and one that waits

_OF_THREAD = threading.local()


def ends_on_dask(
    jobs: Iterator[Job], *, scheduler: str | None, scheduler_file: str | None
) -> Iterator[tuple[Job, Ended]]:
    """Yield every job with its end, in the order of their ends, until the scheduler goes away.

    Raises
    ------
    UsageError
        EXTRA_MISSING, SCHEDULER_UNREACHABLE.
    LimitReached
        VERSION_MIXED, when a worker has no petquant.
    """
    client = _connected(scheduler, scheduler_file)
    _require_petquant(client)
    from distributed import as_completed  # noqa: PLC0415 - an extra, which is there

    running: dict[Any, tuple[Job, int]] = {}
    completed = as_completed(loop=client.loop)

    def begin(job: Job, number: int) -> None:
        future = client.submit(measured_on_worker, job, pure=False, retries=TRIES)
        running[future] = job, number
        completed.add(future)

    def fill() -> None:
        while len(running) < AHEAD * max(1, sum(client.nthreads().values())):
            job = next(jobs, None)
            if job is None:
                return
            begin(job, 1)

    try:
        with suppress(OSError, CancelledError):  # what is left then is missing in the account
            fill()
            while running:
                future = next(completed)
                job, number = running.pop(future)
                if future.status == "error" and number < TRIES:
                    begin(job, number + 1)
                    continue
                if future.status not in {"finished", "error"}:
                    return  # cancelled or lost, because the scheduler is
                end = future.result() if future.status == "finished" else lost()
                fill()
                yield job, end
    finally:
        with suppress(OSError, CancelledError):
            client.cancel(list(running))
        client.close()


def _connected(scheduler: str | None, scheduler_file: str | None) -> Any:
    """Return a client of the scheduler."""
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError.of(
            "EXTRA_MISSING",
            "dask.distributed is not installed",
            remedy="pip install 'petquant[dask]'",
            where="--scheduler",
        ) from error
    try:
        return Client(
            scheduler, scheduler_file=scheduler_file, timeout=CONNECTED_WITHIN_S, set_as_default=False
        )
    except (OSError, ValueError, TypeError) as error:
        raise UsageError.of(
            "SCHEDULER_UNREACHABLE",
            f"no Dask scheduler answers at {scheduler or scheduler_file}",
            expected="the address of one, such as tcp://host:8786, or the file that one wrote",
            where="--scheduler-file" if scheduler is None else "--scheduler",
        ) from error


def _require_petquant(client: Any) -> None:
    """Raise when a worker has no petquant: it would die of the first job, and nobody would say why.

    Workers that join later are not asked.
    """
    found = client.run(version, "petquant", on_error="return")
    without = sorted(str(worker) for worker, answer in found.items() if isinstance(answer, Exception))
    if without:
        client.close()
        raise LimitReached.of(
            "VERSION_MIXED",
            f"{len(without)} of {len(found)} workers have no petquant, such as {without[0]}",
            expected=f"petquant {__version__} on every worker",
            remedy="install it there, and start the workers again",
            where="--scheduler",
        )


def measured_on_worker(job: Job) -> Ended:
    """Return how a job ended in a child of this worker."""
    if job.version != __version__:
        return Ended(
            outcome=Outcome.FAILED,
            code="VERSION_MIXED",
            message=f"the worker has petquant {__version__}, the driver {job.version}; install one of them",
        )
    for _ in range(TRIES):
        slot: Slot = getattr(_OF_THREAD, "slot", None) or Slot()
        _OF_THREAD.slot = None
        slot.give(job)
        try:
            end = slot.take()
        except SlotLost:
            slot.close()
        else:
            _OF_THREAD.slot = slot
            return end
    return lost()
