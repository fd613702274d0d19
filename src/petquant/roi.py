"""A region (roi) is a list of voxels with a name; a set of them may overlap.

Voxels are flat numbers (C order over ``[k, j, i]``) of the region's own grid in ascending order, so that
memory grows with the voxels of the regions and never with volume times regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Finding
from petquant.grid import Grid

__all__ = ["OtherGrid", "Reading", "Roi", "RoiSet", "Role", "VoxelValues", "united"]


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
    """Regions on one grid, in the order of their file, and what is to be said of the file as a whole."""

    grid: Grid
    rois: tuple[Roi, ...]
    findings: tuple[Finding, ...] = ()


class VoxelValues(StrEnum):
    """What values between 0 and 1 mean."""

    OCCUPANCY = "occupancy"  # the fraction of the voxel that is inside: a weight
    PROBABILITY = "probability"  # inside when at least the threshold


class OtherGrid(StrEnum):
    """How a region that was drawn on another grid comes onto the PET."""

    EXACT = "exact"  # by the fraction of each PET voxel that it covers
    NEAREST = "nearest"  # by the centres of the PET voxels; for comparison only


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files of regions are meant where they do not say so, and what is passed over on request.

    Parameters
    ----------
    values
        What values between 0 and 1 mean; None refuses them.
    probability_threshold
        From which probability on a voxel is inside; of DICOM SEG of probabilities too.
    frame
        Of an image with more than three axes, from 1.
    other_grid
        How regions of another grid come onto the PET.
    edge
        Of contours: ``centre`` (voxels whose centre is inside) or ``area`` (the fraction that is inside);
        None takes what fits the file.
    fills_gaps
        Whether slices between two contours that have none are filled from their neighbours.
    splits_components
        Whether every part of a lesion that is connected by faces, edges or corners on the PET is a lesion.
    ignore_frame_of_reference, ignore_patient_id
        Take a SEG or RTSTRUCT of another frame of reference or PatientID all the same, flagged.
    """

    values: VoxelValues | None = None
    probability_threshold: float = 0.5
    frame: int | None = None
    other_grid: OtherGrid = OtherGrid.EXACT
    edge: Literal["centre", "area"] | None = None
    fills_gaps: bool = False
    splits_components: bool = False
    ignore_frame_of_reference: bool = False
    ignore_patient_id: bool = False


def united(rois: Sequence[Roi]) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Return the voxels of several regions of one grid, each once with its largest weight."""
    voxels = np.concatenate([roi.voxels for roi in rois]) if rois else np.empty(0, np.int64)
    if all(roi.weights is None for roi in rois):
        return np.unique(voxels), None
    weights = np.concatenate(
        [np.ones(len(roi.voxels)) if roi.weights is None else roi.weights for roi in rois]
    )
    order = np.lexsort((-weights, voxels))
    voxels, first = np.unique(voxels[order], return_index=True)
    return voxels, weights[order][first]
