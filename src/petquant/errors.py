"""Errors of petquant, and the finding: one cause, seen in one place, with the way out.

Only these leave the library; the command line turns each into lines on stderr and an exit code::

    PetquantError
    ├── UsageError        2   an option or a path that cannot be meant
    ├── UnreadableInput   3   a file that cannot be read for certain
    ├── Refused           4   readable, but unsafe, inconsistent or insufficient for a correct number
    ├── OutputFailed      6   the result could not be written; what stood there before still stands
    └── LimitReached      7   more nesting, inflation, size or memory than an honest file needs
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

__all__ = [
    "Finding",
    "LimitReached",
    "OutputFailed",
    "PetquantError",
    "Refused",
    "UnreadableInput",
    "UsageError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause, seen in one place: what was found, what is expected, and the way out.

    Parameters
    ----------
    code
        Stable identifier, a row of the table in ``flags``.
    found, expected
        What stands there and what should. With a `keyword`, `found` is the value (``missing``, ``0``) and
        reads "PatientWeight (0010,1030) is missing"; without one it is a whole phrase.
    remedy
        The way out: the option or the act that lifts the finding.
    where
        Whose finding it is: a series UID, a path or an option.
    keyword, tag
        DICOM keyword and ``(gggg,eeee)`` of the attribute, when there is one.
    quantities
        What the finding refuses or qualifies: ``"*"`` (any SUV), an SUV type, or ``"tbr"``.
    """

    code: str
    found: str
    expected: str = ""
    remedy: str = ""
    where: str = ""
    path: str = ""
    keyword: str = ""
    tag: str = ""
    quantities: tuple[str, ...] = ("*",)

    def sentence(self) -> str:
        """Return the finding in one line: where, what was found, what was expected, the way out."""
        found = self.found
        if self.keyword and self.keyword not in found:
            found = f"{self.keyword} {self.tag}".strip() + f" is {self.found}"
        elif self.tag and self.tag not in found:
            found = f"{self.found} {self.tag}"
        head = f"{self.where or self.path}: " if self.where or self.path else ""
        expected = f"expected {self.expected}" if self.expected else ""
        tail = "; ".join(part for part in (found, expected, self.remedy) if part)
        return f"{head}{tail}"

    def line(self) -> str:
        """Return ``CODE: where: found; expected; way out``."""
        return f"{self.code}: {self.sentence()}"


class PetquantError(Exception):
    """What petquant refuses to pass over in silence, with all its causes at once.

    Parameters
    ----------
    message
        One sentence for the case that nobody looks at the findings.
    findings
        All causes; each becomes one line on stderr.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message, findings)
        self.message = message
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(finding.line() for finding in self.findings) or self.message

    @classmethod
    def because(cls, *findings: Finding) -> PetquantError:
        """Return the error whose causes are `findings` (at least one)."""
        return cls(findings[0].sentence(), findings)

    @classmethod
    def of(cls, code: str, found: str, **attributes: str) -> PetquantError:
        """Return the error with a single cause; `attributes` are those of `Finding`."""
        unknown = set(attributes) - {field.name for field in fields(Finding)}
        if unknown:
            raise TypeError(f"a finding has no {sorted(unknown)}")
        return cls.because(Finding(code=code, found=found, **attributes))  # type: ignore[arg-type]


class UsageError(PetquantError):
    """An option or a path that cannot be meant."""

    exit_code: ClassVar[int] = 2


class UnreadableInput(PetquantError):
    """A file that cannot be read for certain."""

    exit_code: ClassVar[int] = 3


class Refused(PetquantError):
    """Readable, but unsafe, inconsistent or insufficient for a correct number."""

    exit_code: ClassVar[int] = 4


class OutputFailed(PetquantError):
    """The result could not be written; what stood there before still stands."""

    exit_code: ClassVar[int] = 6


class LimitReached(PetquantError):
    """More nesting, inflation, size or memory than an honest file needs."""

    exit_code: ClassVar[int] = 7
