"""The table of the lesions and the sums of the study, as cells that a template prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from petquant.export.report.page import number_words

__all__ = ["columns_of", "rows_of_table", "summary_of"]

Record = Mapping[str, Any]

COLUMNS: Final = (
    ("n_voxels", "Voxels", ""),
    ("suv_max", "SUVmax", "suv"),
    ("suv_mean", "SUVmean", "suv"),
    ("suv_peak", "SUVpeak", "suv"),
    ("mtv_ml", "MTV", "mL"),
    ("tlg_g", "TLG", "g"),
)
NATIVE_COLUMNS: Final = (
    ("n_voxels", "Voxels", ""),
    ("activity_max_bqml", "Maximum", "Bq/mL"),
    ("activity_mean_bqml", "Mean", "Bq/mL"),
    ("mtv_ml", "MTV", "mL"),
)
SUMMARY: Final = {
    "n_lesions": ("Lesions", ""),
    "tmtv_ml": ("Total MTV", "mL"),
    "ttlg_g": ("Total TLG", "g"),
    "suv_max": ("Hottest SUVmax", ""),
    "dmax_centroid_mm": ("Largest distance of two lesions", "mm"),
}


def columns_of(record: Record) -> list[tuple[str, str, bool]]:
    """Return heading, unit and kind of the columns of the table."""
    unit = record["conversion"]["unit"] or ""
    several = len({row["suv_type"] for row in record["measurements"]}) > 1
    main = COLUMNS if record["conversion"]["suv_type"] else NATIVE_COLUMNS
    return [
        ("No.", "", True),
        ("Region", "", False),
        *([("SUV type", "", False)] if several else []),
        *((name, ("" if several else unit) if of == "suv" else of, True) for _, name, of in main),
        *(("TBRmax", one["name"], True) for one in record["references"]),
        ("Flags", "", False),
    ]


def rows_of_table(
    record: Record, labels: Sequence[str], has_pictures: Sequence[bool]
) -> list[list[tuple[str, str, str]]]:
    """Return text, sort key and link of every cell."""
    several = len({row["suv_type"] for row in record["measurements"]}) > 1
    main = COLUMNS if record["conversion"]["suv_type"] else NATIVE_COLUMNS
    columns = [
        *(column for column, _, _ in main),
        *(f"tbr_max_{one['name']}" for one in record["references"]),
    ]
    general = set(record["conversion"]["flags"])
    rows = []
    for place, row in enumerate(record["measurements"]):
        of = place % len(labels)
        own = " ".join(flag for flag in row["flags"] if flag not in general)
        name = str(row["roi_name"])
        numbers = [row.get(column) for column in columns]
        rows.append(
            [
                (labels[of], str(of), f"#lesion-{of + 1}" if has_pictures[of] else ""),
                (name, name, ""),
                *([(row["suv_type"], row["suv_type"], "")] if several else []),
                *((number_words(value), "" if value is None else repr(value), "") for value in numbers),
                (own, own, ""),
            ]
        )
    return rows


def summary_of(record: Record) -> list[tuple[str, str]]:
    """Return name and words of the sums that are defined."""
    values = record["summary"]
    return [
        (name, f"{number_words(values[column])} {unit}".strip())
        for column, (name, unit) in SUMMARY.items()
        if values.get(column) is not None
    ]
