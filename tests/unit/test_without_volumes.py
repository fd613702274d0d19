from __future__ import annotations

import nibabel as nib
import numpy as np
import pydicom
from petquant_phantoms import TINY, write_study

from petquant.quantify import Background, quantify


def test_a_slice_of_unknown_thickness_has_maxima_and_no_volumes(tmp_path):
    def without_thickness(dataset, index):
        del dataset.SliceThickness

    study = write_study(TINY, tmp_path, edit=without_thickness)
    kept = sorted(study.pet.iterdir())[4]
    labels = _slice_of(study.lesions, kept, tmp_path)
    name, path = next(iter(study.backgrounds.items()))
    background = Background(name=name, path=str(_slice_of(path, kept, tmp_path)))
    found = quantify(kept, [labels], backgrounds=[background])
    row = found.measurements[0].values
    assert row["suv_max"] > 0
    assert row[f"tbr_max_{name}"] > 0
    for column in ("mtv_ml", "tlg_g", "suv_peak", "mtv41_ml", f"tbr_peak_{name}"):
        assert row[column] is None
    assert found.summary["tmtv_ml"] is None
    assert found.summary["ttlg_g"] is None
    assert found.references[0].values["volume_ml"] is None
    assert found.activity_balance is None


def _slice_of(path, file, folder):
    """Write the plane of a label map that one DICOM file lies in."""
    image = nib.load(path)
    z = float(pydicom.dcmread(file).ImagePositionPatient[2])
    k = round((z - image.affine[2, 3]) / image.affine[2, 2])
    affine = image.affine.copy()
    affine[:3, 3] += k * affine[:3, 2]
    affine[:3, 2] /= np.linalg.norm(affine[:3, 2])  # a lone slice without thickness stands for 1 mm
    out = folder / f"slice_{path.name}"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:, :, k : k + 1], affine), out)
    return out
