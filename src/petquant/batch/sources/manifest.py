"""A manifest of a batch: CSV, one row a study, with paths that start where the manifest lies.

Columns: ``study``, ``roi``; optional ``name``, ``backgrounds`` (see `petquant.background.text`), ``labels``,
``study_uid``, ``series``, ``frame``, ``gate``, ``roi_label`` (one region of the files alone), ``tracer``
(which the header must not contradict), and any value in place of the header's by the name of its option
(``weight_kg``, ...). Every other column is copied to the results. Several files of
``roi`` and ``backgrounds`` are joined by ``;``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from petquant.background import Background, background_of
from petquant.batch.sources.given import Given
from petquant.batch.sources.naming import names_of, words_of
from petquant.batch.task import StudyTask
from petquant.errors import Finding, PetquantError, UsageError
from petquant.paths import is_found
from petquant.study import Choices
from petquant.study_table import OVERRIDES, StudyTable, overrides_of, parts, path_of, unreadable_table
from petquant.tracers import tracer_by_name

__all__ = ["EXPECTED", "tasks_of_manifest"]

OPTIONAL: Final = (
    "roi",
    "name",
    "backgrounds",
    "labels",
    "study_uid",
    "series",
    "frame",
    "gate",
    "roi_label",
)
EXPECTED: Final = (
    f"CSV with the column study; optional {', '.join(OPTIONAL)}, tracer, the name of an option in place of "
    "the header, and any other; or Image and Mask as for pyradiomics"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row whose cells were read."""

    line: int
    study: str
    rois: tuple[str, ...]
    backgrounds: tuple[Background, ...]
    labels: str | None
    choices: Choices
    cells: Mapping[str, str]


def tasks_of_manifest(path: Path, given: Given, table: StudyTable) -> list[StudyTask]:
    """Return a task for every row of a table, in their order.

    A study that does not exist is the outcome of that study alone, and stops no batch.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID: not such a table.
    UsageError
        PATH_NOT_FOUND, OPTION_INVALID: everything that is wrong in any row, with its line.
    """
    missing = [name for name in _needed(given) if name not in table.columns]
    if missing:
        raise unreadable_table(path, f"no column {', '.join(missing)}", EXPECTED)
    folder = path.parent
    given.require_places("study", "name", "source", *table.columns)
    rows: list[_Row] = []
    problems: list[Finding] = []
    for line, cells in table.rows:
        try:
            rows.append(_row(line, cells, folder, given))
        except PetquantError as error:
            problems += [replace(one, where=f"{path.name} line {line}") for one in error.findings]
    problems += _one_name_twice(path, rows)
    if problems:
        raise UsageError.because(*problems)
    names = _names(rows, folder)
    problems = _one_study_twice(path, rows, names)
    if problems:
        raise UsageError.because(*problems)
    return [_task(name, row, given, folder) for name, row in zip(names, rows, strict=True)]


def _task(name: str, row: _Row, given: Given, folder: Path) -> StudyTask:
    """Return the task of a row; what it lacks does not skip a study that is not there, or has no lesion."""
    study = Path(row.study)
    task = given.task(
        name,
        row.study,
        places={
            **row.cells,
            "study": row.study if os.path.isdir(study) else os.fspath(study.parent),  # noqa: PTH112 - it never raises
            "name": name,
            "source": os.fspath(folder),
        },
        rois=row.rois,
        choices=row.choices,
        backgrounds=row.backgrounds,
        labels=row.labels,
        columns={
            column: cell
            for column, cell in row.cells.items()
            if column and column not in {"study", *OPTIONAL, *OVERRIDES}
        },
    )
    has_no_lesion = not (row.rois or given.roi_patterns) and given.choices.allow_empty
    return replace(task, reason_to_skip="") if has_no_lesion or not is_found(study) else task


def _needed(given: Given) -> tuple[str, ...]:
    return ("study",) if given.roi_patterns else ("study", "roi")


def _row(line: int, cells: Mapping[str, str], folder: Path, given: Given) -> _Row:
    """Return a row with its cells as values, or raise everything that is wrong in it."""
    problems: list[Finding] = []

    def tried(make: Any, *args: Any, **how: Any) -> Any:
        try:
            return make(*args, **how)
        except PetquantError as error:
            problems.extend(error.findings)
            return None

    if not cells["study"]:
        problems.append(_empty("study"))
    study = folder / cells["study"]
    is_there = is_found(study)  # else it is the outcome of this study, whatever belongs to it
    files = parts(cells.get("roi", ""))
    if not files and not given.roi_patterns and not given.choices.allow_empty:
        problems.append(_empty("roi"))
    find = path_of if is_there else _joined
    rois = [tried(find, folder, text) for text in files]
    backgrounds = [
        tried(background_of, text, folder=folder) for text in parts(cells.get("backgrounds", "")) if is_there
    ]
    labels = tried(find, folder, cells["labels"]) if cells.get("labels") else None
    choices = tried(_choices, cells, given.choices)
    if problems:
        raise UsageError.because(*problems)
    return _Row(
        line=line,
        study=os.fspath(study),
        rois=tuple(rois),
        backgrounds=tuple(backgrounds),
        labels=labels,
        choices=choices,
        cells=cells,
    )


def _choices(cells: Mapping[str, str], choices: Choices) -> Choices:
    tracer = tracer_by_name(cells["tracer"]) if cells.get("tracer") else None
    given = overrides_of(cells) | ({} if tracer is None else {"tracer": tracer.name})
    return replace(
        choices,
        overrides=replace(choices.overrides, **given),
        study=cells.get("study_uid") or choices.study,
        series=cells.get("series") or choices.series,
        frame=_ordinal("frame", cells) or choices.frame,
        gate=_ordinal("gate", cells) or choices.gate,
        roi_label=cells.get("roi_label") or choices.roi_label,
    )


def _ordinal(column: str, cells: Mapping[str, str]) -> int | None:
    text = cells.get(column, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError.of("OPTION_INVALID", f"{column} {text}", expected="a whole number from 1")
    return int(text)


def _joined(folder: Path, text: str) -> str:
    return os.fspath(folder / text)


def _empty(column: str) -> Finding:
    remedy = "--allow-empty, if there is no lesion; or --roi PATTERN" if column == "roi" else ""
    return Finding(code="OPTION_INVALID", found=f"{column} is empty", expected="a value", remedy=remedy)


def _names(rows: Sequence[_Row], folder: Path) -> list[str]:
    """Return the names given, or made of the path of the study from the manifest on."""
    return names_of(
        [
            (
                row.cells.get("name") or words_of(row.study, folder),
                "\0".join((row.cells.get("name", ""), *map(str, _what(row)))),
            )
            for row in rows
        ]
    )


def _what(row: _Row) -> tuple[object, ...]:
    """Return what tells a row from others, with paths as they stand in it, wherever it is read from."""
    choices = row.choices
    paths = [os.path.normpath(path) for path in (row.cells["study"], *parts(row.cells.get("roi", "")))]
    return (choices.study, choices.series, choices.frame, choices.gate, choices.roi_label, *paths)


def _one_name_twice(path: Path, rows: Sequence[_Row]) -> list[Finding]:
    lines: dict[str, list[int]] = {}
    for row in rows:
        if row.cells.get("name"):
            lines.setdefault(row.cells["name"].casefold(), []).append(row.line)
    return [_twice(path, found, "one name") for found in lines.values() if len(found) > 1]


def _one_study_twice(path: Path, rows: Sequence[_Row], names: Sequence[str]) -> list[Finding]:
    lines: dict[str, list[int]] = {}
    for row, name in zip(rows, names, strict=True):
        lines.setdefault(name.casefold(), []).append(row.line)
    return [
        _twice(path, found, "one study with the same regions") for found in lines.values() if len(found) > 1
    ]


def _twice(path: Path, lines: Sequence[int], what: str) -> Finding:
    return Finding(
        code="OPTION_INVALID",
        found=f"the lines {', '.join(map(str, lines))} have {what}",
        expected="rows that differ",
        remedy="give each a name of its own in the column name",
        where=path.name,
    )
