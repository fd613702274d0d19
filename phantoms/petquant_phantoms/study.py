"""A study is the folder that a phantom becomes: DICOM, regions, truth and the hashes of all of them.

``study/PT`` holds the series, ``rois`` the regions as NIfTI label maps, ``truth.json`` what must be measured
and ``MANIFEST.sha256`` the hash of every file. The same definition gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from petquant_phantoms.body import region_mask
from petquant_phantoms.encoding import write_file
from petquant_phantoms.pet_objects import pet_objects
from petquant_phantoms.pet_series import NAC, projection_dataset, without_attenuation_correction
from petquant_phantoms.truth import truth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from petquant_phantoms.definition import Definition


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
        Label map of the lesions and the JSON of their names; None without lesions.
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


def write_study(
    definition: Definition, out: Path | str, *, edit: Callable[[Dataset, int], None] | None = None
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
    """
    root = Path(out)
    dicom = root / "study"
    pet = dicom / "PT"
    datasets = pet_objects(definition, edit=edit)
    if "mip" in definition.extras:
        datasets.append(projection_dataset(definition))
    write_datasets(datasets, pet, transfer_syntax=definition.transfer_syntax)
    if "nac_series" in definition.extras:
        uncorrected = pet_objects(without_attenuation_correction(definition), kind=NAC, number=2)
        write_datasets(uncorrected, dicom / "PT_NAC", transfer_syntax=definition.transfer_syntax)
    rois = root / "rois"
    lesions, labels = _write_lesions(definition, rois)
    backgrounds = _write_backgrounds(definition, rois)
    truth = truth_of(definition)
    _write_json(root / "truth.json", truth)
    write_manifest(root)
    return Study(
        root=root,
        dicom=dicom,
        pet=pet,
        lesions=lesions,
        labels=labels,
        backgrounds=backgrounds,
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


def lesion_labels(definition: Definition) -> NDArray[np.uint16]:
    """Return the label map of the lesions [k, j, i], from 1; where two overlap the later one stands."""
    labels = np.zeros(definition.grid.shape, dtype=np.uint16)
    for label, region in enumerate(definition.body.lesions, start=1):
        labels[region_mask(region, definition.grid)] = label
    return labels


def write_label_map(labels: NDArray[Any], path: Path, *, ras_affine: NDArray[np.float64]) -> None:
    """Write integers [k, j, i] as NIfTI [i, j, k], with sform and qform and no clock in the bytes."""
    make_image: Any = nib.nifti1.Nifti1Image
    image = make_image(np.ascontiguousarray(labels.transpose(2, 1, 0)), ras_affine)
    image.set_sform(ras_affine, code=1)
    image.set_qform(ras_affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _write_lesions(definition: Definition, rois: Path) -> tuple[Path | None, Path | None]:
    names = {str(label): region.name for label, region in enumerate(definition.body.lesions, start=1)}
    if not names:
        return None, None
    path, names_path = rois / "lesions.nii.gz", rois / "labels.json"
    write_label_map(lesion_labels(definition), path, ras_affine=definition.grid.ras_affine())
    _write_json(names_path, names)
    return path, names_path


def _write_backgrounds(definition: Definition, rois: Path) -> dict[str, Path]:
    written = {}
    for region in definition.body.backgrounds:
        path = rois / f"{region.name}.nii.gz"
        mask = region_mask(region, definition.grid).astype(np.uint8)
        write_label_map(mask, path, ras_affine=definition.grid.ras_affine())
        written[region.name] = path
    return written


def _write_json(path: Path, content: dict[str, Any]) -> None:
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
