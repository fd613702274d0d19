"""An archive answers which studies, series and instances it has, and hands instances over one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from petquant.dicom.network.credentials import Credentials
from petquant.dicom.network.listing import FoundSeries, FoundStudy
from petquant.dicom.network.query import Query
from petquant.dicom.network.source import DicomwebSource, Source
from petquant.errors import PetquantError, UsageError
from petquant.offline import allow_requests

__all__ = ["Archive", "Keep", "opened"]

Keep = Callable[[bytes | memoryview], None]  # what becomes of the bytes of one DICOM file


class Archive(AbstractContextManager["Archive"], Protocol):
    """The questions that a fetch has.

    Every method raises UnreadableInput: PACS_UNREACHABLE when the archive cannot be reached or falls silent,
    PACS_REFUSED when it does not let us, PACS_ANSWER_INVALID when its answer cannot be meant.
    """

    def studies(self, query: Query) -> tuple[FoundStudy, ...]:
        """Return the studies that fit."""

    def series(self, study_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study."""

    def instances(self, series: FoundSeries) -> dict[str, str]:
        """Return the instances of a series: SOP Instance UID to SOP Class UID, "" where it is not told."""

    def retrieve(
        self, series: FoundSeries, wanted: Mapping[str, str], keep: Keep, *, is_whole: bool
    ) -> tuple[str, ...]:
        """Hand instances of a series to `keep`, each in the transfer syntax that it is stored in.

        Parameters
        ----------
        series
            Whose instances.
        wanted
            The instances, as `instances` gives them.
        keep
            Takes the bytes of one file; its errors end the retrieval.
        is_whole
            Whether `wanted` are all of the series.

        Returns
        -------
        tuple of str
            What the archive said of those that it did not hand over.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Close the connection."""

    def __enter__(self) -> Self:
        """Return the archive."""
        return self


def opened(
    source: Source,
    *,
    credentials: Credentials,
    ca_file: str | None = None,
    aet: str = "PETQUANT",
    timeout_s: float = 60.0,
) -> Archive:
    """Return the archive of a source; this is where the libraries of networks are imported.

    Parameters
    ----------
    source
        As the user named it.
    credentials
        For DICOMweb; sent over TLS or to this machine alone.
    ca_file
        Certificates to trust instead of those that come with Python.
    aet
        Our own application entity title, for DIMSE.
    timeout_s
        How long an archive may be silent.

    Raises
    ------
    UsageError
        EXTRA_MISSING, when the extra ``pacs`` is not installed; PACS_NOT_ENCRYPTED, when credentials would
        cross a network in the clear; OPTION_INVALID, when credentials are given for ``dicom://``, which has
        none.
    UnreadableInput
        When there is no connection, see `Archive`.
    """
    if not isinstance(source, DicomwebSource):
        if ca_file is not None:
            raise UsageError.of("OPTION_INVALID", "certificates for a dicom:// address", expected="https://")
        try:
            from petquant.dicom.network.dimse import DimseArchive  # noqa: PLC0415 - an extra, for networks alone
        except ModuleNotFoundError as error:
            raise _extra_missing(error) from error
        return DimseArchive(source, aet=aet, timeout_s=timeout_s)
    if credentials.are_given and not source.is_private:
        raise UsageError.of(
            "PACS_NOT_ENCRYPTED",
            f"credentials would be readable on the way to {source.name}",
            expected="an address that begins with https://",
            remedy="use https://, or give no credentials",
        )
    allow_requests()
    try:
        from petquant.dicom.network.dicomweb import DicomwebArchive  # noqa: PLC0415 - an extra, for networks alone
    except ModuleNotFoundError as error:
        raise _extra_missing(error) from error
    return DicomwebArchive(source, credentials=credentials, ca_file=ca_file, timeout_s=timeout_s)


def _extra_missing(error: ModuleNotFoundError) -> PetquantError:
    return UsageError.of(
        "EXTRA_MISSING",
        f"{error.name} is not installed, and archives are reached with it",
        expected="the extra pacs",
        remedy="pip install 'petquant[pacs]'",
    )
