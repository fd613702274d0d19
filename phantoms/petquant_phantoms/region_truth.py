"""What must be measured in the voxels of a region, how close, and why so close.

Values are computed from the float64 field on the grid. A stored voxel differs from the field by at most
``q``, half a stored unit of its slice in SUV, and every tolerance is that error carried through the formula
of the statistic, plus 6e-8 of the value for a reader that keeps single precision. What the stored integers
leave open (which of two equal voxels holds the maximum) has no truth and is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from petquant_phantoms.overlaps import PEAK_RADIUS_MM, ball_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.image_grid import ImageGrid
    from petquant_phantoms.pet_series import Frame

    Values = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Expected = dict[str, dict[str, Any]]

# Relative error of a reader that keeps its volume in single precision.
SINGLE_PRECISION = 6.0e-8

# Positions are decimal text: six decimals of the origin, twelve of the orientation.
POSITION_MM = 1.0e-5

# Volumes are products of decimal texts.
VOLUME = 1.0e-9

FRACTIONS = {"mtv41_ml": 0.41, "mtv42_ml": 0.42, "mtv50_ml": 0.50}
LEVELS = {"mtv_suv2_5_ml": 2.5, "mtv_suv4_0_ml": 4.0}

COUNTED = "a count of voxel centres inside the sharp shape"
WORST = "half a stored unit of the region's coarsest slice and 6e-8 of the value"
MEAN = "mean over the region of half a stored unit, and 6e-8 of the value"
PLACED = "positions are decimal text"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionValues:
    """A region on the image: its mask [k, j, i], and its voxels' SUV and half stored units, flat."""

    image: Values
    half_units: Values  # one a slice
    mask: Mask
    grid: ImageGrid

    @property
    def suv(self) -> Values:
        """SUV of the voxels of the region."""
        return self.image[self.mask]

    @property
    def half_unit(self) -> Values:
        """Largest error of the stored SUV of each voxel of the region."""
        return np.asarray(np.broadcast_to(self.half_units[:, None, None], self.mask.shape)[self.mask])


def expected_statistics(frame: Frame, mask: Mask, *, grid: ImageGrid) -> Expected:
    """Return value, tolerance and reason of every statistic of a region that has a truth.

    Parameters
    ----------
    frame
        Field and quantisation.
    mask
        Voxels of the region [k, j, i], at least one.
    grid
        Where the voxels lie.
    """
    if not mask.any():
        raise ValueError("a region holds no voxel centre: enlarge it or move it")
    region = RegionValues(image=frame.suv, half_units=0.5 * frame.suv_per_stored_unit, mask=mask, grid=grid)
    return {**_sizes(region), **_intensity(region), **_thresholds(region), **_moved(region), **_peaks(region)}


def _entry(value: float, quantum: float, why: str) -> dict[str, Any]:
    return {"value": value, "abs_tol": quantum + SINGLE_PRECISION * abs(value), "why": why}


def _volume(n_voxels: float, uncertain: int, grid: ImageGrid, why: str) -> dict[str, Any]:
    value = n_voxels * grid.voxel_volume_ml
    return {"value": value, "abs_tol": uncertain * grid.voxel_volume_ml + VOLUME * value, "why": why}


def _place(prefix: str, position_mm: Values, why: str = PLACED) -> Expected:
    return {
        f"{prefix}_{axis}_mm": {"value": float(position_mm[n]), "abs_tol": POSITION_MM, "why": why}
        for n, axis in enumerate("xyz")
    }


def _sizes(region: RegionValues) -> Expected:
    n = int(region.mask.sum())
    centres = region.grid.voxel_centres_mm()[region.mask]
    return {
        "n_voxels": {"value": n, "abs_tol": 0, "why": COUNTED},
        "mtv_ml": _volume(n, 0, region.grid, f"{COUNTED}; spacing is decimal text"),
        **_place("centroid", centres.mean(axis=0)),
    }


def _intensity(region: RegionValues) -> Expected:
    suv, half_unit = region.suv, region.half_unit
    largest, average = float(half_unit.max()), float(half_unit.mean())
    rms = float(np.sqrt((half_unit**2).mean()))
    mean, sd = float(suv.mean()), float(suv.std())
    volume_ml = suv.size * region.grid.voxel_volume_ml
    p10, p25, median, p75, p90 = (float(x) for x in np.percentile(suv, [10.0, 25.0, 50.0, 75.0, 90.0]))
    spread = "root mean square of half a stored unit: the SD of the errors is at most that"
    found = {
        "suv_max": _entry(float(suv.max()), largest, WORST),
        "suv_mean": _entry(mean, average, MEAN),
        "suv_min": _entry(float(suv.min()), largest, WORST),
        "suv_median": _entry(median, largest, WORST),
        "suv_sd": _entry(sd, rms, spread),
        "suv_p10": _entry(p10, largest, WORST),
        "suv_p25": _entry(p25, largest, WORST),
        "suv_p75": _entry(p75, largest, WORST),
        "suv_p90": _entry(p90, largest, WORST),
        "tlg_g": _entry(mean * volume_ml, average * volume_ml, f"{MEAN}, times the volume"),
    }
    if mean > average:
        error = (rms + average * sd / mean) / (mean - average)
        found["suv_cov"] = _entry(sd / mean, error, "errors of SD and mean, divided by the smallest mean")
    rivals = np.flatnonzero(suv + half_unit >= (suv - half_unit).max())
    if rivals.size == 1:
        alone = "one voxel exceeds all others by more than a stored unit"
        centres = region.grid.voxel_centres_mm()[region.mask]
        found["suv_max_ties"] = {"value": 1, "abs_tol": 0, "why": alone}
        found |= _place("max", centres[rivals[0]], alone)
    return found


def _thresholds(region: RegionValues) -> Expected:
    suv, half_unit = region.suv, region.half_unit
    of_maximum = float(half_unit.max())
    found = {}
    levels = {
        name: (fraction * float(suv.max()), fraction * of_maximum) for name, fraction in FRACTIONS.items()
    }
    levels |= {name: (level, 0.0) for name, level in LEVELS.items()}
    for name, (level, of_level) in levels.items():
        doubt = half_unit + of_level + SINGLE_PRECISION * abs(level)
        uncertain = int((np.abs(suv - level) <= doubt).sum())
        why = f"{uncertain} voxels lie within a stored unit of the threshold"
        found[name] = _volume(int((suv >= level).sum()), uncertain, region.grid, why)
    return found


def _moved(region: RegionValues) -> Expected:
    """Return volume and uptake with the boundary moved by half the smallest spacing.

    The distance of a voxel centre to the boundary is that to the nearest voxel box on its other side.
    """
    grid, mask = region.grid, region.mask
    half_mm = 0.5 * min(grid.spacing_mm) * (1.0 + 1e-6)
    padded = np.pad(mask, 1)
    eroded, dilated = mask.copy(), mask.copy()
    for offset in product((-1, 0, 1), repeat=3):
        gaps = [(abs(n) - 0.5) * step if n else 0.0 for n, step in zip(offset, grid.spacing_mm, strict=True)]
        if any(offset) and math.hypot(*gaps) <= half_mm:
            shifted = padded[
                tuple(slice(1 + n, 1 + n + size) for n, size in zip(offset, mask.shape, strict=True))
            ]
            eroded &= shifted
            dilated |= shifted
    found = {}
    for name, moved in (("eroded", eroded), ("dilated", dilated)):
        why = "voxels whose centres lie beyond half the smallest spacing from the boundary"
        here = RegionValues(image=region.image, half_units=region.half_units, mask=moved, grid=grid)
        found[f"mtv_{name}_ml"] = _volume(int(moved.sum()), 0, grid, why)
        total = float(here.suv.sum()) * grid.voxel_volume_ml
        error = float(here.half_unit.sum()) * grid.voxel_volume_ml
        found[f"tlg_{name}_g"] = _entry(total, error, f"sum over {why}, of half a stored unit each")
    return found


def _peaks(region: RegionValues) -> Expected:
    """Return the means in spheres of 1 mL centred on voxels: exact weights, and those of IBSI."""
    exact = ball_weights(region.grid.spacing_mm, radius_mm=PEAK_RADIUS_MM)
    binary = _centres_within(exact.shape, region.grid.spacing_mm)
    means, errors, inside = _sphere_means(region, exact)
    found = {"suv_peak": _largest(means, errors)}
    best = int(means.argmax())
    if (means + errors >= (means - errors)[best]).sum() == 1:
        place = np.argwhere(region.mask)[best]
        in_region = _weight_of(region.mask, exact, place) / float(exact.sum())
        alone = "the peak at one voxel exceeds all others by more than its error"
        found |= _place("peak", region.grid.voxel_centre_mm(*(int(n) for n in place)), alone)
        found["peak_in_fov_fraction"] = _entry(float(inside[best]), 1e-9, "exact weights of the sphere")
        found["peak_in_roi_fraction"] = _entry(in_region, 1e-9, "exact weights of the sphere")
    means, errors, _ = _sphere_means(region, binary)
    found["suv_peak_ibsi_global"] = _largest(means, errors)
    suv, half_unit = region.suv, region.half_unit
    if (suv + half_unit >= (suv - half_unit).max()).sum() == 1:
        here = int(suv.argmax())
        found["suv_peak_ibsi_local"] = _entry(
            float(means[here]), float(errors[here]), "mean over the sphere of half a stored unit"
        )
    size = "the number of voxel centres within 6.2035 mm"
    found["peak_ibsi_sphere_ml"] = _volume(int(binary.sum()), 0, region.grid, size)
    return found


def _largest(means: Values, errors: Values) -> dict[str, Any]:
    return _entry(
        float(means.max()),
        float(errors.max()),
        "largest mean of half a stored unit over a sphere, and 6e-8 of the value",
    )


def _centres_within(shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> Values:
    axes = [(np.arange(n) - n // 2) * step for n, step in zip(shape, spacing_mm, strict=True)]
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return np.asarray(k**2 + j**2 + i**2 <= PEAK_RADIUS_MM**2, np.float64)


def _sphere_means(region: RegionValues, weights: Values) -> tuple[Values, Values, Values]:
    """Return for each voxel of a region the mean in a sphere, its error, and the weight in the image."""
    reach = [n // 2 for n in weights.shape]
    pads = [(n, n) for n in reach]
    box = np.argwhere(region.mask)
    low, high = box.min(axis=0), box.max(axis=0) + 1
    image = np.pad(region.image, pads)
    half = np.broadcast_to(region.half_units[:, None, None], region.image.shape)
    errors = np.pad(half, pads)
    is_image = np.pad(np.ones(region.image.shape), pads)
    sums = np.zeros((3, *(high - low)))
    for offset in np.argwhere(weights > 0.0):
        window = tuple(slice(a + n, b + n) for a, b, n in zip(low, high, offset, strict=True))
        weight = weights[tuple(offset)]
        sums += weight * np.stack([image[window], errors[window], is_image[window]])
    own = sums[:, region.mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]]
    return own[0] / own[2], own[1] / own[2], own[2] / float(weights.sum())


def _weight_of(mask: Mask, weights: Values, place: NDArray[np.int64]) -> float:
    """Return the weight of a sphere centred at a voxel that lies in a mask."""
    reach = [n // 2 for n in weights.shape]
    padded = np.pad(mask, [(n, n) for n in reach])
    window = tuple(slice(int(at), int(at) + n) for at, n in zip(place, weights.shape, strict=True))
    return float(weights[padded[window]].sum())
