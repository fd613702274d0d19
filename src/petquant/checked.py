"""A checked series is one PET series with the verdict on it: computable, or every cause why not."""

from __future__ import annotations

from dataclasses import dataclass

from petquant.errors import Finding
from petquant.study import PetStudy
from petquant.study.source import Source

__all__ = ["CheckedSeries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSeries:
    """One PET series, judged.

    Parameters
    ----------
    series
        What is known of its files.
    study
        Its headers, judged; None when not even that was possible.
    refusals
        Every cause against the SUV types asked for; empty when they can be computed.
    caveats
        Every other finding.
    """

    series: Source
    study: PetStudy | None
    refusals: tuple[Finding, ...]
    caveats: tuple[Finding, ...]

    @property
    def is_computable(self) -> bool:
        """Whether every SUV type asked for can be computed."""
        return not self.refusals
