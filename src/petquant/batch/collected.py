"""What was measured, collected into one table: from the store of a batch, or from JSON files of studies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from petquant.batch.cohort import COLUMNS, CohortWarning, cohort_warnings, facts_of_record
from petquant.batch.measuring import flags_of_record
from petquant.batch.outcome import Outcome
from petquant.batch.store import STORE, Run, read_store
from petquant.errors import PetquantError, UnreadableInput
from petquant.export.columns import INTEGER_COLUMNS, TEXT_COLUMNS
from petquant.export.record import SCHEMA_VERSION, rows_of_record

__all__ = ["INTEGERS", "TABLES", "TEXT", "Collected", "Table", "opened"]

TABLES: Final = ("measurements", "runs", "warnings")
HEAD: Final = ("study", "outcome", "code", "message")
TIMINGS: Final = ("seconds", "attempts")
TEXT: Final = TEXT_COLUMNS | {*HEAD, *COLUMNS} - {"n_studies"}
INTEGERS: Final = INTEGER_COLUMNS | {"n_measurements", "attempts", "n_studies"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is made row by row.

    Parameters
    ----------
    columns
        Names, each once.
    given
        Those of them that a table of the user said.
    rows
        Cells in the order of the columns, None where there is nothing; to be gone through once.
    """

    columns: tuple[str, ...]
    given: tuple[str, ...]
    rows: Iterator[Sequence[Any]]


class Source(Protocol):
    """Where runs and records come from, in the order of the names of their studies."""

    def runs(self) -> Iterator[Run]:
        """Yield all runs."""

    def record(self, study: str) -> bytes | None:
        """Return the JSON of the record of a study, None when it has none."""


class Collected:
    """The tables of a batch, in an order that depends on the names of the studies alone."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def measurements(self) -> Table:
        """Return a row for every region and SUV type of every study that was measured."""
        seen = dict.fromkeys(name for run in self._source.runs() for name in run.columns)
        names = _given_names(self._source, {*HEAD, *seen})
        columns = (*HEAD, *names.values(), *seen)

        def rows() -> Iterator[Sequence[Any]]:
            for run in self._source.runs():
                if not run.n_measurements:
                    continue
                record = json.loads(self._source.record(run.study) or b"")
                head = [*_head(run), *(run.given.get(name) for name in names)]
                for row in rows_of_record(record):
                    yield [*head, *map(row.get, seen)]

        return Table(columns=columns, given=tuple(names.values()), rows=rows())

    def runs(self, *, with_timings: bool = False) -> Table:
        """Return a row for every study.

        Parameters
        ----------
        with_timings
            How long and how often it was measured, which no two runs have in common.
        """
        own = ("n_measurements", "petquant_version", *(TIMINGS if with_timings else ()))
        names = _given_names(self._source, {*HEAD, *own})

        def rows() -> Iterator[Sequence[Any]]:
            for run in self._source.runs():
                given = (run.given.get(name) for name in names)
                yield [*_head(run), *given, *(getattr(run, name) for name in own)]

        return Table(columns=(*HEAD, *names.values(), *own), given=tuple(names.values()), rows=rows())

    def studies(self) -> Iterator[tuple[Run, dict[str, Any] | None]]:
        """Yield every study with its record, None where nothing was measured."""
        for run in self._source.runs():
            record = self._source.record(run.study)
            yield run, None if record is None else json.loads(record)

    def cohort(self) -> tuple[CohortWarning, ...]:
        """Return what is odd across the studies that were measured."""
        return cohort_warnings(
            facts_of_record(run.study, json.loads(self._source.record(run.study) or b""))
            for run in self._source.runs()
            if run.n_measurements
        )

    def warnings(self) -> Table:
        """Return a row for everything that is odd across the studies that were measured."""
        return Table(columns=COLUMNS, given=(), rows=([*warning.row().values()] for warning in self.cohort()))


@contextmanager
def opened(place: Path) -> Iterator[Collected]:
    """Open the folder of a batch, or one of JSON files that ``petquant suv --out`` wrote.

    Raises
    ------
    UnreadableInput
        STORE_INVALID; TABLE_INVALID, when a JSON file is none of ours or there is none.
    """
    if (place / STORE).exists():
        with read_store(place) as store:
            yield Collected(store)
    else:
        yield Collected(_JsonFolder(place))


class _JsonFolder:
    """Single results: every study that has one was measured."""

    def __init__(self, folder: Path) -> None:
        try:
            found = {path.stem: path for path in folder.glob("*.json") if not path.name.startswith(".")}
        except OSError as error:
            raise _no_result(folder, error.strerror or str(error)) from error
        self._files = {_as_text(stem): found[stem] for stem in sorted(found)}
        if not self._files:
            raise _no_result(folder, f"neither {STORE} nor a JSON file")

    def runs(self) -> Iterator[Run]:
        for study, path in self._files.items():
            record = self._read(path)
            rows = rows_of_record(record)
            flags = flags_of_record(record)
            yield Run(
                study=study,
                outcome=Outcome.FLAGGED if flags else Outcome.OK,
                code=" ".join(flags),
                message="",
                seconds=0.0,
                attempts=1,
                petquant_version=record["petquant_version"],
                key="",
                given={},
                n_measurements=len(rows),
                columns=tuple(dict.fromkeys(name for row in rows for name in row)),
            )

    def record(self, study: str) -> bytes | None:
        return self._files[study].read_bytes()

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            record = json.loads(path.read_bytes())
            if record["schema_version"] != SCHEMA_VERSION:
                raise _no_result(path, f"schema_version {record['schema_version']}")
            rows_of_record(record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _no_result(path, "not the results of a study") from error
        found: dict[str, Any] = record
        return found


def _as_text(stem: str) -> str:
    """Return a name whose bytes need not be UTF-8 as text that can be written."""
    return stem.encode("utf-8", "backslashreplace").decode()


def _given_names(source: Source, taken: set[str]) -> dict[str, str]:
    """Return what tables of the user said, name to name of the column: one that is taken gets a prefix."""
    columns: dict[str, str] = {}
    for name in dict.fromkeys(name for run in source.runs() for name in run.given):
        column = name
        while column in taken:
            column = f"given_{column}"
        taken.add(column)
        columns[name] = column
    return columns


def _head(run: Run) -> list[Any]:
    return [run.study, str(run.outcome), run.code, run.message.replace("\n", " | ")]


def _no_result(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "TABLE_INVALID",
        found,
        expected="the folder of a batch, or one of files that petquant suv --out NAME.json wrote",
        remedy="give such a folder, and take other JSON files out of it",
        path=str(path),
    )
