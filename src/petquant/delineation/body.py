"""The body on a lattice: where it is, its midline, and, where there is a CT, its lungs and its spine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petquant.delineation.lattice import lattice, part_of, sampled, smoothed
from petquant.grid import Grid
from petquant.volume import Volume

__all__ = ["Body", "Midline", "body_of", "largest_part"]

Single = NDArray[np.float32]
Bool = NDArray[np.bool_]

STEP_MM: Final = 5.0
SMOOTHED_MM: Final = 10.0  # FWHM of the filter on the PET: organs stay, the noise of whole-body scans goes
BODY: Final = 0.35  # of the median of what holds more than the mean over the field of view: skin and lung
SKIN_HU: Final = -300.0
LUNG_HU: Final = -400.0  # between lung (-900 to -500) and fat (-100)
LEAST_LUNG_ML: Final = 300.0  # of one lung; trachea and bowel gas hold less
AIR_HU: Final = -1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Midline:
    """The middle of the body from left to right and its width, x in mm LPS, over some slices."""

    x_mm: float
    width_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """PET and CT on one lattice that ends where the body does.

    Parameters
    ----------
    grid
        The lattice, `STEP_MM` apart.
    pet
        Values in the unit of the PET, smoothed to be looked at.
    is_inside
        What belongs to the body, lungs included.
    median
        Of the PET in the body.
    hu
        The CT, -1000 outside of it; None without a CT.
    is_lung
        Air in the body in parts of at least `LEAST_LUNG_ML`; None without a CT.
    """

    grid: Grid
    pet: Single
    is_inside: Bool
    median: float
    hu: Single | None = None
    is_lung: Bool | None = None

    def x_mm(self, i: float) -> float:
        """Return the x of a column."""
        return float(self.grid.affine[0, 3] + i * STEP_MM)

    def z_mm(self, k: float) -> float:
        """Return the z of a slice."""
        return float(self.grid.affine[2, 3] + k * STEP_MM)

    def midline(self, k: slice) -> Midline:
        """Return the midline: the median over slices of the middle between the first and last column."""
        rows = np.asarray(self.is_inside[k].any(axis=1))
        across = rows[np.asarray(rows.any(axis=1))]
        first = across.argmax(axis=1)
        last = across.shape[1] - 1 - across[:, ::-1].argmax(axis=1)
        return Midline(
            x_mm=self.x_mm(float(np.median(first + last)) / 2),
            width_mm=float(np.median(last - first + 1)) * STEP_MM,
        )


def body_of(pet: Volume, ct: Volume | None) -> Body | None:
    """Return the body on a lattice; None when the PET holds nothing."""
    corners = pet.grid.corners_mm()
    grid = lattice(corners.min(axis=0), corners.max(axis=0), STEP_MM)
    values = smoothed(sampled(pet, grid, outside=0.0), grid, SMOOTHED_MM)
    mean = float(values.mean())
    if not mean > 0:
        return None
    floor = BODY * float(np.median(values[values > mean]))
    is_inside = largest_part(values > floor)
    box = ndimage.find_objects(is_inside.astype(np.uint8))[0]
    grid, values, is_inside = part_of(grid, box), values[box], _filled(is_inside[box])
    hu = is_lung = None
    if ct is not None:
        hu = sampled(ct, grid, outside=AIR_HU)
        is_inside = _filled(largest_part(hu > SKIN_HU))
        is_lung = _lungs(hu, is_inside)
    return Body(
        grid=grid,
        pet=values,
        is_inside=is_inside,
        median=float(np.median(values[is_inside])) if is_inside.any() else 0.0,
        hu=hu,
        is_lung=is_lung,
    )


def largest_part(is_in: Bool) -> Bool:
    """Return the largest part that is connected by faces."""
    of, n = ndimage.label(is_in)
    if n < 2:
        return is_in
    size = np.bincount(of.ravel())
    size[0] = 0
    return np.asarray(of == size.argmax())


def _filled(is_in: Bool) -> Bool:
    """Return a mask with the holes of every slice filled."""
    return np.stack([ndimage.binary_fill_holes(one) for one in is_in])


def _lungs(hu: Single, is_inside: Bool) -> Bool:
    of, _ = ndimage.label((hu < LUNG_HU) & is_inside)
    ml = np.bincount(of.ravel()) * STEP_MM**3 / 1000.0
    ml[0] = 0.0
    return np.asarray((ml >= LEAST_LUNG_ML)[of])
