"""A ratio (TBR) divides what a lesion holds by the mean of a background: SUVmax, SUVmean and SUVpeak over it.

It is measured in whatever unit the volume has, as long as that is linear in activity: dose, weight and
calibration cancel. Voxels that a background shares with a lesion are taken out of the background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petquant.measurement import Number
from petquant.metrics.correlation import effective_voxels
from petquant.metrics.intensity import intensity
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["Reference", "ratios", "references"]

MOST = 0.5  # of the background's volume: with more of it lost to lesions there is no ratio (reads.md 1.5)
MOST_COV = 0.25  # of single voxels, noise included: what is above is hardly one tissue (our choice)
RATIOS = {"tbr_max": "suv_max", "tbr_mean": "suv_mean", "tbr_peak": "suv_peak"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A background and what ratios divide by.

    Parameters
    ----------
    name
        As the user gave it; stands in the names of the columns.
    roi_id, source
        The region, as in `petquant.roi.Roi`.
    unit
        Unit of mean, SD and median.
    values
        ``mean``, ``sd``, ``cov``, ``n_eff``, ``se``, ``median``, ``volume_ml``, ``n_voxels``,
        ``overlap_voxels`` and ``overlap_ml`` (taken out because lesions hold them); all but the last three
        are None when nothing is left, ``n_eff`` and ``se`` without a width of the noise correlation.
    flags
        Caveats of the background.
    reason
        Why there is no ratio; empty when there is one.
    """

    name: str
    roi_id: str
    source: str
    unit: str
    values: Mapping[str, Number]
    flags: tuple[str, ...] = ()
    reason: str = ""

    @property
    def flags_of_ratio(self) -> tuple[str, ...]:
        """Those flags that also qualify the lesions' ratios."""
        return tuple(code for code in self.flags if code != "MEAN_NOT_POSITIVE")

    @property
    def homogeneity_qc(self) -> str | None:
        """``pass`` when the CoV of single voxels is at most `MOST_COV`, else ``fail``; None without a CoV."""
        cov = self.values["cov"]
        return None if cov is None else "pass" if cov <= MOST_COV else "fail"


def references(
    volume: Volume,
    backgrounds: Sequence[Roi],
    lesions: Sequence[Roi],
    *,
    psf_fwhm_mm: float | None = None,
) -> list[Reference]:
    """Return every background without the voxels of the lesions, measured by the engine of the lesions.

    Parameters
    ----------
    volume
        In any unit that is linear in activity.
    backgrounds
        Their names become part of the column names.
    lesions
        Regions whose voxels no background may hold, whatever their weight.
    psf_fwhm_mm
        Width of the noise correlation, for ``n_eff`` and ``se``; it is not guessed.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE.
    """
    return [_reference(volume, background, lesions, psf_fwhm_mm) for background in backgrounds]


def ratios(values: Mapping[str, Number], of: Sequence[Reference]) -> dict[str, Number]:
    """Return ``tbr_max_NAME``, ``tbr_mean_NAME`` and ``tbr_peak_NAME`` of a lesion for every reference.

    None where the lesion has no value or the reference gives a reason against it.
    """
    found: dict[str, Number] = {}
    for reference in of:
        mean = None if reference.reason else reference.values["mean"]
        for ratio, column in RATIOS.items():
            value = values[column]
            found[f"{ratio}_{reference.name}"] = None if mean is None or value is None else value / mean
    return found


def _reference(
    volume: Volume, background: Roi, lesions: Sequence[Roi], psf_fwhm_mm: float | None
) -> Reference:
    is_shared = _is_shared(background.voxels, lesions)
    kept = replace(
        background,
        voxels=background.voxels[~is_shared],
        weights=None if background.weights is None else background.weights[~is_shared],
    )
    of = np.ones(len(is_shared)) if background.weights is None else background.weights
    is_mostly_lesion = bool(is_shared.any() and of[is_shared].sum() > MOST * of.sum())
    values, flags = _values(volume, kept, psf_fwhm_mm), list(background.flags)
    values["overlap_voxels"] = int(is_shared.sum())
    values["overlap_ml"] = float(of[is_shared].sum()) * volume.grid.voxel_volume_ml
    mean = values["mean"]
    reason = ""
    if is_shared.any():
        flags.append("LESION_OVERLAPS_BACKGROUND")
    if is_mostly_lesion:
        flags.append("BACKGROUND_MOSTLY_LESION")
        reason = f"{is_shared.sum()} of {len(is_shared)} voxels of the background belong to lesions"
    elif mean is None:
        reason = "the background holds no voxel"
    elif mean <= 0:
        flags.append("MEAN_NOT_POSITIVE")
        reason = f"the mean of the background is {mean:.6g}"
    return Reference(
        name=background.name,
        roi_id=background.roi_id,
        source=background.source,
        unit=volume.unit.value,
        values=values,
        flags=tuple(dict.fromkeys(flags)),
        reason=reason,
    )


def _is_shared(voxels: NDArray[np.int64], lesions: Sequence[Roi]) -> NDArray[np.bool_]:
    """Return which of the ascending `voxels` belong to a lesion."""
    is_shared = np.zeros(len(voxels), np.bool_)
    for lesion in lesions:
        if len(voxels) and len(lesion.voxels):
            place = np.minimum(np.searchsorted(voxels, lesion.voxels), len(voxels) - 1)
            is_shared[place[voxels[place] == lesion.voxels]] = True
    return is_shared


def _values(volume: Volume, background: Roi, psf_fwhm_mm: float | None) -> dict[str, Number]:
    """Return the numbers of the background."""
    if not len(background.voxels):
        return dict.fromkeys(("mean", "sd", "cov", "n_eff", "se", "median", "volume_ml")) | {"n_voxels": 0}
    found = intensity(volume, [background])
    mean, sd = float(found.mean[0]), float(found.sd[0])
    n_eff = None if psf_fwhm_mm is None else effective_voxels(background, volume.grid, fwhm_mm=psf_fwhm_mm)
    return {
        "mean": mean,
        "sd": sd,
        "cov": sd / mean if mean > 0 else None,
        "n_eff": n_eff,
        "se": None if n_eff is None else sd / n_eff**0.5,
        "median": float(found.percentiles["median"][0]),
        "volume_ml": float(found.total_weight[0]) * volume.grid.voxel_volume_ml,
        "n_voxels": int(found.count[0]),
    }
