"""A header as an acquisition: every value that the conversion may need, with the tag it was read from.

Values that are one per series are held to each other over all slices; values that are one per slice (times,
durations, decay factors) become frames in the order of the volume.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from petquant.acquisition import Frame, Instant, PetAcquisition, Radiopharmaceutical, Written
from petquant.dicom.attributes import Attributes
from petquant.dicom.datetimes import (
    clock_time,
    instant,
    is_rolled_over,
    parse_clock,
    parse_date,
    parse_instant,
    parse_offset,
)
from petquant.dicom.private import private_tags, private_values
from petquant.dicom.tags import KEYWORD, TAG, tag_words
from petquant.dicom.vendors import vendor_of
from petquant.errors import Finding

__all__ = ["read_acquisition"]

# Attributes that are one per series (suv.md section 4).
CONSTANT = (
    "PatientWeight",
    "PatientSize",
    "PatientSex",
    "Units",
    "SUVType",
    "DecayCorrection",
    "CorrectedImage",
    "Manufacturer",
    "SeriesDate",
    "SeriesTime",
)

# Attributes of a radiopharmaceutical item, with their tags.
ITEM = {
    "RadiopharmaceuticalStartTime": 0x00181072,
    "RadiopharmaceuticalStartDateTime": 0x00181078,
    "RadionuclideTotalDose": 0x00181074,
    "RadionuclideHalfLife": 0x00181075,
    "Radiopharmaceutical": 0x00180031,
    "RadionuclideCodeSequence": 0x00540300,
    "RadiopharmaceuticalCodeSequence": 0x00540304,
}
CODE_VALUE, CODE_MEANING = 0x00080100, 0x00080104


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
    """
    first = instances[0]
    vendor = vendor_of(first.text(TAG["Manufacturer"]))
    utc_offset, time_findings = _offset(first)
    series_at = _series_at(first, utc_offset)
    private, private_findings = private_values(first, vendor=vendor)
    frames, frame_findings, more_time_findings = _frames(instances, series_at)
    corrections = first.texts(TAG["CorrectedImage"])
    return PetAcquisition(
        series_uid=series_uid,
        vendor=vendor,
        manufacturer=first.text(TAG["Manufacturer"]),
        weight_kg=_number(first, "PatientWeight"),
        height_m=_number(first, "PatientSize"),
        sex=_text(first, "PatientSex"),
        units=_text(first, "Units"),
        suv_type=_text(first, "SUVType"),
        decay_correction=_text(first, "DecayCorrection"),
        corrections=Written(
            value=tuple(term.upper() for term in corrections) or None,
            text=first.text(TAG["CorrectedImage"]),
            keyword="CorrectedImage",
            tag=tag_words(TAG["CorrectedImage"]),
        ),
        attenuation=attenuation[0],
        attenuation_words=attenuation[1],
        series_at=series_at,
        frames=frames,
        utc_offset=utc_offset,
        private=private,
        radiopharmaceuticals=_radiopharmaceuticals(first, utc_offset),
        voxel_volume_ml=voxel_volume_ml,
        reconstruction=first.text(TAG["ReconstructionMethod"]),
        deidentification=tuple(
            (keyword, first.text(TAG[keyword]))
            for keyword in ("PatientIdentityRemoved", "LongitudinalTemporalInformationModified")
            if first.text(TAG[keyword])
        ),
        findings=(*_mixed(instances, vendor), *private_findings, *frame_findings),
        time_findings=(*time_findings, *_rolled_over(first, series_at), *more_time_findings),
    )


def _text(attributes: Attributes, keyword: str) -> Written[str]:
    tag = TAG[keyword]
    text = attributes.text(tag)
    return Written(value=text or None, text=text, keyword=keyword, tag=tag_words(tag))


def _number(attributes: Attributes, keyword: str, tag: int | None = None) -> Written[float]:
    """Return a decimal string; what is no finite number keeps its text and carries the defect."""
    tag = TAG[keyword] if tag is None else tag
    text = attributes.text(tag)
    words = tag_words(tag)
    if not text:
        return Written(keyword=keyword, tag=words)
    number = _finite(text)
    if number is None:
        return Written(text=text, keyword=keyword, tag=words, defect="VALUE_NOT_FINITE")
    return Written(value=number, text=text, keyword=keyword, tag=words)


@lru_cache(maxsize=4096)
def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _timed(text: str, parse: Callable[[str], Any], *, keyword: str, tag: int) -> Written[Any]:
    words = tag_words(tag)
    if not text:
        return Written(keyword=keyword, tag=words)
    try:
        return Written(value=parse(text), text=text, keyword=keyword, tag=words)
    except (ValueError, OverflowError):
        return Written(text=text, keyword=keyword, tag=words, defect="TIME_UNPARSABLE")


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
        return None, (_unparsable(written, "an offset such as +0100"),)


def _unparsable(written: Written[Any], expected: str) -> Finding:
    return written.finding(
        "TIME_UNPARSABLE",
        expected=expected,
        remedy="give --decay-reference (de-identification keeps times with Retain Longitudinal Temporal "
        "Information, 113106 or 113107)",
    )


def _series_at(first: Attributes, utc_offset: timedelta | None) -> Written[Instant]:
    day, clock = first.text(TAG["SeriesDate"]), first.text(TAG["SeriesTime"])
    tag = TAG["SeriesTime"]
    if not day or not clock:
        return Written(text=clock, keyword="SeriesTime", tag=tag_words(tag))
    return _timed(
        f"{day} {clock}",
        lambda _: instant(parse_date(day), parse_clock(clock), utc_offset=utc_offset),
        keyword="SeriesTime",
        tag=tag,
    )


def _rolled_over(first: Attributes, series_at: Written[Instant]) -> tuple[Finding, ...]:
    """Return the findings about the series time: one that cannot be read, or hour 24 and second 60."""
    if series_at.defect:
        return (_unparsable(series_at, "a date and time"),)
    findings = []
    for keyword in ("SeriesTime", "AcquisitionTime"):
        text = first.text(TAG[keyword])
        if text and is_rolled_over(text):
            findings.append(_rolled(text, keyword, TAG[keyword]))
    for item in first.items(TAG["RadiopharmaceuticalInformationSequence"])[:1]:
        for keyword in ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"):
            text = item.text(ITEM[keyword])
            if text and is_rolled_over(text):
                findings.append(_rolled(text, keyword, ITEM[keyword]))
    return tuple(findings)


def _rolled(text: str, keyword: str, tag: int) -> Finding:
    return Finding(
        code="TIME_ROLLED_OVER",
        found=text,
        expected="hours to 23 and seconds to 59; read as the next instant",
        keyword=keyword,
        tag=tag_words(tag),
    )


def _frames(
    instances: Sequence[Attributes], series_at: Written[Instant]
) -> tuple[tuple[Frame, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the timing of every slice, findings about numbers, and findings about times."""
    frames = []
    not_finite: Counter[tuple[str, str]] = Counter()
    unreadable: Counter[tuple[str, str]] = Counter()
    undated = 0
    series_day = None if series_at.value is None else series_at.value.at.date()
    for attributes in instances:
        numbers: dict[str, float | None] = {}
        for keyword in ("ActualFrameDuration", "FrameReferenceTime", "DecayFactor"):
            text = attributes.text(TAG[keyword])
            numbers[keyword] = _finite(text) if text else None
            if text and numbers[keyword] is None:
                not_finite[keyword, text] += 1
        day, clock = attributes.text(TAG["AcquisitionDate"]), attributes.text(TAG["AcquisitionTime"])
        stamp = attributes.text(TAG["AcquisitionDateTime"]) if not clock else ""
        try:
            started = _acquired(day, clock, stamp, series_day)
        except (ValueError, OverflowError):
            started = None
            unreadable[
                ("AcquisitionTime" if clock else "AcquisitionDateTime"), f"{day} {clock or stamp}".strip()
            ] += 1
        undated += bool(clock and not day and started)
        duration = numbers["ActualFrameDuration"]
        reference = numbers["FrameReferenceTime"]
        frames.append(
            Frame(
                acquired_at=None if started is None else started.at,
                duration_s=duration / 1000.0 if duration is not None and duration > 0 else None,
                reference_s=None if reference is None else reference / 1000.0,
                decay_factor=numbers["DecayFactor"],
            )
        )
    findings = tuple(
        Finding(
            code="VALUE_NOT_FINITE",
            found=f"{text} on {n} slices",
            expected="a finite number",
            remedy="give --frame-duration" if keyword == "ActualFrameDuration" else "export the series again",
            keyword=keyword,
            tag=tag_words(TAG[keyword]),
        )
        for (keyword, text), n in not_finite.items()
    )
    time_findings = [
        Finding(
            code="TIME_UNPARSABLE",
            found=f"{text} on {n} slices",
            expected="a date and time",
            remedy="export the series again",
            keyword=keyword,
            tag=tag_words(TAG[keyword]),
        )
        for (keyword, text), n in unreadable.items()
    ]
    time_findings += _partial(frames, undated)
    return tuple(frames), findings, tuple(time_findings)


@lru_cache(maxsize=4096)
def _acquired(day: str, clock: str, stamp: str, series_day: date | None) -> Instant | None:
    """Return the start of acquisition; AcquisitionDateTime is used only without AcquisitionTime."""
    if clock:
        dated = parse_date(day) if day else series_day
        return None if dated is None else instant(dated, parse_clock(clock))
    return parse_instant(stamp) if stamp else None


def _partial(frames: Sequence[Frame], undated: int) -> list[Finding]:
    findings = []
    without = sum(frame.acquired_at is None for frame in frames)
    if 0 < without < len(frames):
        findings.append(
            Finding(
                code="MIXED_VALUES",
                found=f"missing on {without} of {len(frames)} slices",
                expected="an acquisition time on every slice or on none",
                remedy="export the series again",
                keyword="AcquisitionTime",
                tag=tag_words(TAG["AcquisitionTime"]),
            )
        )
    if undated:
        findings.append(
            Finding(
                code="ACQ_DATE_SHIFTED",
                found=f"missing on {undated} slices; the series date was used",
                expected="the date of acquisition",
                keyword="AcquisitionDate",
                tag=tag_words(TAG["AcquisitionDate"]),
            )
        )
    return findings


def _radiopharmaceuticals(first: Attributes, utc_offset: timedelta | None) -> tuple[Radiopharmaceutical, ...]:
    return tuple(
        _radiopharmaceutical(item, utc_offset)
        for item in first.items(TAG["RadiopharmaceuticalInformationSequence"])
    )


def _radiopharmaceutical(item: Attributes, utc_offset: timedelta | None) -> Radiopharmaceutical:
    def stated(keyword: str) -> Written[str]:
        text = item.text(ITEM[keyword])
        return Written(value=text or None, text=text, keyword=keyword, tag=tag_words(ITEM[keyword]))

    def coded(keyword: str, tag: int) -> Written[str]:
        codes = item.items(ITEM[keyword])
        text = codes[0].text(tag) if codes else ""
        return Written(value=text or None, text=text, keyword=keyword, tag=tag_words(ITEM[keyword]))

    stamp, clock = ITEM["RadiopharmaceuticalStartDateTime"], ITEM["RadiopharmaceuticalStartTime"]
    return Radiopharmaceutical(
        dose=_number(item, "RadionuclideTotalDose", ITEM["RadionuclideTotalDose"]),
        half_life_s=_number(item, "RadionuclideHalfLife", ITEM["RadionuclideHalfLife"]),
        injected_at=_timed(
            item.text(stamp),
            lambda text: parse_instant(text, utc_offset=utc_offset),
            keyword="RadiopharmaceuticalStartDateTime",
            tag=stamp,
        ),
        injected_clock=_timed(
            item.text(clock),
            lambda text: clock_time(text, utc_offset=utc_offset),
            keyword="RadiopharmaceuticalStartTime",
            tag=clock,
        ),
        name=stated("Radiopharmaceutical"),
        nuclide_code=coded("RadionuclideCodeSequence", CODE_VALUE),
        nuclide_meaning=coded("RadionuclideCodeSequence", CODE_MEANING),
        tracer_code=coded("RadiopharmaceuticalCodeSequence", CODE_VALUE),
        tracer_meaning=coded("RadiopharmaceuticalCodeSequence", CODE_MEANING),
    )


def _mixed(instances: Sequence[Attributes], vendor: str) -> tuple[Finding, ...]:
    """Return a refusal for every attribute that is one per series and differs between slices."""
    first = instances[0]
    findings = []
    tags = [TAG[keyword] for keyword in CONSTANT] + list(private_tags(first, vendor=vendor))
    for tag in tags:
        raw = first.values.get(tag)
        if all(other.values.get(tag) == raw for other in instances):
            continue
        values = Counter(_comparable(other.text(tag)) for other in instances)
        if len(values) > 1:
            findings.append(_differs(KEYWORD.get(tag, "private"), tag, values))
    findings += _mixed_items(instances)
    return tuple(findings)


def _comparable(text: str) -> str:
    number = _finite(text)
    return text if number is None else f"{number!r}"


def _mixed_items(instances: Sequence[Attributes]) -> list[Finding]:
    sequence = TAG["RadiopharmaceuticalInformationSequence"]
    raw = instances[0].values.get(sequence)
    if all(other.values.get(sequence) == raw for other in instances):
        return []
    distinct = {other.values.get(sequence, b""): other for other in instances}
    findings = []
    for keyword in ("RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime",
                    "RadiopharmaceuticalStartDateTime"):  # fmt: skip
        by_bytes = {
            key: " and ".join(_comparable(item.text(ITEM[keyword])) for item in other.items(sequence))
            for key, other in distinct.items()
        }
        values = Counter(by_bytes[other.values.get(sequence, b"")] for other in instances)
        if len(values) > 1:
            findings.append(_differs(keyword, ITEM[keyword], values))
    return findings


def _differs(keyword: str, tag: int, values: Counter[str]) -> Finding:
    listed = ", ".join(f"{value or 'missing'} on {n} slices" for value, n in values.most_common())
    return Finding(
        code="MIXED_VALUES",
        found=listed,
        expected="one value for the series",
        remedy="separate the files",
        keyword=keyword,
        tag=tag_words(tag),
    )
