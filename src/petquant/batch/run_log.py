"""The log of a batch: what happened when, as JSON lines, added to at every call."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from petquant.errors import OutputFailed

__all__ = ["LOG", "Write", "opened_log"]

LOG: Final = "petquant.log.jsonl"


class Write(Protocol):
    """Adds an event to a log."""

    def __call__(self, event: str, **what: Any) -> None:
        """Write one line: the time, the event, and what belongs to it."""


@contextmanager
def opened_log(folder: Path) -> Iterator[Write]:
    """Yield what writes to the log of a folder; half a line that a kill left is ended."""
    with (folder / LOG).open("ab+", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")

        def write(event: str, **what: Any) -> None:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            try:
                file.write(json.dumps({"at": at, "event": event, **what}).encode() + b"\n")
            except OSError as error:
                raise OutputFailed.of(
                    "OUTPUT_FAILED",
                    f"{LOG} could not be written: {error.strerror or error}",
                    expected="a folder that can be written, with room",
                    remedy="make room and call again: what is recorded stays, and is not computed again",
                    path=str(folder),
                ) from error

        yield write
