"""A frame of an Enhanced PET image as the slice of a classic one: the same quantities under classic tags.

Every value that was brought to another tag keeps where it was read. Source: DICOM PS3.3 sections A.56 and
C.8.22; what is taken: suv.md section 13.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from petquant.dicom.attributes import Attributes, Origin
from petquant.dicom.functional_groups import GROUP, Groups
from petquant.dicom.real_world import Mapping, chosen_mapping, mapping_of, unit_of
from petquant.dicom.tags import TAG
from petquant.errors import Finding

__all__ = ["FrameHeader", "acquired", "enhanced_frame", "placed"]

_FRAME_TYPE: Final = 0x00089007

# Term of CorrectedImage (0028,0051) for each correction that is YES (PS3.3 C.8.9.1.1.2 and C.8.22.4)
_CORRECTIONS: Final = {
    "AttenuationCorrected": "ATTN",
    "DecayCorrected": "DECY",
    "ScatterCorrected": "SCAT",
    "RandomsCorrected": "RAN",
    "DetectorNormalizationCorrection": "NORM",
    "DeadTimeCorrected": "DTIM",
    "CountLossNormalizationCorrected": "CLN",
    "NonUniformRadialSamplingCorrected": "RADL",
    "SensitivityCalibrated": "DCAL",
    "GantryMotionCorrected": "MOTN",
    "PatientMotionCorrected": "PMOT",
}
# Classic attributes that an Enhanced image has no use for: at its top level they say nothing.
_NOT_ENHANCED: Final = tuple(
    TAG[keyword]
    for keyword in (
        "AcquisitionDate", "AcquisitionTime", "ActualFrameDuration", "CorrectedImage", "DecayCorrection",
        "DecayFactor", "FrameReferenceTime", "FrameTime", "ImageOrientationPatient", "ImagePositionPatient",
        "NumberOfSlices", "NumberOfTimeSlices", "NumberOfTimeSlots", "PixelSpacing", "RescaleIntercept",
        "RescaleSlope", "RescaleType", "SUVType", "SliceLocation", "SliceThickness", "TriggerTime", "Units",
    )
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class FrameHeader:
    """What a frame states, under the tags of a classic slice.

    Parameters
    ----------
    values
        As in `petquant.dicom.attributes.Attributes`.
    origins
        Where values were read that now stand under another tag.
    mapped
        Stored numbers that slope and intercept hold for.
    findings
        What is to be said of the choice of a mapping.
    """

    values: dict[int, bytes]
    origins: dict[int, Origin] = field(default_factory=dict)
    mapped: tuple[float, float] = (-float("inf"), float("inf"))
    findings: tuple[Finding, ...] = ()

    def bring(self, keyword: str, value: str, *, read_from: str, text: str | None = None) -> None:
        """Put a value under `keyword`; an empty one leaves the attribute absent, and names where it lacks."""
        tag = TAG[keyword]
        self.origins[tag] = Origin(read_from, TAG[read_from], value if text is None else text)
        if value:
            self.values[tag] = value.encode("latin-1")
        else:
            self.values.pop(tag, None)

    def take(self, group: Attributes, *keywords: str) -> None:
        """Put values of a group under the tags that they have there."""
        for keyword in keywords:
            value = group.values.get(TAG[keyword])
            if value:
                self.values[TAG[keyword]] = value


def enhanced_frame(whole: Attributes, groups: Groups) -> FrameHeader:
    """Return the header of one frame of an Enhanced PET image.

    Raises
    ------
    ValueError
        When items do not fit into each other, or a number is not of the length of its kind.
    """
    header = FrameHeader(
        values={tag: value for tag, value in whole.values.items() if tag not in _NOT_ENHANCED}
    )
    placed(header, groups)
    _corrected(header, whole)
    acquired(header, groups)
    if whole.text(TAG["DecayCorrected"]).upper() == "YES" and not header.values.get(
        TAG["AcquisitionDateTime"]
    ):
        header.take(whole, "AcquisitionDateTime")  # the start of the scan, for the uptake time alone
    header.take(groups.one("PETFrameCorrectionFactorsSequence"), "DecayFactor")
    _scaled(header, whole, groups)
    return header


def placed(header: FrameHeader, groups: Groups) -> None:
    """Take position, orientation, spacing, thickness and type of image from the groups."""
    header.take(groups.one("PlanePositionSequence"), "ImagePositionPatient")
    header.take(groups.one("PlaneOrientationSequence"), "ImageOrientationPatient")
    header.take(groups.one("PixelMeasuresSequence"), "PixelSpacing", "SliceThickness")
    frame_type = groups.one("PETFrameTypeSequence")
    words = frame_type.text(_FRAME_TYPE) or Attributes(values=header.values).text(TAG["ImageType"])
    technique = TAG["VolumeBasedCalculationTechnique"]
    made_by = frame_type.text(technique) or Attributes(values=header.values).text(technique)
    # a technique such as MAX_IP tells a projection from a slice where the type itself does not
    header.values[TAG["ImageType"]] = "\\".join(word for word in (words, made_by) if word).encode("latin-1")


def acquired(header: FrameHeader, groups: Groups) -> None:
    """Take times, durations and triggers from the groups."""
    content = groups.one("FrameContentSequence")
    stamp = content.text(TAG["FrameAcquisitionDateTime"])
    header.bring("AcquisitionDateTime", stamp, read_from="FrameAcquisitionDateTime")
    header.bring("ActualFrameDuration", _real(content, "FrameAcquisitionDuration"),
                 read_from="FrameAcquisitionDuration")  # fmt: skip
    header.take(content, "FrameReferenceDateTime")
    index = content.values.get(TAG["TemporalPositionIndex"], b"")
    if index:
        header.values[TAG["TemporalPositionIndex"]] = str(int.from_bytes(index, "little")).encode()
    for group, keyword in (
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
        ("RespiratorySynchronizationSequence", "NominalRespiratoryTriggerDelayTime"),
    ):
        delay = _real(groups.one(group), keyword)
        if delay:
            header.bring("TriggerTime", delay, read_from=keyword)


def _corrected(header: FrameHeader, whole: Attributes) -> None:
    """State the corrections in classic terms."""
    terms = [term for keyword, term in _CORRECTIONS.items() if whole.text(TAG[keyword]).upper() == "YES"]
    header.bring(
        "CorrectedImage", "\\".join(terms), read_from="AttenuationCorrected",
        text=whole.text(TAG["AttenuationCorrected"]),
    )  # fmt: skip
    words = whole.text(TAG["DecayCorrected"])
    header.bring(
        "DecayCorrection",
        {"YES": "START", "NO": "NONE"}.get(words.upper(), words and f"DecayCorrected {words}"),
        read_from="DecayCorrected",
        text=words,
    )


def _scaled(header: FrameHeader, whole: Attributes, groups: Groups) -> None:
    """Take slope, intercept and unit from a real world value mapping, else the pixel transformation."""
    tag = GROUP["RealWorldValueMappingSequence"]
    owner = groups.own if groups.own.values.get(tag) else groups.shared
    is_signed = whole.integer(TAG["PixelRepresentation"]) == 1
    mapping, header.findings = _mapping(
        owner.values.get(tag, b""), is_implicit=owner.is_implicit, is_signed=is_signed
    )
    if mapping is None:
        transformation = groups.one("PixelValueTransformationSequence")
        header.take(transformation, "RescaleSlope", "RescaleIntercept")
        code = transformation.text(TAG["RescaleType"])
        if code.upper() in {"", "US"}:  # US stands for unspecified (PS3.3 C.11.1.1.2)
            _measured_in(header, "", read_from="MeasurementUnitsCodeSequence")
        else:
            _measured_in(header, code, read_from="RescaleType")
        return
    header.mapped = (mapping.first, mapping.last)
    for keyword, number, read_from in (
        ("RescaleSlope", mapping.slope, "RealWorldValueSlope"),
        ("RescaleIntercept", mapping.intercept, "RealWorldValueIntercept"),
    ):
        header.bring(keyword, "" if number is None else repr(number), read_from=read_from)
    _measured_in(header, mapping.unit, read_from="MeasurementUnitsCodeSequence")


def _measured_in(header: FrameHeader, code: str, *, read_from: str) -> None:
    units, suv_type = unit_of(code)
    header.bring("Units", units, read_from=read_from, text=code)
    header.bring("SUVType", suv_type, read_from=read_from, text=code if suv_type else "")


@lru_cache(maxsize=4096)
def _mapping(
    value: bytes, *, is_implicit: bool, is_signed: bool
) -> tuple[Mapping | None, tuple[Finding, ...]]:
    """Return the chosen mapping of a sequence; most frames have the same."""
    tag = GROUP["RealWorldValueMappingSequence"]
    items = Attributes(values={tag: value}, is_implicit=is_implicit).items(tag)
    return chosen_mapping([mapping_of(item, is_signed=is_signed) for item in items])


def _real(group: Attributes, keyword: str) -> str:
    number = group.real(TAG[keyword])
    return "" if number is None else repr(number)
