"""A query says which studies are meant: by UID, patient, accession number and date.

An archive may ignore a key that it does not support and answer with more than was asked for (PS3.4 section
C.2.2.1), so that every answer is held to the query once more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from petquant.dicom.network.listing import FoundStudy
from petquant.dicom.network.uids import is_uid
from petquant.errors import PetquantError, UsageError

__all__ = ["Query"]

_DATES: Final = re.compile(r"\d{8}|\d{8}-\d{8}|\d{8}-|-\d{8}")
_LONGEST: Final = 64  # of a PatientID (LO); an AccessionNumber (SH) has 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which studies are meant; what is empty matches anything.

    Parameters
    ----------
    study_uids
        Study Instance UIDs.
    patient_id, accession
        PatientID and AccessionNumber; ``*`` and ``?`` stand for any characters and any one.
    dates
        ``YYYYMMDD``, or a range ``YYYYMMDD-YYYYMMDD`` of which one end may be open.

    Raises
    ------
    UsageError
        QUERY_INVALID.
    """

    study_uids: tuple[str, ...] = ()
    patient_id: str = ""
    accession: str = ""
    dates: str = ""

    def __post_init__(self) -> None:
        for uid in self.study_uids:
            if not is_uid(uid):
                raise _invalid(f"the study UID {uid!r}", "digits and dots, at most 64 characters")
        for text in (self.patient_id, self.accession):
            if len(text) > _LONGEST or "\\" in text or not text.isprintable():
                raise _invalid("a patient id or accession number", "at most 64 characters, no backslash")
        if self.dates and _DATES.fullmatch(self.dates) is None:
            raise _invalid(f"the date {self.dates!r}", "YYYYMMDD or YYYYMMDD-YYYYMMDD")

    @property
    def is_open(self) -> bool:
        """Whether every study of the archive fits."""
        return self == Query()

    def keys(self, study_uid: str = "") -> dict[str, str]:
        """Return the matching keys of the study level by keyword, those without a value left out."""
        keys = {
            "StudyInstanceUID": study_uid,
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession,
            "StudyDate": self.dates,
        }
        return {keyword: value for keyword, value in keys.items() if value}

    def fits(self, study: FoundStudy) -> bool:
        """Whether an answer is one of the studies that are meant, as far as it says."""
        if self.study_uids and study.uid not in self.study_uids:
            return False
        if not _fits(self.patient_id, study.patient_id) or not _fits(self.accession, study.accession):
            return False
        if not self.dates or not study.date:
            return True
        first, dash, last = self.dates.partition("-")
        return (first or "0") <= study.date <= ((last or "9") if dash else first)


def _fits(pattern: str, value: str) -> bool:
    if not pattern or not value:
        return True
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern.strip())
    return re.fullmatch("".join(parts), value, re.IGNORECASE) is not None


def _invalid(found: str, expected: str) -> PetquantError:
    return UsageError.of("QUERY_INVALID", found, expected=expected)
