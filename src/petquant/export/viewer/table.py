"""The table of a viewer: a row for every region, its numbers, and the voxel that a click goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from petquant.export.viewer.outlines import centre_of, index_at
from petquant.export.viewer.scene import Scene
from petquant.roi import Roi

__all__ = ["columns_of", "number_words", "rows_of", "unit_words"]

SUV_COLUMNS: Final = {
    "suv_max": "SUVmax",
    "suv_mean": "SUVmean",
    "suv_peak": "SUVpeak",
    "mtv_ml": "MTV mL",
    "tlg_g": "TLG g",
}
NATIVE_COLUMNS: Final = {
    "activity_max_bqml": "max Bq/mL",
    "activity_mean_bqml": "mean Bq/mL",
    "activity_peak_bqml": "peak Bq/mL",
    "mtv_ml": "MTV mL",
}
OF_REFERENCES: Final = {"suv_mean": "mean", "activity_mean_bqml": "mean", "mtv_ml": "volume_ml"}


def unit_words(scene: Scene) -> str:
    """Return the unit of the values."""
    return scene.pet.unit.value.replace("cm2", "cm²")


def columns_of(scene: Scene) -> dict[str, str]:
    """Return column to heading."""
    if scene.suv_type == "none":
        columns = dict(NATIVE_COLUMNS)
    elif scene.suv_type == "native":
        unit = unit_words(scene)
        columns = {"suv_max": f"max {unit}", "suv_mean": f"mean {unit}", "suv_peak": f"peak {unit}",
                   "mtv_ml": "MTV mL"}  # fmt: skip
    else:
        columns = dict(SUV_COLUMNS)
    return columns | {f"tbr_max_{one['name']}": f"TBRmax {one['name']}" for one in scene.references}


def rows_of(scene: Scene) -> list[dict[str, Any]]:
    """Return one row a region: its name, its cells, and the voxel that a click goes to."""
    of_scan = {code for code, _ in scene.caveats}
    columns = columns_of(scene)
    rows = []
    for roi, row in zip(scene.lesions, scene.rows, strict=True):
        rows.append(
            {
                "name": str(row["roi_name"]),
                "number": str(row["roi_id"]),
                "kind": "lesion",
                "cells": [row.get(column) for column in columns],
                "flags": [flag for flag in row["flags"] if flag not in of_scan],
                "place": _place_of(scene, roi, row),
            }
        )
    for roi, reference in zip(scene.backgrounds, scene.references, strict=True):
        rows.append(
            {
                "name": str(reference["name"]),
                "number": "",
                "kind": "background",
                "cells": [reference.get(OF_REFERENCES.get(column, "")) for column in columns],
                "flags": list(reference["flags"]),
                "place": centre_of(roi, scene.pet.grid),
            }
        )
    return rows


def _place_of(scene: Scene, roi: Roi, row: Mapping[str, Any]) -> list[int] | None:
    """Return the voxel of the maximum of a lesion."""
    at = [row.get(f"max_{axis}_mm") for axis in "xyz"]
    if any(mm is None for mm in at):
        return centre_of(roi, scene.pet.grid)
    return index_at(scene.pet.grid, [float(mm) for mm in at if mm is not None])


def number_words(value: Any) -> str:
    """Return a number in four digits, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1000 else f"{value:.1f}"
    return str(value)
