"""The type of a column follows from its name, so that a table has one schema whatever stands in it."""

from __future__ import annotations

from typing import Final

from petquant.export.identity import IDENTIFIERS

__all__ = ["INTEGER_COLUMNS", "TEXT_COLUMNS"]

TEXT_COLUMNS: Final = frozenset(
    {
        "study_key",
        *IDENTIFIERS,
        "series_uid",
        "tracer",
        "radionuclide",
        "roi_id",
        "roi_name",
        "role",
        "roi_source",
        "suv_type",
        "unit",
        "decay_reference",
        "suv_rule",
        "suv_factor",  # a number, or a JSON list with one a slice
        "petquant_version",
        "notice",
        "flags",
    }
)
INTEGER_COLUMNS: Final = frozenset({"n_voxels", "suv_max_ties"})
