"""A pair is a NIfTI image and its side-car; a BIDS dataset adds the weights of its participants."""

from __future__ import annotations

import re
from pathlib import Path

from petquant.dicom.folder import look_into
from petquant.errors import Finding, Refused, UnreadableInput
from petquant.nifti import is_nifti

__all__ = ["companions", "only_pair", "participants_beside", "sidecar_beside", "subject_of"]

NO_DICOM = {"NO_DICOM", "FORMAT_UNSUPPORTED", "COMPRESSION_UNSUPPORTED"}
SUFFIXES = (".nii.gz", ".nii")
SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
SHOWN = 20


def sidecar_beside(image: Path) -> Path | None:
    """Return the JSON of the same stem beside an image, None when there is none."""
    stem = next((image.name[: -len(one)] for one in SUFFIXES if image.name.lower().endswith(one)), image.name)
    sidecar = image.with_name(f"{stem}.json")
    return sidecar if sidecar.is_file() else None


def subject_of(image: Path) -> str:
    """Return the BIDS subject of an image, ``sub-01``, by its name or its folders; "" when none is named."""
    for name in (image.name, *(folder.name for folder in image.absolute().parents)):
        match = SUBJECT.match(name)
        if match:
            return match[0]
    return ""


def participants_beside(image: Path) -> Path | None:
    """Return ``participants.tsv`` of the BIDS dataset of an image: of the folder that holds ``sub-XX``."""
    subject = subject_of(image)
    if not subject:
        return None
    for folder in image.absolute().parents:
        table = folder / "participants.tsv"
        if table.is_file() and (folder / subject).is_dir():
            return table
    return None


def companions(study: Path) -> tuple[Path, ...]:
    """Return the files that are read together with a NIfTI image; none for anything else."""
    if not is_nifti(study):
        return ()
    found = (sidecar_beside(study), participants_beside(study))
    return tuple(path for path in found if path is not None)


def only_pair(folder: str, nothing: UnreadableInput, *, follow_symlinks: bool) -> Path:
    """Return the one image with a side-car in a folder without DICOM.

    Parameters
    ----------
    nothing
        Why there is no DICOM; raised again, with what there is instead.

    Raises
    ------
    UnreadableInput
        As `nothing`.
    Refused
        SERIES_AMBIGUOUS, for several such images.
    """
    if not {finding.code for finding in nothing.findings} <= NO_DICOM:
        raise nothing
    files = [Path(file) for file in look_into(folder, follow_symlinks=follow_symlinks).files]
    images = [file for file in files if file.name.lower().endswith(SUFFIXES) and is_nifti(file)]
    pairs = [image for image in images if sidecar_beside(image) is not None]
    if len(pairs) == 1:
        return pairs[0]
    if pairs:
        raise Refused.of(
            "SERIES_AMBIGUOUS",
            f"no DICOM, and {len(pairs)} NIfTI images with a side-car: {_listed(pairs, folder)}",
            expected="one of them",
            remedy="give the image itself",
            path=folder,
        )
    if not images:
        raise nothing
    finding = Finding(
        code="NO_DICOM",
        found=f"no DICOM, and no side-car beside any NIfTI image: {_listed(images, folder)}",
        expected="a PET series in DICOM files, or a NIfTI image with its JSON side-car",
        remedy="give the image itself, with --units suv or --units bqml",
        path=folder,
    )
    raise UnreadableInput(finding.sentence(), (finding,)) from nothing


def _listed(images: list[Path], folder: str) -> str:
    names = ", ".join(str(image.relative_to(folder)) for image in images[:SHOWN])
    return names + (" ..." if len(images) > SHOWN else "")
