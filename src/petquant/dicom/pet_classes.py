"""The SOP classes of PET images: one slice a file, many converted from such, and many made as such."""

from __future__ import annotations

from typing import Final

from petquant.dicom.attributes import Attributes
from petquant.dicom.tags import TAG

__all__ = ["CLASSIC", "ENHANCED", "LEGACY_CONVERTED", "MULTI_FRAME", "PET_CLASSES", "is_enhanced"]

CLASSIC: Final = "1.2.840.10008.5.1.4.1.1.128"
LEGACY_CONVERTED: Final = "1.2.840.10008.5.1.4.1.1.128.1"
ENHANCED: Final = "1.2.840.10008.5.1.4.1.1.130"

MULTI_FRAME: Final = (LEGACY_CONVERTED, ENHANCED)

# UID and name (PS3.6 table A-1)
PET_CLASSES: Final = {
    CLASSIC: "PET Image Storage",
    LEGACY_CONVERTED: "Legacy Converted Enhanced PET Image Storage",
    ENHANCED: "Enhanced PET Image Storage",
}


def is_enhanced(attributes: Attributes) -> bool:
    """Whether a header is that of an Enhanced PET image, which has rules of its own."""
    return attributes.text(TAG["SOPClassUID"]) == ENHANCED
