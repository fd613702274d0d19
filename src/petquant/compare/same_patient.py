"""The guard: two scans are compared when their headers do not say that they are of different patients."""

from __future__ import annotations

from petquant.errors import Finding
from petquant.study.source import Source

__all__ = ["patient_findings"]

# attribute of a patient, its keyword and tag
IDENTITY = (
    ("patient_id", "PatientID", "(0010,0020)"),
    ("birth_date", "PatientBirthDate", "(0010,0030)"),
    ("sex", "PatientSex", "(0010,0040)"),
)


def patient_findings(a: Source, b: Source, *, is_allowed: bool) -> tuple[Finding, ...]:
    """Return what contradicts that two series are of one patient; the values are never printed.

    An attribute that one of them leaves empty says nothing.

    Parameters
    ----------
    is_allowed
        The user says that they are one patient: flags in place of refusals.
    """
    findings = []
    for attribute, keyword, tag in IDENTITY:
        one, other = (str(getattr(source.patient, attribute)).strip() for source in (a, b))
        if one and other and one != other:
            findings.append(
                Finding(
                    code="PATIENTS_DIFFER_ALLOWED" if is_allowed else "PATIENTS_DIFFER",
                    found=f"{keyword} {tag} of series {a.uid} is not that of series {b.uid}",
                    expected="two scans of one patient",
                    remedy=""
                    if is_allowed
                    else "--ignore-patient-id, if they are known to be of one patient",
                )
            )
    return tuple(findings)
