"""What is said of a batch while it runs: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from petquant_cli.messages import MESSAGES, escaped

if TYPE_CHECKING:
    from petquant.batch import Outcome, Progress, Summary
    from petquant.batch.cohort import CohortWarning

__all__ = ["Screen"]

PLAIN_EVERY_S: Final = 10.0
TERMINAL_EVERY_S: Final = 0.1


class Screen:
    """Says how far a batch is, what gave no number, and how to go on when it is stopped."""

    def __init__(self, out: Path, *, total: int) -> None:
        self._out, self._total, self._done = out, total, 0
        self._is_terminal = sys.stderr.isatty() and not MESSAGES.is_json
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()
        if kind is not None and issubclass(kind, (KeyboardInterrupt, SystemExit)):
            MESSAGES.say(
                f"stopped with {self._done} of {self._total} studies accounted for; the same call goes on"
            )

    def show(self, progress: Progress) -> None:
        """Say what a study came to that gave no number, and now and then how far all are."""
        from petquant.batch.outcome import FAILING

        self._done = progress.done
        if progress.ended.outcome in FAILING:
            self._clear()
            self._say_failing(progress)
        now = time.monotonic()
        if now - self._said_at < (TERMINAL_EVERY_S if self._is_terminal else PLAIN_EVERY_S):
            return
        self._said_at = now
        if self._is_terminal:
            self._write(f"\r\x1b[K{escaped(_words(progress))}")
        else:
            MESSAGES.say(_words(progress))

    def account(self, summary: Summary) -> None:
        """Say what became of all."""
        MESSAGES.say(
            f"{summary.total} studies: {_counts(summary.counts) or 'none'}; {summary.computed} measured now"
        )
        if summary.missing:
            MESSAGES.say(f"{summary.missing} studies are not accounted for; the same call goes on")
        if summary.others:
            MESSAGES.say(f"{summary.others} more studies of earlier calls are in {self._out}")

    def odd(self, warnings: Iterable[CohortWarning]) -> None:
        """Say what is odd across the studies."""
        from petquant.errors import Finding

        for warning in warnings:
            MESSAGES.note(Finding(code=warning.code, found=warning.line()))

    def _say_failing(self, progress: Progress) -> None:
        end = progress.ended
        codes = end.code.split() or [str(end.outcome).upper()]
        for code, line in zip(codes, end.message.split("\n"), strict=False):
            MESSAGES.line(code, f"{progress.study}: {line}", exit_code=0)

    def _clear(self) -> None:
        if self._is_terminal:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _words(progress: Progress) -> str:
    left_s = progress.remaining_s
    left = "" if left_s is None else f", {progress.rate_per_s:.2g} a second, {_span(left_s)} left"
    return f"{progress.done} of {progress.total} studies{left}: {_counts(progress.counts)}"


def _counts(counts: Mapping[Outcome, int]) -> str:
    from petquant.batch import Outcome

    return ", ".join(f"{outcome} {counts[outcome]}" for outcome in Outcome if counts.get(outcome))


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
