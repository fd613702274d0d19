"""The driver: gives the studies of a batch out, records every end, and reconciles the account."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from zlib import decompress

from petquant.batch.folder import (
    STUDIES,
    kept_key,
    make_folder,
    put_json,
    put_report,
    report_of,
    restore_json,
    sweep,
)
from petquant.batch.isolation import Job
from petquant.batch.key import inputs_of, key_of
from petquant.batch.local import ends_here
from petquant.batch.lock import locked
from petquant.batch.measuring import Measure, measure_task, report_task
from petquant.batch.outcome import RETRIED, Ended, Outcome, Progress, Summary
from petquant.batch.run_log import Write, opened_log
from petquant.batch.settings import Settings
from petquant.batch.store import Run, Store, open_store
from petquant.batch.task import StudyTask
from petquant.errors import OutputFailed, UsageError
from petquant.version import __version__

__all__ = ["Listener", "run"]

Listener = Callable[[Progress], None]
GB = 10**9


def run(
    tasks: Sequence[StudyTask],
    out: Path,
    *,
    settings: Settings,
    listener: Listener | None = None,
    measure: Measure | None = None,
) -> Summary:
    """Measure every study that is not recorded yet, each alone, and return the account of all.

    Parameters
    ----------
    tasks
        Each with a name of its own.
    out
        Folder of the results; it is made where it is not there. What it holds already is kept and counted,
        where inputs, choices and version are those of before, and computed again where they are not.
    settings
        Where, how long and with how much memory.
    listener
        Told of every study as it is accounted for.
    measure
        What measures a task, in place of what the settings say; a function that can be imported where it
        runs.

    Raises
    ------
    UsageError
        Names that are not unique; inputs where results go; a cluster that is not there; a system that
        cannot fork.
    LimitReached
        VERSION_MIXED, PROCESS_DIED: nothing can be measured there.
    OutputFailed
        OUTPUT_LOCKED, OUTPUT_FAILED: what was recorded before stays.
    UnreadableInput
        STORE_INVALID.
    """
    _require_fork()
    _require_names(tasks)
    tasks = [_from_anywhere(task) for task in tasks]
    _require_apart(tasks, out)
    with _output_of(out):
        make_folder(out)
        with locked(out):
            sweep(out)
            if settings.privacy.key is None:
                settings = replace(settings, privacy=replace(settings.privacy, key=kept_key(out)))
            with open_store(out) as store, opened_log(out) as write:
                restore_json(out, store)
                return _Batch(
                    tasks=tasks,
                    out=out,
                    settings=settings,
                    store=store,
                    write=write,
                    listener=listener or (lambda _: None),
                    measure=measure or (report_task if settings.has_reports else measure_task),
                ).run()


@dataclass(slots=True, kw_only=True)
class _Batch:
    """One call: what was given, and the account so far."""

    tasks: Sequence[StudyTask]
    out: Path
    settings: Settings
    store: Store
    write: Write
    listener: Listener
    measure: Measure
    counts: Counter[Outcome] = field(default_factory=Counter)
    computed: int = 0
    started: float = field(default_factory=time.monotonic)
    keys: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)  # of what is under way

    def run(self) -> Summary:
        self.write("start", version=__version__, process=os.getpid(), studies=len(self.tasks))
        try:
            self._forget_changed()
            for job, end in self._ends(self._jobs()):
                self.computed += 1
                self._record(job.task, end, attempts=self.attempts.pop(job.task.name))
        except BaseException as error:
            self.write("stop", why=type(error).__name__, computed=self.computed)
            raise
        summary = self._reconciled()
        self.write(
            "end",
            **{str(outcome): number for outcome, number in summary.counts.items()},
            computed=summary.computed,
            missing=summary.missing,
        )
        return summary

    def _ends(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Ended]]:
        if not self.settings.is_on_dask:
            return ends_here(jobs, workers=self.settings.workers)
        from petquant.batch.cluster import ends_on_dask  # noqa: PLC0415 - an extra

        return ends_on_dask(
            jobs, scheduler=self.settings.scheduler, scheduler_file=self.settings.scheduler_file
        )

    def _forget_changed(self) -> None:
        """Remove the numbers of inputs, choices or versions that are no longer those of a task.

        All at once and before anything is measured: else a call that is stopped, or whose cluster goes away,
        would leave numbers of before among those of now, and count them.
        """
        changed = []
        for task in self.tasks:
            key = self.keys[task.name] = key_of(task, self.settings.privacy)
            known = self.store.run(task.name)
            if known is not None and known.key != key:
                put_json(self.out, task.name, None)
                put_report(self.out, task.name, b"")
                changed.append(task.name)
        self.store.forget(changed)

    def _jobs(self) -> Iterator[Job]:
        """Yield the studies that are to be measured; the others are accounted for in passing."""
        for task in self.tasks:
            known = self.store.run(task.name)
            if known is not None:
                if known.given != dict(task.columns):
                    self.store.give(task.name, task.columns)
                is_retried = self.settings.retries_failed and known.outcome in RETRIED
                if not (is_retried or self._lacks_report(known)):
                    self._account(task.name, _end_of(known))
                    continue
            if task.reason_to_skip:
                end = Ended(outcome=Outcome.SKIPPED, message=task.reason_to_skip)
                self._record(task, end, attempts=0)
                continue
            self.attempts[task.name] = 1 if known is None else known.attempts + 1
            yield Job(
                task=task,
                privacy=self.settings.privacy,
                measure=self.measure,
                timeout_s=self.settings.timeout_s,
                memory_bytes=int(self.settings.memory_gb * GB),
                version=__version__,
            )

    def _lacks_report(self, known: Run) -> bool:
        """Whether a study that was measured has no report and is to have one."""
        is_measured = known.outcome in {Outcome.OK, Outcome.FLAGGED}
        return self.settings.has_reports and is_measured and not report_of(self.out, known.study).exists()

    def _record(self, task: StudyTask, end: Ended, *, attempts: int) -> None:
        put_report(self.out, task.name, end.report)  # before the study counts: the store could not restore it
        self.store.put(task.name, end, key=self.keys[task.name], given=task.columns, attempts=attempts)
        put_json(self.out, task.name, decompress(end.record) if end.record else None)
        self.write(
            "study",
            study=task.name,
            outcome=end.outcome,
            code=end.code,
            seconds=round(end.seconds, 3),
            attempts=attempts,
        )
        self._account(task.name, end)

    def _account(self, study: str, end: Ended) -> None:
        self.counts[end.outcome] += 1
        self.listener(
            Progress(
                total=len(self.tasks),
                done=self.counts.total(),
                counts=self.counts,
                computed=self.computed,
                elapsed_s=time.monotonic() - self.started,
                study=study,
                ended=end,
            )
        )

    def _reconciled(self) -> Summary:
        """Return the account, counted anew from the store."""
        counts: Counter[Outcome] = Counter()
        for task in self.tasks:
            known = self.store.run(task.name)
            if known is not None:
                counts[known.outcome] += 1
        return Summary(
            total=len(self.tasks),
            counts={outcome: counts[outcome] for outcome in Outcome},
            computed=self.computed,
            missing=len(self.tasks) - counts.total(),
            others=self.store.count() - counts.total(),
        )


def _end_of(known: Run) -> Ended:
    return Ended(outcome=known.outcome, code=known.code, message=known.message, seconds=known.seconds)


def _require_names(tasks: Sequence[StudyTask]) -> None:
    """Raise when two studies would have one name, also where upper and lower case are the same."""
    times = Counter(task.name.casefold() for task in tasks)
    twice = sorted(task.name for task in tasks if times[task.name.casefold()] > 1)
    if twice or "" in times:
        raise UsageError.of(
            "OPTION_INVALID",
            f"several studies are called {', '.join(twice[:5])}" if twice else "a study has no name",
            expected="a name of its own for every study, in lower case too",
        )


def _from_anywhere(task: StudyTask) -> StudyTask:
    """Return a task whose paths are the same from every working directory, such as that of a worker."""
    return replace(
        task,
        study=str(Path(task.study).absolute()),
        rois=tuple(str(Path(roi).absolute()) for roi in task.rois),
        backgrounds=tuple(
            one if one.path is None else replace(one, path=str(Path(one.path).absolute()))
            for one in task.backgrounds
        ),
        labels=None if task.labels is None else str(Path(task.labels).absolute()),
    )


def _require_apart(tasks: Sequence[StudyTask], out: Path) -> None:
    """Raise when inputs lie where the JSON files go: one of them may have the name of a side-car."""
    own = (out / STUDIES).resolve()
    for task in tasks:
        for path in inputs_of(task):
            place = path.resolve()
            if own == place or own in place.parents:
                raise UsageError.of(
                    "OPTION_INVALID",
                    f"--out {out} would write its JSON files among what is read: {path}",
                    expected="a folder of its own",
                    remedy="choose another name",
                )


def _require_fork() -> None:
    if not hasattr(os, "fork"):
        raise UsageError.of(
            "OPTION_INVALID",
            "petquant batch on a system that cannot fork",
            expected="Linux or macOS",
            remedy="on Windows use its Subsystem for Linux, or petquant suv study by study",
        )


@contextmanager
def _output_of(out: Path) -> Iterator[None]:
    """Turn what the system says against writing into our error."""
    try:
        yield
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{out} could not be written: {error.strerror or error}",
            expected="a folder that can be written, with room, in one that exists",
            remedy="what is recorded stays, and is not computed again",
            path=str(out),
        ) from error
