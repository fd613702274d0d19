"""A code is a concept of a published terminology: its value, the scheme that gives it, and its meaning."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Code"]


@dataclass(frozen=True, slots=True)
class Code:
    """One concept.

    Parameters
    ----------
    value
        Code value in its scheme.
    scheme
        Coding scheme designator of DICOM PS3.16 section 8: ``DCM``, ``SCT``, ``UCUM``, ``IBSI`` ...
    meaning
        Its name there.
    """

    value: str
    scheme: str
    meaning: str

    def __str__(self) -> str:
        return f"({self.value}, {self.scheme})"
