"""The truth of a phantom: for every region, what a measurement must find, how close, and why so close.

Values are sums over the float64 field on the grid; tolerances come from the quantisation of the pixels alone:
half a stored unit in SUV, and 6e-8 of the value for a reader that keeps single precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from petquant_phantoms.body import region_mask
from petquant_phantoms.pet_series import Frame, frames
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Region
    from petquant_phantoms.definition import Definition

# Relative error of a reader that keeps its volume in single precision.
SINGLE_PRECISION = 6.0e-8

# Every refusal of readable input leaves with this exit code.
REFUSED = 4


def truth_of(definition: Definition) -> dict[str, Any]:
    """Return the content of truth.json: phantom, conversion, series, regions and study."""
    header = definition.header
    first = frames(definition)[0]
    regions = [_region(definition, region, first) for region in definition.body.regions]
    lesions = [entry for entry in regions if entry["role"] == "lesion"]
    return {
        "phantom": definition.name,
        "version": definition.version,
        "seed": definition.seed,
        "dialect": {
            "vendor": header.dialect,
            "decay_correction": header.decay_correction,
            "units": header.units,
            "suv_type": header.suv_type,
            "transfer_syntax": definition.transfer_syntax,
            "object": definition.object,
            "time_variant": definition.time_variant,
        },
        "suv": _conversion(definition, first),
        "series": _series(definition),
        "regions": regions,
        "study": {
            "n_lesions": len(lesions),
            "tmtv_ml": sum(entry["expected"]["mtv_ml"]["value"] for entry in lesions),
            "ttlg_g": sum(entry["expected"]["tlg_g"]["value"] for entry in lesions),
        },
    }


def _conversion(definition: Definition, first: Frame) -> dict[str, Any]:
    header = definition.header
    per_unit = [1.0 / float(x) for x in first.stored_per_suv]
    factors: Any = per_unit[0] if len(set(per_unit)) == 1 else per_unit
    is_undecayed = header.decay_correction == "NONE"
    return {
        "factor": factors,
        "factor_g_per_bq": factors if header.units == "BQML" else None,
        "uptake_s": None if is_undecayed else header.decay_interval_s,
        "decayed_activity_bq": None if is_undecayed else header.decayed_activity_bq,
        "decay_reference_at": None if is_undecayed else header.reference_at.isoformat(),
        "injected_at": header.injected_at.isoformat(),
    }


def _series(definition: Definition) -> dict[str, Any]:
    is_ok = definition.expected == "ok"
    return {
        "uid": uid(definition.name, "PT"),
        "expected": "ok" if is_ok else "refused",
        "exit_code": 0 if is_ok else REFUSED,
        "error_code": None if is_ok else definition.expected,
    }


def _region(definition: Definition, region: Region, frame: Frame) -> dict[str, Any]:
    mask = region_mask(region, definition.grid)
    is_lesion = region.role == "lesion"
    return {
        "name": region.name,
        "role": region.role,
        "label": definition.body.lesions.index(region) + 1 if is_lesion else 1,
        "files": ["rois/lesions.nii.gz" if is_lesion else f"rois/{region.name}.nii.gz"],
        "center_lps_mm": list(region.shape.centre_mm),
        "volume_ml_true": region.shape.volume_ml,
        "basis": "grid_sum",
        "expected": expected_statistics(frame, mask, voxel_volume_ml=definition.grid.voxel_volume_ml),
        "flags": [],
    }


def expected_statistics(
    frame: Frame, mask: NDArray[np.bool_], *, voxel_volume_ml: float
) -> dict[str, dict[str, Any]]:
    """Return value, tolerance and reason of every statistic of the voxels in a mask.

    Parameters
    ----------
    frame
        Field and quantisation.
    mask
        Voxels of the region [k, j, i], at least one.
    voxel_volume_ml
        Volume of a voxel.
    """
    suv = frame.suv[mask]
    if suv.size == 0:
        raise ValueError("a region holds no voxel centre: enlarge it or move it")
    half_unit = np.broadcast_to(0.5 * frame.suv_per_stored_unit[:, None, None], mask.shape)[mask]
    largest, average = float(half_unit.max()), float(half_unit.mean())
    worst = "half a stored unit of the region's coarsest slice and 6e-8 of the value"
    mean = "mean over the region of half a stored unit, and 6e-8 of the value"
    counted = "a count of voxel centres inside the sharp shape"
    p10, median, p90 = (float(x) for x in np.percentile(suv, [10.0, 50.0, 90.0]))
    volume_ml = suv.size * voxel_volume_ml
    return {
        "n_voxels": {"value": int(suv.size), "abs_tol": 0, "why": counted},
        "mtv_ml": {
            "value": volume_ml,
            "abs_tol": 1e-9 * volume_ml,
            "why": f"{counted}; spacing is decimal text",
        },
        "suv_max": _entry(float(suv.max()), largest, worst),
        "suv_mean": _entry(float(suv.mean()), average, mean),
        "suv_min": _entry(float(suv.min()), largest, worst),
        "suv_median": _entry(median, largest, worst),
        "suv_sd": _entry(float(suv.std()), largest, worst),
        "suv_p10": _entry(p10, largest, worst),
        "suv_p90": _entry(p90, largest, worst),
        "tlg_g": _entry(float(suv.mean()) * volume_ml, average * volume_ml, f"{mean}, times the volume"),
    }


def _entry(value: float, quantum: float, why: str) -> dict[str, Any]:
    return {"value": value, "abs_tol": quantum + SINGLE_PRECISION * abs(value), "why": why}
