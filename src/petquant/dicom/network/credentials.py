"""Credentials are what an archive asks of its users; they stand in the environment or in a file.

Never in an argument: those of a command can be read by every user of a machine.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from petquant.errors import PetquantError, UnreadableInput, UsageError

__all__ = ["PASSWORD", "TOKEN", "USER", "Credentials", "credentials_of"]

TOKEN: Final = "PETQUANT_PACS_TOKEN"  # noqa: S105 - the name of a variable
USER: Final = "PETQUANT_PACS_USER"
PASSWORD: Final = "PETQUANT_PACS_PASSWORD"  # noqa: S105 - the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A bearer token, or a user with a password; neither is shown when it is printed."""

    token: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def are_given(self) -> bool:
        """Whether there are any."""
        return bool(self.token or self.user)


def credentials_of(
    host: str,
    *,
    token_file: Path | None = None,
    netrc_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Credentials:
    """Return what to show to `host`: of a file where one is given, else of the environment, else nothing.

    Parameters
    ----------
    host
        Name of the machine, as the entry of a netrc file has it.
    token_file
        A file that holds a bearer token (RFC 6750) and nothing else.
    netrc_file
        A file with lines ``machine HOST login USER password PASSWORD``.
    environment
        Holds `TOKEN`, or `USER` and `PASSWORD`.

    Raises
    ------
    UsageError
        CREDENTIALS_INVALID, when they cannot be sent as they are.
    UnreadableInput
        FILE_UNREADABLE.
    """
    if token_file is not None:
        given = Credentials(token=_words(token_file).strip())
        if not given.token:
            raise _invalid(f"{token_file} is empty", "a file that holds a token")
    elif netrc_file is not None:
        given = _of_netrc(netrc_file, host)
    else:
        given = Credentials(
            token=environment.get(TOKEN, ""),
            user=environment.get(USER, ""),
            password=environment.get(PASSWORD, ""),
        )
    for text in (given.token, given.user, given.password):
        if not (text.isascii() and text.isprintable()):
            raise _invalid("a token, user or password with odd characters", "printable ASCII alone")
    if " " in given.token or ":" in given.user:
        raise _invalid("a token with a blank or a user with a colon", "neither")
    return given


def _of_netrc(path: Path, host: str) -> Credentials:
    _words(path)
    try:
        entry = netrc.netrc(path).authenticators(host)
    except netrc.NetrcParseError as error:
        raise _invalid(f"{path}, line {error.lineno}: {error.msg}", "a netrc file") from error
    if entry is None:
        raise _invalid(f"{path} has no entry for {host}", f"machine {host} login USER password PASSWORD")
    return Credentials(user=entry[0], password=entry[2])


def _words(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            getattr(error, "strerror", None) or str(error),
            expected="a text file that can be read",
            path=str(path),
        ) from error


def _invalid(found: str, expected: str) -> PetquantError:
    return UsageError.of("CREDENTIALS_INVALID", found, expected=expected)
