"""The contralateral brain is where a lesion's mirror image lies, over the midsagittal plane of the head.

The plane is that of the skull on the CT: the PET is not asked, since lesions and tracers break its symmetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from petquant.delineation.lattice import inner_mm, lattice, sampled, smoothed
from petquant.delineation.liver import not_found
from petquant.delineation.loins import Place
from petquant.errors import PetquantError, Refused
from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["Midsagittal", "head_of", "opposite_of"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Single = NDArray[np.float32]

COARSE_MM: Final = 5.0
FINE_MM: Final = 2.5
SMOOTHED_MM: Final = 5.0
SKULL_HU: Final = 200.0
SOFT_HU: Final = (-50.0, 120.0)
CAVITY_ML: Final = (500.0, 2200.0)  # of the skull, which a field of view may cut
AROUND_MM: Final = 15.0  # of the cavity: the skull belongs to what must be alike
WINDOW_HU: Final = (-100.0, 400.0)
MOST_TURN_DEG: Final = 25.0  # of the normal of the plane from left-right
TRIED_DEG: Final = 5.0
TRIED_MM: Final = (-8.0, -4.0, 0.0, 4.0, 8.0)  # off the centre of the cavity
SIMPLEX: Final = (3.0, 3.0, 2.0)  # its sides at first: degrees, degrees, mm
ALIKE: Final = 0.9  # of the points, those least unlike their mirror image
LEAST_SYMMETRY: Final = 0.8  # correlation of the CT of the head with its mirror image
TO_SKULL_MM: Final = 3.0  # from the sphere to the skull
MIDLINE_MM: Final = 5.0  # from the sphere to the plane: falx and the third ventricle
MOST_ASIDE_MM: Final = 15.0  # how far the sphere may lie from the mirror image, to keep off the skull
BRAIN_HU: Final = (15.0, 60.0)  # liquor lies below, calcifications and blood above


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Midsagittal:
    """The plane ``n x = d`` of a head (LPS, n towards the left), and how alike both halves are.

    Parameters
    ----------
    symmetry
        Correlation of the CT with its mirror image over the head.
    cavity_ml
        What the skull holds.
    """

    normal: Float
    distance_mm: float
    symmetry: float
    cavity_ml: float
    grid: Grid
    depth_mm: Float
    hu: Single

    def mirrored(self, points_mm: Float) -> Float:
        """Return (..., 3) mirror images."""
        return points_mm - 2.0 * self.off_mm(points_mm)[..., None] * self.normal

    def off_mm(self, points_mm: Float) -> Float:
        """Return (...) how far left of the plane points lie."""
        return np.asarray(points_mm @ self.normal - self.distance_mm)


def opposite_of(
    lesions_mm: Sequence[Float], head: Midsagittal, *, radius_mm: float, margin_mm: float
) -> Place:
    """Return the centre of a sphere opposite of a lesion, that of the largest lesion which leaves one.

    Parameters
    ----------
    lesions_mm
        (n, 3) positions of the voxels of each lesion, the largest first.
    radius_mm, margin_mm
        Of the sphere, and from it to any lesion.

    Raises
    ------
    Refused
        REFERENCE_NOT_FOUND.
    """
    if not lesions_mm:
        raise _not_found("there is no lesion to look opposite of", expected="a lesion in the brain")
    everywhere = np.concatenate(lesions_mm)
    why_not = "no lesion lies in the skull"
    z, y, x = np.nonzero(head.depth_mm >= radius_mm + TO_SKULL_MM)
    free = head.grid.position_mm(np.column_stack([z, y, x]))
    free = free[np.abs(head.off_mm(free)) >= radius_mm + MIDLINE_MM]
    for one in lesions_mm:
        centre = one.mean(axis=0)
        if _at(head.depth_mm, head.grid, centre) <= 0.0:
            continue
        opposite = head.mirrored(centre)
        apart_mm = np.linalg.norm(free - opposite, axis=1)
        apart_mm[np.sign(head.off_mm(free)) == np.sign(head.off_mm(centre))] = np.inf
        if not len(free) or apart_mm.min() > MOST_ASIDE_MM:
            why_not = "no sphere fits between skull and midline near the mirror image of a lesion"
            continue
        nearest = int(apart_mm.argmin())
        # the mirror image itself where it fits, else the point of the lattice that is nearest to it
        place = opposite if apart_mm[nearest] <= FINE_MM else free[nearest]
        if float(np.linalg.norm(everywhere - place, axis=1).min()) < radius_mm + margin_mm:
            why_not = "a lesion lies too near to the mirror image of a lesion"
            continue
        hu = _at(head.hu, head.grid, place)
        if not BRAIN_HU[0] <= hu <= BRAIN_HU[1]:
            why_not = f"the CT shows {hu:.0f} HU at the mirror image of a lesion: no brain"
            continue
        aside_mm = float(np.linalg.norm(place - opposite))
        words = f", {aside_mm:.0f} mm aside of it to keep off the skull" if aside_mm > FINE_MM else ""
        a, b, c = place.round(2).tolist()
        return Place(
            centre_mm=(a, b, c),
            edge_mm=_at(head.depth_mm, head.grid, place),
            why=f"mirror image of the lesion of {len(one)} voxels over the midsagittal plane of the skull on "
            f"the CT (symmetry {head.symmetry:.2f}){words}",
        )
    raise _not_found(why_not)


def head_of(pet: Volume, ct: Volume | None) -> Midsagittal:
    """Return the head where PET and CT reach, with its plane.

    Raises
    ------
    Refused
        REFERENCE_NEEDS_CT, REFERENCE_NOT_FOUND.
    """
    if ct is None:
        raise Refused.of(
            "REFERENCE_NEEDS_CT",
            "contralateral: the midsagittal plane is that of the skull",
            expected="the CT of the study",
            remedy="give the folder of the whole study, a label map, or NAME=sphere:X,Y,Z,R",
        )
    low, high = _cavity_box(pet, ct)
    grid = lattice(low - AROUND_MM, high + AROUND_MM, FINE_MM)
    hu = smoothed(sampled(ct, grid, outside=-1000.0), grid, SMOOTHED_MM)
    cavity = _cavity(hu)
    ml = float(cavity.sum()) * FINE_MM**3 / 1000.0
    if not CAVITY_ML[0] <= ml <= CAVITY_ML[1]:
        raise _not_found(f"what the skull holds has {ml:.0f} mL", expected="500 to 2200 mL")
    corners = pet.grid.corners_mm()
    zs = grid.affine[2, 3] + FINE_MM * np.arange(grid.shape[0])
    # beyond the slices of the PET nothing is known; a cut surface is no skull
    is_covered = (zs >= corners[:, 2].min()) & (zs <= corners[:, 2].max())
    normal, distance_mm, symmetry = _plane(hu, cavity, grid)
    if not symmetry >= LEAST_SYMMETRY:  # nor when it is NaN, of a CT with holes
        raise _not_found(
            f"the head on the CT is not symmetric (correlation {symmetry:.2f})",
            expected=f"at least {LEAST_SYMMETRY:g}",
        )
    depth_mm = inner_mm(cavity, grid)
    depth_mm[~is_covered] = 0.0
    return Midsagittal(
        normal=normal,
        distance_mm=distance_mm,
        symmetry=symmetry,
        cavity_ml=ml,
        grid=grid,
        depth_mm=depth_mm,
        hu=hu,
    )


def _cavity_box(pet: Volume, ct: Volume) -> tuple[Float, Float]:
    """Return two corners of the box round the highest cavity of bone that is as large as a skull's."""
    corners = pet.grid.corners_mm()
    grid = lattice(corners.min(axis=0), corners.max(axis=0), COARSE_MM)
    of, n = ndimage.label(ndimage.binary_erosion(_filled(sampled(ct, grid, outside=-1000.0))))
    if n:
        ml = np.bincount(of.ravel())[1:] * COARSE_MM**3 / 1000.0
        boxes = ndimage.find_objects(of)
        # eroded by 5 mm a skull of 500 mL holds three fifths of it
        large = [box for box, one in zip(boxes, ml, strict=True) if one >= 0.6 * CAVITY_ML[0]]
        if large:
            top = max(large, key=lambda box: box[0].stop)
            ends = [grid.position_mm([getattr(side, end) for side in top]) for end in ("start", "stop")]
            return ends[0] - COARSE_MM, ends[1]
    raise _not_found("the CT shows no skull", expected="a head on PET and CT")


def _filled(hu: Single) -> Bool:
    """Return the soft tissue that bone surrounds in a slice."""
    bone = hu > SKULL_HU
    filled = np.stack([ndimage.binary_fill_holes(ndimage.binary_closing(one)) for one in bone])
    return np.asarray(filled & ~bone & (hu > SOFT_HU[0]) & (hu < SOFT_HU[1]))


def _cavity(hu: Single) -> Bool:
    of, n = ndimage.label(ndimage.binary_opening(_filled(hu), iterations=2))
    if not n:
        raise _not_found("the CT shows no skull", expected="a head on PET and CT")
    size = np.bincount(of.ravel())
    size[0] = 0
    return np.asarray(of == size.argmax())


def _plane(hu: Single, cavity: Bool, grid: Grid) -> tuple[Float, float, float]:
    """Return normal, distance and symmetry of the plane over which the head is most like its mirror image.

    Every 5 degrees and 4 mm is looked at on some points; the best is refined by a simplex, then again without
    the points that differ most from their mirror image: no head is the same on both sides.
    """
    x = np.clip(hu, *WINDOW_HU)
    near = ndimage.binary_dilation(cavity, iterations=int(AROUND_MM / FINE_MM))
    index = np.argwhere(near)
    points = grid.position_mm(index)
    values = x[tuple(index.T)].astype(np.float64)
    centre = grid.position_mm(np.argwhere(cavity).mean(axis=0))
    origin = grid.affine[:3, 3]

    def opposite(plane: Float, at: slice | NDArray[np.int64]) -> Float:
        normal = _normal(plane)
        off = (points[at] - centre) @ normal - plane[2]
        there = (points[at] - 2.0 * off[:, None] * normal - origin) / FINE_MM
        return np.asarray(
            ndimage.map_coordinates(x, there[:, ::-1].T, order=1, mode="nearest", output=np.float64)
        )

    def symmetry(plane: Float, at: slice | NDArray[np.int64]) -> float:
        return float(np.corrcoef(values[at], opposite(plane, at))[0, 1])

    def refined(start: Float, at: slice | NDArray[np.int64]) -> Float:
        return np.asarray(
            optimize.minimize(
                lambda one: -symmetry(one, at),
                start,
                method="Nelder-Mead",
                options={
                    "initial_simplex": np.vstack([start, *(start + np.diag(SIMPLEX))]),
                    "xatol": 0.02,
                    "fatol": 1e-7,
                    "maxiter": 200,
                },
            ).x
        )

    turns = np.arange(-MOST_TURN_DEG + TRIED_DEG, MOST_TURN_DEG, TRIED_DEG)
    tried = [np.array([yaw, roll, mm]) for yaw in turns for roll in turns for mm in TRIED_MM]
    few = slice(None, None, max(2, round(len(points) / 4000)))
    best = refined(max(tried, key=lambda one: symmetry(one, few)), slice(None, None, 4))
    differs = np.abs(opposite(best, slice(None)) - values)
    alike = np.flatnonzero(differs <= np.quantile(differs, ALIKE))
    best = refined(best, alike[::4])
    if np.abs(best[:2]).max() > MOST_TURN_DEG:
        raise _not_found("the head is turned too far", expected=f"at most {MOST_TURN_DEG:g} degrees")
    normal = _normal(best)
    return normal, float(centre @ normal + best[2]), symmetry(best, slice(None))


def _normal(plane: Float) -> Float:
    """Return left, turned about z and then about y, both in degrees."""
    yaw, roll = np.radians(plane[:2])
    return np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])


def _at(values: NDArray[np.floating], grid: Grid, point_mm: Float) -> float:
    """Return the value of the nearest point of a lattice; 0 beyond it."""
    at = np.rint((point_mm - grid.affine[:3, 3]) / FINE_MM).astype(int)[::-1]
    if (at < 0).any() or (at >= grid.shape).any():
        return 0.0
    return float(values[tuple(at)])


def _not_found(found: str, *, expected: str = "") -> PetquantError:
    return not_found(found, expected=expected, of="contralateral")
