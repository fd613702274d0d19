"""A scene is what the viewer shows: volumes, regions with their numbers, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from petquant.errors import Finding
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["Scene"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything on the page.

    Parameters
    ----------
    pet
        Every slice of it, in SUV, or in its native unit when SUV was refused.
    suv_type
        ``bw`` ...; ``none`` or ``native`` when the values are no SUV.
    upper
        Value at the upper end of the window at first.
    ct
        In HU, on a grid of its own; None when there is none to show.
    without_ct
        Why there is none, in words.
    lesions
        On the grid of the PET.
    rows
        The measurements of the lesions, in their order, as `petquant.export.record.record_of` gives them.
    backgrounds
        On the grid of the PET.
    references
        The values of the backgrounds, in their order, likewise.
    facts
        What stands above the picture: label to words.
    caveats
        Code and words of every flag of the study, without what is withheld.
    findings
        The same as they were found, for a terminal; they are not on the page.
    """

    pet: Volume
    suv_type: str
    upper: float
    ct: Volume | None = None
    without_ct: str = ""
    lesions: tuple[Roi, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    backgrounds: tuple[Roi, ...] = ()
    references: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, str]
    caveats: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_suv(self) -> bool:
        """Whether the values are SUVs."""
        return self.suv_type not in {"none", "native"}
