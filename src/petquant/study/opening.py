"""The door of a study: what a path holds is told by content, DICOM before NIfTI."""

from __future__ import annotations

import os
from pathlib import Path

from petquant.dicom.index import Index, index
from petquant.errors import UnreadableInput
from petquant.nifti import is_nifti
from petquant.study.choices import Choices
from petquant.study.dicom import open_dicom
from petquant.study.opened import PetStudy

__all__ = ["look", "open_found", "open_study"]


def open_study(path: str | os.PathLike[str], choices: Choices) -> PetStudy:
    """Return the PET volume of a path, judged by its header.

    Parameters
    ----------
    path
        Folder of any mess, or one file: DICOM, or NIfTI with a JSON side-car of the same stem.
    choices
        Which series, and what the user says about it.

    Raises
    ------
    PetquantError
        When there is no PET series, or several fit, or a file cannot be read. What forbids the SUV does not
        raise: it stands in the conversion's findings.
    """
    return open_found(look(path, choices), choices)


def look(path: str | os.PathLike[str], choices: Choices) -> Index | Path:
    """Return the index of the DICOM of a path, or the NIfTI image that it is or holds.

    A folder without DICOM is the study of the one NIfTI image in it that has a side-car.

    Raises
    ------
    PetquantError
        As `petquant.dicom.index.index`; SERIES_AMBIGUOUS for several images with a side-car.
    """
    if is_nifti(Path(path)):
        return Path(path)
    try:
        return index(path, follow_symlinks=choices.follow_symlinks)
    except UnreadableInput as nothing:
        if not Path(path).is_dir():
            raise
        from petquant.sidecar.pairs import only_pair  # noqa: PLC0415 - not needed for DICOM

        return only_pair(os.fspath(path), nothing, follow_symlinks=choices.follow_symlinks)


def open_found(found: Index | Path, choices: Choices) -> PetStudy:
    """Return what `look` found, opened."""
    if isinstance(found, Index):
        return open_dicom(found, choices)
    from petquant.study.nifti import open_nifti  # noqa: PLC0415 - not needed for DICOM

    return open_nifti(found, choices)
