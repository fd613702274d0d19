"""Screening: which centres may be those of a peak, found in single precision, then measured in double.

Two bounds rule a centre out. A mean is never above the largest value that its sphere reaches; and a mean in
single precision is known to lie within `ERROR` of the true one. What neither excludes is a candidate: as a
rule one to three of a region, however large it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.boxes import Box, boxes_of
from petquant.metrics.intensity import Intensity
from petquant.metrics.segments import values_not_finite
from petquant.metrics.sphere import Sphere
from petquant.metrics.sphere_means import box_values, in_image, is_cut_off, places_in
from petquant.metrics.sphere_sums import SphereSums, Workspace
from petquant.volume import Volume

__all__ = ["candidates"]

Single = NDArray[np.float32]
Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

# Of the largest value in reach. A value is made with 4 roundings of 2**-24, weighed with 1, and passes fewer
# than 60 sums; the weight inside the image, which the sum is divided by, has as many.
ERROR = 128 * 2.0**-24
SAFE = (2.0**-80, 2.0**80)  # magnitudes that single precision holds with room for every sum
SCREENED_VOXELS = 2**18  # of a box, at most
FEW = 8  # voxels of a region; of fewer most are candidates
CROWDED = (
    40  # voxels of a box for each centre; in fewer all spheres together are summed sooner than one by one
)
WORTH_BOUNDING = 2**14  # voxels of a box; the sums of fewer take no longer than their bounds
WORTH_CUTTING = 0.75  # of a box; to cut out more would cost more than it saves


def candidates(volume: Volume, sphere: Sphere, found: Intensity) -> tuple[Int, Bool]:
    """Return the places among the centres that may have a peak of their region, ascending, some of each.

    The largest binary mean among the voxels of the maximum is a peak as well.

    Returns
    -------
    The places; and (n regions,) which regions are so small and close together that nothing was screened.

    Raises
    ------
    Refused
        ROI_VALUES_NOT_FINITE, when a voxel under a sphere is NaN or infinite.
    """
    centres = found.centres
    screen = _Screen(volume, sphere, found)
    screen.run()
    is_candidate = screen.is_open
    for means in screen.means:
        largest = np.maximum.reduceat(means, centres.starts)
        is_candidate |= means >= centres.spread(_below(largest, screen.error))
    maxima = np.flatnonzero(found.is_maximum)
    region = np.searchsorted(centres.ends, maxima, side="right")
    means = screen.means[1, maxima]
    largest = np.full(len(centres.starts), -np.inf, np.float32)
    np.maximum.at(largest, region, means)
    is_local = (means >= _below(largest, screen.error)[region]) | (means == -np.inf)
    is_candidate[maxima[is_local]] = True
    return np.flatnonzero(is_candidate), screen.is_crowded


def _below(largest: Single, error: Float) -> Single:
    """Return what a mean must reach for its true value to be possibly the largest."""
    least = (largest - 2 * error).astype(np.float32)
    return np.nextafter(least, np.float32(-np.inf))


class _Screen:
    """Means in single precision, box after box.

    Attributes
    ----------
    means
        (2, n) of the exact and the binary sphere; -inf where a bound rules both out.
    error
        (n regions,) how far the means of a region may be off.
    is_open
        (n,) centres that single precision cannot judge, or need not.
    is_crowded
        (n regions,) regions of few voxels in a box full of such.
    """

    def __init__(self, volume: Volume, sphere: Sphere, found: Intensity) -> None:
        centres = found.centres
        self.means = np.full((2, len(centres.voxels)), -np.inf, np.float32)
        self.error = np.zeros(len(centres.starts))
        self.is_crowded = np.zeros(len(centres.starts), np.bool_)
        self.is_open = np.zeros(len(centres.voxels), np.bool_)
        self._volume, self._sphere, self._centres = volume, sphere, centres
        self._index = found.index
        self._maxima = centres.first(found.is_maximum)
        self._kernel, self._workspace = SphereSums.of(sphere), Workspace()
        self._totals: list[NDArray[np.floating]] = [
            np.asarray(w.sum(), np.float32) for w in (sphere.exact_weights, sphere.binary_weights)
        ]
        self._least = np.full(len(centres.starts), -np.inf)  # a mean that some centre has for certain
        self._not_finite: set[int] = set()

    def run(self) -> None:
        for regions, members, box in boxes_of(
            self._index, self._centres, self._sphere.reach, voxels=SCREENED_VOXELS
        ):
            self._box(regions, members, box)
        if self._not_finite:
            raise values_not_finite(len(self._not_finite))

    def _box(self, regions: Int, members: Int, box: Box) -> None:
        values = self._values(members, box)
        if len(members) <= FEW * len(regions) and values.size <= CROWDED * len(members):
            self.is_open[members] = self.is_crowded[regions] = True
            return
        magnitude = max(float(values.max()), -float(values.min()))
        if not SAFE[0] <= magnitude <= SAFE[1]:
            self.is_open[members] = True
            return
        error = ERROR * magnitude
        self.error[regions] = np.maximum(self.error[regions], error)
        if len(regions) == 1 and values.size >= WORTH_BOUNDING:
            region = int(regions[0])
            self._seed(region, values, box)
            members, values, box = self._hot_part(members, values, box, self._least[region] - error)
            if not len(members):
                return
        at = places_in(box, self._index, members)
        sums = [total[at] for total in self._kernel.sums(values, self._workspace)]
        if is_cut_off(box, self._volume.grid):
            inside = in_image(self._volume.grid, box, np.float32)
            within = [total[at] for total in self._kernel.sums(inside, self._workspace)]
        else:
            within = list(self._totals)
        for means, total, weight in zip(self.means, sums, within, strict=True):
            means[members] = total / weight
        if len(regions) == 1:
            self._know(int(regions[0]), min(float(means[members].max()) for means in self.means) - error)

    def _values(self, members: Int, box: Box) -> Single:
        """Return the values of a box; what is not finite is noted where a sphere covers it, and is 0."""
        if self._volume.stored.dtype.kind != "f":
            return box_values(self._volume, box, np.float32)
        values = box_values(self._volume, box)
        if not (is_finite := np.isfinite(values)).all():
            covered = self._centres.voxels[members]
            self._not_finite |= _under(~is_finite, box, covered, self._sphere, self._volume.grid)
            values[~is_finite] = 0.0
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(np.float32)

    def _seed(self, region: int, values: Single, box: Box) -> None:
        """Take the means around the first maximum of a region as known, where the box holds its sphere."""
        at = [int(axis[self._maxima[region]]) - low for axis, (low, _) in zip(self._index, box, strict=True)]
        reach = self._sphere.reach
        if any(not r <= a < n - r for a, n, r in zip(at, values.shape, reach, strict=True)):
            return
        around = np.ascontiguousarray(
            values[tuple(slice(a - r, a + r + 1) for a, r in zip(at, reach, strict=True))]
        )
        sums = self._kernel.sums(around, self._workspace)
        means = [
            float(total[around.size // 2] / whole) for total, whole in zip(sums, self._totals, strict=True)
        ]
        self._know(region, min(means) - ERROR * float(np.abs(around).max()))

    def _know(self, region: int, mean: float) -> None:
        self._least[region] = max(self._least[region], mean)

    def _hot_part(self, members: Int, values: Single, box: Box, least: float) -> tuple[Int, Single, Box]:
        """Return the centres whose spheres reach a value of `least`, or some more, with their box."""
        reach = self._sphere.reach
        kept = []
        hot = values
        for axis, r in enumerate(reach):
            others = tuple(other for other in range(3) if other != axis)
            is_hot = np.flatnonzero(hot.max(axis=others) >= least)
            if not len(is_hot):
                return members[:0], values, box
            n = values.shape[axis]
            low, high = max(int(is_hot[0]) - r, r), min(int(is_hot[-1]) + r + 1, n - r)
            kept.append((low, high))
            hot = hot[tuple(slice(low - r, high + r) if a == axis else slice(None) for a in range(3))]
        if hot.size > WORTH_CUTTING * values.size:
            return members, values, box
        part = tuple(
            (start + low - r, start + high + r)
            for (start, _), (low, high), r in zip(box, kept, reach, strict=True)
        )
        is_kept = np.ones(len(members), np.bool_)
        for index, (low, high), r in zip(self._index, part, reach, strict=True):
            is_kept &= (index[members] >= low + r) & (index[members] < high - r)
        return members[is_kept], np.ascontiguousarray(hot), (part[0], part[1], part[2])


def _under(is_marked: Bool, box: Box, centres: Int, sphere: Sphere, grid: Grid) -> set[int]:
    """Return the flat numbers of the marked voxels of a box that a sphere at any of the centres covers."""
    under: set[int] = set()
    low = np.array([axis[0] for axis in box])
    for place in np.argwhere(is_marked) + low:
        around = place + sphere.offsets
        around = around[((around >= 0) & (around < grid.shape)).all(axis=1)]
        if np.isin(np.ravel_multi_index(tuple(around.T), grid.shape), centres).any():
            under.add(int(np.ravel_multi_index(tuple(place), grid.shape)))
    return under
