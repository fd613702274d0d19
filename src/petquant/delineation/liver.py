"""The liver is the largest plateau of a PET on the right side of the body: much volume of nearly one value.

Its level is not asked for, so that tracers may differ; only its size, its side, its place below the lung
where a CT shows one, and that nothing else looks alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petquant.delineation.body import STEP_MM, Body, Midline
from petquant.delineation.lattice import inner_mm
from petquant.errors import PetquantError, Refused

__all__ = ["Liver", "liver_in", "places_in"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Point = tuple[float, float, float]

ML: Final = STEP_MM**3 / 1000.0
# Plateaus of two whole-body scans and of phantoms with two tracers: the liver lies at 2.6 to 5.2 times the
# median of the body, its core holds 460 to 910 mL, its centre is 0.17 to 0.22 body widths off the midline.
# What comes next (muscle, bowel, marrow) lies below twice the median, or at the midline, or holds a third.
LOWEST: Final = 2.0  # times the median of the body
HIGHEST: Final = 30.0
RATIO: Final = 1.12  # from one level to the next
BAND: Final = 1.25  # a plateau reaches from level / BAND to level * BAND
ERODED: Final = 2  # steps taken off before parts are told apart: what is thinner than 20 mm goes
LEAST_CORE_ML: Final = 200.0
VOLUME_ML: Final = (500.0, 5000.0)  # of the liver of an adult, small to much enlarged
HEIGHT_MM: Final = (70.0, 330.0)
OFF: Final = 0.08  # of the body's width: how far right of the midline the centre must lie
RIGHT_LOBE: Final = 0.1  # the same for the whole sphere
RIVAL: Final = 0.5  # of the core: a second plateau on the right this large makes it a guess
END_MM: Final = 10.0  # of the field of view: an organ that reaches there may be cut
TRUNK: Final = 0.6  # of the largest cross-section of the body
SOFT_HU: Final = (-20.0, 200.0)  # fatty liver to contrast medium
BELOW_LUNG_MM: Final = 40.0  # how far the dome may lie below the lowest right lung: breathing
APART_MM: Final = 10.0  # between two places that are tried


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Liver:
    """What was taken for the liver on the lattice of a body."""

    is_liver: Bool
    level: float
    volume_ml: float
    midline: Midline
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plateau:
    """The part of one level: its core (eroded), how much it holds and where."""

    level: float
    core: Bool
    core_ml: float
    k: slice
    midline: Midline
    off_mm: float


def liver_in(body: Body) -> Liver:
    """Return the liver.

    Raises
    ------
    Refused
        REFERENCE_NOT_FOUND, with the reason.
    """
    where, said = _where(body)
    plateaus = list(_plateaus(body, where))
    if not plateaus:
        raise not_found(
            "no large volume of even uptake lies right of the midline" + (" below the lung" if said else "")
        )
    best = max(plateaus, key=lambda one: one.core_ml)
    _require_alone(best, plateaus)
    level = float(np.median(body.pet[best.core]))
    is_band = _band(body, where, level)
    grown = ndimage.binary_dilation(best.core, iterations=ERODED + 1)
    is_liver = ndimage.binary_opening(is_band & grown, iterations=1)
    volume_ml = float(is_liver.sum()) * ML
    k, _, _ = ndimage.find_objects(is_liver.astype(np.uint8))[0] if is_liver.any() else (best.k, None, None)
    height_mm = (k.stop - k.start) * STEP_MM
    if not VOLUME_ML[0] <= volume_ml <= VOLUME_ML[1] or not HEIGHT_MM[0] <= height_mm <= HEIGHT_MM[1]:
        raise not_found(
            f"the largest even volume on the right holds {volume_ml:.0f} mL and is {height_mm:.0f} mm high",
            expected=f"a liver of {VOLUME_ML[0]:g} to {VOLUME_ML[1]:g} mL",
        )
    if k.start * STEP_MM < END_MM or (body.grid.shape[0] - k.stop) * STEP_MM < END_MM:
        raise not_found("the even volume on the right reaches the end of the field of view")
    _require_trunk(body, k)
    why = f"largest even volume on the right ({volume_ml:.0f} mL at {level:.4g})" + said
    return Liver(is_liver=is_liver, level=level, volume_ml=volume_ml, midline=best.midline, why=why)


def places_in(
    body: Body, liver: Liver, *, radius_mm: float, margin_mm: float
) -> Iterator[tuple[Point, float]]:
    """Yield the centres for a sphere in the right lobe with their distance to its edge, the deepest first.

    Parameters
    ----------
    radius_mm
        Of the sphere, which lies wholly right of the midline by `RIGHT_LOBE` of the body's width.
    margin_mm
        Between the sphere and the edge of the liver, which runs around holes as well.
    """
    depth = inner_mm(liver.is_liver, body.grid)
    midline = liver.midline
    last_x = midline.x_mm - RIGHT_LOBE * midline.width_mm - radius_mm
    columns = body.grid.affine[0, 3] + STEP_MM * np.arange(body.grid.shape[2])
    depth[:, :, columns > last_x] = 0.0
    voxels = np.flatnonzero(depth >= radius_mm + margin_mm)
    order = np.argsort(-depth.reshape(-1)[voxels].round(6), kind="stable")
    tried: list[Float] = []
    for voxel in voxels[order]:
        at = body.grid.position_mm(body.grid.index_of(voxel))
        if all(np.linalg.norm(at - other) >= APART_MM for other in tried):
            tried.append(at)
            yield (float(at[0]), float(at[1]), float(at[2])), float(depth.reshape(-1)[voxel])


def not_found(found: str, *, expected: str = "", of: str = "liver") -> PetquantError:
    """Return the refusal to place a region."""
    return Refused.of(
        "REFERENCE_NOT_FOUND",
        f"{of}: {found}",
        expected=expected,
        remedy="give a label map, or a place by hand: NAME=sphere:X,Y,Z,R",
    )


def _where(body: Body) -> tuple[Bool, str]:
    """Return where the liver may lie: in the body, and, by the CT, in soft tissue below the right lung."""
    if body.hu is None or body.is_lung is None:
        return body.is_inside, ""
    k_lung = np.flatnonzero(body.is_lung.any(axis=(1, 2)))
    if not len(k_lung):
        raise not_found("the CT shows no lung above it", expected="a CT that covers lungs and liver")
    midline = body.midline(slice(int(k_lung[0]), int(k_lung[-1]) + 1))
    is_right = body.grid.affine[0, 3] + STEP_MM * np.arange(body.grid.shape[2]) < midline.x_mm
    right = body.is_lung & is_right
    k_right = np.flatnonzero(right.any(axis=(1, 2)))
    if not len(k_right):
        raise not_found("the CT shows no lung on the right", expected="a CT that covers lungs and liver")
    centre = float(np.average(np.arange(len(right)), weights=right.sum(axis=(1, 2))))
    soft = ndimage.uniform_filter(body.hu, 3)
    where = body.is_inside & (soft > SOFT_HU[0]) & (soft < SOFT_HU[1])
    where[int(centre) + 1 :] = False
    return where, ", soft tissue below the right lung on the CT"


def _band(body: Body, where: Bool, level: float) -> Bool:
    return np.asarray((body.pet > level / BAND) & (body.pet < level * BAND) & where)


def _plateaus(body: Body, where: Bool) -> Iterator[_Plateau]:
    """Yield the largest part of every level that lies on the right."""
    n = int(np.log(HIGHEST / LOWEST) / np.log(RATIO)) + 1
    for level in body.median * LOWEST * RATIO ** np.arange(n):
        core = ndimage.binary_erosion(_band(body, where, float(level)), iterations=ERODED)
        of, _ = ndimage.label(core)
        ml = np.bincount(of.ravel()) * ML
        ml[0] = 0.0
        boxes = ndimage.find_objects(of)
        for part in np.flatnonzero(ml >= LEAST_CORE_ML):
            k = boxes[part - 1][0]
            is_part = of == part
            midline = body.midline(k)
            i = float(np.average(np.arange(is_part.shape[2]), weights=is_part.sum(axis=(0, 1))))
            off_mm = body.x_mm(i) - midline.x_mm
            if off_mm <= -OFF * midline.width_mm and _is_below_lung(body, k, midline):
                yield _Plateau(
                    level=float(level),
                    core=is_part,
                    core_ml=float(ml[part]),
                    k=k,
                    midline=midline,
                    off_mm=off_mm,
                )


def _is_below_lung(body: Body, k: slice, midline: Midline) -> bool:
    """Whether the top of a part lies where the right lung ends; true without a CT."""
    if body.is_lung is None:
        return True
    is_right = body.grid.affine[0, 3] + STEP_MM * np.arange(body.grid.shape[2]) < midline.x_mm
    lowest = np.flatnonzero((body.is_lung & is_right).any(axis=(1, 2)))
    return bool(len(lowest)) and (lowest[0] - k.stop) * STEP_MM <= BELOW_LUNG_MM


def _require_alone(best: _Plateau, plateaus: list[_Plateau]) -> None:
    """Raise when another plateau on the right is half as large."""
    for other in plateaus:
        if other.core_ml >= RIVAL * best.core_ml and not (other.core & best.core).any():
            raise not_found(
                f"two even volumes lie on the right, cores of {best.core_ml:.0f} and {other.core_ml:.0f} mL",
                expected="one",
            )


def _require_trunk(body: Body, k: slice) -> None:
    """Raise when the body is narrow at a plateau: a limb is no trunk."""
    area = body.is_inside.sum(axis=(1, 2))
    middle = int(area[k].mean())
    if middle < TRUNK * area.max():
        raise not_found("the even volume on the right does not lie in the trunk")
