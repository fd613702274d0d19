"""A cohort file is a cohort written down: a TOML file, and beside it a table of the lesions as CSV.

``[scan]`` is an ordinary definition of what both sessions have in common, each ``[[tracers]]`` what that
tracer changes of it. The table has the columns ``patient, lesion, region, side, x_mm, y_mm, z_mm`` and the
SUV on each tracer, or where the file says ``values_over`` the ratio to that shape's SUV.
"""

from __future__ import annotations

import csv
import tomllib
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from petquant_phantoms.cohort import Cohort, Lesion, Mirrored, Patient, Rule, Tracer
from petquant_phantoms.definition_file import DefinitionError, merged, parsed
from petquant_phantoms.moved import RigidMotion

Table = dict[str, Any]

_FOLDER = files("petquant_phantoms") / "definitions" / "cohorts"
_KEYS = {
    "version",
    "description",
    "proves",
    "tissue",
    "lesion_radius_mm",
    "rule",
    "other_rules",
    "shift_mm",
    "values_over",
    "mirrored",
    "quoted",
    "tracers",
    "scan",
}


def names() -> tuple[str, ...]:
    """Return the names of all cohorts, sorted."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml")
        )
    )


@lru_cache(maxsize=8)
def load(name: str) -> Cohort:
    """Return the cohort of a name.

    Raises
    ------
    DefinitionError
        If there is no cohort of this name, or its file does not make one.
    """
    if name not in names():
        raise DefinitionError(f"no cohort {name!r}; there are {', '.join(names())}")
    document = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    unknown = sorted(set(document) - _KEYS)
    if unknown:
        raise DefinitionError(f"{name}: unknown {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
    a, b = (_tracer(name, table, document["scan"]) for table in document["tracers"])
    x, y, z = (float(n) for n in document["shift_mm"])
    return Cohort(
        name=name,
        version=int(document.get("version", 1)),
        description=document["description"],
        proves=document["proves"],
        tracers=(a, b),
        patients=_patients(name, (a, b), values_over=document.get("values_over")),
        rule=Rule(**document["rule"]),
        other_rules=tuple(Rule(**table) for table in document.get("other_rules", ())),
        tissue=document["tissue"],
        lesion_radius_mm=float(document["lesion_radius_mm"]),
        motion=RigidMotion(shift_mm=(x, y, z)),
        mirrored=Mirrored(**document["mirrored"]) if "mirrored" in document else None,
        quoted=tuple(document.get("quoted", ())),
    )


def _tracer(name: str, table: Table, scan: Table) -> Tracer:
    changes = {key: value for key, value in table.items() if key != "name"}
    document = merged(scan, changes)
    suv = {uptake["name"]: float(uptake["suv"]) for uptake in document["uptakes"]}
    return Tracer(
        name=table["name"],
        definition=parsed(f"{name}/{table['name']}", document),
        suv=suv | {shape: float(value) for shape, value in document.get("suv", {}).items()},
    )


def _patients(name: str, tracers: tuple[Tracer, Tracer], *, values_over: str | None) -> tuple[Patient, ...]:
    text = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    rows = groupby(csv.DictReader(text.splitlines()), key=lambda row: row["patient"])
    return tuple(
        Patient(patient=patient, lesions=tuple(_lesion(row, tracers, values_over) for row in own))
        for patient, own in rows
    )


def _lesion(row: dict[str, str], tracers: tuple[Tracer, Tracer], values_over: str | None) -> Lesion:
    return Lesion(
        number=int(row["lesion"]),
        region=row["region"],
        side=row["side"],
        centre_mm=(float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"])),
        suv={
            tracer.name: float(row[tracer.name]) * (1.0 if values_over is None else tracer.suv[values_over])
            for tracer in tracers
        },
    )
