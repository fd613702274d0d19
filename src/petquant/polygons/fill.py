"""Filling turns the contours of one region into voxels of the PET grid, by voxel centres or by exact area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Finding, Refused
from petquant.grid import Grid
from petquant.occupancy.frame import edges_mm, extent_mm, extent_words, summed
from petquant.polygons.crossing import Crossings, crossings
from petquant.polygons.inside import Pixels, centres_inside, covered, trapezoids
from petquant.polygons.outline import Outline, cleaned, outline_of
from petquant.polygons.planes import ON_SLICE, SAME_PLANE, Planes, heights_of, planes_of

__all__ = ["Edge", "Filled", "filled"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LOST: Final = 1e-9  # of a region's volume: rounding, not a cut
NOTHING: Final = 1e-10  # of a voxel: rounding, not overlap


class Edge(StrEnum):
    """What makes a voxel at the edge of a contour part of the region."""

    CENTRE = "centre"  # its centre is inside
    AREA = "area"  # the fraction of it that is inside, as a weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """A region of contours on the PET grid.

    Parameters
    ----------
    voxels, weights
        As of a `Roi`.
    edge
        The rule that was used.
    findings
        What is to be said of the contours.
    """

    voxels: Int
    weights: Float | None
    edge: Edge
    findings: tuple[Finding, ...]


def filled(
    contours: Sequence[Float],
    grid: Grid,
    *,
    is_referenced: bool = False,
    edge: Edge | None = None,
    fill_gaps: bool = False,
    where: str = "",
) -> Filled:
    """Return the voxels inside closed contours, by even-odd over all contours of a plane.

    Nested contours make holes, whether as such, as XOR or as keyholes. Source: DICOM PS3.3 C.8.8.6 (ROI
    Contour module); roi.md 3.3 for what it leaves open.

    Parameters
    ----------
    contours
        (n, 3) LPS positions of the corners of each, in mm.
    grid
        The PET grid; contours must be parallel to its slices.
    is_referenced
        Whether the region refers to the images of the PET.
    edge
        None takes `Edge.CENTRE` when every plane is a slice of the PET, and `Edge.AREA` otherwise.
    fill_gaps
        Fill slices that were left out between two planes from these.
    where
        Whose findings they are.

    Raises
    ------
    Refused
        CONTOUR_NOT_PLANAR, with the contour and its spread; ROI_NOT_AN_AREA when no contour encloses one;
        ROI_OUTSIDE_FOV; ROI_EMPTY when no voxel centre lies inside.
    LimitReached
        When lines lie side by side as in no honest contour.
    """
    outlines, heights = _on_slices(contours, grid, where)
    rings = [cleaned(points) for points in outlines]
    is_area = np.array([ring is not None for ring in rings])
    findings = []
    if not is_area.all():
        found = f"{int((~is_area).sum())} of {len(rings)} contours have fewer than three points or no area"
        findings.append(Finding(code="CONTOUR_DEGENERATE", found=found, where=where))
    if not is_area.any():
        raise Refused.of("ROI_NOT_AN_AREA", "no contour encloses an area", where=where)
    planes = planes_of(heights[is_area], grid, is_referenced=is_referenced, fill_gaps=fill_gaps)
    outline, n_copies = outline_of([ring for ring in rings if ring is not None], planes.of_contour.tolist())
    crossed = crossings(outline)
    findings += _about_planes(planes, grid, where)
    findings += _about_contours(n_copies, crossed, where)
    rule = edge or (Edge.CENTRE if planes.is_own else Edge.AREA)
    lost = _lost(outline, crossed, planes, grid)
    if lost >= 1.0:
        found = f"the contours lie wholly outside the PET ({extent_words(extent_mm(grid))})"
        raise Refused.of("ROI_OUTSIDE_FOV", found, expected="a region inside the field of view", where=where)
    if lost > LOST:
        found = f"{lost:.4g} of the region's volume lies outside the PET and was cut off"
        findings.append(Finding(code="ROI_CLIPPED_BY_FOV", found=found, where=where))
    if rule is Edge.CENTRE:
        voxels, weights = _by_centre(outline, planes, grid), None
    else:
        voxels, weights = _by_area(outline, crossed, planes, grid)
    if not len(voxels):
        found = "no voxel centre of the PET lies inside the contours"
        raise Refused.of("ROI_EMPTY", found, remedy="--edge area", where=where)
    return Filled(voxels=voxels, weights=weights, edge=rule, findings=tuple(findings))


def _on_slices(contours: Sequence[Float], grid: Grid, where: str) -> tuple[list[Float], Float]:
    """Return x, y (columns and rows) of the corners of every contour, and its height in slices.

    Raises
    ------
    Refused
        CONTOUR_NOT_PLANAR: every contour whose heights spread over more than a tenth of a slice.
    """
    back = np.linalg.inv(grid.directions).T
    outlines, heights, refusals = [], [], []
    for number, points in enumerate(contours, start=1):
        along = (np.asarray(points, np.float64) - grid.origin_mm) @ back
        at = heights_of(along[:, 0], grid)
        spread = float(np.ptp(at))
        if spread > ON_SLICE:
            refusals.append(
                Finding(
                    code="CONTOUR_NOT_PLANAR",
                    found=f"contour {number} spreads over {spread:.4g} slices",
                    expected=f"at most {ON_SLICE:g}: contours parallel to the slices of the PET",
                    where=where,
                )
            )
        outlines.append(along[:, [2, 1]] / [grid.spacing_mm[2], grid.spacing_mm[1]])
        heights.append(float(at.min() + at.max()) / 2)
    if refusals:
        raise Refused.because(*refusals)
    return outlines, np.array(heights)


def _about_planes(planes: Planes, grid: Grid, where: str) -> list[Finding]:
    findings = []
    if planes.is_own and planes.offset > SAME_PLANE:
        found = f"up to {planes.offset:.3g} slices ({planes.offset * grid.spacing_mm[0]:.3g} mm) off"
        findings.append(Finding(code="CONTOUR_PLANE_SNAPPED", found=found, where=where))
    if planes.n_missing:
        what = "slices" if planes.is_own else "planes"
        code = "CONTOUR_GAP_FILLED" if planes.is_filled else "CONTOUR_GAP"
        found = f"{planes.n_missing} {what} without a contour between others"
        findings.append(Finding(code=code, found=found, where=where))
    return findings


def _about_contours(n_copies: int, crossed: Crossings, where: str) -> list[Finding]:
    counts = (
        ("CONTOUR_DUPLICATE", n_copies, "copies of contours dropped"),
        ("CONTOUR_OVERLAP", crossed.n_overlapping, "pairs of contours that lie partly inside each other"),
        ("CONTOUR_SELF_CROSSING", crossed.n_self_crossing, "contours that cross themselves"),
    )
    return [Finding(code=code, found=f"{n} {what}", where=where) for code, n, what in counts if n]


def _by_centre(outline: Outline, planes: Planes, grid: Grid) -> Int:
    """Return the voxels whose centre lies inside the contours and the slab of their plane."""
    nk, nj, ni = grid.shape
    pixels = centres_inside(outline, nj, ni)
    plane, k = planes.slices_inside(nk)
    voxels, _ = _repeated(pixels, plane, k, np.ones(len(k)), grid)
    return np.sort(voxels)


def _by_area(outline: Outline, crossed: Crossings, planes: Planes, grid: Grid) -> tuple[Int, Float | None]:
    """Return the voxels that contours and slabs cover, with the fraction of each."""
    _, nj, ni = grid.shape
    pixels = covered(trapezoids(outline, crossed, nj), nj, ni)
    share = planes.overlap_mm(grid) / np.diff(edges_mm(grid, 0))
    plane, k = np.nonzero(share > NOTHING)
    voxels, weights = summed(*_repeated(pixels, plane, k, share[plane, k], grid))
    is_some = weights > NOTHING
    voxels, weights = voxels[is_some], weights[is_some]
    weights = np.where(weights >= 1.0 - NOTHING, 1.0, weights)
    return voxels, None if (weights == 1.0).all() else weights


def _repeated(pixels: Pixels, plane: Int, k: Int, share: Float, grid: Grid) -> tuple[Int, Float]:
    """Return the pixels of planes as voxels of the slices that the planes fill, and their weights."""
    _, nj, ni = grid.shape
    bounds = np.searchsorted(pixels.plane, np.arange(int(plane.max()) + 2 if len(plane) else 1))
    voxels, weights = [np.empty(0, np.int64)], [np.empty(0)]
    for n in range(len(plane)):
        mine = slice(bounds[plane[n]], bounds[plane[n] + 1])
        voxels.append((k[n] * nj + pixels.j[mine]) * ni + pixels.i[mine])
        weights.append(pixels.fraction[mine] * share[n])
    return np.concatenate(voxels), np.concatenate(weights)


def _lost(outline: Outline, crossed: Crossings, planes: Planes, grid: Grid) -> float:
    """Return the fraction of the volume of contours and slabs that lies outside the PET; 1 when all does."""
    nk, nj, ni = grid.shape
    low, high = outline.start.min(axis=0), outline.start.max(axis=0)
    is_inside = (low >= -0.5).all() and high[0] <= ni - 0.5 and high[1] <= nj - 0.5
    if is_inside and planes.slab.min() >= -0.5 and planes.slab.max() <= nk - 0.5:
        return 0.0
    shapes = trapezoids(outline, crossed, nj)
    n = len(planes.slab)
    pixels = covered(shapes, nj, ni)
    whole = shapes.areas(n) @ planes.thickness_mm(grid)
    inside = np.bincount(pixels.plane, pixels.fraction, n) @ planes.overlap_mm(grid).sum(axis=1)
    if inside <= 0.0 or whole <= 0.0:
        return 1.0 if whole > 0.0 else 0.0
    return min(1.0 - float(inside / whole), math.nextafter(1.0, 0.0))
