"""An outcome is how the measurement of one study ended; every study of a batch has exactly one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["FAILING", "RETRIED", "Ended", "Outcome", "Progress", "Summary"]

SOME_FAILED: Final = 5  # reliability.md section 1


class Outcome(StrEnum):
    """How the measurement of a study ended."""

    OK = "ok"
    FLAGGED = "flagged"  # measured, with caveats
    REFUSED = "refused"  # no number would be safe
    FAILED = "failed"  # unreadable input, a limit, an error of ours
    CRASHED = "crashed"  # its process died
    TIMEOUT = "timeout"
    SKIPPED = "skipped"  # never tried, with a reason


FAILING: Final = (Outcome.REFUSED, Outcome.FAILED, Outcome.CRASHED, Outcome.TIMEOUT)
RETRIED: Final = (Outcome.FAILED, Outcome.CRASHED, Outcome.TIMEOUT)  # a refusal stays while its input does


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one study.

    Parameters
    ----------
    code
        Codes of caveats or causes, separated by blanks.
    message
        One line for every code of causes, in their order, without paths.
    seconds
        Wall time of the last try.
    record
        JSON of `petquant.export.record.record_of`, compressed by zlib; empty where nothing was measured.
    columns
        Names of the columns of its rows.
    n_measurements
        Number of its rows.
    report
        Page of the study; empty where none was asked for or nothing was measured.
    """

    outcome: Outcome
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    record: bytes = b""
    columns: tuple[str, ...] = ()
    n_measurements: int = 0
    report: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch is.

    Parameters
    ----------
    total, done
        Studies of the batch, and those accounted for.
    counts
        Of those done, by outcome.
    computed
        Those measured by this call.
    elapsed_s
        Since its start.
    study, ended
        The last one.
    """

    total: int
    done: int
    counts: Mapping[Outcome, int]
    computed: int
    elapsed_s: float
    study: str
    ended: Ended

    @property
    def rate_per_s(self) -> float:
        """Studies a second, of those measured by this call."""
        return self.computed / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def remaining_s(self) -> float | None:
        """What the rest takes at this rate; None while nothing is known."""
        return (self.total - self.done) / self.rate_per_s if self.computed and self.rate_per_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a batch, counted from what is in its store.

    Parameters
    ----------
    total
        Studies of the batch.
    counts
        Of them, by outcome.
    computed
        Those measured by this call.
    missing
        Those without an outcome; 0 unless the cluster went away.
    others
        Studies of earlier calls that are in the store and not in this batch.
    """

    total: int
    counts: Mapping[Outcome, int]
    computed: int
    missing: int
    others: int

    @property
    def exit_code(self) -> int:
        """0, or 5 when some studies gave no number or are not accounted for."""
        is_good = not self.missing and not any(self.counts.get(one) for one in FAILING)
        return 0 if is_good else SOME_FAILED
