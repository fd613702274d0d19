"""A batch is many studies of mixed quality, each measured alone, with an account of every one."""

from __future__ import annotations

from petquant.batch.task import StudyTask

__all__ = ["StudyTask"]
