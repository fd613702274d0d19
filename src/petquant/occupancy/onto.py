"""Regions on the PET grid with the weights of their voxels, and what is to be said of their way there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from petquant.errors import Finding, Refused
from petquant.grid import Grid
from petquant.occupancy.aligned import by_axis
from petquant.occupancy.frame import Covered, Frame, extent_mm, extent_words
from petquant.occupancy.nearest import by_centre
from petquant.occupancy.oblique import by_boxes
from petquant.roi import Roi

__all__ = ["nearest_onto", "onto"]

NOTHING: Final = 1e-10  # of a voxel: rounding, not overlap
LOST: Final = 1e-9  # of a region's volume: rounding, not a cut


def onto(rois: Sequence[Roi], grid: Grid, *, from_grid: Grid) -> tuple[tuple[Roi, ...], tuple[Finding, ...]]:
    """Return regions of another grid on the PET grid, each voxel with the fraction of it that is covered.

    ``w = sum over region voxels of overlap(box, PET box) / PET box``, which keeps the volume of the region:
    to 1e-9 on grids with parallel axes, whatever their order and direction, to 1e-3 on oblique ones.

    Parameters
    ----------
    rois
        On `from_grid`; fractional weights are carried along.
    grid
        The PET grid; the boundaries of slices with uneven steps lie midway between their centres.
    from_grid
        The grid on which the regions were drawn.

    Returns
    -------
    The regions with the flag ROI_ON_OTHER_GRID, and ROI_CLIPPED_BY_FOV where a part of them lies outside; one
    finding for the grid and one for every cut region, with the fraction of its volume that is lost.

    Raises
    ------
    Refused
        ROI_OUTSIDE_FOV, of every region that lies wholly outside; ROI_EMPTY.
    """
    frame = Frame.between(from_grid, grid)
    if frame.order is not None:
        covered, how = by_axis(rois, frame), "exact box overlap"
    else:
        covered, how = (by_boxes(roi, frame) for roi in rois), "box overlap, oblique"
    return _placed(rois, covered, grid, from_grid, how=how, flags=("ROI_ON_OTHER_GRID",))


def nearest_onto(
    rois: Sequence[Roi], grid: Grid, *, from_grid: Grid
) -> tuple[tuple[Roi, ...], tuple[Finding, ...]]:
    """Return regions of another grid on the PET grid by the nearest voxel, for comparison only.

    A PET voxel belongs to a region when its centre lies in a voxel of it. Volume is not kept.

    Raises
    ------
    Refused
        As `onto`; ROI_EMPTY also when no centre of a PET voxel lies in a region.
    """
    frame = Frame.between(from_grid, grid)
    covered = (by_centre(roi, frame) for roi in rois)
    flags = ("ROI_ON_OTHER_GRID", "ROI_NEAREST")
    return _placed(rois, covered, grid, from_grid, how="nearest voxel", flags=flags)


def _placed(
    rois: Sequence[Roi],
    covered: Iterator[Covered],
    grid: Grid,
    from_grid: Grid,
    *,
    how: str,
    flags: tuple[str, ...],
) -> tuple[tuple[Roi, ...], tuple[Finding, ...]]:
    """Return the regions with what they cover, and the findings; refuse all that cover nothing at once."""
    placed, refusals = [], []
    difference = grid.difference(from_grid) if rois else ""
    findings = [Finding(code=code, found=f"{how}: {difference}") for code in flags if rois]
    for roi, one in zip(rois, covered, strict=True):
        where = f"region {roi.roi_id} ({roi.name})"
        is_some = one.weights > NOTHING
        voxels, weights = one.voxels[is_some], one.weights[is_some]
        if not len(voxels):
            refusals.append(_covers_nothing(roi, one, grid, from_grid, where))
            continue
        weights = np.where(weights >= 1.0 - NOTHING, 1.0, weights)
        own = flags
        if one.lost > LOST:
            own = (*flags, "ROI_CLIPPED_BY_FOV")
            found = f"{one.lost:.4g} of the region's volume lies outside the PET and was cut off"
            findings.append(Finding(code="ROI_CLIPPED_BY_FOV", found=found, where=where))
        placed.append(
            replace(
                roi,
                voxels=voxels,
                weights=None if (weights == 1.0).all() else weights,
                flags=tuple(dict.fromkeys((*roi.flags, *own))),
                source=f"{roi.source}, {how}",
            )
        )
    if refusals:
        raise Refused.because(*dict.fromkeys(refusals))
    return tuple(placed), tuple(findings)


def _covers_nothing(roi: Roi, one: Covered, grid: Grid, from_grid: Grid, where: str) -> Finding:
    if not len(roi.voxels):
        return Finding(code="ROI_EMPTY", found="no voxel is labelled", where=where)
    if one.lost < 0.5:
        return Finding(
            code="ROI_EMPTY",
            found="the centre of no PET voxel lies in the region",
            remedy="take exact overlap instead of the nearest voxel",
            where=where,
        )
    mine, theirs = extent_mm(grid), extent_mm(from_grid)
    if (theirs[1] <= mine[0]).any() or (theirs[0] >= mine[1]).any():
        return Finding(
            code="ROI_OUTSIDE_FOV",
            found=f"the grid of the regions ({extent_words(theirs)}) does not meet the PET "
            f"({extent_words(mine)})",
            expected="regions of this scan",
        )
    return Finding(
        code="ROI_OUTSIDE_FOV",
        found=f"the region lies wholly outside the PET ({extent_words(mine)})",
        expected="a region inside the field of view",
        where=where,
    )
