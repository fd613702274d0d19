"""An opened study is one PET volume whose header was read and judged, its voxels still on disk."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from petquant.acquisition import PetAcquisition
from petquant.dicom.belonging import PetFacts
from petquant.dicom.ct import Ct
from petquant.errors import Finding
from petquant.grid import Grid
from petquant.study.source import Source
from petquant.suv.conversion import SuvConversion
from petquant.volume import PlaneWindow, Unit, Volume

__all__ = ["UNITS", "PetStudy"]

UNITS = {"BQML": Unit.BQML, "GML": Unit.GML, "CM2ML": Unit.CM2ML, "CPS": Unit.CPS}


class PetStudy(Protocol):
    """What every kind of opened study offers: a DICOM series, or a NIfTI image with its side-car.

    Attributes
    ----------
    acquisition, conversion
        What was written down, and what it is worth.
    findings
        Of files, choice and geometry; those of the conversion stand there.
    source
        What outputs may say about its files.
    grid
        Where the voxels lie; asking for it raises Refused when the images have no usable geometry.
    facts
        What regions in DICOM are held against.
    """

    @property
    def acquisition(self) -> PetAcquisition: ...  # noqa: D102 - in the class docstring
    @property
    def conversion(self) -> SuvConversion: ...  # noqa: D102 - the same
    @property
    def findings(self) -> tuple[Finding, ...]: ...  # noqa: D102 - the same
    @property
    def source(self) -> Source: ...  # noqa: D102 - the same
    @property
    def grid(self) -> Grid: ...  # noqa: D102 - the same
    @property
    def facts(self) -> PetFacts: ...  # noqa: D102 - the same

    def volume(self, *, keep: NDArray[np.bool_] | None = None, window: PlaneWindow | None = None) -> Volume:
        """Return the volume in its stored unit; what is not kept, or out of the window, gives totals only."""
        ...

    def ct(self) -> Ct:
        """Return the CT that belongs to the PET, or raise CT_MISSING."""
        ...

    def ct_started_at(self) -> datetime | None:
        """Return when that CT was begun, on the clock of the PET; None when that is not known."""
        ...

    def verify_unchanged(self) -> None:
        """Raise INPUT_CHANGED when a file is no longer the one that was opened."""
        ...
