"""How far a fetch is: a bar on a terminal, else a line a series; on stderr, since stdout carries data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from petquant_cli.messages import MESSAGES, escaped

if TYPE_CHECKING:
    from petquant.dicom.network.fetch import Progress

__all__ = ["told"]


@contextmanager
def told() -> Iterator[Callable[[Progress], None]]:
    """Give what a fetch is to call after every instance."""
    if MESSAGES.is_json or not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True, markup=False)) as bars:
        tasks = {}

        def tell(progress: Progress) -> None:
            uid = progress.series.uid
            if uid not in tasks:
                words = escaped(f"{progress.series.modality} {uid[-12:]}")
                tasks[uid] = bars.add_task(words, total=progress.n_listed)
            bars.update(tasks[uid], completed=progress.n_here)

        yield tell


def _line(progress: Progress) -> None:
    if progress.n_here == progress.n_listed:
        series = progress.series
        MESSAGES.say(f"series {series.uid}: {progress.n_here} of {progress.n_listed} ({series.modality})")
