"""The truth of regions with weights: fractions of voxels, contours, blocks of voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from petquant_phantoms.region_files import refused_name
from petquant_phantoms.regions import RegionOnGrid, refused_drawings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.pet_series import Frame

SINGLE_PRECISION = 6.0e-8  # relative error of a reader that keeps its volume in single precision
QUOTED_DIGITS = 5.0e-11  # of a value that is quoted with ten decimals


def weighted_statistics(
    frame: Frame, weights: NDArray[np.float64], *, voxel_volume_ml: float
) -> dict[str, dict[str, Any]]:
    """Return value, tolerance and reason of every statistic of a weighted region.

    Parameters
    ----------
    frame
        Field and quantisation.
    weights
        Part of every voxel that is inside, [k, j, i].
    voxel_volume_ml
        Volume of a voxel.

    Notes
    -----
    ``mean = sum(w x) / sum(w)``, ``sd^2 = sum(w (x - mean)^2) / sum(w)``, ``mtv = v sum(w)``,
    ``tlg = v sum(w x)``; extremes and percentiles over voxels at least half inside (roi.md 3.1 and 4).
    """
    inside = weights > 0.0
    half = weights >= 0.5 - 1e-9
    w, x = weights[inside], frame.suv[inside]
    counted = frame.suv[half]
    units = np.broadcast_to(0.5 * frame.suv_per_stored_unit[:, None, None], weights.shape)
    largest, average = float(units[inside].max()), float(np.average(units[inside], weights=w))
    total_ml = float(w.sum()) * voxel_volume_ml
    mean = float(np.average(x, weights=w))
    sd = float(np.sqrt(np.average((x - mean) ** 2, weights=w)))
    worst = "half a stored unit of the region's coarsest slice and 6e-8 of the value"
    averaged = "weighted mean over the region of half a stored unit, and 6e-8 of the value"
    p10, median, p90 = (float(q) for q in np.percentile(counted, [10.0, 50.0, 90.0]))
    return {
        "n_voxels": {"value": int(half.sum()), "abs_tol": 0, "why": "voxels at least half inside"},
        "mtv_ml": {
            "value": total_ml,
            "abs_tol": 1e-7 * total_ml,
            "why": "sum of the weights; spacing and contours are decimal text",
        },
        "suv_max": _entry(float(counted.max()), largest, worst),
        "suv_mean": _entry(mean, average, averaged),
        "suv_min": _entry(float(counted.min()), largest, worst),
        "suv_median": _entry(median, largest, worst),
        "suv_sd": _entry(sd, largest, worst),
        "suv_p10": _entry(p10, largest, worst),
        "suv_p90": _entry(p90, largest, worst),
        "tlg_g": _entry(mean * total_ml, average * total_ml + 1e-7 * abs(mean) * total_ml, averaged),
    }


def drawn_entry(definition: Definition, region: RegionOnGrid, frame: Frame) -> dict[str, Any]:
    """Return the entry of a region without a shape in the table ``regions`` of truth.json."""
    volume_ml = definition.grid.voxel_volume_ml
    expected = weighted_statistics(frame, region.weights, voxel_volume_ml=volume_ml)
    coarsest = 0.5 * float(frame.suv_per_stored_unit.max())
    for quoted in region.quoted:
        expected[quoted.quantity] = _entry(quoted.value, coarsest + QUOTED_DIGITS, quoted.why)
    return {
        "name": region.name,
        "role": region.role,
        "label": region.label,
        "center_lps_mm": list(region.centre_mm),
        "volume_ml_true": region.volume_ml,
        "basis": "grid_sum",
        "expected": expected,
        "variants": [
            {
                "options": list(variant.options),
                "expected": weighted_statistics(frame, variant.weights, voxel_volume_ml=volume_ml),
            }
            for variant in region.variants
        ],
    }


def refused_entries(definition: Definition) -> list[dict[str, Any]]:
    """Return the table ``refused_regions``: files that no number may come from."""
    return [
        {"name": square.name, "files": [refused_name(square)], "exit_code": 4, "error_code": square.expected}
        for square in refused_drawings(definition)
    ]


def _entry(value: float, quantum: float, why: str) -> dict[str, Any]:
    return {"value": value, "abs_tol": quantum + SINGLE_PRECISION * abs(value), "why": why}
