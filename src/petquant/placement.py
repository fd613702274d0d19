"""Placement brings the regions of a file onto the PET grid; the PET stays as it is.

A grid that holds voxels of the PET, turned, reversed or cut out, gives the same voxels; any other one gives
occupancy weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Finding
from petquant.grid import SNAP_FRACTION, AxisMap, Grid
from petquant.roi import OtherGrid, Roi, RoiSet

__all__ = ["place"]

Int = NDArray[np.int64]

SAME_STEP = 1e-3  # relative: spacings along an axis that has one voxel alone, where corners say nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cutout:
    """A grid whose voxels are voxels of the PET: how its axes run, and which PET voxel is its first."""

    axes: AxisMap
    start: tuple[int, int, int]


def place(found: RoiSet, *, onto: Grid, other_grid: OtherGrid = OtherGrid.EXACT) -> RoiSet:
    """Return the regions of a file on the PET grid, with what is to be said of the way there.

    Parameters
    ----------
    found
        Regions on their own grid; those without a voxel pass through.
    onto
        The PET grid.
    other_grid
        How a region of another grid comes onto the PET.

    Returns
    -------
    Regions whose voxels were taken as the PET's with an offset carry ROI_GRID_SNAPPED, and the finding says
    the offset in mm; those of another grid carry the flags of `petquant.occupancy`.

    Raises
    ------
    Refused
        ROI_OUTSIDE_FOV.
    """
    if found.grid is onto:
        return found
    axes = onto.axes_of(found.grid)
    same = None if axes is None else _Cutout(axes=axes, start=(0, 0, 0))
    same = same or _cutout_of(onto, found.grid)
    moved = None if same is None else _moved(found.rois, same, found.grid, onto)
    if same is None or moved is None:
        from petquant.occupancy import nearest_onto  # noqa: PLC0415 - most regions lie on the PET's own voxels
        from petquant.occupancy import onto as by_occupancy  # noqa: PLC0415

        filled = [roi for roi in found.rois if len(roi.voxels)]
        method = by_occupancy if other_grid is OtherGrid.EXACT else nearest_onto
        placed, said = method(filled, onto, from_grid=found.grid) if filled else ((), ())
        empty = tuple(roi for roi in found.rois if not len(roi.voxels))
        return RoiSet(grid=onto, rois=(*placed, *empty), findings=(*found.findings, *said))
    remarks: list[Finding] = []
    if axes is None:
        remarks.append(
            Finding(
                code="ROI_ON_OTHER_GRID",
                found=f"a part of the PET's voxels: {onto.difference(found.grid)}",
                expected="the whole grid of the PET",
            )
        )
    if onto.is_snapped(same.axes):
        remarks.append(
            Finding(
                code="ROI_GRID_SNAPPED",
                found=f"voxels lie up to {same.axes.offset_mm:.3g} mm off those of the PET",
            )
        )
    codes = tuple(finding.code for finding in remarks)
    return RoiSet(
        grid=onto,
        rois=tuple(replace(roi, flags=tuple(dict.fromkeys((*roi.flags, *codes)))) for roi in moved),
        findings=(*found.findings, *remarks),
    )


def _cutout_of(onto: Grid, other: Grid) -> _Cutout | None:
    """Return how the voxels of `other` are voxels of `onto`; None when they are not, or steps are uneven."""
    if onto.slice_positions_mm is not None or other.slice_positions_mm is not None:
        return None
    limit_mm = SNAP_FRACTION * min(onto.spacing_mm)
    spacing = np.array(onto.spacing_mm)
    corners = np.linalg.solve(onto.affine[:3, :3], (other.corners_mm() - onto.affine[:3, 3]).T).T
    theirs = corners.reshape(2, 2, 2, 3)
    best: _Cutout | None = None
    for order in permutations(range(3)):
        shape = np.array([other.shape[axis] for axis in order])
        if not np.allclose([other.spacing_mm[axis] for axis in order], spacing, rtol=SAME_STEP):
            continue
        for back in product((False, True), repeat=3):
            turned = theirs.transpose(*order, 3)[
                tuple(slice(None, None, -1) if flip else slice(None) for flip in back)
            ]
            start = np.rint(turned[0, 0, 0])
            expected = start + np.array(list(product((0, 1), repeat=3))).reshape(2, 2, 2, 3) * (shape - 1)
            offset_mm = float(np.linalg.norm((turned - expected) * spacing, axis=-1).max())
            if offset_mm <= limit_mm and (best is None or offset_mm < best.axes.offset_mm):
                axes = AxisMap(
                    order=(order[0], order[1], order[2]),
                    reversed=(back[0], back[1], back[2]),
                    offset_mm=offset_mm,
                )
                best = _Cutout(axes=axes, start=(int(start[0]), int(start[1]), int(start[2])))
    return best


def _moved(rois: Sequence[Roi], cutout: _Cutout, of: Grid, onto: Grid) -> tuple[Roi, ...] | None:
    """Return the regions by voxel numbers of the PET, ascending; None when one has voxels outside."""
    axes = cutout.axes
    if of.shape == onto.shape and axes.order == (0, 1, 2) and not any((*axes.reversed, *cutout.start)):
        return tuple(rois)
    moved = []
    for roi in rois:
        theirs = np.unravel_index(roi.voxels, of.shape)
        mine = [
            first + (of.shape[axis] - 1 - theirs[axis] if back else theirs[axis])
            for axis, back, first in zip(axes.order, axes.reversed, cutout.start, strict=True)
        ]
        if len(roi.voxels) and any(
            at.min() < 0 or at.max() >= n for at, n in zip(mine, onto.shape, strict=True)
        ):
            return None
        voxels: Int = np.ravel_multi_index((mine[0], mine[1], mine[2]), onto.shape).astype(np.int64)
        if roi.weights is None:
            moved.append(replace(roi, voxels=np.sort(voxels)))
        else:
            order = np.argsort(voxels)
            moved.append(replace(roi, voxels=voxels[order], weights=roi.weights[order]))
    return tuple(moved)
