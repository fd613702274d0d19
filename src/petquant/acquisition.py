"""An acquisition is what scanner and radiopharmacy wrote down about one PET series, free of any file format.

Nothing here is judged: a value stands as it was written, with where it was written, and `petquant.suv`
decides what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from petquant.errors import Finding
from petquant.instant import ClockTime, Instant

__all__ = [
    "Clock",
    "ClockTime",
    "DoseUnit",
    "Frame",
    "Instant",
    "PetAcquisition",
    "PrivateValues",
    "Radiopharmaceutical",
    "Written",
]

T = TypeVar("T")


class Clock(StrEnum):
    """What the times of an acquisition are times of."""

    CALENDAR = "calendar"  # date and time
    DAY = "day"  # clock times whose date nobody wrote down; the date in use is nominal
    INTERVALS = "intervals"  # nothing but seconds between events; date and time in use are nominal


class DoseUnit(StrEnum):
    """What is known of the unit of a dose."""

    CLASSIC = "classic"  # Bq by the standard, often MBq in practice
    ENHANCED = "enhanced"  # MBq by the standard, Bq in some objects
    STATED = "stated"  # written beside the number; the dose is in Bq
    UNSTATED = "unstated"  # should stand beside the number and does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(Generic[T]):
    """A value as somebody wrote it down.

    Parameters
    ----------
    value
        What it means, None when it is absent or cannot be read.
    text
        As it stands there; empty when absent.
    keyword, tag
        DICOM keyword and ``(gggg,eeee)``, or the key of a side-car.
    option
        The option that gave the value in place of what was written; empty otherwise.
    replaced
        What the option replaced.
    defect
        Code of what is wrong with `text`, if it cannot be read: VALUE_NOT_FINITE or TIME_UNPARSABLE.
    """

    value: T | None = None
    text: str = ""
    keyword: str = ""
    tag: str = ""
    option: str = ""
    replaced: str = ""
    defect: str = ""

    def finding(
        self,
        code: str,
        *,
        expected: str = "",
        remedy: str = "",
        found: str = "",
        quantities: tuple[str, ...] = ("*",),
    ) -> Finding:
        """Return a finding about this value."""
        return Finding(
            code=code,
            found=found or self.text or "missing",
            expected=expected,
            remedy=remedy,
            keyword=self.option or self.keyword,
            tag="" if self.option else self.tag,
            quantities=quantities,
        )

    def given(self, value: T | None, *, option: str, text: str = "") -> Written[T]:
        """Return what the user says instead; itself when the user says nothing."""
        if value is None:
            return self
        return Written(
            value=value,
            text=text or str(value),
            keyword=self.keyword,
            tag=self.tag,
            option=option,
            replaced=self.text,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiopharmaceutical:
    """One item of what was injected.

    `dose` is the number as stored: whether it is Bq or MBq is decided by `petquant.suv`, unless its unit was
    stated.
    """

    dose: Written[float]
    half_life_s: Written[float]
    injected_at: Written[Instant]
    injected_clock: Written[ClockTime]
    dose_unit: DoseUnit = DoseUnit.CLASSIC
    name: Written[str] = field(default_factory=Written)
    nuclide_code: Written[str] = field(default_factory=Written)
    nuclide_meaning: Written[str] = field(default_factory=Written)
    tracer_code: Written[str] = field(default_factory=Written)
    tracer_meaning: Written[str] = field(default_factory=Written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Timing of one image: a slice of a classic series, or a frame of a multi-frame image.

    Parameters
    ----------
    acquired_at
        Start of the acquisition on the scanner's clock, None when it was not written.
    duration_s
        Length of the acquisition; None when absent or not positive.
    reference_s
        FrameReferenceTime in s, None when absent.
    decay_factor
        DecayFactor, None when absent.
    reference_at
        FrameReferenceDateTime of an Enhanced image: the time that the values of a frame hold for when they
        are not decay-corrected; None when absent.
    """

    acquired_at: datetime | None = None
    duration_s: float | None = None
    reference_s: float | None = None
    decay_factor: float | None = None
    reference_at: datetime | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it is known to which time values without decay correction belong."""
        return self.reference_at is not None or (self.acquired_at is not None and self.duration_s is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateValues:
    """What vendors write in private attributes, already decoded."""

    decay_corrected_to: Written[Instant] = field(default_factory=Written)
    injected_at: Written[Instant] = field(default_factory=Written)
    suv_scale_factor: Written[float] = field(default_factory=Written)
    activity_scale_factor: Written[float] = field(default_factory=Written)
    assayed_activity: Written[float] = field(default_factory=Written)
    assayed_at: Written[Instant] = field(default_factory=Written)
    residual_activity: Written[float] = field(default_factory=Written)
    residual_at: Written[Instant] = field(default_factory=Written)
    nuclide_name: Written[str] = field(default_factory=Written)


@dataclass(frozen=True, slots=True, kw_only=True)
class PetAcquisition:
    """What was written down about one PET series.

    Parameters
    ----------
    series_uid
        For messages and traceability.
    vendor
        ``ge``, ``siemens``, ``philips`` or empty when unknown: decides the convention of reference times.
    weight_kg, height_m, sex
        As stored; grams and centimetres are recognised later.
    units, suv_type, decay_correction
        DICOM defined terms.
    corrections
        Values of CorrectedImage; None when the attribute is absent.
    attenuation
        ``corrected``, ``assumed``, ``absent`` or ``unknown``, with the words that say why.
    series_at
        Start of the series.
    is_enhanced
        Whether it is an Enhanced PET image, which must state its decay reference and whose series time says
        nothing.
    decay_corrected_to
        The decay reference where the file states it outright.
    frames
        One a slice, in the order of the volume.
    utc_offset
        Of the scanner's clock, when it was written.
    clock
        What its times are times of; an injection written in one that is not of the calendar is an interval.
    path
        Of the file that is the whole series; messages then name it instead of the UID.
    private
        Vendor values.
    radiopharmaceuticals
        Items as written; several are judged later.
    voxel_volume_ml
        For counts per second, which need it; None before the grid is known.
    patient_age_years, reconstruction, deidentification
        Carried into the output.
    findings
        What was seen while reading; values that could not be read carry their own defect instead.
    time_findings
        The same about dates and times, which matter only where a conversion needs them.
    """

    series_uid: str
    vendor: str
    manufacturer: str
    weight_kg: Written[float]
    height_m: Written[float]
    sex: Written[str]
    units: Written[str]
    suv_type: Written[str]
    decay_correction: Written[str]
    corrections: Written[tuple[str, ...]]
    attenuation: str
    attenuation_words: str
    series_at: Written[Instant]
    frames: tuple[Frame, ...]
    is_enhanced: bool = False
    decay_corrected_to: Written[Instant] = field(default_factory=Written)
    utc_offset: timedelta | None = None
    clock: Clock = Clock.CALENDAR
    path: str = ""
    private: PrivateValues = field(default_factory=PrivateValues)
    radiopharmaceuticals: tuple[Radiopharmaceutical, ...] = ()
    voxel_volume_ml: float | None = None
    reconstruction: str = ""
    deidentification: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    time_findings: tuple[Finding, ...] = ()

    def located(self, finding: Finding) -> Finding:
        """Return a finding with whose it is: the series, or the file."""
        if finding.where or finding.path:
            return finding
        if self.path:
            return replace(finding, path=self.path)
        return replace(finding, where=f"series {self.series_uid}")
