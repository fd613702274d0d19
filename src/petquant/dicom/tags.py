"""A tag names a DICOM attribute; this is the table of those that petquant reads from image headers.

The value representation is that of PS3.6; the scan holds a file to it.
"""

from __future__ import annotations

__all__ = ["KEYWORD", "PIXEL_TAGS", "TAG", "VR", "is_private_of_interest", "tag_words"]

# (tag, keyword, value representation), PS3.6 2024e
_TABLE = (
    (0x00080005, "SpecificCharacterSet", "CS"),
    (0x00080008, "ImageType", "CS"),
    (0x00080016, "SOPClassUID", "UI"),
    (0x00080018, "SOPInstanceUID", "UI"),
    (0x00080020, "StudyDate", "DA"),
    (0x00080021, "SeriesDate", "DA"),
    (0x00080022, "AcquisitionDate", "DA"),
    (0x0008002A, "AcquisitionDateTime", "DT"),
    (0x00080030, "StudyTime", "TM"),
    (0x00080031, "SeriesTime", "TM"),
    (0x00080032, "AcquisitionTime", "TM"),
    (0x00080060, "Modality", "CS"),
    (0x00080070, "Manufacturer", "LO"),
    (0x00080201, "TimezoneOffsetFromUTC", "SH"),
    (0x0008103E, "SeriesDescription", "LO"),
    (0x00081090, "ManufacturerModelName", "LO"),
    (0x00089207, "VolumeBasedCalculationTechnique", "CS"),
    (0x00100010, "PatientName", "PN"),
    (0x00100020, "PatientID", "LO"),
    (0x00100021, "IssuerOfPatientID", "LO"),
    (0x00100030, "PatientBirthDate", "DA"),
    (0x00100040, "PatientSex", "CS"),
    (0x00101010, "PatientAge", "AS"),
    (0x00101020, "PatientSize", "DS"),
    (0x00101030, "PatientWeight", "DS"),
    (0x00120062, "PatientIdentityRemoved", "CS"),
    (0x00180050, "SliceThickness", "DS"),
    (0x00181060, "TriggerTime", "DS"),
    (0x00181063, "FrameTime", "DS"),
    (0x00181242, "ActualFrameDuration", "IS"),
    (0x00189701, "DecayCorrectionDateTime", "DT"),
    (0x00189758, "DecayCorrected", "CS"),
    (0x00189759, "AttenuationCorrected", "CS"),
    (0x00189760, "ScatterCorrected", "CS"),
    (0x00189761, "DeadTimeCorrected", "CS"),
    (0x00189762, "GantryMotionCorrected", "CS"),
    (0x00189763, "PatientMotionCorrected", "CS"),
    (0x00189764, "CountLossNormalizationCorrected", "CS"),
    (0x00189765, "RandomsCorrected", "CS"),
    (0x00189766, "NonUniformRadialSamplingCorrected", "CS"),
    (0x00189767, "SensitivityCalibrated", "CS"),
    (0x00189768, "DetectorNormalizationCorrection", "CS"),
    (0x0020000D, "StudyInstanceUID", "UI"),
    (0x0020000E, "SeriesInstanceUID", "UI"),
    (0x00200011, "SeriesNumber", "IS"),
    (0x00200012, "AcquisitionNumber", "IS"),
    (0x00200013, "InstanceNumber", "IS"),
    (0x00200032, "ImagePositionPatient", "DS"),
    (0x00200037, "ImageOrientationPatient", "DS"),
    (0x00200052, "FrameOfReferenceUID", "UI"),
    (0x00201041, "SliceLocation", "DS"),
    (0x00280002, "SamplesPerPixel", "US"),
    (0x00280004, "PhotometricInterpretation", "CS"),
    (0x00280008, "NumberOfFrames", "IS"),
    (0x00280010, "Rows", "US"),
    (0x00280011, "Columns", "US"),
    (0x00280030, "PixelSpacing", "DS"),
    (0x00280051, "CorrectedImage", "CS"),
    (0x00280100, "BitsAllocated", "US"),
    (0x00280101, "BitsStored", "US"),
    (0x00280102, "HighBit", "US"),
    (0x00280103, "PixelRepresentation", "US"),
    (0x00280301, "BurnedInAnnotation", "CS"),
    (0x00280303, "LongitudinalTemporalInformationModified", "CS"),
    (0x00281052, "RescaleIntercept", "DS"),
    (0x00281053, "RescaleSlope", "DS"),
    (0x00281054, "RescaleType", "LO"),
    (0x00282110, "LossyImageCompression", "CS"),
    (0x00540016, "RadiopharmaceuticalInformationSequence", "SQ"),
    (0x00540081, "NumberOfSlices", "US"),
    (0x00540101, "NumberOfTimeSlices", "US"),
    (0x00540071, "NumberOfTimeSlots", "US"),
    (0x00541000, "SeriesType", "CS"),
    (0x00541001, "Units", "CS"),
    (0x00541002, "CountsSource", "CS"),
    (0x00541006, "SUVType", "CS"),
    (0x00541101, "AttenuationCorrectionMethod", "LO"),
    (0x00541102, "DecayCorrection", "CS"),
    (0x00541103, "ReconstructionMethod", "LO"),
    (0x00541300, "FrameReferenceTime", "DS"),
    (0x00541321, "DecayFactor", "DS"),
    (0x00541330, "ImageIndex", "US"),
    (0x52009229, "SharedFunctionalGroupsSequence", "SQ"),
    (0x52009230, "PerFrameFunctionalGroupsSequence", "SQ"),
)

# Attributes that stand in functional groups alone, and are not looked for elsewhere.
_OF_FRAMES = (
    (0x00189074, "FrameAcquisitionDateTime"),
    (0x00189151, "FrameReferenceDateTime"),
    (0x00189220, "FrameAcquisitionDuration"),
    (0x00209128, "TemporalPositionIndex"),
    (0x00209153, "NominalCardiacTriggerDelayTime"),
    (0x00209255, "NominalRespiratoryTriggerDelayTime"),
    (0x004008EA, "MeasurementUnitsCodeSequence"),
    (0x00409224, "RealWorldValueIntercept"),
    (0x00409225, "RealWorldValueSlope"),
)

TAG: dict[str, int] = {keyword: tag for tag, keyword, _ in _TABLE} | {
    keyword: tag for tag, keyword in _OF_FRAMES
}
KEYWORD: dict[int, str] = {tag: keyword for keyword, tag in TAG.items()}
VR: dict[int, str] = {tag: vr for tag, _, vr in _TABLE}

PIXEL_TAGS: dict[int, str] = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}

# Low bytes of private elements that vendors.py knows, by group: GE, Siemens, Philips (suv.md section 12).
_PRIVATE_LOW_BYTES = {
    0x0009: frozenset((0x0D, 0x36, 0x38, 0x39, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F)),
    0x0071: frozenset((0x22,)),
    0x7053: frozenset((0x00, 0x09)),
}


def is_private_of_interest(tag: int) -> bool:
    """Whether `tag`, in group 9, 71 or 7053, is a creator or may mean something to a vendor."""
    low_bytes = _PRIVATE_LOW_BYTES.get(tag >> 16)
    if low_bytes is None:
        return False
    element = tag & 0xFFFF
    return 0x10 <= element <= 0xFF or (element >= 0x1000 and element & 0xFF in low_bytes)


def tag_words(tag: int) -> str:
    """Return ``(gggg,eeee)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
