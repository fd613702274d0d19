"""A study, opened: its PET series chosen, its headers read and judged, its pixels still on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from petquant.acquisition import PetAcquisition
from petquant.dicom.assemble import read_volume, verify_unchanged
from petquant.dicom.belonging import PetFacts
from petquant.dicom.ct import Ct, read_ct
from petquant.dicom.frames import one_frame
from petquant.dicom.header import read_acquisition
from petquant.dicom.index import Index, Series, index
from petquant.dicom.select import Selection, attenuation_of, select
from petquant.dicom.stack import Stack, stack
from petquant.errors import Finding, Refused
from petquant.grid import Grid
from petquant.overrides import Overrides
from petquant.roi import Reading
from petquant.suv.conversion import SuvConversion, convert
from petquant.volume import PlaneWindow, Unit, Volume

__all__ = ["Choices", "PetStudy", "judge", "open_study"]

UNITS = {"BQML": Unit.BQML, "GML": Unit.GML, "CM2ML": Unit.CM2ML, "CPS": Unit.CPS}


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
    reading: Reading = field(default_factory=Reading)
    follow_symlinks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PetStudy:
    """One PET series of a study, headers only.

    Parameters
    ----------
    index
        All series of the folder.
    series
        The one that was chosen, reduced to one frame.
    set_aside
        The other series with the reasons why they lost.
    stack
        Its slices in order, with their grid.
    acquisition, conversion
        What was written down, and what it is worth.
    findings
        Of folder, choice and geometry; those of the conversion stand there.
    """

    index: Index
    series: Series
    set_aside: tuple[tuple[Series, str], ...]
    stack: Stack
    acquisition: PetAcquisition
    conversion: SuvConversion
    findings: tuple[Finding, ...]

    @property
    def grid(self) -> Grid:
        """Where the voxels lie.

        Raises
        ------
        Refused
            When the slices have no usable geometry.
        """
        if self.stack.grid is None:
            raise Refused.because(*self.stack.findings)
        return self.stack.grid

    @property
    def facts(self) -> PetFacts:
        """What regions in DICOM are held against."""
        return PetFacts.of(self.series, self.stack)

    def volume(self, *, keep: NDArray[np.bool_] | None = None, window: PlaneWindow | None = None) -> Volume:
        """Return the volume in its stored unit; what is not kept, or out of the window, gives totals only."""
        unit = UNITS.get(self.conversion.stored.units, Unit.COUNTS)
        return read_volume(self.stack, keep=keep, window=window, unit=unit)

    def ct(self) -> Ct:
        """Return the CT that belongs to the PET; its headers are read when this is called, never before.

        Raises
        ------
        Refused
            CT_MISSING with the reason why no CT series of the folder is one.
        """
        return read_ct(self.index, self.series, self.grid)

    def verify_unchanged(self) -> None:
        """Raise INPUT_CHANGED when a file of the series is no longer the one whose header was read."""
        verify_unchanged(self.stack.instances)


def open_study(path: str | os.PathLike[str], choices: Choices) -> PetStudy:
    """Return the PET series of a folder that fits, judged by its headers.

    Parameters
    ----------
    path
        Folder of any mess, or one file.
    choices
        Which series, and what the user says about it.

    Raises
    ------
    PetquantError
        When there is no PET series, or several fit, or a file cannot be read. What forbids the SUV does not
        raise: it stands in the conversion's findings.
    """
    found = index(path, follow_symlinks=choices.follow_symlinks)
    selection = select(found, study=choices.study, series=choices.series, allow_nac=choices.allow_nac)
    return judge(found, selection, choices)


def judge(found: Index, selection: Selection, choices: Choices) -> PetStudy:
    """Return the selected series with its headers read and judged."""
    series, frame_findings = one_frame(selection.series, frame=choices.frame, gate=choices.gate)
    slices = stack(series, allow_incomplete=choices.allow_incomplete)
    acquisition = read_acquisition(
        slices.instances,
        series_uid=series.uid,
        attenuation=attenuation_of(series),
        voxel_volume_ml=None if slices.grid is None else slices.grid.voxel_volume_ml,
    )
    conversion = convert(
        acquisition,
        choices.overrides,
        suv_types=tuple(dict.fromkeys(("bw", *choices.suv_types))),
        allow_nac=choices.allow_nac,
    )
    return PetStudy(
        index=found,
        series=series,
        set_aside=selection.set_aside,
        stack=slices,
        acquisition=acquisition,
        conversion=conversion,
        findings=(*found.findings, *selection.findings, *frame_findings, *slices.findings),
    )
