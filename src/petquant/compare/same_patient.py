"""The guard: two scans are compared when their headers do not say that they are of different patients."""

from __future__ import annotations

from petquant.dicom.series import Series
from petquant.dicom.tags import TAG, tag_words
from petquant.errors import Finding

__all__ = ["patient_findings"]

KEYWORDS = ("PatientID", "PatientBirthDate", "PatientSex")


def patient_findings(a: Series, b: Series, *, is_allowed: bool) -> tuple[Finding, ...]:
    """Return what contradicts that two series are of one patient; the values are never printed.

    An attribute that one of them leaves empty says nothing.

    Parameters
    ----------
    is_allowed
        The user says that they are one patient: flags in place of refusals.
    """
    findings = []
    for keyword in KEYWORDS:
        tag = TAG[keyword]
        one, other = (series.instances[0].text(tag).strip() for series in (a, b))
        if one and other and one != other:
            findings.append(
                Finding(
                    code="PATIENTS_DIFFER_ALLOWED" if is_allowed else "PATIENTS_DIFFER",
                    found=f"{keyword} {tag_words(tag)} of series {a.uid} is not that of series {b.uid}",
                    expected="two scans of one patient",
                    remedy=""
                    if is_allowed
                    else "--ignore-patient-id, if they are known to be of one patient",
                )
            )
    return tuple(findings)
