"""Measures that misbehave, by the name of the study: imported by the processes that a batch starts."""

from __future__ import annotations

import os
import time

import numpy as np

from petquant.batch import measure_task

LOG = "PETQUANT_TEST_LOG"


def faulty(task, privacy):
    """Abort, hang or take 2 GB where the name says so; else measure."""
    kind = task.name.partition("-")[0]
    if kind == "abort":
        os.abort()
    if kind == "killed":
        os.kill(os.getpid(), 9)
    if kind == "hang":
        time.sleep(10_000)
    if kind == "memory":
        return np.ones(2 * 10**9, np.uint8)
    if kind == "error":
        raise RuntimeError("Doe^Jane")
    return measure_task(task, privacy)


def logged(task, privacy):
    """Measure, after the name of the study has been added to a log."""
    with open(os.environ[LOG], "a", encoding="utf-8") as log:  # noqa: PTH123 - one write, so that lines stay whole
        log.write(f"{task.name}\n")
    return measure_task(task, privacy)


def incompressible(task, privacy):
    """Measure, with a megabyte in the record that nothing makes smaller."""
    record = measure_task(task, privacy)
    return record | {"noise": os.urandom(2**19).hex()}
