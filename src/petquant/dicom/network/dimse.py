"""An archive by DIMSE (PS3.4 annex C): C-FIND and C-GET of the study root, through pynetdicom.

For C-GET we are the storage SCP on our own association (PS3.7 section D.3.3.4), so that nothing listens here.
Every transfer syntax is a presentation context of its own: the archive can send an instance as it is stored.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt

from petquant.dicom.network.archive import Keep
from petquant.dicom.network.listing import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    FoundSeries,
    FoundStudy,
    found_instances,
    found_series,
    found_studies,
)
from petquant.dicom.network.query import Query
from petquant.dicom.network.source import DimseSource
from petquant.dicom.transfer_syntax import BIG, DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE, LOSSLESS
from petquant.errors import LimitReached, PetquantError, UnreadableInput

__all__ = ["DimseArchive"]

FIND: Final = UID(
    "1.2.840.10008.5.1.4.1.2.2.1"
)  # Study Root Query/Retrieve Information Model, PS3.4 section C.6.2
GET: Final = UID("1.2.840.10008.5.1.4.1.2.2.3")

# Classes of a modality where the archive does not tell those of its instances (PS3.6 table A-1)
_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "PT": (
        "1.2.840.10008.5.1.4.1.1.128",  # PET Image Storage
        "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
        "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, as which MIPs come
    ),
    "CT": (
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    ),
    "SEG": (
        "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    ),
    "RTSTRUCT": ("1.2.840.10008.5.1.4.1.1.481.3",),  # RT Structure Set
    "SR": (
        "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
        "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
        "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    ),
}
# What may be stored; the lossy ones are fetched as well, and refused by those who measure.
_SYNTAXES: Final = (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DEFLATED,
    BIG,
    *LOSSLESS,
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.203",  # HTJ2K
)
_CONTEXTS: Final = 127  # PS3.8 section 7.1.1.13: odd numbers from 1 to 255, and one of them is C-GET's
_LIST: Final = 100  # instances named in one request
_PENDING: Final = {0xFF00, 0xFF01}  # PS3.4 table C.4-1; the second: a key was not supported
_SUCCESS, _NO_ROOM = 0x0000, 0xA700
_ANSWERS: Final = 1_000_000
_PDU_BYTES: Final = 2**17
_ATTEMPTS: Final = 2  # to associate
_SOON_S: Final = 1.0


class DimseArchive:
    """An application entity; see `petquant.dicom.network.archive.Archive`."""

    def __init__(self, source: DimseSource, *, aet: str, timeout_s: float) -> None:
        self._source = source
        self._ae = AE(ae_title=aet)
        self._ae.maximum_pdu_size = _PDU_BYTES
        self._ae.acse_timeout = self._ae.dimse_timeout = timeout_s
        self._ae.network_timeout = self._ae.connection_timeout = timeout_s
        self._finding: Any = None

    def __enter__(self) -> Self:
        """Return the archive; an association is made when something is asked."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Release the association that questions were asked on."""
        _leave(self._finding, is_orderly=error is None)
        self._finding = None

    def studies(self, query: Query) -> tuple[FoundStudy, ...]:
        """Return the studies that fit."""
        answers: list[Dataset] = []
        for uid in query.study_uids or ("",):
            answers += self._asked("STUDY", STUDY_KEYS, query.keys(uid))
        found = found_studies(answers, where=self._source.name)
        return tuple(study for study in found if query.fits(study))

    def series(self, study_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study."""
        answers = self._asked("SERIES", SERIES_KEYS, {"StudyInstanceUID": study_uid})
        return found_series(answers, study_uid=study_uid, where=f"study {study_uid}")

    def instances(self, series: FoundSeries) -> dict[str, str]:
        """Return the instances of a series with their classes."""
        keys = {"StudyInstanceUID": series.study_uid, "SeriesInstanceUID": series.uid}
        return found_instances(self._asked("IMAGE", INSTANCE_KEYS, keys), where=f"series {series.uid}")

    def retrieve(
        self, series: FoundSeries, wanted: Mapping[str, str], keep: Keep, *, is_whole: bool
    ) -> tuple[str, ...]:
        """Hand instances of a series to `keep`, see `Archive.retrieve`."""
        failed: list[PetquantError] = []
        classes = {uid for uid in wanted.values() if uid} or set(_CLASSES.get(series.modality, ()))
        if not classes:
            return (f"the archive does not tell the SOP classes of a {series.modality} series",)

        def stored(event: Any) -> int:
            try:
                keep(event.encoded_dataset())
            except PetquantError as error:  # it must not be lost in pynetdicom
                failed.append(error)
                event.assoc.abort()
                return _NO_ROOM
            return _SUCCESS

        uids = list(wanted)
        lists = [[]] if is_whole else [uids[at : at + _LIST] for at in range(0, len(uids), _LIST)]
        said: list[str] = []
        association = self._associated(
            [build_context(GET), *_storage_contexts(sorted(classes))],
            roles=[build_role(uid, scp_role=True) for uid in sorted(classes)],
            handlers=[(evt.EVT_C_STORE, stored)],
        )
        is_orderly = False
        try:
            for names in lists:
                status = self._got(association, series, names)
                if failed:
                    raise failed[0]
                if status is None:
                    raise self._lost("during C-GET")
                if status.Status != _SUCCESS:
                    said.append(f"C-GET: {_words(status)}")
            is_orderly = True
        finally:
            _leave(association, is_orderly=is_orderly)
        return tuple(said)

    def _got(self, association: Any, series: FoundSeries, uids: Sequence[str]) -> Dataset | None:
        """Return the last status of one C-GET, None when the association was lost."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE" if uids else "SERIES"
        identifier.StudyInstanceUID = series.study_uid
        identifier.SeriesInstanceUID = series.uid
        if uids:
            identifier.SOPInstanceUID = list(uids)
        last: Dataset | None = None
        try:
            for status, _ in association.send_c_get(identifier, GET):
                last = status if "Status" in status else None
        except (RuntimeError, ValueError) as error:
            if not association.is_established:
                return None
            raise self._refused(f"C-GET: {error}") from error
        return last

    def _asked(self, level: str, wanted: Sequence[str], keys: Mapping[str, str]) -> list[Dataset]:
        """Return all answers to a C-FIND."""
        if self._finding is None or not self._finding.is_established:
            self._finding = self._associated([build_context(FIND)])
        identifier = Dataset()
        identifier.SpecificCharacterSet = "ISO_IR 192"
        identifier.QueryRetrieveLevel = level
        for keyword in wanted:
            setattr(identifier, keyword, None)
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        answers: list[Dataset] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values that break the standard are judged where they are used
            for status, answer in self._found(identifier):
                if "Status" not in status:
                    raise self._lost("during C-FIND")
                if status.Status in _PENDING:
                    if answer is None:
                        raise self._invalid("an answer that cannot be decoded")
                    answers.append(answer)
                elif status.Status != _SUCCESS:
                    raise self._refused(f"C-FIND: {_words(status)}")
                if len(answers) > _ANSWERS:
                    found = f"more than {_ANSWERS:,} answers"
                    raise LimitReached.of("SIZE_LIMIT", found, where=self._source.name)
        return answers

    def _found(self, identifier: Dataset) -> Any:
        try:
            yield from self._finding.send_c_find(identifier, FIND)
        except (RuntimeError, ValueError) as error:
            if not self._finding.is_established:
                raise self._lost("before C-FIND") from error
            raise self._refused(f"C-FIND: {error}") from error

    def _associated(
        self,
        contexts: list[Any],
        *,
        roles: list[Any] | None = None,
        handlers: list[tuple[Any, Callable[..., int]]] | None = None,
    ) -> Any:
        """Return an established association.

        An archive that refuses and closes at once can take its refusal with it: what ends without a word and
        soon is tried once more.
        """
        source = self._source
        for _ in range(_ATTEMPTS):
            began_s = time.monotonic()
            association = self._ae.associate(
                source.host,
                source.port,
                contexts=contexts,
                ae_title=source.aet,
                ext_neg=roles,
                evt_handlers=handlers,  # type: ignore[arg-type] # pynetdicom's union of tuples is invariant
            )
            if association.is_established:
                return association
            answer = association.acceptor.primitive
            if association.is_rejected:
                found = f"the association was rejected: {getattr(answer, 'reason_str', 'no reason')}"
                raise self._refused(found)
            if time.monotonic() - began_s > _SOON_S:
                break
        if association.is_aborted and association.acceptor.primitive is not None:
            raise self._refused("the association was aborted: none of what was asked for is offered")
        raise UnreadableInput.of(
            "PACS_UNREACHABLE",
            "no association: nothing answers there, or not DICOM",
            expected="an application entity that answers",
            where=source.name,
        )

    def _lost(self, when: str) -> PetquantError:
        return UnreadableInput.of(
            "PACS_UNREACHABLE",
            f"the association was lost {when}",
            expected="an archive that answers to the end",
            remedy=f"have {self._ae.ae_title.strip()} (--aet) entered there; run again: what came stands",
            where=self._source.name,
        )

    def _refused(self, found: str) -> PetquantError:
        return UnreadableInput.of(
            "PACS_REFUSED",
            found,
            expected="an archive that knows us and both titles",
            remedy=f"have {self._ae.ae_title.strip()} (--aet) entered there; check its own title",
            where=self._source.name,
        )

    def _invalid(self, found: str) -> PetquantError:
        return UnreadableInput.of(
            "PACS_ANSWER_INVALID", found, expected="an answer of C-FIND", where=self._source.name
        )


def _storage_contexts(classes: Sequence[str]) -> list[Any]:
    """Return the contexts of classes: one a transfer syntax, or one a class where those would be too many."""
    if len(classes) * len(_SYNTAXES) < _CONTEXTS:
        return [build_context(uid, syntax) for uid in classes for syntax in _SYNTAXES]
    return [build_context(uid, list(_SYNTAXES)) for uid in classes[: _CONTEXTS - 1]]


def _leave(association: Any, *, is_orderly: bool) -> None:
    if association is None or not association.is_established:
        return
    if is_orderly:
        association.release()
    else:
        association.abort()


def _words(status: Dataset) -> str:
    """Return a status and its counts; its comment is free text, which may name a patient."""
    counts = [
        f"{status.get(keyword)} {word}"
        for keyword, word in (
            ("NumberOfFailedSuboperations", "failed"),
            ("NumberOfRemainingSuboperations", "remaining"),
        )
        if status.get(keyword)
    ]
    return ", ".join([f"status 0x{status.Status:04X}", *counts])
