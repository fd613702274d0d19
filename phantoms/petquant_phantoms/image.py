"""The image is what a scanner makes of a body: blurred by its point spread, sampled in voxels, noisy.

A point spread is a sum of Gaussians, ``sum w G(fwhm)`` with weights that sum to 1; a negative weight gives
the overshoot at edges of a reconstruction that models resolution. Blurring is linear, so the image is the
same sum of fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from petquant_phantoms.body import Body, Sampling, suv_field
from petquant_phantoms.noise import Noise, factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.image_grid import ImageGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian:
    """One term of a point spread: its weight and width."""

    weight: float = 1.0
    fwhm_mm: float = 0.0


PointSpread = tuple[Gaussian, ...]


def noise_free_suv(definition: Definition) -> NDArray[np.float64]:
    """Return the SUV of every voxel without noise, float64 [k, j, i], read-only."""
    return _blurred(definition.body, definition.grid, definition.gaussians, definition.sampling)


def image_suv(definition: Definition) -> NDArray[np.float64]:
    """Return the SUV of every voxel that the phantom shows, float64 [k, j, i], read-only."""
    if definition.noise is None:
        return noise_free_suv(definition)
    return _noisy(
        definition.body,
        definition.grid,
        definition.gaussians,
        definition.sampling,
        noise=definition.noise,
        seed=definition.seed,
    )


@lru_cache(maxsize=64)
def _blurred(
    body: Body, grid: ImageGrid, point_spread: PointSpread, sampling: Sampling
) -> NDArray[np.float64]:
    """Return the sum over the terms of the point spread."""
    if len(point_spread) == 1:
        return suv_field(body, grid, fwhm_mm=point_spread[0].fwhm_mm, sampling=sampling)
    suv = np.zeros(grid.shape)
    for term in point_spread:
        suv += term.weight * suv_field(body, grid, fwhm_mm=term.fwhm_mm, sampling=sampling)
    suv.flags.writeable = False
    return suv


@lru_cache(maxsize=8)
def _noisy(
    body: Body, grid: ImageGrid, point_spread: PointSpread, sampling: Sampling, *, noise: Noise, seed: int
) -> NDArray[np.float64]:
    made = factors(grid.shape, noise, spacing_mm=grid.spacing_mm, seed=seed)
    suv = np.asarray(_blurred(body, grid, point_spread, sampling) * made)
    suv.flags.writeable = False
    return suv
