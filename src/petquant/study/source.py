"""A source is what outputs may say about the files of a study, whatever their format.

What a source withholds (paths, and who the patient is) stands here as well, so that outputs can take it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from petquant.grid import Grid

__all__ = ["Patient", "SetAside", "Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Who was scanned; never to be printed unless asked for."""

    name: str = ""
    patient_id: str = ""
    issuer: str = ""
    birth_date: str = ""
    study_date: str = ""
    age: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A series that was not taken, and why."""

    uid: str
    modality: str
    n_files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the numbers of a study come from.

    Parameters
    ----------
    uid, study_uid, frame_of_reference_uid, number, modality, manufacturer, model
        As written; "" where a format does not carry them.
    identity
        What tells this study from any other: its StudyInstanceUID, or the SHA-256 of its image.
    patient
        Who was scanned.
    n_files, n_slices, n_distinct_slopes
        Of the series that is measured.
    grid
        Where its voxels lie; None when it cannot be known.
    digest
        SHA-256, in hex, that ties numbers to files.
    n_series, strays, set_aside
        What else was found.
    uids
        Every UID that an output may name.
    root, paths
        Folder that was looked into, and files in it that findings may name.
    """

    uid: str
    study_uid: str
    identity: str
    patient: Patient
    n_files: int
    root: str
    paths: tuple[str, ...]
    frame_of_reference_uid: str = ""
    number: str = ""
    modality: str = "PT"
    manufacturer: str = ""
    model: str = ""
    n_slices: int = 0
    n_distinct_slopes: int = 1
    grid: Grid | None = None
    digest: str = ""
    n_series: int = 1
    strays: Mapping[str, int] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()
    uids: frozenset[str] = frozenset()
