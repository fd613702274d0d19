"""To measure is to turn regions on a volume into rows: quantities by name, with the flags they carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from petquant.cores import cores
from petquant.grid import Grid
from petquant.measurement import Measurement, Number
from petquant.metrics.boundary import Moved, finest_axes, moved
from petquant.metrics.further import further
from petquant.metrics.intensity import FRACTIONS, LEVELS, Intensity, intensity
from petquant.metrics.left_right import SURROUNDINGS
from petquant.metrics.peak import Peaks, peaks
from petquant.metrics.sphere import PEAK_VOLUME_MM3, peak_sphere
from petquant.metrics.tbr import Reference, ratios
from petquant.quantities import FURTHER_COLUMNS, REGION_COLUMNS
from petquant.roi import Roi, Role
from petquant.volume import PlaneWindow, Unit, Volume

__all__ = ["by_batch", "measure", "slices_needed", "window_needed", "without_volumes"]

Found = TypeVar("Found")

BATCH_VOXELS = 2**18  # measured at once
MOST_THREADS = 4  # each holds the working memory of a batch
NO_SUV = "none"  # the SUV type of a volume that could not be converted

SENSITIVITY = ("mtv_eroded_ml", "mtv_dilated_ml", "tlg_eroded_g", "tlg_dilated_g")
SUV_COLUMNS = (
    "suv_max",
    "suv_mean",
    "suv_peak",
    "suv_peak_ibsi_global",
    "suv_peak_ibsi_local",
    "suv_median",
    "suv_min",
    "suv_sd",
    "suv_p10",
    "suv_p25",
    "suv_p75",
    "suv_p90",
    "tlg_g",
    "tlg_eroded_g",
    "tlg_dilated_g",
    *LEVELS,
)
FURTHER_SUV_COLUMNS = ("suv_iqr", "suv_rms")
# what needs the extent of a voxel along the slice axis
VOLUME_COLUMNS = (
    "mtv_ml",
    "tlg_g",
    *SENSITIVITY,
    *FRACTIONS,
    *LEVELS,
    "suv_peak",
    "suv_peak_ibsi_global",
    "suv_peak_ibsi_local",
    "peak_x_mm",
    "peak_y_mm",
    "peak_z_mm",
    "peak_in_roi_fraction",
    "peak_in_fov_fraction",
    "peak_ibsi_sphere_ml",
    "mesh_volume_ml",
    "max_3d_diameter_mm",
    "equivalent_sphere_diameter_mm",
)
VOLUME_FLAGS = (
    "ROI_SMALLER_THAN_PEAK_SPHERE",
    "PEAK_EXCEEDS_MAX",
    "PEAK_SPHERE_CLIPPED_BY_FOV",
    "THRESHOLD_EMPTY",
)
ACTIVITY_COLUMNS = {
    "activity_max_bqml": "suv_max",
    "activity_mean_bqml": "suv_mean",
    "activity_peak_bqml": "suv_peak",
}


def slices_needed(grid: Grid, rois: Sequence[Roi]) -> NDArray[np.bool_]:
    """Return (nk,) which slices `measure` touches: within reach of a peak sphere or of the dilated region."""
    in_slice = grid.shape[1] * grid.shape[2]
    holds = np.zeros(grid.shape[0], np.bool_)
    for part in _batches(rois):
        holds[np.concatenate([roi.voxels for roi in part]) // in_slice] = True
    reach = _reach(grid)[0]
    needed = holds.copy()
    for step in range(1, reach + 1):
        needed[step:] |= holds[:-step]
        needed[:-step] |= holds[step:]
    return needed


def window_needed(grid: Grid, rois: Sequence[Roi]) -> PlaneWindow:
    """Return the rows that `measure` and the comparison of left with right touch in any slice, whole."""
    _, nj, ni = grid.shape
    holds = np.zeros(nj, np.bool_)
    for part in _batches(rois):
        holds[np.concatenate([roi.voxels for roi in part]) // ni % nj] = True
    at = np.flatnonzero(holds)
    if not len(at):
        return (0, 0), (0, ni)
    reach = max(_reach(grid)[1], SURROUNDINGS)
    return (max(int(at[0]) - reach, 0), min(int(at[-1]) + 1 + reach, nj)), (0, ni)


def _reach(grid: Grid) -> tuple[int, ...]:
    """Return how far along k, j, i from a voxel of a region a value may count."""
    finest = finest_axes(grid)
    sphere = peak_sphere(grid.spacing_mm).reach
    return tuple(max(reach, 1 if axis in finest else 0) for axis, reach in enumerate(sphere))


def measure(
    volume: Volume,
    rois: Sequence[Roi],
    *,
    suv_type: str,
    conversion_flags: Sequence[str] = (),
    references: Sequence[Reference] = (),
    has_further: bool = False,
) -> list[Measurement]:
    """Return one measurement a region, in the order of `rois`.

    Parameters
    ----------
    volume
        In SUV; or in its native unit under the SUV type ``none``, when SUV was refused: then SUV columns are
        None, ``activity_*`` are filled from Bq/mL, and ratios and volumes are measured all the same.
    rois
        Regions on the volume's grid. An empty one gives n_voxels 0 and volumes 0.
    suv_type
        Name of the SUV type; stands in every row.
    conversion_flags
        Flags of the conversion that made the volume; every row carries them.
    references
        Backgrounds of `petquant.metrics.references`; each adds its ``tbr_*`` columns.
    has_further
        Whether the columns of `petquant.metrics.further` are measured as well.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE.
    """
    filled = [roi for roi in rois if len(roi.voxels)]
    numbers = (
        row
        for rows in by_batch(
            lambda part: _rows(volume, part, suv_type, references, has_further=has_further), filled
        )
        for row in rows
    )
    unit = volume.unit.value
    each_once: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}
    measurements = []
    for roi in rois:
        values, flags = (
            next(numbers) if len(roi.voxels) else (_empty(suv_type, references, has_further=has_further), ())
        )
        key = (roi.flags, flags)
        if key not in each_once:
            each_once[key] = tuple(dict.fromkeys([*conversion_flags, *roi.flags, *flags]))
        measurements.append(
            Measurement(
                roi_id=roi.roi_id,
                roi_name=roi.name,
                role=roi.role,
                roi_source=roi.source,
                suv_type=suv_type,
                unit=unit,
                values=values,
                flags=each_once[key],
            )
        )
    return measurements


def _batches(rois: Sequence[Roi]) -> Iterator[Sequence[Roi]]:
    """Yield the regions in groups of about one size, whose values fit into the cache."""
    total = sum(len(roi.voxels) for roi in rois)
    most = total / max(1, -(-total // BATCH_VOXELS))
    start, voxels = 0, 0
    for at, roi in enumerate(rois):
        if at > start and voxels + len(roi.voxels) / 2 > most:
            yield rois[start:at]
            start, voxels = at, 0
        voxels += len(roi.voxels)
    if rois:
        yield rois[start:]


def by_batch(act: Callable[[Sequence[Roi]], Found], rois: Sequence[Roi]) -> Iterator[Found]:
    """Yield what `act` makes of every batch of the regions, in their order; several at a time on threads."""
    parts = list(_batches(rois))
    threads = min(len(parts), MOST_THREADS, cores())
    if threads < 2:
        yield from map(act, parts)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - few lesions are one batch

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(act, parts)


def without_volumes(rows: Sequence[Measurement]) -> list[Measurement]:
    """Return rows of a slice whose thickness is not known: no volumes and no sphere, all else as measured."""
    return [
        replace(
            row,
            values={
                name: None if name in VOLUME_COLUMNS or name.startswith("tbr_peak_") else value
                for name, value in row.values.items()
            },
            flags=tuple(flag for flag in row.flags if flag not in VOLUME_FLAGS),
        )
        for row in rows
    ]


def _rows(
    volume: Volume,
    rois: Sequence[Roi],
    suv_type: str,
    references: Sequence[Reference],
    *,
    has_further: bool,
) -> list[tuple[dict[str, Number], tuple[str, ...]]]:
    """Return the values and flags of every region."""
    found = intensity(volume, rois)
    peak = peaks(volume, found)
    is_suv = suv_type != NO_SUV
    columns: dict[str, Sequence[Number]] = {**_columns(volume, found, peak, moved(volume, found))}
    if has_further:
        columns |= further(volume.grid, found)
    of_references = tuple(code for reference in references for code in reference.flags_of_ratio)
    rows = []
    for roi, flags, numbers in zip(
        rois,
        _codes(_flags(volume, found, peak, is_suv=is_suv)),
        zip(*columns.values(), strict=True),
        strict=True,
    ):
        values: dict[str, Number] = dict(zip(columns, numbers, strict=True))
        if "MEAN_NOT_POSITIVE" in flags:
            values["suv_cov"] = None
        has_ratios = references and roi.role is Role.LESION
        if has_ratios:
            values |= ratios(values, references)
        rows.append(
            (
                values if is_suv else _without_suv(values, volume.unit),
                flags + of_references if has_ratios else flags,
            )
        )
    return rows


def _codes(is_raised: Mapping[str, NDArray[np.bool_]]) -> list[tuple[str, ...]]:
    """Return the codes that every region raised; regions that raised the same share them."""
    bits = sum(of_code.astype(np.int64) << bit for bit, of_code in enumerate(is_raised.values()))
    patterns, pattern_of = np.unique(np.asarray(bits, np.int64), return_inverse=True)
    codes = [
        tuple(code for bit, code in enumerate(is_raised) if pattern >> bit & 1)
        for pattern in patterns.tolist()
    ]
    return [codes[pattern] for pattern in pattern_of.tolist()]


def _columns(
    volume: Volume, found: Intensity, peak: Peaks, at_edge: Moved
) -> dict[str, list[float] | list[int]]:
    """Return every column as plain numbers, in the order of the output."""
    grid, v = volume.grid, volume.grid.voxel_volume_ml
    at_mm = grid.position_mm(grid.index_of(found.maximum_at))
    peak_mm = grid.position_mm(grid.index_of(peak.centre))
    with np.errstate(divide="ignore", invalid="ignore"):
        cov = found.sd / found.mean
    arrays = {
        "n_voxels": found.count,
        "suv_max": found.maximum,
        "suv_max_ties": found.ties,
        "max_x_mm": at_mm[:, 0],
        "max_y_mm": at_mm[:, 1],
        "max_z_mm": at_mm[:, 2],
        "suv_mean": found.mean,
        "suv_peak": peak.exact,
        "suv_peak_ibsi_global": peak.ibsi_global,
        "suv_peak_ibsi_local": peak.ibsi_local,
        "peak_x_mm": peak_mm[:, 0],
        "peak_y_mm": peak_mm[:, 1],
        "peak_z_mm": peak_mm[:, 2],
        "peak_in_roi_fraction": peak.in_roi_fraction,
        "peak_in_fov_fraction": peak.in_fov_fraction,
        "peak_ibsi_sphere_ml": np.full(
            len(found.count), peak_sphere(grid.spacing_mm).binary_weights.sum() * v
        ),
        "suv_min": found.minimum,
        "suv_sd": found.sd,
        "suv_cov": cov,
        **{f"suv_{name}": values for name, values in found.percentiles.items()},
        "mtv_ml": v * found.total_weight,
        "tlg_g": v * found.total,
        "mtv_eroded_ml": v * at_edge.eroded_weight,
        "mtv_dilated_ml": v * at_edge.dilated_weight,
        "tlg_eroded_g": v * at_edge.eroded_total,
        "tlg_dilated_g": v * at_edge.dilated_total,
        **{name: v * weight for name, weight in found.weight_above.items()},
        "centroid_x_mm": found.centroid_mm[:, 0],
        "centroid_y_mm": found.centroid_mm[:, 1],
        "centroid_z_mm": found.centroid_mm[:, 2],
    }
    return {name: values.tolist() for name, values in arrays.items()}


def _flags(volume: Volume, found: Intensity, peak: Peaks, *, is_suv: bool) -> dict[str, NDArray[np.bool_]]:
    """Return each flag that a region can raise, (n regions,)."""
    last = np.array(volume.grid.shape) - 1
    at = volume.grid.index_of(found.maximum_at)
    mtv_ml = volume.grid.voxel_volume_ml * found.total_weight
    thresholds = [*FRACTIONS, *LEVELS] if is_suv else [*FRACTIONS]
    rounding = 1e-9 * np.abs(found.maximum)  # a constant region's mean differs from it in the last bit
    return {
        "UNEVEN_SLICES": np.full(len(found.count), volume.grid.slice_positions_mm is not None),
        "NO_VOXEL_ABOVE_HALF": found.is_fallback,
        "ROI_SMALLER_THAN_PEAK_SPHERE": mtv_ml < PEAK_VOLUME_MM3 / 1000.0,
        "PEAK_EXCEEDS_MAX": peak.exact > found.maximum + rounding,
        "PEAK_SPHERE_CLIPPED_BY_FOV": peak.in_fov_fraction < 1.0,
        "MAX_TIED": found.ties > 1,
        "MAX_ON_FOV_EDGE": ((at == 0) | (at == last)).any(axis=1),
        "MEAN_NOT_POSITIVE": found.mean <= 0,
        "THRESHOLD_EMPTY": np.any([found.weight_above[name] == 0 for name in thresholds], axis=0),
    }


def _without_suv(values: dict[str, Number], unit: Unit) -> dict[str, Number]:
    """Return the values of a volume that is not in SUV: activities instead, as far as the unit is Bq/mL."""
    activities: dict[str, Number] = {
        name: values[source] if unit is Unit.BQML else None for name, source in ACTIVITY_COLUMNS.items()
    }
    without = dict.fromkeys([*SUV_COLUMNS, *(name for name in FURTHER_SUV_COLUMNS if name in values)])
    return values | without | activities


def _empty(suv_type: str, references: Sequence[Reference], *, has_further: bool) -> dict[str, Number]:
    """Return the row of a region without voxels: no values, volumes of 0."""
    values: dict[str, Number] = dict.fromkeys([*REGION_COLUMNS, *(FURTHER_COLUMNS if has_further else ())])
    values |= {"n_voxels": 0, "mtv_ml": 0.0, "tlg_g": 0.0}
    values |= dict.fromkeys([*SENSITIVITY, *FRACTIONS, *LEVELS], 0.0)
    values |= ratios(values, references)
    return _without_suv(values, Unit.COUNTS) if suv_type == NO_SUV else values
