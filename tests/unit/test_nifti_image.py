"""Volumes as NIfTI: what is written is what nibabel and SimpleITK read."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from petquant.grid import Grid
from petquant.nifti import volume_writer


@pytest.fixture
def oblique():
    turn = nib.eulerangles.euler2mat(0.2, 0.1, -0.3)
    affine = np.eye(4)
    affine[:3, :3] = turn[:, [2, 1, 0]] * [3.0, 2.0, 2.5]
    affine[:3, 3] = [-50, 60, 70]
    return Grid(shape=(4, 5, 6), affine=affine)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(4, 5, 6))


def write_volume(path, values, grid):
    with path.open("wb") as file:
        volume_writer(values, grid, is_gzipped=path.suffix == ".gz")(file)


@pytest.mark.parametrize("name", ["suv.nii", "suv.nii.gz"])
def test_image_lies_where_the_grid_lies(tmp_path, oblique, values, name):
    write_volume(tmp_path / name, values, oblique)
    image = nib.load(tmp_path / name)
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, values.astype(np.float32))
    assert (image.header["qform_code"], image.header["sform_code"]) == (1, 1)
    for affine in (image.get_sform(), image.get_qform()):
        # float32 of positions up to 100 mm
        position = np.diag([-1, -1, 1, 1]) @ affine @ [5, 4, 3, 1]
        np.testing.assert_allclose(position[:3], oblique.position_mm([3, 4, 5]), atol=1e-4)


def test_another_reader_agrees(tmp_path, oblique, values):
    sitk = pytest.importorskip("SimpleITK")
    write_volume(tmp_path / "suv.nii.gz", values, oblique)
    image = sitk.ReadImage(str(tmp_path / "suv.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values.astype(np.float32))
    position = image.TransformIndexToPhysicalPoint((5, 4, 3))
    np.testing.assert_allclose(position, oblique.position_mm([3, 4, 5]), atol=1e-4)


def test_same_values_give_the_same_bytes_under_any_name(tmp_path, oblique, values):
    write_volume(tmp_path / "a.nii.gz", values, oblique)
    write_volume(tmp_path / "b.nii.gz", values, oblique)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert (tmp_path / "a.nii.gz").read_bytes()[4:8] == bytes(4)  # the time of gzip
