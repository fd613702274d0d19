"""The descending aorta is a tube of even uptake beside the spine, on the left, in soft tissue of the chest.

It is looked for in a window that lungs and vertebrae of the CT place. A PET alone does not tell it for
certain from the oesophagus and the vertebrae, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.delineation.body import STEP_MM, Body
from petquant.delineation.lattice import inner_mm, lattice, sampled, smoothed
from petquant.delineation.liver import not_found
from petquant.delineation.shapes import Cylinder
from petquant.delineation.spine import BONE_HU, spine_of
from petquant.errors import PetquantError, Refused
from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["Aorta", "aorta_in"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
Single = NDArray[np.float32]

RADIUS_MM: Final = 5.0  # PERCIST as documented for PMOD: 1 cm across, 2 cm long
LENGTH_MM: Final = 20.0
FINE_MM: Final = 2.5
SMOOTHED_MM: Final = 6.0
# The arch lies at seven tenths of the height of the lungs and above, the diaphragm at two tenths and below.
CHEST: Final = (0.2, 0.6)
LUNG_HU: Final = -300.0
BEHIND: Final = 0.5  # of the depth of the chest: the front half holds the sternum
WINDOW_X_MM: Final = (-5.0, 50.0)  # from the middle of the spine to the left
WINDOW_Y_MM: Final = (-45.0, 25.0)  # from the front of the spine, to the front and to the back
WALL_MM: Final = 8.0  # from the axis to lung and bone: the thoracic aorta is 20 to 30 mm across
RING_MM: Final = (17.5, 22.5)  # the surroundings, outside of an aorta of 30 mm
LEAST_CONTRAST: Final = 1.15
EVEN: Final = 0.15  # smoothed values along the axis
HOTTER: Final = 1.25  # times the axis: what nearby uptake may be before it spills in
NEAR_MM: Final = 12.5
STRAIGHT_MM: Final = 2.5  # of the axis from a line over the length of the cylinder
TILTED: Final = 0.14  # sine of 8 degrees: less is taken as along the patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Aorta:
    """A cylinder in the lumen, how far its axis is from lung and bone, and its contrast."""

    shape: Cylinder
    edge_mm: float
    contrast: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Chest:
    """The window beside the spine on a fine lattice."""

    grid: Grid
    pet: Single
    soft_mm: Float

    def position_mm(self, path: Int) -> Float:
        """(n, 3) of one [j, i] a slice."""
        k = np.arange(len(path))
        return self.grid.position_mm(np.column_stack([k, path]))


def aorta_in(body: Body, pet: Volume, ct: Volume | None, *, lesions_mm: Float, margin_mm: float) -> Aorta:
    """Return the cylinder.

    Parameters
    ----------
    ct
        The CT of `body`.
    lesions_mm
        (n, 3) positions that the cylinder keeps away from by `margin_mm`.

    Raises
    ------
    Refused
        REFERENCE_NOT_FOUND, with the reason.
    """
    chest = _chest(body, pet, ct)
    path = _tube(chest)
    axis_mm = chest.position_mm(path)
    k = np.arange(len(path))
    level = chest.pet[k, path[:, 0], path[:, 1]].astype(np.float64)
    around, hottest = _surroundings(chest, path)
    edge_mm = chest.soft_mm[k, path[:, 0], path[:, 1]]
    half = int(LENGTH_MM / FINE_MM / 2)
    found: list[tuple[float, Aorta]] = []
    reasons: list[str] = []
    for middle in range(half, len(path) - half):
        part = slice(middle - half, middle + half + 1)
        mean = float(level[part].mean())
        contrast = mean / float(around[part].mean())
        uneven = float(np.abs(level[part] / mean - 1.0).max())
        centre, axis, off_mm = _line(axis_mm[part])
        apart_mm = _nearest_mm(axis_mm[part], lesions_mm)
        why_not = _why_not(
            contrast=contrast,
            uneven=uneven,
            hotter=float(hottest[part].max()) / mean,
            off_mm=off_mm,
            apart_mm=apart_mm - RADIUS_MM - margin_mm,
        )
        if why_not:
            reasons.append(why_not)
            continue
        shape = Cylinder(
            name="blood_pool",
            centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
            radius_mm=RADIUS_MM,
            length_mm=LENGTH_MM,
            axis=(float(axis[0]), float(axis[1]), float(axis[2])),
        )
        aorta = Aorta(
            shape=shape,
            edge_mm=float(edge_mm[part].min()),
            contrast=contrast,
            why="tube of even uptake left of the spine between diaphragm and aortic arch on the CT",
        )
        found.append((uneven, aorta))
    if not found:
        most = max(dict.fromkeys(reasons), key=reasons.count)
        raise _not_found(most)
    return min(found, key=lambda one: one[0])[1]


def _why_not(*, contrast: float, uneven: float, hotter: float, off_mm: float, apart_mm: float) -> str:
    """Return why a stretch of the tube is not taken; empty when it is."""
    if contrast < LEAST_CONTRAST:
        return f"no tube beside the spine stands out from its surroundings ({contrast:.2f} times)"
    if uneven > EVEN:
        return f"uptake along the tube beside the spine is uneven ({uneven:.0%})"
    if hotter > HOTTER:
        return f"uptake {hotter:.2g} times as high lies within {NEAR_MM:g} mm of the axis"
    if off_mm > STRAIGHT_MM:
        return "the tube beside the spine is not straight"
    if apart_mm < 0:
        return "a lesion lies too near to the tube beside the spine"
    return ""


def _chest(body: Body, pet: Volume, ct: Volume | None) -> _Chest:
    """Return the window between diaphragm and arch, beside the front of the spine."""
    if ct is None or body.hu is None or body.is_lung is None:
        raise Refused.of(
            "REFERENCE_NEEDS_CT",
            "blood_pool: the aorta cannot be told for certain on PET alone",
            expected="the CT of the study",
            remedy="give the folder of the whole study, a label map, or NAME=cylinder:X,Y,Z,R,LENGTH",
        )
    k_lung = np.flatnonzero(body.is_lung.any(axis=(1, 2)))
    if not len(k_lung):
        raise _not_found("the CT shows no lungs")
    height = len(k_lung)
    low, high = (int(k_lung[0] + part * height) for part in CHEST)
    if (high - low) * STEP_MM < 2 * LENGTH_MM:
        raise _not_found("the CT shows too little of the chest")
    k = slice(low, high + 1)
    midline = body.midline(k)
    columns = body.grid.affine[0, 3] + STEP_MM * np.arange(body.grid.shape[2])
    is_left = columns > midline.x_mm
    if not (body.is_lung[k] & is_left).any() or not (body.is_lung[k] & ~is_left).any():
        raise _not_found("the CT does not show both lungs")
    x_mm, front_mm = spine_of(body, k, behind=BEHIND, of="blood_pool")
    corner = np.array(
        [x_mm + WINDOW_X_MM[0] - RING_MM[1], front_mm + WINDOW_Y_MM[0] - RING_MM[1], body.z_mm(low)]
    )
    far = np.array(
        [x_mm + WINDOW_X_MM[1] + RING_MM[1], front_mm + WINDOW_Y_MM[1] + RING_MM[1], body.z_mm(high)]
    )
    grid = lattice(corner, far, FINE_MM)
    hu = smoothed(sampled(ct, grid, outside=-1000.0), grid, 2 * FINE_MM)
    beyond = int(np.ceil(WALL_MM / FINE_MM)) + 1  # the chest goes on above and below
    soft = np.pad((hu > LUNG_HU) & (hu < BONE_HU), ((beyond, beyond), (0, 0), (0, 0)), mode="edge")
    soft_mm = inner_mm(soft, grid)[beyond:-beyond]
    return _Chest(
        grid=grid, pet=smoothed(sampled(pet, grid, outside=0.0), grid, SMOOTHED_MM), soft_mm=soft_mm
    )


def _tube(chest: _Chest) -> Int:
    """(n, 2) the [j, i] of the axis in every slice: the path of highest uptake with one step a slice.

    Only points with soft tissue of `WALL_MM` around them, away from the rim of the window, are on a path.
    """
    rim = int(RING_MM[1] / FINE_MM)
    is_open = chest.soft_mm >= WALL_MM
    is_open[:, :rim] = is_open[:, -rim:] = False
    is_open[:, :, :rim] = is_open[:, :, -rim:] = False
    if not is_open.any(axis=(1, 2)).all():
        raise _not_found("no soft tissue as wide as an aorta lies beside the spine in every slice")
    score = np.where(is_open, chest.pet, -np.inf).astype(np.float64)
    best = score[0]
    came: list[Int] = []
    steps = [(dj, di) for dj in (0, -1, 1) for di in (0, -1, 1)]
    for one in score[1:]:
        padded = np.pad(best, 1, constant_values=-np.inf)
        options = np.stack(
            [padded[1 + dj : 1 + dj + best.shape[0], 1 + di : 1 + di + best.shape[1]] for dj, di in steps]
        )
        came.append(options.argmax(axis=0))
        best = options.max(axis=0) + one
    if not np.isfinite(best).any():
        raise _not_found("no tube of soft tissue runs beside the spine")
    at = np.array(np.unravel_index(int(np.argmax(best)), best.shape))
    path = [at]
    for choice in reversed(came):
        at = at + steps[int(choice[tuple(at)])]
        path.append(at)
    return np.array(path[::-1], np.int64)


def _surroundings(chest: _Chest, path: Int) -> tuple[Float, Float]:
    """Return, for every slice, the mean of the soft tissue around the tube and the highest value near it."""
    _, nj, ni = chest.grid.shape
    j, i = np.mgrid[:nj, :ni]
    around, hottest = np.empty(len(path)), np.empty(len(path))
    for k, (at_j, at_i) in enumerate(path):
        apart_mm = FINE_MM * np.hypot(j - at_j, i - at_i)
        ring = (apart_mm >= RING_MM[0]) & (apart_mm <= RING_MM[1]) & (chest.soft_mm[k] > 0)
        around[k] = chest.pet[k][ring].mean() if ring.any() else np.nan
        hottest[k] = chest.pet[k][apart_mm <= NEAR_MM].max()
    if not np.isfinite(around).any():
        raise _not_found("no soft tissue lies around the tube")
    around[~np.isfinite(around)] = np.nanmean(around)
    return around, hottest


def _line(points_mm: Float) -> tuple[Float, Float, float]:
    """Return the middle of points, the direction of their line, and the largest distance from it.

    The direction is that of the patient where they differ by less than `TILTED`.
    """
    centre = points_mm.mean(axis=0)
    away = points_mm - centre
    axis = np.linalg.svd(away)[2][0]
    axis = axis * np.sign(axis[2])
    off_mm = float(np.linalg.norm(away - np.outer(away @ axis, axis), axis=1).max())
    if np.hypot(axis[0], axis[1]) < TILTED:
        axis = np.array([0.0, 0.0, 1.0])
    return centre.round(2), axis, off_mm


def _nearest_mm(points_mm: Float, others_mm: Float) -> float:
    if not len(others_mm):
        return float("inf")
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    return float(np.linalg.norm(np.maximum(np.maximum(low - others_mm, others_mm - high), 0.0), axis=1).min())


def _not_found(found: str) -> PetquantError:
    return not_found(found, of="blood_pool")
