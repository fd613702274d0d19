"""Choices are what the user says about a study before it is opened."""

from __future__ import annotations

from dataclasses import dataclass, field

from petquant.overrides import Overrides
from petquant.roi import Reading

__all__ = ["Choices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which series, which SUV, and what the user allows.

    Parameters
    ----------
    study, series
        UID, a unique part of it, or (series) the series number.
    frame, gate
        From 1, of a dynamic or gated series.
    suv_types
        Names of `petquant.suv.normalisation`, or ``native``.
    overrides
        Values in place of the header's.
    is_strict
        Flags marked S refuse.
    allow_empty
        A file of regions without a region is an answer: no lesion.
    has_further
        Regions are measured by the further quantities as well.
    roi_label
        The region of the files that alone is measured, by id or by the name of a TotalSegmentator class.
    reading
        How files of regions are meant where they do not say so.
    """

    study: str | None = None
    series: str | None = None
    frame: int | None = None
    gate: int | None = None
    suv_types: tuple[str, ...] = ("bw",)
    overrides: Overrides = field(default_factory=Overrides)
    is_strict: bool = False
    allow_nac: bool = False
    allow_extreme: bool = False
    allow_incomplete: bool = False
    allow_empty: bool = False
    has_further: bool = False
    roi_label: str | None = None
    reading: Reading = field(default_factory=Reading)
    follow_symlinks: bool = False
