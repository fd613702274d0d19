"""The side-car of a segmentation: what made each label; its names are what ``--labels`` reads."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from petquant.delineation import METHODS
from petquant.export.evidence import conversion_record
from petquant.export.record import NOTICE, codes_of, flag_codes, series_record
from petquant.export.withheld import Withheld
from petquant.segmentation import Segmentation
from petquant.version import __version__

__all__ = ["segmentation_record"]


def segmentation_record(segmentation: Segmentation, *, keeps_fractions: bool) -> dict[str, Any]:
    """Return everything about a segmentation as plain values, in a fixed order.

    Parameters
    ----------
    segmentation
        The regions.
    keeps_fractions
        Whether the file beside holds weights and not whole voxels.
    """
    study = segmentation.study
    has_values = segmentation.delineation is not None
    return {
        "petquant_version": __version__,
        "notice": NOTICE,
        "suv_type": segmentation.suv_type or None,
        "unit": segmentation.unit or None,
        "method": _method(segmentation),
        "background": _background(segmentation),
        "components": {
            "is_split": segmentation.is_split,
            "minimum_ml": segmentation.minimum_ml or None,
            "connectivity": segmentation.connectivity,
        },
        "has_fractions": keeps_fractions,
        "regions": {
            str(one.label): {
                "name": one.roi.name,
                "roi_source": one.roi.source,
                "threshold": one.threshold,
                "volume_ml": one.volume_ml,
                "n_voxels": len(labelled.voxels),
                "labelled_volume_ml": len(labelled.voxels) * study.grid.voxel_volume_ml,
                "flags": list(one.roi.flags if keeps_fractions else labelled.flags),
            }
            for one in segmentation.regions
            for labelled in (one.labelled(),)
        },
        "series": series_record(study, study.source),
        "conversion": conversion_record(study.conversion, segmentation.suv_type) if has_values else None,
        "flags": flag_codes(segmentation.findings),
        "codes": codes_of(segmentation.findings, Withheld.of(study.source)),
    }


def _method(segmentation: Segmentation) -> dict[str, Any] | None:
    """Return the method with the parameters that it needs."""
    chosen = segmentation.delineation
    if chosen is None:
        return None
    row = METHODS[chosen.method]
    given = asdict(chosen)
    return {
        "name": row.name,
        "rule": row.rule,
        "source": row.source,
        "parameters": {name: given[name] for name in row.needs},
        "is_connected": chosen.is_connected,
    }


def _background(segmentation: Segmentation) -> dict[str, Any] | None:
    """Return the background that the method saw."""
    reference, level = segmentation.reference, segmentation.level
    if reference is not None:
        return {
            "name": reference.name,
            "roi_source": reference.source,
            **reference.values,
            "flags": list(reference.flags),
        }
    return None if level is None else {"name": None, "mean": level.mean}
