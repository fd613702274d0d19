"""Neighbouring voxels of a PET are not independent: a mean of N voxels is as sure as one of fewer, N_eff.

``SE^2 = sd^2 / (sum w)^2 * sum_ij w_i w_j rho_ij``, ``rho(r) = exp(-r^2 / (4 s^2))``, ``s = FWHM / 2.3548``:
the autocorrelation of white noise after a Gaussian filter of that FWHM. With equal weights
``N_eff = N^2 / sum_ij rho_ij`` and ``SE = sd / sqrt(N_eff)``. Source: reads.md section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.sphere import peak_sphere
from petquant.occupancy.frame import centres_mm
from petquant.roi import Roi

__all__ = ["effective_voxels", "effective_voxels_of_peak"]

Float = NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


def effective_voxels(roi: Roi, grid: Grid, *, fwhm_mm: float) -> float:
    """Return ``N_eff = (sum w)^2 / sum_ij w_i w_j exp(-r_ij^2 / (4 s^2))`` of a region.

    The Gaussian is a product of one along each axis, so that the double sum needs no pairs of voxels.

    Parameters
    ----------
    roi
        A region on `grid`, not empty.
    fwhm_mm
        Of the noise: more than 0.
    """
    index = grid.index_of(roi.voxels)
    low = index.min(axis=0)
    w = np.zeros(index.max(axis=0) - low + 1)
    w[tuple((index - low).T)] = 1.0 if roi.weights is None else roi.weights
    at_mm = [centres_mm(grid, axis)[low[axis] : low[axis] + w.shape[axis]] for axis in range(3)]
    return _effective(w, at_mm, fwhm_mm)


@lru_cache(maxsize=64)
def effective_voxels_of_peak(spacing_mm: tuple[float, float, float], *, fwhm_mm: float) -> float:
    """Return ``N_eff`` of the 1 mL sphere of SUVpeak, with its exact weights.

    Parameters
    ----------
    spacing_mm
        Voxel size along k, j, i.
    fwhm_mm
        Of the noise: more than 0.
    """
    octant = peak_sphere(spacing_mm).exact
    reach = [np.abs(np.arange(1 - n, n)) for n in octant.shape]
    at_mm = [np.arange(1 - n, n) * step for n, step in zip(octant.shape, spacing_mm, strict=True)]
    return _effective(octant[np.ix_(*reach)], at_mm, fwhm_mm)


def _effective(w: Float, at_mm: Sequence[Float], fwhm_mm: float) -> float:
    """Return ``(sum w)^2 / sum_ij w_i w_j rho_ij`` of weights on a lattice with (n,) positions an axis."""
    sigma_mm = fwhm_mm / FWHM_PER_SIGMA
    spread = w
    for axis, at in enumerate(at_mm):
        rho = np.exp(-(((at[:, None] - at[None]) / (2.0 * sigma_mm)) ** 2))
        spread = np.moveaxis(np.tensordot(rho, spread, axes=(1, axis)), 0, axis)
    return float(w.sum() ** 2 / (w * spread).sum())
