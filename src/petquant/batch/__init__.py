"""A batch is many studies of mixed quality, each measured alone, with an account of every one."""

from __future__ import annotations

from petquant.batch.driver import Listener, run
from petquant.batch.measuring import measure_task
from petquant.batch.outcome import Outcome, Progress, Summary
from petquant.batch.settings import Settings
from petquant.batch.task import StudyTask

__all__ = ["Listener", "Outcome", "Progress", "Settings", "StudyTask", "Summary", "measure_task", "run"]
