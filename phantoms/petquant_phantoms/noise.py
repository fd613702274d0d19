"""Noise is what repeated scans of the same body would differ by: correlated, and never negative.

A white normal field is smoothed by a Gaussian whose kernel is renormalised to unit variance, and each value
is taken through a Gaussian copula to a gamma distribution of mean 1 and standard deviation ``cv``, which
multiplies the noise-free SUV: ``gamma.ppf(norm.cdf(z), 1/cv^2, scale=cv^2)``. The seed stands in the
definition, so that the same noise comes on every run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import ndtr
from scipy.stats import gamma

from petquant_phantoms.fields import sigma_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

Marginal = Literal["gamma", "gaussian"]

REACH_IN_SIGMAS = 5.0  # of the smoothing kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How a voxel scatters and how far its neighbours go along.

    Attributes
    ----------
    cv
        Standard deviation of a voxel over its mean.
    fwhm_mm
        Width of the Gaussian that smooths the white field; 0 leaves voxels independent.
    marginal
        "gamma", never negative; "gaussian", which may be.
    """

    cv: float
    fwhm_mm: float
    marginal: Marginal = "gamma"

    def __post_init__(self) -> None:
        if self.cv <= 0.0 or self.fwhm_mm < 0.0:
            raise ValueError(f"noise needs cv > 0 and fwhm_mm >= 0, found {self.cv} and {self.fwhm_mm}")


def _kernel(fwhm_mm: float, step_mm: float) -> Values:
    """Return a sampled Gaussian, its squares summing to 1: white noise keeps its variance."""
    s = sigma_mm(fwhm_mm) / step_mm
    reach = math.ceil(REACH_IN_SIGMAS * s)
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / s) ** 2) if s > 0.0 else np.ones(1)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()))


def factors(
    shape: tuple[int, int, int], noise: Noise, *, spacing_mm: tuple[float, float, float], seed: int
) -> Values:
    """Return random factors of mean 1 for every voxel [k, j, i], the same for the same seed.

    Parameters
    ----------
    shape
        Slices, rows, columns.
    noise
        Size and correlation.
    spacing_mm
        Voxel size along k, j, i.
    seed
        Of the generator.
    """
    kernels = [_kernel(noise.fwhm_mm, step) for step in spacing_mm]
    margins = [len(kernel) // 2 for kernel in kernels]
    wide = [n + 2 * margin for n, margin in zip(shape, margins, strict=True)]
    z = np.random.default_rng(seed).standard_normal(wide)
    for axis, kernel in enumerate(kernels):
        z = correlate1d(z, kernel, axis=axis, mode="constant")
    z = z[tuple(slice(margin, margin + n) for n, margin in zip(shape, margins, strict=True))]
    if noise.marginal == "gaussian":
        return np.asarray(1.0 + noise.cv * z)
    return np.asarray(gamma.ppf(ndtr(z), 1.0 / noise.cv**2, scale=noise.cv**2))


def standard_error(
    suv: Values, mask: NDArray[np.bool_], noise: Noise, *, spacing_mm: tuple[float, float, float]
) -> float:
    """Return the standard deviation of the mean over a region from scan to scan, in the unit of ``suv``.

    Parameters
    ----------
    suv
        Noise-free SUV [k, j, i].
    mask
        Voxels of the region.
    noise, spacing_mm
        As for `factors`.

    Notes
    -----
    ``SE^2 = 1/N^2 sum_ij sigma_i sigma_j rho_ij`` with ``sigma = cv suv`` and ``rho`` the autocorrelation of
    the smoothing kernel, near ``exp(-d^2 / (4 s^2))``. The copula keeps positive correlations or lowers them
    slightly, so that this is an upper bound for gamma marginals.
    """
    sigma = np.where(mask, noise.cv * suv, 0.0)
    spread = sigma
    for axis, step in enumerate(spacing_mm):
        kernel = _kernel(noise.fwhm_mm, step)
        spread = correlate1d(spread, np.correlate(kernel, kernel, mode="full"), axis=axis, mode="constant")
    return math.sqrt(float((sigma * spread).sum())) / int(mask.sum())
