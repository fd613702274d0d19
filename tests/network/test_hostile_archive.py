"""An archive that lies: its words neither leave the folder, nor pass for a study, nor get our password."""
# ruff: noqa: S106 - the passwords of nobody

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from petquant_phantoms import TINY, file_bytes, pet_datasets

from petquant.dicom.network.archive import opened
from petquant.dicom.network.credentials import Credentials, credentials_of
from petquant.dicom.network.fetch import fetch
from petquant.dicom.network.query import Query
from petquant.dicom.network.source import source_of
from petquant.errors import PetquantError, UnreadableInput, UsageError

BOUNDARY = "b"
STUDY, SERIES = "1.2.840.1", "1.2.840.2"


SLICES = pet_datasets(TINY)


def _instance(n, **changed):
    dataset = deepcopy(SLICES[n])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.SOPInstanceUID = f"1.2.840.3.{n}"
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return file_bytes(dataset)


def _multipart(content, *, is_closed=True):
    end = f"\r\n--{BOUNDARY}--\r\n".encode() if is_closed else b""
    return f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + end


HONEST = {f"1.2.840.3.{n}": _multipart(_instance(n)) for n in range(3)}


def _listing(keyword_to_value):
    tags = {
        "StudyInstanceUID": ("0020000D", "UI"),
        "SeriesInstanceUID": ("0020000E", "UI"),
        "SOPInstanceUID": ("00080018", "UI"),
        "Modality": ("00080060", "CS"),
        "NumberOfSeriesRelatedInstances": ("00201209", "IS"),
    }
    return {tags[k][0]: {"vr": tags[k][1], "Value": [value]} for k, value in keyword_to_value.items()}


class Lies:
    """What the archive says: by default the truth about three instances."""

    def __init__(self):
        self.instances = dict(HONEST)
        self.study, self.series = STUDY, SERIES
        self.listed = list(self.instances)
        self.n_said = 3
        self.answer = None
        self.elsewhere = ""
        self.asked = []

    def respond(self, path):
        """Return status, content type, body and further headers of a request."""
        path = path.partition("?")[0]
        if self.elsewhere:
            return 307, "text/plain", b"", {"Location": self.elsewhere}
        if self.answer is not None:
            return 200, "application/dicom+json", self.answer, {}
        *_, kind, uid = path.split("/")
        if uid in self.instances:
            return (
                200,
                f"multipart/related; type=application/dicom; boundary={BOUNDARY}",
                self.instances[uid],
                {},
            )
        if kind == "instances":
            return 404, "text/plain", b"", {}
        if uid == "studies":
            found = [{"StudyInstanceUID": self.study}]
        elif uid == "series":
            series = {"SeriesInstanceUID": self.series, "Modality": "PT"}
            found = [series | {"NumberOfSeriesRelatedInstances": self.n_said}]
        else:
            found = [{"SOPInstanceUID": one} for one in self.listed]
        return 200, "application/dicom+json", json.dumps([_listing(one) for one in found]).encode(), {}


@contextmanager
def _serving(lies):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            lies.asked.append((self.path, self.headers.get("Authorization")))
            status, kind, body, headers = lies.respond(self.path)
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def lies():
    return Lies()


@pytest.fixture
def fetched(lies, tmp_path):
    """Fetch the study from the liar, and return what became of it with the files that are there."""

    def act(**how):
        credentials = how.pop("credentials", Credentials())
        with (
            _serving(lies) as url,
            opened(source_of(url), credentials=credentials, timeout_s=5.0) as archive,
        ):
            result = fetch(archive, Query(study_uids=(STUDY,)), tmp_path / "out")
        return result, sorted(p.name for p in tmp_path.rglob("*") if p.is_file())

    return act


def _codes(result):
    return [finding.code for finding in result.problems]


def test_an_archive_that_tells_the_truth_is_believed(fetched):
    result, files = fetched()
    assert result.problems == ()
    assert files == [f"1.2.840.3.{n}.dcm" for n in range(3)]


@pytest.mark.parametrize(
    "uid", ["../../evil", "..", ".", "1.2/../../3", "/etc/passwd", "1..2", "", "1" * 65, "１.2"]
)
@pytest.mark.parametrize("place", ["series", "listed"])
def test_a_uid_that_is_none_becomes_no_path(fetched, lies, tmp_path, uid, place):
    setattr(lies, place, uid if place == "series" else [uid])
    result, files = fetched()
    assert "PACS_ANSWER_INVALID" in _codes(result)
    assert files == []
    assert set(tmp_path.iterdir()) <= {tmp_path / "out"}


def test_a_study_that_was_not_asked_for_is_not_fetched(fetched, lies):
    lies.study = "1.2.840.99"
    result, files = fetched()
    assert _codes(result) == ["STUDY_NOT_FOUND"]
    assert files == []


@pytest.mark.parametrize(
    "wrong", [{"StudyInstanceUID": "1.2.9"}, {"SeriesInstanceUID": "1.2.9"}, {"SOPInstanceUID": "1.2.9"}]
)
def test_an_instance_of_something_else_is_not_kept_and_counted_as_missing(fetched, lies, wrong):
    lies.instances["1.2.840.3.1"] = _multipart(_instance(1, **wrong))
    result, files = fetched()
    assert _codes(result) == ["PACS_ANSWER_INVALID", "FETCH_INCOMPLETE"]
    assert "1 of 3 instances are missing" in result.problems[-1].found
    assert files == ["1.2.840.3.0.dcm", "1.2.840.3.2.dcm"]


@pytest.mark.parametrize(
    "body",
    [
        _multipart(_instance(1), is_closed=False),
        _multipart(_instance(1)[:-10]),
        _multipart(_instance(1)[:400]),
        _multipart(_instance(1)) + _multipart(_instance(2)),
        _multipart(b"<html>please log in</html>"),
        _multipart(b""),
        b"",
        b"--other\r\n\r\n--other--",
    ],
    ids=[
        "not closed",
        "cut in the pixels",
        "cut in the header",
        "two parts",
        "html",
        "empty",
        "no",
        "foreign",
    ],
)
def test_a_body_that_is_no_whole_instance_is_not_kept(fetched, lies, body):
    lies.instances["1.2.840.3.1"] = body
    result, files = fetched()
    assert _codes(result)[-1] == "FETCH_INCOMPLETE"
    assert files == ["1.2.840.3.0.dcm", "1.2.840.3.2.dcm"]


def test_an_instance_that_is_listed_and_not_there_is_missing(fetched, lies):
    lies.listed.append("1.2.840.3.7")
    lies.n_said = 4
    result, _ = fetched()
    assert _codes(result) == ["FETCH_INCOMPLETE"]
    assert "HTTP 404" in result.problems[0].found
    (series,) = result.series
    assert (series.n_listed, series.n_fetched, series.n_missing) == (4, 3, 1)


def test_a_listing_that_was_cut_short_is_told_by_the_count(fetched, lies):
    lies.n_said = 5
    result, _ = fetched()
    assert _codes(result) == ["FETCH_INCOMPLETE"]
    assert "2 of 5" in result.problems[0].found


def test_a_file_that_the_archive_does_not_list_is_flagged(fetched, lies):
    fetched()
    lies.listed, lies.n_said = lies.listed[:2], 2
    result, files = fetched()
    assert [finding.code for finding in result.findings] == ["FETCH_UNLISTED_FILES"]
    assert result.problems == ()
    assert len(files) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>", b"5", b'"text"', b"[5]", b"[[]]", b"[" * 100_000, b'[{"0020000D": 5}]',
        b'[{"0020000D": {"vr": "UI"}}]', b'[{"0020000D": {"vr": "UI", "Value": [{"a": []}]}}]',
        b'[{"zzzz": {"vr": "XX", "Value": ["1"]}}]',
    ],
)  # fmt: skip
def test_an_answer_that_is_no_dicom_json_is_one_error(fetched, lies, answer):
    lies.answer = answer
    with pytest.raises(UnreadableInput) as caught:
        fetched()
    assert [finding.code for finding in caught.value.findings] == ["PACS_ANSWER_INVALID"]


def test_credentials_do_not_follow_to_another_place(fetched, lies):
    other = Lies()
    with _serving(other) as url:
        lies.elsewhere = f"{url}/studies"
        with pytest.raises(UnreadableInput) as caught:
            fetched(credentials=Credentials(token="secret"))
    assert [finding.code for finding in caught.value.findings] == ["PACS_REFUSED"]
    assert other.asked == []
    assert "secret" not in str(caught.value)


@pytest.fixture
def other_netrc(tmp_path, monkeypatch):
    """A file with passwords that nobody named."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials(token="abc"), "Bearer abc"),
        (Credentials(user="u", password="p"), "Basic dTpw"),  # base64 of u:p, RFC 7617
        (Credentials(), None),
    ],
)
def test_credentials_are_shown_with_every_request(fetched, lies, credentials, header, other_netrc):
    fetched(credentials=credentials)
    assert {shown for _, shown in lies.asked} == {header}


def test_a_proxy_of_the_environment_is_not_asked(fetched, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    result, _ = fetched()
    assert result.problems == ()


def test_a_server_without_tls_is_not_spoken_to_by_https(lies):
    with (
        _serving(lies) as url,
        opened(
            source_of(url.replace("http:", "https:")), credentials=Credentials(), timeout_s=5.0
        ) as archive,
        pytest.raises(UnreadableInput) as caught,
    ):
        archive.studies(Query())
    assert caught.value.findings[0].code == "PACS_NOT_TRUSTED"
    assert lies.asked == []


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://pacs.example/dicom-web", "PACS_NOT_ENCRYPTED"),
        ("http://localhost.evil.example/", "PACS_NOT_ENCRYPTED"),
        ("http://127.0.0.1.evil.example/", "PACS_NOT_ENCRYPTED"),
        ("https://user:password@host/", "PACS_ADDRESS_INVALID"),
        ("https://user@host/", "PACS_ADDRESS_INVALID"),
        ("https://host/?a=b", "PACS_ADDRESS_INVALID"),
        ("https://", "PACS_ADDRESS_INVALID"),
        ("https://host:99999/", "PACS_ADDRESS_INVALID"),
        ("ftp://host/", "PACS_ADDRESS_INVALID"),
        ("file:///etc/passwd", "PACS_ADDRESS_INVALID"),
        ("my_study", "PACS_ADDRESS_INVALID"),
        ("dicom://host:104", "PACS_ADDRESS_INVALID"),
        ("dicom://A_TITLE_OF_17_CHARS@host:104", "PACS_ADDRESS_INVALID"),
    ],
)
def test_an_address_that_cannot_be_meant_is_a_mistake_of_usage(address, code):
    with pytest.raises(UsageError) as caught:
        source_of(address)
    assert [finding.code for finding in caught.value.findings] == [code]
    assert "password" not in str(caught.value).replace("or a password", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]"])
def test_this_machine_may_be_spoken_to_without_tls(host):
    assert source_of(f"http://{host}:8042/dicom-web").is_private


def test_credentials_are_not_sent_in_the_clear():
    source = source_of("http://pacs.example/dicom-web", allow_http=True)
    with pytest.raises(UsageError) as caught:
        opened(source, credentials=Credentials(token="secret"))
    assert caught.value.findings[0].code == "PACS_NOT_ENCRYPTED"


def test_credentials_come_from_a_file_before_the_environment(tmp_path):
    environment = {"PETQUANT_PACS_USER": "u", "PETQUANT_PACS_PASSWORD": "p"}
    assert credentials_of("h", environment=environment) == Credentials(user="u", password="p")
    token = tmp_path / "token"
    token.write_text(" abc\n")
    assert credentials_of("h", token_file=token, environment=environment) == Credentials(token="abc")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine h login v password q\nmachine other login w password r\n")
    assert credentials_of("h", netrc_file=netrc, environment=environment) == Credentials(
        user="v", password="q"
    )
    assert not credentials_of("h", environment={}).are_given
    assert "abc" not in repr(Credentials(token="abc"))
    for bad in ("a b", "a\r\nHost: evil", ""):
        token.write_text(bad)
        with pytest.raises(UsageError):
            credentials_of("h", token_file=token)
    with pytest.raises(UsageError):
        credentials_of("elsewhere", netrc_file=netrc)


@pytest.mark.parametrize(
    "how",
    [
        {"study_uids": ("1.2.a",)},
        {"study_uids": ("../1",)},
        {"patient_id": "a\\b"},
        {"patient_id": "a\nb"},
        {"accession": "1" * 65},
        {"dates": "2024-01-01"},
        {"dates": "-"},
    ],
)
def test_a_query_that_cannot_be_meant_is_a_mistake_of_usage(how):
    with pytest.raises(PetquantError) as caught:
        Query(**how)
    assert [finding.code for finding in caught.value.findings] == ["QUERY_INVALID"]
    assert caught.value.exit_code == 2


def test_a_fetch_without_the_extra_says_which_to_install(monkeypatch):
    for address, library, module in (
        ("https://pacs.example", "dicomweb_client.web", "dicomweb"),
        ("dicom://ARCHIVE@pacs.example", "pynetdicom", "dimse"),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f"petquant.dicom.network.{module}", raising=False)
        with pytest.raises(UsageError) as caught:
            opened(source_of(address), credentials=Credentials())
        assert caught.value.findings[0].code == "EXTRA_MISSING"
        assert "petquant[pacs]" in str(caught.value)
