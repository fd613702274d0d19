"""A manifest of a cohort: CSV, one row a scan, with paths that start where the manifest lies.

Columns: ``patient``, ``tracer``, ``study``, ``roi``; optional ``backgrounds`` and ``exclude`` (see
`petquant.background.text`; what is excluded has no name), ``session``, ``reader``, ``reads``, ``labels``,
``clinical``, ``series``, ``psf_fwhm_mm``, and any value in place of the header's by the name of its option
(``weight_kg``, ...). Several files of ``roi``, ``backgrounds`` and ``exclude`` are joined by ``;``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from petquant.background import background_of, region_of
from petquant.compare.inputs import ScanInput
from petquant.errors import PetquantError, UnreadableInput, UsageError
from petquant.overrides import Overrides
from petquant.reads.clinical import read_clinical
from petquant.reads.facts import ClinicalFacts
from petquant.study import Choices
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
OVERRIDES: Final = tuple(field.name for field in fields(Overrides) if field.name != "tracer")


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
    for number, row in enumerate(_rows(path), start=2):
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
        raise _invalid(path, f"two rows for one scan: {words}")
    return tuple(scans)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise _invalid(path, str(error)) from error
    if any(None in line for line in lines):
        raise _invalid(path, "a row with more cells than columns")
    heads = list(lines[0]) if lines else []
    missing = [name for name in NEEDED if name not in heads]
    unknown = [str(name) for name in heads if name not in (*NEEDED, *OPTIONAL, *OVERRIDES)]
    if missing or unknown:
        words = [f"no column {', '.join(missing)}"] if missing else []
        words += [f"unknown columns {', '.join(unknown)}"] if unknown else []
        raise _invalid(path, "; ".join(words))
    return [{name: (row.get(name) or "").strip() for name in heads} for row in lines]


def _scan(row: Mapping[str, str], folder: Path, choices: Choices) -> ScanInput:
    empty = [name for name in NEEDED if not row[name]]
    if empty and not (choices.allow_empty and empty == ["roi"]):
        remedy = "--allow-empty, if there is no lesion on the scan" if empty == ["roi"] else ""
        found = f"{', '.join(empty)} is empty"
        raise UsageError.of("OPTION_INVALID", found, expected="a value", remedy=remedy)
    tracer = tracer_by_name(row["tracer"])
    given: dict[str, Any] = {name: _value(name, row[name]) for name in OVERRIDES if row.get(name)}
    overrides = Overrides(**given, tracer=None if tracer is None else tracer.name)
    clinical, clinic = _clinical(folder, row)
    return ScanInput(
        patient=row["patient"],
        tracer=row["tracer"],
        study=_path(folder, row["study"]),
        rois=tuple(_path(folder, text) for text in _parts(row["roi"])),
        backgrounds=tuple(background_of(text, folder=folder) for text in _parts(row.get("backgrounds", ""))),
        exclusions=tuple(
            region_of(text, name="exclude", folder=folder) for text in _parts(row.get("exclude", ""))
        ),
        session=row.get("session", ""),
        reader=row.get("reader", ""),
        reads=_path(folder, row["reads"]) if row.get("reads") else None,
        labels=_path(folder, row["labels"]) if row.get("labels") else None,
        clinical=clinical,
        clinic=clinic,
        psf_fwhm_mm=_width(row.get("psf_fwhm_mm", "")),
        choices=replace(choices, overrides=overrides, series=row.get("series") or choices.series),
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _path(folder: Path, text: str) -> str:
    path = folder / text
    if not path.exists():
        raise UsageError.of("PATH_NOT_FOUND", f"{path} does not exist", remedy="paths start at the manifest")
    return str(path)


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


def _value(name: str, text: str) -> Any:
    """Return the value of an override; what it cannot be is for `Overrides` to say."""
    kinds = get_args(get_type_hints(Overrides)[name])
    kind = next(kind for kind in kinds if kind is not type(None))
    try:
        return kind(text)
    except ValueError:
        return text


def _clinical(folder: Path, row: Mapping[str, str]) -> tuple[dict[str, str], ClinicalFacts]:
    """Return what the clinical table of a row says of its patient and session: as text, and as facts."""
    if not row.get("clinical"):
        return {}, ClinicalFacts()
    path, patient, session = Path(_path(folder, row["clinical"])), row["patient"], row.get("session", "")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise _invalid(path, str(error)) from error
    facts = read_clinical(text, where=path.name).of(patient, session)
    lines = [
        {(name or "").strip(): (value or "").strip() for name, value in line.items()}
        for line in csv.DictReader(text.splitlines())
    ]
    of_patient = {line.get("session", ""): line for line in lines if line.get("patient") == patient}
    own = of_patient.get(session) or of_patient.get("", {})
    return {name: value for name, value in own.items() if name not in {"", "patient", "session"}}, facts


def _invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"a table that cannot be read: {found}",
        expected=f"CSV with the columns {', '.join(NEEDED)}; optional {', '.join(OPTIONAL)}, or the name "
        "of an option in place of the header",
        path=str(path),
    )
