"""Files of regions: what they hold lands on the PET grid, or the error says what differs."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from petquant.errors import Refused, UnreadableInput, UsageError
from petquant.files import load_rois, read_names
from petquant.roi import Role

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def grid(make_grid):
    return make_grid((3, 4, 5), (3.0, 2.0, 2.5), origin_mm=(-10.0, 20.0, -300.0))


@pytest.fixture
def values():
    """[k, j, i]: label 1 of three voxels, label 4 of one."""
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1, 1:4] = 1
    labels[2, 3, 0] = 4
    return labels


@pytest.fixture
def save(tmp_path, grid):
    def write(values, *, orientation="LPS", shift_mm=(0, 0, 0)):
        affine = LPS_TO_RAS @ grid.affine[:, [2, 1, 0, 3]]
        affine[:3, 3] += shift_mm
        image = nib.Nifti1Image(values.T, affine)
        there = nib.orientations.axcodes2ornt(tuple(orientation))
        image = image.as_reoriented(
            nib.orientations.ornt_transform(nib.orientations.io_orientation(affine), there)
        )
        path = tmp_path / "labels.nii.gz"
        nib.save(image, path)
        return path

    return write


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "SRP", "IAL", "PSR"])
def test_axes_of_the_file_do_not_matter(save, values, grid, orientation):
    found = load_rois(save(values, orientation=orientation), onto=grid)
    assert found.grid is grid
    for roi, label in zip(found.rois, (1, 4), strict=True):
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(values == label))
        assert roi.flags == ()


def test_grid_that_is_nearly_the_same_is_flagged(save, values, grid):
    found = load_rois(save(values, shift_mm=(0.1, 0, 0)), onto=grid)
    assert all(roi.flags == ("ROI_GRID_SNAPPED",) for roi in found.rois)


def test_other_grid_gives_weights_and_says_what_differs(save, values, grid):
    # a quarter of a voxel along i: three voxels in a row cover 3/4, 1, 1 and 1/4
    values[2, 3, 0] = 0
    found = load_rois(save(values, shift_mm=(-0.625, 0, 0)), onto=grid)
    (roi,) = found.rois
    assert roi.voxels.tolist() == [20 + 5 + i for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(roi.weights, [0.75, 1, 1, 0.25], rtol=1e-6)  # float32 in the NIfTI header
    assert roi.flags == ("ROI_ON_OTHER_GRID",)
    assert "0.625 mm apart" in found.findings[0].found


def test_file_of_part_of_the_grid_holds_the_same_voxels(save, values, grid):
    for roi, label in zip(load_rois(save(values[:, :, :4]), onto=grid).rois, (1, 4), strict=True):
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(values == label))
        assert roi.weights is None
        assert roi.flags == ("ROI_ON_OTHER_GRID",)


def test_region_outside_the_image_is_refused(save, values, grid):
    with pytest.raises(Refused, match=r"ROI_OUTSIDE_FOV"):
        load_rois(save(values, shift_mm=(500, 0, 0)), onto=grid)


def test_empty_map_is_an_error_unless_allowed(save, values, grid):
    path = save(np.zeros_like(values))
    with pytest.raises(Refused, match=r"ROI_EMPTY"):
        load_rois(path, onto=grid)
    assert load_rois(path, onto=grid, allow_empty=True).rois == ()


def test_one_label_may_be_chosen(save, values, grid):
    (roi,) = load_rois(save(values), onto=grid, label=4, role=Role.BACKGROUND).rois
    assert (roi.roi_id, roi.role, len(roi.voxels)) == ("4", Role.BACKGROUND, 1)
    with pytest.raises(Refused, match=r"ROI_LABEL_MISSING: .*label 3 does not occur; expected one of 1, 4"):
        load_rois(save(values), onto=grid, label=3)


@pytest.mark.parametrize(
    "text",
    ['{"1": "apex", "4": "liver"}', "label,name\n1,apex\n4,liver\n", "\ufeffName, Label\napex, 1\nliver, 4"],
)
def test_names_come_from_json_or_csv(save, values, grid, tmp_path, text):
    (tmp_path / "names").write_text(text, encoding="utf-8")
    found = load_rois(save(values), onto=grid, names_path=tmp_path / "names")
    assert [roi.name for roi in found.rois] == ["apex", "liver"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b'{"one": "x"}',
        b'{"1": 2}',
        b"name\nx",
        b"label,name\n1",
        b"label,name\n1,a\n1,b",
        b"\xff",
    ],
)
def test_names_that_cannot_be_read_are_refused(tmp_path, content):
    (tmp_path / "names.csv").write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"SIDECAR_INVALID"):
        read_names(tmp_path / "names.csv")


def test_missing_names_file_is_a_matter_of_usage(tmp_path):
    with pytest.raises(UsageError, match=r"PATH_NOT_FOUND"):
        read_names(tmp_path / "none.json")
