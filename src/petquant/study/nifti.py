"""A study in NIfTI: one image with its side-car, header read and judged, its numbers still on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.acquisition import PetAcquisition
from petquant.dicom.belonging import PetFacts
from petquant.dicom.ct import Ct
from petquant.errors import Finding, Refused, UnreadableInput, UsageError
from petquant.grid import Grid
from petquant.nifti.header import NiftiHeader
from petquant.nifti.volume import read_pet_header, read_pet_volume
from petquant.sidecar.content import Sidecar, read_sidecar
from petquant.sidecar.pairs import participants_beside, sidecar_beside, subject_of
from petquant.sidecar.reading import ImageFacts, read_acquisition
from petquant.study.choices import Choices
from petquant.study.opened import UNITS
from petquant.study.source import Patient, Source
from petquant.suv.conversion import SuvConversion, convert
from petquant.volume import PlaneWindow, Unit, Volume

__all__ = ["NiftiStudy", "open_nifti"]

# positions of a side-car belong to this image, as fractions of the slice step
STEP_AGREES = 0.01  # median step and origin
STEPS_AGREE = 0.05  # each step, as for a series in DICOM


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file as it was when it was opened; its SHA-256 is "" where nobody asks for it."""

    path: Path
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, *, is_hashed: bool) -> _File:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest() if is_hashed else ""
            status = path.stat()
        except OSError as error:
            raise UnreadableInput.of(
                "FILE_UNREADABLE",
                error.strerror or str(error),
                expected="a file that can be read",
                path=str(path),
            ) from error
        return cls(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=digest)

    def is_unchanged(self) -> bool:
        try:
            status = self.path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiStudy:
    """One frame of a NIfTI image with what its side-car says.

    Parameters
    ----------
    files
        The image, and what was read beside it.
    sidecar
        Empty when there is none.
    header
        Of the image.
    grid
        Its grid, with the true positions of uneven slices where the side-car has them.
    frame
        From 0.
    acquisition, conversion
        What was written down, and what it is worth.
    findings
        Of image and choice; those of the conversion stand there.
    """

    files: tuple[_File, ...]
    sidecar: Sidecar
    header: NiftiHeader
    grid: Grid
    frame: int
    acquisition: PetAcquisition
    conversion: SuvConversion
    findings: tuple[Finding, ...]

    @property
    def facts(self) -> PetFacts:
        """What regions in DICOM are held against, as far as the side-car knows it."""
        patient_id = self.sidecar.text("PatientID").text
        return PetFacts(
            frame_of_reference_uid=_frame_of_reference(self.sidecar),
            patient_ids=frozenset({patient_id} - {""}),
            series_uid=self.acquisition.series_uid,
        )

    @property
    def source(self) -> Source:
        """What outputs may say about the image and its side-car."""
        image, text = self.files[0], self.sidecar.text
        uid = text("SeriesInstanceUID").text
        study_uid, frame_of_reference = text("StudyInstanceUID").text, _frame_of_reference(self.sidecar)
        identity = study_uid or image.sha256
        return Source(
            uid=uid,
            study_uid=study_uid,
            identity=identity,
            patient=Patient(
                name=text("PatientName").text,
                patient_id=text("PatientID").text or subject_of(image.path) or identity,
                birth_date=text("PatientBirthDate").text,
                study_date=text("AcquisitionDateTime").text.partition("T")[0],
            ),
            frame_of_reference_uid=frame_of_reference,
            number=text("SeriesNumber").text,
            manufacturer=self.acquisition.manufacturer,
            model=text("ManufacturersModelName").text,
            n_files=len(self.files),
            n_slices=self.grid.shape[0],
            grid=self.grid,
            digest=hashlib.sha256("\n".join(file.sha256 for file in self.files).encode()).hexdigest(),
            uids=frozenset({uid, study_uid, frame_of_reference} - {""}),
            root=str(image.path.parent),
            paths=tuple(str(file.path) for file in self.files),
        )

    def volume(self, *, keep: NDArray[np.bool_] | None = None, window: PlaneWindow | None = None) -> Volume:
        """Return the volume in its stored unit; what is not kept, or out of the window, gives totals only."""
        return read_pet_volume(
            self.files[0].path,
            self.header,
            grid=self.grid,
            frame=self.frame,
            keep=keep,
            window=window,
            unit=UNITS.get(self.conversion.stored.units, Unit.COUNTS),
        )

    def ct(self) -> Ct:
        """Raise CT_MISSING: which CT belongs to it, a NIfTI image does not say."""
        raise Refused.of(
            "CT_MISSING",
            "a NIfTI image does not say which CT belongs to it",
            expected="a CT of its study and frame of reference",
            remedy="give the study in DICOM",
            path=str(self.files[0].path),
        )

    def ct_started_at(self) -> datetime | None:
        """Return None: a NIfTI image does not say which CT belongs to it."""
        return None

    def verify_unchanged(self) -> None:
        """Raise INPUT_CHANGED when a file is no longer the one that was opened."""
        changed = [
            Finding(
                code="INPUT_CHANGED",
                found="another size or time of change than when it was opened, or gone",
                expected="files that nobody writes to during the run",
                remedy="run again when nothing writes to it",
                path=str(file.path),
            )
            for file in self.files
            if not file.is_unchanged()
        ]
        if changed:
            raise Refused.because(*changed)


def open_nifti(path: Path, choices: Choices, *, is_hashed: bool = True) -> NiftiStudy:
    """Return a NIfTI image, judged by its header and its side-car.

    Parameters
    ----------
    is_hashed
        Whether its files are hashed, for which every byte is read; without, its source has no digest, and no
        number may be made of it.

    Raises
    ------
    UsageError
        OPTION_INVALID for a frame that is not there, or a gate.
    PetquantError
        As `petquant.nifti.volume.read_pet_header`, `petquant.sidecar.content.read_sidecar` and
        `petquant.sidecar.reading.read_acquisition`; NO_SUCH_STUDY, NO_SUCH_SERIES for another than the
        one asked for.
    """
    header = read_pet_header(path)
    beside = sidecar_beside(path)
    sidecar = Sidecar() if beside is None else read_sidecar(beside)
    _require_asked_for(sidecar, choices, path)
    frame, frame_findings = _frame(header, sidecar, choices, path)
    grid, grid_findings = _grid(header, sidecar, path)
    acquisition = read_acquisition(
        sidecar,
        ImageFacts(
            path=path,
            n_slices=grid.shape[0],
            n_frames=header.n_frames,
            frame=frame,
            voxel_volume_ml=grid.voxel_volume_ml,
        ),
    )
    read = [path, *([] if beside is None else [beside])]
    table = participants_beside(path)
    if table is not None and "participants.tsv" in acquisition.weight_kg.keyword:
        read.append(table)
    conversion = convert(
        acquisition,
        choices.overrides,
        suv_types=tuple(dict.fromkeys(("bw", *choices.suv_types))),
        allow_nac=choices.allow_nac,
    )
    return NiftiStudy(
        files=tuple(_File.of(file, is_hashed=is_hashed) for file in read),
        sidecar=sidecar,
        header=header,
        grid=grid,
        frame=frame,
        acquisition=acquisition,
        conversion=conversion,
        findings=(*frame_findings, *grid_findings),
    )


def _frame_of_reference(sidecar: Sidecar) -> str:
    own = sidecar.part("petquant").part("series").text("frame_of_reference_uid")
    return sidecar.text("FrameOfReferenceUID").text or own.text


def _require_asked_for(sidecar: Sidecar, choices: Choices, path: Path) -> None:
    """Raise when a study or series is asked for that the side-car does not name."""
    number = sidecar.text("SeriesNumber").text
    for asked, uid, others, code in (
        (choices.study, sidecar.text("StudyInstanceUID").text, (), "NO_SUCH_STUDY"),
        (choices.series, sidecar.text("SeriesInstanceUID").text, (number,), "NO_SUCH_SERIES"),
    ):
        if asked is not None and asked not in uid and asked not in others:
            raise Refused.of(
                code,
                f"{asked} was asked for, and the image is {uid or 'of no UID that is known'}",
                remedy="drop the option",
                path=str(path),
            )


def _frame(
    header: NiftiHeader, sidecar: Sidecar, choices: Choices, path: Path
) -> tuple[int, tuple[Finding, ...]]:
    """Return which frame is measured, from 0; the first, with the refusal, where a choice is needed."""
    if choices.gate is not None:
        raise UsageError.of(
            "OPTION_INVALID", "a NIfTI image has no gates", expected="--frame N", where="--gate"
        )
    n = header.n_frames
    if choices.frame is not None and not 1 <= choices.frame <= n:
        raise UsageError.of(
            "OPTION_INVALID", f"there is no frame {choices.frame}", expected=f"1 to {n}", where="--frame"
        )
    if n == 1:
        return 0, ()
    if choices.frame is None:
        finding = Finding(
            code="SERIES_DYNAMIC",
            found=f"{n} time frames: {_frame_words(sidecar, n)}",
            expected="one frame",
            remedy="choose one with --frame N",
            path=str(path),
            quantities=("*", "tbr"),
        )
        return 0, (finding,)
    chosen = Finding(code="FRAME_CHOSEN", found=f"frame {choices.frame} of {n}", path=str(path))
    return choices.frame - 1, (chosen,)


def _frame_words(sidecar: Sidecar, n: int) -> str:
    """Return the frames with start and length, as far as the side-car has them."""
    starts = sidecar.numbers("FrameTimesStart").value or ()
    durations = sidecar.numbers("FrameDuration").value or ()
    shown = []
    for number in range(min(n, 60)):
        start = f"{starts[number]:g} s" if number < len(starts) else "unknown start"
        length = f"{durations[number]:g} s" if number < len(durations) else "unknown length"
        shown.append(f"{number + 1} ({start}, {length})")
    return ", ".join(shown) + (" ..." if n > len(shown) else "")


def _misplaced(positions_mm: NDArray[np.float64], sidecar: Sidecar, grid: Grid) -> str:
    """Return why slice positions of a side-car are not those of the image; nothing when they are."""
    n, step_mm = grid.shape[0], grid.spacing_mm[0]
    if len(positions_mm) != n or n < 2:
        return f"holds {len(positions_mm)} numbers for {n} slices"
    steps_mm = np.diff(positions_mm)
    if positions_mm[0] != 0 or np.abs(steps_mm - step_mm).max() > STEPS_AGREE * step_mm:
        return f"begins at {positions_mm[0]:g} with steps from {steps_mm.min():g} to {steps_mm.max():g} mm"
    if abs(float(np.median(steps_mm)) - step_mm) > STEP_AGREES * step_mm:
        return f"has steps of {np.median(steps_mm):g} mm, and the image {step_mm:g} mm"
    origin_mm = sidecar.part("petquant").part("series").numbers("origin_mm_lps").value or grid.origin_mm
    if len(origin_mm) != 3 or np.abs(np.subtract(origin_mm, grid.origin_mm)).max() > STEP_AGREES * step_mm:
        return f"counts from {origin_mm} mm, and the image begins at {grid.origin_mm} mm LPS"
    return ""


def _grid(header: NiftiHeader, sidecar: Sidecar, path: Path) -> tuple[Grid, tuple[Finding, ...]]:
    """Return the grid, with the true slice positions that petquant wrote beside an uneven one."""
    grid, findings = header.grid, []
    own = sidecar.part("petquant").numbers("slice_positions_mm")
    if own.text:
        positions = np.array(own.value or ())
        problem = _misplaced(positions, sidecar, grid)
        if problem:
            findings.append(
                Finding(
                    code="SIDECAR_SLICES_INCONSISTENT",
                    found=f"petquant.slice_positions_mm {problem}",
                    expected="the position of every slice, ascending from 0 at the first slice of the image",
                    remedy="take the image as petquant convert wrote it; or take them out, where the slices "
                    "are even",
                    path=str(path),
                    quantities=("*", "tbr"),
                )
            )
        else:
            grid = replace(grid, slice_positions_mm=positions)
            findings.append(
                Finding(code="UNEVEN_SLICES", found="slice positions of the side-car", path=str(path))
            )
    if grid.shape[0] == 1:
        findings.append(Finding(code="SINGLE_SLICE", found="one slice", path=str(path)))
    if header.intercept != 0:
        findings.append(
            Finding(
                code="RESCALE_INTERCEPT_NONZERO",
                found=f"scl_inter {header.intercept:g} applied",
                path=str(path),
            )
        )
    return grid, tuple(findings)
