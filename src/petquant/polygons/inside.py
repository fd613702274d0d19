"""Inside is where a ray to the right crosses an odd number of lines of its plane: of centres, and of area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached
from petquant.polygons.crossing import Crossings
from petquant.polygons.outline import Outline

__all__ = ["Pixels", "Trapezoids", "centres_inside", "covered", "trapezoids"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MOST_STRIPS: Final = 50_000_000  # lines times heights of one region; no honest contour comes near


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """Pixels of several planes: plane, row, column, and the fraction of each that is inside."""

    plane: Int
    j: Int
    i: Int
    fraction: Float


def centres_inside(outline: Outline, rows: int, columns: int) -> Pixels:
    """Return the pixels whose centre is inside.

    A line counts for the rows ``min(y) <= Y < max(y)`` and the centres ``X < x`` to the left of it, so that
    an edge shared by two contours belongs to one side only.
    """
    lines, x_low, y_low, x_high, y_high = outline.upward()
    first = np.clip(np.ceil(y_low), 0, rows).astype(np.int64)
    stop = np.clip(np.ceil(y_high), 0, rows).astype(np.int64)
    at, row = _expanded(first, stop)
    x = x_low[at] + (row - y_low[at]) * ((x_high - x_low) / (y_high - y_low))[at]
    key = lines.plane[at] * rows + row
    order = np.lexsort((x, key))
    bounds = np.clip(np.ceil(x[order]), 0, columns).astype(np.int64)
    span, column = _expanded(bounds[::2], bounds[1::2])
    plane, j = np.divmod(key[order][::2][span], rows)
    return Pixels(plane=plane, j=j, i=column, fraction=np.ones(len(column)))


def _expanded(first: Int, stop: Int) -> tuple[Int, Int]:
    """Return the number of the range and the whole numbers of every range [first, stop)."""
    counts = np.maximum(stop - first, 0)
    at = np.repeat(np.arange(len(first)), counts)
    offset = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    return at, first[at] + offset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trapezoids:
    """The inside of an outline, cut at every corner, crossing and boundary of rows.

    Parameters
    ----------
    plane
        (n,) plane of each.
    low, high
        (n,) heights between which it lies.
    left, right
        (n, 2) x of its sides at these heights.
    """

    plane: Int
    low: Float
    high: Float
    left: Float
    right: Float

    def areas(self, n_planes: int) -> Float:
        """(n_planes,) area inside, in pixels."""
        width = (self.right - self.left).mean(axis=1)
        return np.asarray(np.bincount(self.plane, (self.high - self.low) * width, n_planes), np.float64)


def trapezoids(outline: Outline, found: Crossings, rows: int) -> Trapezoids:
    """Return the inside of an outline by even-odd as trapezoids that no line crosses.

    Raises
    ------
    LimitReached
        When lines times heights exceed what honest contours have.
    """
    lines, x_low, y_low, x_high, y_high = outline.upward()
    parts = []
    for plane in np.unique(lines.plane):
        mine = lines.plane == plane
        corners = np.concatenate([y_low[mine], y_high[mine], found.y[found.plane == plane]])
        bounds = np.arange(rows + 1) - 0.5
        heights = np.unique(
            np.concatenate([corners, bounds[(bounds > corners.min()) & (bounds < corners.max())]])
        )
        first = np.searchsorted(heights, y_low[mine])
        stop = np.searchsorted(heights, y_high[mine])
        if int((stop - first).sum()) > MOST_STRIPS:
            raise LimitReached.of("SIZE_LIMIT", "more lines side by side in a contour than can be filled")
        at, strip = _expanded(first, stop)
        slope = ((x_high - x_low) / (y_high - y_low))[mine][at]
        x0, y0 = x_low[mine][at], y_low[mine][at]
        sides = (
            x0[:, None]
            + (np.stack([heights[strip], heights[strip + 1]], axis=1) - y0[:, None]) * slope[:, None]
        )
        order = np.lexsort((sides.sum(axis=1), strip))
        strip, sides = strip[order][::2], sides[order]
        parts.append(
            (np.full(len(strip), plane), heights[strip], heights[strip + 1], sides[::2], sides[1::2])
        )
    plane, low, high, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Trapezoids(plane=plane, low=low, high=high, left=left, right=right)


def covered(shapes: Trapezoids, rows: int, columns: int) -> Pixels:
    """Return the pixels that trapezoids cover, with the exact fraction of each.

    The area of a pixel to the right of a side is added for left sides and taken off for right ones; from the
    next column on that area is the height of the side, which is summed along the row.
    """
    row = np.floor((shapes.low + shapes.high) / 2 + 0.5).astype(np.int64)
    is_in = (row >= 0) & (row < rows)
    found = []
    for plane in np.unique(shapes.plane):
        mine = np.flatnonzero(is_in & (shapes.plane == plane))
        if not len(mine):
            continue
        j0, nj = int(row[mine].min()), int(np.ptp(row[mine])) + 1
        x_min = max(0, int(np.floor(np.clip(shapes.left[mine].min(), -1, columns) + 0.5)))
        x_max = min(columns - 1, int(np.floor(np.clip(shapes.right[mine].max(), -1, columns) + 0.5)))
        if x_max < x_min:
            continue
        fraction = _fractions(shapes, mine, row[mine] - j0, i0=x_min, box=(nj, x_max - x_min + 1))
        j, i = np.nonzero(fraction)
        found.append((np.full(len(j), plane), j + j0, i + x_min, fraction[j, i]))
    if not found:
        none = np.empty(0, np.int64)
        return Pixels(plane=none, j=none, i=none, fraction=np.empty(0))
    plane, j, i, fractions = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pixels(plane=plane, j=j, i=i, fraction=fractions)


def _fractions(shapes: Trapezoids, mine: Int, row: Int, *, i0: int, box: tuple[int, int]) -> Float:
    """Return the covered fractions in the box (nj, ni) of one plane, which starts at column i0."""
    nj, ni = box
    height = (shapes.high - shapes.low)[mine]
    partly = np.zeros(nj * ni)
    wholly = np.zeros((nj, ni + 1))
    for sides, sign in ((shapes.left[mine], 1.0), (shapes.right[mine], -1.0)):
        low, high = np.asarray(sides.min(axis=1)) - i0, np.asarray(sides.max(axis=1)) - i0
        first = np.floor(np.clip(low + 0.5, 0, ni)).astype(np.int64)
        stop = np.floor(np.clip(high + 0.5, -1, ni)).astype(np.int64) + 1
        at, column = _expanded(first, np.minimum(stop, ni))
        right, left = np.asarray(column + 0.5), np.asarray(column - 0.5)
        area = _right_of(low[at], high[at], right) - _right_of(low[at], high[at], left)
        partly += sign * np.bincount(row[at] * ni + column, height[at] * area, nj * ni)
        begin = row * (ni + 1) + np.clip(stop, 0, ni)
        wholly += sign * np.bincount(begin, height, nj * (ni + 1)).reshape(nj, ni + 1)
    fraction = partly.reshape(nj, ni) + np.cumsum(wholly, axis=1)[:, :ni]
    fraction[fraction < 1e-10] = 0.0  # rounding
    fraction[fraction > 1.0 - 1e-10] = 1.0
    return np.asarray(fraction)


def _right_of(low: Float, high: Float, x: Float) -> Float:
    """Return the mean, over a side from x = `low` to `high`, of the length from it to `x`; 0 where beyond."""
    run = high - low
    part = np.clip(x - low, 0.0, run)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(run > 0, part * part / (2 * run), 0.0)
    return np.asarray(within + np.maximum(x - high, 0.0))
