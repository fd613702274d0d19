"""Label maps and masks are regions as NIfTI: integers, or parts of voxels, on the grid of the PET."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from petquant_phantoms.body import region_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition


def lesion_labels(definition: Definition) -> NDArray[Any]:
    """Return the label map of the lesions [k, j, i], from 1; where two overlap the later one stands.

    Numbered voxels are labels of one voxel each, in C order.
    """
    count = definition.numbered_voxels
    if count:
        labels = np.zeros(definition.grid.shape, dtype=np.uint32)
        labels.flat[:count] = np.arange(1, count + 1)
        return labels
    labels = np.zeros(definition.grid.shape, dtype=np.uint16)
    for label, region in enumerate(definition.body.lesions, start=1):
        labels[region_mask(region, definition.grid)] = label
    return labels


def write_label_map(labels: NDArray[Any], path: Path, *, ras_affine: NDArray[np.float64]) -> None:
    """Write numbers [k, j, i] as NIfTI [i, j, k], with sform and qform and no clock in the bytes."""
    make_image: Any = nib.nifti1.Nifti1Image
    image = make_image(np.ascontiguousarray(labels.transpose(2, 1, 0)), ras_affine)
    image.set_sform(ras_affine, code=1)
    image.set_qform(ras_affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
