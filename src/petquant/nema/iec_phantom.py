"""The IEC body phantom: what is where in it, as far as an analysis relies on that.

Sources: NEMA NU 2 for sphere sizes and regions; OpenGATE ``contrib/phantoms/nemaiec.py`` for the distances,
which the standard gives as 114.4 mm for the circle of the spheres (unverified).
"""

from __future__ import annotations

import math

__all__ = [
    "BACKGROUND_DISCS",
    "BACKGROUND_MM",
    "BACKGROUND_OFFSETS_MM",
    "BODY_HEIGHT_MM",
    "BODY_WIDTH_MM",
    "CLEARANCE_MM",
    "DIAMETERS_MM",
    "LUNG_DISC_MM",
    "LUNG_RADIUS_MM",
    "RING_RADIUS_MM",
    "volume_ml",
]

DIAMETERS_MM = (37.0, 28.0, 22.0, 17.0, 13.0, 10.0)  # inner diameters of the spheres
RING_RADIUS_MM = 57.27  # their centres lie on it, 60 degrees apart, in one slice
BODY_WIDTH_MM, BODY_HEIGHT_MM = 294.0, 224.0  # of the interior
LUNG_RADIUS_MM = 25.0  # outer radius of the insert, in the middle of the ring
LUNG_DISC_MM = 30.0  # diameter of the region in it
BACKGROUND_MM = 37.0  # largest region in the background
BACKGROUND_DISCS = 12  # in each slice
BACKGROUND_OFFSETS_MM = (-20.0, -10.0, 0.0, 10.0, 20.0)  # slices, from that of the spheres
CLEARANCE_MM = 15.0  # of a background region from the edge and from the spheres


def volume_ml(diameter_mm: float) -> float:
    """Return the volume of a sphere, ``pi d^3 / 6``."""
    return math.pi * diameter_mm**3 / 6000.0
