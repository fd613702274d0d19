"""A SEG that is written comes back voxel by voxel, in petquant and in programs that know nothing of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from petquant_phantoms import TINY, catalogue, pet_datasets, write_study

from petquant.dicom.limits import Limits
from petquant.dicom.seg import read_seg
from petquant.dicom.seg_writing import seg_bytes
from petquant.errors import LimitReached, Refused, UnreadableInput
from petquant.files import load_rois
from petquant.roi import Roi
from petquant.study import Choices, open_study

METHOD = "threshold 41% of max, 26-connected"

needs_dicom3tools = pytest.mark.skipif(
    shutil.which("dciodvfy") is None or shutil.which("dcentvfy") is None,
    reason="dciodvfy and dcentvfy (dicom3tools) are not installed",
)
SEGIMAGE = shutil.which("segimage2itkimage")
needs_dcmqi = pytest.mark.skipif(SEGIMAGE is None, reason="segimage2itkimage (dcmqi) is not installed")

# of tiny: slices 4 mm apart but for a bed join of 3.9 mm
UNEVEN = replace(TINY, grid=replace(TINY.grid, slice_offsets_mm=(0, 4, 8, 12, 15.9, 19.9, 23.9, 27.9)))
SERIES = {
    "oblique": catalogue.load("oblique"),
    "anisotropic": catalogue.load("anisotropic"),
    "feet first": catalogue.load("feet_first_supine"),
    "non-square": catalogue.load("non_square"),
    "uneven": UNEVEN,
    "enhanced": replace(TINY, object="enhanced", instance_order="shuffled"),
    "legacy converted": replace(TINY, object="legacy_converted"),
}


@pytest.fixture(scope="module", params=SERIES)
def study(request, tmp_path_factory):
    """A phantom series: the folder of its files and the study that petquant opens."""
    written = write_study(SERIES[request.param], tmp_path_factory.mktemp("series"))
    return written.pet, open_study(written.dicom, Choices())


@pytest.fixture
def tiny(tmp_path):
    return open_study(write_study(TINY, tmp_path / "tiny").dicom, Choices())


def regions(grid, *, has_weights=False):
    """Three boxes with random holes, the second over the first, and a lone voxel in the last corner."""
    random = np.random.default_rng(5)
    found = []
    for start in ((1, 2, 3), (2, 4, 5), (4, 6, 9)):
        inside = np.zeros(grid.shape, np.bool_)
        box = tuple(slice(a, a + 4) for a in start)
        inside[box] = random.random(inside[box].shape) < 0.7
        found.append(np.flatnonzero(inside))
    found.append(np.array([grid.size - 1]))
    return [
        Roi(
            roi_id=f"{number}",
            name=f"Lymphknoten, größter {number}",
            voxels=voxels,
            weights=random.integers(1, 256, voxels.size) / 255 if has_weights else None,
        )
        for number, voxels in enumerate(found, start=1)
    ]


def masks_of(grid, rois):
    masks = np.zeros((len(rois), grid.size), np.uint8)
    for mask, roi in zip(masks, rois, strict=True):
        mask[roi.voxels] = 1
    return masks.reshape(-1, *grid.shape)


@pytest.fixture
def written(study, tmp_path):
    """Write the regions of a series; return the file and the regions."""
    _, opened = study

    def write(**how):
        rois = regions(opened.grid, has_weights=how.get("is_fractional", False))
        path = tmp_path / "seg.dcm"
        path.write_bytes(seg_bytes(opened.stack, rois, grid=opened.grid, algorithm=METHOD, **how))
        return path, rois

    return write


@pytest.mark.parametrize("is_fractional", [False, True])
def test_petquant_reads_back_what_it_wrote(study, written, is_fractional):
    _, opened = study
    path, rois = written(is_fractional=is_fractional)
    found = read_seg(path, onto=opened.grid, pet=opened.facts)
    assert found.grid is opened.grid
    assert found.findings == ()
    for back, roi in zip(found.rois, rois, strict=True):
        assert (back.roi_id, back.name, back.flags) == (roi.roi_id, roi.name, ())
        np.testing.assert_array_equal(back.voxels, roi.voxels)
        if is_fractional:
            np.testing.assert_array_equal(back.weights, roi.weights)  # all were multiples of 1/255
        else:
            assert back.weights is None


@needs_dicom3tools
@pytest.mark.parametrize("is_fractional", [False, True])
def test_validators_find_nothing_to_say(study, written, is_fractional):
    path, _ = written(is_fractional=is_fractional)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert (said.stdout + said.stderr).split() == ["Segmentation"]
    files = sorted(study[0].iterdir())
    said = subprocess.run(["dcentvfy", path, *files], capture_output=True, text=True, check=False)
    assert (said.stdout + said.stderr).strip() == ""


def test_highdicom_reads_the_same_voxels_of_every_image(study, written):
    _, opened = study
    path, rois = written()
    seg = highdicom.seg.segread(path)
    images = opened.stack.instances
    uids = [pydicom.dcmread(one.path, stop_before_pixels=True).SOPInstanceUID for one in images]
    if len(set(uids)) == 1:
        frames = [one.frame for one in images]
        found = seg.get_pixels_by_source_frame(uids[0], frames, assert_missing_frames_are_empty=True)
    else:
        found = seg.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(np.moveaxis(found, -1, 0), masks_of(opened.grid, rois))


def test_highdicom_lays_the_same_volume_over_the_pet(study, written):
    _, opened = study
    if opened.grid.slice_positions_mm is not None:
        pytest.skip("a volume of highdicom has even slices")
    path, rois = written()
    pet = highdicom.VolumeGeometry(
        affine=opened.grid.affine, spatial_shape=opened.grid.shape, coordinate_system="PATIENT"
    )
    found = highdicom.seg.segread(path).get_volume().match_geometry(pet)
    np.testing.assert_array_equal(np.moveaxis(found.array, -1, 0), masks_of(opened.grid, rois))


@needs_dcmqi
def test_dcmqi_finds_the_same_voxels_in_the_patient(study, written, tmp_path):
    _, opened = study
    path, rois = written()
    subprocess.run(
        [SEGIMAGE, "--inputDICOM", path, "--outputDirectory", tmp_path, "-t", "nrrd"],
        capture_output=True,
        check=True,
    )
    # files round to a thousandth; dcmqi evens out the bed join of the uneven series, 0.1 mm short
    tolerance_mm = 1e-3 if opened.grid.slice_positions_mm is None else 0.1 + 1e-3
    for number, roi in enumerate(rois, start=1):
        image = SimpleITK.ReadImage(str(tmp_path / f"{number}.nrrd"))
        found = [
            image.TransformIndexToPhysicalPoint([int(index) for index in kji[::-1]])
            for kji in np.argwhere(SimpleITK.GetArrayFromImage(image))
        ]
        expected = opened.grid.position_mm(opened.grid.index_of(roi.voxels))
        assert len(found) == len(expected)
        apart = np.linalg.norm(np.array(found)[:, None] - expected, axis=2)
        assert apart.min(axis=0).max() < tolerance_mm
        assert len(set(apart.argmin(axis=0))) == len(expected)


def test_only_slices_with_voxels_are_written(tiny):
    # voxel (3, 2, 1) alone: 1 of 8 slices, 16 x 16 bits
    voxel = np.array([3 * 256 + 2 * 16 + 1])
    content = seg_bytes(
        tiny.stack, [Roi(roi_id="1", name="one", voxels=voxel)], grid=tiny.grid, algorithm=METHOD
    )
    seg = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    assert seg.NumberOfFrames == 1
    # bit 33 of 256, lowest first
    assert seg.PixelData == bytes(4) + b"\x02" + bytes(27)
    (frame,) = seg.PerFrameFunctionalGroupsSequence
    source = frame.DerivationImageSequence[0].SourceImageSequence[0]
    fourth = sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))[3]
    assert source.ReferencedSOPInstanceUID == fourth.SOPInstanceUID


def test_of_several_enhanced_files_each_is_named_once_and_with_its_frames(enhanced_pet, tmp_path):
    e = enhanced_pet
    planes = e.positions(4)
    lower, upper = (
        e.enhanced_pet(e.STORED[half], at=planes[half], number=n)
        for n, half in enumerate((slice(2), slice(2, 4)), start=1)
    )
    opened = open_study(e.save(tmp_path / "scan", upper, lower), Choices())
    column = np.arange(4) * opened.grid.shape[1] * opened.grid.shape[2]  # one voxel of every slice
    rois = [Roi(roi_id="1", name="column", voxels=column)]
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(opened.stack, rois, grid=opened.grid, algorithm=METHOD))
    seg = pydicom.dcmread(path)
    (series,) = seg.ReferencedSeriesSequence
    uids = [lower.SOPInstanceUID, upper.SOPInstanceUID]
    for sequence in (series.ReferencedInstanceSequence, seg.SourceImageSequence):
        assert [item.ReferencedSOPInstanceUID for item in sequence] == uids
        assert {item.ReferencedSOPClassUID for item in sequence} == {e.ENHANCED}
    named = {}
    for group in seg.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        z_mm = float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        named[z_mm] = (source.ReferencedSOPInstanceUID, int(source.ReferencedFrameNumber))
    assert named == {0: (uids[0], 1), 3: (uids[0], 2), 6: (uids[1], 1), 9: (uids[1], 2)}
    found = read_seg(path, onto=opened.grid, pet=opened.facts)
    assert found.findings == ()
    np.testing.assert_array_equal(found.rois[0].voxels, column)


def test_another_time_frame_of_the_same_voxels_is_another_seg(tmp_path):
    dynamic = write_study(replace(TINY, time_frames=(1.0, 0.5)), tmp_path / "study").dicom
    uids = set()
    for number in (1, 2):
        opened = open_study(dynamic, Choices(frame=number))
        content = seg_bytes(opened.stack, regions(opened.grid), grid=opened.grid, algorithm=METHOD)
        uids.add(pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)).SOPInstanceUID)
    assert len(uids) == 2


def test_bits_of_frames_that_fill_no_whole_byte_follow_each_other(tmp_path):
    odd = replace(TINY, grid=replace(TINY.grid, shape=(8, 15, 17)))  # 255 bits a frame
    opened = open_study(write_study(odd, tmp_path / "odd").dicom, Choices())
    rois = regions(opened.grid)
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(opened.stack, rois, grid=opened.grid, algorithm=METHOD))
    for back, roi in zip(read_seg(path, onto=opened.grid, pet=opened.facts).rois, rois, strict=True):
        np.testing.assert_array_equal(back.voxels, roi.voxels)


def test_the_same_regions_are_the_same_bytes_a_second_later(tiny):
    rois = regions(tiny.grid)
    first = seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD)
    time.sleep(1.01)  # a clock of whole seconds would show
    assert seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD) == first


def test_other_voxels_methods_or_kinds_have_other_uids(tiny):
    rois = regions(tiny.grid)
    moved = [*rois[:-1], replace(rois[-1], voxels=rois[-1].voxels - 1)]
    written = [
        seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD),
        seg_bytes(tiny.stack, moved, grid=tiny.grid, algorithm=METHOD),
        seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm="another"),
        seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD, is_fractional=True),
    ]
    found = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)) for content in written]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        uids = {seg[keyword].value for seg in found}
        assert len(uids) == 4
        assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)


def test_a_segment_says_what_it_is_and_how_it_was_made(tiny):
    (roi, *_) = regions(tiny.grid)
    roi = replace(roi, roi_id="17", name="a\\b\n" + 70 * "x")
    content = seg_bytes(tiny.stack, [roi], grid=tiny.grid, algorithm=METHOD, label="Mein label-1")
    seg = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    (segment,) = seg.SegmentSequence
    assert segment.SegmentLabel == "a b " + 60 * "x"  # 64 characters, no backslash, which would split it
    assert segment.TrackingID == "17 a\\b " + 70 * "x"  # UT: one value, of any length
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentAlgorithmName == METHOD
    method = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert method.AlgorithmParameters == f"method={METHOD}"
    category = segment.SegmentedPropertyCategoryCodeSequence[0]
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    assert (category.CodingSchemeDesignator, category.CodeValue) == ("SCT", "49755003")
    assert (kind.CodingSchemeDesignator, kind.CodeValue) == ("SCT", "52988006")
    assert (seg.ContentLabel, seg.SeriesDescription) == ("MEIN LABEL_1", "Mein label-1")
    pet = pet_datasets(TINY)[0]
    assert (seg.ContentDate, seg.ContentTime) == (pet.SeriesDate, pet.SeriesTime)


def test_weights_without_fractions_are_decided_at_one_half(tiny):
    voxels = np.array([300, 301, 302])
    rois = [
        Roi(roi_id="1", name="some", voxels=voxels, weights=np.array([0.49, 0.5, 1])),
        Roi(roi_id="2", name="none", voxels=voxels, weights=np.array([0.1, 0.3, 0.3])),
    ]
    seg = highdicom.seg.Segmentation.from_dataset(
        pydicom.dcmread(
            pydicom.filebase.DicomBytesIO(seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD))
        )
    )
    # slice 1 of 256 voxels, so 45 and 46; of the second the first voxel of the largest weight
    assert np.flatnonzero(seg.pixel_array[0]).tolist() == [45, 46]
    assert np.flatnonzero(seg.pixel_array[1]).tolist() == [45]
    assert seg.SegmentsOverlap == "YES"


def test_no_weight_is_too_small_to_be_written(tiny, tmp_path):
    roi = Roi(roi_id="1", name="thin", voxels=np.array([300, 301]), weights=np.array([1e-4, 0.5]))
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(tiny.stack, [roi], grid=tiny.grid, algorithm=METHOD, is_fractional=True))
    (back,) = read_seg(path, onto=tiny.grid, pet=tiny.facts).rois
    np.testing.assert_allclose(back.weights, [1 / 255, 128 / 255], atol=1e-15)


def test_nothing_of_the_scanner_and_its_place_is_carried_over(tmp_path):
    def plant(ds, index):
        ds.InstitutionName = ds.StationName = ds.OperatorsName = "CANARY"
        ds.PerformingPhysicianName = ds.ProtocolName = ds.SeriesDescription = "CANARY"
        ds.PatientName = "Müller^Käthe"

    opened = open_study(write_study(TINY, tmp_path / "study", edit=plant).dicom, Choices())
    content = seg_bytes(opened.stack, regions(opened.grid), grid=opened.grid, algorithm=METHOD)
    assert b"CANARY" not in content
    seg = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    source = pydicom.dcmread(opened.stack.instances[0].path, stop_before_pixels=True)
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientWeight",
        "StudyInstanceUID",
        "StudyID",
    ):
        assert seg[keyword].value == source[keyword].value, keyword


def test_a_source_without_most_of_its_header_is_enough(tmp_path):
    def strip(ds, index):
        for keyword in (
            "PatientBirthDate",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
            "StudyDate",
        ):
            delattr(ds, keyword)
        ds.SeriesDate = ds.SeriesTime = ds.AcquisitionDate = ""

    opened = open_study(write_study(TINY, tmp_path / "study", edit=strip).dicom, Choices())
    content = seg_bytes(opened.stack, regions(opened.grid), grid=opened.grid, algorithm=METHOD)
    assert pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)).ContentDate == "19000101"


def test_a_region_without_voxels_is_a_segment_without_frames(tiny, tmp_path):
    rois = [*regions(tiny.grid), Roi(roi_id="9", name="gone", voxels=np.empty(0, np.int64))]
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(tiny.stack, rois, grid=tiny.grid, algorithm=METHOD))
    found = read_seg(path, onto=tiny.grid, pet=tiny.facts).rois
    assert [roi.name for roi in found] == [roi.name for roi in rois]
    assert found[-1].voxels.size == 0
    with pytest.raises(Refused, match="ROI_EMPTY"):
        seg_bytes(tiny.stack, rois[-1:], grid=tiny.grid, algorithm=METHOD)


def test_what_cannot_be_written_is_said(tiny, tmp_path):
    with pytest.raises(LimitReached, match="SIZE_LIMIT"):
        seg_bytes(
            tiny.stack,
            regions(tiny.grid),
            grid=tiny.grid,
            algorithm=METHOD,
            limits=Limits(volume_voxels=1000),
        )
    first, *others = tiny.stack.instances
    many = replace(first, values={**first.values, 0x00280008: b"8 "})
    with pytest.raises(UnreadableInput, match="FORMAT_UNSUPPORTED"):
        seg_bytes(
            replace(tiny.stack, instances=(many, *others)),
            regions(tiny.grid),
            grid=tiny.grid,
            algorithm=METHOD,
        )
    with pytest.raises(ValueError, match="another grid"):
        seg_bytes(tiny.stack, [], grid=replace(tiny.grid, shape=(1, 2, 3)), algorithm=METHOD)


@pytest.mark.parametrize(
    ("images", "mask", "n"),
    [
        ("qin0139_siemens_seg/image", "qin0139_siemens_seg/mask/mask.dcm", 11),
        ("sts001_ge_raw/FDG_PET/image", "sts001_ge_raw/FDG_PET/mask", 2),  # uneven slices
    ],
)
def test_regions_of_real_patients_come_back_voxel_by_voxel(real_data, tmp_path, images, mask, n):
    opened = open_study(real_data / images, Choices())
    source = real_data / mask
    source = next(source.iterdir()) if source.is_dir() else source
    rois = load_rois(source, onto=opened.grid, pet=opened.facts).rois
    assert len(rois) == n
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(opened.stack, rois, grid=opened.grid, algorithm="as it was read"))
    found = read_seg(path, onto=opened.grid, pet=opened.facts)
    assert found.findings == ()
    for back, roi in zip(found.rois, rois, strict=True):
        assert back.name == roi.name
        np.testing.assert_array_equal(back.voxels, roi.voxels)
