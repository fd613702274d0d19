"""A tree is a folder with any number of studies; here its files are sorted to them, by headers alone.

A study may lie in several folders, and several studies in one. Of a file nothing is kept but what names its
series, and its path where it is a PET image or regions, so that memory grows by a path a file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from petquant.dicom.folder import look_into
from petquant.dicom.habit import Habits
from petquant.dicom.limits import DEFAULT_LIMITS
from petquant.dicom.scan import Instance, scan_or_damage
from petquant.dicom.strays import kind_of
from petquant.dicom.tags import TAG
from petquant.errors import Finding, PetquantError
from petquant.nifti import is_nifti
from petquant.sidecar.content import read_sidecar
from petquant.sidecar.pairs import SUFFIXES, sidecar_beside

__all__ = ["FoundStudy", "Tree", "Unread", "is_pet_pair", "look_through"]

_SERIES: Final = TAG["SeriesInstanceUID"]
_STUDY: Final = TAG["StudyInstanceUID"]
_MODALITY: Final = TAG["Modality"]
_PATIENT: Final = TAG["PatientID"]
REGIONS: Final = ("SEG", "RTSTRUCT")
# objects about images, which may be kept elsewhere: the folder of a study is that of its images
NO_IMAGES: Final = {*REGIONS, "RTDOSE", "RTPLAN", "SR", "PR", "KO", "REG", "RWV", "DOC"}
# keys of a side-car that only a PET image has, of BIDS-PET, dcm2niix and petquant
PET_KEYS: Final = (
    "InjectedRadioactivity",
    "RadionuclideTotalDose",
    "TracerName",
    "TracerRadionuclide",
    "Radiopharmaceutical",
)


@dataclass(slots=True, kw_only=True)
class FoundStudy:
    """A study in a tree.

    Parameters
    ----------
    uid
        StudyInstanceUID, "" where the images have none.
    patient_id
        Of its first file; never to be printed.
    series
        Number of files by modality and SeriesInstanceUID.
    pet
        Paths of its PET images.
    regions
        Paths of SEG and RTSTRUCT by modality.
    folders
        Where its images lie.
    """

    uid: str
    patient_id: str = ""
    series: Counter[tuple[str, str]] = field(default_factory=Counter)
    pet: list[str] = field(default_factory=list)
    regions: dict[str, list[str]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    @property
    def folder(self) -> str:
        """The folder that holds all of its images."""
        return os.path.commonpath(self.folders) or os.curdir

    @property
    def has_ct(self) -> bool:
        """Whether there is a CT series."""
        return any(modality == "CT" for modality, _ in self.series)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Files that could not be read and may be PET images, of one code: how many, and the first."""

    code: str
    n_files: int
    first: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What lies in a tree.

    Parameters
    ----------
    root
        As it was given.
    studies
        Those with a PET image, by folder and UID.
    images
        NIfTI images whose side-car is that of a PET.
    n_files
        Regular files.
    n_without_pet
        Studies that have no PET image.
    strays
        How many entries of each kind were passed over.
    unread
        What could not be read.
    """

    root: str
    studies: tuple[FoundStudy, ...]
    images: tuple[str, ...]
    n_files: int
    n_without_pet: int
    strays: dict[str, int]
    unread: tuple[Unread, ...]


def look_through(root: str | os.PathLike[str], *, follow_symlinks: bool = False) -> Tree:
    """Return the studies of a tree; what cannot be read is noted and stops nothing.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND, when the path does not exist.
    """
    path = os.fspath(root)
    folder = look_into(path, follow_symlinks=follow_symlinks, passes_barred=True)
    studies: dict[str, FoundStudy] = {}
    images: list[str] = []
    unread: list[Finding] = list(folder.barred)
    habits = Habits()
    for file in folder.files:
        try:
            instance = scan_or_damage(file, DEFAULT_LIMITS, habits)
        except PetquantError as error:
            unread += error.findings
            continue
        if instance is not None and _is_whole(instance):
            _sort(instance, studies)
        elif instance is not None:
            folder.pass_over("damaged, no PET", file)
        elif file.lower().endswith(SUFFIXES) and is_pet_pair(Path(file)):
            images.append(file)
        else:
            folder.pass_over(kind_of(file), file)
    with_pet = [study for study in studies.values() if study.pet]
    return Tree(
        root=path,
        studies=tuple(sorted(with_pet, key=lambda study: (study.folder, study.uid))),
        images=tuple(images),
        n_files=len(folder.files),
        n_without_pet=len(studies) - len(with_pet),
        strays=dict(folder.strays),
        unread=tuple(_counted(unread)),
    )


def _is_whole(instance: Instance) -> bool:
    """Whether a file is a PET image, damaged or not, or another that is not damaged."""
    return not any(finding.code == "FILE_DAMAGED" for finding in instance.findings)


def _sort(instance: Instance, studies: dict[str, FoundStudy]) -> None:
    """Note a file at its study, found by its series where it names no study."""
    modality, series = instance.text(_MODALITY), instance.text(_SERIES)
    uid = instance.text(_STUDY)
    study = studies.get(uid)
    if study is None:
        study = studies[uid] = FoundStudy(uid=uid, patient_id=instance.text(_PATIENT))
    study.series[modality, series] += 1
    if modality == "PT":
        study.pet.append(instance.path)
    elif modality in REGIONS:
        study.regions.setdefault(modality, []).append(instance.path)
    if modality not in NO_IMAGES:
        study.folders.add(os.path.dirname(instance.path))  # noqa: PTH120 - ten times as fast, a call a file


def is_pet_pair(image: Path) -> bool:
    """Whether a file is a NIfTI image whose side-car is that of a PET."""
    beside = sidecar_beside(image)
    if beside is None or not is_nifti(image):
        return False
    name = image.name.lower()
    if any(name.endswith(f"_pet{suffix}") for suffix in SUFFIXES):
        return True
    try:
        sidecar = read_sidecar(beside)
    except PetquantError:
        return False
    return sidecar.text("Modality").text.upper() in {"PT", "PET"} or bool(sidecar.text(*PET_KEYS).text)


def _counted(findings: list[Finding]) -> Iterator[Unread]:
    """Yield what could not be read, one a code."""
    counts = Counter(finding.code for finding in findings)
    for code, n_files in counts.items():
        first = next(finding for finding in findings if finding.code == code)
        yield Unread(code=code, n_files=n_files, first=first.path, found=first.found)
