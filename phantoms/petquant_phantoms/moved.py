"""A moved shape is one that lies elsewhere: turned and shifted with the patient, its blur unchanged.

A rigid motion takes a point p to ``R p + t``, LPS in mm. A Gaussian that is the same in all directions stays
itself when it is turned, so that the field of the moved shape at q is that of the shape at ``R^T (q - t)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Shape
    from petquant_phantoms.image_grid import Vector

Rows = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
UNTURNED: Rows = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidMotion:
    """A turn about the origin, then a shift."""

    rotation: Rows = UNTURNED
    shift_mm: Vector = (0.0, 0.0, 0.0)

    @classmethod
    def about(cls, axis: Vector, *, degrees: float, shift_mm: Vector) -> Self:
        """Return a turn about an axis through the origin, right-handed, then a shift.

        Notes
        -----
        Rodrigues: ``R = cos(a) I + sin(a) [n]x + (1 - cos(a)) n n^T``, n the unit vector of the axis.
        """
        n = np.array(axis) / math.hypot(*axis)
        crossed = np.array([[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]])
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = cos * np.eye(3) + sin * crossed + (1.0 - cos) * np.outer(n, n)
        a, b, c = ((float(row[0]), float(row[1]), float(row[2])) for row in turn)
        return cls(rotation=(a, b, c), shift_mm=shift_mm)

    @property
    def matrix(self) -> list[list[float]]:
        """The motion as a 4 x 4 matrix of homogeneous points."""
        rows = [[*row, t] for row, t in zip(self.rotation, self.shift_mm, strict=True)]
        return [*rows, [0.0, 0.0, 0.0, 1.0]]

    def point(self, point_mm: Vector) -> Vector:
        """Return where a point comes to lie."""
        x, y, z = (np.array(self.rotation) @ np.array(point_mm) + np.array(self.shift_mm)).tolist()
        return (x, y, z)

    def back(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points (..., 3) came from."""
        from_shift = points_mm - np.array(self.shift_mm)
        return np.asarray(from_shift if self.rotation == UNTURNED else from_shift @ np.array(self.rotation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A shape after a rigid motion."""

    shape: Shape
    motion: RigidMotion

    @property
    def centre_mm(self) -> Vector:
        """Where the centre of the shape comes to lie."""
        return self.motion.point(self.shape.centre_mm)

    @property
    def volume_ml(self) -> float:
        """Volume, that of the shape."""
        return self.shape.volume_ml

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return self.shape.outer_radius_mm

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        return self.shape.field(self.motion.back(points_mm), fwhm_mm=fwhm_mm)
