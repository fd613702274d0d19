"""The folder of a comparison: all of its files appear together, or none does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from petquant.comparison import Comparison
from petquant.errors import OutputFailed
from petquant.export.comparison import comparison_record, withheld_uids
from petquant.export.comparison_tables import comparison_tables
from petquant.export.methods import methods_text
from petquant.export.pseudonym import KEY
from petquant.export.record import as_json
from petquant.export.table import as_csv
from petquant.output import Content, write_all

__all__ = ["FILES", "write_comparison"]

TABLES: Final = ("lesions", "pairs", "regions", "patients", "concordance")
FILES: Final = (*(f"{name}.csv" for name in TABLES), "comparison.json", "methods.txt", KEY)


def write_comparison(
    comparison: Comparison,
    folder: Path,
    *,
    new_key: bytes | None = None,
    has_hashed_uids: bool = False,
    beside: Mapping[Path, bytes] | None = None,
) -> tuple[Path, ...]:
    """Write tables, record and methods; the folder is made when it is not there.

    Parameters
    ----------
    new_key
        Secret of the pseudonyms to keep in the folder, readable by its owner alone; None keeps none.
    beside
        Files that appear together with them, such as a report.

    Raises
    ------
    OutputFailed
        OUTPUT_FAILED; then nothing of it stands.
    """
    methods = methods_text(comparison)
    contents: dict[Path, Content] = {
        folder / f"{name}.csv": as_csv(withheld_uids(rows) if has_hashed_uids else rows)
        for name, rows in comparison_tables(comparison).items()
    }
    record = comparison_record(comparison, has_hashed_uids=has_hashed_uids)
    contents |= {folder / "comparison.json": as_json(record), folder / "methods.txt": methods.encode()}
    contents |= beside or {}
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        has_key = new_key is not None and _keep(folder / KEY, new_key)
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{folder} could not be made: {error.strerror or error}",
            expected="a folder that can be written, in one that exists",
            remedy="choose another place",
            path=str(folder),
        ) from error
    try:
        write_all(contents)
    except BaseException:
        if has_key:
            (folder / KEY).unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    return tuple(contents)


def _keep(path: Path, key: bytes) -> bool:
    """Write a key that is not there yet, with mode 0600; return whether it was written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return True
