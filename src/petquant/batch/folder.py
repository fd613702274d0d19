"""The folder of a batch: its store, its log, a JSON for every study, and the secret of its pseudonyms."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from petquant.batch.store import Store
from petquant.export.pseudonym import KEY, pseudonym_key
from petquant.output import sweep_folder, write_whole

__all__ = [
    "STUDIES",
    "file_of",
    "kept_key",
    "make_folder",
    "put_json",
    "put_report",
    "report_of",
    "restore_json",
    "sweep",
]

STUDIES: Final = "studies"
LONGEST: Final = 80
RESERVED: Final = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)),
}


def make_folder(out: Path) -> None:
    """Make the folder where it is not there."""
    out.mkdir(exist_ok=True)


def sweep(out: Path) -> None:
    """Remove what a killed driver left half written; the caller holds the lock."""
    (out / STUDIES).mkdir(exist_ok=True)
    for folder in (out, out / STUDIES):
        sweep_folder(folder)


def kept_key(out: Path) -> bytes:
    """Return the secret of the pseudonyms that lies in the folder; a new one is written first."""
    path = out / KEY
    content = pseudonym_key(out)
    if not (path.is_file() and path.read_bytes() == content):
        write_whole(path, content, is_private=True)
    return content


def file_of(out: Path, study: str) -> Path:
    """Return the JSON file of a study, whose name no name of a study leads astray."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", study)[:LONGEST].lstrip(".-") or "study"
    is_as_given = plain == study and plain.partition(".")[0].lower() not in RESERVED
    unique = "" if is_as_given else f"-{hashlib.sha256(study.encode()).hexdigest()[:12]}"
    return out / STUDIES / f"{plain}{unique}.json"


def put_json(out: Path, study: str, record: bytes | None) -> None:
    """Write the JSON of a study, or remove one of before when it has no record."""
    if record is None:
        file_of(out, study).unlink(missing_ok=True)
    else:
        write_whole(file_of(out, study), record)


def report_of(out: Path, study: str) -> Path:
    """Return the report of a study, which is there only where one was asked for."""
    return file_of(out, study).with_suffix(".html")


def put_report(out: Path, study: str, page: bytes) -> None:
    """Write the report of a study, or remove one of before when there is none."""
    if page:
        write_whole(report_of(out, study), page)
    else:
        report_of(out, study).unlink(missing_ok=True)


def restore_json(out: Path, store: Store) -> None:
    """Write the JSON files that recorded studies lack."""
    for study in store.with_records():
        if not file_of(out, study).exists():
            put_json(out, study, store.record(study))
