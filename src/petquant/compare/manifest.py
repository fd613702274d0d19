"""A manifest of a cohort: CSV, one row a scan, with paths that start where the manifest lies.

Columns: ``patient``, ``tracer``, ``study``, ``roi``; optional ``backgrounds`` and ``exclude`` (see
`petquant.background.text`; what is excluded has no name), ``session``, ``reader``, ``reads``, ``labels``,
``clinical``, ``series``, ``psf_fwhm_mm``, and any value in place of the header's by the name of its option
(``weight_kg``, ...). Several files of ``roi``, ``backgrounds`` and ``exclude`` are joined by ``;``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from petquant.background import background_of, region_of
from petquant.compare.inputs import ScanInput
from petquant.errors import PetquantError, UsageError
from petquant.overrides import Overrides
from petquant.reads.clinical import read_clinical
from petquant.reads.facts import ClinicalFacts
from petquant.study import Choices
from petquant.study_table import OVERRIDES, overrides_of, parts, path_of, read_table, unreadable_table
from petquant.tracers import tracer_by_name

__all__ = ["read_cohort"]

NEEDED: Final = ("patient", "tracer", "study", "roi")
OPTIONAL: Final = (
    "backgrounds",
    "exclude",
    "session",
    "reader",
    "reads",
    "labels",
    "clinical",
    "series",
    "psf_fwhm_mm",
)
EXPECTED: Final = (
    f"CSV with the columns {', '.join(NEEDED)}; optional {', '.join(OPTIONAL)}, or the name of an option in "
    "place of the header"
)


def read_cohort(path: Path | str, *, choices: Choices | None = None) -> tuple[ScanInput, ...]:
    """Return the scans of a manifest.

    Parameters
    ----------
    path
        The CSV file.
    choices
        What holds for all scans; the columns of a row come on top.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID: not such a table; two rows for one scan.
    UsageError
        PATH_NOT_FOUND, OPTION_INVALID, every one with its line.
    """
    path = Path(path)
    scans, problems = [], []
    for number, row in read_table(path, needed=NEEDED, known=(*OPTIONAL, *OVERRIDES), expected=EXPECTED).rows:
        try:
            scans.append(_scan(row, path.parent, choices or Choices()))
        except PetquantError as error:
            problems += [replace(one, where=f"{path.name} line {number}") for one in error.findings]
    if problems:
        raise UsageError.because(*problems)
    keys = [(scan.patient, scan.session, scan.reader, scan.tracer) for scan in scans]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        words = "; ".join(" ".join(part for part in key if part) for key in twice)
        raise unreadable_table(path, f"two rows for one scan: {words}", EXPECTED)
    return tuple(scans)


def _scan(row: Mapping[str, str], folder: Path, choices: Choices) -> ScanInput:
    empty = [name for name in NEEDED if not row[name]]
    if empty and not (choices.allow_empty and empty == ["roi"]):
        remedy = "--allow-empty, if there is no lesion on the scan" if empty == ["roi"] else ""
        found = f"{', '.join(empty)} is empty"
        raise UsageError.of("OPTION_INVALID", found, expected="a value", remedy=remedy)
    tracer = tracer_by_name(row["tracer"])
    overrides = Overrides(**overrides_of(row), tracer=None if tracer is None else tracer.name)
    clinical, clinic = _clinical(folder, row)
    return ScanInput(
        patient=row["patient"],
        tracer=row["tracer"],
        study=path_of(folder, row["study"]),
        rois=tuple(path_of(folder, text) for text in parts(row["roi"])),
        backgrounds=tuple(background_of(text, folder=folder) for text in parts(row.get("backgrounds", ""))),
        exclusions=tuple(
            region_of(text, name="exclude", folder=folder) for text in parts(row.get("exclude", ""))
        ),
        session=row.get("session", ""),
        reader=row.get("reader", ""),
        reads=path_of(folder, row["reads"]) if row.get("reads") else None,
        labels=path_of(folder, row["labels"]) if row.get("labels") else None,
        clinical=clinical,
        clinic=clinic,
        psf_fwhm_mm=_width(row.get("psf_fwhm_mm", "")),
        choices=replace(choices, overrides=overrides, series=row.get("series") or choices.series),
    )


def _width(text: str) -> float | None:
    """Return the width of the noise correlation in mm, None of an empty cell."""
    if not text:
        return None
    try:
        width_mm = float(text)
    except ValueError:
        width_mm = -1.0
    if not 0.0 < width_mm < float("inf"):
        raise UsageError.of("OPTION_INVALID", f"psf_fwhm_mm {text}", expected="a width of more than 0 mm")
    return width_mm


def _clinical(folder: Path, row: Mapping[str, str]) -> tuple[dict[str, str], ClinicalFacts]:
    """Return what the clinical table of a row says of its patient and session: as text, and as facts."""
    if not row.get("clinical"):
        return {}, ClinicalFacts()
    path, patient, session = Path(path_of(folder, row["clinical"])), row["patient"], row.get("session", "")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise unreadable_table(path, str(error), EXPECTED) from error
    facts = read_clinical(text, where=path.name).of(patient, session)
    lines = [
        {(name or "").strip(): (value or "").strip() for name, value in line.items()}
        for line in csv.DictReader(text.splitlines())
    ]
    of_patient = {line.get("session", ""): line for line in lines if line.get("patient") == patient}
    own = of_patient.get(session) or of_patient.get("", {})
    return {name: value for name, value in own.items() if name not in {"", "patient", "session"}}, facts
