"""A thumbnail shows a lesion in the axial slice of its SUVmax: PET, CT, and PET over CT, none resampled.

Every picture keeps its own pixels and is placed by its mm; across is x, down is y: the patient's right is on
the left and the back below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.export.report.oriented import Orientation, Window, orientation_of
from petquant.export.report.picture import Picture, grey, hot, outline_path, picture_of
from petquant.export.report.projections import Drawn
from petquant.export.report.shown import Shown
from petquant.volume import Volume

__all__ = ["CT_WINDOW", "Anatomy", "Thumbnail", "anatomy_of", "thumbnails"]

Float = NDArray[np.float64]
Levels = NDArray[np.uint8]

AROUND_MM: Final = 25.0  # of a lesion
LEAST_MM: Final = 120.0  # width of a picture
MOST: Final = 60  # lesions with pictures, the hottest; more would weigh more than they say
CT_WINDOW: Final = Window(lower=-160.0, upper=240.0, unit="HU")  # soft tissue: level 40, width 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """A CT and how it lies to the patient."""

    volume: Volume
    orientation: Orientation


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """Pictures of one lesion.

    Parameters
    ----------
    label, place
        Of the lesion; its place among the lesions, from 1.
    z_mm
        Of the slice.
    view
        Left, top, width, height of all panels in mm.
    pet, pet_over, ct
        Inverted grey, coloured, and CT; None where no CT slice lies there.
    outlines
        Of the regions in this slice; the lesion's own is the last.
    ct_z_mm
        Of the CT slice, the nearest.
    """

    label: str
    place: int
    z_mm: float
    view: tuple[float, float, float, float]
    pet: Picture
    pet_over: Picture
    ct: Picture | None
    ct_z_mm: float | None
    outlines: tuple[Drawn, ...]


def anatomy_of(ct: Volume, pet: Orientation) -> Anatomy | None:
    """Return the CT if its axes run along those of the PET, else None."""
    orientation = orientation_of(ct.grid)
    return Anatomy(volume=ct, orientation=orientation) if orientation.runs_with(pet) else None


def thumbnails(
    levels: Levels,
    orientation: Orientation,
    regions: Sequence[Shown],
    *,
    anatomy: Anatomy | None,
) -> list[Thumbnail]:
    """Return pictures of the hottest lesions, in the order of the lesions.

    Parameters
    ----------
    levels, orientation
        [z, y, x] of the PET, and how it lies.
    regions
        Lesions and references.
    anatomy
        The CT, where there is one.
    """
    lesions = [one for one in regions if one.kind == "lesion"]
    return [
        _thumbnail(levels, orientation, lesion, place=place, regions=regions, anatomy=anatomy)
        for place, lesion in enumerate(lesions, start=1)
        if lesion.rank < MOST and len(lesion.zyx)
    ]


def _thumbnail(
    levels: Levels,
    orientation: Orientation,
    lesion: Shown,
    *,
    place: int,
    regions: Sequence[Shown],
    anatomy: Anatomy | None,
) -> Thumbnail:
    z = lesion.hottest_z
    z_edges, y_edges, x_edges = orientation.edges_mm
    spans = []
    for axis, edges in ((1, y_edges), (2, x_edges)):
        low, high = edges[lesion.zyx[:, axis].min()], edges[lesion.zyx[:, axis].max() + 1]
        spans.append(((low + high) / 2, high - low))
    side = max(LEAST_MM, *(width + 2 * AROUND_MM for _, width in spans))
    top, left = (middle - side / 2 for middle, _ in spans)
    rows, columns = _within(y_edges, top, side), _within(x_edges, left, side)
    pixels = levels[z, rows, columns]
    at = (y_edges[rows.start : rows.stop + 1], x_edges[columns.start : columns.stop + 1])
    z_mm = float(z_edges[z] + z_edges[z + 1]) / 2
    ct, ct_z_mm = (None, None) if anatomy is None else _ct(anatomy, z_mm, top, left, side)
    outlines = []
    for one in sorted(regions, key=lambda one: one is lesion):
        in_slice = one.zyx[one.zyx[:, 0] == z]
        if len(in_slice):
            path = outline_path(in_slice[:, 1], in_slice[:, 2], (y_edges, x_edges))
            kind = "own" if one is lesion else one.kind
            outlines.append(Drawn(name=one.name, label=one.label, kind=kind, path=path))
    return Thumbnail(
        label=lesion.label,
        place=place,
        z_mm=z_mm,
        view=(float(left), float(top), float(side), float(side)),
        pet=picture_of(grey(pixels), *at),
        pet_over=picture_of(hot(pixels), *at),
        ct=ct,
        ct_z_mm=ct_z_mm,
        outlines=tuple(outlines),
    )


def _ct(
    anatomy: Anatomy, z_mm: float, top: float, left: float, side: float
) -> tuple[Picture | None, float | None]:
    """Return the part of the CT slice that holds the place, None where the CT has none."""
    orientation = anatomy.orientation
    z_edges, y_edges, x_edges = orientation.edges_mm
    z = int(np.searchsorted(z_edges, z_mm, side="right")) - 1
    rows, columns = _within(y_edges, top, side), _within(x_edges, left, side)
    if not 0 <= z < len(z_edges) - 1 or rows.start >= rows.stop or columns.start >= columns.stop:
        return None, None
    y, x = (np.arange(cut.start, cut.stop) for cut in (rows, columns))
    index = np.broadcast_arrays(*orientation.kji_of(np.array(z), y[:, None], x[None, :]))
    values = anatomy.volume.at_index(*index)
    at = (y_edges[rows.start : rows.stop + 1], x_edges[columns.start : columns.stop + 1])
    return picture_of(CT_WINDOW.levels(values), *at), float(z_edges[z] + z_edges[z + 1]) / 2


def _within(edges: Float, start: float, length: float) -> slice:
    """Return the voxels that reach into a span, one more on each side; none where the span lies outside."""
    first = int(np.searchsorted(edges, start, side="right")) - 1
    last = int(np.searchsorted(edges, start + length, side="left"))
    return slice(max(first, 0), min(last, len(edges) - 1))
