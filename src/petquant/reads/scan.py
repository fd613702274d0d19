"""A scan with its lesions: what matching, forced reads and calls need of one tracer's scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.measurement import Measurement, Number
from petquant.metrics import Reference, measure, without_volumes
from petquant.occupancy.frame import volumes_mm3, weights_of
from petquant.reads.reader import ReaderRow
from petquant.reads.technical import Technical, uncertainties
from petquant.reads.uncertainty import Uncertainty
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["ReadScan", "centroid_mm", "volume_mm3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadScan:
    """One scan.

    Parameters
    ----------
    volume
        In SUV, or in native units when SUV was refused; every slice of it.
    suv_type
        Of the volume; ``none`` when SUV was refused.
    lesions, measurements
        Regions on the grid of the volume and their rows, in the same order.
    backgrounds, references
        Backgrounds of the ratios as regions, whole, and what ratios divide by, in the same order.
    flags
        Of the conversion; every row carries them.
    excluded
        (n,) voxels of physiologic uptake, ascending, which no forced read enters.
    places
        Region and side of lesions, by id.
    reads
        What a reader said of lesions, by the id of the region.
    technical
        What the uncertainties rest on.
    undrawn
        What the reader said of lesions that have no region on this scan, by the reader's lesion id.
    """

    volume: Volume
    suv_type: str
    lesions: tuple[Roi, ...]
    measurements: tuple[Measurement, ...]
    backgrounds: tuple[Roi, ...] = ()
    references: tuple[Reference, ...] = ()
    flags: tuple[str, ...] = ()
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reads: Mapping[str, ReaderRow] = field(default_factory=dict)
    undrawn: Mapping[str, ReaderRow] = field(default_factory=dict)
    technical: Technical = field(default_factory=Technical)

    @property
    def grid(self) -> Grid:
        """Where the voxels of the scan lie."""
        return self.volume.grid

    def place(self, roi_id: str) -> tuple[str, str]:
        """Return region and side of a lesion, the reader's before those of the labels."""
        read = self.reads.get(roi_id)
        region, side = self.places.get(roi_id, ("", ""))
        return (region, side) if read is None else (read.region or region, read.side or side)

    def uncertainties(self, roi: Roi, values: Mapping[str, Number]) -> dict[str, Uncertainty]:
        """Return the technical uncertainty of the values of a region on the grid of this scan, by column."""
        return uncertainties(self.technical, self.volume, roi, values, references=self.references)

    def measured(self, rois: list[Roi]) -> list[Measurement]:
        """Return the rows of more regions on the grid of this scan."""
        rows = measure(
            self.volume,
            rois,
            suv_type=self.suv_type,
            conversion_flags=self.flags,
            references=self.references,
        )
        return without_volumes(rows) if "SLICE_THICKNESS_MISSING" in self.flags else rows


def centroid_mm(roi: Roi, grid: Grid) -> NDArray[np.float64]:
    """Return (3,) the mean LPS position of the voxels of a region by weight."""
    points = grid.position_mm(grid.index_of(roi.voxels))
    return np.asarray(np.average(points, axis=0, weights=weights_of(roi)))


def volume_mm3(roi: Roi, grid: Grid) -> float:
    """Return the volume of a region."""
    return float((weights_of(roi) * volumes_mm3(roi.voxels, grid)).sum())
