"""A source names the studies of a batch: a folder of them, a table with a row each, or a BIDS dataset."""

from __future__ import annotations

from petquant.batch.sources.opening import tasks_of

__all__ = ["tasks_of"]
