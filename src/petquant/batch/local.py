"""Local workers: slots on this machine, each with one study at a time."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Connection, wait

from petquant.batch.isolation import Job
from petquant.batch.outcome import Ended
from petquant.batch.slot import TRIES, Slot, SlotLost, lost

__all__ = ["ends_here"]


def ends_here(jobs: Iterator[Job], *, workers: int) -> Iterator[tuple[Job, Ended]]:
    """Yield every job with its end, in the order of their ends; a slot never waits for who takes them."""
    idle: list[Slot] = []
    busy: dict[Connection, tuple[Slot, Job, int]] = {}

    def begin(job: Job, number: int) -> None:
        slot = idle.pop() if idle else Slot()
        busy[slot.connection] = slot, job, number
        slot.give(job)

    def fill() -> None:
        while len(busy) < workers and (job := next(jobs, None)) is not None:
            begin(job, 1)

    try:
        fill()
        while busy:
            done: list[tuple[Job, Ended]] = []
            for connection in wait(list(busy)):
                slot, job, number = busy[connection]  # type: ignore[index]  # it came from there
                try:
                    end = slot.take()
                except SlotLost:
                    del busy[slot.connection]
                    slot.close()
                    if number < TRIES:
                        begin(job, number + 1)
                    else:
                        done.append((job, lost()))
                else:
                    del busy[slot.connection]
                    idle.append(slot)
                    done.append((job, end))
            fill()
            yield from done
    finally:
        for slot in (*idle, *(slot for slot, _, _ in busy.values())):
            slot.close()
