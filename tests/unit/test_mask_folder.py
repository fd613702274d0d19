"""A folder of masks: one region a file, whatever their grids; and images of fractions and of frames."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from petquant.errors import Refused, UnreadableInput
from petquant.files import load_rois
from petquant.nifti import read_label_map
from petquant.roi import OtherGrid, Reading, Role, VoxelValues

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def grid(make_grid):
    return make_grid((4, 6, 8), (2.0, 2.0, 2.0), origin_mm=(-8.0, 4.0, 100.0))


@pytest.fixture
def save(tmp_path, grid):
    """Write [k, j, i] values, or [frame, k, j, i], on the PET grid or with other spacings and origin."""

    def write(name, values, *, scale=1.0, origin_mm=None):
        affine = LPS_TO_RAS @ grid.affine[:, [2, 1, 0, 3]]
        affine[:3, :3] *= scale
        if origin_mm is not None:
            affine[:3, 3] = LPS_TO_RAS[:3, :3] @ origin_mm
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values.T, affine), path)
        return path

    return write


@pytest.fixture
def masks():
    liver, spleen = np.zeros((2, 4, 6, 8), np.uint8)
    liver[1:3, 2:4, 2:5] = 1
    spleen[2, 3, 4:6] = 1
    return {"liver": liver, "spleen": spleen}


@pytest.fixture
def folder(save, masks):
    for name, mask in masks.items():
        path = save(f"masks/{name}.nii.gz", mask)
    return path.parent


def test_a_mask_is_a_region_with_the_name_of_its_file(folder, grid, masks):
    found = load_rois(folder, onto=grid)
    assert [(roi.roi_id, roi.name) for roi in found.rois] == [("liver", "liver"), ("spleen", "spleen")]
    for roi, mask in zip(found.rois, masks.values(), strict=True):
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(mask))  # they share a voxel, and keep it
    assert found.findings == ()


def test_grids_of_masks_may_differ(folder, save, grid):
    # 1 mm voxels: 8 of them fill PET voxel [1, 1, 1], whose centre lies at -6, 6, 102
    fine = np.zeros((2, 2, 2), np.uint8) + 1
    save("masks/node.nii.gz", fine, scale=0.5, origin_mm=(-6.5, 5.5, 101.5))
    found = load_rois(folder, onto=grid)
    node = next(roi for roi in found.rois if roi.name == "node")
    assert node.voxels.tolist() == [np.ravel_multi_index((1, 1, 1), grid.shape)]
    assert node.weights is None  # wholly inside
    flags = {roi.name: roi.flags for roi in found.rois}
    assert flags == {"liver": (), "spleen": (), "node": ("ROI_ON_OTHER_GRID",)}


def test_nearest_is_for_comparison(save, grid):
    fine = np.ones((2, 2, 3), np.uint8)
    path = save("fine.nii", fine, scale=0.5, origin_mm=(-6.5, 5.5, 101.5))
    (exact,) = load_rois(path, onto=grid).rois
    np.testing.assert_allclose(exact.weights, [1.0, 0.5])
    (nearest,) = load_rois(path, onto=grid, reading=Reading(other_grid=OtherGrid.NEAREST)).rois
    assert "ROI_NEAREST" in nearest.flags
    assert nearest.voxels.tolist()[0] == exact.voxels.tolist()[0]


def test_empty_masks_are_left_out_and_said(folder, save, masks, grid):
    save("masks/kidney.nii.gz", np.zeros_like(masks["liver"]))
    found = load_rois(folder, onto=grid)
    assert [roi.name for roi in found.rois] == ["liver", "spleen"]
    assert [(f.code, f.found) for f in found.findings] == [
        ("ROI_EMPTY_SKIPPED", "1 of 3 regions hold no voxel")
    ]


def test_folder_of_empty_masks_is_an_error_unless_allowed(save, masks, grid):
    path = save("masks/kidney.nii.gz", np.zeros_like(masks["liver"])).parent
    with pytest.raises(Refused, match=r"ROI_EMPTY"):
        load_rois(path, onto=grid)
    assert load_rois(path, onto=grid, allow_empty=True).rois == ()


def test_labels_of_one_file_keep_their_numbers(save, masks, grid):
    both = masks["liver"] + 2 * masks["spleen"]
    path = save("masks/organs.nii.gz", both).parent
    assert [roi.roi_id for roi in load_rois(path, onto=grid).rois] == ["organs:1", "organs:2", "organs:3"]


def test_other_files_are_counted(folder, grid):
    (folder / "statistics.json").write_text("{}")
    found = load_rois(folder, onto=grid)
    assert [(f.code, f.found) for f in found.findings] == [("STRAY_FILES", "1 files that hold no regions")]


def test_folder_without_regions_is_unreadable(tmp_path, grid):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UnreadableInput, match=r"FORMAT_UNSUPPORTED: .*among 1 files"):
        load_rois(tmp_path, onto=grid)


def test_one_mask_of_a_folder_may_be_chosen(folder, grid):
    (roi,) = load_rois(folder, onto=grid, label="spleen", role=Role.BACKGROUND).rois
    assert (roi.name, roi.role) == ("spleen", Role.BACKGROUND)
    with pytest.raises(Refused, match=r"ROI_LABEL_MISSING: .*liver, spleen"):
        load_rois(folder, onto=grid, label="kidney")


def test_regions_of_a_file_are_united_where_they_were_drawn(save, grid):
    # two labels that halve a PET voxel fill it together: 1/2 and 1/2, not the larger of both
    halves = np.ones((2, 2, 2), np.uint8)
    halves[..., 1] = 2
    path = save("halves.nii", halves, scale=0.5, origin_mm=(-6.5, 5.5, 101.5))
    assert [roi.weights.tolist() for roi in load_rois(path, onto=grid).rois] == [[0.5], [0.5]]
    (roi,) = load_rois(path, onto=grid, is_united=True).rois
    assert len(roi.voxels) == 1
    assert roi.weights is None


@pytest.fixture
def fractions(save):
    values = np.zeros((4, 6, 8), np.float32)
    values[2, 3, 2:6] = [0.25, 0.5, 0.75, 1.0]
    return save("fractions.nii.gz", values)


def test_fractions_are_not_guessed(fractions, grid):
    with pytest.raises(Refused, match=r"ROI_LABELS_FRACTIONAL: .*3 voxels.*--roi-values"):
        load_rois(fractions, onto=grid)


def test_occupancy_becomes_weights(fractions, grid):
    (roi,) = load_rois(fractions, onto=grid, reading=Reading(values=VoxelValues.OCCUPANCY)).rois
    assert roi.weights.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert roi.source == "occupancy map"


@pytest.mark.parametrize(("threshold", "count"), [(0.5, 3), (0.25, 4), (1.0, 1)])
def test_probability_is_cut_at_the_threshold(fractions, grid, threshold, count):
    reading = Reading(values=VoxelValues.PROBABILITY, probability_threshold=threshold)
    (roi,) = load_rois(fractions, onto=grid, reading=reading).rois
    assert len(roi.voxels) == count
    assert roi.weights is None
    assert roi.source == f"probability >= {threshold:g}"


def test_whole_labels_are_labels_whatever_fractions_mean(folder, grid, masks):
    found = load_rois(folder / "liver.nii.gz", onto=grid, reading=Reading(values=VoxelValues.OCCUPANCY))
    assert found.rois[0].weights is None
    np.testing.assert_array_equal(found.rois[0].voxels, np.flatnonzero(masks["liver"]))


def test_fractions_above_one_have_no_meaning(save, grid):
    values = np.zeros((4, 6, 8), np.float32)
    values[2, 3, 2:4] = [0.5, 2.0]
    path = save("mixed.nii.gz", values)
    with pytest.raises(Refused, match=r"ROI_LABELS_FRACTIONAL: .*1 voxels hold more than 1"):
        load_rois(path, onto=grid, reading=Reading(values=VoxelValues.OCCUPANCY))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_one_frame_of_several_is_read_on_request(save, grid, masks, suffix, dtype):
    both = np.stack([masks["liver"], masks["spleen"], masks["liver"] + masks["spleen"]]).astype(dtype)
    path = save(f"frames{suffix}", both)
    with pytest.raises(Refused, match=r"ROI_NOT_3D: .*3 frames.*--roi-frame N, from 1 to 3"):
        load_rois(path, onto=grid)
    for frame, values in enumerate(both, start=1):
        rois = load_rois(path, onto=grid, reading=Reading(frame=frame)).rois
        for roi, label in zip(rois, np.unique(values)[1:], strict=True):
            np.testing.assert_array_equal(roi.voxels, np.flatnonzero(values == label))
    with pytest.raises(Refused, match=r"ROI_NOT_3D: .*frame 4 was asked for"):
        read_label_map(path, reading=Reading(frame=4))
