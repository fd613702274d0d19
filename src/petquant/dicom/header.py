"""A header as an acquisition: every value that the conversion may need, with the tag it was read from.

Values that are one per series are held to each other over all slices; values that are one per slice (times,
durations, decay factors) become frames in the order of the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from petquant.acquisition import DoseUnit, Instant, PetAcquisition, Written
from petquant.dicom.attributes import Attributes
from petquant.dicom.datetimes import (
    instant,
    is_rolled_over,
    parse_clock,
    parse_date,
    parse_instant,
    parse_offset,
)
from petquant.dicom.frame_times import frames_of, rolled_over
from petquant.dicom.one_per_series import differing_values
from petquant.dicom.pet_classes import is_enhanced
from petquant.dicom.private import private_values
from petquant.dicom.radiopharmaceutical import ITEM, items_of, radiopharmaceuticals
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.vendors import vendor_of
from petquant.dicom.written import number_written, text_written, time_written
from petquant.errors import Finding

__all__ = ["read_acquisition"]


def read_acquisition(
    instances: Sequence[Attributes],
    *,
    series_uid: str,
    attenuation: tuple[str, str],
    voxel_volume_ml: float | None = None,
) -> PetAcquisition:
    """Return what the headers of one series say.

    Parameters
    ----------
    instances
        One a slice, in the order of the volume.
    series_uid
        For messages.
    attenuation
        State and words of `petquant.dicom.select.attenuation_of`.
    voxel_volume_ml
        When the grid is known.

    Raises
    ------
    UnreadableInput
        When the items of the radiopharmaceutical sequence do not fit into each other.
    """
    first = instances[0]
    manufacturer = first.text(TAG["Manufacturer"])
    vendor = vendor_of(manufacturer)
    utc_offset, offset_findings = _offset(first)
    series_at = _series_at(first, utc_offset)
    private, private_findings = private_values(first, vendor=vendor, utc_offset=utc_offset)
    frames, frame_findings = frames_of(
        instances,
        series_day=None if series_at.value is None else series_at.value.at.date(),
        utc_offset=utc_offset,
    )
    corrections = first.texts(TAG["CorrectedImage"])
    corrected_by, corrected_tag = first.name(TAG["CorrectedImage"])
    enhanced = is_enhanced(first)
    decay_corrected_to: Written[Instant] = _decay_corrected_to(first, utc_offset) if enhanced else Written()
    items = radiopharmaceuticals(first, utc_offset)
    if enhanced:  # the injection has a date and time there, and no other attribute (suv.md section 13)
        items = tuple(replace(item, injected_clock=Written(), dose_unit=DoseUnit.ENHANCED) for item in items)
        # the factors of Philips are of classic images (suv.md section 3); a mapping says what its values are
        private = replace(
            private, injected_at=Written(), suv_scale_factor=Written(), activity_scale_factor=Written()
        )

    def text(keyword: str) -> Written[str]:
        return text_written(first, keyword, TAG[keyword])

    return PetAcquisition(
        series_uid=series_uid,
        vendor=vendor,
        manufacturer=manufacturer,
        weight_kg=number_written(first, "PatientWeight", TAG["PatientWeight"]),
        height_m=number_written(first, "PatientSize", TAG["PatientSize"]),
        sex=text("PatientSex"),
        units=text("Units"),
        suv_type=text("SUVType"),
        decay_correction=text("DecayCorrection"),
        corrections=Written(
            value=tuple(term.upper() for term in corrections) or None,
            text=first.words(TAG["CorrectedImage"]),
            keyword=corrected_by,
            tag=corrected_tag,
        ),
        attenuation=attenuation[0],
        attenuation_words=attenuation[1],
        series_at=series_at,
        is_enhanced=enhanced,
        decay_corrected_to=decay_corrected_to,
        frames=frames,
        utc_offset=utc_offset,
        private=private,
        radiopharmaceuticals=items,
        voxel_volume_ml=voxel_volume_ml,
        reconstruction=first.text(TAG["ReconstructionMethod"]),
        deidentification=tuple(
            (keyword, first.text(TAG[keyword]))
            for keyword in ("PatientIdentityRemoved", "LongitudinalTemporalInformationModified")
            if first.text(TAG[keyword])
        ),
        findings=(*differing_values(instances, vendor), *private_findings),
        time_findings=(
            *offset_findings,
            *_series_findings(first, decay_corrected_to if enhanced else series_at),
            *frame_findings,
        ),
    )


def _offset(first: Attributes) -> tuple[timedelta | None, tuple[Finding, ...]]:
    text = first.text(TAG["TimezoneOffsetFromUTC"])
    if not text:
        return None, ()
    try:
        return parse_offset(text), ()
    except ValueError:
        written: Written[str] = Written(
            text=text, keyword="TimezoneOffsetFromUTC", tag=tag_words(TAG["TimezoneOffsetFromUTC"])
        )
        return None, (_unparsable(written, "an offset such as +0100", "export the series again"),)


def _unparsable(written: Written[Any], expected: str, remedy: str) -> Finding:
    return written.finding(
        "TIME_UNPARSABLE",
        expected=expected,
        remedy=f"{remedy} (de-identification keeps times with Retain Longitudinal Temporal Information, "
        "113106 or 113107)",
    )


def _series_at(first: Attributes, utc_offset: timedelta | None) -> Written[Instant]:
    day, clock = first.text(TAG["SeriesDate"]), first.text(TAG["SeriesTime"])
    tag = TAG["SeriesTime"]
    if not day or not clock:
        return Written(text=clock, keyword="SeriesTime", tag=tag_words(tag))
    return time_written(
        f"{day} {clock}",
        lambda _: instant(parse_date(day), parse_clock(clock), utc_offset=utc_offset),
        keyword="SeriesTime",
        tag=tag,
    )


def _decay_corrected_to(first: Attributes, utc_offset: timedelta | None) -> Written[Instant]:
    return time_written(
        first.text(TAG["DecayCorrectionDateTime"]),
        lambda text: parse_instant(text, utc_offset=utc_offset),
        keyword="DecayCorrectionDateTime",
        tag=TAG["DecayCorrectionDateTime"],
    )


def _series_findings(first: Attributes, reference_at: Written[Instant]) -> tuple[Finding, ...]:
    """Return findings about reference and injection times: what cannot be read, hour 24, second 60.

    Parameters
    ----------
    reference_at
        SeriesTime; of an Enhanced image DecayCorrectionDateTime.
    """
    findings = []
    if reference_at.defect:
        findings.append(_unparsable(reference_at, "a date and time", "give --decay-reference"))
    written = [(first.text(TAG[reference_at.keyword]), reference_at.keyword, TAG[reference_at.keyword])]
    written += [
        (item.text(ITEM[keyword]), keyword, ITEM[keyword])
        for item in items_of(first)[:1]
        for keyword in ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime")
    ]
    findings += [rolled_over(*one) for one in written if is_rolled_over(one[0])]
    return tuple(findings)
