"""The door of sources: what a source is, is told by what lies there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from petquant.background import Background, background_of
from petquant.batch.sources.bids import is_dataset, tasks_of_dataset
from petquant.batch.sources.folder import tasks_of_folder
from petquant.batch.sources.given import Given
from petquant.batch.sources.manifest import EXPECTED, tasks_of_manifest
from petquant.batch.sources.radiomics import as_studies, is_of_radiomics
from petquant.batch.task import StudyTask
from petquant.errors import UsageError
from petquant.paths import existing
from petquant.study import Choices
from petquant.study_table import read_table

__all__ = ["tasks_of"]


def tasks_of(
    source: str | os.PathLike[str],
    *,
    roi_patterns: Sequence[str] = (),
    backgrounds: Sequence[str | Background] = (),
    choices: Choices | None = None,
    labels: str | os.PathLike[str] | None = None,
    psf_fwhm_mm: float | None = None,
) -> list[StudyTask]:
    """Return the studies of a source as tasks of a batch, in an order that never changes.

    Parameters
    ----------
    source
        A folder of studies, a manifest, a table of pyradiomics, or a BIDS dataset.
    roi_patterns
        Where the regions of every study lie: paths with ``*``, ``**`` and words in braces that the study
        fills in, or ``dicom:seg`` and ``dicom:rtstruct`` for the regions of the study itself. Words are
        ``{study}`` (its folder), ``{name}`` (of its results), ``{source}``; ``{patient}`` (PatientID) in a
        folder of studies; ``{subject}`` and ``{session}`` in a BIDS dataset; every column of a table.
    backgrounds
        As they are, or in the words of `petquant.background.text` with the same braces.
    choices
        What holds for all studies; a row of a table comes on top.
    labels
        File with the names of the labels, with the same braces.
    psf_fwhm_mm
        As for `petquant.quantify.quantify`.

    Returns
    -------
    One task a study; one that no region, background or file of labels belongs to says why it is skipped.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND; OPTION_INVALID for braces that no study fills in, for regions that match two studies,
        and for everything that is wrong in a row.
    UnreadableInput
        SIDECAR_INVALID for a table that is none.
    """
    path = existing(Path(source))
    given = Given(
        roi_patterns=tuple(roi_patterns),
        backgrounds=tuple(_at_once(one) for one in backgrounds),
        choices=choices or Choices(),
        labels=None if labels is None else _labels(os.fspath(labels)),
        psf_fwhm_mm=psf_fwhm_mm,
    )
    if path.is_dir():
        return tasks_of_dataset(path, given) if is_dataset(path) else tasks_of_folder(path, given)
    if path.suffix.lower() != ".csv":
        raise UsageError.of(
            "OPTION_INVALID",
            f"{path} is no source of a batch",
            expected="a folder of studies, a BIDS dataset, or a table with the suffix .csv",
        )
    table = read_table(path, needed=(), known=None, expected=EXPECTED)
    return tasks_of_manifest(path, given, as_studies(table) if is_of_radiomics(table) else table)


def _at_once(background: str | Background) -> str | Background:
    """Return a background; one in words that no study fills in must be there."""
    return background_of(background) if isinstance(background, str) and "{" not in background else background


def _labels(place: str) -> str:
    return place if "{" in place else os.fspath(existing(Path(place)))
