"""A segmentation is the regions that were made on one study, with everything that made them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from petquant.delineation import Delineation, Level
from petquant.errors import Finding
from petquant.metrics import Reference
from petquant.metrics.intensity import HALF
from petquant.roi import Roi
from petquant.study import PetStudy

__all__ = ["Segmentation", "SegmentedRegion"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentedRegion:
    """One region.

    Parameters
    ----------
    label
        Its number, from 1.
    roi
        Its voxels, weights and flags; how it came about stands in `source`.
    threshold
        From which value on a voxel belongs, in the unit of the segmentation; None when there is no threshold.
    volume_ml
        ``v sum(w)``.
    """

    label: int
    roi: Roi
    threshold: float | None
    volume_ml: float

    def labelled(self) -> Roi:
        """Return the region as whole voxels: those at least half inside, or the heaviest when there is none.

        Flagged LABEL_MAP_HALF; a heaviest voxel that stands in, NO_VOXEL_ABOVE_HALF.
        """
        weights = self.roi.weights
        if weights is None:
            return self.roi
        is_half = weights >= HALF
        code = "LABEL_MAP_HALF" if is_half.any() else "NO_VOXEL_ABOVE_HALF"
        if not is_half.any():
            is_half[np.argmax(weights)] = True
        return replace(
            self.roi,
            voxels=self.roi.voxels[is_half],
            weights=None,
            flags=tuple(dict.fromkeys((*self.roi.flags, code))),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """The regions that were made on one study.

    Parameters
    ----------
    study
        The series, with its conversion.
    regions
        In the order of their labels, or of the search.
    delineation
        The method; None for shapes and regions that were taken as they are.
    suv_type, unit
        Of the values that the method saw; "" when none was looked at.
    reference
        The measured background.
    level
        The background as the method saw it, measured or given.
    is_split, minimum_ml, connectivity
        Whether every component is a region of its own, the smallest that was kept, what counts as connected.
    findings
        All caveats.
    """

    study: PetStudy
    regions: tuple[SegmentedRegion, ...]
    delineation: Delineation | None
    suv_type: str
    unit: str
    reference: Reference | None
    level: Level | None
    is_split: bool
    minimum_ml: float
    connectivity: int
    findings: tuple[Finding, ...]
