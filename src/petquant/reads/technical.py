"""The technical uncertainty of every number of a lesion: what its scan shares, and its own noise.

Noise comes from the image: the CoV of the voxels of a uniform organ, for a mean over a volume divided by the
root of the independent voxels in it. How far neighbouring voxels are correlated is a width that somebody must
state; without it no noise is known, and it is not guessed; nor is it 0 in an image that shows none. Partial
volume is never known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from petquant.measurement import Number
from petquant.metrics import Reference
from petquant.metrics.correlation import effective_voxels, effective_voxels_of_peak
from petquant.metrics.sphere import peak_sphere
from petquant.occupancy.frame import weights_of
from petquant.reads.uncertainty import (
    NOISELESS,
    Scan,
    Uncertainty,
    noise_of_mean_percent,
    quantisation_percent,
    suv_uncertainty,
    tbr_uncertainty,
)
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["STATISTICS", "TISSUES", "Technical", "uncertainties"]

STATISTICS: Final = ("max", "peak", "mean")
TISSUES: Final = ("liver", "blood_pool")  # whose CoV stands for the noise, the first that a scan has


@dataclass(frozen=True, slots=True, kw_only=True)
class Technical:
    """What the uncertainties on one scan rest on.

    Parameters
    ----------
    shared
        What all regions of the scan share; None where SUV was refused.
    psf_fwhm_mm
        Width of the noise correlation, as stated; None when nobody did.
    cov, tissue
        Coefficient of variation of single voxels, and of what; None and empty without such a background.
    """

    shared: Scan | None = None
    psf_fwhm_mm: float | None = None
    cov: float | None = None
    tissue: str = ""

    @property
    def why_no_noise(self) -> str:
        """Why there is no local part; empty when there is one."""
        if self.psf_fwhm_mm is None:
            return "no width of the noise correlation was stated (psf_fwhm_mm)"
        if self.cov is None:
            return f"no background {' or '.join(TISSUES)} to take the noise from"
        if self.cov < NOISELESS:
            return f"the CoV of {self.tissue} is {self.cov:.1g}: no noise of counts"
        return ""

    def noise_percent(self, statistic: str, roi: Roi, volume: Volume) -> float | None:
        """Return the noise of SUVmax (of one voxel), SUVpeak (of 1 mL) or SUVmean (of the region)."""
        if self.why_no_noise or self.cov is None or self.psf_fwhm_mm is None:
            return None
        if statistic == "max":
            n_eff = 1.0
        elif statistic == "peak":
            n_eff = effective_voxels_of_peak(volume.grid.spacing_mm, fwhm_mm=self.psf_fwhm_mm)
        else:
            n_eff = effective_voxels(roi, volume.grid, fwhm_mm=self.psf_fwhm_mm)
        return noise_of_mean_percent(self.cov, max(n_eff, 1.0))  # 1 voxel is 1 but for the last bit


def uncertainties(
    technical: Technical,
    volume: Volume,
    roi: Roi,
    values: Mapping[str, Number],
    *,
    references: Sequence[Reference],
) -> dict[str, Uncertainty]:
    """Return the uncertainty of SUVmax, SUVpeak, SUVmean and of their ratios, by column.

    A value that is missing, or not above 0, has none. Rounding of the stored values enters an SUV alone, with
    the widest step of the region's slices; over the voxels of a mean it is independent.

    Parameters
    ----------
    volume
        Of the scan, in the unit of `values`.
    roi
        On its grid, not empty.
    values
        Of the region, by column of `petquant.quantities`.
    references
        Backgrounds of the ratios, with their standard error where a width was stated.
    """
    found: dict[str, Uncertainty] = {}
    noise = {statistic: technical.noise_percent(statistic, roi, volume) for statistic in STATISTICS}
    if technical.shared is not None:
        step = _step(volume, roi)
        for statistic in STATISTICS:
            value = values.get(f"suv_{statistic}")
            if value is not None and value > 0.0:
                found[f"suv_{statistic}"] = suv_uncertainty(
                    technical.shared,
                    noise_percent=noise[statistic],
                    quantisation_percent=_averaging(statistic, roi, volume)
                    * quantisation_percent(step, value),
                )
    for reference in references:
        mean, se = reference.values["mean"], reference.values["se"]
        behind = None if mean is None or se is None or mean <= 0.0 else 100.0 * se / mean
        for statistic in STATISTICS:
            column = f"tbr_{statistic}_{reference.name}"
            value = values.get(column)
            if value is not None and value > 0.0:
                found[column] = tbr_uncertainty(
                    noise_percent=noise[statistic], background_noise_percent=behind
                )
    return found


def _step(volume: Volume, roi: Roi) -> float:
    """Return the widest step between two stored numbers in the slices of a region; 0 of floats."""
    if volume.stored.dtype.kind not in "iu":
        return 0.0
    return float(volume.slope[np.unique(volume.grid.index_of(roi.voxels)[:, 0])].max())


def _averaging(statistic: str, roi: Roi, volume: Volume) -> float:
    """Return by what independent errors of the voxels shrink: ``sqrt(sum w^2) / sum w``."""
    if statistic == "max":
        return 1.0
    w = peak_sphere(volume.grid.spacing_mm).exact_weights if statistic == "peak" else weights_of(roi)
    return math.sqrt(float((w**2).sum())) / float(w.sum())
