"""Squares drawn as contours in every way that a planning system draws them, with the voxels that they mean.

A square of half-width 8.3 voxels round a voxel centre holds 17 x 17 voxel centres and has an area of 16.6^2
voxels; a hole of half-width 3.3 takes 7 x 7 centres away. What a drawing means follows from those numbers
alone: by voxel centre for contours on the PET's slices, by area for those that lie elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from petquant_phantoms.drawn_regions import Quoted, covered
from petquant_phantoms.rtstruct import Contour, ContouredRegion, ContourType, in_patient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Role
    from petquant_phantoms.image_grid import ImageGrid, Vector
    from petquant_phantoms.references import ReferencedSeries

Drawing = Literal[
    "plain",
    "nested",
    "xor",
    "keyhole",
    "every_second",
    "off_plane",
    "with_open",
    "duplicate",
    "on_ct",
    "open",
    "point",
]

OFF_PLANE = 0.45  # of a slice
HOLED = {"nested", "xor", "keyhole"}
BY_AREA = {"off_plane", "on_ct"}
NO_AREA = {"open", "point"}  # alone they are no region


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What the region is under other options of the reader: words of the command line, and weights."""

    options: tuple[str, ...]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One square region, and how it is drawn.

    Attributes
    ----------
    centre
        Voxel [j, i] in the middle of the square.
    half_width, hole_half_width
        In voxels; the hole of drawings that have none is not used.
    first_slice, n_slices
        PET slices that it fills.
    ct_planes
        First plane and number of planes of the CT for the drawing "on_ct".
    expected
        "ok", or the code of the refusal that the drawing must meet.
    """

    name: str
    drawing: Drawing
    centre: tuple[int, int]
    half_width: float = 8.3
    hole_half_width: float = 3.3
    first_slice: int = 2
    n_slices: int = 6
    ct_planes: tuple[int, int] = (0, 0)
    role: Role = "lesion"
    expected: str = "ok"
    flags: tuple[str, ...] = ()
    quoted: tuple[Quoted, ...] = ()

    def weights(self, grid: ImageGrid, ct: ImageGrid | None = None) -> NDArray[np.float64]:
        """Return the weight of every PET voxel [k, j, i] under the default rule."""
        if self.drawing == "on_ct":
            return self._by_area(self._ct_slab(grid, ct), grid)
        if self.drawing == "off_plane":
            low = self.first_slice + OFF_PLANE - 0.5
            return self._by_area(covered(low, low + self.n_slices, n=grid.shape[0]), grid)
        step = 2 if self.drawing == "every_second" else 1
        return self._by_centre(grid, step=step)

    def variants(self, grid: ImageGrid) -> tuple[Variant, ...]:
        """Return what other options make of the drawing."""
        plain = self._by_centre(grid, step=1)
        if self.drawing == "every_second":
            return (Variant(options=("--fill-gaps",), weights=plain),)
        if self.drawing == "off_plane":
            return (Variant(options=("--edge", "centre"), weights=plain),)
        if self.drawing == "plain":
            slab = covered(self.first_slice - 0.5, self.first_slice + self.n_slices - 0.5, n=grid.shape[0])
            return (Variant(options=("--edge", "area"), weights=self._by_area(slab, grid)),)
        return ()

    def volume_ml(self, grid: ImageGrid, ct: ImageGrid | None = None) -> float:
        """Return the volume of what was drawn: area of the polygon times the slices it fills."""
        area = (2.0 * self.half_width) ** 2
        if self.drawing in HOLED:
            area -= (2.0 * self.hole_half_width) ** 2
        if self.drawing == "on_ct":
            return area * float(self._ct_slab(grid, ct).sum()) * grid.voxel_volume_ml
        filled = (self.n_slices + 1) // 2 if self.drawing == "every_second" else self.n_slices
        return area * filled * grid.voxel_volume_ml

    def centre_mm(self, grid: ImageGrid) -> Vector:
        """Return the middle of the square on its middle slice."""
        height = self.first_slice + 0.5 * (self.n_slices - 1)
        corner = np.array([[self.centre[1], self.centre[0]]], dtype=np.float64)
        x, y, z = in_patient(corner, height=height, grid=grid)[0].tolist()
        return (x, y, z)

    def contoured(self, pet: ReferencedSeries, ct: ReferencedSeries | None) -> ContouredRegion:
        """Return the contours of the drawing, on the PET or on the CT."""
        if self.drawing == "on_ct":
            if ct is None:
                raise ValueError(f"region {self.name!r} is drawn on CT, and there is none")
            return ContouredRegion(name=self.name, contours=self._on_ct(pet.grid, ct), series=ct)
        contours: list[Contour] = []
        for k in self._slices():
            contours += self._on_slice(k, pet.grid)
        if self.drawing == "with_open":
            line = self._corners(self.half_width)[:3]
            contours.append(self._contour(line, self.first_slice, pet.grid, type_="OPEN_PLANAR"))
            contours.append(self._contour(line[:1], self.first_slice, pet.grid, type_="POINT"))
        return ContouredRegion(name=self.name, contours=tuple(contours), series=pet)

    def _slices(self) -> range:
        step = 2 if self.drawing == "every_second" else 1
        return range(self.first_slice, self.first_slice + self.n_slices, step)

    def _on_slice(self, k: int, grid: ImageGrid) -> list[Contour]:
        outer, inner = self._corners(self.half_width), self._corners(self.hole_half_width)
        if self.drawing == "point":
            return [self._contour(outer[:1], k, grid, type_="POINT")]
        if self.drawing == "open":
            return [self._contour(outer[:3], k, grid, type_="OPEN_PLANAR")]
        if self.drawing == "keyhole":
            there_and_back = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
            return [self._contour(there_and_back, k, grid)]
        if self.drawing in HOLED:
            type_: ContourType = "CLOSEDPLANAR_XOR" if self.drawing == "xor" else "CLOSED_PLANAR"
            return [self._contour(corners, k, grid, type_=type_) for corners in (outer, inner)]
        shift = OFF_PLANE if self.drawing == "off_plane" else 0.0
        copies = 2 if self.drawing == "duplicate" else 1
        return [self._contour(outer, k, grid, shift=shift)] * copies

    def _on_ct(self, grid: ImageGrid, ct: ReferencedSeries) -> tuple[Contour, ...]:
        first, count = self.ct_planes
        contours = []
        for plane in range(first, first + count):
            height = float((ct.grid.origin_mm[2] - grid.origin_mm[2]) / grid.spacing_mm[0])
            height += plane * ct.grid.spacing_mm[0] / grid.spacing_mm[0]
            points_mm = in_patient(self._corners(self.half_width), height=height, grid=grid)
            contours.append(Contour(points_mm=points_mm, k=plane))
        return tuple(contours)

    def _ct_slab(self, grid: ImageGrid, ct: ImageGrid | None) -> NDArray[np.float64]:
        """Return which part of every PET slice the slab of the CT planes covers."""
        if ct is None:
            raise ValueError(f"region {self.name!r} is drawn on CT, and there is none")
        first, count = self.ct_planes
        step_mm = ct.spacing_mm[0]
        low_mm = ct.origin_mm[2] - grid.origin_mm[2] + (first - 0.5) * step_mm
        low, high = low_mm / grid.spacing_mm[0], (low_mm + count * step_mm) / grid.spacing_mm[0]
        return covered(low, high, n=grid.shape[0])

    def _corners(self, half_width: float) -> NDArray[np.float64]:
        y, x = self.centre
        signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        return np.array([x, y]) + half_width * signs

    def _contour(
        self,
        corners: NDArray[np.float64],
        k: int,
        grid: ImageGrid,
        *,
        type_: ContourType = "CLOSED_PLANAR",
        shift: float = 0.0,
    ) -> Contour:
        return Contour(points_mm=in_patient(corners, height=k + shift, grid=grid), k=k, type=type_)

    def _by_centre(self, grid: ImageGrid, *, step: int) -> NDArray[np.float64]:
        """Return 1 where a voxel centre lies in the square and not in its hole."""
        from_j, from_i = (
            np.abs(np.arange(n) - at) for n, at in zip(grid.shape[1:], self.centre, strict=True)
        )
        inside = (from_j < self.half_width)[:, None] & (from_i < self.half_width)[None, :]
        if self.drawing in HOLED:
            inside &= ~((from_j < self.hole_half_width)[:, None] & (from_i < self.hole_half_width)[None, :])
        found = np.zeros(grid.shape)
        found[self.first_slice : self.first_slice + self.n_slices : step] = inside
        return found

    def _by_area(self, slab: NDArray[np.float64], grid: ImageGrid) -> NDArray[np.float64]:
        """Return the part of every voxel inside the square, times that of its slice inside the slab."""
        along_j, along_i = (
            covered(at - self.half_width, at + self.half_width, n=n)
            for n, at in zip(grid.shape[1:], self.centre, strict=True)
        )
        return np.asarray(np.einsum("k,j,i->kji", slab, along_j, along_i))
