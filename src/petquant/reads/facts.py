"""Facts are what is known of one scan and its patient, for a protocol to be held against; None is unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

__all__ = ["GLUCOSE_MG_DL_PER_MMOL_L", "ClinicalFacts", "ScanFacts", "age_years", "years_of"]

GLUCOSE_MG_DL_PER_MMOL_L: Final = 18.016  # molar mass of glucose 180.16 g/mol, over 10 dL/L

AGE: Final = re.compile(r"(\d{3})([DWMY])")
A_YEAR: Final = {"D": 365.25, "W": 365.25 / 7.0, "M": 12.0, "Y": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFacts:
    """What is known of one scan.

    Parameters
    ----------
    tracer
        Name in `petquant.tracers`.
    activity_mbq
        Injected, at the time of injection.
    uptake_time_min
        From injection to the start of the acquisition.
    time_point_min
        Planned, where the protocol has several; None when the scan is the only one.
    ct_at, pet_at
        Start of the acquisitions, on one clock.
    z_mm
        Lowest and highest edge of the PET, LPS z in mm (feet to head).
    landmarks_z_mm
        z of mid-thigh and skull base in the same frame of reference, where somebody located them.
    reconstruction
        ReconstructionMethod as written; empty when absent.
    patient_age_years
        From PatientAge, see `years_of`.
    birth_date, study_date
        For the age where PatientAge is absent; never printed.
    """

    tracer: str | None = None
    activity_mbq: float | None = None
    uptake_time_min: float | None = None
    time_point_min: float | None = None
    ct_at: datetime | None = None
    pet_at: datetime | None = None
    z_mm: tuple[float, float] | None = None
    landmarks_z_mm: tuple[float, float] | None = None
    reconstruction: str = ""
    patient_age_years: float | None = None
    birth_date: date | None = None
    study_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalFacts:
    """What the clinic knows of one patient at one session: a row of ``clinical.csv``.

    Parameters
    ----------
    glucose_mg_dl
        Plasma glucose at injection.
    fasting_h
        Hours without food before injection.
    egfr
        Estimated glomerular filtration rate, mL/min/1.73 m2.
    is_pregnant, is_breastfeeding
        As asked on the day.
    therapy_free_days
        Days since the last anti-cancer therapy, infinite when there was none.
    has_measurable_disease
        By the criteria of the disease, for example Lugano.
    """

    glucose_mg_dl: float | None = None
    fasting_h: float | None = None
    egfr: float | None = None
    is_pregnant: bool | None = None
    is_breastfeeding: bool | None = None
    therapy_free_days: float | None = None
    has_measurable_disease: bool | None = None


def years_of(text: str) -> float | None:
    """Return a DICOM age string (``053Y``, ``018M``, ``010W``, ``003D``; PS3.5 6.2) in years, else None."""
    match = AGE.fullmatch(text.strip().upper())
    return int(match[1]) / A_YEAR[match[2]] if match else None


def age_years(scan: ScanFacts) -> tuple[float | None, str]:
    """Return the age at the study and where it comes from: PatientAge, else full years since birth."""
    if scan.patient_age_years is not None:
        return scan.patient_age_years, "PatientAge"
    if scan.birth_date is None or scan.study_date is None:
        return None, ""
    born, studied = scan.birth_date, scan.study_date
    had_birthday = (studied.month, studied.day) >= (born.month, born.day)
    return float(studied.year - born.year - (not had_birthday)), "PatientBirthDate and StudyDate"
