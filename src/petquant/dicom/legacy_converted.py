"""A frame of a Legacy Converted Enhanced PET image as the classic slice that it was converted from.

Classic attributes stand in functional groups where there is one for them, and else in the sequences of
unassigned converted attributes. Source: DICOM PS3.3 sections A.72 and C.7.6.16.2.25 to 26.
"""

from __future__ import annotations

import math
from typing import Final

from petquant.dicom.attributes import Attributes
from petquant.dicom.enhanced import FrameHeader, acquired, placed
from petquant.dicom.functional_groups import Groups
from petquant.dicom.tags import KEYWORD, TAG, VR, is_private_of_interest, tag_words
from petquant.errors import Finding

__all__ = ["legacy_frame"]

# One of a frame, whatever the file says of all frames together.
_OF_THE_FRAME: Final = tuple(
    TAG[keyword] for keyword in ("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ImageType")
)
# Stated in functional groups; a converter may have left the classic attribute beside them.
_TWICE: Final = tuple(
    TAG[keyword]
    for keyword in (
        "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "RescaleIntercept", "RescaleSlope",
    )
)  # fmt: skip


def legacy_frame(whole: Attributes, groups: Groups) -> FrameHeader:
    """Return the header of one frame.

    Raises
    ------
    ValueError
        When items do not fit into each other, or a number is not of the length of its kind.
    """
    classic: dict[int, bytes] = {}
    for keyword in (
        "UnassignedSharedConvertedAttributesSequence",
        "UnassignedPerFrameConvertedAttributesSequence",
    ):
        for item in groups.all(keyword):
            classic |= {
                tag: value for tag, value in item.values.items() if tag in VR or is_private_of_interest(tag)
            }
    top = {tag: value for tag, value in whole.values.items() if tag not in _OF_THE_FRAME}
    if TAG["ImageType"] not in classic and TAG["ImageType"] in whole.values:
        top[TAG["ImageType"]] = whole.values[TAG["ImageType"]]
    header = FrameHeader(values=classic | top)
    placed(header, groups)
    header.take(groups.one("PixelValueTransformationSequence"), "RescaleSlope", "RescaleIntercept")
    header.take(groups.one("PixelValueTransformationSequence"), "RescaleType")
    header.take(groups.one("PETFrameCorrectionFactorsSequence"), "DecayFactor")
    grouped = FrameHeader(values={})
    acquired(grouped, groups)
    for tag, value in grouped.values.items():
        if tag not in header.values:
            header.values[tag] = value
            if tag in grouped.origins:
                header.origins[tag] = grouped.origins[tag]
    header.findings = _contradictions(header, classic)
    return header


def _contradictions(header: FrameHeader, classic: dict[int, bytes]) -> tuple[Finding, ...]:
    """Return a refusal for each attribute that group and converted attribute state differently."""
    stated, converted = Attributes(values=header.values), Attributes(values=classic)
    return tuple(
        Finding(
            code="MIXED_VALUES",
            found=f"{KEYWORD[tag]} {tag_words(tag)} is {stated.text(tag)} in a functional group and "
            f"{converted.text(tag)} among the converted attributes",
            expected="one value",
            remedy="use the images before their conversion",
            keyword=KEYWORD[tag],
            tag=tag_words(tag),
        )
        for tag in _TWICE
        if classic.get(tag) and not _are_close(stated, converted, tag)
    )


def _are_close(stated: Attributes, converted: Attributes, tag: int) -> bool:
    """Whether two numbers, or as many, are spellings of one; of lengths to 1e-4 mm."""
    one, other = stated.numbers(tag), converted.numbers(tag)
    apart_mm = 0.0 if tag in {TAG["RescaleSlope"], TAG["RescaleIntercept"]} else 1e-4
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-6, abs_tol=apart_mm) for a, b in zip(one, other, strict=True)
    )
