"""References name the images that a region was drawn on: class, instance and place of every slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage

from petquant_phantoms.ct_series import ct_instance_uid
from petquant_phantoms.pet_attributes import SliceOfSeries, instance_uid
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.image_grid import ImageGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedSeries:
    """The series that regions were drawn on: its UID, grid, and the instance of every slice that exists."""

    uid: str
    class_uid: str
    grid: ImageGrid
    instances: dict[int, str]

    def images(self, slices: list[int] | None = None) -> list[Dataset]:
        """Return the items that name the images of slices (of all when None), where they exist."""
        wanted = self.instances if slices is None else [k for k in slices if k in self.instances]
        return [self._image(self.instances[k]) for k in wanted]

    def _image(self, instance: str) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID = self.class_uid
        item.ReferencedSOPInstanceUID = instance
        return item


def pet_of(definition: Definition) -> ReferencedSeries:
    """Return the PET series of a phantom, first frame and gate."""
    name = definition.name
    return ReferencedSeries(
        uid=uid(name, "PT"),
        class_uid=PositronEmissionTomographyImageStorage,
        grid=definition.grid,
        instances={
            k: instance_uid(name, SliceOfSeries(k=k), kind="PT")
            for k in range(definition.grid.shape[0])
            if k not in definition.missing_slices
        },
    )


def ct_of(definition: Definition) -> ReferencedSeries:
    """Return the CT series of a phantom."""
    if definition.ct is None:
        raise ValueError(f"{definition.name}: regions drawn on CT need a [ct]")
    grid = definition.ct.grid
    return ReferencedSeries(
        uid=uid(definition.name, "CT"),
        class_uid=CTImageStorage,
        grid=grid,
        instances={k: ct_instance_uid(definition, k) for k in range(grid.shape[0])},
    )
