"""Region files are the regions of a phantom in every form that they can have, beside the study.

``rois/NAME.nii.gz``, ``rois/NAME.seg.dcm`` and ``rois/NAME.rtstruct.dcm`` hold the same voxels; NAME is
``lesions`` or that of a background. Overlapping lesions are a folder of masks in NIfTI; fractions of voxels
have no contours; contours that come from elsewhere than voxels have no other form. They lie outside the
folder of the study, so that a reader of the study sees no region that it was not given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from petquant_phantoms.encoding import write_file
from petquant_phantoms.label_maps import lesion_labels, write_label_map
from petquant_phantoms.references import ct_of, pet_of
from petquant_phantoms.regions import Group, groups_of, refused_drawings
from petquant_phantoms.rtstruct import ContouredRegion, outlined, rtstruct_dataset
from petquant_phantoms.segmentation import seg_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.squares import Square


def nifti_name(group: Group) -> str:
    """Return the file, or the folder of masks, that a group of regions is in NIfTI."""
    return f"rois/{group.name}" if group.overlaps else f"rois/{group.name}.nii.gz"


def forms_of(definition: Definition, group: Group) -> tuple[str, ...]:
    """Return the files of a group of regions, each a whole form of it, as paths below the phantom."""
    seg, rtstruct = f"rois/{group.name}.seg.dcm", f"rois/{group.name}.rtstruct.dcm"
    if group.is_contoured:
        return (rtstruct,)
    if definition.numbered_voxels and group.name == "lesions":
        return (nifti_name(group),)
    if group.is_weighted:
        return (nifti_name(group), seg)
    return (nifti_name(group), seg, rtstruct)


def refused_name(square: Square) -> str:
    """Return the file of contours that enclose no area."""
    return f"rois/{square.name}.rtstruct.dcm"


def write_regions(definition: Definition, root: Path) -> None:
    """Write every form of every region below the folder of the phantom, and into the study what it names."""
    for number, group in enumerate(groups_of(definition), start=1):
        forms = forms_of(definition, group)
        if not group.is_contoured:
            _write_nifti(definition, group, root)
        for form in forms:
            if form.endswith(".seg.dcm"):
                seg = seg_dataset(definition, group.regions, name=group.name, number=number)
                write_file(seg, root / form)
                if "seg" in definition.extras:
                    write_file(seg, root / "study" / "SEG" / f"{group.name}.dcm")
            elif form.endswith(".rtstruct.dcm"):
                drawn = contoured(definition, group)
                rtstruct = rtstruct_dataset(definition, drawn, name=group.name, number=number)
                write_file(rtstruct, root / form)
                if "rtstruct" in definition.extras:
                    write_file(rtstruct, root / "study" / "RTSTRUCT" / f"{group.name}.dcm")
    for number, square in enumerate(refused_drawings(definition), start=len(groups_of(definition)) + 1):
        drawn = [square.contoured(pet_of(definition), None)]
        rtstruct = rtstruct_dataset(definition, drawn, name=square.name, number=number)
        write_file(rtstruct, root / refused_name(square))


def contoured(definition: Definition, group: Group) -> list[ContouredRegion]:
    """Return the contours of a group: as they were drawn, or the outlines of the voxels."""
    pet = pet_of(definition)
    ct = None if definition.ct is None else ct_of(definition)
    return [
        outlined(region, pet) if region.square is None else region.square.contoured(pet, ct)
        for region in group.regions
    ]


def _write_nifti(definition: Definition, group: Group, root: Path) -> None:
    affine = definition.grid.ras_affine()
    path = root / nifti_name(group)
    if group.overlaps:
        for region in group.regions:
            mask = region.mask.astype(np.uint8)
            write_label_map(mask, path / f"{region.name}.nii.gz", ras_affine=affine)
        return
    if group.is_weighted:
        (region,) = group.regions
        labels = region.weights
    elif group.name == "lesions" and definition.numbered_voxels:
        labels = lesion_labels(definition)
    else:
        is_lesions = group.name == "lesions"
        labels = np.zeros(definition.grid.shape, dtype=np.uint16 if is_lesions else np.uint8)
        for region in group.regions:
            labels[region.mask] = region.label
    write_label_map(labels, path, ras_affine=affine)
