"""A study in DICOM: its PET series chosen, its headers read and judged, its pixels still on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from petquant.acquisition import PetAcquisition
from petquant.dicom.assemble import read_volume, verify_unchanged
from petquant.dicom.belonging import PetFacts
from petquant.dicom.ct import Ct, read_ct
from petquant.dicom.ct_time import ct_started_at
from petquant.dicom.frames import one_frame
from petquant.dicom.header import read_acquisition
from petquant.dicom.index import Index, Series
from petquant.dicom.select import Selection, attenuation_of, select
from petquant.dicom.stack import Stack, stack
from petquant.dicom.tags import TAG
from petquant.errors import Finding, Refused
from petquant.grid import Grid
from petquant.study.choices import Choices
from petquant.study.opened import UNITS
from petquant.study.source import Patient, SetAside, Source
from petquant.suv.conversion import SuvConversion, convert
from petquant.volume import PlaneWindow, Unit, Volume

__all__ = ["DicomStudy", "judge", "open_dicom", "source_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomStudy:
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

    @property
    def source(self) -> Source:
        """What outputs may say about the files of the series and its folder."""
        instances = self.stack.instances
        files = {one.path: f"{one.text(TAG['SOPInstanceUID'])} {one.size}" for one in instances}
        own = source_of(self.series)
        return Source(
            uid=own.uid,
            study_uid=own.study_uid,
            identity=own.identity,
            patient=own.patient,
            frame_of_reference_uid=own.frame_of_reference_uid,
            number=own.number,
            modality=own.modality,
            manufacturer=instances[0].text(TAG["Manufacturer"]),
            model=instances[0].text(TAG["ManufacturerModelName"]),
            n_files=len(files),
            n_slices=len(instances),
            n_distinct_slopes=len({one.text(TAG["RescaleSlope"]) for one in instances}),
            grid=self.stack.grid,
            digest=sha256("\n".join(sorted(files.values())).encode()).hexdigest(),
            n_series=len(self.index.series),
            strays=self.index.strays,
            set_aside=tuple(
                SetAside(uid=other.uid, modality=other.modality, n_files=other.n_files, reason=why)
                for other, why in self.set_aside
            ),
            uids=own.uids | {series.uid for series in self.index.series},
            root=self.index.path,
            paths=tuple(dict.fromkeys(one.path for series in self.index.series for one in series.instances)),
        )

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

    def ct_started_at(self) -> datetime | None:
        """Return when that CT was begun, on the clock of the PET; None when that is not known."""
        return ct_started_at(self.index, self.series, self.grid, utc_offset=self.acquisition.utc_offset)

    def verify_unchanged(self) -> None:
        """Raise INPUT_CHANGED when a file of the series is no longer the one whose header was read."""
        verify_unchanged(self.stack.instances)


def source_of(series: Series) -> Source:
    """Return what is known of a series that could not be opened as a study."""
    first = series.instances[0]
    paths = tuple(dict.fromkeys(one.path for one in series.instances))
    return Source(
        uid=series.uid,
        study_uid=series.study_uid,
        identity=series.study_uid,
        patient=Patient(
            name=first.text(TAG["PatientName"]),
            patient_id=first.text(TAG["PatientID"]),
            issuer=first.text(TAG["IssuerOfPatientID"]),
            birth_date=first.text(TAG["PatientBirthDate"]),
            study_date=first.text(TAG["StudyDate"]),
            age=first.text(TAG["PatientAge"]),
        ),
        frame_of_reference_uid=series.frame_of_reference_uid,
        number=series.number,
        modality=series.modality,
        n_files=len(paths),
        uids=frozenset({series.uid, series.study_uid, series.frame_of_reference_uid} - {""}),
        root=os.path.commonpath([os.path.dirname(path) for path in paths]),  # noqa: PTH120 - as written
        paths=paths,
    )


def open_dicom(found: Index, choices: Choices) -> DicomStudy:
    """Return the PET series of a folder that fits, judged by its headers.

    Raises
    ------
    PetquantError
        When there is no PET series, or several fit, or a file cannot be read.
    """
    selection = select(found, study=choices.study, series=choices.series, allow_nac=choices.allow_nac)
    return judge(found, selection, choices)


def judge(found: Index, selection: Selection, choices: Choices) -> DicomStudy:
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
    return DicomStudy(
        index=found,
        series=series,
        set_aside=selection.set_aside,
        stack=slices,
        acquisition=acquisition,
        conversion=conversion,
        findings=(*found.findings, *selection.findings, *frame_findings, *slices.findings),
    )
