"""A region (roi) is a list of voxels with a name; a set of them may overlap.

Voxels are flat numbers (C order over ``[k, j, i]``) of the region's own grid in ascending order, so that
memory grows with the voxels of the regions and never with volume times regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid

__all__ = ["Roi", "RoiSet", "Role"]


class Role(StrEnum):
    """What a region is for."""

    LESION = "lesion"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roi:
    """One region.

    Parameters
    ----------
    roi_id
        The number in the file (label, segment number, ROINumber) or the file stem; results are joined on it.
    name
        As the user gave it; need not be unique.
    role
        Lesions are counted and summed; backgrounds are what ratios divide by.
    source
        How the region came about, in words that stand in the output.
    voxels
        (n,) int64 flat voxel numbers, ascending, without repetition.
    weights
        (n,) float64 in (0, 1], the fraction of each voxel inside; None when all are 1.
    flags
        Codes of caveats that every measurement of the region carries.
    """

    roi_id: str
    name: str
    voxels: NDArray[np.int64]
    role: Role = Role.LESION
    source: str = "label map"
    weights: NDArray[np.float64] | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiSet:
    """Regions on one grid, in the order of their file."""

    grid: Grid
    rois: tuple[Roi, ...]
