"""SUVpeak: the largest mean of a 1 mL sphere that is centred on a voxel of the region.

The sphere may reach out of the region; where it reaches out of the image, the weight inside renormalises it.
Spheres are summed box by box, for all centres of a box at once, in the one way for regions of every size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.intensity import Intensity
from petquant.metrics.screening import candidates
from petquant.metrics.segments import Segments
from petquant.metrics.sphere import Sphere, peak_sphere
from petquant.metrics.sphere_means import sphere_means
from petquant.volume import Volume

__all__ = ["Peaks", "peaks"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

TIED = 1e-12  # relative: sums of equal spheres differ by their rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peaks:
    """The three peaks of every region; each is (n regions,).

    Attributes
    ----------
    exact
        Largest mean under the exact weights: SUVpeak.
    centre
        Flat voxel number of that sphere's centre; the first in k, j, i order among equal ones.
    ibsi_global, ibsi_local
        Largest mean under binary weights, over all centres and over the voxels of the maximum.
    in_roi_fraction, in_fov_fraction
        Weight of the sphere of `exact` inside the region and inside the image, of the whole sphere.
    """

    exact: Float
    centre: Int
    ibsi_global: Float
    ibsi_local: Float
    in_roi_fraction: Float
    in_fov_fraction: Float


def peaks(volume: Volume, found: Intensity) -> Peaks:
    """Return the peaks of every region; only slices within reach of a centre are touched.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE, when a voxel under a sphere is NaN or infinite.
    """
    sphere = peak_sphere(volume.grid.spacing_mm)
    places, is_crowded = candidates(volume, sphere, found)
    centres = found.centres.among(places)
    is_maximum = found.is_maximum[places]
    exact, binary = sphere_means(volume, sphere, centres, is_crowded=is_crowded)
    largest = np.maximum.reduceat(exact, centres.starts)
    scale = np.maximum(np.abs(largest), np.maximum(np.abs(found.maximum), np.abs(found.minimum)))
    is_peak = exact >= centres.spread(largest - TIED * scale)
    centre = centres.voxels[centres.first(is_peak)]
    return Peaks(
        exact=largest,
        centre=centre,
        ibsi_global=np.maximum.reduceat(binary, centres.starts),
        ibsi_local=np.maximum.reduceat(np.where(is_maximum, binary, -np.inf), centres.starts),
        in_roi_fraction=_in_roi(volume.grid, sphere, centre, found.regions, found.weights),
        in_fov_fraction=_in_fov(volume.grid, sphere, centre),
    )


def _in_roi(grid: Grid, sphere: Sphere, at: Int, regions: Segments, weights: Float | None) -> Float:
    """Return the part of each region's peak sphere, centred on the flat voxel numbers `at`, in the region.

    Only voxels whose flat number is near that of the centre are looked at.
    """
    _, nj, ni = grid.shape
    reach_k, reach_j, reach_i = sphere.reach
    keys = regions.keys(grid.size)
    centre = at + np.arange(len(at), dtype=np.int64) * grid.size
    reach = (reach_k * nj + reach_j) * ni + reach_i
    low = np.maximum(np.searchsorted(keys, centre - reach), regions.starts)
    near = np.minimum(np.searchsorted(keys, centre + reach, side="right"), regions.ends) - low
    ends = np.cumsum(near)
    place = np.arange(ends[-1]) + np.repeat(low - ends + near, near)
    index = np.stack(np.unravel_index(regions.voxels[place], grid.shape))
    away = np.abs(index - np.repeat(grid.index_of(at).T, near, axis=1))
    is_covered = (away <= np.array(sphere.reach)[:, None]).all(axis=0)
    share = np.zeros(len(place))
    share[is_covered] = sphere.exact[tuple(away[:, is_covered])]
    if weights is not None:
        share *= weights[place]
    inside = np.add.reduceat(share, ends - near) / sphere.exact_weights.sum()
    return np.asarray(np.minimum(inside, 1.0), np.float64)


def _in_fov(grid: Grid, sphere: Sphere, at: Int) -> Float:
    """Return the part of the sphere in the image, centred on each of the flat voxel numbers `at`."""
    shape, reach = np.array(grid.shape), np.array(sphere.reach)
    index = grid.index_of(at)
    # how near to both ends of each axis, as far as the sphere reaches: few cases, however many regions
    ends = np.concatenate([np.minimum(index, reach), np.minimum(shape - 1 - index, reach)], axis=1)
    base = np.tile(reach + 1, 2)
    case, case_of = np.unique(np.ravel_multi_index(tuple(ends.T), tuple(base)), return_inverse=True)
    before, after = np.split(np.stack(np.unravel_index(case, tuple(base)), axis=1), 2, axis=1)
    found = np.empty(len(case))
    for start in range(0, len(case), 1024):
        part = slice(start, start + 1024)
        is_inside = np.all(
            (sphere.offsets >= -before[part, None]) & (sphere.offsets <= after[part, None]), axis=-1
        )
        covered = (is_inside * sphere.exact_weights).sum(axis=1) / sphere.exact_weights.sum()
        found[part] = np.where(is_inside.all(axis=1), 1.0, covered)
    return found[case_of]
