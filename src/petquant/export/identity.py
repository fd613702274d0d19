"""Identity: what an output calls a study, without saying whose it is.

The key of a study is a pseudonym: keyed, HMAC-SHA256 of PatientID and issuer; without a key, SHA-256 of what
tells the study from others (StudyInstanceUID, or the SHA-256 of a NIfTI image). Both are cut to 16 hex
digits. UIDs stand in outputs for traceability, unless hashed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from petquant.study.source import Source

__all__ = ["IDENTIFIERS", "hashed_uids", "identifiers", "study_key"]

IDENTIFIERS: Final = ("patient_name", "patient_id", "patient_birth_date", "study_date")


def study_key(source: Source, *, key: bytes | None) -> str:
    """Return the pseudonym of a study: stable for a patient under one `key`, for a study without."""
    if key is None:
        return hashlib.sha256(source.identity.encode()).hexdigest()[:16]
    patient = f"{source.patient.patient_id}\0{source.patient.issuer}"
    return hmac.new(key, patient.encode(), hashlib.sha256).hexdigest()[:16]


def identifiers(source: Source) -> dict[str, str]:
    """Return name, id and birth date of the patient, for those who ask for them."""
    patient = source.patient
    values = (patient.name, patient.patient_id, patient.birth_date, patient.study_date)
    return dict(zip(IDENTIFIERS, values, strict=True))


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
