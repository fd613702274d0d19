"""Series that are no single volume, or not for certain: reliability.md section 3, ids 30 to 42."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, ImageGrid, catalogue, lesion_labels, pet_datasets, write_datasets
from petquant_phantoms.label_maps import write_label_map
from pydicom.uid import SecondaryCaptureImageStorage

# TINY: 8 slices at z = -14, -10 ... 14 mm, 16 x 16 voxels of 4 mm from x = y = -30 mm


def other_series(dataset, suffix=".7"):
    """Make the slice one of another series of the same study."""
    dataset.SeriesInstanceUID += suffix
    dataset.SOPInstanceUID += suffix


def rows_of(record):
    return {row["roi_name"]: row for row in record["measurements"]}


def test_bad_030_a_missing_slice_is_refused_with_place_and_size_of_the_gap(refused, study_of):
    study = study_of(replace(TINY, missing_slices=(4,)))
    line = refused(study.dicom, code=4, because="SLICE_MISSING").line("SLICE_MISSING")
    # slice 4 lies at -14 + 4 x 4 = 2 mm, between those at -2 and 6 mm
    assert "8 mm between (-30, -30, -2) and (-30, -30, 6)" in line
    assert "steps of 4 mm" in line


def test_bad_030_a_missing_slice_is_not_to_be_allowed(refused, study_of):
    study = study_of(replace(TINY, missing_slices=(4,)))
    refused(study.dicom, "--allow-incomplete", code=4, because="SLICE_MISSING")


def test_bad_030_a_missing_end_is_seen_by_the_number_of_slices(refused, study_of):
    study = study_of(replace(TINY, missing_slices=(7,)))
    refused(study.dicom, code=4, because="SERIES_INCOMPLETE")


def test_bad_031_a_byte_equal_copy_is_dropped(computed, study_of):
    study = study_of()
    shutil.copyfile(study.pet / "IM0004.dcm", study.dicom / "copy of 4")
    record = computed(study.dicom, flag="COPY_DROPPED")
    assert record["inputs"]["n_files"] == 8


def test_bad_031_a_folder_that_holds_everything_twice_is_one_series(computed, study_of):
    study = study_of()
    shutil.copytree(study.pet, study.dicom / "backup")
    record = computed(study.dicom, flag="COPY_DROPPED")
    assert record["inputs"]["n_files"] == 8
    assert record["study"]["n_series"] == 1


def test_bad_031_two_images_at_one_position_are_refused(refused, study_of):
    study = study_of(replace(TINY, doubled_slices=(4,)))
    line = refused(study.dicom, code=4, because="SLICE_DUPLICATED").line("SLICE_DUPLICATED")
    assert "at 2 mm" in line
    assert len(set(re.findall(r"IM\d{4}\.dcm", line))) == 2


def test_bad_031_one_instance_with_other_pixels_is_refused(refused, study_of):
    study = study_of()
    copy = study.dicom / "copy of 4"
    content = bytearray((study.pet / "IM0004.dcm").read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    refused(study.dicom, code=4, because="SLICE_DUPLICATED")


FRAMES = (1.0, 0.5, 0.25)  # of the SUV of the phantom
SEVERAL = {
    "--frame": (replace(TINY, time_frames=FRAMES), "SERIES_DYNAMIC", "3 frames: 1 ("),
    "--gate": (replace(TINY, gates=FRAMES), "SERIES_GATED", "3 gates: 1 ("),
}


@pytest.mark.parametrize("option", SEVERAL)
def test_bad_032_several_frames_or_gates_are_refused_and_listed(refused, study_of, option):
    definition, code, listed = SEVERAL[option]
    line = refused(study_of(definition).dicom, code=4, because=code).line(code)
    assert listed in line
    assert f"{option} N" in line
    assert line.count("8 slices") == 3


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("option", SEVERAL)
def test_bad_032_a_chosen_frame_or_gate_gives_its_own_numbers(petquant, study_of, option, number):
    study = study_of(SEVERAL[option][0])
    result = petquant(
        "suv", study.dicom, "--roi", study.lesions, "--labels", study.labels, "--format", "json",
        option, number,
    )  # fmt: skip
    assert result.code == 0, result.err
    for region, row in rows_of(result.json).items():
        want = study.expected(region)["suv_mean"]
        # quantised with the same slope as the first frame
        assert row["suv_mean"] == pytest.approx(FRAMES[number - 1] * want["value"], abs=want["abs_tol"])
    assert "FRAME_CHOSEN" in result.json["conversion"]["flags"]


@pytest.mark.parametrize("number", ["0", "4", "-1", "1.5"])
@pytest.mark.parametrize("option", SEVERAL)
def test_bad_032_a_frame_or_gate_that_is_not_there_is_a_mistake_of_usage(
    petquant, untouched, study_of, option, number
):
    study = study_of(SEVERAL[option][0])
    with untouched():
        result = petquant("suv", study.dicom, "--roi", study.lesions, option, number)
    assert result.code == 2
    assert option in result.err


@pytest.mark.parametrize("option", SEVERAL)
def test_bad_032_frames_are_not_gates(petquant, study_of, option):
    study = study_of(SEVERAL[option][0])
    (other,) = set(SEVERAL) - {option}
    result = petquant("suv", study.dicom, "--roi", study.lesions, other, 1)
    assert (result.code, result.codes) == (2, ["OPTION_INVALID"])
    assert f"{option} N" in result.err


def test_bad_032_the_bed_number_as_number_of_time_slices_makes_nothing_dynamic(computed, study_of):
    def with_beds(dataset, index):
        dataset.NumberOfTimeSlices = 1 + index // 4

    computed(study_of(edit=with_beds).dicom)


@pytest.fixture
def twice(study_of):
    """A study with the phantom as series 1, and at twice its SUV as series 2, both corrected."""

    def is_second(dataset, _):
        other_series(dataset)
        dataset.SeriesNumber = 2
        dataset.RescaleSlope = 2 * float(dataset.RescaleSlope)

    study = study_of()
    write_datasets(pet_datasets(TINY, edit=is_second), study.dicom / "second")
    return study


def test_bad_033_two_series_that_fit_are_refused_and_listed(refused, twice):
    line = refused(twice.dicom, code=4, because="SERIES_AMBIGUOUS").line("SERIES_AMBIGUOUS")
    uid = twice.truth["series"]["uid"]
    assert f"{uid} (AC, 8 slices)" in line
    assert f"{uid}.7 (AC, 8 slices)" in line
    assert "--series" in line


@pytest.mark.parametrize("by", ["uid", "number", "part"])
def test_bad_033_the_series_that_was_asked_for_is_measured(computed, petquant, twice, by):
    uid = twice.truth["series"]["uid"]
    first = computed(twice.dicom, "--series", uid if by != "number" else "1")
    assert first["series"]["series_uid"] == uid
    assert first["series"]["set_aside"] == [
        {"series_uid": f"{uid}.7", "modality": "PT", "n_files": 8, "reason": "not asked for"}
    ]
    words = {"uid": f"{uid}.7", "number": "2", "part": f"{uid[-6:]}.7"}[by]
    result = petquant(
        "suv", twice.dicom, "--roi", twice.lesions, "--labels", twice.labels, "--format", "json",
        "--series", words,
    )  # fmt: skip
    want = twice.expected("hot")["suv_max"]
    found = rows_of(result.json)["hot"]["suv_max"]
    assert found == pytest.approx(2 * want["value"], abs=2 * want["abs_tol"])


def test_bad_033_a_series_that_is_not_there_is_refused_with_those_that_are(refused, twice):
    line = refused(twice.dicom, "--series", "9.9.9", code=4, because="NO_SUCH_SERIES").line("NO_SUCH_SERIES")
    assert twice.truth["series"]["uid"] in line


def test_bad_034_a_series_without_attenuation_correction_is_set_aside_with_the_reason(computed, study_of):
    study = study_of(replace(TINY, extras=("nac_series",)))
    record = computed(study.dicom)
    (other,) = record["series"]["set_aside"]
    assert other["reason"].startswith("NAC: CorrectedImage (0028,0051)")


def test_bad_034_nothing_but_an_uncorrected_series_is_refused(refused, study_of):
    study = study_of(catalogue.load("nac_only"))
    line = refused(study.dicom, code=4, because="SERIES_NAC").line("SERIES_NAC")
    assert "CorrectedImage (0028,0051)" in line
    assert "--allow-nac" in line


def test_bad_034_an_uncorrected_series_is_measured_on_request_and_marked(computed, study_of):
    study = study_of(catalogue.load("nac_only"))
    record = computed(study.dicom, "--allow-nac", truth=study, flag="NAC_ALLOWED")
    assert all("NAC_ALLOWED" in row["flags"] for row in record["measurements"])


def test_bad_034_an_uncorrected_series_that_was_asked_for_is_refused(refused, study_of):
    study = study_of(replace(TINY, extras=("nac_series",)))
    refused(study.dicom, "--series", "2", code=4, because="SERIES_NAC")


MIXED = {
    "ImageOrientationPatient": [0, 1, 0, -1, 0, 0],
    "PixelSpacing": [4.1, 4.1],
    "Rows": 15,
    "BitsStored": 12,
    "PatientWeight": 71,
    "PatientSize": 1.8,
    "PatientSex": "F",
    "Units": "GML",
    "DecayCorrection": "ADMIN",
    "CorrectedImage": ["ATTN", "DECY"],
    "Manufacturer": "Another",
    "SeriesTime": "110500",
}


@pytest.mark.parametrize("keyword", MIXED)
def test_bad_035_values_that_differ_within_the_series_are_refused_by_name(refused, study_of, keyword):
    def differs(dataset, index):
        if index == 2:
            setattr(dataset, keyword, MIXED[keyword])

    line = refused(study_of(edit=differs).dicom, code=4, because="MIXED_VALUES").line("MIXED_VALUES")
    assert keyword in line
    assert "7 slices" in line
    assert "1 slice" in line


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RadionuclideTotalDose", 3.6e8),
        ("RadionuclideHalfLife", 6588),
        ("RadiopharmaceuticalStartTime", "10"),
    ],
)
def test_bad_035_injections_that_differ_within_the_series_are_refused_by_name(
    refused, study_of, keyword, value
):
    def differs(dataset, index):
        if index == 2:
            setattr(dataset.RadiopharmaceuticalInformationSequence[0], keyword, value)

    line = refused(study_of(edit=differs).dicom, code=4, because="MIXED_VALUES").line("MIXED_VALUES")
    assert keyword in line


def test_bad_036_two_frames_of_reference_in_one_series_are_refused(refused, study_of):
    def differs(dataset, index):
        if index > 3:
            dataset.FrameOfReferenceUID += ".1"

    line = refused(study_of(edit=differs).dicom, code=4, because="MIXED_VALUES").line("MIXED_VALUES")
    assert "FrameOfReferenceUID (0020,0052)" in line
    assert "4 slices" in line


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientID", "OTHER-1"), ("PatientBirthDate", "19010203"), ("StudyInstanceUID", "2.25.37")],
)
def test_bad_037_patients_or_studies_mixed_in_one_series_are_refused_without_saying_who(
    refused, study_of, keyword, value
):
    def differs(dataset, index):
        if index == 5:
            setattr(dataset, keyword, value)

    result = refused(study_of(edit=differs).dicom, code=4, because="PATIENTS_MIXED")
    line = result.line("PATIENTS_MIXED")
    assert keyword in line
    assert "IM0006.dcm" in line
    assert keyword == "StudyInstanceUID" or value not in result.err


def test_bad_037_two_studies_in_one_folder_are_refused_and_one_can_be_chosen(refused, computed, study_of):
    study = study_of()
    write_datasets(pet_datasets(replace(TINY, name="other")), study.dicom / "other")
    line = refused(study.dicom, code=4, because="STUDY_AMBIGUOUS").line("STUDY_AMBIGUOUS")
    uids = re.findall(r"2\.25\.\d+", line)
    assert len(uids) == 2
    assert "--study" in line
    series = {computed(study.dicom, "--study", uid)["series"]["series_uid"] for uid in uids}
    assert len(series) == 2
    refused(study.dicom, "--study", "9.9.9", code=4, because="NO_SUCH_STUDY")


@pytest.fixture
def lone_slice(study_of, tmp_path):
    """The slice at z = 2 mm alone, its label map with a slice of the thickness given, and its voxels."""

    def write(thickness_mm, edit=None):
        study = study_of(edit=edit)
        labels = lesion_labels(TINY)[4:5]
        grid = ImageGrid(shape=(1, 16, 16), spacing_mm=(thickness_mm, 4.0, 4.0), origin_mm=(-30, -30, 2))
        write_label_map(labels, tmp_path / "slice.nii", ras_affine=grid.ras_affine())
        return study, study.pet / "IM0005.dcm", tmp_path / "slice.nii", int((labels == 1).sum())

    return write


def test_bad_038_a_single_slice_has_the_volume_of_its_thickness(petquant, lone_slice):
    def is_thicker(dataset, _):
        dataset.SliceThickness = 3.0
        del dataset.NumberOfSlices

    study, path, roi, n = lone_slice(3.0, is_thicker)
    result = petquant("suv", path, "--roi", roi, "--format", "json")
    assert result.code == 0, result.err
    row = result.json["measurements"][0]
    want = study.expected("hot")["suv_max"]
    assert row["suv_max"] == pytest.approx(want["value"], abs=want["abs_tol"])
    assert row["n_voxels"] == n
    assert row["mtv_ml"] == pytest.approx(n * 4 * 4 * 3 / 1000, rel=1e-12)
    assert "SINGLE_SLICE" in result.json["conversion"]["flags"]


def test_bad_038_a_single_slice_without_thickness_has_no_volume_and_its_statistics(petquant, lone_slice):
    def has_no_thickness(dataset, _):
        del dataset.SliceThickness
        del dataset.NumberOfSlices

    # a map of one slice has some thickness of its own, which nothing can be held to
    study, path, roi, n = lone_slice(4.0, has_no_thickness)
    result = petquant("suv", path, "--roi", roi, "--format", "json")
    assert result.code == 0, result.err
    row = result.json["measurements"][0]
    assert row["n_voxels"] == n
    for column in ("suv_max", "suv_mean", "suv_min", "suv_median"):
        want = study.expected("hot")[column]
        assert row[column] == pytest.approx(want["value"], abs=want["abs_tol"])
    for column in ("mtv_ml", "tlg_g", "suv_peak"):
        assert row[column] is None
    assert "SLICE_THICKNESS_MISSING" in result.json["conversion"]["flags"]


def shifted(by_mm):
    """The phantom with its fifth slice moved along the axis."""
    offsets = [4.0 * k for k in range(8)]
    offsets[4] += by_mm
    return replace(TINY, grid=ImageGrid(slice_offsets_mm=tuple(offsets)))


def test_bad_039_steps_that_differ_within_five_percent_keep_their_own_positions(computed, study_of):
    study = study_of(shifted(0.16))  # 4 % of 4 mm
    record = computed(study.dicom, truth=study, flag="UNEVEN_SLICES")
    assert record["series"]["has_even_slices"] is False
    (finding,) = [one for one in record["conversion"]["codes"] if one["code"] == "UNEVEN_SLICES"]
    assert "from 3.84 to 4.16 mm" in finding["found"]


def test_bad_039_steps_that_differ_by_more_are_refused(refused, study_of):
    study = study_of(shifted(0.24))  # 6 %
    line = refused(study.dicom, code=4, because="SLICE_POSITIONS_UNEVEN").line("SLICE_POSITIONS_UNEVEN")
    assert "from 3.76 to 4.24 mm" in line


def test_bad_040_a_projection_among_the_slices_is_dropped_and_counted(computed, study_of):
    study = study_of(catalogue.load("mip_inside"))
    record = computed(study.dicom, truth=study, flag="SERIES_NOT_VOLUME")
    assert record["inputs"]["n_files"] == 8
    (finding,) = [one for one in record["conversion"]["codes"] if one["code"] == "SERIES_NOT_VOLUME"]
    assert "1 maximum intensity projection" in finding["found"]


@pytest.mark.parametrize("kind", ["secondary capture", "reprojection", "screenshot"])
def test_bad_040_captures_and_reprojections_in_the_series_are_dropped(computed, study_of, kind):
    def is_picture(dataset, _):
        dataset.SOPInstanceUID += ".4"
        if kind == "secondary capture":
            dataset.SOPClassUID = SecondaryCaptureImageStorage
        elif kind == "reprojection":
            dataset.SeriesType = ["WHOLE BODY", "REPROJECTION"]
        else:
            dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]

    study = study_of()
    write_datasets(pet_datasets(TINY, edit=is_picture)[:2], study.dicom / "pictures")
    record = computed(study.dicom, flag="SERIES_NOT_VOLUME")
    (finding,) = [one for one in record["conversion"]["codes"] if one["code"] == "SERIES_NOT_VOLUME"]
    assert f"2 {kind}" in finding["found"]


def test_bad_040_derived_secondary_slices_are_slices(computed, study_of):
    def is_derived(dataset, _):
        dataset.ImageType = ["DERIVED", "SECONDARY"]

    assert computed(study_of(edit=is_derived).dicom)["inputs"]["n_files"] == 8


def test_bad_040_nothing_but_projections_is_refused(refused, study_of):
    def is_projection(dataset, _):
        dataset.ImageType = ["DERIVED", "PRIMARY", "MIP"]

    result = refused(study_of(edit=is_projection).dicom, code=4, because="NO_PET_SERIES")
    assert "8 maximum intensity projection" in result.err


@pytest.mark.parametrize(
    "name", ["oblique", "head_first_prone", "feet_first_supine", "reversed_slices", "shuffled_slices"]
)
def test_bad_041_any_orientation_and_order_works(computed, study_of, name):
    study = study_of(catalogue.load(name))
    record = computed(study.dicom, truth=study)
    entry = next(one for one in study.truth["regions"] if one["name"] == "hot")
    row = rows_of(record)["hot"]
    found = np.array([row[f"centroid_{axis}_mm"] for axis in "xyz"])
    # the voxels of a sphere of 8 mm on a lattice of 4 mm lie about its centre within half a voxel
    assert np.abs(found - entry["center_lps_mm"]).max() < 2.0


def test_bad_041_a_label_map_of_the_same_voxels_in_another_order_works(computed, study_of, tmp_path):
    study = study_of(catalogue.load("oblique"))
    image = nib.as_closest_canonical(nib.load(study.lesions))
    assert not np.allclose(image.affine, nib.load(study.lesions).affine)
    nib.save(image, tmp_path / "canonical.nii.gz")
    computed(study.dicom, truth=replace(study, lesions=tmp_path / "canonical.nii.gz"))


@pytest.mark.parametrize("declared", [7, 9])
def test_bad_042_another_number_of_slices_than_declared_is_refused(refused, study_of, declared):
    def declares(dataset, _):
        dataset.NumberOfSlices = declared

    line = refused(study_of(edit=declares).dicom, code=4, because="SERIES_INCOMPLETE").line(
        "SERIES_INCOMPLETE"
    )
    assert "8 slices" in line
    assert f"NumberOfSlices (0054,0081) is {declared}" in line
    assert "--allow-incomplete" in line


def test_bad_042_another_number_of_slices_is_measured_on_request_and_flagged(computed, study_of):
    def declares(dataset, _):
        dataset.NumberOfSlices = 9

    computed(study_of(edit=declares).dicom, "--allow-incomplete", flag="INCOMPLETE_ALLOWED")


def test_bad_042_no_number_of_slices_is_fine(computed, study_of):
    def is_silent(dataset, _):
        del dataset.NumberOfSlices

    assert computed(study_of(edit=is_silent).dicom)["conversion"]["flags"] == []


def test_bad_042_check_says_the_same_and_always_prints_its_rows(petquant, untouched, study_of):
    def declares(dataset, _):
        dataset.NumberOfSlices = 9

    study = study_of(edit=declares)
    with untouched():
        result = petquant("check", study.dicom, "--format", "json")
    assert (result.code, result.codes) == (4, ["SERIES_INCOMPLETE"])
    (series,) = json.loads(result.out)["series"]
    assert series["outcome"] == "refuse"
    assert [one["code"] for one in series["refusals"]] == ["SERIES_INCOMPLETE"]
