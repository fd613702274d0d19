"""Crossings are where lines of an outline pass through each other: of one contour with itself, or of two.

They are said of a region, because even-odd then decides against what one may have meant; and areas are exact
only between the heights at which lines cross.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached
from petquant.polygons.outline import Outline

__all__ = ["Crossings", "crossings"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Pairs = tuple[Int, Int]

DEEP: Final = 1e-3  # voxels: less is the rounding of coordinates to decimals in a file
PAIRS_AT_A_TIME: Final = 1_000_000
MOST_PAIRS: Final = 500_000_000  # no honest contour has so many lines side by side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossings:
    """Where lines cross.

    Parameters
    ----------
    plane, y
        (n,) plane and height of every crossing.
    n_self_crossing
        Contours that cross themselves.
    n_overlapping
        Pairs of contours of which each lies partly inside the other.
    """

    plane: Int
    y: Float
    n_self_crossing: int
    n_overlapping: int


def crossings(outline: Outline) -> Crossings:
    """Return the crossings of an outline.

    Raises
    ------
    LimitReached
        When more lines lie side by side than in any honest contour.
    """
    planes, heights = [np.empty(0, np.int64)], [np.empty(0)]
    selves: set[int] = set()
    overlaps: set[tuple[int, int]] = set()
    touches: set[tuple[int, int]] = set()
    for a, b in _neighbours(outline):
        sides = _Sides.of(outline, a, b)
        crosses = sides.crosses(0.0)
        planes.append(outline.plane[a[crosses]])
        heights.append(sides.height(crosses))
        is_deep = sides.crosses(DEEP)
        one, other = outline.contour[a], outline.contour[b]
        is_same = one == other
        selves.update(one[is_deep & is_same].tolist())
        overlaps.update(_both(one, other, is_deep & ~is_same))
        touches.update(_both(one, other, sides.meets() & ~is_same))
    overlaps.update(pair for pair in touches - overlaps if _is_partial(outline, *pair))
    return Crossings(
        plane=np.concatenate(planes),
        y=np.concatenate(heights),
        n_self_crossing=len(selves),
        n_overlapping=len(overlaps),
    )


def _both(one: Int, other: Int, which: NDArray[np.bool_]) -> set[tuple[int, int]]:
    low, high = np.minimum(one, other)[which], np.maximum(one, other)[which]
    return set(zip(low.tolist(), high.tolist(), strict=True))


def _neighbours(outline: Outline) -> Iterator[Pairs]:
    """Yield pairs of lines of one plane whose boxes meet, in pieces."""
    low = np.minimum(outline.start, outline.end)
    high = np.maximum(outline.start, outline.end)
    floor = float(low[:, 1].min())
    tall = float(high[:, 1].max()) - floor + 1.0
    bottom = outline.plane * tall + (low[:, 1] - floor)
    top = outline.plane * tall + (high[:, 1] - floor) + 1e-6  # the shift of planes costs digits
    order = np.argsort(bottom, kind="stable")
    n_after = np.searchsorted(bottom[order], top[order], side="right") - np.arange(len(order)) - 1
    total = np.cumsum(n_after)
    if len(total) and total[-1] > MOST_PAIRS:
        raise LimitReached.of("SIZE_LIMIT", f"{total[-1]} pairs of lines side by side in the contours")
    start = 0
    while start < len(order):
        before = int(total[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(total, before + PAIRS_AT_A_TIME, side="right")))
        counts = n_after[start:end]
        first = np.repeat(np.arange(start, end), counts)
        offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        a, b = order[first], order[first + 1 + offset]
        is_near = (low[a, 0] <= high[b, 0]) & (low[b, 0] <= high[a, 0])
        yield a[is_near], b[is_near]
        start = end


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sides:
    """Distances (in voxels, signed) of the ends of one line from the line through the other, and back."""

    b_start: Float
    b_end: Float
    a_start: Float
    a_end: Float
    a_y: Float
    a_rise: Float

    @classmethod
    def of(cls, outline: Outline, a: Int, b: Int) -> _Sides:
        along_a, along_b = outline.end[a] - outline.start[a], outline.end[b] - outline.start[b]
        between = outline.start[b] - outline.start[a]
        long_a, long_b = np.linalg.norm(along_a, axis=1), np.linalg.norm(along_b, axis=1)
        return cls(
            b_start=_cross(along_a, between) / long_a,
            b_end=_cross(along_a, outline.end[b] - outline.start[a]) / long_a,
            a_start=_cross(along_b, -between) / long_b,
            a_end=_cross(along_b, outline.end[a] - outline.start[b]) / long_b,
            a_y=outline.start[a, 1],
            a_rise=along_a[:, 1],
        )

    def crosses(self, depth: float) -> NDArray[np.bool_]:
        """Whether each line has its ends on both sides of the other, farther off than `depth`."""
        return np.asarray(
            (self.b_start * self.b_end < 0)
            & (self.a_start * self.a_end < 0)
            & (np.minimum(np.abs(self.b_start), np.abs(self.b_end)) > depth)
            & (np.minimum(np.abs(self.a_start), np.abs(self.a_end)) > depth)
        )

    def meets(self) -> NDArray[np.bool_]:
        """Whether an end of one line lies on the line through the other."""
        ends = (self.b_start, self.b_end, self.a_start, self.a_end)
        return np.asarray(np.minimum.reduce([np.abs(end) for end in ends]) <= DEEP)

    def height(self, which: NDArray[np.bool_]) -> Float:
        """Return y of the crossings."""
        start, end = self.a_start[which], self.a_end[which]
        return np.asarray(self.a_y[which] + self.a_rise[which] * start / (start - end))


def _cross(u: Float, v: Float) -> Float:
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def _is_partial(outline: Outline, one: int, other: int) -> bool:
    """Whether two contours that touch lie partly inside each other: corners and middles of lines decide."""
    a, b = outline.of(outline.contour == one), outline.of(outline.contour == other)
    return _is_in_and_out(a, b) or _is_in_and_out(b, a)


def _is_in_and_out(of: Outline, about: Outline) -> bool:
    """Whether some places of one contour lie inside the other and some outside, not counting its edge."""
    is_in = is_out = False
    places = np.concatenate([of.start, (of.start + of.end) / 2])
    at_a_time = max(1, PAIRS_AT_A_TIME // len(about.start))
    for first in range(0, len(places), at_a_time):
        x, y = places[first : first + at_a_time, None].transpose(2, 0, 1)
        (x0, y0), (x1, y1) = about.start.T, about.end.T
        along = np.stack([x1 - x0, y1 - y0])
        t = ((x - x0) * along[0] + (y - y0) * along[1]) / (along**2).sum(axis=0)
        t = np.clip(t, 0.0, 1.0)
        off = np.hypot(x - x0 - t * along[0], y - y0 - t * along[1]).min(axis=1)
        is_spanned = (y0 <= y) != (y1 <= y)
        with np.errstate(divide="ignore", invalid="ignore"):
            x_line = x0 + (y - y0) * along[0] / along[1]
        inside = (is_spanned & (x < x_line)).sum(axis=1) % 2 == 1
        is_clear = off > DEEP
        is_in |= bool((inside & is_clear).any())
        is_out |= bool((~inside & is_clear).any())
        if is_in and is_out:
            return True
    return False
