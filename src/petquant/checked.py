"""A checked series is one PET series with the verdict on it: computable, or every cause why not."""

from __future__ import annotations

from dataclasses import dataclass

from petquant.dicom.index import Series
from petquant.errors import Finding
from petquant.study import PetStudy

__all__ = ["CheckedSeries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSeries:
    """One PET series, judged.

    Parameters
    ----------
    series
        The series.
    study
        Its headers, judged; None when not even that was possible.
    refusals
        Every cause against the SUV types asked for; empty when they can be computed.
    caveats
        Every other finding.
    """

    series: Series
    study: PetStudy | None
    refusals: tuple[Finding, ...]
    caveats: tuple[Finding, ...]

    @property
    def is_computable(self) -> bool:
        """Whether every SUV type asked for can be computed."""
        return not self.refusals
