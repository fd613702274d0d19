"""A scan view is what a picture of a scan needs once its voxels are gone: maxima along lines, and shadows.

It is small, so that it can come from the process that measured the scan. Which values are shown is decided
later, when all scans of the tracer are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from petquant.comparison import SessionPairs
from petquant.export.report.lights import Light
from petquant.export.report.oriented import Orientation, orientation_of
from petquant.export.report.projections import ACROSS_AXIS, DEPTH_AXIS
from petquant.export.report.shown import counted
from petquant.reads.pair import LesionPair
from petquant.reads.pairing import forced_regions
from petquant.reads.scan import ReadScan
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["PairViews", "ScanView", "SeenRegion", "Shown", "pair_views"]

Float = NDArray[np.float64]
Levels = NDArray[np.uint16]
Pixels = NDArray[np.int32]
Side = Literal["a", "b"]

MOST_LEVEL: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenRegion:
    """The shadow of a region.

    Parameters
    ----------
    name
        Of the region.
    place
        Of its pair among the pairs; None for a reference region.
    is_forced
        Whether the other scan shows the lesion, and it was measured here where it lies there.
    pixels
        View to (n, 2) indices along z and across.
    """

    name: str
    place: int | None
    is_forced: bool
    pixels: Mapping[str, Pixels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanView:
    """One scan, seen from the front and from the left.

    Parameters
    ----------
    suv_type, unit
        Of the values; ``none`` when SUV was refused.
    largest
        Value of level 65535; level 0 is 0, negative values too.
    maxima
        View to levels [z, across], ascending along the patient's axes.
    edges_mm
        Boundaries of the voxels along z, y, x.
    regions
        Lesions in the order of the pairs, then references.
    reference_mean
        Of the first reference region; None without one.
    """

    suv_type: str
    unit: str
    largest: float
    maxima: Mapping[str, Levels]
    edges_mm: tuple[Float, Float, Float]
    regions: tuple[SeenRegion, ...]
    reference_mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairViews:
    """Two scans of a patient.

    Parameters
    ----------
    scans
        a and b, each on its own grid.
    offset_z_mm
        How much higher than in a the middle of a lies in b; None when the frames were not registered.
    """

    scans: tuple[ScanView, ScanView]
    offset_z_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """What a report shows of a comparison beyond its numbers.

    Parameters
    ----------
    lights
        Of every scan of the comparison, in order; none of a refused one.
    views
        Of every pair of scans (`Comparison.sessions`), in order; None of a refused one.
    """

    lights: tuple[tuple[Light, ...], ...]
    views: tuple[PairViews | None, ...]


def pair_views(a: ReadScan, b: ReadScan, found: SessionPairs) -> PairViews:
    """Return the views of two scans with the regions that their pairs were measured in."""
    pairs, registration = found.pairs, found.registration
    on_a, on_b = forced_regions(a, b, pairs, registration=registration, local=found.local)
    offset = None
    if registration is not None:
        middle = a.grid.position_mm((np.array(a.grid.shape) - 1) / 2)
        offset = float((registration.matrix @ [*middle, 1.0])[2] - middle[2])
    return PairViews(
        scans=(_view(a, pairs, on_a, side="a"), _view(b, pairs, on_b, side="b")), offset_z_mm=offset
    )


def _view(scan: ReadScan, pairs: Sequence[LesionPair], forced: Mapping[str, Roi], *, side: Side) -> ScanView:
    orientation = orientation_of(scan.grid)
    own = {roi.roi_id: roi for roi in scan.lesions}
    largest = max(scan.volume.largest(), 0.0) or 1.0
    means = (one.values["mean"] for one in scan.references)
    return ScanView(
        suv_type=scan.suv_type,
        unit=scan.volume.unit.value,
        largest=largest,
        maxima=_maxima(scan.volume, orientation, largest),
        edges_mm=orientation.edges_mm,
        regions=(
            *(
                _seen(region, place, is_forced=is_forced, orientation=orientation)
                for place, pair in enumerate(pairs)
                for region, is_forced in _regions(pair, own, forced, side)
            ),
            *(_seen(roi, None, is_forced=False, orientation=orientation) for roi in scan.backgrounds),
        ),
        reference_mean=next((mean for mean in means if mean is not None), None),
    )


def _regions(
    pair: LesionPair, own: Mapping[str, Roi], forced: Mapping[str, Roi], side: Side
) -> Iterable[tuple[Roi, bool]]:
    """Yield the regions of a pair on one scan, and whether each is that of a forced read."""
    read, members = (pair.a, pair.members[0]) if side == "a" else (pair.b, pair.members[1])
    if read is None or not read.values:  # nobody drew it
        return
    if read.is_forced:
        if read.lesion_id in forced:
            yield forced[read.lesion_id], True
        return
    for roi_id in dict.fromkeys((read.lesion_id, *members)):
        if roi_id in own:
            yield own[roi_id], False


def _seen(roi: Roi, place: int | None, *, is_forced: bool, orientation: Orientation) -> SeenRegion:
    zyx = orientation.zyx_of(counted(roi))
    return SeenRegion(
        name=roi.name,
        place=place,
        is_forced=is_forced,
        pixels={
            view: np.unique(zyx[:, (0, across)], axis=0).astype(np.int32)
            for view, across in ACROSS_AXIS.items()
        },
    )


def _maxima(volume: Volume, orientation: Orientation, largest: float) -> dict[str, Levels]:
    """Return the levels of the maxima along each line of sight, in one pass over the slices."""
    depth = {view: orientation.axes[axis] for view, axis in DEPTH_AXIS.items()}
    shape = volume.grid.shape
    found = {
        view: np.zeros([n for axis, n in enumerate(shape) if axis != along], np.float32)
        for view, along in depth.items()
    }
    for k in range(shape[0]):
        plane = volume.stored[k].astype(np.float32)
        plane *= np.float32(volume.slope[k])
        plane += np.float32(volume.intercept[k])
        for view, along in depth.items():
            if along == 0:
                np.fmax(found[view], plane, out=found[view])
            else:
                np.fmax(found[view][k], np.nan_to_num(plane).max(axis=along - 1), out=found[view][k])
    return {view: _turned(found[view], orientation, depth[view], view, largest) for view in depth}


def _turned(
    values: NDArray[np.float32], orientation: Orientation, along: int, view: str, largest: float
) -> Levels:
    """Return maxima as levels [z, across], both ascending."""
    left = [axis for axis in range(3) if axis != along]
    rows, columns = orientation.axes[0], orientation.axes[ACROSS_AXIS[view]]
    turned = values.transpose(left.index(rows), left.index(columns))
    back = (orientation.is_back[0], orientation.is_back[ACROSS_AXIS[view]])
    turned = turned[tuple(slice(None, None, -1) if one else slice(None) for one in back)]
    return np.asarray(np.rint(np.clip(turned, 0.0, largest) * (MOST_LEVEL / largest)), np.uint16)
