"""A body says what is where: shapes with their uptake, and the regions in which the truth is quoted.

Uptake is a contrast in SUV (g/mL, body weight): the SUV of a voxel is the sum over all shapes of contrast
times field, so a lesion of SUV 4 in a background of SUV 1 has contrast 3. Positions are LPS in mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from petquant_phantoms import fields, overlaps, sections
from petquant_phantoms.moved import Moved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.image_grid import ImageGrid, Vector

Role = Literal["lesion", "background"]
Sampling = Literal["point", "voxel_mean"]

GAUSS_POINTS = 6  # an axis, for the mean of a blurred field over a voxel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A ball."""

    centre_mm: Vector
    radius_mm: float

    @property
    def volume_ml(self) -> float:
        """Volume, ``4/3 pi R^3``."""
        return 4.0 / 3.0 * math.pi * self.radius_mm**3 / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return self.radius_mm

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        distance_mm = np.linalg.norm(points_mm - np.array(self.centre_mm), axis=-1)
        return fields.sphere(distance_mm, radius_mm=self.radius_mm, fwhm_mm=fwhm_mm)

    def fractions(self, points_mm: NDArray[np.float64], size_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which part of each voxel, a box of ``size_mm`` round its centre, the sharp shape fills."""
        low = points_mm.reshape(-1, 3) - np.array(self.centre_mm) - 0.5 * size_mm
        volumes = overlaps.ball_in_box(low, low + size_mm, radius_mm=self.radius_mm)
        return np.asarray((volumes / np.prod(size_mm)).reshape(points_mm.shape[:-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """A circular cylinder along the axis of the patient."""

    centre_mm: Vector
    radius_mm: float
    half_length_mm: float

    @property
    def volume_ml(self) -> float:
        """Volume, ``pi R^2 L``."""
        return 2.0 * math.pi * self.radius_mm**2 * self.half_length_mm / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return math.hypot(self.radius_mm, self.half_length_mm)

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        from_centre = points_mm - np.array(self.centre_mm)
        across_mm = np.hypot(from_centre[..., 0], from_centre[..., 1])
        radial = fields.disc(across_mm, radius_mm=self.radius_mm, fwhm_mm=fwhm_mm)
        return radial * fields.slab(from_centre[..., 2], half_width_mm=self.half_length_mm, fwhm_mm=fwhm_mm)

    def fractions(self, points_mm: NDArray[np.float64], size_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which part of each voxel, a box of ``size_mm`` round its centre, the sharp shape fills."""
        from_centre = points_mm - np.array(self.centre_mm)
        low = from_centre[..., :2] - 0.5 * size_mm[:2]
        area = overlaps.disc_in_rectangle(low, low + size_mm[:2], radius_mm=self.radius_mm)
        across = area / (size_mm[0] * size_mm[1])
        return np.asarray(across * _covered(from_centre[..., 2], self.half_length_mm, size_mm[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with its faces along the axes of the patient."""

    centre_mm: Vector
    half_widths_mm: Vector

    @property
    def volume_ml(self) -> float:
        """Volume, ``8 a b c``."""
        return 8.0 * math.prod(self.half_widths_mm) / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return math.hypot(*self.half_widths_mm)

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        from_centre = points_mm - np.array(self.centre_mm)
        product = np.ones(from_centre.shape[:-1])
        for axis, half_width_mm in enumerate(self.half_widths_mm):
            product *= fields.slab(from_centre[..., axis], half_width_mm=half_width_mm, fwhm_mm=fwhm_mm)
        return product

    def fractions(self, points_mm: NDArray[np.float64], size_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which part of each voxel, a box of ``size_mm`` round its centre, the sharp shape fills."""
        from_centre = points_mm - np.array(self.centre_mm)
        product = np.ones(from_centre.shape[:-1])
        for axis, half_width_mm in enumerate(self.half_widths_mm):
            product *= _covered(from_centre[..., axis], half_width_mm, size_mm[axis])
        return product


def _covered(offset_mm: NDArray[np.float64], half_width_mm: float, size_mm: float) -> NDArray[np.float64]:
    """Return which part of an interval of length ``size_mm`` round each offset lies within the half-width."""
    high = np.minimum(offset_mm + 0.5 * size_mm, half_width_mm)
    low = np.maximum(offset_mm - 0.5 * size_mm, -half_width_mm)
    return np.asarray(np.maximum(high - low, 0.0) / size_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSpace:
    """Everything on one side of a plane: the side that the unit vector ``normal`` points to."""

    centre_mm: Vector
    normal: Vector

    def __post_init__(self) -> None:
        if abs(math.hypot(*self.normal) - 1.0) > 1e-9:
            raise ValueError(f"the normal of a half-space must have length 1, found {self.normal}")

    @property
    def volume_ml(self) -> float:
        """Volume: without bounds."""
        return math.inf

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape: without bounds."""
        return math.inf

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        depth_mm = (points_mm - np.array(self.centre_mm)) @ np.array(self.normal)
        return fields.half_space(depth_mm, fwhm_mm=fwhm_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipsoid:
    """An ellipsoid with its axes along those of the patient; its blur is a quadrature (`sections`)."""

    centre_mm: Vector
    semi_axes_mm: Vector

    @property
    def volume_ml(self) -> float:
        """Volume, ``4/3 pi a b c``."""
        return 4.0 / 3.0 * math.pi * math.prod(self.semi_axes_mm) / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return max(self.semi_axes_mm)

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        from_centre = points_mm - np.array(self.centre_mm)
        return sections.ellipsoid(from_centre, semi_axes_mm=self.semi_axes_mm, fwhm_mm=fwhm_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class EllipticCylinder:
    """An elliptic cylinder along the axis of the patient; its blur is a quadrature (`sections`)."""

    centre_mm: Vector
    half_width_mm: float
    half_height_mm: float
    half_length_mm: float

    @property
    def volume_ml(self) -> float:
        """Volume, ``pi a b L``."""
        return 2.0 * math.pi * self.half_width_mm * self.half_height_mm * self.half_length_mm / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return math.hypot(max(self.half_width_mm, self.half_height_mm), self.half_length_mm)

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        rows = sections.ellipse_rows(self.half_width_mm, self.half_height_mm)
        return _prism(points_mm - np.array(self.centre_mm), rows, self.half_length_mm, fwhm_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class IecBody:
    """The interior of the IEC body phantom, the half-disc in front; ``centre_mm`` is the middle of its box.

    A half-disc of radius 147 mm over a rectangle whose lower corners have a radius of 77 mm (OpenGATE
    ``contrib/phantoms/nemaiec.py``); the circle of the spheres is centred on it.
    """

    centre_mm: Vector
    half_length_mm: float

    @property
    def volume_ml(self) -> float:
        """Volume, cross-section times length."""
        return 2.0 * sections.IEC_AREA_MM2 * self.half_length_mm / 1000.0

    @property
    def outer_radius_mm(self) -> float:
        """Radius of the ball round the centre that holds the shape."""
        return math.hypot(sections.IEC_RADIUS_MM + sections.IEC_CENTRE_ABOVE_CHORD_MM, self.half_length_mm)

    def field(self, points_mm: NDArray[np.float64], *, fwhm_mm: float) -> NDArray[np.float64]:
        """Return the blurred shape of unit contrast at points of shape (..., 3)."""
        from_centre = points_mm - np.array(self.centre_mm)
        return _prism(from_centre, sections.IEC_ROWS, self.half_length_mm, fwhm_mm)


def _prism(
    from_centre: NDArray[np.float64],
    rows: tuple[sections.Rows, ...],
    half_length_mm: float,
    fwhm_mm: float,
) -> NDArray[np.float64]:
    across = sections.section(from_centre[..., 0], from_centre[..., 1], rows=rows, fwhm_mm=fwhm_mm)
    along = fields.slab(from_centre[..., 2], half_width_mm=half_length_mm, fwhm_mm=fwhm_mm)
    return np.asarray(across * along)


Shape = Sphere | Cylinder | Box | HalfSpace | Ellipsoid | EllipticCylinder | IecBody | Moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """A shape and what it adds to the SUV inside it.

    ``hu`` is what a CT shows inside the shape, in HU, whatever lies beneath it; None leaves that as it is.
    """

    name: str
    shape: Shape
    contrast_suv: float
    hu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """One voxel [k, j, i] that carries its own SUV, whatever surrounds it."""

    voxel: tuple[int, int, int]
    suv: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region in which the truth is quoted: the voxels whose centre lies in the sharp shape."""

    name: str
    shape: Shape
    role: Role = "lesion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is where: a uniform SUV everywhere, shapes that add to it, single voxels, and regions."""

    background_suv: float = 0.0
    uptakes: tuple[Uptake, ...] = ()
    spikes: tuple[Spike, ...] = ()
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        names = [region.name for region in self.regions]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"region names must differ: {', '.join(repeated)}")

    @property
    def lesions(self) -> tuple[Region, ...]:
        """The regions of role lesion, in the order of their labels from 1."""
        return tuple(region for region in self.regions if region.role == "lesion")

    @property
    def backgrounds(self) -> tuple[Region, ...]:
        """The regions of role background, each a file of its own."""
        return tuple(region for region in self.regions if region.role == "background")


@lru_cache(maxsize=64)
def suv_field(
    body: Body, grid: ImageGrid, *, fwhm_mm: float, sampling: Sampling = "point"
) -> NDArray[np.float64]:
    """Return the SUV of every voxel, float64 [k, j, i], read-only: computed once per body and grid.

    Parameters
    ----------
    body, grid
        What is where, and where it is sampled.
    fwhm_mm
        Width of a Gaussian point spread.
    sampling
        "point": the value at the voxel centre; "voxel_mean": the mean over the voxel, by 6 x 6 x 6 Gauss
        points, or exactly where the shapes are sharp.

    Raises
    ------
    ValueError
        If a sharp shape has no exact mean over the voxels of this grid.
    """
    suv = np.full(grid.shape, body.background_suv)
    for uptake in body.uptakes:
        if uptake.contrast_suv == 0.0:  # a bone that the CT alone shows
            continue
        near, values = _unit_field(uptake.shape, grid, fwhm_mm, sampling)
        suv.reshape(-1)[near] += uptake.contrast_suv * values
    for spike in body.spikes:
        suv[spike.voxel] = spike.suv
    suv.flags.writeable = False
    return suv


@lru_cache(maxsize=32)
def _unit_field(
    shape: Shape, grid: ImageGrid, fwhm_mm: float, sampling: Sampling
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the flat voxels that a shape reaches and its field there: one anatomy serves many tracers."""
    points_mm = grid.voxel_centres_mm().reshape(-1, 3)
    half_diagonal_mm = 0.5 * math.hypot(*grid.spacing_mm)
    reach_mm = shape.outer_radius_mm + fields.REACH_IN_SIGMAS * fields.sigma_mm(fwhm_mm) + half_diagonal_mm
    near = np.flatnonzero(((points_mm - np.array(shape.centre_mm)) ** 2).sum(axis=-1) <= reach_mm**2)
    if sampling == "point":
        return near, shape.field(points_mm[near], fwhm_mm=fwhm_mm)
    return near, _voxel_means(shape, points_mm[near], grid, fwhm_mm)


def _voxel_means(
    shape: Shape, points_mm: NDArray[np.float64], grid: ImageGrid, fwhm_mm: float
) -> NDArray[np.float64]:
    """Return the means of a field over voxels round points (n, 3)."""
    axes = np.stack([grid.normal, grid.along_rows, grid.along_columns])
    if fwhm_mm == 0.0:
        if not isinstance(shape, Sphere | Cylinder | Box) or not np.isin(np.abs(axes), (0.0, 1.0)).all():
            raise ValueError(
                f"the exact part of a voxel in a sharp {type(shape).__name__} on this grid is unknown: it is "
                "known for spheres, cylinders and boxes along the patient's axes; give a point spread"
            )
        return shape.fractions(points_mm, np.abs(axes.T @ np.array(grid.spacing_mm)))
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS_POINTS)
    steps = 0.5 * np.array(grid.spacing_mm)[:, None] * axes
    means = np.zeros(points_mm.shape[:-1])
    for index in np.ndindex((GAUSS_POINTS,) * 3):
        weight = float(np.prod(weights[list(index)])) / 8.0
        means += weight * shape.field(points_mm + nodes[list(index)] @ steps, fwhm_mm=fwhm_mm)
    return means


@lru_cache(maxsize=256)
def region_mask(region: Region, grid: ImageGrid) -> NDArray[np.bool_]:
    """Return the voxels whose centre lies inside the sharp shape of a region, [k, j, i], read-only."""
    mask = region.shape.field(grid.voxel_centres_mm(), fwhm_mm=0.0) > 0.5
    mask.flags.writeable = False
    return mask
