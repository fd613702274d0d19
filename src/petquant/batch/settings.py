"""Settings are what holds for a whole batch: where it runs, what a study may take, what outputs say."""

from __future__ import annotations

from dataclasses import dataclass, field

from petquant.cores import cores
from petquant.errors import UsageError
from petquant.export.record import Privacy

__all__ = ["Settings"]

LONGEST_S = 1e9  # 30 years; select takes some more
MOST_GB = 1e9  # setrlimit takes 9.2e9 on 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a batch is run; none of it changes a number.

    Parameters
    ----------
    workers
        Studies measured side by side on this machine.
    timeout_s
        What a study may take, in s of wall time.
    memory_gb
        What a study may hold, in GB of 10^9 bytes.
    retries_failed
        Studies recorded as failed, crashed or timed out are measured again.
    has_reports
        Every study gets a page of its own; one that was measured without is measured again.
    scheduler, scheduler_file
        Address of a Dask scheduler, or the file that one wrote; with either `workers` does not count.
    privacy
        What outputs say about whose studies they are. Without a key in it, one is kept in the folder.
    """

    workers: int = field(default_factory=cores)
    timeout_s: float = 1800.0
    memory_gb: float = 4.0
    retries_failed: bool = False
    has_reports: bool = False
    scheduler: str | None = None
    scheduler_file: str | None = None
    privacy: Privacy = field(default_factory=Privacy)

    def __post_init__(self) -> None:
        """Raise what cannot be meant.

        Raises
        ------
        UsageError
            OPTION_INVALID.
        """
        found = []
        if self.workers < 1:
            found.append((f"--workers {self.workers}", "1 or more"))
        if not 0 < self.timeout_s <= LONGEST_S:
            found.append((f"--timeout-s {self.timeout_s:g}", f"more than 0 s, at most {LONGEST_S:g}"))
        if not 0 < self.memory_gb <= MOST_GB:
            found.append((f"--memory-gb {self.memory_gb:g}", f"more than 0 GB, at most {MOST_GB:g}"))
        if self.scheduler is not None and self.scheduler_file is not None:
            found.append(("--scheduler beside --scheduler-file", "one of them"))
        for what, expected in found:
            raise UsageError.of("OPTION_INVALID", what, expected=expected)

    @property
    def is_on_dask(self) -> bool:
        """Whether a Dask cluster measures."""
        return self.scheduler is not None or self.scheduler_file is not None
