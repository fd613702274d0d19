"""A disc is a round region in one slice; a pixel weighs as the part of its area inside.

Positions are in mm along the axes of the image, ``index * spacing``, so that they hold between pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slices", "disc_mean", "disc_weights"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """Values (nk, nj, ni) with the size of their voxels along k, j, i in mm."""

    values: Float
    spacing_mm: tuple[float, float, float]

    def nearest(self, z_mm: float) -> int:
        """Return the slice whose centre is nearest to a position, which may lie outside of the image."""
        return round(z_mm / self.spacing_mm[0])


def _quarter_area(x: Float, y: Float, radius: float) -> Float:
    """Return the signed area of a disc at the origin inside the rectangle from the origin to (x, y)."""
    u, v = np.minimum(np.abs(x), radius), np.minimum(np.abs(y), radius)
    full = np.minimum(np.sqrt(radius**2 - v**2), u)  # up to there the rectangle is wholly inside
    area = v * full + _under_circle(u, radius) - _under_circle(full, radius)
    return np.asarray(np.sign(x) * np.sign(y) * area)


def _under_circle(t: Float, radius: float) -> Float:
    """Return ``integral_0^t sqrt(R^2 - u^2) du``."""
    return np.asarray(0.5 * (t * np.sqrt(radius**2 - t**2) + radius**2 * np.arcsin(t / radius)))


def disc_weights(
    shape: tuple[int, int],
    centre_mm: tuple[float, float],
    *,
    spacing_mm: tuple[float, float],
    radius_mm: float,
) -> tuple[tuple[slice, slice], Float]:
    """Return the window of rows and columns that a disc touches, and the weights of its pixels.

    Parameters
    ----------
    shape
        Rows and columns of the slice.
    centre_mm
        Position along rows (y) and columns (x).
    spacing_mm
        Pixel size along the same.
    radius_mm
        Radius.

    Returns
    -------
    Slices into the image, and (rows, columns) fractions of a pixel inside the disc. What lies outside of the
    image is cut off.
    """
    window, edges = [], []
    for count, centre, step in zip(shape, centre_mm, spacing_mm, strict=True):
        low = max(int(np.floor((centre - radius_mm) / step + 0.5)), 0)
        high = min(int(np.ceil((centre + radius_mm) / step + 0.5)), count)
        window.append(slice(low, max(high, low)))
        edges.append(np.asarray((np.arange(low, max(high, low) + 1) - 0.5) * step - centre, np.float64))
    corner = _quarter_area(edges[1][None, :], edges[0][:, None], radius_mm)
    area = corner[1:, 1:] - corner[:-1, 1:] - corner[1:, :-1] + corner[:-1, :-1]
    return (window[0], window[1]), np.asarray(np.maximum(area, 0.0) / (spacing_mm[0] * spacing_mm[1]))


def disc_mean(image: Slices, k: int, centre_mm: tuple[float, float], *, radius_mm: float) -> float:
    """Return the mean of the values in a disc of slice `k`."""
    (rows, columns), weights = disc_weights(
        (image.values.shape[1], image.values.shape[2]),
        centre_mm,
        spacing_mm=image.spacing_mm[1:],
        radius_mm=radius_mm,
    )
    return float((image.values[k, rows, columns] * weights).sum() / weights.sum())
