"""A shape is a sphere, cylinder or box in the patient; drawn on a grid, each voxel counts with its part.

Positions are LPS in mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petquant.delineation.overlap import cylinder_weights, sphere_weights
from petquant.errors import Finding, Refused, UsageError
from petquant.grid import Grid
from petquant.occupancy import onto
from petquant.occupancy.frame import ALIGNED, extent_mm, extent_words, volumes_mm3
from petquant.occupancy.oblique import BOXES_A_STEP
from petquant.roi import Roi

__all__ = ["Box", "Cylinder", "Shape", "Sphere", "drawn", "require_real"]

Float = NDArray[np.float64]
Point = tuple[float, float, float]

LOST = 1e-9  # of a shape's volume: rounding, not a cut
MOST_VOXELS = 4_000_000  # of the grid along the axes of an oblique cylinder


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A sphere."""

    name: str
    centre_mm: Point
    radius_mm: float

    @property
    def volume_ml(self) -> float:
        """4/3 pi r^3."""
        return float(4.0 / 3.0 * np.pi * self.radius_mm**3 / 1000.0)

    def words(self) -> str:
        """Return the shape in words."""
        return f"sphere of radius {self.radius_mm:g} mm at {_at(self.centre_mm)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """A cylinder about its centre; its axis is any vector, by default that of the patient (z)."""

    name: str
    centre_mm: Point
    radius_mm: float
    length_mm: float
    axis: Point = (0.0, 0.0, 1.0)

    @property
    def volume_ml(self) -> float:
        """Pi r^2 length."""
        return float(np.pi * self.radius_mm**2 * self.length_mm / 1000.0)

    def words(self) -> str:
        """Return the shape in words."""
        along = ", ".join(f"{part:g}" for part in self.axis)
        return (
            f"cylinder of radius {self.radius_mm:g} mm and length {self.length_mm:g} mm at "
            f"{_at(self.centre_mm)}, axis ({along})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with edges along x, y and z."""

    name: str
    low_mm: Point
    high_mm: Point

    @property
    def volume_ml(self) -> float:
        """Product of the edges."""
        return float(np.prod(np.subtract(self.high_mm, self.low_mm)) / 1000.0)

    def words(self) -> str:
        """Return the shape in words."""
        return f"box from {_at(self.low_mm)} to {_at(self.high_mm)}"


Shape = Sphere | Cylinder | Box


def drawn(shape: Shape, grid: Grid, *, roi_id: str = "1") -> tuple[Roi, tuple[Finding, ...]]:
    """Return a shape as a region, each voxel with the fraction of its box that is inside.

    Spheres are exact on every grid; boxes and cylinders where their axes run along those of the grid, and
    then ``sum(w) v`` is the volume of the shape to 1e-9. Otherwise the quadrature of `petquant.occupancy`
    keeps the volume to 1e-3.

    Returns
    -------
    The region, and a finding with the lost part of its volume when it reaches out of the grid
    (ROI_CLIPPED_BY_FOV).

    Raises
    ------
    Refused
        ROI_OUTSIDE_FOV.
    UsageError
        As `require_real`.
    """
    require_real(shape)
    if isinstance(shape, Box):
        low, high = np.array(shape.low_mm), np.array(shape.high_mm)
        frame = _frame((low + high) / 2, np.eye(3)[:, ::-1], (high - low)[::-1])
        return _from_own_grid(shape, frame, grid, roi_id=roi_id)
    if isinstance(shape, Sphere):
        voxels, weights = sphere_weights(grid, _along(grid, shape.centre_mm), shape.radius_mm)
        return _region(shape, grid, voxels, weights, roi_id=roi_id)
    axis = np.array(shape.axis) / np.linalg.norm(shape.axis)
    cosines = np.abs(grid.directions.T @ axis)
    along = int(np.argmax(cosines))
    if np.delete(cosines, along).max() <= ALIGNED:
        voxels, weights = cylinder_weights(
            grid,
            _along(grid, shape.centre_mm),
            axis=along,
            radius_mm=shape.radius_mm,
            length_mm=shape.length_mm,
        )
        return _region(shape, grid, voxels, weights, roi_id=roi_id)
    across = np.linalg.svd(axis[None])[2][1:].T
    sides = np.array([shape.length_mm, 2 * shape.radius_mm, 2 * shape.radius_mm])
    frame = _frame(np.array(shape.centre_mm), np.column_stack([axis, across]), sides)
    return _from_own_grid(shape, frame, grid, roi_id=roi_id)


def require_real(shape: Shape) -> None:
    """Raise when a shape holds no volume.

    Raises
    ------
    UsageError
        OPTION_INVALID: a size that is not positive, a corner that is not below the other, a number that is
        not finite, an axis without direction.
    """
    numbers: tuple[float, ...]
    sizes: tuple[float, ...]
    if isinstance(shape, Box):
        numbers = (*shape.low_mm, *shape.high_mm)
        sizes = tuple(high - low for low, high in zip(shape.low_mm, shape.high_mm, strict=True))
        expected = "x0 < x1, y0 < y1 and z0 < z1"
    elif isinstance(shape, Sphere):
        numbers, sizes, expected = shape.centre_mm, (shape.radius_mm,), "a positive radius"
    else:
        numbers, expected = (
            (*shape.centre_mm, *shape.axis),
            "positive radius and length, and an axis that is not 0",
        )
        sizes = (shape.radius_mm, shape.length_mm, float(np.linalg.norm(shape.axis)))
    if not np.isfinite((*numbers, *sizes)).all() or min(sizes) <= 0:
        raise UsageError.of("OPTION_INVALID", f"{shape.name}: {shape.words()}", expected=expected)


def _region(
    shape: Shape, grid: Grid, voxels: NDArray[np.int64], weights: Float, *, roi_id: str
) -> tuple[Roi, tuple[Finding, ...]]:
    """Return the region of exact weights."""
    where = f"region {roi_id} ({shape.name})"
    if not len(voxels):
        raise Refused.of(
            "ROI_OUTSIDE_FOV",
            f"the {shape.words()} lies wholly outside the PET ({extent_words(extent_mm(grid))})",
            expected="a place inside the field of view",
            where=where,
        )
    roi = Roi(
        roi_id=roi_id,
        name=shape.name,
        voxels=voxels,
        weights=None if (weights == 1.0).all() else weights,
        source=f"{shape.words()}, exact overlap",
    )
    lost = 1.0 - float((weights * volumes_mm3(voxels, grid)).sum()) / (1000.0 * shape.volume_ml)
    if lost <= LOST:
        return roi, ()
    cut = Finding(
        code="ROI_CLIPPED_BY_FOV",
        found=f"{lost:.4g} of the region's volume lies outside the PET and was cut off",
        where=where,
    )
    return replace(roi, flags=(cut.code,)), (cut,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frame:
    """A box about a centre: unit vectors of its k, j and i axes, one a column, and its sides along them."""

    centre_mm: Float
    axes: Float
    sides_mm: Float

    def grid(self, step_mm: float | None) -> Grid:
        """Return the grid that fills the box with voxels of at most `step_mm`, or with a single one."""
        shape = np.ones(3, int) if step_mm is None else np.ceil(self.sides_mm / step_mm).astype(int)
        steps = self.sides_mm / shape
        affine = np.eye(4)
        affine[:3, :3] = self.axes * steps
        affine[:3, 3] = self.centre_mm - affine[:3, :3] @ ((shape - 1) / 2)
        return Grid(shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=affine)


def _frame(centre_mm: Float, axes: Float, sides_mm: Float) -> _Frame:
    return _Frame(centre_mm=centre_mm, axes=axes, sides_mm=sides_mm)


def _from_own_grid(
    shape: Box | Cylinder, frame: _Frame, grid: Grid, *, roi_id: str
) -> tuple[Roi, tuple[Finding, ...]]:
    """Return a shape that was drawn on a grid along its own axes, put onto `grid`."""
    if isinstance(shape, Box):  # a single voxel where overlap is exact
        own = frame.grid(None if _is_parallel(grid) else min(grid.spacing_mm))
        voxels, weights = np.arange(own.size), None
    else:
        # voxels on the rim are spread evenly over themselves: they have to be small
        finest_mm = float((np.prod(frame.sides_mm) / MOST_VOXELS) ** (1 / 3))
        own = frame.grid(max(min(grid.spacing_mm) / BOXES_A_STEP, finest_mm))
        centre = (np.array(own.shape) - 1) / 2 * np.array(own.spacing_mm)
        voxels, weights = cylinder_weights(
            own, centre, axis=0, radius_mm=shape.radius_mm, length_mm=shape.length_mm
        )
    roi = Roi(roi_id=roi_id, name=shape.name, voxels=voxels, weights=weights, source=shape.words())
    (placed,), findings = onto([roi], grid, from_grid=own)
    other = "ROI_ON_OTHER_GRID"
    return (
        replace(placed, flags=tuple(code for code in placed.flags if code != other)),
        tuple(finding for finding in findings if finding.code != other),
    )


def _is_parallel(grid: Grid) -> bool:
    """Whether the axes of a grid run along x, y and z."""
    away = np.abs(grid.directions)
    return bool(np.minimum(away, np.abs(away - 1)).max() <= ALIGNED)


def _along(grid: Grid, point_mm: Point) -> Float:
    """(3,) place of a point along the axes of a grid, mm from the centre of its first voxel."""
    return np.asarray(np.linalg.solve(grid.directions, np.array(point_mm) - grid.origin_mm), np.float64)


def _at(point_mm: Point) -> str:
    return f"({', '.join(f'{part:g}' for part in point_mm)}) mm LPS"
