"""The guard: two scans are compared when their headers do not say that they are of different patients."""

from __future__ import annotations

from petquant.errors import Finding
from petquant.study import PetStudy

__all__ = ["patient_findings"]


def patient_findings(a: PetStudy, b: PetStudy, *, is_allowed: bool) -> tuple[Finding, ...]:
    """Return what contradicts that two scans are of one patient; the values are never printed.

    An attribute that one of them leaves empty says nothing.

    Parameters
    ----------
    is_allowed
        The user says that they are one patient: flags in place of refusals.
    """
    ids, others = a.facts.patient_ids, b.facts.patient_ids
    differ = {
        "PatientID (0010,0020)": bool(ids and others and not ids & others),
        "PatientBirthDate (0010,0030)": _differ(a.source.patient.birth_date, b.source.patient.birth_date),
        "PatientSex (0010,0040)": _differ(a.acquisition.sex.text, b.acquisition.sex.text),
    }
    return tuple(
        Finding(
            code="PATIENTS_DIFFER_ALLOWED" if is_allowed else "PATIENTS_DIFFER",
            found=f"{name} of series {a.source.uid} is not that of series {b.source.uid}",
            expected="two scans of one patient",
            remedy="" if is_allowed else "--ignore-patient-id, if they are known to be of one patient",
        )
        for name, is_other in differ.items()
        if is_other
    )


def _differ(one: str, other: str) -> bool:
    return bool(one.strip() and other.strip() and one.strip() != other.strip())
