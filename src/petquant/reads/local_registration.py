"""Local registration: the neighbourhood of a lesion followed where the body as a whole did not move as one.

A rigid motion of the whole body leaves breathing, arms and bowel behind. Around each lesion a rigid motion of
a box is found from CT to CT, on top of the global one, and taken only where it is better and certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from petquant.delineation.lattice import lattice, part_of, sampled
from petquant.grid import Grid
from petquant.reads.registration import Registration
from petquant.volume import Volume

__all__ = ["Kept", "LocalRegistration", "locally_registered"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

Kept = Literal[
    "",
    "box outside of a CT",
    "no structure",
    "agrees",
    "not converged",
    "beyond the limit",
    "no likeness",
    "no gain",
    "misses its way back",
]

UNSURE: Final = frozenset({"not converged", "beyond the limit", "no likeness", "misses its way back"})
BOX_MM: Final = 80.0  # reads.md section 7
STEP_MM: Final = 2.5
AROUND_MM: Final = 25.0  # what is sampled beyond the box: the limit of the shift, and the corners of a turn
WINDOW_HU: Final = (-400.0, 400.0)  # lung and cortical bone would outweigh all soft tissue
SMOOTHS_MM: Final = (8.0, 3.0)  # sd, one level after the other: the first reaches far, the second is sharp
ITERATIONS: Final = 40  # a level
STILL_MM: Final = 0.02  # a step below ends a level
DAMPING: Final = (1e-3, 10.0, 1e8)  # at first, from try to try, given up
LEAST_INSIDE: Final = 0.75  # of the box, in both CTs
# Root of the smallest eigenvalue of the mean of g g^T, g the gradient of the smoothed CT: how well the worst
# direction is seen. A plane of fat against muscle (150 HU) across the box has 5, noise of 20 HU 0.5. Between
# the first and the second number it may be noise that the CTs disagree in, which is no reason to warn.
LEAST_STRUCTURE_HU_PER_MM: Final = 1.0
CLEAR_STRUCTURE_HU_PER_MM: Final = 3.0
LEAST_SHIFT_MM: Final = 1.0  # a quarter of a PET voxel: below it the global motion is as good
MOST_SHIFT_MM: Final = 15.0
MOST_TURN_DEG: Final = 10.0
LEAST_CORRELATION: Final = 0.8
LEAST_GAIN: Final = 0.2  # of 1 - r
MOST_INCONSISTENT_MM: Final = 2.0
METHOD: Final = (
    f"rigid in a box of {BOX_MM:g} mm around the lesion, CT to CT, correlation between {WINDOW_HU[0]:g} and "
    f"{WINDOW_HU[1]:g} HU on {STEP_MM:g} mm, smoothed by {SMOOTHS_MM[0]:g} then {SMOOTHS_MM[1]:g} mm (sd), "
    "damped Gauss-Newton from the global motion"
)
ACCEPTED: Final = (
    f"taken where it converged, moves the lesion by {LEAST_SHIFT_MM:g} to {MOST_SHIFT_MM:g} mm and turns by "
    f"at most {MOST_TURN_DEG:g} degrees, the correlation r reaches {LEAST_CORRELATION:g} and 1 - r falls by "
    f"at least {LEAST_GAIN:.0%}, corners of the box miss their way back by at most "
    f"{MOST_INCONSISTENT_MM:g} mm, and every direction has {LEAST_STRUCTURE_HU_PER_MM:g} HU/mm of structure; "
    "else the global motion stays"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalRegistration:
    """What was found around one lesion.

    Parameters
    ----------
    registration
        The motion to use here: the refined one where it was taken, else the global one.
    kept
        Why the global one stays; empty where the refined one was taken.
    centre_mm
        Of the box, LPS in the fixed frame.
    shift_mm, turn_deg
        How far the refined motion moves the centre against the global one, and how far it turns; None where
        none was found.
    correlation
        Of both CTs in the box, with the global and with the refined motion; None where there is none.
    inverse_consistency_mm
        How far corners of the box come back from their place, there by this and back by the refinement the
        other way round; None where it was not asked for.
    structure_hu_per_mm
        Of the CT that shows less of it, in its worst direction; None where the box lies outside.
    """

    registration: Registration
    kept: Kept
    centre_mm: tuple[float, float, float]
    shift_mm: float | None = None
    turn_deg: float | None = None
    correlation: tuple[float, float] | None = None
    inverse_consistency_mm: float | None = None
    structure_hu_per_mm: float | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the refined motion was taken."""
        return not self.kept

    def words(self) -> str:
        """Return what was found, and what became of it."""
        figures = []
        if self.correlation is not None:
            figures.append(f"correlation {self.correlation[0]:.2f}, refined {self.correlation[1]:.2f}")
        if self.shift_mm is not None:
            figures.append(f"{self.shift_mm:.1f} mm and {self.turn_deg:.1f} degrees off the global motion")
        if self.inverse_consistency_mm is not None:
            figures.append(f"misses its way back by {self.inverse_consistency_mm:.1f} mm")
        return "; ".join([self.kept or "refined", *figures])

    @property
    def is_unsure(self) -> bool:
        """Whether the CTs disagree here, and the motion that would mend it is not certain."""
        is_clear = (self.structure_hu_per_mm or 0.0) >= CLEAR_STRUCTURE_HU_PER_MM
        return is_clear and self.kept in UNSURE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Level:
    """Both CTs around a box at one sharpness, on the lattice of the fixed one as the global motion has it."""

    images: tuple[Float, Float]
    seen: tuple[Bool, Bool]
    grid: Grid
    core: tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    matrix: Float
    before: float
    after: float
    is_converged: bool


def locally_registered(
    fixed: Volume, moving: Volume, *, registration: Registration, centre_mm: ArrayLike
) -> LocalRegistration:
    """Return the motion of the neighbourhood of a lesion.

    Parameters
    ----------
    fixed, moving
        CT volumes in HU, all slices loaded.
    registration
        The motion of the whole body.
    centre_mm
        (3,) of the lesion, LPS in the fixed frame.

    Notes
    -----
    Maximises the correlation coefficient of both CTs over the box by Gauss-Newton steps on the gradient of
    the fixed CT (inverse compositional; Baker and Matthews 2004, IJCV 56: 221), each step damped until the
    correlation rises. Deterministic: nothing is drawn, one thread.
    """
    centre = np.asarray(centre_mm, np.float64)
    x, y, z = centre.tolist()
    levels = _levels(fixed, moving, registration.matrix, centre)
    inside = [float(seen[levels[-1].core].mean()) for seen in levels[-1].seen]

    def stays(kept: Kept, **figures: Any) -> LocalRegistration:
        return LocalRegistration(registration=registration, kept=kept, centre_mm=(x, y, z), **figures)

    if min(inside) < LEAST_INSIDE:
        return stays("box outside of a CT")
    structure = min(_structure(levels[-1], of) for of in (0, 1))
    if structure < LEAST_STRUCTURE_HU_PER_MM:
        return stays("no structure", structure_hu_per_mm=structure)
    forth = _descended(levels, centre)
    shift_mm = float(np.linalg.norm(forth.matrix[:3, :3] @ centre + forth.matrix[:3, 3] - centre))
    turn_deg = float(np.degrees(Rotation.from_matrix(forth.matrix[:3, :3]).magnitude()))
    figures: dict[str, Any] = {
        "shift_mm": shift_mm,
        "turn_deg": turn_deg,
        "correlation": (forth.before, forth.after),
        "structure_hu_per_mm": structure,
    }
    if shift_mm < LEAST_SHIFT_MM and forth.is_converged:
        return stays("agrees", **figures)
    back = _descended([_swapped(level) for level in levels], centre)
    corners = part_of(levels[-1].grid, levels[-1].core).corners_mm()
    missed = _moved(back.matrix @ forth.matrix, corners) - corners
    missed_mm = float(np.linalg.norm(missed, axis=1).max())
    figures["inverse_consistency_mm"] = missed_mm
    kept = _kept(forth, shift_mm=shift_mm, turn_deg=turn_deg, missed_mm=missed_mm)
    if kept:
        return stays(kept, **figures)
    refined = Registration(
        matrix=registration.matrix @ forth.matrix,
        method=f"{registration.method}; then {METHOD}",
        inverse_consistency_mm=missed_mm,
        body_dice=registration.body_dice,
    )
    return LocalRegistration(registration=refined, kept="", centre_mm=(x, y, z), **figures)


def _kept(found: _Found, *, shift_mm: float, turn_deg: float, missed_mm: float) -> Kept:
    """Return why a motion is not taken; empty when it is."""
    if not found.is_converged:
        return "not converged"
    if shift_mm > MOST_SHIFT_MM or turn_deg > MOST_TURN_DEG:
        return "beyond the limit"
    if found.after < LEAST_CORRELATION:
        return "no likeness"
    if 1.0 - found.after > (1.0 - LEAST_GAIN) * (1.0 - found.before):
        return "no gain"
    if missed_mm > MOST_INCONSISTENT_MM:
        return "misses its way back"
    return ""


def _levels(fixed: Volume, moving: Volume, matrix: Float, centre: Float) -> list[_Level]:
    half = BOX_MM / 2
    n = int(AROUND_MM / STEP_MM)
    grid = lattice(centre - half - n * STEP_MM, centre + half + n * STEP_MM, STEP_MM)
    across = Grid(shape=grid.shape, affine=matrix @ grid.affine)
    hu = [sampled(one, at, outside=np.nan) for one, at in ((fixed, grid), (moving, across))]
    seen = [np.isfinite(one) for one in hu]
    a, b, c = (slice(n, size - n) for size in grid.shape)
    return [
        _Level(
            images=(_smoothed(hu[0], seen[0], sd_mm), _smoothed(hu[1], seen[1], sd_mm)),
            seen=(seen[0], seen[1]),
            grid=grid,
            core=(a, b, c),
        )
        for sd_mm in SMOOTHS_MM
    ]


def _smoothed(hu: NDArray[np.float32], seen: Bool, sd_mm: float) -> Float:
    """Return the windowed CT, smoothed over the points that the CT has."""
    windowed = np.where(seen, np.clip(hu, *WINDOW_HU), 0.0)
    sd = sd_mm / STEP_MM
    found = ndimage.gaussian_filter(windowed, sd, output=np.float64, truncate=3.0)
    if seen.all():
        return np.asarray(found)
    weight = ndimage.gaussian_filter(seen.astype(np.float64), sd, truncate=3.0)
    return np.asarray(found / np.maximum(weight, 1e-6))


def _swapped(level: _Level) -> _Level:
    return _Level(images=level.images[::-1], seen=level.seen[::-1], grid=level.grid, core=level.core)


def _gradient(image: Float, core: tuple[slice, slice, slice]) -> Float:
    """(n, 3) of x, y and z over the box, HU/mm."""
    steps = [np.asarray(np.gradient(image, STEP_MM, axis=axis), np.float64) for axis in (2, 1, 0)]
    return np.stack([one[core].ravel() for one in steps], axis=1)


def _structure(level: _Level, of: int) -> float:
    """Return how well the worst direction of one CT is seen, in HU/mm."""
    g = _gradient(level.images[of], level.core)
    smallest = float(np.min(np.linalg.eigvalsh(g.T @ g / len(g))))
    return float(np.sqrt(max(smallest, 0.0)))


def _descended(levels: list[_Level], centre: Float) -> _Found:
    """Return the motion that brings the first CT of a level onto the second, in the frame of the first."""
    matrix = np.eye(4)
    is_converged = False
    for level in levels:
        matrix, is_converged = _level_descended(level, matrix, centre)
    sharp = _Sampler(levels[-1])
    return _Found(
        matrix=matrix,
        before=sharp.correlation(np.eye(4)),
        after=sharp.correlation(matrix),
        is_converged=is_converged,
    )


class _Sampler:
    """The second CT of a level at the moved points of the box, against the first."""

    def __init__(self, level: _Level) -> None:
        own = part_of(level.grid, level.core)
        self.points_mm = own.position_mm(np.indices(own.shape).reshape(3, -1).T)
        self.first = level.images[0][level.core].ravel()
        self.second = level.images[1]
        self.origin_mm = level.grid.affine[:3, 3]
        self.is_seen = (level.seen[0] & level.seen[1])[level.core].ravel()

    def at(self, matrix: Float) -> Float:
        """(n,) values of the second CT at the moved points."""
        index = (_moved(matrix, self.points_mm) - self.origin_mm) / STEP_MM
        return np.asarray(ndimage.map_coordinates(self.second, index[:, ::-1].T, order=1, mode="nearest"))

    def correlation(self, matrix: Float) -> float:
        """Return r of both CTs over the points that both have."""
        return _correlation(self.first[self.is_seen], self.at(matrix)[self.is_seen])


def _level_descended(level: _Level, start: Float, centre: Float) -> tuple[Float, bool]:
    """Return the motion at the end of one level, and whether it came to rest."""
    sampler = _Sampler(level)
    is_seen = sampler.is_seen
    first, spread = _standardised(sampler.first[is_seen])
    g = _gradient(level.images[0], level.core)[is_seen] / spread
    lever = sampler.points_mm[is_seen] - centre
    jacobian = np.hstack([g, np.cross(lever, g)])
    hessian = jacobian.T @ jacobian
    scale = np.diag(np.maximum(np.diag(hessian), 1e-12 * hessian.max()))
    matrix, damping = start, DAMPING[0]
    second = sampler.at(matrix)[is_seen]
    r = _correlation(sampler.first[is_seen], second)
    for _ in range(ITERATIONS):
        residual = jacobian.T @ (_standardised(second)[0] - first)
        while True:
            step = np.asarray(np.linalg.solve(hessian + damping * scale, residual), np.float64)
            undone = np.asarray(np.linalg.inv(_motion(step, centre)), np.float64)
            tried = np.asarray(matrix @ undone, np.float64)
            values = sampler.at(tried)[is_seen]
            better = _correlation(sampler.first[is_seen], values)
            size_mm = float(np.linalg.norm(step[:3]) + BOX_MM / 2 * np.linalg.norm(step[3:]))
            if better > r or size_mm < STILL_MM:
                break
            damping *= DAMPING[1]
            if damping > DAMPING[2]:
                return matrix, False
        if better > r:
            matrix, second, r = tried, values, better
        if size_mm < STILL_MM:
            return matrix, True
        damping = max(damping / DAMPING[1], DAMPING[0] / DAMPING[1])
    return matrix, False


def _motion(step: Float, centre: Float) -> Float:
    """(4, 4) a shift, and a turn about the centre by a vector in radians."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + step[:3]
    return matrix


def _moved(matrix: Float, points_mm: Float) -> Float:
    return np.asarray(points_mm @ matrix[:3, :3].T + matrix[:3, 3])


def _standardised(x: Float) -> tuple[Float, float]:
    spread = float(x.std())
    return (x - x.mean()) / max(spread, 1e-12), max(spread, 1e-12)


def _correlation(x: Float, y: Float) -> float:
    return float((_standardised(x)[0] * _standardised(y)[0]).mean())
