"""Lesions in every form give the numbers of their voxels, and say what was passed over."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, catalogue, pet_datasets

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def slices():
    return sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))


@pytest.fixture
def masks(tiny):
    """The lesions of the phantom by label, [k, j, i] on slices that ascend."""
    image = nib.as_closest_canonical(nib.load(tiny.lesions))
    labels = np.asarray(image.dataobj).T.round().astype(int)[:, ::-1, ::-1]  # RAS to LPS
    return {label: labels == label for label in np.unique(labels)[1:].tolist()}


@pytest.fixture
def seg_of(make_seg, save_seg, slices):
    """Write masks as a SEG; a function may change it first."""

    def write(masks, change=None, **how):
        made = make_seg(slices, masks, **how)
        if change is not None:
            change(made)
        return save_seg(made)

    return write


@pytest.fixture
def seg(seg_of, masks):
    """Write the lesions as a SEG."""

    def write(change=None, **how):
        return seg_of(masks, change, **how)

    return write


@pytest.fixture
def measured(petquant_within, tiny):
    """Run the command on the phantom and return its JSON."""

    def run(roi, *options):
        result = petquant_within("suv", tiny.dicom, "--roi", roi, "--format", "json", *options)
        assert result.code == 0, result.err
        return result.json

    return run


@pytest.fixture
def plain(measured, tiny):
    return measured(tiny.lesions)


def numbers_of(record):
    """What was measured, without what a file calls its regions."""
    names = ("roi_id", "roi_name", "roi_source", "flags")
    return [{key: row[key] for key in row if key not in names} for row in record["measurements"]]


def flags_of(record):
    return {flag for row in record["measurements"] for flag in row["flags"]}


def test_a_seg_gives_the_numbers_of_its_voxels(measured, plain, seg):
    found = measured(seg(order=lambda keys: keys[::-1]))
    assert numbers_of(found) == numbers_of(plain)
    assert flags_of(found) == flags_of(plain)
    assert {row["roi_source"] for row in found["measurements"]} == {"DICOM SEG"}


def test_a_label_map_seg_gives_the_numbers_of_its_voxels(measured, plain, seg_of, masks):
    labels = sum(label * mask.astype(np.uint8) for label, mask in masks.items())
    found = measured(seg_of({0: labels}, kind="LABELMAP"))
    assert numbers_of(found) == numbers_of(plain)


def test_a_slicer_segmentation_gives_the_numbers_of_its_voxels(measured, plain, masks, slices, tmp_path):
    first = slices[0]
    layers = np.stack([mask.astype(np.uint8) for mask in masks.values()], axis=-1)
    header = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 4",
        "sizes: " + " ".join(str(n) for n in reversed(layers.shape)),
        "space: left-posterior-superior",
        "kinds: list domain domain domain",
        "space directions: none (4,0,0) (0,4,0) (0,0,4)",
        "space origin: (" + ",".join(str(float(x)) for x in first.ImagePositionPatient) + ")",
        "encoding: raw",
    ]
    for n in range(len(masks)):
        header += [f"Segment{n}_ID:=s{n}", f"Segment{n}_Name:=lesion {n}", f"Segment{n}_LabelValue:=1"]
        header += [f"Segment{n}_Layer:={n}"]
    path = tmp_path / "lesions.seg.nrrd"
    path.write_bytes(("\n".join(header) + "\n\n").encode() + layers.tobytes())
    found = measured(path)
    assert numbers_of(found) == numbers_of(plain)
    assert [row["roi_name"] for row in found["measurements"]] == [f"lesion {n}" for n in range(len(masks))]


@pytest.fixture
def folder(tiny, tmp_path):
    """Each lesion in a file of its own, with the name of a site."""
    image = nib.load(tiny.lesions)
    labels = np.asarray(image.dataobj)
    path = tmp_path / "masks"
    path.mkdir()
    for label in np.unique(labels)[1:]:
        mask = nib.Nifti1Image((labels == label).astype(np.uint8), image.affine)
        nib.save(mask, path / f"site_{int(label)}.nii.gz")
    return path


def test_a_folder_of_masks_gives_the_numbers_of_its_voxels(measured, plain, folder):
    found = measured(folder)
    assert numbers_of(found) == numbers_of(plain)
    assert [row["roi_id"] for row in found["measurements"]] == ["site_1", "site_2"]


def test_names_of_files_are_names_of_regions_and_withheld_as_those(measured, folder):
    found = measured(folder, "--roi-names", "index")
    assert [row["roi_id"] for row in found["measurements"]] == [1, 2]
    assert "site_" not in json.dumps(found)


def test_several_forms_at_once_are_all_measured(measured, plain, seg, folder):
    found = measured(seg(), "--roi", folder)
    assert numbers_of(found) == numbers_of(plain) * 2
    assert found["summary"]["tmtv_ml"] == pytest.approx(plain["summary"]["tmtv_ml"], rel=1e-12)
    assert {row["roi_source"] for row in found["measurements"]} == {"DICOM SEG 1", "label map 2"}


def test_a_mask_of_a_folder_is_a_background(measured, tiny, folder):
    found = measured(tiny.lesions, "--background", f"self={folder}:site_2")
    assert found["references"][0]["roi_source"] == "label map, one region"


def test_a_seg_of_another_frame_of_reference_or_patient_is_refused_by_name(petquant_within, tiny, seg):
    def elsewhere(made):
        made.FrameOfReferenceUID, made.PatientID = "1.2.3", "SECRET"

    path = seg(elsewhere)
    result = petquant_within("suv", tiny.dicom, "--roi", path)
    assert (result.code, result.codes) == (4, ["FRAME_OF_REFERENCE_DIFFERS", "PATIENT_ID_DIFFERS"])
    assert "--ignore-frame-of-reference" in result.line("FRAME_OF_REFERENCE_DIFFERS")
    assert "--ignore-patient-id" in result.line("PATIENT_ID_DIFFERS")
    assert "SECRET" not in result.err


def test_what_is_passed_over_on_request_is_flagged_and_refused_under_strict(petquant_within, tiny, seg):
    def elsewhere(made):
        made.FrameOfReferenceUID, made.PatientID = "1.2.3", "SECRET"

    path = seg(elsewhere)
    both = ("--ignore-frame-of-reference", "--ignore-patient-id")
    result = petquant_within("suv", tiny.dicom, "--roi", path, "--format", "json", *both)
    assert result.code == 0
    assert {"FRAME_OF_REFERENCE_IGNORED", "PATIENT_ID_IGNORED"} <= flags_of(result.json)
    assert b"SECRET" not in result.out
    strict = petquant_within("suv", tiny.dicom, "--roi", path, "--strict", *both)
    assert strict.code == 4
    assert {"FRAME_OF_REFERENCE_IGNORED", "PATIENT_ID_IGNORED"} <= set(strict.codes)


def test_irregular_values_of_a_seg_put_no_foreign_words_on_stderr(petquant, tiny, seg):
    def irregular(made):
        made.FrameOfReferenceUID = "no uid at all"

    result = petquant("suv", tiny.dicom, "--roi", seg(irregular), "--ignore-frame-of-reference")
    assert result.code == 0
    assert all(line.startswith("petquant: ") for line in result.err.splitlines())


def test_missing_references_are_flagged_alone(measured, plain, seg):
    def forget(made):
        for frame in made.PerFrameFunctionalGroupsSequence:
            frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID += ".9"

    found = measured(seg(forget))
    assert numbers_of(found) == numbers_of(plain)
    assert flags_of(found) - flags_of(plain) == {"ROI_REFERENCES_MISSING"}


def test_a_seg_off_the_pet_gets_weights_that_keep_its_volume(measured, plain, seg):
    # 1 mm along a row of 4 mm voxels; both lesions lie well inside the image
    found = measured(seg(offset_mm=(1, 0, 0), has_references=False))
    assert "ROI_ON_OTHER_GRID" in flags_of(found)
    volumes = [row["mtv_ml"] for row in found["measurements"]]
    assert volumes == pytest.approx([row["mtv_ml"] for row in plain["measurements"]], rel=1e-9)


def test_fractional_seg_is_weighted(measured, seg_of, masks, plain):
    halves = {label: 128 * mask.astype(np.uint8) for label, mask in masks.items()}
    found = measured(seg_of(halves, kind="FRACTIONAL", fractional="OCCUPANCY", largest=255))
    volumes = [row["mtv_ml"] for row in plain["measurements"]]
    assert [row["mtv_ml"] for row in found["measurements"]] == pytest.approx(
        [volume * 128 / 255 for volume in volumes], rel=1e-12
    )


def test_values_between_0_and_1_need_a_meaning(petquant_within, measured, tiny, tmp_path, plain):
    image = nib.load(tiny.lesions)
    values = (np.asarray(image.dataobj) > 0).astype(np.float32) * 0.75
    path = tmp_path / "soft.nii.gz"
    nib.save(nib.Nifti1Image(values, image.affine), path)
    refused = petquant_within("suv", tiny.dicom, "--roi", path)
    assert (refused.code, refused.codes) == (4, ["ROI_LABELS_FRACTIONAL"])
    whole_ml = plain["summary"]["tmtv_ml"]
    weighted = measured(path, "--roi-values", "occupancy")
    assert weighted["summary"]["tmtv_ml"] == pytest.approx(
        0.75 * whole_ml, rel=1e-6
    )  # 0.75 is exact in float32
    cut = measured(path, "--roi-values", "probability")
    assert cut["summary"]["tmtv_ml"] == pytest.approx(whole_ml, rel=1e-12)
    above = petquant_within(
        "suv", tiny.dicom, "--roi", path, "--roi-values", "probability", "--probability-threshold", "0.8"
    )
    assert (above.code, above.codes) == (4, ["ROI_EMPTY"])


def test_a_frame_of_a_4d_label_map_is_chosen(petquant_within, measured, tiny, tmp_path, plain):
    image = nib.load(tiny.lesions)
    labels = np.asarray(image.dataobj)
    path = tmp_path / "frames.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([np.zeros_like(labels), labels], axis=-1), image.affine), path)
    refused = petquant_within("suv", tiny.dicom, "--roi", path)
    assert (refused.code, refused.codes) == (4, ["ROI_NOT_3D"])
    assert numbers_of(measured(path, "--roi-frame", "2")) == numbers_of(plain)
    empty = measured(path, "--roi-frame", "1", "--allow-empty")
    assert (empty["measurements"], empty["summary"]["n_lesions"]) == ([], 0)


@pytest.mark.parametrize(
    "options",
    [
        ("--roi-values", "guess"),
        ("--other-grid", "linear"),
        ("--edge", "soft"),
        ("--probability-threshold", "0"),
        ("--probability-threshold", "nan"),
    ],
)
def test_options_that_cannot_be_meant_are_a_matter_of_usage(petquant_within, tiny, options):
    result = petquant_within("suv", tiny.dicom, "--roi", tiny.lesions, *options)
    assert (result.code, result.codes) == (2, ["OPTION_INVALID"])
    assert options[0] in result.err


def test_a_dicom_object_that_holds_no_regions_says_what_it_is(petquant_within, tiny):
    result = petquant_within("suv", tiny.dicom, "--roi", tiny.pet / "IM0001.dcm")
    assert (result.code, result.codes) == (3, ["FORMAT_UNSUPPORTED"])
    assert "1.2.840.10008.5.1.4.1.1.128" in result.err


def test_a_region_that_reaches_out_of_the_image_says_how_much_is_lost(petquant_within, tiny, seg_of):
    # two voxels in a row; moved by 1.5 of them along i, one lies outside but for a half: 3/4 is lost
    mask = np.zeros((8, 16, 16), bool)
    mask[4, 8, 14:16] = True
    path = seg_of({1: mask}, offset_mm=(6, 0, 0), has_references=False)
    result = petquant_within("suv", tiny.dicom, "--roi", path, "--format", "json")
    assert result.code == 0
    assert "ROI_CLIPPED_BY_FOV" in flags_of(result.json)
    # half a voxel of 4 x 4 x 4 mm remains
    assert result.json["measurements"][0]["mtv_ml"] == pytest.approx(0.064 / 2, rel=1e-9)
    strict = petquant_within("suv", tiny.dicom, "--roi", path, "--strict")
    assert (strict.code, "ROI_CLIPPED_BY_FOV" in strict.codes) == (4, True)
    outside = seg_of({1: mask}, offset_mm=(600, 0, 0), has_references=False)
    refused = petquant_within("suv", tiny.dicom, "--roi", outside)
    assert (refused.code, refused.codes) == (4, ["ROI_OUTSIDE_FOV"])


QIN = """
1697 20.834312 10.295455 18.685367 19.037733 39.585613 407.551899
113 6.957569 5.183113 5.746178 5.893010 2.635931 13.662327
457 15.582540 8.048015 13.075448 13.456869 10.660357 85.794713
4230 19.526168 3.288226 17.335032 17.665318 98.672447 324.457332
211 9.955055 6.274974 8.758255 8.895418 4.921959 30.885165
375 16.737107 8.709497 13.320952 13.722604 8.747557 76.186828
922 21.791423 9.244213 19.276848 19.692402 21.507328 198.818313
950 16.961987 5.792589 14.199722 14.612420 22.160479 128.366546
222 12.143521 7.750652 10.184586 10.450030 5.178554 40.137172
43 4.930906 4.044907 5.169806 5.168021 1.003053 4.057257
62 8.419289 6.484984 6.817075 6.776919 1.446263 9.378992
"""
QIN_COLUMNS = (
    "n_voxels",
    "suv_max",
    "suv_mean",
    "suv_peak",
    "suv_peak_ibsi_global",
    "mtv_ml",
    "tlg_g",
)


@pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not at hand")
def test_a_real_study_and_its_seg_give_the_independent_values(petquant_within):
    folder = DATA / "qin0139_siemens_seg"
    result = petquant_within(
        "suv", folder / "image", "--roi", folder / "mask" / "mask.dcm", "--format", "json"
    )
    assert result.code == 0
    rows = result.json["measurements"]
    for row, line in zip(rows, QIN.strip().splitlines(), strict=True):
        for column, expected in zip(QIN_COLUMNS, line.split(), strict=True):
            # the references are printed with six decimals
            assert row[column] == pytest.approx(float(expected), rel=2e-6, abs=6e-7), column
    summary = result.json["summary"]
    assert summary["tmtv_ml"] == pytest.approx(216.519540, rel=2e-6)
    assert summary["ttlg_g"] == pytest.approx(1319.296543, rel=2e-6)
    assert summary["n_lesions"] == 11


def test_bad_080_left_and_right_exchanged_are_flagged_on_every_region(petquant_within, tmp_path):
    # the lesions stand out 3- to 6.5-fold on their side, and lie in even tissue on the other
    study = catalogue.build("two_tracer_fdg", tmp_path / "fdg")
    image = nib.load(study.lesions)
    flipped = tmp_path / "flipped.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine), flipped)
    runs = [
        petquant_within("suv", study.dicom, "--roi", roi, "--format", "json", *strict)
        for roi, strict in ((study.lesions, ()), (flipped, ()), (flipped, ("--strict",)))
    ]
    assert [run.code for run in runs] == [0, 0, 4]
    flags = [{code for row in run.json["measurements"] for code in row["flags"]} for run in runs[:2]]
    assert "LEFT_RIGHT_SUSPECT" not in flags[0]
    assert all("LEFT_RIGHT_SUSPECT" in row["flags"] for row in runs[1].json["measurements"])
    assert "mirrored about the middle of the image" in runs[1].line("note: LEFT_RIGHT_SUSPECT")
    assert "LEFT_RIGHT_SUSPECT" in runs[2].codes
