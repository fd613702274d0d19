"""Functional groups say per frame, or once for all frames, what classic slices said each for itself.

Dimensions of every multi-frame object here: stack, position in the stack, and the time frame where there are
several. In-stack positions count slices of the grid from 1, whatever the order of the frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.pet_attributes import coded
from petquant_phantoms.radiopharmaceuticals import Code
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from petquant_phantoms.image_grid import ImageGrid
    from petquant_phantoms.pet_attributes import SliceOfSeries

STACK = "1"
WHOLE_BODY = Code(value="38266002", meaning="Entire body")


def item_of(**values: object) -> list[Dataset]:
    """Return a sequence of one item with these attributes by keyword."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return [item]


def put_dimensions(dataset: Dataset, *, name: str, has_time_frames: bool) -> None:
    """Write the dimensions that order the frames."""
    organisation = uid(name, "dimension organization")
    dataset.DimensionOrganizationSequence = item_of(DimensionOrganizationUID=organisation)
    keywords = ["StackID", "InStackPositionNumber"]
    keywords += ["TemporalPositionIndex"] if has_time_frames else []
    dataset.DimensionIndexSequence = [
        item_of(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=_tag(keyword),
            FunctionalGroupPointer=_tag("FrameContentSequence"),
            DimensionDescriptionLabel=keyword,
        )[0]
        for keyword in keywords
    ]


def _tag(keyword: str) -> BaseTag:
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"{keyword!r} is no DICOM keyword")
    return Tag(number)


def put_place(content: Dataset, place: SliceOfSeries, *, has_time_frames: bool) -> None:
    """Write into a frame content which slice and time frame it holds."""
    content.StackID = STACK
    content.InStackPositionNumber = place.k + 1
    content.TemporalPositionIndex = place.frame + 1
    values = [1, place.k + 1]
    if has_time_frames:
        values.append(place.frame + 1)
    content.DimensionIndexValues = values


def put_frame_type(group: Dataset, image_type: Sequence[str]) -> None:
    """Write the type of the frames into a functional group."""
    group.PETFrameTypeSequence = item_of(FrameType=list(image_type))
    put_image_character(group.PETFrameTypeSequence[0])


def put_image_character(holder: Dataset) -> None:
    """Write what kind of pixels an object or its frames have."""
    holder.PixelPresentation = "MONOCHROME"
    holder.VolumetricProperties = "VOLUME"
    holder.VolumeBasedCalculationTechnique = "NONE"


def put_grid(shared: Dataset, grid: ImageGrid) -> None:
    """Write spacing, orientation, anatomy and window, which all frames share."""
    measures = Dataset()
    measures.SliceThickness = text_of(grid.spacing_mm[0])
    if grid.slice_offsets_mm is None:
        measures.SpacingBetweenSlices = text_of(grid.spacing_mm[0])
    measures.PixelSpacing = [text_of(grid.spacing_mm[1]), text_of(grid.spacing_mm[2])]
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = item_of(ImageOrientationPatient=[text_of(x) for x in grid.orientation])
    shared.FrameAnatomySequence = item_of(AnatomicRegionSequence=[coded(WHOLE_BODY)], FrameLaterality="U")
    shared.FrameVOILUTSequence = item_of(WindowCenter="16384", WindowWidth="32768")


def plane_position(grid: ImageGrid, k: int) -> list[Dataset]:
    """Return where the first voxel of a slice lies."""
    position_mm = grid.voxel_centre_mm(k, 0, 0)
    return item_of(ImagePositionPatient=[text_of(round(float(x), 9)) for x in position_mm])


def pixel_value_transformation(slope_text: str) -> list[Dataset]:
    """Return how stored integers become values, without a word about their unit."""
    return item_of(RescaleIntercept="0", RescaleSlope=slope_text, RescaleType="US")


def put_frames(dataset: Dataset, frames: Sequence[bytes], *, shape: tuple[int, int]) -> None:
    """Write signed 16-bit frames, little endian, one after the other."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = str(len(frames))
    dataset.Rows, dataset.Columns = shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.LossyImageCompression = "00"
    dataset.add_new("PixelData", "OW", b"".join(frames))
