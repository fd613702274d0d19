"""A derived object is what petquant writes from a PET series: a SEG, an SR.

The same content gives the same bytes: UIDs are hashes, dates are those of the series.
"""

from __future__ import annotations

import hashlib
import io
import re
from datetime import date, datetime, time
from typing import Any, Final

from petquant.dicom.datetimes import parse_clock, parse_date
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG

__all__ = [
    "PATIENT_AND_STUDY",
    "content_at",
    "encoded",
    "hashed_uid",
    "identify",
    "long_string",
    "number_after",
]

PATIENT_AND_STUDY: Final = (  # what highdicom asks the source for, before whole modules are copied
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
_NO_DATE: Final = date(1900, 1, 1)  # ContentDate is type 1; what de-identification writes
_LO: Final = 64  # characters of a Long String


def hashed_uid(identity: bytes, kind: str) -> str:
    """Return a UID of the form of PS3.5 B.2: 2.25 and the first 128 bits of a SHA-256."""
    digest = hashlib.sha256(identity + kind.encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def content_at(instance: Instance) -> datetime:
    """Return when the series was made, or the study; the object itself has no clock."""
    for kind in ("Series", "Acquisition", "Study"):
        try:
            day = parse_date(instance.text(TAG[f"{kind}Date"]))
        except ValueError:
            continue
        try:
            return datetime.combine(day, time()) + parse_clock(instance.text(TAG[f"{kind}Time"]))
        except ValueError:
            return datetime.combine(day, time())
    return datetime.combine(_NO_DATE, time())


def number_after(instance: Instance, step: int) -> int:
    """Return a SeriesNumber that is `step` above that of the PET; `step` itself when that has none."""
    text = instance.text(TAG["SeriesNumber"])
    return step + (int(text) if re.fullmatch(r"\d{1,6}", text) else 0)


def long_string(text: str, otherwise: str) -> str:
    """Return text as a value of LO: no backslash, no control character, 64 characters."""
    return re.sub(r"[\\\x00-\x1f\x7f]", " ", text)[:_LO].strip() or otherwise


def identify(derived: Any, header: Any) -> None:
    """Give an object its patient and study, and take away what a clock or the scanner put in."""
    derived.copy_patient_and_study_information(header)
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
        if keyword in derived:
            delattr(derived, keyword)


def encoded(dataset: Any) -> bytes:
    """Return the bytes of a DICOM file."""
    out = io.BytesIO()
    pydicom_of_today().dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()
