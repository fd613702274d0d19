"""A clinical table holds what images cannot show: glucose, fasting, kidneys, pregnancy, therapy, disease.

One row a patient and session. A cell that is empty, ``NA`` or ``unknown`` is unknown. A cell that cannot be
meant is an error with its line and column, all of them at once; its text is not repeated, for it may be a
name that slipped into another column.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from petquant.errors import Finding, UnreadableInput
from petquant.reads.facts import GLUCOSE_MG_DL_PER_MMOL_L, ClinicalFacts

__all__ = ["CLINICAL_COLUMNS", "ClinicalTable", "read_clinical"]

UNKNOWN: Final = frozenset({"", "na", "n/a", "unknown"})
YES_NO: Final = MappingProxyType(
    {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
)
SAME: Final = 0.01  # relative: two columns of one glucose, each rounded by the laboratory


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, the field of `ClinicalFacts`, what a cell may hold, and how it is read."""

    name: str
    field: str
    expected: str
    read: Callable[[str], float | bool | None]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalTable:
    """A clinical table that was read.

    Parameters
    ----------
    facts
        By patient and session (empty where the table has no such column).
    ignored
        Columns that no rule of a protocol asks for.
    """

    facts: Mapping[tuple[str, str], ClinicalFacts]
    ignored: tuple[str, ...]

    def of(self, patient: str, session: str = "") -> ClinicalFacts:
        """Return the row of the session, else the patient's row without a session, else nothing known."""
        return self.facts.get((patient, session)) or self.facts.get((patient, ""), ClinicalFacts())


def _within(low: float, high: float) -> Callable[[str], float | None]:
    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return value if low <= value <= high else None

    return read


def _mg_dl_of_mmol_l(text: str) -> float | None:
    value = _within(2.0, 50.0)(text)
    return None if value is None else value * GLUCOSE_MG_DL_PER_MMOL_L


def _yes_or_no(text: str) -> bool | None:
    return YES_NO.get(text.casefold())


def _days(text: str) -> float | None:
    return math.inf if text.casefold() == "never" else _within(0.0, 40_000.0)(text)


def _row(
    name: str, field: str, expected: str, read: Callable[[str], float | bool | None], meaning: str
) -> Column:
    return Column(name=name, field=field, expected=expected, read=read, meaning=meaning)


CLINICAL_COLUMNS: Final = (
    # The two ranges hardly meet, so that a glucose in the other unit is an error and no PASS.
    _row(
        "glucose_mg_dl",
        "glucose_mg_dl",
        "36 to 900 mg/dL (mmol/L stand in glucose_mmol_l)",
        _within(36.0, 900.0),
        "plasma glucose at injection",
    ),
    _row(
        "glucose_mmol_l",
        "glucose_mg_dl",
        "2 to 50 mmol/L",
        _mg_dl_of_mmol_l,
        f"the same, times {GLUCOSE_MG_DL_PER_MMOL_L:g}",
    ),
    _row("fasting_h", "fasting_h", "0 to 72 hours", _within(0.0, 72.0), "hours without food"),
    _row("egfr", "egfr", "0 to 250 mL/min/1.73 m2", _within(0.0, 250.0), "glomerular filtration rate"),
    _row("pregnant", "is_pregnant", "yes or no", _yes_or_no, "pregnant on the day"),
    _row("breastfeeding", "is_breastfeeding", "yes or no", _yes_or_no, "breastfeeding on the day"),
    _row(
        "last_therapy_days",
        "therapy_free_days",
        "days of 0 to 40000, or never",
        _days,
        "days since the last anti-cancer therapy",
    ),
    _row(
        "measurable_disease",
        "has_measurable_disease",
        "yes or no",
        _yes_or_no,
        "by the criteria of the disease, for example Lugano",
    ),
)


def read_clinical(text: str, *, where: str = "clinical.csv") -> ClinicalTable:
    """Return the clinical table of a CSV text with a header line and the column ``patient``.

    Parameters
    ----------
    text
        Comma-separated, decimal points.
    where
        The file, for messages.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID: one finding a bad cell, with line and column.
    """
    found: list[Finding] = []
    facts: dict[tuple[str, str], ClinicalFacts] = {}
    try:
        lines = list(_lines(text))
    except csv.Error as error:
        raise UnreadableInput.because(_finding(where, f"no CSV: {error}", "comma-separated text")) from error
    head = [cell.casefold() for cell in lines[0][1]] if lines else []
    if "patient" not in head:
        raise UnreadableInput.because(_finding(where, "line 1 names no column patient", "patient,..."))
    found += [
        _finding(where, f"line 1: column {name} stands there twice", "every column once")
        for name in sorted({name for name in head if head.count(name) > 1})
    ]
    for line, cells in lines[1:]:
        if len(cells) != len(head):
            found.append(_finding(where, f"line {line}: {len(cells)} cells", f"{len(head)} as in line 1"))
            continue
        row = dict(zip(head, cells, strict=True))
        key = (row["patient"], row.get("session", ""))
        if not key[0]:
            found.append(_finding(where, f"line {line}, column patient: empty", "a patient"))
        elif key in facts:
            found.append(
                _finding(where, f"line {line}: patient and session of an earlier line", "one row each")
            )
        facts[key] = _facts(row, line, where, found)
    if found:
        raise UnreadableInput.because(*found)
    known = {"patient", "session", *(column.name for column in CLINICAL_COLUMNS)}
    return ClinicalTable(facts=facts, ignored=tuple(name for name in head if name not in known))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of every line that is not empty."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _facts(row: Mapping[str, str], line: int, where: str, found: list[Finding]) -> ClinicalFacts:
    """Return what one row says; what it cannot mean is added to the findings."""
    values: dict[str, Any] = {}
    for column in CLINICAL_COLUMNS:
        text = row.get(column.name, "")
        if text.casefold() in UNKNOWN:
            continue
        value = column.read(text)
        place = f"line {line}, column {column.name}"
        if value is None:
            found.append(_finding(where, f"{place}: a cell that cannot be meant", column.expected))
        elif column.field in values and not math.isclose(values[column.field], value, rel_tol=SAME):
            found.append(_finding(where, f"{place}: contradicts the column in the other unit", "one glucose"))
        else:
            values.setdefault(column.field, value)
    return ClinicalFacts(**values)


def _finding(where: str, found: str, expected: str) -> Finding:
    return Finding(
        code="SIDECAR_INVALID", found=found, expected=expected, remedy="mend the table", path=where
    )
