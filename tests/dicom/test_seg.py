"""Segments come out of a DICOM SEG voxel by voxel, wherever their frames stand in the file."""

from __future__ import annotations

import numpy as np
import pytest
from petquant_phantoms import TINY, pet_datasets
from pydicom.sequence import Sequence as Items
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from petquant.dicom.belonging import PetFacts
from petquant.dicom.limits import Limits
from petquant.dicom.seg import read_seg
from petquant.dicom.series import Series
from petquant.dicom.stack import stack
from petquant.errors import LimitReached, Refused, UnreadableInput
from petquant.roi import Reading
from petquant.study import Choices, open_study


@pytest.fixture
def slices():
    """Eight slices of 16 x 16 voxels of 4 mm, ascending."""
    return sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))


@pytest.fixture
def pet(series_from, slices):
    series: Series = series_from(slices)
    found = stack(series)
    return found.grid, PetFacts.of(series, found)


@pytest.fixture
def read(pet, save_seg):
    grid, facts = pet

    def run(seg, *, reading=None, **how):
        return read_seg(save_seg(seg), onto=grid, pet=facts, reading=reading, **how)

    return run


@pytest.fixture
def masks():
    """Two segments that overlap in one voxel; the second leaves a slice out."""
    one, two = np.zeros((2, 8, 16, 16), bool)
    one[2:5, 3:6, 4:9] = True
    two[[3, 6], 5, 8:11] = True
    return {1: one, 2: two}


def assert_voxels(found, masks):
    assert [roi.roi_id for roi in found.rois] == [str(number) for number in masks]
    for roi, mask in zip(found.rois, masks.values(), strict=True):
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(mask))
        assert roi.weights is None


def test_segments_lie_on_the_pet_and_overlap(read, make_seg, slices, masks, pet):
    found = read(make_seg(slices, masks, labels={1: "node"}))
    assert found.grid is pet[0]
    assert found.findings == ()
    assert [roi.name for roi in found.rois] == ["node", "lesion 2"]
    assert [roi.flags for roi in found.rois] == [(), ()]
    assert_voxels(found, masks)


@pytest.mark.parametrize(
    "how",
    [
        {"order": lambda keys: keys[::-1]},
        {"order": lambda keys: sorted(keys, key=lambda key: key[1])},
        {"order": lambda keys: keys[::-1], "has_references": False},
    ],
)
def test_the_order_of_frames_means_nothing(read, make_seg, slices, masks, how):
    assert_voxels(read(make_seg(slices, masks, **how)), masks)


def test_frames_without_a_place_stand_where_their_image_does(read, make_seg, slices, masks):
    assert_voxels(read(make_seg(slices, masks, has_places=False)), masks)


def test_frames_with_neither_place_nor_reference_are_refused(read, make_seg, slices, masks):
    with pytest.raises(Refused, match=r"ROI_FRAMES_UNPLACED: .*frame 1"):
        read(make_seg(slices, masks, has_places=False, has_references=False))


def test_bits_of_frames_that_fill_no_whole_byte_follow_each_other(
    read, make_seg, slices, series_from, save_seg
):
    # 5 x 7 = 35 bits a frame: the second begins in the middle of the fifth byte
    for ds in slices:
        ds.Rows, ds.Columns = 5, 7
        ds.PixelData = bytes(2 * 35)
    mask = np.random.default_rng(3).random((8, 5, 7)) < 0.5
    series = series_from(slices)
    found = stack(series)
    got = read_seg(save_seg(make_seg(slices, {4: mask})), onto=found.grid, pet=PetFacts.of(series, found))
    assert_voxels(got, {4: mask})


def test_occupancy_becomes_weights(read, make_seg, slices):
    stored = np.zeros((8, 16, 16), np.uint8)
    stored[4, 2, 3:7] = [1, 64, 128, 255]
    (roi,) = read(make_seg(slices, {1: stored}, kind="FRACTIONAL", fractional="OCCUPANCY", largest=255)).rois
    np.testing.assert_array_equal(roi.voxels, np.flatnonzero(stored))
    np.testing.assert_array_equal(roi.weights, np.array([1, 64, 128, 255]) / 255)


def test_probability_is_cut_at_the_threshold(read, make_seg, slices):
    stored = np.zeros((8, 16, 16), np.uint8)
    stored[4, 2, 3:7] = [20, 49, 50, 100]
    seg = make_seg(slices, {1: stored}, kind="FRACTIONAL", fractional="PROBABILITY", largest=100)
    (half,) = read(seg).rois
    np.testing.assert_array_equal(half.voxels, np.flatnonzero(stored >= 50))
    assert half.weights is None
    assert half.source == "DICOM SEG, probability >= 0.5"
    (fifth,) = read(seg, reading=Reading(probability_threshold=0.2)).rois
    np.testing.assert_array_equal(fifth.voxels, np.flatnonzero(stored >= 20))


def test_fraction_above_its_maximum_is_unreadable(read, make_seg, slices):
    stored = np.full((8, 16, 16), 101, np.uint8)
    with pytest.raises(UnreadableInput, match=r"FILE_NOT_UNDERSTOOD: .*fraction of 101"):
        read(make_seg(slices, {1: stored}, kind="FRACTIONAL", fractional="OCCUPANCY", largest=100))


@pytest.fixture
def label_map():
    labels = np.zeros((8, 16, 16), np.uint8)
    labels[1, 2, 3:5] = 1
    labels[2, 2, 3:5] = 7
    return labels


def test_a_label_map_holds_one_region_a_value(read, make_seg, slices, label_map):
    found = read(make_seg(slices, {0: label_map}, kind="LABELMAP"))
    assert_voxels(found, {1: label_map == 1, 7: label_map == 7})


def test_background_of_a_label_map_is_its_padding_value(read, make_seg, slices, label_map):
    seg = make_seg(slices, {0: label_map}, kind="LABELMAP", keeps_empty_frames=True)
    seg.PixelPaddingValue = 7
    assert [roi.roi_id for roi in read(seg).rois] == ["1", "0"]


def test_run_length_encoded_fractions_are_read(read, make_seg, slices, label_map):
    seg = make_seg(slices, {0: label_map}, kind="LABELMAP")
    seg.compress(RLELossless)
    assert_voxels(read(seg), {1: label_map == 1, 7: label_map == 7})


def test_deflated_segments_are_read(read, make_seg, slices, masks):
    seg = make_seg(slices, masks)
    seg.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert_voxels(read(seg), masks)


def test_segment_without_frames_is_there_and_empty(read, make_seg, slices, masks):
    found = read(make_seg(slices, {**masks, 3: np.zeros((8, 16, 16), bool)}))
    assert [len(roi.voxels) for roi in found.rois] == [45, 6, 0]


def test_references_to_other_images_are_flagged_and_no_more(read, make_seg, slices, masks):
    seg = make_seg(slices, masks)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        image.ReferencedSOPInstanceUID += ".1"
    found = read(seg)
    assert_voxels(found, masks)
    assert [finding.code for finding in found.findings] == ["ROI_REFERENCES_MISSING"]
    assert "4 of 4 images" in found.findings[0].found  # slices 2, 3, 4 and 6
    assert {roi.flags for roi in found.rois} == {("ROI_REFERENCES_MISSING",)}


def test_other_frame_of_reference_is_refused_unless_ignored(read, make_seg, slices, masks):
    seg = make_seg(slices, masks)
    seg.FrameOfReferenceUID = "1.2.3"
    with pytest.raises(Refused, match=r"FRAME_OF_REFERENCE_DIFFERS: .*1\.2\.3.*--ignore-frame-of-reference"):
        read(seg)
    found = read(seg, reading=Reading(ignore_frame_of_reference=True))
    assert_voxels(found, masks)
    assert {roi.flags for roi in found.rois} == {("FRAME_OF_REFERENCE_IGNORED",)}


def test_other_patient_is_refused_unless_ignored_and_never_named(read, make_seg, slices, masks):
    seg = make_seg(slices, masks)
    seg.PatientID = "SECRET"
    with pytest.raises(Refused, match=r"PATIENT_ID_DIFFERS") as refused:
        read(seg)
    assert "SECRET" not in str(refused.value)
    assert str(slices[0].PatientID) not in str(refused.value)
    found = read(seg, reading=Reading(ignore_patient_id=True))
    assert {roi.flags for roi in found.rois} == {("PATIENT_ID_IGNORED",)}
    seg.FrameOfReferenceUID = "1.2.3"
    with pytest.raises(Refused) as both:
        read(seg)
    assert [f.code for f in both.value.findings] == ["FRAME_OF_REFERENCE_DIFFERS", "PATIENT_ID_DIFFERS"]


def test_rounded_positions_are_snapped_and_flagged(read, make_seg, slices, masks):
    # 0.1 mm is a fortieth of the 4 mm voxel: more than a hundredth, less than a tenth
    found = read(make_seg(slices, masks, offset_mm=(0, 0, 0.1)))
    assert_voxels(found, masks)
    assert {roi.flags for roi in found.rois} == {("ROI_GRID_SNAPPED",)}
    assert "0.1 mm" in found.findings[0].found


def test_frames_drift_along_the_slices_as_far_as_their_images_hold_them(read, make_seg, slices, masks, pet):
    # 1 mm is a quarter of a slice
    held = read(make_seg(slices, masks, offset_mm=(0, 0, 1)))
    assert_voxels(held, masks)
    loose = read(make_seg(slices, masks, offset_mm=(0, 0, 1), has_references=False))
    assert loose.grid is not pet[0]


def test_a_frame_that_refers_to_one_slice_and_lies_on_another_is_refused(read, make_seg, slices, masks):
    with pytest.raises(Refused, match=r"ROI_FRAMES_UNPLACED: .*refers to slice 3 and lies on slice 4"):
        read(make_seg(slices, masks, offset_mm=(0, 0, 4)))


def test_frames_off_the_pet_form_a_grid_of_their_own(read, make_seg, slices, masks):
    found = read(make_seg(slices, masks, offset_mm=(1, 0, 0)))
    # from slice 2, the first that holds a frame, to slice 6; slice 5 is empty
    assert found.grid.shape == (5, 16, 16)
    first = [float(x) for x in slices[2].ImagePositionPatient]
    np.testing.assert_allclose(found.grid.origin_mm, [first[0] + 1, first[1], first[2]])
    np.testing.assert_allclose(found.grid.spacing_mm, [4, 4, 4])
    assert_voxels(found, {number: mask[2:7] for number, mask in masks.items()})


def test_frames_that_form_no_stack_are_refused(read, make_seg, slices, masks):
    seg = make_seg(slices, masks, offset_mm=(1, 0, 0))
    seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[2] += 1.3
    with pytest.raises(Refused, match=r"ROI_FRAMES_UNPLACED"):
        read(seg)


@pytest.mark.parametrize(("ks", "n_slices"), [((2, 6), 5), ((1, 2, 3, 6), 6), ((4,), 1)])
def test_absent_frames_of_a_grid_of_their_own_are_empty(read, make_seg, slices, ks, n_slices):
    mask = np.zeros((8, 16, 16), bool)
    mask[list(ks), 5, 5] = True
    grid = read(make_seg(slices, {1: mask}, offset_mm=(1, 0, 0))).grid
    assert grid.shape == (n_slices, 16, 16)
    assert grid.spacing_mm[0] == pytest.approx(4)  # never the distance of two lone frames


def test_two_frames_of_one_segment_on_one_slice_are_refused(read, make_seg, slices, masks):
    seg = make_seg(slices, masks)
    seg.PerFrameFunctionalGroupsSequence[1] = seg.PerFrameFunctionalGroupsSequence[0]
    with pytest.raises(Refused, match=r"ROI_FRAMES_UNPLACED: .*two frames"):
        read(seg)


def test_frames_far_apart_do_not_take_memory(read, make_seg, slices, masks):
    seg = make_seg(slices, masks, offset_mm=(1, 0, 0))
    seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[2] = 1e9
    with pytest.raises(LimitReached, match=r"SIZE_LIMIT"):
        read(seg)


def test_more_voxels_than_any_honest_file_are_a_limit(read, make_seg, slices, masks):
    with pytest.raises(LimitReached, match=r"SIZE_LIMIT: .*5 frames of 16 x 16"):
        read(make_seg(slices, masks), limits=Limits(volume_voxels=1000))


def _without_groups(seg):
    seg.PerFrameFunctionalGroupsSequence = Items([])


def _cut(seg):
    seg.PixelData = seg.PixelData[:-16]


def _surface(seg):
    seg.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.5"


def _untyped(seg):
    seg.SegmentationType = "VAGUE"


@pytest.mark.parametrize(
    "case",
    [
        (_without_groups, "FILE_NOT_UNDERSTOOD"),
        (_cut, "FILE_TRUNCATED"),
        (_surface, "FORMAT_UNSUPPORTED"),
        (_untyped, "FILE_NOT_UNDERSTOOD"),
        (lambda seg: delattr(seg, "Rows"), "FILE_NOT_UNDERSTOOD"),
        (lambda seg: setattr(seg, "BitsAllocated", 32), "PIXELS_UNSUPPORTED"),
    ],
)
def test_what_cannot_be_read_for_certain_is_an_error(read, make_seg, slices, masks, case):
    break_it, code = case
    seg = make_seg(slices, masks)
    break_it(seg)
    with pytest.raises(UnreadableInput, match=code):
        read(seg)


def test_the_eleven_lesions_of_a_real_seg_have_their_voxels(real_data):
    # reference_dev_qin0139.csv, computed independently; plane positions are up to 0.045 mm off
    folder = real_data / "qin0139_siemens_seg"
    study = open_study(folder / "image", Choices())
    found = read_seg(folder / "mask" / "mask.dcm", onto=study.grid, pet=study.facts)
    assert found.grid is study.grid
    assert [len(roi.voxels) for roi in found.rois] == [
        1697, 113, 457, 4230, 211, 375, 922, 950, 222, 43, 62
    ]  # fmt: skip
    assert [finding.code for finding in found.findings] == ["ROI_GRID_SNAPPED"]
    assert "0.0452 mm" in found.findings[0].found
