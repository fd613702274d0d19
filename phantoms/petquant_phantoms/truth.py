"""The truth of a phantom: for every region, what a measurement must find, how close, and why so close.

Values are sums over the float64 field on the grid, and tolerances come from the quantisation of the pixels
alone (`region_truth`). A noisy phantom also says what the region holds without noise, within four standard
errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from petquant_phantoms.body import region_mask
from petquant_phantoms.image import noise_free_suv
from petquant_phantoms.noise import standard_error
from petquant_phantoms.pet_series import Frame, frames
from petquant_phantoms.region_truth import SINGLE_PRECISION, expected_statistics
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from petquant_phantoms.body import Region
    from petquant_phantoms.definition import Definition

# A mean of noise lies farther from its expectation once in 16,000 scans.
STANDARD_ERRORS = 4.0

# Every refusal of readable input leaves with this exit code.
REFUSED = 4


def truth_of(definition: Definition) -> dict[str, Any]:
    """Return what `truth_record` begins with: phantom, conversion, series, and the regions of the body."""
    header = definition.header
    first = frames(definition)[0]
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
        "regions": [_region(definition, region, first) for region in definition.body.regions],
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
        # a header with reference times of its own tells the decay reference no better than they are written
        "is_stated": all(bed.frame_reference_s is None for bed in header.beds),
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
        "center_lps_mm": list(region.shape.centre_mm),
        "volume_ml_true": region.shape.volume_ml,
        "basis": "grid_sum",
        "expected": expected_statistics(frame, mask, grid=definition.grid),
        **_noise_free(definition, mask, frame),
    }


def _noise_free(definition: Definition, mask: NDArray[np.bool_], frame: Frame) -> dict[str, Any]:
    """Return what the mean of a region is without noise, and how far noise may take it."""
    if definition.noise is None:
        return {}
    suv = noise_free_suv(definition)
    error = standard_error(suv, mask, definition.noise, spacing_mm=definition.grid.spacing_mm)
    mean = float(suv[mask].mean())
    quantum = 0.5 * float(frame.suv_per_stored_unit.max()) + SINGLE_PRECISION * abs(mean)
    why = "4 standard errors of the mean under correlated noise, and half a stored unit"
    return {
        "noise_free": {"suv_mean": {"value": mean, "abs_tol": STANDARD_ERRORS * error + quantum, "why": why}}
    }
