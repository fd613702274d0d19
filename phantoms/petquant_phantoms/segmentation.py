"""A DICOM SEG holds regions as frames on the slices of the PET: bits, fractions of voxels, or labels.

Written by pydicom alone, so that it owes nothing to the writer of the library. Frames without a voxel are
left out; every frame names its slice and the PET image it was drawn on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import SegmentationStorage

from petquant_phantoms import pet_attributes as attributes
from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.radiopharmaceuticals import Code
from petquant_phantoms.references import ReferencedSeries, pet_of
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.regions import RegionOnGrid

SegmentationType = Literal["BINARY", "FRACTIONAL", "LABELMAP"]

LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
LARGEST_FRACTION = 255
SERIES_NUMBER = 4

MORPHOLOGICALLY_ALTERED = Code(value="49755003", meaning="Morphologically Altered Structure")
MASS = Code(value="4147007", meaning="Mass")
TISSUE = Code(value="85756007", meaning="Tissue")
MANUAL_PROCESSING = Code(value="123109", scheme="DCM", meaning="Manual Processing")
SOURCE_IMAGE = Code(value="121322", scheme="DCM", meaning="Source image for image processing operation")
SEGMENTATION = Code(value="113076", scheme="DCM", meaning="Segmentation")

REFERENCED_SEGMENT, POSITION, SEGMENT_IDENTIFICATION, PLANE_POSITION, FRAME_CONTENT, STACK, IN_STACK = (
    Tag(number)
    for number in (0x0062000B, 0x00200032, 0x0062000A, 0x00209113, 0x00209111, 0x00209056, 0x00209057)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One frame: its slice, its segment (None in a label map, which holds all), and its stored integers."""

    k: int
    segment: int | None
    stored: NDArray[np.uint16]


def seg_dataset(
    definition: Definition, regions: Sequence[RegionOnGrid], *, name: str, number: int = 1
) -> Dataset:
    """Return the SEG of regions on the PET of a phantom, in the type that the definition names.

    Parameters
    ----------
    definition
        The phantom.
    regions
        Regions on the PET grid; segments count from 1 in their order.
    name
        Of the object: part of its UIDs.
    number
        InstanceNumber, and the place of its series among those of its kind.

    Raises
    ------
    ValueError
        If FRACTIONAL is named for weights that are no multiples of 1/255.
    """
    kind = definition.segmentation_type
    pet = pet_of(definition)
    frames = _frames(regions, kind)
    dataset = _identity(definition, name=name, number=number)
    dataset.SOPClassUID = LABEL_MAP_STORAGE if kind == "LABELMAP" else SegmentationStorage
    dataset.SegmentationType = kind
    if kind == "FRACTIONAL":
        dataset.SegmentationFractionalType = "OCCUPANCY"
        dataset.MaximumFractionalValue = LARGEST_FRACTION
    dataset.SegmentSequence = [_segment(definition, region, n) for n, region in enumerate(regions, start=1)]
    series = Dataset()
    series.SeriesInstanceUID = pet.uid
    series.ReferencedInstanceSequence = pet.images()
    dataset.ReferencedSeriesSequence = [series]
    _put_frames(dataset, definition, pet, frames)
    _put_pixels(dataset, definition, frames)
    return dataset


def _identity(definition: Definition, *, name: str, number: int) -> Dataset:
    dataset = Dataset()
    attributes.put_patient(dataset, definition.header)
    attributes.put_study_and_series(
        dataset, definition, kind=f"SEG {name}", number=SERIES_NUMBER * 100 + number
    )
    dataset.Modality = "SEG"
    dataset.SeriesDescription = f"SEG {name}"
    dataset.SOPInstanceUID = uid(definition.name, "SEG instance", name)
    dataset.InstanceNumber = "1"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentDate, dataset.ContentTime = dataset.SeriesDate, dataset.SeriesTime
    dataset.ContentLabel = "REGIONS"
    dataset.ContentDescription = f"regions of phantom {definition.name}"
    dataset.ContentCreatorName = ""
    return dataset


def _segment(definition: Definition, region: RegionOnGrid, number: int) -> Dataset:
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = region.name
    item.SegmentAlgorithmType = "MANUAL"
    is_lesion = region.role == "lesion"
    item.SegmentedPropertyCategoryCodeSequence = [
        attributes.coded(MORPHOLOGICALLY_ALTERED if is_lesion else TISSUE)
    ]
    item.SegmentedPropertyTypeCodeSequence = [attributes.coded(MASS if is_lesion else TISSUE)]
    algorithm = Dataset()
    algorithm.AlgorithmFamilyCodeSequence = [attributes.coded(MANUAL_PROCESSING)]
    algorithm.AlgorithmName = "phantom definition"
    algorithm.AlgorithmVersion = str(definition.version)
    item.SegmentationAlgorithmIdentificationSequence = [algorithm]
    item.TrackingID = region.name
    item.TrackingUID = uid(definition.name, "region", region.name)
    return item


def _frames(regions: Sequence[RegionOnGrid], kind: SegmentationType) -> list[_Frame]:
    if kind == "LABELMAP":
        labels = np.zeros(regions[0].weights.shape, dtype=np.uint16)
        for number, region in enumerate(regions, start=1):
            labels[region.mask] = number
        return [
            _Frame(k=int(k), segment=None, stored=labels[k]) for k in np.flatnonzero(labels.any(axis=(1, 2)))
        ]
    frames = []
    for number, region in enumerate(regions, start=1):
        stored = region.mask.astype(np.uint16) if kind == "BINARY" else fractions_of(region.weights)
        frames += [
            _Frame(k=int(k), segment=number, stored=stored[k])
            for k in np.flatnonzero(stored.any(axis=(1, 2)))
        ]
    return frames


def fractions_of(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return weights as multiples of 1/255.

    Raises
    ------
    ValueError
        If one is no such multiple: what is stored would not be the truth.
    """
    scaled = weights * LARGEST_FRACTION
    stored = np.rint(scaled)
    if np.abs(scaled - stored).max() > 1e-6:
        raise ValueError(f"weights are no multiples of 1/{LARGEST_FRACTION}")
    return stored.astype(np.uint16)


def _put_frames(
    dataset: Dataset, definition: Definition, pet: ReferencedSeries, frames: Sequence[_Frame]
) -> None:
    organisation = Dataset()
    organisation.DimensionOrganizationUID = uid(definition.name, "dimensions", dataset.SOPInstanceUID)
    dataset.DimensionOrganizationSequence = [organisation]
    is_map = frames[0].segment is None
    pointers = (
        [(STACK, FRAME_CONTENT), (IN_STACK, FRAME_CONTENT)]
        if is_map
        else [(REFERENCED_SEGMENT, SEGMENT_IDENTIFICATION), (POSITION, PLANE_POSITION)]
    )
    dataset.DimensionIndexSequence = [
        _dimension(organisation.DimensionOrganizationUID, pointer, group) for pointer, group in pointers
    ]
    places = {k: place for place, k in enumerate(sorted({frame.k for frame in frames}), start=1)}
    dataset.SharedFunctionalGroupsSequence = [_shared(pet)]
    dataset.PerFrameFunctionalGroupsSequence = [_per_frame(frame, pet, places[frame.k]) for frame in frames]
    dataset.NumberOfFrames = str(len(frames))


def _dimension(organisation_uid: str, pointer: int, group: int) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organisation_uid
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    return item


def _shared(pet: ReferencedSeries) -> Dataset:
    slice_mm, row_mm, column_mm = (text_of(x) for x in pet.grid.spacing_mm)
    measures = Dataset()
    measures.SliceThickness = slice_mm
    measures.SpacingBetweenSlices = slice_mm
    measures.PixelSpacing = [row_mm, column_mm]
    orientation = Dataset()
    orientation.ImageOrientationPatient = [text_of(x) for x in pet.grid.orientation]
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    return shared


def _per_frame(frame: _Frame, pet: ReferencedSeries, place: int) -> Dataset:
    item = Dataset()
    content = Dataset()
    if frame.segment is None:
        content.StackID = "1"
        content.InStackPositionNumber = place
    else:
        identified = Dataset()
        identified.ReferencedSegmentNumber = frame.segment
        item.SegmentIdentificationSequence = [identified]
    content.DimensionIndexValues = [frame.segment or 1, place]
    item.FrameContentSequence = [content]
    position = Dataset()
    centre_mm = pet.grid.voxel_centre_mm(frame.k, 0, 0)
    position.ImagePositionPatient = [text_of(round(float(x), 9)) for x in centre_mm]
    item.PlanePositionSequence = [position]
    images = pet.images([frame.k])
    for image in images:
        image.PurposeOfReferenceCodeSequence = [attributes.coded(SOURCE_IMAGE)]
    derivation = Dataset()
    derivation.SourceImageSequence = images
    derivation.DerivationCodeSequence = [attributes.coded(SEGMENTATION)]
    item.DerivationImageSequence = [derivation] if images else []
    return item


def _put_pixels(dataset: Dataset, definition: Definition, frames: Sequence[_Frame]) -> None:
    kind = definition.segmentation_type
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = definition.grid.shape[1:]
    is_wide = kind == "LABELMAP" and max(frame.stored.max() for frame in frames) > 255
    bits = 1 if kind == "BINARY" else 16 if is_wide else 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    if kind == "LABELMAP":
        dataset.add_new("PixelPaddingValue", "US", 0)
    stored = np.stack([frame.stored for frame in frames])
    if bits == 1:
        content = np.packbits(stored.astype(bool).ravel(), bitorder="little").tobytes()
    else:
        content = stored.astype(f"<u{bits // 8}").tobytes()
    dataset.add_new("PixelData", "OW" if is_wide else "OB", content + bytes(len(content) % 2))
