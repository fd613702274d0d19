"""To delineate is to take, inside regions or in a whole volume, the voxels that a method says belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petquant.delineation.components import connected_to
from petquant.delineation.methods import Delineation, Level
from petquant.delineation.threshold import Threshold, threshold_of
from petquant.delineation.watershed import basin
from petquant.errors import PetquantError, Refused
from petquant.metrics.intensity import HALF
from petquant.metrics.segments import values_not_finite
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["Delineated", "delineate"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delineated:
    """A region that a method made, and its threshold in the unit of the volume (None of a watershed)."""

    roi: Roi
    threshold: float | None


def delineate(
    volume: Volume,
    delineation: Delineation,
    *,
    suv_type: str,
    within: Sequence[Roi] | None = None,
    level: Level | None = None,
    name: str = "lesion",
) -> tuple[Delineated, ...]:
    """Return one region for every region that is searched, or the one of the whole volume.

    Parameters
    ----------
    volume
        All slices loaded.
    delineation
        Accepted by `petquant.delineation.methods.require_meant`.
    suv_type
        What the values are, for the words of `Roi.source`.
    within
        Regions on the volume's grid; a voxel is searched when at least half of it is inside. Each is taken
        for itself: its own maximum, its own threshold. None searches the whole volume.
    level
        The background, measured or given.
    name
        Of the region of a whole volume.

    Returns
    -------
    Regions of whole voxels with the ids, names and flags of those that were searched; one may be empty.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE; DELINEATION_UNDEFINED.
    """
    if within is None:
        threshold = threshold_of(delineation, np.empty(0), level)
        roi = Roi(
            roi_id="1",
            name=name,
            voxels=_above(volume, threshold.value),
            source=f"{_words(threshold, volume, suv_type)}, whole volume",
        )
        return (Delineated(roi=roi, threshold=threshold.value),)
    return tuple(_inside(volume, roi, delineation, suv_type=suv_type, level=level) for roi in within)


def _inside(
    volume: Volume, roi: Roi, delineation: Delineation, *, suv_type: str, level: Level | None
) -> Delineated:
    """Return what the method takes of one region."""
    voxels = roi.voxels if roi.weights is None else roi.voxels[roi.weights >= HALF]
    where = f"in region {roi.roi_id} ({roi.source})"
    if not len(voxels):
        return Delineated(roi=replace(roi, voxels=voxels, weights=None, source=where), threshold=None)
    x = volume.at(voxels)
    if not np.isfinite(x).all():
        raise values_not_finite(int((~np.isfinite(x)).sum()))
    threshold: Threshold | None = None
    try:
        if delineation.method == "watershed":
            kept, words = basin(volume, voxels), "gradient watershed from the maximum"
        else:
            threshold = threshold_of(delineation, x, level)
            kept, words = voxels[x >= threshold.value], _words(threshold, volume, suv_type)
    except Refused as refusal:
        raise _of_region(refusal, roi) from refusal
    words = f"{words}, {where}"
    if delineation.is_connected:
        if len(kept):
            kept = connected_to(
                int(voxels[np.argmax(x)]), kept, volume.grid, connectivity=delineation.connectivity
            )
        words += f", {delineation.connectivity}-connected to the maximum"
    return Delineated(
        roi=replace(roi, voxels=kept, weights=None, source=words),
        threshold=None if threshold is None else threshold.value,
    )


def _above(volume: Volume, threshold: float) -> Int:
    """Return the voxels of the whole volume with x >= threshold, slice by slice."""
    if not volume.is_loaded.all():
        raise LookupError("a slice was not loaded")
    in_slice = volume.grid.shape[1] * volume.grid.shape[2]
    is_float = volume.stored.dtype.kind == "f"
    found, n_bad = [np.empty(0, np.int64)], 0
    for k in range(volume.grid.shape[0]):
        x = volume.stored[k].astype(np.float64) * volume.slope[k] + volume.intercept[k]
        if is_float:
            n_bad += int((~np.isfinite(x)).sum())
        found.append(np.flatnonzero(x >= threshold) + k * in_slice)
    if n_bad:
        raise values_not_finite(n_bad)
    return np.concatenate(found)


def _words(threshold: Threshold, volume: Volume, suv_type: str) -> str:
    return f"threshold {threshold.rule} = {threshold.value:.6g} {volume.unit} (SUV {suv_type})"


def _of_region(refusal: Refused, roi: Roi) -> PetquantError:
    return Refused.because(
        *(replace(one, where=f"region {roi.roi_id} ({roi.name})") for one in refusal.findings)
    )
