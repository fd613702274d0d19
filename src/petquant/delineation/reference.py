"""A reference region is found without trained weights, from PET and CT, or refused with the reason.

Found are a sphere of 3 cm in the right lobe of the liver, a cylinder in the descending aorta, spheres in the
body of a lumbar vertebra and in the muscles of the back, and one in the brain opposite of a lesion (reads.md
section 2). The same voxels give the same place; nothing is drawn by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.delineation.aorta import aorta_in
from petquant.delineation.body import Body, body_of
from petquant.delineation.contralateral import head_of, opposite_of
from petquant.delineation.liver import liver_in, not_found, places_in
from petquant.delineation.loins import Place, marrow_in, muscle_in
from petquant.delineation.shapes import Cylinder, Sphere, drawn
from petquant.grid import Grid
from petquant.roi import Roi, RoiSet
from petquant.volume import Volume

__all__ = ["AUTOMATIC", "Placement", "place"]

Float = NDArray[np.float64]

LIVER_RADIUS_MM: Final = 15.0  # 3 cm across: EANM, PERCIST
# to the edge of the liver and to lesions: breathing, and the tail of a PSF of 6 to 8 mm
MARGIN_MM: Final = 10.0
MARROW_RADIUS_MM: Final = 7.5  # 5 mm inside of a vertebral body 25 mm high (reads.md section 2: eroded 5 mm)
MUSCLE_RADIUS_MM: Final = 10.0
TO_BONE_EDGE_MM: Final = 5.0
TO_MUSCLE_EDGE_MM: Final = 5.0
BRAIN_RADIUS_MM: Final = 10.0  # 4.2 mL, of 2 to 5 mL
MOST_COV: Final = 0.25  # of single voxels, noise included
EVEN: Final = 0.15  # largest departure of the smoothed values in a region from their median


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a reference region was put, and why there.

    Parameters
    ----------
    shape
        In mm LPS.
    roi
        The shape on the PET grid.
    mean, sd, cov
        In the region, in the unit of the PET that was looked at; SD with ddof 0.
    edge_mm
        From the centre to the edge of the organ.
    organ_ml
        What was taken for the organ; None of a tube.
    contrast
        Mean over that of the surroundings; None where it was not asked for.
    hu
        Mean of the CT at the centre, smoothed; None without a CT.
    why
        In words.
    """

    shape: Sphere | Cylinder
    roi: Roi
    mean: float
    sd: float
    cov: float
    edge_mm: float
    organ_ml: float | None
    contrast: float | None
    hu: float | None
    why: str


def place(name: str, pet: Volume, *, ct: Volume | None = None, avoid: RoiSet | None = None) -> Placement:
    """Return a reference region.

    Parameters
    ----------
    name
        One of `AUTOMATIC`.
    pet
        All slices loaded, linear in activity; any tracer.
    ct
        In HU, all slices loaded, in the frame of reference of the PET.
    avoid
        Lesions, on the grid of the PET; no region comes nearer than `MARGIN_MM`.

    Raises
    ------
    Refused
        REFERENCE_NOT_FOUND, REFERENCE_NEEDS_CT.
    """
    body = body_of(pet, ct)
    if body is None or not body.median > 0:
        raise not_found("the PET shows no body", of=name)
    return AUTOMATIC[name](body, pet, ct, avoid)


def _liver(body: Body, pet: Volume, _: Volume | None, avoid: RoiSet | None) -> Placement:
    """Return the sphere at the deepest place of the right lobe where uptake is even."""
    lesions_mm = _positions_mm(avoid)
    liver = liver_in(body)
    why_not = "no place in the right lobe lies deep enough for a sphere of 3 cm"
    for centre_mm, edge_mm in places_in(body, liver, radius_mm=LIVER_RADIUS_MM, margin_mm=MARGIN_MM):
        if _nearest_mm(centre_mm, lesions_mm) < LIVER_RADIUS_MM + MARGIN_MM:
            why_not = "every place in the right lobe lies too near to a lesion"
            continue
        shape = Sphere(name="liver", centre_mm=centre_mm, radius_mm=LIVER_RADIUS_MM)
        made = _placement(shape, body, pet, edge_mm=edge_mm, organ_ml=liver.volume_ml, why=liver.why)
        uneven = _uneven(body, centre_mm, LIVER_RADIUS_MM)
        if made.cov <= MOST_COV and uneven <= EVEN:
            return made
        why_not = f"uptake in the right lobe is uneven: CoV {made.cov:.2f}, smoothed {uneven:.0%} off"
    raise not_found(why_not, expected=f"CoV at most {MOST_COV:g}, smoothed values within {EVEN:.0%}")


def _blood_pool(body: Body, pet: Volume, ct: Volume | None, avoid: RoiSet | None) -> Placement:
    """Return the cylinder in the descending aorta."""
    aorta = aorta_in(body, pet, ct, lesions_mm=_positions_mm(avoid), margin_mm=MARGIN_MM)
    made = _placement(
        aorta.shape, body, pet, edge_mm=aorta.edge_mm, organ_ml=None, contrast=aorta.contrast, why=aorta.why
    )
    if made.cov > MOST_COV:
        raise not_found(
            f"uptake in the aorta is uneven: CoV {made.cov:.2f}",
            expected=f"at most {MOST_COV:g}",
            of="blood_pool",
        )
    return made


def _marrow(body: Body, pet: Volume, ct: Volume | None, avoid: RoiSet | None) -> Placement:
    """Return the sphere in the body of a lumbar vertebra."""
    fits = _fits("marrow", MARROW_RADIUS_MM, body, pet, _positions_mm(avoid))
    place = marrow_in(body, ct, radius_mm=MARROW_RADIUS_MM, margin_mm=TO_BONE_EDGE_MM, fits=fits)
    return _at_place("marrow", MARROW_RADIUS_MM, place, body, pet)


def _muscle(body: Body, pet: Volume, ct: Volume | None, avoid: RoiSet | None) -> Placement:
    """Return the sphere in the muscles of the back."""
    fits = _fits("muscle", MUSCLE_RADIUS_MM, body, pet, _positions_mm(avoid))
    place = muscle_in(body, ct, radius_mm=MUSCLE_RADIUS_MM, margin_mm=TO_MUSCLE_EDGE_MM, fits=fits)
    return _at_place("muscle", MUSCLE_RADIUS_MM, place, body, pet)


def _contralateral(body: Body, pet: Volume, ct: Volume | None, avoid: RoiSet | None) -> Placement:
    """Return the sphere opposite of a lesion; grey beside white matter is uneven, so that CoV is no bar."""
    rois = () if avoid is None else avoid.rois
    largest = sorted(rois, key=lambda roi: -len(roi.voxels))  # of equal ones the first
    lesions_mm = [pet.grid.position_mm(pet.grid.index_of(roi.voxels)) for roi in largest if len(roi.voxels)]
    head = head_of(pet, ct)
    place = opposite_of(lesions_mm, head, radius_mm=BRAIN_RADIUS_MM, margin_mm=MARGIN_MM)
    return _at_place("contralateral", BRAIN_RADIUS_MM, place, body, pet, organ_ml=head.cavity_ml)


def _fits(name: str, radius_mm: float, body: Body, pet: Volume, lesions_mm: Float) -> Callable[[Place], str]:
    """Return what says why a sphere cannot be taken: a lesion nearby, or uptake that is uneven."""

    def why_not(place: Place) -> str:
        if _nearest_mm(place.centre_mm, lesions_mm) < radius_mm + MARGIN_MM:
            return "a lesion lies too near"
        uneven = _uneven(body, place.centre_mm, radius_mm)
        if not uneven <= EVEN:
            return "uptake is uneven"
        cov = _at_place(name, radius_mm, place, body, pet).cov
        return "" if cov <= MOST_COV else "uptake is uneven"

    return why_not


def _at_place(
    name: str, radius_mm: float, place: Place, body: Body, pet: Volume, *, organ_ml: float | None = None
) -> Placement:
    shape = Sphere(name=name, centre_mm=place.centre_mm, radius_mm=radius_mm)
    return _placement(shape, body, pet, edge_mm=place.edge_mm, organ_ml=organ_ml, why=place.why)


AUTOMATIC: Final[dict[str, Callable[[Body, Volume, Volume | None, RoiSet | None], Placement]]] = {
    "liver": _liver,
    "blood_pool": _blood_pool,
    "marrow": _marrow,
    "muscle": _muscle,
    "contralateral": _contralateral,
}


def _placement(
    shape: Sphere | Cylinder,
    body: Body,
    pet: Volume,
    *,
    edge_mm: float,
    organ_ml: float | None,
    why: str,
    contrast: float | None = None,
) -> Placement:
    roi, clipped = drawn(shape, pet.grid)
    if clipped:
        raise not_found("the place reaches out of the PET", of=shape.name)
    x = pet.at(roi.voxels)
    w = np.ones(len(x)) if roi.weights is None else roi.weights
    mean = float(np.average(x, weights=w))
    sd = float(np.sqrt(np.average((x - mean) ** 2, weights=w)))
    at = _index(body.grid, shape.centre_mm)
    hu = None if body.hu is None else float(body.hu[tuple(slice(n - 1, n + 2) for n in at)].mean())
    return Placement(
        shape=shape,
        roi=roi,
        mean=mean,
        sd=sd,
        cov=sd / mean if mean > 0 else float("inf"),
        edge_mm=edge_mm,
        organ_ml=organ_ml,
        contrast=contrast,
        hu=hu,
        why=why,
    )


def _uneven(body: Body, centre_mm: tuple[float, float, float], radius_mm: float) -> float:
    """Return the largest departure of the smoothed PET in a sphere from its median, as a fraction of it."""
    at = _index(body.grid, centre_mm)
    reach = int(radius_mm / body.grid.spacing_mm[0])
    box = tuple(slice(n - reach, n + reach + 1) for n in at)
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1] * body.grid.spacing_mm[0]
    x = body.pet[box][(steps**2).sum(axis=0) <= radius_mm**2]
    median = float(np.median(x))
    return float(np.abs(x / median - 1.0).max())


def _index(grid: Grid, point_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    x, y, z = (np.array(point_mm) - grid.affine[:3, 3]) / grid.spacing_mm[0]
    return round(float(z)), round(float(y)), round(float(x))


def _positions_mm(rois: RoiSet | None) -> Float:
    """(n, 3) positions of all voxels of some regions."""
    if rois is None or not rois.rois:
        return np.empty((0, 3))
    voxels = np.unique(np.concatenate([roi.voxels for roi in rois.rois]))
    return rois.grid.position_mm(rois.grid.index_of(voxels))


def _nearest_mm(point_mm: tuple[float, float, float], points_mm: Float) -> float:
    if not len(points_mm):
        return float("inf")
    return float(np.sqrt(((points_mm - np.array(point_mm)) ** 2).sum(axis=1).min()))
