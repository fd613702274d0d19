"""The truth record is the content of truth.json: what a reader must find, or how it must refuse.

::

    {"phantom", "version", "seed", "dialect": {...},
     "suv": {"factor", "factor_g_per_bq", "uptake_s", "decayed_activity_bq", "decay_reference_at",
             "injected_at", "is_stated"},
     "series": {"uid", "expected": "ok" | "refused", "exit_code": 0 | 4, "error_code": null | code},
     "regions": [{"name", "role", "label", "files": [...], "center_lps_mm", "volume_ml_true", "basis",
                  "expected": {column: {"value", "abs_tol", "why"}},
                  "flags": [...],
                  "variants": [{"options": [...], "expected": {...}}]}],
     "refused_regions": [{"name", "files", "exit_code", "error_code"}],
     "study": {"n_lesions", "tmtv_ml", "ttlg_g", "dmax_centroid_mm", "dmax_voxel_mm", "abs_tol": {...},
               "flags": [...]}}

``is_stated`` is false where the header tells the decay reference only roughly. ``files`` are the forms of the
region, each of which must give the expected values; in a file of several regions its number is ``label``.
``flags`` must be carried by a measurement, and more may be. ``variants`` are what other options of a reader
make of the region. A distance is null below two lesions. With numbered voxels ``regions`` holds a few of the
labels, ``study`` all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from petquant_phantoms.burden import burden_of
from petquant_phantoms.caveats import caveats_of
from petquant_phantoms.drawn_truth import drawn_entry, refused_entries
from petquant_phantoms.pet_series import frames
from petquant_phantoms.region_files import forms_of
from petquant_phantoms.regions import groups_of
from petquant_phantoms.truth import truth_of

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition


def truth_record(definition: Definition) -> dict[str, Any]:
    """Return the content of truth.json."""
    frame = frames(definition)[0]
    record = truth_of(definition)
    shaped = {entry["name"]: entry for entry in record["regions"]}
    entries = []
    for group in groups_of(definition):
        for region in group.regions:
            entry = shaped.get(region.name) or drawn_entry(definition, region, frame)
            entry["files"] = list(forms_of(definition, group))
            entry["flags"] = caveats_of(region, definition, frame)
            entries.append(entry)
    record["regions"] = entries
    record["refused_regions"] = refused_entries(definition)
    record["study"] = burden_of(definition, frame)
    return record
