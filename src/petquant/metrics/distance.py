"""The largest distance between two groups of points, exact, without comparing all pairs.

The points of the pair that is farthest apart, one of group A and one of group B, are corners of the convex
hull of everything but B and of everything but A. The hull without a group differs from the hull of all only
for the groups that own a corner of it, and those are few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest_distance_mm"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FEW = 100  # points; below it every pair is cheaper than any bound
ALL_PAIRS = 1500  # points; below it every pair is cheaper than a hull
BY_GROUP = 10_000_000  # points times groups; more would take longer than a hull
ROUNDING = 1 - 1e-12  # a bound may differ from the distance that it bounds in the last bits


def largest_distance_mm(points_mm: Float, of: Int) -> float | None:
    """Return the largest distance between points of two different groups; None with fewer than two groups.

    Parameters
    ----------
    points_mm
        (n, 3) positions.
    of
        (n,) the group of each point.
    """
    n_groups = len(np.unique(of))
    if n_groups < 2:
        return None
    least = _some_distance_mm(points_mm, of)
    reach_mm = _reach_mm(points_mm, points_mm.min(axis=0), points_mm.max(axis=0))
    points_mm, of = points_mm[reach_mm >= least * ROUNDING], of[reach_mm >= least * ROUNDING]
    if FEW < len(points_mm) <= BY_GROUP / n_groups:
        reach_mm = _reach_of_others_mm(points_mm, of, least_mm=least)
        points_mm, of = points_mm[reach_mm >= least * ROUNDING], of[reach_mm >= least * ROUNDING]
    if len(points_mm) > ALL_PAIRS:
        at = _hull(points_mm, np.arange(len(points_mm)))
        for group in np.unique(of[at]):
            at = np.union1d(at, _hull(points_mm, np.flatnonzero(of != group)))
        points_mm, of = points_mm[at], of[at]
    largest = least
    for start in range(0, len(points_mm), 512):
        part = slice(start, start + 512)
        apart = points_mm[part, None] - points_mm[None]
        squared = np.where(of[part, None] != of, _squared(apart), 0.0)
        largest = max(largest, float(np.sqrt(squared.max())))
    return largest


def _reach_mm(points_mm: Float, low: Float, high: Float) -> Float:
    """Return how far each point is from the farthest corner of a box: no point in it can be farther."""
    return np.asarray(np.sqrt(_squared(np.maximum(points_mm - low, high - points_mm))))


def _reach_of_others_mm(points_mm: Float, of: Int, *, least_mm: float) -> Float:
    """Return how far each point can be from any point of another group, by the boxes of the groups.

    It is 0 for points of groups whose box is nearer than `least_mm` to the far corners of all others.
    """
    order = np.argsort(of, kind="stable")
    group, starts = np.unique(of[order], return_index=True)
    low = np.minimum.reduceat(points_mm[order], starts)
    high = np.maximum.reduceat(points_mm[order], starts)
    apart = np.sqrt(_squared(np.maximum(high - low[:, None], high[:, None] - low)))
    np.fill_diagonal(apart, 0.0)
    is_far = apart.max(axis=1) >= least_mm * ROUNDING
    reach_mm = np.zeros(len(points_mm))
    near_rim = np.isin(of, group[is_far])
    to_boxes = _reach_mm(points_mm[near_rim, None], low[is_far], high[is_far])
    to_boxes[of[near_rim, None] == group[is_far]] = 0.0
    reach_mm[near_rim] = to_boxes.max(axis=1, initial=0.0)
    return reach_mm


def _some_distance_mm(points_mm: Float, of: Int) -> float:
    """Return the distance of some pair, found by going to the farthest point of another group and back."""
    at, least = 0, 0.0
    for _ in range(4):
        apart = np.where(of != of[at], _squared(points_mm - points_mm[at]), -1.0)
        at = int(apart.argmax())
        least = max(least, float(np.sqrt(apart[at])))
    return least


def _hull(points_mm: Float, at: Int) -> Int:
    """Return those places of `at` that are corners of the convex hull; all of them when they lie flat."""
    from scipy.spatial import ConvexHull, QhullError  # noqa: PLC0415 - slow to import, rarely needed

    if len(at) < 5:
        return at
    try:
        return np.asarray(at[ConvexHull(points_mm[at]).vertices])
    except QhullError:
        return at


def _squared(apart_mm: Float) -> Float:
    """Return the squared length of vectors (..., 3); a sum over so short an axis takes five times as long."""
    x, y, z = apart_mm[..., 0], apart_mm[..., 1], apart_mm[..., 2]
    return np.asarray(x**2 + y**2 + z**2)
