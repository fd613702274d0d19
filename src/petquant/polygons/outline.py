"""An outline is the closed contours of one region as directed lines in the index plane of the PET.

x runs along i, y along j, in voxels from the centre of voxel 0. Every line knows its plane and its contour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outline", "cleaned", "outline_of"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

DECIMALS: Final = 7  # of a voxel: what an affine adds to coordinates is rounding, not position
FLAT: Final = 1e-6  # voxels: a contour narrower than this has no area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """Lines of one region, none of them of length 0.

    Parameters
    ----------
    start, end
        (n, 2) x, y of their ends.
    plane, contour
        (n,) numbers of plane and contour, contours in the order of planes.
    """

    start: Float
    end: Float
    plane: Int
    contour: Int

    def of(self, which: NDArray[np.bool_] | Int) -> Outline:
        """Return some of the lines."""
        return Outline(
            start=self.start[which],
            end=self.end[which],
            plane=self.plane[which],
            contour=self.contour[which],
        )

    def upward(self) -> tuple[Outline, Float, Float, Float, Float]:
        """Return the lines that are not level with y ascending: they, lower x, lower y, upper x, upper y.

        A line shared by two contours gives the same numbers, whatever its direction in each.
        """
        lines = self.of(self.start[:, 1] != self.end[:, 1])
        is_up = (lines.start[:, 1] < lines.end[:, 1])[:, None]
        low = np.where(is_up, lines.start, lines.end)
        high = np.where(is_up, lines.end, lines.start)
        return lines, low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def cleaned(points: Float) -> Float | None:
    """Return the corners (m, 2) of a contour without repetition, or None when it encloses no area."""
    points = np.round(points, DECIMALS) + 0.0  # -0.0 is 0.0
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if len(points) < 3:
        return None
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return points if spread[1] > FLAT else None


def outline_of(contours: Sequence[Float], planes: Sequence[int]) -> tuple[Outline, int]:
    """Return the outline of cleaned contours, each once a plane, and how many copies were dropped.

    A copy has the same corners in the same order, from any start and in either direction.
    """
    seen: set[tuple[int, bytes]] = set()
    kept: list[tuple[int, Float]] = []
    for plane, points in sorted(zip(planes, contours, strict=True), key=lambda pair: pair[0]):
        key = (plane, _canonical(points))
        if key not in seen:
            seen.add(key)
            kept.append((plane, points))
    sizes = [len(points) for _, points in kept]
    outline = Outline(
        start=np.concatenate([points for _, points in kept]),
        end=np.concatenate([np.roll(points, -1, axis=0) for _, points in kept]),
        plane=np.repeat([plane for plane, _ in kept], sizes),
        contour=np.repeat(np.arange(len(kept)), sizes),
    )
    return outline, len(contours) - len(kept)


def _canonical(points: Float) -> bytes:
    """Return bytes that are equal for the same corners in the same order, whatever start and direction."""
    points = np.round(points, 5) + 0.0
    forms = []
    for ring in (points, points[::-1]):
        first = int(np.lexsort((ring[:, 1], ring[:, 0]))[0])
        forms.append(np.roll(ring, -first, axis=0).tobytes())
    return min(forms)
