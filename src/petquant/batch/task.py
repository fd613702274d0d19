"""A task is one study to be measured, told without opening it: what, where, and what the user says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from petquant.background import Background
from petquant.study import Choices

__all__ = ["StudyTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTask:
    """One study of a batch.

    Parameters
    ----------
    name
        Unique in the batch and the same at every call: the name of its results.
    study
        Folder, zip or NIfTI image.
    rois
        Files or folders of regions, all of them lesions.
    backgrounds, labels, choices, psf_fwhm_mm
        As for `petquant.quantify.quantify`.
    columns
        What a table said of the study beyond that; copied to its results as it is.
    reason_to_skip
        Why it is not measured, such as that no region belongs to it; empty otherwise.
    """

    name: str
    study: str
    rois: tuple[str, ...]
    backgrounds: tuple[Background, ...] = ()
    labels: str | None = None
    choices: Choices = field(default_factory=Choices)
    psf_fwhm_mm: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    reason_to_skip: str = ""
