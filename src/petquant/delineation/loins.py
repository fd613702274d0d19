"""Marrow and muscle are looked for in the loins: in the bodies of lumbar vertebrae, and behind them.

The height is told by the lower end of the lungs, not by counting vertebrae. One place proves nothing: places
in several vertebrae, or along both sides, must agree, and the one whose uptake is that of most is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petquant.delineation.body import STEP_MM, Body
from petquant.delineation.lattice import inner_mm, lattice, sampled, smoothed
from petquant.delineation.liver import not_found
from petquant.delineation.spine import BONE_HU, spine_of
from petquant.errors import Refused
from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["Place", "marrow_in", "muscle_in"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Single = NDArray[np.float32]

FINE_MM: Final = 2.5
# Below the lower end of the lungs (T12 to L1) lie four lumbar vertebrae of 35 mm with their discs.
BELOW_LUNG_MM: Final = (10.0, 150.0)
BEHIND: Final = 1.0 / 3.0  # of the depth of the belly: lordosis brings vertebrae before its middle
# The shell of a vertebra is dense, its inside may be as thin as 50 HU in the old (osteoporosis: below 100).
INSIDE_HU: Final = 50.0
DENSE_HU: Final = 500.0  # smoothed: cement, metal, sclerosis; cortical bone stays below
BODY_X_MM: Final = 12.5  # from the middle of the spine: the body and not its processes
COLUMN_MM: Final = 50.0  # up and down from a place: the column goes on there, bowel with contrast does not
COLUMN_SLICES: Final = 0.6  # that must show bone within BODY_X_MM of the place; discs do not
# End plates stand out along the body's axis: by that over the median of 40 mm, more than a vertebra is high.
PLATE_HU: Final = 60.0
PLATE_MM: Final = 40.0
MUSCLE_HU: Final = (20.0, 80.0)
MUSCLE_X_MM: Final = (15.0, 60.0)  # from the middle of the spine: erector spinae and multifidus
MOST_UPTAKE: Final = 2.0  # times the median of the body: kidneys and liver lie above, muscle below
# Along the back of one muscle places touch one another; vertebrae are 30 to 40 mm apart.
APART_MM: Final = 25.0
MOST_PLACES: Final = 12
LEAST_PLACES: Final = 3
ALIKE: Final = 0.25  # of their median
MOST_ALIKE: Final = 2.0 / 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A centre that fits, how far it is from the edge of its tissue, and in words why it is there."""

    centre_mm: tuple[float, float, float]
    edge_mm: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loins:
    """The window round the lumbar spine on a fine lattice; `beyond` slices at either end hold no place."""

    grid: Grid
    hu: Single
    x_mm: float
    front_mm: float
    middle_mm: float
    beyond: int


def marrow_in(
    body: Body, ct: Volume | None, *, radius_mm: float, margin_mm: float, fits: Callable[[Place], str]
) -> Place:
    """Return the centre of a sphere in the body of a lumbar vertebra.

    Parameters
    ----------
    radius_mm, margin_mm
        Of the sphere, and from it to the outside of the bone.
    fits
        Returns why a place is not taken (lesions, uneven uptake); empty when it is.

    Raises
    ------
    Refused
        REFERENCE_NEEDS_CT, REFERENCE_NOT_FOUND.
    """
    loins = _loins(body, ct, of="marrow")
    shell = loins.hu > BONE_HU
    is_bone = np.stack([ndimage.binary_fill_holes(one) for one in shell]) & (loins.hu > INSIDE_HU)
    _, _, x = _axes(loins.grid)
    is_middle = np.abs(x - loins.x_mm) <= BODY_X_MM
    column = (is_bone & is_middle).any(axis=2)
    near = ndimage.maximum_filter1d(column, 2 * int(BODY_X_MM / FINE_MM) + 1, axis=1)
    goes_on = ndimage.uniform_filter1d(near.astype(np.float32), 2 * int(COLUMN_MM / FINE_MM) + 1, axis=0)
    depth = inner_mm(is_bone, loins.grid)
    depth[:, :, ~is_middle] = 0.0
    depth[_to_plate_mm(loins, is_bone, is_middle) < radius_mm + FINE_MM / 2] = 0.0
    depth[goes_on < COLUMN_SLICES] = 0.0
    depth[ndimage.maximum_filter(loins.hu, 2 * int(radius_mm / FINE_MM) + 1) > DENSE_HU] = 0.0
    return _most_alike(
        body, loins, depth, deep_mm=radius_mm + margin_mm, fits=fits, of="marrow", tissue="a lumbar vertebra"
    )


def muscle_in(
    body: Body, ct: Volume | None, *, radius_mm: float, margin_mm: float, fits: Callable[[Place], str]
) -> Place:
    """Return the centre of a sphere in the muscles of the back, beside the lumbar spine; as `marrow_in`."""
    loins = _loins(body, ct, of="muscle")
    is_muscle = (loins.hu > MUSCLE_HU[0]) & (loins.hu < MUSCLE_HU[1])
    _, y, x = _axes(loins.grid)
    shell = loins.hu > BONE_HU
    is_bone = np.stack([ndimage.binary_fill_holes(one) for one in shell])  # the canal is soft as well
    depth = inner_mm(is_muscle & ~is_bone, loins.grid)
    from_spine = np.abs(x - loins.x_mm)
    depth[:, :, (from_spine < MUSCLE_X_MM[0]) | (from_spine > MUSCLE_X_MM[1])] = 0.0
    # kidneys and psoas lie before the middle of the bone, in which the processes count as well
    depth[:, y < _middle_of_bone(loins, shell) + radius_mm] = 0.0

    def is_low(place: Place) -> str:
        level = _level(body, place.centre_mm)
        if level > MOST_UPTAKE * body.median:
            return f"uptake beside the spine is {level / body.median:.1f} times that of the body"
        return fits(place)

    return _most_alike(
        body,
        loins,
        depth,
        deep_mm=radius_mm + margin_mm,
        fits=is_low,
        of="muscle",
        tissue="muscle of the back",
    )


def _loins(body: Body, ct: Volume | None, *, of: str) -> _Loins:
    if ct is None or body.hu is None or body.is_lung is None:
        raise Refused.of(
            "REFERENCE_NEEDS_CT",
            f"{of}: bone and muscle are told by their density",
            expected="the CT of the study",
            remedy="give the folder of the whole study, a label map, or NAME=sphere:X,Y,Z,R",
        )
    k_lung = np.flatnonzero(body.is_lung.any(axis=(1, 2)))
    if not len(k_lung):
        raise not_found("the CT shows no lungs", of=of)
    low, high = (int(k_lung[0]) - round(mm / STEP_MM) for mm in BELOW_LUNG_MM[::-1])
    if low < 0:
        raise not_found(
            "the CT ends above the lumbar spine", expected=f"{BELOW_LUNG_MM[1]:g} mm below the lungs", of=of
        )
    k = slice(low, high + 1)
    x_mm, front_mm = spine_of(body, k, behind=BEHIND, of=of)
    j = np.flatnonzero(body.is_inside[k].any(axis=(0, 2)))
    back_mm = float(body.grid.affine[1, 3] + STEP_MM * j[-1])
    beyond = int(COLUMN_MM / FINE_MM)
    side = MUSCLE_X_MM[1] + 20.0
    corner = np.array([x_mm - side, front_mm - 10.0, body.z_mm(low) - beyond * FINE_MM])
    far = np.array([x_mm + side, back_mm + 10.0, body.z_mm(high) + beyond * FINE_MM])
    grid = lattice(corner, far, FINE_MM)
    hu = smoothed(sampled(ct, grid, outside=-1000.0), grid, 2 * FINE_MM)
    middle_mm = (body.z_mm(low) + body.z_mm(high)) / 2
    return _Loins(grid=grid, hu=hu, x_mm=x_mm, front_mm=front_mm, middle_mm=middle_mm, beyond=beyond)


def _to_plate_mm(loins: _Loins, is_bone: Bool, is_middle: Bool) -> Float:
    """Return how far each point lies from the next end plate: thin discs do not part the bone, plates do."""
    middle = loins.hu[:, :, is_middle]
    usual = ndimage.median_filter(middle, size=(2 * int(PLATE_MM / FINE_MM / 2) + 1, 1, 1))
    is_plate = np.zeros(loins.hu.shape, np.bool_)
    is_plate[:, :, is_middle] = (middle - usual > PLATE_HU) & is_bone[:, :, is_middle]
    if not is_plate.any():
        return np.full(loins.hu.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~is_plate, sampling=FINE_MM), np.float64)


def _axes(grid: Grid) -> tuple[Float, Float, Float]:
    """Return z, y and x of the planes of a lattice."""
    z, y, x = (
        grid.affine[axis, 3] + FINE_MM * np.arange(n) for axis, n in zip((2, 1, 0), grid.shape, strict=True)
    )
    return z, y, x


def _middle_of_bone(loins: _Loins, shell: Bool) -> float:
    """Return the y that half of the bone near the middle of the spine lies before."""
    _, y, x = _axes(loins.grid)
    _, at_j, _ = np.nonzero(shell[:, :, np.abs(x - loins.x_mm) <= BODY_X_MM])
    return float(y[int(np.median(at_j))])


def _most_alike(
    body: Body,
    loins: _Loins,
    depth: Float,
    *,
    deep_mm: float,
    fits: Callable[[Place], str],
    of: str,
    tissue: str,
) -> Place:
    """Return, of places that agree, the one whose uptake is nearest to their median."""
    depth[: loins.beyond] = depth[len(depth) - loins.beyond :] = 0.0
    found, reasons, n_looked_at = [], [], 0
    for place in _places(loins, depth, deep_mm=deep_mm):
        why_not = fits(place)
        n_looked_at += 1
        if why_not:
            reasons.append(why_not)
            continue
        found.append(place)
        if len(found) == MOST_PLACES:
            break
    if len(found) < LEAST_PLACES:
        most = f": {max(dict.fromkeys(reasons), key=reasons.count)}" if reasons else ""
        raise not_found(
            f"{len(found)} of {n_looked_at} places in {tissue} can be taken{most}",
            expected=f"{LEAST_PLACES} that agree",
            of=of,
        )
    levels = np.array([_level(body, place.centre_mm) for place in found])
    median = float(np.median(levels))
    off = np.abs(levels / median - 1.0)
    n_alike = int((off <= ALIKE).sum())
    if n_alike < max(LEAST_PLACES, MOST_ALIKE * len(found)):
        raise not_found(
            f"uptake of {len(found)} places in {tissue} differs: {levels.min():.3g} to {levels.max():.3g}",
            expected=f"two thirds within {ALIKE:.0%} of their median",
            of=of,
        )
    best = found[int(np.argmin(off.round(9)))]
    why = (
        f"{tissue} below the lungs on the CT; {n_alike} of {len(found)} places agree within {ALIKE:.0%}, "
        "this one is nearest to their median"
    )
    return Place(centre_mm=best.centre_mm, edge_mm=best.edge_mm, why=why)


def _places(loins: _Loins, depth: Float, *, deep_mm: float) -> list[Place]:
    """Return centres deep enough and apart, the deepest first, then those nearest the middle."""
    voxels = np.flatnonzero(depth >= deep_mm)
    if not len(voxels):
        return []
    points = loins.grid.position_mm(loins.grid.index_of(voxels))
    deep = depth.reshape(-1)[voxels]
    order = np.lexsort((np.abs(points[:, 2] - loins.middle_mm).round(3), -deep.round(0)))
    points, deep = points[order], deep[order]
    found = []
    while len(points):
        x, y, z = points[0].tolist()
        found.append(Place(centre_mm=(x, y, z), edge_mm=float(deep[0]), why=""))
        is_free = np.linalg.norm(points - points[0], axis=1) >= APART_MM
        points, deep = points[is_free], deep[is_free]
    return found


def _level(body: Body, centre_mm: tuple[float, float, float]) -> float:
    """Return the smoothed PET at a place."""
    at = np.rint((np.array(centre_mm) - body.grid.affine[:3, 3]) / STEP_MM).astype(int)
    return float(body.pet[tuple(at[::-1])])
