"""An archive of our own making by DIMSE: told and sent what a real one would not."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy

import pytest
from petquant_phantoms import TINY, file_bytes, pet_datasets
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, AllStoragePresentationContexts, evt

from petquant.dicom.network.archive import opened
from petquant.dicom.network.credentials import Credentials
from petquant.dicom.network.fetch import fetch
from petquant.dicom.network.query import Query
from petquant.dicom.network.source import DimseSource
from petquant.errors import UnreadableInput

FIND, GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"  # PS3.4 section C.6.2.3
STUDY, SERIES = "1.2.840.1", "1.2.840.2"
PENDING, SUCCESS, REFUSED = 0xFF00, 0x0000, 0xA700
SLICES = pet_datasets(TINY)[:3]


def _instance(n, **changed):
    dataset = deepcopy(SLICES[n])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.SOPInstanceUID = f"1.2.840.3.{n}"
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dcmread(DicomBytesIO(file_bytes(dataset)))


def _answer(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


class Said:
    """What the archive says: by default the truth about three instances."""

    def __init__(self):
        self.sent = [_instance(n) for n in range(3)]
        self.listed = [f"1.2.840.3.{n}" for n in range(3)]
        self.series = SERIES
        self.find_status = SUCCESS
        self.levels = []

    def found(self, event):
        """Answer C-FIND."""
        if self.find_status != SUCCESS:
            yield self.find_status, None
            return
        level = event.identifier.QueryRetrieveLevel
        if level == "STUDY":
            yield PENDING, _answer(StudyInstanceUID=STUDY, PatientID="4711", StudyDate="20240101")
        elif level == "SERIES":
            yield PENDING, _answer(SeriesInstanceUID=self.series, Modality="PT")
        else:
            for uid in self.listed:  # without its class, which not every archive tells
                yield PENDING, _answer(SOPInstanceUID=uid)

    def got(self, event):
        """Answer C-GET."""
        self.levels.append(event.identifier.QueryRetrieveLevel)
        asked = event.identifier.get("SOPInstanceUID")
        asked = [asked] if isinstance(asked, str) else asked
        sent = [one for one in self.sent if asked is None or one.SOPInstanceUID in asked]
        yield len(sent)
        for dataset in sent:
            yield PENDING, dataset


@contextmanager
def _serving(said):
    ae = AE(ae_title="ARCHIVE")
    for model in (FIND, GET):
        ae.add_supported_context(model)
    for context in AllStoragePresentationContexts[:120]:
        ae.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    ae.add_supported_context("1.2.840.10008.5.1.4.1.1.128", scu_role=True, scp_role=True)
    handlers = [(evt.EVT_C_FIND, said.found), (evt.EVT_C_GET, said.got)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def fetched(said, tmp_path):
    """Fetch the study, and return what became of it with the files that are there."""

    def act(**query):
        with _serving(said) as port:
            source = DimseSource(aet="ARCHIVE", host="127.0.0.1", port=port)
            with opened(source, credentials=Credentials(), timeout_s=5.0) as archive:
                result = fetch(archive, Query(**(query or {"study_uids": (STUDY,)})), tmp_path / "out")
        return result, sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    return act


def _codes(result):
    return [finding.code for finding in result.problems]


def test_classes_that_the_archive_does_not_tell_are_those_of_the_modality(fetched, said):
    result, files = fetched()
    assert result.problems == ()
    assert files == [f"1.2.840.3.{n}.dcm" for n in range(3)]
    assert said.levels == ["SERIES"]


def test_what_a_series_did_not_bring_is_asked_for_by_its_instances(fetched, said):
    everything, said.sent = said.sent, said.sent[:1]
    assert _codes(fetched()[0]) == ["FETCH_INCOMPLETE"]
    assert said.levels == ["SERIES", "IMAGE"]
    said.sent = everything
    result, files = fetched()
    assert result.problems == ()
    assert said.levels == ["SERIES", "IMAGE", "IMAGE"]
    assert [(one.n_present, one.n_fetched) for one in result.series] == [(1, 2)]
    assert len(files) == 3


@pytest.mark.parametrize("wrong", [{"StudyInstanceUID": "1.2.9"}, {"SeriesInstanceUID": "1.2.9"}])
def test_an_instance_of_something_else_is_not_kept(fetched, said, wrong):
    said.sent[1] = _instance(1, **wrong)
    result, files = fetched()
    assert _codes(result) == ["PACS_ANSWER_INVALID", "FETCH_INCOMPLETE"]
    assert files == ["1.2.840.3.0.dcm", "1.2.840.3.2.dcm"]


def test_an_answer_that_does_not_fit_the_query_is_passed_over(fetched):
    assert _codes(fetched(patient_id="0815")[0]) == ["STUDY_NOT_FOUND"]
    assert _codes(fetched(dates="20240102-")[0]) == ["STUDY_NOT_FOUND"]
    assert _codes(fetched(patient_id="47*", dates="-20240101")[0]) == []


def test_a_query_that_is_refused_is_one_error(fetched, said):
    said.find_status = REFUSED
    with pytest.raises(UnreadableInput) as caught:
        fetched()
    assert [finding.code for finding in caught.value.findings] == ["PACS_REFUSED"]
    assert "0xA700" in str(caught.value)
