"""A Legacy Converted Enhanced PET object is a classic series put into one file without learning anything new.

Standard: PS3.3 A.70. What has a place in a functional group goes there; every other classic attribute,
private ones too, stands as it was among the unassigned converted attributes, shared where all slices agree.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import LegacyConvertedEnhancedPETImageStorage

from petquant_phantoms import functional_groups as groups
from petquant_phantoms.functional_groups import item_of
from petquant_phantoms.pet_attributes import coded
from petquant_phantoms.pet_series import pet_datasets, places
from petquant_phantoms.radiopharmaceuticals import Code
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from petquant_phantoms.definition import Definition

CONVERSION_EQUIPMENT = Code(value="109106", meaning="Enhanced Multi-frame Conversion Equipment", scheme="DCM")


def _tags(keywords: str) -> frozenset[int]:
    return frozenset(number for word in keywords.split() if (number := tag_for_keyword(word)) is not None)


# Attributes of patient, study, series and equipment: they stand where they stood.
_OUTSIDE = _tags(
    """
    SpecificCharacterSet
    StudyDate
    SeriesDate
    ContentDate
    StudyTime
    SeriesTime
    ContentTime
    AccessionNumber
    Modality
    Manufacturer
    ReferringPhysicianName
    TimezoneOffsetFromUTC
    StudyDescription
    SeriesDescription
    ManufacturerModelName
    PatientName
    PatientID
    PatientBirthDate
    PatientSex
    PatientSize
    PatientWeight
    BodyPartExamined
    DeviceSerialNumber
    SoftwareVersions
    StudyInstanceUID
    SeriesInstanceUID
    StudyID
    SeriesNumber
    FrameOfReferenceUID
    PositionReferenceIndicator
    """
)

# Attributes that an own functional group, or the object as a whole, replaces.
_REPLACED = _tags(
    """
    ImageType
    SOPClassUID
    SOPInstanceUID
    InstanceNumber
    SliceThickness
    ImagePositionPatient
    ImageOrientationPatient
    AcquisitionNumber
    SamplesPerPixel
    PhotometricInterpretation
    Rows
    Columns
    PixelSpacing
    BitsAllocated
    BitsStored
    HighBit
    PixelRepresentation
    RescaleIntercept
    RescaleSlope
    LossyImageCompression
    PixelData
    """
)
_ACQUIRED_AT = _tags("AcquisitionDate AcquisitionTime")
_DURATION = _tags("ActualFrameDuration")


def legacy_converted_dataset(definition: Definition, *, kind: str = "PT", number: int = 1) -> Dataset:
    """Return the classic series of a phantom, its edits included, as one multi-frame object.

    Parameters
    ----------
    definition
        The phantom; frames stand in the order of its instances.
    kind, number
        Part of the UIDs, and the series number.
    """
    slices = pet_datasets(replace(definition, object="classic"), kind=kind, number=number)
    first = slices[0]
    dataset = Dataset({tag: first.get_item(tag) for tag in first.keys() if tag in _OUTSIDE})  # noqa: SIM118 - iteration would parse raw elements
    dataset.SOPClassUID = LegacyConvertedEnhancedPETImageStorage
    dataset.SOPInstanceUID = uid(definition.name, kind, "legacy converted")
    dataset.InstanceNumber = "1"
    image_type = [*first.ImageType[:2], "VOLUME", "NONE"]
    dataset.ImageType = image_type
    groups.put_image_character(dataset)
    dataset.ContentQualification = "RESEARCH"
    dataset.BurnedInAnnotation = "NO"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.AcquisitionContextSequence = []
    started = [at for at in map(_acquisition_datetime, slices) if at is not None]
    if started:
        dataset.AcquisitionDateTime = min(started)
    dataset.ContributingEquipmentSequence = item_of(
        PurposeOfReferenceCodeSequence=[coded(CONVERSION_EQUIPMENT)], Manufacturer="petquant phantoms"
    )
    has_time_frames = len(definition.time_frames) > 1
    groups.put_dimensions(dataset, name=definition.name, has_time_frames=has_time_frames)
    shared, per_frame = _unassigned(slices)
    groups.put_grid(shared, definition.grid)
    groups.put_frame_type(shared, image_type)
    for group, source, (place, _) in zip(per_frame, slices, places(definition), strict=True):
        content = _frame_content(source)
        groups.put_place(content, place, has_time_frames=has_time_frames)
        group.FrameContentSequence = [content]
        group.PlanePositionSequence = [_taken(source, "ImagePositionPatient")]
        group.ConversionSourceAttributesSequence = item_of(
            ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID
        )
    _put_rescale(shared, per_frame, slices)
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = per_frame
    groups.put_frames(
        dataset,
        [source.PixelData for source in slices],
        shape=(definition.grid.shape[1], definition.grid.shape[2]),
    )
    return dataset


def _taken(source: Dataset, *keywords: str) -> Dataset:
    """Return these attributes as they stand in a slice, unparsed; those that are absent stay absent."""
    tags = [Tag(number) for keyword in keywords if (number := tag_for_keyword(keyword)) is not None]
    return Dataset({tag: source.get_item(tag) for tag in tags if tag in source})


def _frame_content(source: Dataset) -> Dataset:
    content = Dataset()
    if "AcquisitionNumber" in source:
        content.FrameAcquisitionNumber = int(source.AcquisitionNumber)
    if acquired_at := _acquisition_datetime(source):
        content.FrameAcquisitionDateTime = acquired_at
    duration_ms = _duration_ms(source)
    if duration_ms is not None:
        content.FrameAcquisitionDuration = duration_ms
    return content


def _text(source: Dataset, keyword: str) -> str:
    """Return the text of an attribute without parsing it in its dataset; "" when absent or empty."""
    value = source.get_item(keyword).value if keyword in source else None
    return value.decode("latin-1") if isinstance(value, bytes) else str(value or "")


def _acquisition_datetime(source: Dataset) -> str | None:
    """Return AcquisitionDate and AcquisitionTime as one DT; None when either is absent or not plain."""
    date, time = _text(source, "AcquisitionDate"), _text(source, "AcquisitionTime").rstrip()
    is_plain = re.fullmatch(r"\d{8}", date) and re.fullmatch(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", time)
    return date + time if is_plain else None


def _duration_ms(source: Dataset) -> float | None:
    """Return ActualFrameDuration; None when it is absent or no number."""
    text = _text(source, "ActualFrameDuration").strip()
    return float(text) if re.fullmatch(r"-?\d+", text) else None


def _unassigned(slices: Sequence[Dataset]) -> tuple[Dataset, list[Dataset]]:
    """Return the functional groups of what has no place elsewhere: shared, and of every frame."""
    rest = [_rest(source) for source in slices]
    alike = {
        tag
        for tag in rest[0].keys()  # noqa: SIM118 - iteration would parse raw elements
        if all(tag in each and each.get_item(tag) == rest[0].get_item(tag) for each in rest)
    }
    shared = Dataset()
    shared.UnassignedSharedConvertedAttributesSequence = [
        Dataset({tag: rest[0].get_item(tag) for tag in sorted(alike)})
    ]
    per_frame = []
    for each in rest:
        group = Dataset()
        group.UnassignedPerFrameConvertedAttributesSequence = [
            Dataset({tag: each.get_item(tag) for tag in each.keys() if tag not in alike})  # noqa: SIM118 - iteration would parse raw elements
        ]
        per_frame.append(group)
    return shared, per_frame


def _rest(source: Dataset) -> Dataset:
    elsewhere = _OUTSIDE | _REPLACED
    if _acquisition_datetime(source):
        elsewhere |= _ACQUIRED_AT
    if _duration_ms(source) is not None:
        elsewhere |= _DURATION
    return Dataset({tag: source.get_item(tag) for tag in source.keys() if tag not in elsewhere})  # noqa: SIM118 - iteration would parse raw elements


def _put_rescale(shared: Dataset, per_frame: list[Dataset], slices: Sequence[Dataset]) -> None:
    """Write slope and intercept: once where all slices have the same, else per frame."""
    transformations = [_taken(source, "RescaleIntercept", "RescaleSlope") for source in slices]
    for transformation in transformations:
        transformation.RescaleType = "US"
    is_shared = all(each == transformations[0] for each in transformations)
    for group, each in zip([shared] if is_shared else per_frame, transformations, strict=not is_shared):
        group.PixelValueTransformationSequence = [each]
