"""References name the images that a region was drawn on: class, instance and place of every slice.

Of a multi-frame object they name the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
)

from petquant_phantoms.ct_series import ct_instance_uid
from petquant_phantoms.pet_attributes import SliceOfSeries, instance_uid
from petquant_phantoms.pet_series import places
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.image_grid import ImageGrid

_MULTI_FRAME = {
    "enhanced": (EnhancedPETImageStorage, "enhanced"),
    "legacy_converted": (LegacyConvertedEnhancedPETImageStorage, "legacy converted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedSeries:
    """The series that regions were drawn on: its UID, grid, and the instance of every slice that exists.

    `frames` gives the number of the frame that holds a slice, where all are frames of one object.
    """

    uid: str
    class_uid: str
    grid: ImageGrid
    instances: dict[int, str]
    frames: dict[int, int] | None = None

    def images(self, slices: list[int] | None = None) -> list[Dataset]:
        """Return the items that name the images of slices (of all when None), where they exist."""
        wanted = list(self.instances) if slices is None else [k for k in slices if k in self.instances]
        if self.frames is None or not wanted:
            return [self._image(self.instances[k]) for k in wanted]
        item = self._image(self.instances[wanted[0]])
        if slices is not None:
            item.ReferencedFrameNumber = [self.frames[k] for k in wanted]
        return [item]

    def _image(self, instance: str) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID = self.class_uid
        item.ReferencedSOPInstanceUID = instance
        return item


def pet_of(definition: Definition) -> ReferencedSeries:
    """Return the PET series of a phantom, first frame and gate."""
    name = definition.name
    if definition.object != "classic":
        class_uid, words = _MULTI_FRAME[definition.object]
        frames = {
            place.k: place.instance
            for place, _ in places(definition)
            if (place.frame, place.gate, place.copy) == (0, 0, 0)
        }
        return ReferencedSeries(
            uid=uid(name, "PT"),
            class_uid=class_uid,
            grid=definition.grid,
            instances=dict.fromkeys(sorted(frames), uid(name, "PT", words)),
            frames=frames,
        )
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
