"""The background of the IEC phantom: sixty discs on five slices, clear of the edge and of the spheres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused
from petquant.nema.discs import Slices, disc_mean
from petquant.nema.iec_phantom import (
    BACKGROUND_DISCS,
    BACKGROUND_MM,
    BACKGROUND_OFFSETS_MM,
    CLEARANCE_MM,
    LUNG_RADIUS_MM,
)
from petquant.nema.spheres import Body, FittedSphere

__all__ = ["Background", "Discs", "place_discs"]

Float = NDArray[np.float64]

RADIUS_MM = 0.5 * BACKGROUND_MM
LEAST_MM = 5.0  # clearance from the spheres below which no disc is placed
APART_MM = 0.6 * BACKGROUND_MM  # between the centres of two discs, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Mean and standard deviation (K - 1) of the means of all discs of one diameter."""

    mean: float
    sd: float

    @property
    def variability_percent(self) -> float:
        """Background variability N, ``SD / C_B 100``."""
        return 100.0 * self.sd / self.mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Discs:
    """Where the background is measured.

    Parameters
    ----------
    slices
        Slice numbers, from 0.
    centres_mm
        Positions along rows and columns in mm, the same in every slice.
    clearance_mm
        Distance of the largest discs from the nearest sphere or insert, as achieved.
    """

    slices: tuple[int, ...]
    centres_mm: tuple[tuple[float, float], ...]
    clearance_mm: float

    def measured(self, image: Slices, *, diameter_mm: float) -> Background:
        """Return the background in discs of a diameter, concentric with the largest."""
        means = np.array(
            [
                disc_mean(image, k, centre, radius_mm=0.5 * diameter_mm)
                for k in self.slices
                for centre in self.centres_mm
            ]
        )
        return Background(mean=float(means.mean()), sd=float(means.std(ddof=1)))


def place_discs(image: Slices, body: Body, spheres: Sequence[FittedSphere]) -> Discs:
    """Return twelve discs of 37 mm, as far apart as they will go, on the slices of the standard.

    They keep 15 mm from the edge of the body. From spheres and the insert in the middle they keep 15 mm where
    twelve discs have room; otherwise the largest clearance that leaves it, which the result states.

    Raises
    ------
    Refused
        NEMA_PHANTOM_NOT_FOUND, when slices 2 cm beside the spheres lie outside of the image, or there is no
        room for twelve discs.
    """
    from scipy.ndimage import binary_fill_holes, distance_transform_edt  # noqa: PLC0415 - slow to import

    z_mm = float(np.median([sphere.centre_mm[0] for sphere in spheres]))
    slices = tuple(image.nearest(z_mm + offset) for offset in BACKGROUND_OFFSETS_MM)
    if min(slices) < 0 or max(slices) >= len(image.values):
        raise Refused.of(
            "NEMA_PHANTOM_NOT_FOUND",
            "the image ends less than 2 cm beside the plane of the spheres",
            expected="background discs at 0, 1 and 2 cm on both sides",
            remedy="scan a longer range",
        )
    inside = np.logical_and.reduce([binary_fill_holes(body.is_inside[k]) for k in slices])
    # distances are to the centre of the first pixel outside, half a pixel beyond the edge
    from_edge = distance_transform_edt(np.pad(inside, 1), sampling=image.spacing_mm[1:])[1:-1, 1:-1]
    from_edge = from_edge - 0.5 * max(image.spacing_mm[1:])
    at = np.argwhere(from_edge >= RADIUS_MM + CLEARANCE_MM) * np.array(image.spacing_mm[1:])
    clearance = np.min(
        [
            np.hypot(at[:, 0] - sphere.centre_mm[1], at[:, 1] - sphere.centre_mm[2])
            - 0.5 * sphere.diameter_mm
            for sphere in spheres
        ]
        + [np.hypot(at[:, 0] - body.middle_mm[0], at[:, 1] - body.middle_mm[1]) - LUNG_RADIUS_MM],
        axis=0,
    )
    for least in np.arange(CLEARANCE_MM, LEAST_MM - 0.5, -1.0):
        is_free = clearance >= RADIUS_MM + least
        chosen = _far_apart(at[is_free], body.middle_mm)
        if chosen is not None:
            achieved = float(clearance[is_free][chosen].min()) - RADIUS_MM
            centres = tuple((float(y), float(x)) for y, x in at[is_free][chosen])
            return Discs(slices=slices, centres_mm=centres, clearance_mm=achieved)
    raise Refused.of(
        "NEMA_PHANTOM_NOT_FOUND",
        f"no room for {BACKGROUND_DISCS} background discs of {BACKGROUND_MM:.0f} mm",
        expected=f"{CLEARANCE_MM:.0f} mm to the edge and {LEAST_MM:.0f} mm to the spheres",
    )


def _far_apart(at: Float, middle_mm: tuple[float, float]) -> NDArray[np.int64] | None:
    """Return twelve places that are far apart, in the order of their choice; None when two come too near."""
    if len(at) < BACKGROUND_DISCS:
        return None
    first = int(np.hypot(at[:, 0] - middle_mm[0], at[:, 1] - middle_mm[1]).argmax())
    chosen = [first]
    nearest = np.hypot(*(at - at[first]).T)
    while len(chosen) < BACKGROUND_DISCS:
        place = int(nearest.argmax())
        if nearest[place] < APART_MM:
            return None
        chosen.append(place)
        nearest = np.minimum(nearest, np.hypot(*(at - at[place]).T))
    return np.array(chosen)
