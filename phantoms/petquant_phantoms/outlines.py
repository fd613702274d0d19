"""An outline is the closed polygon round voxels of one slice: corners half-way between voxel centres.

Filling the outlines of a mask by voxel centres, even-odd, gives back the mask; filling them by area gives
weights of 0 and 1. Corners are (x, y) in voxels: x along the columns, y along the rows, centres at integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Corner = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the outlines of the voxels of a slice.

    Parameters
    ----------
    mask
        Voxels [j, i].

    Returns
    -------
    list of (n, 2) arrays
        Corners (x, y); outer ones clockwise as the image is seen, holes anticlockwise. Voxels that touch at
        a corner alone have outlines of their own, so that none crosses itself.
    """
    ahead = _edges(mask)
    found = []
    while ahead:
        start = min(ahead)
        path = [start, ahead[start].pop()]
        while path[-1] != start:
            path.append(_next(path, ahead[path[-1]]))
        for corner in set(path):
            if not ahead[corner]:
                del ahead[corner]
        found.append(_turns(np.array(path[:-1], dtype=np.float64)) - 0.5)
    return found


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Return every side between inside and outside, from corner to corner, with the inside on its right."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    ahead: dict[Corner, list[Corner]] = {}
    for neighbour, (from_x, from_y), (to_x, to_y) in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # the row above
        (padded[1:-1, 2:], (1, 0), (1, 1)),  # the column after
        (padded[2:, 1:-1], (1, 1), (0, 1)),  # the row below
        (padded[1:-1, :-2], (0, 1), (0, 0)),  # the column before
    ):
        for j, i in np.argwhere(inside & ~neighbour).tolist():
            ahead.setdefault((i + from_x, j + from_y), []).append((i + to_x, j + to_y))
    return ahead


def _next(path: list[Corner], ends: list[Corner]) -> Corner:
    """Take the way on: where two voxels touch at a corner, the turn that stays with the voxel."""
    if len(ends) == 1:
        return ends.pop()
    (x0, y0), (x, y) = path[-2:]
    rightmost = max(ends, key=lambda end: (x - x0) * (end[1] - y) - (y - y0) * (end[0] - x))
    ends.remove(rightmost)
    return rightmost


def _turns(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners at which a closed path of unit steps turns."""
    step_in, step_out = path - np.roll(path, 1, axis=0), np.roll(path, -1, axis=0) - path
    return np.asarray(path[(step_in != step_out).any(axis=1)])
