"""A picture is pixels as PNG with the rectangle in mm that they fill; outlines are drawn over it as paths.

Rows go down, columns to the right; places are mm in the plane of the picture.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petquant.export.report.page import data_url

__all__ = ["Picture", "evenly", "grey", "hot", "outline_path", "picture_of"]

Float = NDArray[np.float64]
Levels = NDArray[np.uint8]

EVEN: Final = 1e-3  # of a step: steps that differ by less are one
THIRD: Final = 85  # levels of each of the three colours of `hot`


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Pixels and where they lie.

    Parameters
    ----------
    url
        The PNG as a ``data:`` URL.
    left, top, width, height
        Rectangle in mm.
    """

    url: str
    left: float
    top: float
    width: float
    height: float


def picture_of(pixels: Levels, row_edges: Float, column_edges: Float) -> Picture:
    """Return (rows, columns) grey or (rows, columns, 4) RGBA pixels as a picture in mm."""
    return Picture(
        url=png_url(pixels),
        left=float(column_edges[0]),
        top=float(row_edges[0]),
        width=float(column_edges[-1] - column_edges[0]),
        height=float(row_edges[-1] - row_edges[0]),
    )


def png_url(pixels: Levels) -> str:
    """Return pixels as a PNG in a ``data:`` URL."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=6)
    return data_url(file.getvalue(), "image/png")


def grey(levels: Levels) -> Levels:
    """Return inverted grey: what takes up more is darker."""
    return np.asarray(255 - levels, np.uint8)


def hot(levels: Levels) -> Levels:
    """Return black to red to yellow to white as RGBA, clear at level 0 and opaque from half on."""
    above = [np.clip((levels.astype(np.int16) - start) * 3, 0, 255) for start in (0, THIRD, 2 * THIRD)]
    alpha = np.clip(levels.astype(np.int16) * 2, 0, 255)
    return np.stack([*above, alpha], axis=-1).astype(np.uint8)


def evenly(pixels: Levels, row_edges: Float) -> Levels:
    """Return rows of one height each: of uneven rows the nearest, so that each lies where it belongs."""
    steps = np.diff(row_edges)
    if float(np.ptp(steps)) <= EVEN * float(steps.min()):
        return pixels
    n = round(float(row_edges[-1] - row_edges[0]) / float(steps.min()))
    centres = row_edges[0] + (np.arange(n) + 0.5) * (row_edges[-1] - row_edges[0]) / n
    nearest = np.clip(np.searchsorted(row_edges, centres, side="right") - 1, 0, len(pixels) - 1)
    return np.asarray(pixels[nearest])


def outline_path(rows: NDArray[np.int64], columns: NDArray[np.int64], at: tuple[Float, Float]) -> str:
    """Return the boundary of a set of pixels as an SVG path in mm: exactly the edges of its pixels.

    Parameters
    ----------
    rows, columns
        (n,) indices of its pixels; repetition does no harm.
    at
        Boundaries of all rows and of all columns in mm.
    """
    row_edges, column_edges = at
    top, left = int(rows.min()), int(columns.min())
    inside = np.zeros((int(rows.max()) - top + 3, int(columns.max()) - left + 3), np.bool_)
    inside[rows - top + 1, columns - left + 1] = True
    y = row_edges[top : top + len(inside) - 1]
    x = column_edges[left : left + inside.shape[1] - 1]
    level = inside[1:, 1:-1] != inside[:-1, 1:-1]
    upright = inside[1:-1, 1:] != inside[1:-1, :-1]
    parts = [f"M{_mm(x[a])} {_mm(y[row])}H{_mm(x[b])}" for row, a, b in _runs(level)]
    parts += [f"M{_mm(x[column])} {_mm(y[a])}V{_mm(y[b])}" for column, a, b in _runs(upright.T)]
    return "".join(parts)


def _runs(lines: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Return line, start and end of every run of True along the lines."""
    padded = np.zeros((len(lines), lines.shape[1] + 2), np.int8)
    padded[:, 1:-1] = lines
    change = np.diff(padded, axis=1)
    line, start = np.nonzero(change == 1)
    end = np.nonzero(change == -1)[1]
    return list(zip(line.tolist(), start.tolist(), end.tolist(), strict=True))


def _mm(value: float) -> str:
    return f"{round(float(value), 2) + 0.0:g}"
