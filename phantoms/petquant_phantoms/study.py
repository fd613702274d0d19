"""A study is the folder that a phantom becomes: DICOM, regions, truth and the hashes of all of them.

``study`` holds the PET in ``PT``, the CT in ``CT``, and where the definition says so regions in ``SEG`` and
``RTSTRUCT``; ``rois`` the regions in every form, ``truth.json`` what must be measured, ``MANIFEST.sha256``
the hash of every file. The same definition gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from petquant_phantoms.ct_series import ct_datasets
from petquant_phantoms.encoding import write_file
from petquant_phantoms.pet_objects import pet_objects
from petquant_phantoms.pet_series import NAC, projection_dataset, without_attenuation_correction
from petquant_phantoms.region_files import forms_of, write_regions
from petquant_phantoms.regions import groups_of
from petquant_phantoms.truth_record import truth_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydicom.dataset import Dataset

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.regions import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Where a phantom was written, and its truth.

    Attributes
    ----------
    root
        Folder of everything.
    dicom
        Folder to hand to a reader: ``root/study``.
    pet
        Folder of the PET series: ``root/study/PT``.
    lesions, labels
        The lesions, as a label map unless they have no such form, and the JSON of the names of its labels;
        None without.
    backgrounds
        Mask file of each background region, by name.
    truth
        Content of ``truth.json``.
    """

    root: Path
    dicom: Path
    pet: Path
    lesions: Path | None
    labels: Path | None
    backgrounds: dict[str, Path]
    truth: dict[str, Any]

    def expected(self, region: str) -> dict[str, dict[str, Any]]:
        """Return what must be measured in a region: quantity to value, abs_tol and why."""
        for entry in self.truth["regions"]:
            if entry["name"] == region:
                return dict(entry["expected"])
        raise KeyError(f"no region {region!r} in phantom {self.truth['phantom']!r}")

    def moved_to(self, root: Path) -> Study:
        """Return the same study after its folder was moved."""

        def moved(path: Path) -> Path:
            return root / path.relative_to(self.root)

        return Study(
            root=root,
            dicom=moved(self.dicom),
            pet=moved(self.pet),
            lesions=None if self.lesions is None else moved(self.lesions),
            labels=None if self.labels is None else moved(self.labels),
            backgrounds={name: moved(path) for name, path in self.backgrounds.items()},
            truth=self.truth,
        )


def write_study(
    definition: Definition,
    out: Path | str,
    *,
    edit: Callable[[Dataset, int], None] | None = None,
    has_region_files: bool = True,
) -> Study:
    """Write a phantom into a folder.

    Parameters
    ----------
    definition
        The phantom.
    out
        Folder; made when absent. Files of an earlier phantom are overwritten where names agree.
    edit
        Called with every dataset of the PET series and its place before it is written: fault injection. The
        truth keeps describing the definition.
    has_region_files
        Whether the regions are written as well; the truth names their files either way.
    """
    root = Path(out)
    dicom = root / "study"
    pet = dicom / "PT"
    datasets = pet_objects(definition, edit=edit)
    if "mip" in definition.extras:
        datasets.append(projection_dataset(definition))
    write_datasets(datasets, pet, transfer_syntax=definition.transfer_syntax)
    write_datasets(ct_datasets(definition), dicom / "CT", transfer_syntax=definition.transfer_syntax)
    if "nac_series" in definition.extras:
        uncorrected = pet_objects(without_attenuation_correction(definition), kind=NAC, number=2)
        write_datasets(uncorrected, dicom / "PT_NAC", transfer_syntax=definition.transfer_syntax)
    labels = None
    if has_region_files:
        write_regions(definition, root)
        labels = _write_names(definition, root / "rois")
    lesions = _lesions(definition)
    truth = truth_record(definition)
    write_json(root / "truth.json", truth)
    write_manifest(root)
    return Study(
        root=root,
        dicom=dicom,
        pet=pet,
        lesions=None if lesions is None else root / forms_of(definition, lesions)[0],
        labels=labels,
        backgrounds={
            group.name: root / forms_of(definition, group)[0]
            for group in groups_of(definition)
            if group.name != "lesions"
        },
        truth=truth,
    )


def write_datasets(
    datasets: Iterable[Dataset],
    folder: Path | str,
    *,
    names: Sequence[str] | None = None,
    transfer_syntax: str = "explicit",
) -> list[Path]:
    """Write datasets into a folder and return their paths: ``IM0001.dcm`` and on, or the names given."""
    paths = []
    for index, dataset in enumerate(datasets):
        name = f"IM{index + 1:04d}.dcm" if names is None else names[index]
        path = Path(folder) / name
        write_file(dataset, path, transfer_syntax=transfer_syntax)
        paths.append(path)
    return paths


def _write_names(definition: Definition, rois: Path) -> Path | None:
    """Write the names of the labels of a label map; None where the lesions are no label map."""
    lesions = _lesions(definition)
    if lesions is None or lesions.is_contoured or lesions.overlaps or definition.numbered_voxels:
        return None
    path = rois / "labels.json"
    write_json(path, {str(region.label): region.name for region in lesions.regions})
    return path


def _lesions(definition: Definition) -> Group | None:
    return next((group for group in groups_of(definition) if group.name == "lesions"), None)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a table as JSON, the same bytes everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")


def write_manifest(root: Path) -> Path:
    """Write ``MANIFEST.sha256``, one line a file as sha256sum does, in order of the paths."""
    manifest = root / "MANIFEST.sha256"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n"
        for name in files
        if name != manifest.name
    ]
    manifest.write_text("".join(lines), encoding="utf-8", newline="\n")
    return manifest
