"""What was discovered as plain values: a flat row a PET series, and the record of the whole tree."""

from __future__ import annotations

import os
from typing import Any

from petquant.discover.judging import Discovered, DiscoveredSeries
from petquant.export.record import NOTICE, codes_of
from petquant.export.withheld import Withheld
from petquant.version import __version__

__all__ = ["discovered_record", "discovered_rows"]

FACTS = (
    "tracer",
    "nuclide",
    "manufacturer",
    "model",
    "reconstruction",
    "units",
    "n_slices",
    "voxel_mm",
    "weight_kg",
    "injected_mbq",
    "uptake_time_min",
)


def discovered_rows(found: Discovered) -> list[dict[str, Any]]:
    """Return a flat row for every PET series; paths begin at the tree, and codes are joined by blanks."""
    return [_row(one, found.tree.root) for one in found.series]


def discovered_record(found: Discovered) -> dict[str, Any]:
    """Return the tree with all its PET series and every cause against them, in a fixed order."""
    tree = found.tree
    return {
        "petquant_version": __version__,
        "notice": NOTICE,
        "n_files": tree.n_files,
        "n_studies": len(tree.studies) + len(tree.images),
        "n_studies_without_pet": tree.n_without_pet,
        "strays": dict(sorted(tree.strays.items())),
        "unread": [
            {"code": one.code, "n_files": one.n_files, "first": _from(one.first, tree.root)}
            for one in tree.unread
        ],
        "series": [
            _row(one, tree.root)
            | {
                "computable": list(one.computable),
                "refusals": codes_of(one.refusals, Withheld(root=tree.root)),
                "flags": list(one.flags),
            }
            for one in found.series
        ],
    }


def _from(path: str, root: str) -> str:
    return os.path.relpath(path, root) if path else ""


def _row(one: DiscoveredSeries, root: str) -> dict[str, Any]:
    return {
        "folder": _from(one.folder, root),
        "study_folder": _from(one.study_folder, root),
        "study_uid": one.study_uid or None,
        "series_number": one.series_number or None,
        "series_uid": one.series_uid or None,
        "n_files": one.n_files,
        "outcome": "refuse" if one.refusals else "flag" if one.flags else "ok",
        "choice": one.choice,
        "computable": " ".join(one.computable),
        "refusals": " ".join(dict.fromkeys(finding.code for finding in one.refusals)),
        "flags": " ".join(one.flags),
        **{name: one.facts.get(name) for name in FACTS},
        "has_ct": one.has_ct,
        "n_seg": one.n_seg,
        "n_rtstruct": one.n_rtstruct,
    }
