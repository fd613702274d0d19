"""Messages: one line a cause on stderr, for people or as JSON, with nothing that moves the cursor."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petquant.errors import Finding, PetquantError

__all__ = ["Messages", "escaped"]


def escaped(text: str) -> str:
    """Return `text` with control, bidirectional and surrogate characters as escapes, on one line."""
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


_FIELDS = ("code", "path", "series_uid", "tag", "keyword", "found", "expected", "remedy", "exit_code")


def _as_json(**known: str | int) -> str:
    """Return a message with all its fields, null where there is nothing to say."""
    return json.dumps({name: None if known.get(name, "") == "" else known[name] for name in _FIELDS})


@dataclass(slots=True)
class Messages:
    """Where and how words are said: set once from the command line, before anything can fail."""

    is_json: bool = False
    is_debug: bool = False

    def error(self, error: PetquantError) -> None:
        """Say every cause of an error."""
        from petquant.flags import CODES

        for finding in error.findings:
            row = CODES[finding.code]
            remedy = finding.remedy or row.remedy or ("drop --strict" if row.strict else "")
            self._say(replace(finding, remedy=remedy), exit_code=error.exit_code)
        if not error.findings:
            self.line("ERROR", error.message, exit_code=error.exit_code)

    def line(self, code: str, text: str, *, exit_code: int) -> None:
        """Say one cause that has no finding."""
        if self.is_json:
            self._write(_as_json(code=code, found=text, exit_code=exit_code))
        else:
            self._write(f"petquant: {code}: {escaped(text)}")

    def note(self, finding: Finding) -> None:
        """Say a caveat of a number that was computed."""
        if self.is_json:
            self._say(finding, exit_code=0)
        else:
            self._write(f"petquant: note: {escaped(finding.line())}")

    def caveats(self, findings: Iterable[Finding]) -> None:
        """Say those of `findings` that qualify what was computed, each once."""
        from petquant.flags import CODES, Severity

        for finding in dict.fromkeys(findings):
            if CODES[finding.code].severity is Severity.FLAG:
                self.note(finding)

    def say(self, text: str) -> None:
        """Say a word to a person; silent when messages are JSON."""
        if not self.is_json:
            self._write(f"petquant: {escaped(text)}")

    def _say(self, finding: Finding, *, exit_code: int) -> None:
        if not self.is_json:
            self._write(f"petquant: {escaped(finding.line())}")
            return
        is_series = finding.where.startswith("series ")
        words = _as_json(
            code=finding.code,
            path=finding.path,
            series_uid=finding.where.split(" ")[1] if is_series else "",
            tag=finding.tag,
            keyword=finding.keyword,
            found=finding.found,
            expected=finding.expected,
            remedy=finding.remedy,
            exit_code=exit_code,
        )
        self._write(words)

    def _write(self, line: str) -> None:
        with suppress(OSError):  # a stderr that cannot be written takes nothing from the exit code
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


MESSAGES = Messages()
