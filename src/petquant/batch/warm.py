"""A warm process has imported all that measuring needs, and forks one child a study."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection

__all__ = ["serve"]


def serve(jobs_fd: int, ends_fd: int) -> None:
    """Measure the jobs that come through a pipe until it is closed.

    Parameters
    ----------
    jobs_fd, ends_fd
        Descriptors of the pipes that jobs come from and ends go to.
    """
    from petquant.batch.isolation import measured_alone  # noqa: PLC0415 - after the caller set its threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, who closes the pipe
    jobs, ends = Connection(jobs_fd, writable=False), Connection(ends_fd, readable=False)
    for descriptor in (jobs_fd, ends_fd):
        os.set_inheritable(descriptor, False)
    gc.freeze()  # what is there is shared with every child, and no collection copies it
    with suppress(EOFError, BrokenPipeError):
        while (found := measured_alone(jobs.recv(), jobs)) is not None:
            end, modules = found
            ends.send(end)
            _warm(modules)


def _warm(modules: list[str]) -> None:
    """Import what a study needed, so that the next need not: 0.4 s for the first DICOM SEG."""
    for name in modules:
        with suppress(Exception):  # what cannot be imported by name is left to who needs it
            import_module(name)
    if modules:
        gc.freeze()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
