"""SUVpeak: the largest mean of a 1 mL sphere that is centred on a voxel of the region.

The spheres of all centres of a box are summed at once: along i, then along j, pairs of equal weight are
added, a small matrix product applies all weights of both spheres, and the slices are added along k. That is
every sum that gathering voxel by voxel would make, for a tenth of the work, and it is the one way for regions
of every size. The sphere may reach out of the region; where it reaches out of the image, the weight inside
renormalises it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.intensity import Intensity
from petquant.metrics.segments import Segments, values_not_finite
from petquant.metrics.sphere import Sphere, peak_sphere
from petquant.volume import Volume

__all__ = ["Peaks", "peaks"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

BOX_VOXELS = 2**15  # a box with its margins stays in the cache
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
    centres = found.centres
    sphere = peak_sphere(volume.grid.spacing_mm)
    exact, binary = _means_at(volume, sphere, centres)
    largest = np.maximum.reduceat(exact, centres.starts)
    scale = np.maximum(np.abs(largest), np.abs(np.minimum.reduceat(exact, centres.starts)))
    is_peak = exact >= centres.spread(largest - TIED * scale)
    centre = centres.voxels[centres.first(is_peak)]
    in_roi, in_fov = _fractions(volume, centre, found.regions, found.weights)
    return Peaks(
        exact=largest,
        centre=centre,
        ibsi_global=np.maximum.reduceat(binary, centres.starts),
        ibsi_local=np.maximum.reduceat(np.where(found.is_maximum, binary, -np.inf), centres.starts),
        in_roi_fraction=in_roi,
        in_fov_fraction=in_fov,
    )


def _fractions(
    volume: Volume, peak_centres: Int, regions: Segments, weights: Float | None
) -> tuple[Float, Float]:
    """Return the fraction of each region's peak sphere inside the region and inside the image."""
    sphere = peak_sphere(volume.grid.spacing_mm)
    total = sphere.exact_weights.sum()
    in_roi, in_fov = np.empty(len(peak_centres)), np.empty(len(peak_centres))
    shape = np.array(volume.grid.shape)
    keys = regions.keys(volume.grid.size)
    for start in range(0, len(peak_centres), 1024):
        part = slice(start, start + 1024)
        at = volume.grid.index_of(peak_centres[part])[:, None] + sphere.offsets
        is_inside = np.all((at >= 0) & (at < shape), axis=-1)
        covered = is_inside * sphere.exact_weights
        in_fov[part] = np.where(is_inside.all(axis=1), 1.0, covered.sum(axis=1) / total)
        flat = (at[..., 0] * shape[1] + at[..., 1]) * shape[2] + at[..., 2]
        wanted = flat + np.arange(start, start + len(flat))[:, None] * volume.grid.size
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        share = np.where(keys[found] == wanted, 1.0 if weights is None else weights[found], 0.0)
        in_roi[part] = (covered * share).sum(axis=1) / total
    return np.minimum(in_roi, 1.0), in_fov


def _means_at(volume: Volume, sphere: Sphere, centres: Segments) -> tuple[Float, Float]:
    """Return the means of the exact and of the binary sphere at every centre."""
    kernel = _Kernel.of(sphere)
    index = centres.index(volume.grid)
    exact, binary = np.empty(len(centres.voxels)), np.empty(len(centres.voxels))
    totals = (sphere.exact_weights.sum(), sphere.binary_weights.sum())
    workspace = _Workspace()
    not_finite: set[int] = set()
    for members, box in _boxes(index, centres, sphere.reach):
        values = _values(volume, box)
        local = tuple(axis[members] - low for axis, (low, _) in zip(index, box, strict=True))
        at = (local[0] * values.shape[1] + local[1]) * values.shape[2] + local[2]
        if volume.stored.dtype.kind == "f" and not (is_finite := np.isfinite(values)).all():
            not_finite |= _under(~is_finite, box, centres.voxels[members], sphere, volume.grid)
            values[~is_finite] = 0.0
        sums = kernel.sums(values, workspace, at)
        within: tuple[Float, ...] | tuple[float, float] = totals
        if any(low < 0 or high > n for (low, high), n in zip(box, volume.grid.shape, strict=True)):
            within = kernel.sums(_is_inside(volume, box), workspace, at)
        exact[members] = sums[0] / within[0]
        binary[members] = sums[1] / within[1]
    if not_finite:
        raise values_not_finite(len(not_finite))
    return exact, binary


def _under(is_marked: NDArray[np.bool_], box: Box, centres: Int, sphere: Sphere, grid: Grid) -> set[int]:
    """Return the flat numbers of the marked voxels of a box that a sphere at any of the centres covers."""
    under: set[int] = set()
    low = np.array([axis[0] for axis in box])
    for place in np.argwhere(is_marked) + low:
        around = place + sphere.offsets
        around = around[((around >= 0) & (around < grid.shape)).all(axis=1)]
        if np.isin(np.ravel_multi_index(tuple(around.T), grid.shape), centres).any():
            under.add(int(np.ravel_multi_index(tuple(place), grid.shape)))
    return under


def _boxes(
    index: tuple[Int, Int, Int], centres: Segments, reach: tuple[int, int, int]
) -> Iterator[tuple[slice | Int, Box]]:
    """Yield the centres in parts, each with its box: the parts' bounds and the reach of the sphere around.

    A region is one part unless its box is large; then it is halved along its longest axis until no box is.
    """
    bounds = [(np.minimum.reduceat(a, centres.starts), np.maximum.reduceat(a, centres.starts)) for a in index]
    lows, highs = np.stack([b[0] for b in bounds], 1), np.stack([b[1] for b in bounds], 1)
    margin = np.array(reach)
    for region, (low, high) in enumerate(zip(lows - margin, highs + margin + 1, strict=True)):
        members = slice(int(centres.starts[region]), int(centres.ends[region]))
        if int(np.prod(high - low)) <= BOX_VOXELS:
            yield members, _box(low, high)
        else:
            yield from _halves(index, np.arange(members.start, members.stop), margin)


def _halves(index: tuple[Int, Int, Int], members: Int, margin: Int) -> Iterator[tuple[Int, Box]]:
    pending = [members]
    while pending:
        part = pending.pop()
        axes = [axis[part] for axis in index]
        low = np.array([axis.min() for axis in axes])
        high = np.array([axis.max() for axis in axes]) + 1
        length = high - low
        if int(np.prod(length + 2 * margin)) <= BOX_VOXELS or len(part) == 1:
            yield part, _box(low - margin, high + margin)
            continue
        longest = int(length.argmax())
        is_low = axes[longest] < (low[longest] + high[longest]) // 2
        pending += [part[~is_low], part[is_low]]


def _box(low: Int, high: Int) -> Box:
    return (
        (int(low[0]), int(high[0])),
        (int(low[1]), int(high[1])),
        (int(low[2]), int(high[2])),
    )


def _values(volume: Volume, box: Box) -> Float:
    """Return the values of a box, 0 outside the image and in slices that were not loaded."""
    values = np.zeros(tuple(high - low for low, high in box))
    inner = tuple(
        slice(max(low, 0), min(high, n)) for (low, high), n in zip(box, volume.grid.shape, strict=True)
    )
    target = values[tuple(slice(s.start - low, s.stop - low) for s, (low, _) in zip(inner, box, strict=True))]
    loaded = volume.is_loaded[inner[0]]
    if loaded.all():
        target[...] = volume.stored[inner]
    else:
        target[loaded] = volume.stored[inner][loaded]
    target *= volume.slope[inner[0], None, None]
    if volume.intercept[inner[0]].any():
        target[loaded] += volume.intercept[inner[0]][loaded][:, None, None]
    return values


def _is_inside(volume: Volume, box: Box) -> Float:
    """Return 1 inside the image and 0 outside, over a box."""
    inside = np.zeros(tuple(high - low for low, high in box))
    inside[
        tuple(
            slice(max(low, 0) - low, min(high, n) - low)
            for (low, high), n in zip(box, volume.grid.shape, strict=True)
        )
    ] = 1.0
    return inside


class _Workspace:
    """Memory that is used again: to touch new pages costs more than the sums."""

    def __init__(self) -> None:
        self._memory: dict[str, Float] = {}

    def array(self, name: str, rows: int, columns: int) -> Float:
        memory = self._memory.get(name)
        if memory is None or memory.size < rows * columns:
            memory = self._memory[name] = np.empty(rows * max(columns, BOX_VOXELS))
        return memory[: rows * columns].reshape(rows, columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kernel:
    """Both spheres as one matrix from in-plane sums to slices.

    Attributes
    ----------
    pairs
        In-plane offsets (|dj|, |di|) that carry weight in any slice, with the column of `weights` of each.
    weights
        (2 (reach_k + 1), n columns): rows are |dk| of the exact, then of the binary sphere.
    """

    reach: tuple[int, int, int]
    pairs: tuple[tuple[int, int, int], ...]
    weights: Float

    @classmethod
    def of(cls, sphere: Sphere) -> _Kernel:
        both = np.concatenate([sphere.exact, sphere.binary])
        is_square = both.shape[1] == both.shape[2] and bool((both == both.transpose(0, 2, 1)).all())
        columns: dict[tuple[int, int], int] = {}
        pairs = []
        for dj in range(both.shape[1]):
            for di in range(both.shape[2]):
                if both[:, dj, di].any():
                    key = (min(dj, di), max(dj, di)) if is_square else (dj, di)
                    pairs.append((dj, di, columns.setdefault(key, len(columns))))
        weights = np.ascontiguousarray(np.stack([both[:, dj, di] for dj, di in columns], axis=1))
        return cls(reach=sphere.reach, pairs=tuple(pairs), weights=weights)

    def sums(self, values: Float, workspace: _Workspace, at: Int) -> tuple[Float, Float]:
        """Return the weighted sums of both spheres at the flat positions `at` of a box.

        The box is one row of numbers: an offset is a shift of it, and what wraps around at the edges lands
        in the margin, where no centre is.
        """
        _, nj, ni = values.shape
        reach_k, reach_j, reach_i = self.reach
        line = values.reshape(-1)
        edge = reach_j * ni + reach_i
        n = line.size - 2 * edge
        in_plane = workspace.array("in_plane", self.weights.shape[1], n)
        is_begun = [False] * self.weights.shape[1]
        row = workspace.array("row", 1, line.size)[0]
        for reached_i in range(reach_i + 1):
            pair = line
            if reached_i:
                pair = row
                np.add(
                    line[2 * reached_i :],
                    line[: line.size - 2 * reached_i],
                    out=row[reached_i : line.size - reached_i],
                )
            for dj, di, column in self.pairs:
                if di != reached_i:
                    continue
                above = pair[edge + dj * ni :][:n]
                below = pair[edge - dj * ni :][:n]
                target = in_plane[column]
                if not is_begun[column]:
                    np.add(above, below, out=target) if dj else np.copyto(target, above)
                    is_begun[column] = True
                else:
                    target += above
                    if dj:
                        target += below
        slices = np.matmul(self.weights, in_plane, out=workspace.array("slices", len(self.weights), n))
        at = at - edge
        step = nj * ni
        totals = []
        for first in (0, reach_k + 1):
            total = slices[first][at]
            for dk in range(1, reach_k + 1):
                total += slices[first + dk][at + dk * step]
                total += slices[first + dk][at - dk * step]
            totals.append(total)
        return totals[0], totals[1]
