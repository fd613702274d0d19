"""Attenuation: whether a PET series is corrected for it, and what says so (suv.md section 4)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from petquant.dicom.pet_classes import is_enhanced
from petquant.dicom.scan import Instance
from petquant.dicom.series import Series
from petquant.dicom.tags import TAG

__all__ = ["Attenuation", "attenuation_of"]

# Descriptions as they are written: "PET AC", "WB_CTAC", "[WB AC] Body"; "PET NAC", "WB NoAC".
_NOT_CORRECTED: Final = re.compile(r"NAC|NO[NT]?[ _-]?AC|NON?[ _-]?ATT|UNCORR|WITHOUT[ _-]?AC", re.IGNORECASE)
_CORRECTED: Final = re.compile(
    r"(?:^|[^A-Z0-9])(?:CT|MR)?AC(?:$|[^A-Z0-9])|ATT(?:EN(?:UATION)?)?[ _-]?CORR", re.IGNORECASE
)


class Attenuation(StrEnum):
    """What the header says about attenuation correction."""

    CORRECTED = "corrected"
    ASSUMED = "assumed"  # inferred from another attribute than CorrectedImage
    ABSENT = "absent"
    UNKNOWN = "unknown"


_WORST_FIRST: Final = (Attenuation.ABSENT, Attenuation.UNKNOWN, Attenuation.ASSUMED, Attenuation.CORRECTED)


def attenuation_of(series: Series) -> tuple[Attenuation, str]:
    """Return the state of the whole series, which is that of its worst slice, and the evidence in words."""
    seen: dict[tuple[bytes, ...], tuple[Attenuation, str]] = {}
    tags = tuple(
        TAG[keyword]
        for keyword in (
            "SOPClassUID", "CorrectedImage", "AttenuationCorrected", "AttenuationCorrectionMethod",
            "SeriesDescription",
        )
    )  # fmt: skip
    for instance in series.instances:
        key = tuple(instance.values.get(tag, b"") for tag in tags)
        if key not in seen:
            seen[key] = _state(instance)
    return min(seen.values(), key=lambda state: _WORST_FIRST.index(state[0]))


def _state(instance: Instance) -> tuple[Attenuation, str]:
    if is_enhanced(instance):
        is_corrected = instance.words(TAG["CorrectedImage"]).upper() == "YES"
        state = Attenuation.CORRECTED if is_corrected else Attenuation.ABSENT
        return state, _words(instance, "CorrectedImage")
    corrections = [word.upper() for word in instance.texts(TAG["CorrectedImage"])]
    if corrections:
        state = Attenuation.CORRECTED if "ATTN" in corrections else Attenuation.ABSENT
        return state, _words(instance, "CorrectedImage")
    method = instance.text(TAG["AttenuationCorrectionMethod"])
    if method:
        state = Attenuation.ABSENT if method.upper().startswith("NONE") else Attenuation.ASSUMED
        return state, _words(instance, "AttenuationCorrectionMethod")
    description = instance.text(TAG["SeriesDescription"])
    if _NOT_CORRECTED.search(description):
        return Attenuation.ABSENT, _words(instance, "SeriesDescription")
    if _CORRECTED.search(description):
        return Attenuation.ASSUMED, _words(instance, "SeriesDescription")
    return Attenuation.UNKNOWN, "neither CorrectedImage (0028,0051) nor another attribute speaks of it"


def _words(instance: Instance, keyword: str) -> str:
    name, tag = instance.name(TAG[keyword])
    return f"{name} {tag} = {instance.words(TAG[keyword]) or 'absent'}"
