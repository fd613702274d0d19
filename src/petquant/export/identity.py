"""Identity: what an output calls a study, without saying whose it is.

The key of a study is a pseudonym: keyed, HMAC-SHA256 of PatientID and issuer; without a key, SHA-256 of the
StudyInstanceUID. Both are cut to 16 hex digits. UIDs stand in outputs for traceability, unless hashed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from petquant.dicom.series import Series
from petquant.dicom.tags import TAG

__all__ = ["hashed_uids", "identifiers", "study_key"]


def study_key(series: Series, *, key: bytes | None) -> str:
    """Return the pseudonym of a study: stable for a patient under one `key`, for a study without."""
    if key is None:
        return hashlib.sha256(series.study_uid.encode()).hexdigest()[:16]
    patient = series.instances[0].text(TAG["PatientID"])
    issuer = series.instances[0].text(TAG["IssuerOfPatientID"])
    return hmac.new(key, f"{patient}\0{issuer}".encode(), hashlib.sha256).hexdigest()[:16]


def identifiers(series: Series) -> dict[str, str]:
    """Return name, id and birth date of the patient, for those who ask for them."""
    first = series.instances[0]
    return {
        "patient_name": first.text(TAG["PatientName"]),
        "patient_id": first.text(TAG["PatientID"]),
        "patient_birth_date": first.text(TAG["PatientBirthDate"]),
        "study_date": first.text(TAG["StudyDate"]),
    }


def hashed_uids(record: Any, uids: set[str]) -> Any:
    """Return `record` with every one of `uids`, also within sentences, replaced by 16 hex digits."""
    if isinstance(record, dict):
        return {key: hashed_uids(value, uids) for key, value in record.items()}
    if isinstance(record, list):
        return [hashed_uids(value, uids) for value in record]
    if isinstance(record, str):
        for uid in sorted(uids, key=len, reverse=True):
            record = record.replace(uid, hashlib.sha256(uid.encode()).hexdigest()[:16])
    return record
