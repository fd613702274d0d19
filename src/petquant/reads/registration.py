"""Registration: how the patient of one session lies in the frame of the other, found from CT to CT.

PET never drives it: two tracers show different things, and what differs is the question. Images are not
resampled for measurement; a registration carries points and regions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["LEAST_DICE", "MOST_INCONSISTENT_MM", "Registration", "identity", "register"]

Float = NDArray[np.float64]

BODY_HU: Final = -300.0
WINDOW_HU: Final = (-1000.0, 1000.0)
GRID_MM: Final = 4.0  # CT is thinned to about this: finer grids do not move the result by 0.1 mm
BINS: Final = 32
SMOOTH_MM: Final = 6.0  # sd: sharp edges give the metric ripples with the period of a voxel
SHRINKS: Final = (4, 2, 1)  # of the levels; every start goes through the first
STARTS: Final = 3
ALONG_MM: Final = tuple(range(-96, 97, 16))  # shifts along the slices that are looked at before any descent
LEAST_SHARED: Final = 0.5  # of the smaller volume along each axis: a place with less is no start
SAMPLES: Final = (50_000, 200_000)  # up to the first all voxels count, then a quarter, at most the second
SEED: Final = 1  # of the jitter; without one the clock would seed it
ITERATIONS: Final = 200
# Of one patient in one posture bodies overlap by 0.9 and more; a wrong patient, a CT upside down or one that
# slid away stays below, and a motion whose return misses by more than a voxel of PET was not found.
LEAST_DICE: Final = 0.8
MOST_INCONSISTENT_MM: Final = 5.0
METHOD: Final = (
    f"rigid, CT to CT, Mattes mutual information ({BINS} bins) between {WINDOW_HU[0]:g} and "
    f"{WINDOW_HU[1]:g} HU on grids of about {GRID_MM:g} mm, smoothed by {SMOOTH_MM:g} mm (sd), shrunk by "
    f"{', '.join(map(str, SHRINKS))}; all voxels of a level up to {SAMPLES[0]}, else every fourth, at most "
    f"{SAMPLES[1]} in regular steps jittered with seed {SEED}; the {STARTS} best of {3 * len(ALONG_MM)} "
    "places as starts; gradient descent, one thread"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A rigid motion between two frames of reference.

    Parameters
    ----------
    matrix
        (4, 4) float64: LPS mm of the fixed frame to LPS mm of the moving frame.
    method
        In words, with all its parameters.
    inverse_consistency_mm
        How far a point of the body comes back from its place, going there by this and back by the
        registration the other way round: the largest over the corners of the body's box. A proxy of the
        error, no bound.
    body_dice
        Overlap of the bodies above -300 HU where both CTs reach, after registration; also a proxy.
    """

    matrix: Float
    method: str
    inverse_consistency_mm: float
    body_dice: float

    @property
    def is_plausible(self) -> bool:
        """Whether both proxies say that the patient was found."""
        return self.body_dice >= LEAST_DICE and self.inverse_consistency_mm <= MOST_INCONSISTENT_MM

    def to_moving(self, points_mm: ArrayLike) -> Float:
        """Return (..., 3) points of the fixed frame in the moving frame."""
        return _moved(self.matrix, points_mm)

    def to_fixed(self, points_mm: ArrayLike) -> Float:
        """Return (..., 3) points of the moving frame in the fixed frame."""
        return _moved(_inverse(self.matrix), points_mm)

    def into_fixed(self, grid: Grid) -> Grid:
        """Return a grid of the moving frame as it lies in the fixed frame."""
        return _carried(_inverse(self.matrix), grid)

    def into_moving(self, grid: Grid) -> Grid:
        """Return a grid of the fixed frame as it lies in the moving frame."""
        return _carried(self.matrix, grid)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """A thinned CT: (nk, nj, ni) float32 HU, its grid, and the same as an image."""

    hu: NDArray[np.float32]
    grid: Grid
    image: Any

    @property
    def inside(self) -> NDArray[np.int64]:
        """(n, 3) indices of the voxels of the body."""
        return np.argwhere(self.hu > BODY_HU)


def identity(method: str) -> Registration:
    """Return the registration of two scans in one frame of reference."""
    return Registration(matrix=np.eye(4), method=method, inverse_consistency_mm=0.0, body_dice=1.0)


def register(fixed: Volume, moving: Volume) -> Registration:
    """Return the rigid motion that brings the CT of one session onto that of the other.

    Parameters
    ----------
    fixed, moving
        CT volumes in HU, the same patient.

    Notes
    -----
    Maximises the mutual information of both CTs (Mattes 2003, IEEE TMI 22: 120). Places to start from are the
    coordinates as they stand, the centres of the volumes and the centres of the bodies on each other, each
    shifted along the slices by up to 96 mm; the best three descend on coarse grids, and the best of these
    ends is refined. Deterministic to the bit on one machine: one thread, regular samples.

    Raises
    ------
    ValueError
        When a volume shows no body above -300 HU.
    """
    one, other = _thinned(fixed), _thinned(moving)
    with _one_thread():
        forth, back = _rigid(one, other), _rigid(other, one)
        dice = _dice(one, other, forth)
    corners = _corners(one)
    returned = _moved(back @ forth, corners)
    return Registration(
        matrix=forth,
        method=METHOD,
        inverse_consistency_mm=float(np.linalg.norm(returned - corners, axis=1).max()),
        body_dice=dice,
    )


def _moved(matrix: Float, points_mm: ArrayLike) -> Float:
    points = np.asarray(points_mm, np.float64)
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _inverse(matrix: Float) -> Float:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _carried(matrix: Float, grid: Grid) -> Grid:
    return Grid(shape=grid.shape, affine=matrix @ grid.affine, slice_positions_mm=grid.slice_positions_mm)


def _sitk() -> Any:
    """Return SimpleITK, whose calls have no types."""
    import SimpleITK  # noqa: PLC0415 - only a registration needs it, and it is slow to import

    return SimpleITK


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let filters work on one thread: sums of several come out in the order of their finish."""
    process = _sitk().ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


def _thinned(volume: Volume) -> _Body:
    """Return a CT on about 4 mm, every voxel the mean of the voxels it stands for."""
    grid = volume.grid
    factors = [
        min(n, max(1, round(GRID_MM / step))) for n, step in zip(grid.shape, grid.spacing_mm, strict=True)
    ]
    fk, fj, fi = factors
    nk, nj, ni = (n // factor for n, factor in zip(grid.shape, factors, strict=True))
    hu = np.empty((nk, nj, ni), np.float32)
    for k in range(nk):
        slab = slice(k * fk, (k + 1) * fk)
        values = np.multiply(
            volume.stored[slab, : nj * fj, : ni * fi], volume.slope[slab, None, None], dtype=np.float64
        )
        values += volume.intercept[slab, None, None]
        np.clip(values, *WINDOW_HU, out=values)
        hu[k] = values.reshape(fk, nj, fj, ni, fi).mean(axis=(0, 2, 4))
    if not (hu > BODY_HU).any():
        raise ValueError(f"no voxel of the CT is above {BODY_HU:g} HU")
    affine = grid.affine.copy()
    affine[:3, 3] += grid.affine[:3, :3] @ ((np.array(factors) - 1) / 2)
    affine[:3, :3] *= factors
    thin = Grid(shape=(nk, nj, ni), affine=affine)
    image = _sitk().GetImageFromArray(hu)
    image.SetSpacing(thin.spacing_mm[::-1])
    image.SetOrigin(thin.origin_mm)
    image.SetDirection(thin.directions[:, ::-1].ravel())
    return _Body(hu=hu, grid=thin, image=image)


def _rigid(fixed: _Body, moving: _Body) -> Float:
    """Return (4, 4), points of fixed to points of moving."""
    sitk = _sitk()
    images = [sitk.SmoothingRecursiveGaussian(body.image, SMOOTH_MM) for body in (fixed, moving)]
    levels = [
        [sitk.BinShrink(image, [shrink] * 3) if shrink > 1 else image for image in images]
        for shrink in SHRINKS
    ]
    starts = _starts(fixed, moving, levels[0])
    ends = [_descended(levels[0], start, step_mm=SHRINKS[0] * GRID_MM / 2) for start in starts]
    _, _, transform = min((metric, n, end) for n, (metric, end) in enumerate(ends))
    for level, shrink in zip(levels[1:], SHRINKS[1:], strict=True):
        _, transform = _descended(level, transform, step_mm=shrink * GRID_MM / 4)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return matrix


def _method(fixed: Any) -> Any:
    """Return a registration of images with a metric and no optimizer yet."""
    sitk = _sitk()
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    n = fixed.GetNumberOfPixels()
    if n > SAMPLES[0]:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(min(0.25, SAMPLES[1] / n), SEED)
    return method


def _descended(images: list[Any], start: Any, *, step_mm: float) -> tuple[float, Any]:
    """Return the metric (smaller is better) and the transform at the end of a descent."""
    sitk = _sitk()
    fixed, moving = images
    method = _method(fixed)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm,
        minStep=1e-3,
        numberOfIterations=ITERATIONS,
        relaxationFactor=0.5,
        gradientMagnitudeTolerance=1e-6,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(sitk.Euler3DTransform(start), inPlace=False)
    found = sitk.CompositeTransform(method.Execute(fixed, moving)).GetBackTransform()
    return float(method.GetMetricValue()), sitk.Euler3DTransform(found)


def _starts(fixed: _Body, moving: _Body, coarse: list[Any]) -> list[Any]:
    """Return the transforms to start from, all turning about the centre of the fixed body."""
    centre, other = (body.grid.position_mm(body.inside.mean(axis=0)) for body in (fixed, moving))
    middles = [body.grid.corners_mm().mean(axis=0) for body in (fixed, moving)]
    along = fixed.grid.directions[:, 0]
    shifts = [
        shift + mm * along
        for shift in (np.zeros(3), middles[1] - middles[0], other - centre)
        for mm in ALONG_MM
    ]
    rated = []
    for n, shift in enumerate(shifts):
        start = _sitk().Euler3DTransform()
        start.SetCenter(centre.tolist())
        start.SetTranslation(shift.tolist())
        if _shared(fixed.grid, moving.grid, shift) < LEAST_SHARED:
            continue
        method = _method(coarse[0])
        method.SetInitialTransform(start)
        rated.append((method.MetricEvaluate(*coarse), n, start))
    return [start for _, _, start in sorted(rated)[:STARTS]]


def _shared(fixed: Grid, moving: Grid, shift: Float) -> float:
    """Return the least share, over the axes of the patient, of the smaller box inside the other."""
    ends = [np.sort(grid.corners_mm()[[0, -1]], axis=0) for grid in (fixed, moving)]
    mine = ends[0] + shift
    overlap = np.minimum(mine[1], ends[1][1]) - np.maximum(mine[0], ends[1][0])
    sizes = np.minimum(mine[1] - mine[0], ends[1][1] - ends[1][0])
    return float(np.clip(overlap / np.maximum(sizes, 1e-9), 0.0, 1.0).min())


def _corners(body: _Body) -> Float:
    """(8, 3) corners of the box round a body."""
    low, high = body.inside.min(axis=0), body.inside.max(axis=0)
    ends = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1)
    return body.grid.position_mm(ends.reshape(-1, 3))


def _dice(fixed: _Body, moving: _Body, matrix: Float) -> float:
    """Return the overlap of the bodies where both CTs have voxels."""
    sitk = _sitk()
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel())
    transform.SetTranslation(matrix[:3, 3])
    outside = WINDOW_HU[0] - 1.0
    carried = sitk.GetArrayFromImage(
        sitk.Resample(moving.image, fixed.image, transform, sitk.sitkNearestNeighbor, outside)
    )
    is_seen = carried >= WINDOW_HU[0]
    one, other = (fixed.hu > BODY_HU) & is_seen, (carried > BODY_HU) & is_seen
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else 0.0
