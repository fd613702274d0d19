"""A source is the archive that the user names: a DICOMweb address, or an application entity (DIMSE).

::

    https://host[:port]/path        DICOMweb (PS3.18); http:// on this machine, or where it is allowed
    dicom://AET@host[:port]         C-FIND and C-GET (PS3.4 annex C), port 104 unless said
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from petquant.errors import PetquantError, UsageError

__all__ = ["DicomwebSource", "DimseSource", "Source", "checked_aet", "source_of"]

FORMS: Final = "https://host/dicom-web or dicom://AET@host:port"
_DICOM_PORT: Final = 104  # PS3.8 section 9.1.2
# PS3.5 section 6.2: 16 characters, no backslash, and blanks at the ends mean nothing
_AET: Final = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomwebSource:
    """A DICOMweb server by its base address, without a slash at the end."""

    url: str

    @property
    def name(self) -> str:
        """Return the address, as messages name it."""
        return self.url

    @property
    def host(self) -> str:
        """Return the name of the machine."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_private(self) -> bool:
        """Whether nobody between can read what is said: TLS, or this machine alone."""
        return urlsplit(self.url).scheme == "https" or _is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseSource:
    """An application entity: its title, host and port."""

    aet: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """Return the address, as messages name it."""
        return f"dicom://{self.aet}@{self.host}:{self.port}"


Source = DicomwebSource | DimseSource


def source_of(text: str, *, allow_http: bool = False) -> Source:
    """Return the source that an address names.

    Parameters
    ----------
    text
        One of the two forms above.
    allow_http
        Whether patient data may cross a network unencrypted; ``dicom://`` always does.

    Raises
    ------
    UsageError
        PACS_ADDRESS_INVALID; PACS_NOT_ENCRYPTED for ``http://`` to another machine that was not allowed.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _invalid(f"not an address: {error}") from error
    if not parts.hostname:
        raise _invalid(f"{text.rpartition('@')[2]} names no host")
    if parts.query or parts.fragment or parts.password is not None:
        raise _invalid("an address with a query, a fragment or a password")
    if parts.scheme == "dicom":
        return _dimse_source(parts, port)
    if parts.scheme not in {"http", "https"}:
        raise _invalid(f"the scheme {parts.scheme or '(none)'}")
    if parts.username is not None:
        raise _invalid("an address with a user name")
    source = DicomwebSource(url=text.rstrip("/"))
    if not (source.is_private or allow_http):
        raise UsageError.of(
            "PACS_NOT_ENCRYPTED",
            f"{source.name} is not encrypted, and {parts.hostname} is not this machine",
            expected="an address that begins with https://",
            remedy="--allow-http, where everybody on the network may read the studies",
        )
    return source


def checked_aet(text: str) -> str:
    """Return an application entity title (PS3.5 section 6.2, AE).

    Raises
    ------
    UsageError
        PACS_ADDRESS_INVALID.
    """
    if _AET.fullmatch(text) is None:
        raise _invalid(f"the application entity title {text!r}", "1 to 16 ASCII characters, no backslash")
    return text


def _dimse_source(parts: SplitResult, port: int | None) -> DimseSource:
    if not parts.username or parts.path.strip("/"):
        raise _invalid("a dicom:// address without a title, or with a path")
    return DimseSource(
        aet=checked_aet(unquote(parts.username)), host=parts.hostname or "", port=port or _DICOM_PORT
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(found: str, expected: str = FORMS) -> PetquantError:
    return UsageError.of("PACS_ADDRESS_INVALID", found, expected=expected)
