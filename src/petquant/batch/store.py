"""The store: one SQLite file with a row and a record for every study, written by the driver alone.

Every study is one transaction. A record holds all numbers of a study; the rows of its table are made of it,
so that no number is stored twice.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from petquant.batch.outcome import Ended, Outcome
from petquant.errors import OutputFailed, PetquantError, UnreadableInput
from petquant.version import __version__

__all__ = ["STORE", "Run", "Store", "open_store", "read_store"]

STORE: Final = "petquant.sqlite"
APPLICATION_ID: Final = 0x50455451  # "PETQ"
SCHEMA_VERSION: Final = 1
SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE runs (
    study TEXT PRIMARY KEY NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    seconds REAL NOT NULL,
    attempts INTEGER NOT NULL,
    petquant_version TEXT NOT NULL,
    key TEXT NOT NULL,
    given TEXT NOT NULL,
    n_measurements INTEGER NOT NULL,
    columns TEXT NOT NULL
) STRICT;
CREATE TABLE records (
    study TEXT PRIMARY KEY NOT NULL REFERENCES runs (study) ON DELETE CASCADE,
    json_zlib BLOB NOT NULL
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_RUN: Final = (
    "study, outcome, code, message, seconds, attempts, petquant_version, key, given, n_measurements, columns"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A row of the table of runs."""

    study: str
    outcome: Outcome
    code: str
    message: str
    seconds: float
    attempts: int
    petquant_version: str
    key: str
    given: Mapping[str, str]
    n_measurements: int
    columns: tuple[str, ...]

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Self:
        """Return the run of a row of the database."""
        values = dict(zip(_RUN.split(", "), row, strict=True))
        values |= {
            "outcome": Outcome(values["outcome"]),
            "given": json.loads(values["given"]),
            "columns": tuple(json.loads(values["columns"])),
        }
        return cls(**values)


class Store:
    """An open store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, study: str) -> Run | None:
        """Return the run of a study, None when it is not recorded."""
        row = self._connection.execute(f"SELECT {_RUN} FROM runs WHERE study = ?", (study,)).fetchone()  # noqa: S608 - names of ours
        return None if row is None else Run.of_row(row)

    def runs(self) -> Iterator[Run]:
        """Yield all runs by the names of their studies."""
        for row in self._connection.execute(f"SELECT {_RUN} FROM runs ORDER BY study"):  # noqa: S608 - the same
            yield Run.of_row(row)

    def record(self, study: str) -> bytes | None:
        """Return the JSON of the record of a study, None when it has none."""
        row = self._connection.execute("SELECT json_zlib FROM records WHERE study = ?", (study,)).fetchone()
        try:
            return None if row is None else zlib.decompress(row[0])
        except zlib.error as error:
            raise _invalid(Path(STORE), f"the record of {study}: {error}") from error

    def with_records(self) -> Iterator[str]:
        """Yield the names of the studies that have a record."""
        for (study,) in self._connection.execute("SELECT study FROM records ORDER BY study"):
            yield study

    def count(self) -> int:
        """Return the number of runs."""
        number: int = self._connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        return number

    def put(self, study: str, end: Ended, *, key: str, given: Mapping[str, str], attempts: int) -> None:
        """Record how a study ended, in one transaction."""
        row = (
            study,
            str(end.outcome),
            end.code,
            end.message.encode("utf-8", "backslashreplace").decode(),  # a pattern may hold bytes of no text
            end.seconds,
            attempts,
            __version__,
            key,
            json.dumps(dict(given)),
            end.n_measurements,
            json.dumps(end.columns),
        )
        with self._transaction():
            self._connection.execute("DELETE FROM runs WHERE study = ?", (study,))
            self._connection.execute(f"INSERT INTO runs ({_RUN}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)  # noqa: S608 - names of ours
            if end.record:
                self._connection.execute("INSERT INTO records VALUES (?, ?)", (study, end.record))

    def give(self, study: str, given: Mapping[str, str]) -> None:
        """Replace what a table says of a recorded study."""
        with self._transaction():
            self._connection.execute(
                "UPDATE runs SET given = ? WHERE study = ?", (json.dumps(dict(given)), study)
            )

    def forget(self, studies: Iterable[str]) -> None:
        """Remove what is recorded of some studies, in one transaction."""
        with self._transaction():
            self._connection.executemany("DELETE FROM runs WHERE study = ?", ((study,) for study in studies))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled it back already
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


@contextmanager
def open_store(folder: Path) -> Iterator[Store]:
    """Open the store of a folder for its one writer, or make it.

    Raises
    ------
    OutputFailed
        OUTPUT_FAILED, when it cannot be written; what was recorded stays.
    UnreadableInput
        STORE_INVALID, when the file is no store of this version.
    """
    path = folder / STORE
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
            connection.execute("PRAGMA synchronous = FULL")
            _require_ours(connection, path)
            yield Store(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.DatabaseError) and _is_broken(error):
            raise _invalid(path, str(error)) from error
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{STORE} could not be written: {error}",
            expected="a folder that can be written, with room",
            remedy="make room and call again: what is recorded stays, and is not computed again",
            path=str(folder),
        ) from error


@contextmanager
def read_store(folder: Path) -> Iterator[Store]:
    """Open the store of a folder for reading, also while a batch writes to it.

    Raises
    ------
    UnreadableInput
        STORE_INVALID.
    """
    path = folder / STORE
    try:
        has_log = path.with_name(f"{STORE}-wal").exists()
        how = (
            "mode=rw" if has_log or os.access(folder, os.W_OK) else "immutable=1"
        )  # WAL asks for a file beside
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only = ON")
            _require_ours(connection, path)
            connection.execute("BEGIN")  # one state of it, whatever is written meanwhile
            yield Store(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _invalid(path, str(error)) from error


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or version != SCHEMA_VERSION:
        raise _invalid(path, f"application {application:#x}, version {version}")


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorname in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}


def _invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "STORE_INVALID",
        f"{path.name}: {found}",
        expected="a store that petquant batch of this version wrote",
        remedy="give the folder of a batch, or run it into a new one",
        path=str(path),
    )
