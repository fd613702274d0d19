"""When a ratio of two regions is right although the SUV is not known.

Dose, weight, injection time and calibration cancel in a ratio; what must hold is that values are linear in
activity, corrected for attenuation, and decay-corrected to one time over all beds (reads.md section 1).
"""

from __future__ import annotations

from petquant.errors import Finding
from petquant.flags import refusals_of
from petquant.suv.conversion import SuvConversion
from petquant.suv.factor import Factor, alignment
from petquant.suv.witnesses import TOLERANCE_S

__all__ = ["bed_alignment", "ratio_refusals"]

LINEAR = ("BQML", "GML", "CM2ML", "CNTS", "CPS")
# Attributes that must be one per series even for a ratio.
DECIDING = (
    "Units", "DecayCorrection", "CorrectedImage", "AcquisitionTime",
    "MeasurementUnitsCodeSequence", "DecayCorrected", "DecayCorrectionDateTime", "AttenuationCorrected",
    "FrameAcquisitionDateTime",
)  # fmt: skip
WRONG_SCAN = ("TRACER_UNEXPECTED", "OPTION_INVALID")


def ratio_refusals(conversion: SuvConversion, *, is_strict: bool = False) -> tuple[Finding, ...]:
    """Return what forbids a ratio of regions of this series; empty when it is right."""
    acquisition = conversion.acquisition
    forbidding = [
        finding
        for finding in refusals_of(conversion.findings, is_strict=is_strict)
        if "tbr" in finding.quantities
        or finding.code in WRONG_SCAN
        or (finding.code == "MIXED_VALUES" and finding.keyword in DECIDING)
    ]
    units = (acquisition.units.value or "").strip().upper()
    if units not in LINEAR:
        forbidding.append(
            acquisition.units.finding(
                "TBR_UNITS_NOT_LINEAR",
                expected=f"values linear in activity: {', '.join(LINEAR)}",
                remedy="use the quantitative reconstruction",
                quantities=("tbr",),
            )
        )
    if bed_alignment(conversion) is None:
        forbidding.append(
            acquisition.decay_correction.finding(
                "TBR_BEDS_NOT_ALIGNED",
                found=f"{acquisition.decay_correction.text or 'missing'}, and the slices were acquired at "
                "different or unknown times",
                expected="one decay reference for all slices",
                remedy="give --decay-correction, --frame-duration or --half-life",
                quantities=("tbr",),
            )
        )
    return tuple(forbidding)


def bed_alignment(conversion: SuvConversion) -> Factor | None:
    """Return what brings all slices to one time: 1, one factor a slice, or None when it cannot be known."""
    if conversion.decay_correction in {"START", "ADMIN"} or conversion.stored.suv is not None:
        return 1.0
    frames = conversion.frames
    starts = {frame.reference_at or frame.acquired_at for frame in frames}
    references_s = [frame.reference_s for frame in frames if frame.reference_s is not None]
    if len(starts) == 1 and references_s and max(references_s) - min(references_s) > TOLERANCE_S:
        return None  # one acquisition time was written for several beds
    if None not in starts and len(starts) == 1:
        return 1.0
    half_life_s = conversion.half_life.half_life_s
    is_known = all(frame.is_timed for frame in frames)
    if conversion.decay_correction != "NONE" or half_life_s is None or not is_known:
        return None
    earliest = min(start for start in starts if start is not None)
    return alignment(frames, since=earliest, half_life_s=half_life_s)
