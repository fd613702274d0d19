"""To convert is to write the SUV volume of a study as NIfTI, with a side-car that says how it came about."""

from __future__ import annotations

import os
from pathlib import Path

from petquant.dicom.archive import unpacked
from petquant.errors import Refused, UsageError
from petquant.export.record import as_json
from petquant.export.sidecar import sidecar_record
from petquant.flags import refusals_of
from petquant.nifti import volume_writer
from petquant.output import write_all
from petquant.quantify import scaled, study_refusals
from petquant.study import Choices, open_study
from petquant.suv.plausibility import extreme_findings, slice_findings

__all__ = ["convert", "sidecar_path_of"]


def convert(study: str | os.PathLike[str], out: str | os.PathLike[str], choices: Choices) -> Path:
    """Write the SUV volume and its side-car, both or none, and return the path of the side-car.

    Parameters
    ----------
    study
        Folder or file of the study.
    out
        ``.nii`` or ``.nii.gz``; float32, (i, j, k) in RAS. An uneven grid is written with its median step,
        and the true positions stand in the side-car.
    choices
        The first of its SUV types is written.

    Raises
    ------
    PetquantError
        With every cause at once, when the SUV would not be safe.
    """
    with unpacked(study) as folder:
        return _convert(folder, Path(out), choices)


def sidecar_path_of(volume_path: Path) -> Path:
    """Return where the side-car of a volume is written: the same stem, ``.json``."""
    return volume_path.with_name(f"{volume_path.name.removesuffix('.gz').removesuffix('.nii')}.json")


def _require_apart(outputs: tuple[Path, ...], inputs: tuple[str, ...]) -> None:
    """Raise when a file that is read would be overwritten: the side-car of a NIfTI image, as a rule."""
    read = {os.path.realpath(path) for path in inputs}
    for path in outputs:
        if os.path.realpath(path) in read:
            raise UsageError.of(
                "OPTION_INVALID",
                f"{path} would overwrite what is read",
                expected="a place of its own",
                remedy="choose another name",
                where="--out",
            )


def _convert(study: str, volume_path: Path, choices: Choices) -> Path:
    """Write the volume and its side-car of a folder or file."""
    opened = open_study(study, choices)
    refused = study_refusals(opened, choices)
    scale = opened.conversion.scale(choices.suv_types[0])
    if refused or scale is None:
        raise Refused.because(*refused)
    suv = scaled(opened.volume(), scale)
    opened.verify_unchanged()
    found = (*extreme_findings(suv, allow_extreme=choices.allow_extreme), *slice_findings(suv))
    implausible = refusals_of(found, is_strict=choices.is_strict)
    if implausible:
        raise Refused.because(*implausible)
    sidecar_path = sidecar_path_of(volume_path)
    _require_apart((volume_path, sidecar_path), opened.source.paths)
    write_all(
        {
            volume_path: volume_writer(suv.values(), opened.grid, is_gzipped=volume_path.suffix == ".gz"),
            sidecar_path: as_json(sidecar_record(opened, scale.name)),
        }
    )
    return sidecar_path
