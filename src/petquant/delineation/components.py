"""A component is a part of a region whose voxels touch: by faces (6), edges (18) or corners (26) too."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.roi import Roi

__all__ = ["CONNECTIVITIES", "at_least_ml", "components", "connected_to"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# connectivity: along how many axes a neighbour may differ
CONNECTIVITIES: Final = {6: 1, 18: 2, 26: 3}
DENSE: Final = 40  # times the voxels of a region: boxes below it need less memory as an image than as pairs
SLACK: Final = 1e-9  # of a volume that is compared with the smallest one allowed


def components(roi: Roi, grid: Grid, *, connectivity: int = 26, minimum_ml: float = 0.0) -> tuple[Roi, ...]:
    """Return the connected components of a region, the largest first.

    Parameters
    ----------
    roi
        A region on `grid`; every voxel with a weight belongs to its component, with its weight.
    grid
        Where its voxels lie.
    connectivity
        6 (faces), 18 (faces and edges) or 26 (faces, edges and corners).
    minimum_ml
        Components of less volume, ``v sum(w)``, are left out.

    Returns
    -------
    Regions by descending volume, of equal ones first the one that holds the first voxel in k, j, i order.
    Their ids are ``ID.1``, ``ID.2`` ..., their names ``NAME 1``, ``NAME 2`` ...
    """
    of, volume_ml = _labelled(roi, grid, connectivity)
    order = [part for part in _by_volume(volume_ml) if volume_ml[part] >= minimum_ml * (1 - SLACK)]
    by_part = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=len(volume_ml)))
    least = f", at least {minimum_ml:g} mL" if minimum_ml else ""
    found = []
    for number, part in enumerate(order, start=1):
        places = by_part[ends[part - 1] if part else 0 : ends[part]]
        found.append(
            replace(
                roi,
                roi_id=f"{roi.roi_id}.{number}",
                name=f"{roi.name} {number}",
                voxels=roi.voxels[places],
                weights=None if roi.weights is None else roi.weights[places],
                source=f"{roi.source}, {connectivity}-connected component{least}",
            )
        )
    return tuple(found)


def at_least_ml(roi: Roi, grid: Grid, *, minimum_ml: float, connectivity: int = 26) -> Roi:
    """Return a region without its components of a volume below `minimum_ml`; see `components`."""
    of, volume_ml = _labelled(roi, grid, connectivity)
    is_kept = (volume_ml >= minimum_ml * (1 - SLACK))[of]
    return replace(
        roi,
        voxels=roi.voxels[is_kept],
        weights=None if roi.weights is None else roi.weights[is_kept],
        source=f"{roi.source}, {connectivity}-connected parts of at least {minimum_ml:g} mL",
    )


def connected_to(voxel: int, voxels: Int, grid: Grid, *, connectivity: int = 26) -> Int:
    """Return those of the ascending flat `voxels` that are connected to one of them."""
    of = _parts(voxels, grid, connectivity)
    return np.asarray(voxels[of == of[np.searchsorted(voxels, voxel)]])


def _labelled(roi: Roi, grid: Grid, connectivity: int) -> tuple[Int, Float]:
    """Return the part of every voxel, numbered by first voxel, and the volume of every part in mL."""
    of = _parts(roi.voxels, grid, connectivity)
    n_parts = int(of.max()) + 1 if len(of) else 0
    weights = np.ones(len(of)) if roi.weights is None else roi.weights
    return of, np.asarray(np.bincount(of, weights, n_parts) * grid.voxel_volume_ml, np.float64)


def _by_volume(volume_ml: Float) -> list[int]:
    """Return the parts, the largest first; parts are numbered by their first voxel."""
    rounded = np.round(volume_ml, 9)  # weights that add up in another order are equal all the same
    order: list[int] = np.argsort(-rounded, kind="stable").tolist()
    return order


def _parts(voxels: Int, grid: Grid, connectivity: int) -> Int:
    """Return the number of the component of every voxel, in the order of their first voxels."""
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f"connectivity {connectivity} is none of {', '.join(map(str, CONNECTIVITIES))}")
    if not len(voxels):
        return np.empty(0, np.int64)
    index = grid.index_of(voxels)
    box = index.max(axis=0) - index.min(axis=0) + 1
    is_dense = int(np.prod(box)) < DENSE * len(voxels)
    axes = CONNECTIVITIES[connectivity]
    of = _of_box(index, axes) if is_dense else _of_list(voxels, index, grid, axes)
    _, first, of = np.unique(of, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[of])


def _of_box(index: Int, axes: int) -> Int:
    """Return a number for the component of every voxel, from an image of the box around them."""
    from scipy.ndimage import generate_binary_structure, label  # noqa: PLC0415 - as below

    at = tuple((index - index.min(axis=0)).T)
    image = np.zeros(index.max(axis=0) - index.min(axis=0) + 1, np.bool_)
    image[at] = True
    numbers, _ = label(image, generate_binary_structure(3, axes))
    return np.asarray(numbers[at], np.int64)


def _of_list(voxels: Int, index: Int, grid: Grid, axes: int) -> Int:
    """Return a number for the component of every voxel, from the pairs of neighbours among them."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - its import costs more than to read a label map
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    shape = np.array(grid.shape)
    one, other = [], []
    for step in _steps(axes):
        beside = index + step
        from_ = np.flatnonzero(((beside >= 0) & (beside < shape)).all(axis=1))
        there = voxels[from_] + (step[0] * shape[1] + step[1]) * shape[2] + step[2]
        place = np.minimum(np.searchsorted(voxels, there), len(voxels) - 1)
        is_met = voxels[place] == there
        one.append(from_[is_met])
        other.append(place[is_met])
    rows, columns = np.concatenate(one), np.concatenate(other)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(voxels), len(voxels)))
    _, of = connected_components(graph, directed=False)
    return np.asarray(of, np.int64)


def _steps(axes: int) -> list[tuple[int, int, int]]:
    """Return the neighbours that follow a voxel, differing along at most `axes` axes: half of them all."""
    steps = product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
    return [step for step in steps if step > (0, 0, 0) and np.count_nonzero(step) <= axes]
