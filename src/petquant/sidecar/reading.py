"""A side-car as an acquisition: every value that the conversion may need, with the key it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from petquant.acquisition import PetAcquisition, Written
from petquant.dicom.vendors import vendor_of
from petquant.sidecar.content import Sidecar
from petquant.sidecar.dialect import dialect_finding
from petquant.sidecar.injected import radiopharmaceutical_of
from petquant.sidecar.pairs import participants_beside, subject_of
from petquant.sidecar.participants import weight_of
from petquant.sidecar.quantity import attenuation_of, decay_correction_of, suv_type_of, units_of
from petquant.sidecar.times import times_of

__all__ = ["ImageFacts", "read_acquisition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an acquisition takes from the image itself.

    Parameters
    ----------
    path
        Of the image.
    n_slices, n_frames
        Its shape.
    frame
        The one that is measured, from 0.
    voxel_volume_ml
        For counts per second.
    """

    path: Path
    n_slices: int
    n_frames: int
    frame: int
    voxel_volume_ml: float


def read_acquisition(sidecar: Sidecar, image: ImageFacts) -> PetAcquisition:
    """Return what a side-car says about an image; of an image without one, that nothing was written.

    Raises
    ------
    UnreadableInput, LimitReached
        As `petquant.sidecar.participants.weight_of`, where the weight is looked for in a BIDS dataset.
    """
    manufacturer = sidecar.text("Manufacturer").text
    times = times_of(sidecar, frame=image.frame, n_frames=image.n_frames)
    attenuation, words, corrections = attenuation_of(sidecar)
    has_sidecar = sidecar.path is not None
    return PetAcquisition(
        series_uid=sidecar.text("SeriesInstanceUID").text,
        path=str(image.path),
        vendor=vendor_of(manufacturer),
        manufacturer=manufacturer,
        weight_kg=_weight(sidecar, image.path),
        height_m=sidecar.number("PatientSize"),
        sex=sidecar.text("PatientSex"),
        units=units_of(sidecar),
        suv_type=suv_type_of(sidecar),
        decay_correction=decay_correction_of(sidecar),
        corrections=corrections,
        attenuation=attenuation,
        attenuation_words=words,
        series_at=times.series_at,
        frames=(times.frame,) * image.n_slices,
        clock=times.clock,
        decay_corrected_to=times.decay_corrected_to,
        radiopharmaceuticals=(
            radiopharmaceutical_of(sidecar, injected_at=times.injected_at, is_sidecar=has_sidecar),
        ),
        voxel_volume_ml=image.voxel_volume_ml,
        reconstruction=sidecar.text("ReconMethodName", "ReconstructionMethod").text,
        findings=(dialect_finding(sidecar),) if has_sidecar else (),
        time_findings=times.findings,
    )


def _weight(sidecar: Sidecar, image: Path) -> Written[float]:
    """Return the weight of the side-car, else that of ``participants.tsv``."""
    written = sidecar.number("PatientWeight")
    table = participants_beside(image)
    if written.text or table is None:
        return written
    found = weight_of(subject_of(image), table)
    return found if found.text else written
