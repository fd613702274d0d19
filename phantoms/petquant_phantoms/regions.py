"""The regions of a phantom on its PET grid, whatever they are made from, and the groups that share a file.

Lesions share one file, every background has its own. Where lesions overlap no label map can hold them: their
NIfTI form is then a folder of masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from petquant_phantoms.body import region_mask
from petquant_phantoms.squares import NO_AREA, Square, Variant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Role
    from petquant_phantoms.definition import Definition, Drawn
    from petquant_phantoms.drawn_regions import Quoted
    from petquant_phantoms.image_grid import Vector

NUMBERED_TOLD = (255, 256, 65535, 65536, 65537)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionOnGrid:
    """One region and the weight of every PET voxel in it.

    Attributes
    ----------
    label
        Its number in its file, from 1.
    weights
        [k, j, i], 0 to 1.
    centre_mm, volume_ml
        Of the shape that it was made from.
    quoted, flags
        Values and flags that the definition names.
    square
        How it is drawn, where it is given by contours.
    variants
        What other options of a reader make of it.
    """

    name: str
    role: Role
    label: int
    weights: NDArray[np.float64]
    centre_mm: Vector
    volume_ml: float
    quoted: tuple[Quoted, ...] = ()
    flags: tuple[str, ...] = ()
    square: Square | None = None
    variants: tuple[Variant, ...] = ()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels at least half inside."""
        return np.asarray(self.weights >= 0.5 - 1e-9)

    @property
    def is_weighted(self) -> bool:
        """Whether a voxel lies partly inside."""
        return bool(((self.weights > 0.0) & (self.weights < 1.0)).any())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Regions that share a file, and its stem."""

    name: str
    regions: tuple[RegionOnGrid, ...]

    @property
    def overlaps(self) -> bool:
        """Whether two of the regions share a voxel."""
        return bool((np.sum([region.weights > 0.0 for region in self.regions], axis=0) > 1).any())

    @property
    def is_contoured(self) -> bool:
        """Whether the regions are given by contours, and exist as nothing else."""
        return any(region.square is not None for region in self.regions)

    @property
    def is_weighted(self) -> bool:
        """Whether a region has fractions of voxels."""
        return any(region.is_weighted for region in self.regions)


@lru_cache(maxsize=16)
def groups_of(definition: Definition) -> tuple[Group, ...]:
    """Return the regions of a phantom: the lesions as one group, every background as its own.

    Of numbered voxels there are a few only: `NUMBERED_TOLD` and both ends.
    """
    regions = _regions(definition)
    lesions = tuple(region for region in regions if region.role == "lesion")
    found = [Group(name="lesions", regions=lesions)] if lesions else []
    found += [Group(name=region.name, regions=(region,)) for region in regions if region.role == "background"]
    return tuple(found)


def refused_drawings(definition: Definition) -> tuple[Square, ...]:
    """Return the contours that enclose no area, each a file of its own that must be refused."""
    return tuple(
        region for region in definition.drawn if isinstance(region, Square) and region.drawing in NO_AREA
    )


def _regions(definition: Definition) -> list[RegionOnGrid]:
    grid = definition.grid
    found = []
    n_lesions = 0
    for region in definition.body.regions:
        n_lesions += region.role == "lesion"
        found.append(
            RegionOnGrid(
                name=region.name,
                role=region.role,
                label=n_lesions if region.role == "lesion" else 1,
                weights=region_mask(region, grid).astype(np.float64),
                centre_mm=region.shape.centre_mm,
                volume_ml=region.shape.volume_ml,
            )
        )
    for drawn in definition.drawn:
        if isinstance(drawn, Square) and drawn.drawing in NO_AREA:
            continue
        n_lesions += drawn.role == "lesion"
        found.append(_drawn(drawn, definition, label=n_lesions if drawn.role == "lesion" else 1))
    return [*found, *_numbered(definition)]


def _drawn(drawn: Drawn, definition: Definition, *, label: int) -> RegionOnGrid:
    grid = definition.grid
    ct = None if definition.ct is None else definition.ct.grid
    return RegionOnGrid(
        name=drawn.name,
        role=drawn.role,
        label=label,
        weights=drawn.weights(grid, ct) if isinstance(drawn, Square) else drawn.weights(grid),
        centre_mm=drawn.centre_mm(grid),
        volume_ml=drawn.volume_ml(grid, ct) if isinstance(drawn, Square) else drawn.volume_ml(grid),
        quoted=drawn.quoted,
        flags=drawn.flags,
        square=drawn if isinstance(drawn, Square) else None,
        variants=drawn.variants(grid) if isinstance(drawn, Square) else (),
    )


def _numbered(definition: Definition) -> list[RegionOnGrid]:
    """Return a few of the labels of one voxel each: those where a type of integer ends, and both ends."""
    grid, count = definition.grid, definition.numbered_voxels
    found = []
    for label in sorted({n for n in (1, *NUMBERED_TOLD, count) if 1 <= n <= count}):
        weights = np.zeros(grid.shape)
        voxel = np.unravel_index(label - 1, grid.shape)
        weights[voxel] = 1.0
        x, y, z = grid.voxel_centre_mm(*(int(n) for n in voxel)).tolist()
        found.append(
            RegionOnGrid(
                name=f"label {label}",
                role="lesion",
                label=label,
                weights=weights,
                centre_mm=(x, y, z),
                volume_ml=grid.voxel_volume_ml,
            )
        )
    return found
