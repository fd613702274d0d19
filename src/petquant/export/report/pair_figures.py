"""The projections of two scans of a patient: one scale in mm, a window for each tracer, lesions by state.

Every scan stays on its own grid. That of tracer b is moved along z as a whole, by what the registration says,
so that the same height of the patient lies at the same height of the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.comparison import SessionPairs
from petquant.export.comparison_tables import state_of
from petquant.export.report.labels import Anchor, placed
from petquant.export.report.oriented import Window
from petquant.export.report.picture import evenly, grey, outline_path, picture_of
from petquant.export.report.projections import ACROSS_AXIS, AIR, MARGIN_MM, VIEWS, Drawn, Projection
from petquant.export.report.scan_view import MOST_LEVEL, PairViews, ScanView
from petquant.export.report.sheet import FONT_PX, Sheet, px_per_mm, sheet_of
from petquant.export.report.shown import LONGEST_LABEL

__all__ = ["REFERENCE", "PairFigure", "pair_figures", "scale_of", "windows_of"]

Float = NDArray[np.float64]

REFERENCE: Final = "reference"
SHARE: Final = 0.75  # of the positive lesions of a tracer are shown in full: hotter ones are black
UPPER: Final = (3.0, 5.0, 7.0, 10.0, 15.0, 20.0)  # ends of windows
USUAL: Final = 7.0  # where no lesion is positive
RATIO: Final = 5.0  # of the mean of a reference, where SUV was refused
LINE: Final = 1.3  # height of a label over that of its letters


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigure:
    """One view of one of two scans."""

    letter: str
    tracer: str
    seen: Projection
    sheet: Sheet
    window: Window


def windows_of(
    sessions: Sequence[SessionPairs], views: Sequence[PairViews | None]
) -> Mapping[tuple[str, str], Window]:
    """Return the window of every tracer and SUV type, one for all of its scans.

    From 0 to the first of `UPPER` that is not below three quarters of the SUVmax of its positive lesions.
    No number depends on it.
    """
    maxima: dict[tuple[str, str], list[float]] = {}
    units: dict[tuple[str, str], str] = {}
    for one, seen in zip(sessions, views, strict=True):
        if seen is None:
            continue
        for place, tracer in enumerate(one.tracers):
            key = tracer, seen.scans[place].suv_type
            units[key] = seen.scans[place].unit
            reads = [pair.a if place == 0 else pair.b for pair in one.pairs]
            values = [read.values.get("suv_max") for read in reads if read is not None and read.is_positive]
            maxima.setdefault(key, []).extend(float(value) for value in values if value is not None)
    return {
        (tracer, suv_type): Window(
            lower=0.0, upper=_upper(maxima[tracer, suv_type]), unit=f"SUV {suv_type}, {unit}"
        )
        for (tracer, suv_type), unit in units.items()
        if suv_type != "none"
    }


def scale_of(views: Iterable[PairViews | None]) -> float:
    """Return the pixels a mm that all projections of a page share."""
    heights, widths = [], []
    for seen in views:
        if seen is not None:
            top, bottom = _span(seen)
            heights.append(bottom - top)
            widths += [float(np.ptp(scan.edges_mm[axis])) for scan in seen.scans for axis in (1, 2)]
    return px_per_mm(max(heights), max(widths)) if heights else 1.0


def pair_figures(
    found: SessionPairs, views: PairViews, windows: Mapping[tuple[str, str], Window], *, px: float
) -> list[PairFigure]:
    """Return the coronal views of a and b, then the sagittal ones."""
    top, bottom = _span(views)
    figures = []
    for view in VIEWS:
        for place, (letter, tracer) in enumerate(zip("ab", found.tracers, strict=True)):
            scan = views.scans[place]
            window = windows.get((tracer, scan.suv_type)) or _native(scan)
            shift = 0.0 if place == 0 else views.offset_z_mm or 0.0
            seen = _projection(view, scan, found, window, shift=shift, spacing=LINE * FONT_PX / px)
            longest = [
                max((len(label.text) for label in seen.labels if label.is_left is side), default=0)
                for side in (True, False)
            ]
            sheet = sheet_of(
                left=seen.picture.left,
                top=top,
                width=seen.picture.width,
                height=bottom - top,
                longest=(longest[0], longest[1]),
                px=px,
            )
            figures.append(PairFigure(letter=letter, tracer=tracer, seen=seen, sheet=sheet, window=window))
    return figures


def _upper(values: Sequence[float]) -> float:
    if not values:
        return USUAL
    share = float(np.quantile(values, SHARE))
    return next((upper for upper in UPPER if upper >= share), UPPER[-1])


def _native(scan: ScanView) -> Window:
    """Return the window of a scan without SUV, which no other scan can have."""
    mean = scan.reference_mean
    upper = scan.largest if mean is None or mean <= 0 else RATIO * mean
    return Window(lower=0.0, upper=upper, unit=scan.unit)


def _span(views: PairViews) -> tuple[float, float]:
    """Return top and bottom of what both scans cover, in mm down the page of a."""
    ends = [scan.edges_mm[0][[0, -1]] for scan in views.scans]
    ends[1] = ends[1] - (views.offset_z_mm or 0.0)
    return -float(max(one[1] for one in ends)), -float(min(one[0] for one in ends))


def _projection(
    view: str, scan: ScanView, found: SessionPairs, window: Window, *, shift: float, spacing: float
) -> Projection:
    values = scan.maxima[view].astype(np.float32) * np.float32(scan.largest / MOST_LEVEL)
    levels = window.levels(values)
    row_edges = shift - scan.edges_mm[0][::-1]
    column_edges = scan.edges_mm[ACROSS_AXIS[view]]
    columns = _columns(levels, scan, view, column_edges)
    pixels = evenly(grey(levels[::-1, columns]), row_edges)
    picture = picture_of(pixels, row_edges, column_edges[columns.start : columns.stop + 1])
    outlines: list[Drawn] = []
    anchors: dict[str, Anchor] = {}
    for region in scan.regions:
        places = region.pixels[view]
        if not len(places):
            continue
        rows, across = len(levels) - 1 - places[:, 0].astype(np.int64), places[:, 1].astype(np.int64)
        pair = None if region.place is None else found.pairs[region.place]
        kind = REFERENCE if pair is None else state_of(pair.calls)
        label = _label(region.name) if region.place is None else f"{region.place + 1}"
        label += "*" if region.is_forced else ""
        outlines.append(
            Drawn(
                name=region.name,
                label=label,
                kind=kind,
                path=outline_path(rows, across, (row_edges, column_edges)),
            )
        )
        anchors.setdefault(
            label,
            Anchor(
                text=label,
                kind=kind,
                left=float(column_edges[across.min()]),
                right=float(column_edges[across.max() + 1]),
                middle=float(row_edges[rows.min()] + row_edges[rows.max() + 1]) / 2,
                rank=-1 if region.place is None else region.place,
            ),
        )
    labels, n_unlabelled = placed(
        list(anchors.values()),
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


def _columns(levels: NDArray[np.uint8], scan: ScanView, view: str, edges: Float) -> slice:
    """Return the columns that hold the body and every region, with a margin."""
    held = np.flatnonzero(levels.max(axis=0) >= AIR)
    held = np.concatenate([held, *(region.pixels[view][:, 1] for region in scan.regions)])
    if not len(held):
        return slice(0, levels.shape[1])
    margin = math.ceil(MARGIN_MM / float(np.diff(edges).mean()))
    return slice(max(0, int(held.min()) - margin), min(levels.shape[1], int(held.max()) + margin + 1))


def _label(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[:LONGEST_LABEL]}…"
