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

from petquant_phantoms import fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.image_grid import ImageGrid, Vector

Role = Literal["lesion", "background"]


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


Shape = Sphere | Cylinder | Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """A shape and what it adds to the SUV inside it."""

    name: str
    shape: Shape
    contrast_suv: float


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
def suv_field(body: Body, grid: ImageGrid, *, fwhm_mm: float) -> NDArray[np.float64]:
    """Return the SUV at every voxel centre, float64 [k, j, i], read-only: computed once per body and grid."""
    points_mm = grid.voxel_centres_mm()
    suv = np.full(grid.shape, body.background_suv)
    for uptake in body.uptakes:
        shape = uptake.shape
        reach_mm = shape.outer_radius_mm + fields.REACH_IN_SIGMAS * fields.sigma_mm(fwhm_mm)
        near = ((points_mm - np.array(shape.centre_mm)) ** 2).sum(axis=-1) <= reach_mm**2
        suv[near] += uptake.contrast_suv * shape.field(points_mm[near], fwhm_mm=fwhm_mm)
    for spike in body.spikes:
        suv[spike.voxel] = spike.suv
    suv.flags.writeable = False
    return suv


@lru_cache(maxsize=256)
def region_mask(region: Region, grid: ImageGrid) -> NDArray[np.bool_]:
    """Return the voxels whose centre lies inside the sharp shape of a region, [k, j, i], read-only."""
    mask = region.shape.field(grid.voxel_centres_mm(), fwhm_mm=0.0) > 0.5
    mask.flags.writeable = False
    return mask
