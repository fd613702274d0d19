"""Participants are the subjects of a BIDS dataset; their weight stands in ``participants.tsv``."""

from __future__ import annotations

import csv
from pathlib import Path

from petquant.acquisition import Written
from petquant.errors import UnreadableInput
from petquant.sidecar.content import finite, read_bounded, read_sidecar

__all__ = ["rows_of_participants", "weight_of"]

WEIGHT = "weight"
KEYWORD = "weight in participants.tsv"
IN_KG = ("", "n/a", "kg", "kilogram", "kilograms")


def weight_of(subject: str, table: Path) -> Written[float]:
    """Return the body weight in kg of a subject; absent when the table has no such row or column.

    Units other than kg, which ``participants.json`` may state, are no weight in kg: the number then stands
    with its unit, and with the defect WEIGHT_MISSING.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, when the table is no text, or names the subject twice.
    """
    mine = [row for row in rows_of_participants(table) if row.get("participant_id") == subject]
    if len(mine) > 1:
        raise _invalid(table, "a participant stands there twice")
    cell = mine[0].get(WEIGHT, "").strip() if mine else ""
    if cell.casefold() in {"", "n/a"}:
        return Written(keyword=KEYWORD)
    unit = _unit(table.with_suffix(".json"))
    if unit.casefold() not in IN_KG:
        return Written(text=f"{cell} {unit}", keyword=KEYWORD, defect="WEIGHT_MISSING")
    number = finite(cell)
    return Written(
        value=number, text=cell, keyword=KEYWORD, defect="VALUE_NOT_FINITE" if number is None else ""
    )


def rows_of_participants(table: Path) -> list[dict[str, str]]:
    """Return the rows of ``participants.tsv``: column to cell.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, when the table is no text.
    """
    try:
        text = read_bounded(table).decode("utf-8-sig")
        rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    except (ValueError, csv.Error) as error:
        raise _invalid(table, f"the table of participants cannot be read: {error}") from error
    return [{name: cell or "" for name, cell in row.items() if name is not None} for row in rows]


def _unit(dictionary: Path) -> str:
    if not dictionary.is_file():
        return ""
    return read_sidecar(dictionary).part(WEIGHT).text("Units").text


def _invalid(table: Path, found: str) -> Exception:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        found,
        expected="tab-separated columns, participant_id among them",
        path=str(table),
    )
