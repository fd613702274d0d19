"""A listing is what an archive says that it holds: studies, their series, the instances of a series.

Its words come from another machine. A UID that is none is an error here, before it can become part of a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petquant.dicom.network.uids import is_uid
from petquant.errors import UnreadableInput

__all__ = [
    "INSTANCE_KEYS",
    "SERIES_KEYS",
    "STUDY_KEYS",
    "FoundSeries",
    "FoundStudy",
    "found_instances",
    "found_series",
    "found_studies",
]

# Attributes asked for, PS3.4 tables C.6-1 to C.6-4 and PS3.18 tables 10.6.3-3 to 10.6.3-5
STUDY_KEYS: Final = (
    "StudyInstanceUID",
    "StudyDate",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyDescription",
)
SERIES_KEYS: Final = ("SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances")
INSTANCE_KEYS: Final = ("SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study in the archive; counts are None where it does not tell them."""

    uid: str
    date: str = ""
    modalities: tuple[str, ...] = ()
    n_series: int | None = None
    n_instances: int | None = None
    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSeries:
    """A series in the archive; `n_instances` is None where it does not tell it."""

    study_uid: str
    uid: str
    modality: str
    n_instances: int | None = None


def found_studies(answers: Iterable[Any], *, where: str) -> tuple[FoundStudy, ...]:
    """Return the studies of answers, pydicom data sets, each once.

    Raises
    ------
    UnreadableInput
        PACS_ANSWER_INVALID, when an answer has no UID or one that is none.
    """
    found = {}
    for answer in answers:
        uid = _uid(answer, "StudyInstanceUID", where)
        found[uid] = FoundStudy(
            uid=uid,
            date=_text(answer, "StudyDate"),
            modalities=tuple(sorted(_texts(answer, "ModalitiesInStudy"))),
            n_series=_count(answer, "NumberOfStudyRelatedSeries"),
            n_instances=_count(answer, "NumberOfStudyRelatedInstances"),
            patient_id=_text(answer, "PatientID"),
            patient_name=_text(answer, "PatientName"),
            accession=_text(answer, "AccessionNumber"),
            description=_text(answer, "StudyDescription"),
        )
    return tuple(found.values())


def found_series(answers: Iterable[Any], *, study_uid: str, where: str) -> tuple[FoundSeries, ...]:
    """Return the series of answers, each once; errors as of `found_studies`."""
    found = {}
    for answer in answers:
        uid = _uid(answer, "SeriesInstanceUID", where)
        found[uid] = FoundSeries(
            study_uid=study_uid,
            uid=uid,
            modality=_text(answer, "Modality"),
            n_instances=_count(answer, "NumberOfSeriesRelatedInstances"),
        )
    return tuple(found.values())


def found_instances(answers: Iterable[Any], *, where: str) -> dict[str, str]:
    """Return SOP Instance UID to SOP Class UID ("" where it is not told); errors as of `found_studies`."""
    return {_uid(answer, "SOPInstanceUID", where): _text(answer, "SOPClassUID") for answer in answers}


def _uid(answer: Any, keyword: str, where: str) -> str:
    uid = _text(answer, keyword)
    if not is_uid(uid):
        raise UnreadableInput.of(
            "PACS_ANSWER_INVALID",
            f"the archive names an object by {uid!r}" if uid else "the archive names an object by nothing",
            expected="a UID of digits and dots, at most 64 characters",
            where=where,
            keyword=keyword,
        )
    return uid


def _text(answer: Any, keyword: str) -> str:
    return "\\".join(_texts(answer, keyword))


def _texts(answer: Any, keyword: str) -> list[str]:
    value = answer.get(keyword)
    if value is None:
        return []
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return [text for text in (str(one).strip(" \0") for one in (value if several else [value])) if text]


def _count(answer: Any, keyword: str) -> int | None:
    text = _text(answer, keyword)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None
