"""An archive by DICOMweb (PS3.18): QIDO-RS through dicomweb-client, WADO-RS one instance at a time.

Instances are taken as bytes and not as data sets, so that what is stored here is what is stored there.
Nothing is taken from the environment: no proxy that was not named, no password of another file. An answer
that sends us to another machine, port or scheme is an error: credentials go where they were meant for.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset
from requests.auth import AuthBase

from petquant.dicom.limits import DEFAULT_LIMITS
from petquant.dicom.network.archive import Keep
from petquant.dicom.network.credentials import Credentials
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
from petquant.dicom.network.multipart import only_part
from petquant.dicom.network.query import Query
from petquant.dicom.network.source import DicomwebSource
from petquant.errors import LimitReached, PetquantError, UnreadableInput, UsageError

__all__ = ["DicomwebArchive"]

_STORED: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # PS3.18 section 8.7.3.5.2
_ANSWER_BYTES: Final = 256 * 2**20  # of a listing
_INSTANCE_BYTES: Final = DEFAULT_LIMITS.element_bytes + 2**26  # one element of the longest, and a header
_CHUNK: Final = 2**20
_OBJECT: Final = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")
_PAGE: Final = 1_000
_ANSWERS: Final = 1_000_000  # of one question, more than any archive has


class DicomwebArchive:
    """A DICOMweb server; see `petquant.dicom.network.archive.Archive`."""

    def __init__(
        self, source: DicomwebSource, *, credentials: Credentials, ca_file: str | None, timeout_s: float
    ) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._session = _Session()
        self._session.auth = _Shown(credentials)
        self._session.verify = ca_file or True
        self._session.hooks["response"].append(_bounded)
        try:
            self._client = DICOMwebClient(
                source.url, session=self._session, permissive_uid=True, timeout=timeout_s
            )
        except ValueError as error:
            raise UsageError.of(
                "PACS_ADDRESS_INVALID", f"{source.name}: {error}", expected="https://host/dicom-web"
            ) from error
        self._client.set_http_retry_params(retry=False)

    def __enter__(self) -> Self:
        """Return the archive; a connection is made when something is asked."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Close the connection."""
        self._session.close()

    def studies(self, query: Query) -> tuple[FoundStudy, ...]:
        """Return the studies that fit."""
        answers: list[Dataset] = []
        for uid in query.study_uids or ("",):
            answers += self._asked(
                "StudyInstanceUID",
                lambda **how: self._client.search_for_studies(
                    fields=STUDY_KEYS,
                    search_filters=query.keys(uid),  # noqa: B023 - called before the next turn
                    **how,
                ),
            )
        found = found_studies(answers, where=self._source.name)
        return tuple(study for study in found if query.fits(study))

    def series(self, study_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study."""
        answers = self._asked(
            "SeriesInstanceUID",
            lambda **how: self._client.search_for_series(
                study_instance_uid=study_uid, fields=SERIES_KEYS, **how
            ),
        )
        return found_series(answers, study_uid=study_uid, where=f"study {study_uid}")

    def instances(self, series: FoundSeries) -> dict[str, str]:
        """Return the instances of a series with their classes."""
        answers = self._asked(
            "SOPInstanceUID",
            lambda **how: self._client.search_for_instances(
                study_instance_uid=series.study_uid,
                series_instance_uid=series.uid,
                fields=INSTANCE_KEYS,
                **how,
            ),
        )
        return found_instances(answers, where=f"series {series.uid}")

    def retrieve(
        self,
        series: FoundSeries,
        wanted: Mapping[str, str],
        keep: Keep,
        *,
        is_whole: bool,  # noqa: ARG002 - one request an instance, whether or not
    ) -> tuple[str, ...]:
        """Hand instances of a series to `keep`, see `Archive.retrieve`."""
        said = []
        for uid in wanted:
            url = f"{self._source.url}/studies/{series.study_uid}/series/{series.uid}/instances/{uid}"
            try:
                with self._session.get(
                    url, headers={"Accept": _STORED}, stream=True, timeout=self._timeout_s
                ) as response:
                    if not response.ok:
                        said.append(self._passed_over(uid, response))
                        continue
                    content = only_part(_body(response), response.headers.get("Content-Type", ""))
            except requests.RequestException as error:
                raise self._error(error) from error
            except ValueError as error:
                said.append(f"instance {uid}: {error}")
            else:
                keep(content)
        return tuple(said)

    def _passed_over(self, uid: str, response: requests.Response) -> str:
        """Return what the archive answered instead of one instance; who is not let in need not ask again."""
        if response.status_code in {401, 403}:
            raise self._refusal(response)
        return f"instance {uid}: HTTP {response.status_code}"

    def _asked(self, key: str, search: Callable[..., Sequence[Mapping[str, Any]]]) -> list[Dataset]:
        """Return all answers to a question, page by page until one brings nothing new by its `key`."""
        answers: list[Dataset] = []
        seen: set[str] = set()
        while len(answers) < _ANSWERS:
            try:
                page = search(limit=_PAGE, offset=len(answers))
            except (requests.RequestException, json.JSONDecodeError) as error:
                raise self._error(error) from error
            except RecursionError as error:
                raise self._invalid("JSON nested too deep") from error
            if not isinstance(page, list):
                raise self._invalid("an answer that is no list")
            before = len(seen)
            for answer in page:
                dataset = self._dataset(answer)
                seen.add(str(dataset.get(key, "")))
                answers.append(dataset)
            if len(seen) == before or len(page) < _PAGE:
                return answers
        raise LimitReached.of("SIZE_LIMIT", f"more than {_ANSWERS:,} answers", where=self._source.name)

    def _dataset(self, answer: Any) -> Dataset:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # values are judged where they are used
                dataset = Dataset.from_json(answer)
                for element in dataset:
                    str(element.value)
        except Exception as error:  # whatever the JSON of another machine makes pydicom raise
            raise self._invalid(f"DICOM JSON that cannot be read: {type(error).__name__}") from error
        return dataset

    def _invalid(self, found: str) -> PetquantError:
        return UnreadableInput.of(
            "PACS_ANSWER_INVALID", found, expected="an answer of DICOMweb", where=self._source.name
        )

    def _error(self, error: Exception) -> PetquantError:
        """Return what a failed request means; the most special of its kinds decides."""
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return self._refusal(error.response)
        if isinstance(error, json.JSONDecodeError):
            return self._invalid("an answer that is no JSON")
        if isinstance(error, _SentElsewhere):
            return UnreadableInput.of(
                "PACS_REFUSED",
                str(error),
                expected="an answer of the address that was named",
                remedy="name the other address, if you trust it",
                where=self._source.name,
            )
        if isinstance(error, requests.exceptions.SSLError):
            return UnreadableInput.of(
                "PACS_NOT_TRUSTED",
                f"TLS failed: {_reason(error)}",
                expected="a certificate that can be verified",
                remedy="--ca-file with the certificate of your hospital",
                where=self._source.name,
            )
        found = "it stayed silent" if isinstance(error, requests.Timeout) else _reason(error)
        return UnreadableInput.of(
            "PACS_UNREACHABLE", found, expected="an archive that answers", where=self._source.name
        )

    def _refusal(self, response: requests.Response) -> PetquantError:
        code = response.status_code
        remedy = "check address and archive"
        if code in {401, 403}:
            remedy = "credentials in a file (--token-file, --netrc) or in the environment"
        elif code == 404:
            remedy = "check the path of the address: nothing answers DICOMweb there"
        return UnreadableInput.of(
            "PACS_REFUSED",
            f"HTTP {code}",
            expected="an answer",
            remedy=remedy,
            where=self._source.name,
        )


class _SentElsewhere(requests.RequestException):
    """The archive answered with the address of another machine."""


class _Session(requests.Session):
    """A session that takes nothing from the environment and stays at the address that was named."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where an answer sends us, if it is the same place."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(str(resp.url)), urlsplit(urljoin(str(resp.url), target))
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise _SentElsewhere(f"it sends us to {there.scheme}://{there.hostname}", response=resp)
        return target


class _Shown(AuthBase):
    """Credentials in the header of a request (RFC 6750, RFC 7617)."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        given = self._credentials
        if given.token:
            request.headers["Authorization"] = f"Bearer {given.token}"
        elif given.user:
            return requests.auth.HTTPBasicAuth(given.user, given.password)(request)
        return request


class _Bounded:
    """The body of an answer, of which no more than `limit` bytes are read, inflated as they may be."""

    def __init__(self, raw: Any, limit: int) -> None:
        self._raw = raw
        self._limit = limit

    def stream(self, size: int, *, decode_content: bool = True) -> Iterator[bytes]:
        """Yield the body in pieces of `size`."""
        n = 0
        for chunk in self._raw.stream(size, decode_content=decode_content):
            n += len(chunk)
            if n > self._limit:
                raise LimitReached.of("SIZE_LIMIT", f"an answer of more than {self._limit:,} bytes")
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _bounded(response: requests.Response, **how: Any) -> requests.Response:
    response.raw = _Bounded(response.raw, _INSTANCE_BYTES if how.get("stream") else _ANSWER_BYTES)
    return response


def _body(response: requests.Response) -> bytearray:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
    return body


def _reason(error: BaseException) -> str:
    """Return the innermost words of an error that wraps others, without the object that they begin with."""
    seen: Any = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[-1] if seen.args else None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    words = getattr(seen, "strerror", None) or str(seen.args[-1] if seen.args else seen)
    return _OBJECT.sub("", words)
