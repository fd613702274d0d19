"""A projection (MIP) shows along each line through the patient the largest value; regions as their shadow.

Coronal is seen from the front (the patient's right is on the left), sagittal from the left (front on the
left). Pixels are mapped to grey before the maximum is taken, which changes nothing: the map is monotonous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.export.report.labels import Anchor, Label, placed
from petquant.export.report.oriented import Orientation
from petquant.export.report.picture import Picture, evenly, grey, outline_path, picture_of, png_url
from petquant.export.report.shown import Shown

__all__ = [
    "ACROSS_AXIS",
    "AIR",
    "DEPTH_AXIS",
    "MARGIN_MM",
    "VIEWS",
    "Drawn",
    "Projection",
    "Rotation",
    "body_box",
    "projection",
    "rotation",
]

Float = NDArray[np.float64]
Levels = NDArray[np.uint8]
Box = tuple[slice, slice, slice]

AIR: Final = 8  # of 255: what is below everywhere along a line is drawn white anyhow
MARGIN_MM: Final = 12.0  # around the body
FRAMES: Final = 36
TIE: Final = 1e-6  # of a bin: what lies between two goes up, whatever the last digit of a cosine
FINEST_MM: Final = 4.0  # of the rotating projection
VIEWS: Final = {"coronal": ("R", "L"), "sagittal": ("A", "P")}  # letters left and right
DEPTH_AXIS: Final = {"coronal": 1, "sagittal": 2}  # of [z, y, x]
ACROSS_AXIS: Final = {"coronal": 2, "sagittal": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An outline as an SVG path in mm."""

    name: str
    label: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One view: picture, outlines, labels; across is mm to the right, down is minus z in mm."""

    view: str
    picture: Picture
    outlines: tuple[Drawn, ...]
    labels: tuple[Label, ...]
    n_unlabelled: int
    letters: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Frames of a rotating projection side by side in one PNG, each `width` by `height` mm."""

    url: str
    n_frames: int
    width: float
    height: float


def body_box(levels: Levels, orientation: Orientation, regions: Sequence[Shown]) -> Box:
    """Return the part of [z, y, x] that holds the body and every region; all slices."""
    flat = levels.max(axis=0)
    box = [slice(0, levels.shape[0])]
    for axis in (1, 2):
        held = np.flatnonzero(flat.max(axis=2 - axis) >= AIR)
        held = np.concatenate([held, *(region.zyx[:, axis] for region in regions)])
        if not len(held):
            box.append(slice(0, levels.shape[axis]))
            continue
        margin = round(MARGIN_MM / float(np.diff(orientation.edges_mm[axis]).mean()))
        first, last = int(held.min()) - margin, int(held.max()) + margin
        box.append(slice(max(0, first), min(levels.shape[axis], last + 1)))
    return box[0], box[1], box[2]


def projection(
    view: str, levels: Levels, orientation: Orientation, box: Box, regions: Sequence[Shown], *, spacing: float
) -> Projection:
    """Return one view.

    Parameters
    ----------
    view
        ``coronal`` or ``sagittal``.
    levels, orientation, box
        [z, y, x] of the whole volume, how it lies, and the part to show.
    regions
        To outline.
    spacing
        Height of a label in mm.
    """
    axis = ACROSS_AXIS[view]
    largest = levels[box].max(axis=DEPTH_AXIS[view])[::-1]
    row_edges = -orientation.edges_mm[0][::-1]
    column_edges = orientation.edges_mm[axis]
    shown_columns = column_edges[box[axis].start : box[axis].stop + 1]
    picture = picture_of(evenly(grey(largest), row_edges), row_edges, shown_columns)
    n_rows = levels.shape[0]
    outlines, anchors = [], []
    for region in regions:
        if not len(region.zyx):
            continue
        rows, columns = n_rows - 1 - region.zyx[:, 0], region.zyx[:, axis]
        path = outline_path(rows, columns, (row_edges, column_edges))
        outlines.append(Drawn(name=region.name, label=region.label, kind=region.kind, path=path))
        anchors.append(
            Anchor(
                text=region.label,
                kind=region.kind,
                left=float(column_edges[columns.min()]),
                right=float(column_edges[columns.max() + 1]),
                middle=float(row_edges[rows.min()] + row_edges[rows.max() + 1]) / 2,
                rank=region.rank,
            )
        )
    labels, n_unlabelled = placed(
        anchors,
        span=(picture.top, picture.top + picture.height),
        middle=picture.left + picture.width / 2,
        spacing=spacing,
    )
    return Projection(
        view=view,
        picture=picture,
        outlines=tuple(outlines),
        labels=tuple(labels),
        n_unlabelled=n_unlabelled,
        letters=VIEWS[view],
    )


def rotation(levels: Levels, orientation: Orientation, box: Box) -> Rotation:
    """Return `FRAMES` views around the patient, the first from the front, the next ones from the left.

    Frame f shows ``u = x cos(a) + y sin(a)`` from left to right, a = 360 f / `FRAMES` degrees, in bins as
    wide as the longer side of a voxel, so that no bin between two voxels stays empty. Voxels are first
    merged by their maximum to about `FINEST_MM`.
    """
    edges = [orientation.edges_mm[axis][box[axis].start : box[axis].stop + 1] for axis in range(3)]
    merged, (z_edges, y_edges, x_edges) = _merged(levels[box], edges)
    places = np.meshgrid(_centred(y_edges), _centred(x_edges), indexing="ij")
    lines = merged.transpose(1, 2, 0).reshape(-1, len(merged))  # along z, one a pair (y, x)
    is_seen = lines.max(axis=1) >= AIR
    lines = lines[is_seen]
    y, x = (place.ravel()[is_seen] for place in places)
    bin_mm = max(float(np.diff(x_edges).max()), float(np.diff(y_edges).max()))
    half = int(np.ceil(np.hypot(x, y).max(initial=0.0) / bin_mm)) + 1
    frames = np.zeros((FRAMES, 2 * half + 1, len(merged)), np.uint8)
    for frame in range(FRAMES if len(lines) else 0):
        angle = 2 * np.pi * frame / FRAMES
        across = (x * np.cos(angle) + y * np.sin(angle)) / bin_mm
        bins = np.floor(across + 0.5 + TIE).astype(np.int64) + half
        order = np.argsort(bins, kind="stable")
        starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
        frames[frame, bins[order][starts]] = np.maximum.reduceat(lines[order], starts, axis=0)
    strip = frames.transpose(2, 0, 1).reshape(len(merged), -1)[::-1]
    return Rotation(
        url=png_url(evenly(grey(strip), -z_edges[::-1])),
        n_frames=FRAMES,
        width=frames.shape[1] * bin_mm,
        height=float(z_edges[-1] - z_edges[0]),
    )


def _merged(levels: Levels, edges: Sequence[Float]) -> tuple[Levels, list[Float]]:
    """Return neighbouring voxels as their maximum, as many as make up `FINEST_MM`, and the new boundaries."""
    kept = []
    for axis, of_axis in enumerate(edges):
        starts = np.arange(0, levels.shape[axis], max(1, round(FINEST_MM / float(np.diff(of_axis).mean()))))
        if len(starts) < levels.shape[axis]:
            levels = np.maximum.reduceat(levels, starts, axis=axis)
        kept.append(of_axis[np.r_[starts, len(of_axis) - 1]])
    return levels, kept


def _centred(edges: Float) -> Float:
    """Return the middles between boundaries, from the middle of them all."""
    return np.asarray((edges[1:] + edges[:-1] - edges[0] - edges[-1]) / 2)
