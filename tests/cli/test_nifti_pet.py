"""A NIfTI PET with its side-car gives the numbers of the DICOM series that it was made of."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from dataclasses import replace

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY, catalogue, pet_datasets, write_datasets

FLOAT32 = 2.0**-23  # a NIfTI of float32 holds 24 bits
GIVEN = ("--injection-time", "10:00:00", "--weight-kg", "70")
SIDECAR = {
    "Units": "Bq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "TimeZero": "11:00:00",
    "ScanStart": 0,
    "InjectionStart": -3600,
    "FrameTimesStart": [0],
    "FrameDuration": [300],
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "AttenuationCorrection": "CT-based",
}


def stored_numbers(dataset):
    kind = np.dtype("<i2" if dataset.PixelRepresentation else "<u2")
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns)


@pytest.fixture
def bids(tmp_path):
    """The tiny phantom as a BIDS dataset: exact Bq/mL in float64, weight among the participants."""
    datasets = sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))
    bqml = np.stack([stored_numbers(ds) * float(ds.RescaleSlope) for ds in datasets])
    path = tmp_path / "bids/sub-01/pet/sub-01_pet.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(bqml.transpose(2, 1, 0), TINY.grid.ras_affine()), path)
    path.with_name("sub-01_pet.json").write_text(json.dumps(SIDECAR), encoding="utf-8")
    (tmp_path / "bids/participants.tsv").write_text("participant_id\tweight\nsub-01\t70\n", encoding="utf-8")
    return path


@pytest.fixture
def record(petquant_within, tiny):
    """The record of the lesions against muscle."""

    def measure(study, *options, roi=tiny.lesions):
        muscle = f"muscle={tiny.backgrounds['muscle']}"
        result = petquant_within(
            "suv", study, "--roi", roi, "--background", muscle, "--format", "json", *options
        )
        assert result.code == 0, result.err
        return result.json

    return measure


# Making regions


def test_regions_made_on_a_nifti_are_those_made_on_its_dicom(petquant_within, bids, tiny, tmp_path):
    for out, study in (("dicom.nii.gz", tiny.dicom), ("nifti.nii.gz", bids)):
        result = petquant_within("segment", study, "-o", out, "--method", "fixed", "--threshold", "2.5")
        assert result.code == 0, result.err
    made, same = (nib.load(tmp_path / name) for name in ("nifti.nii.gz", "dicom.nii.gz"))
    np.testing.assert_array_equal(made.dataobj, same.dataobj)
    np.testing.assert_allclose(made.affine, same.affine, atol=1e-6)
    sidecar = json.loads((tmp_path / "nifti.json").read_text(encoding="utf-8"))
    assert sidecar["unit"] == "g/mL"
    assert str(tmp_path) not in json.dumps(sidecar)


def test_shapes_are_drawn_on_a_nifti_that_gives_no_suv(petquant_within, bids):
    bids.with_suffix("").with_suffix(".json").unlink()
    result = petquant_within("segment", bids, "-o", "made.nii.gz", "--sphere", "0,0,0,9")
    assert result.code == 0, result.err


def test_a_dicom_seg_cannot_refer_to_a_nifti(petquant_within, bids, tmp_path):
    result = petquant_within("segment", bids, "-o", "made.dcm", "--sphere", "0,0,0,9")
    assert result.code == 3
    assert result.codes == ["FORMAT_UNSUPPORTED"]
    assert "label map" in result.line("FORMAT_UNSUPPORTED")
    assert not list(tmp_path.glob("made.*"))


def test_a_segmentation_never_overwrites_what_is_read_with_the_image(petquant_within, bids):
    read = bids.with_suffix("").with_suffix(".json")
    before = read.read_bytes()
    result = petquant_within("segment", bids, "-o", read.with_suffix(".nii"), "--sphere", "0,0,0,9")
    assert result.code == 2
    assert read.read_bytes() == before


# The hot sphere is flat at SUV 4: which of its voxels is the first, and on which side of the threshold of 4
# a rounded value falls, is up to the order and the precision of the file.
UNDECIDED = re.compile("(max|peak)_[xyz]_mm|.*_suv4_0_.*")


def assert_same_numbers(found, expected, *, rel, undecided=re.compile("$^")):
    assert len(found["measurements"]) == len(expected["measurements"])
    for mine, theirs in zip(found["measurements"], expected["measurements"], strict=True):
        for key, value in theirs.items():
            if undecided.fullmatch(key):
                continue
            if isinstance(value, float):
                assert mine[key] == pytest.approx(value, rel=rel, abs=1e-9), key
            elif key != "flags":
                assert mine[key] == value, key
    for key, value in expected["summary"].items():
        assert found["summary"][key] == pytest.approx(value, rel=rel), key


def test_every_number_is_that_of_the_dicom_series(bids, record, tiny):
    found, expected = record(bids), record(tiny.dicom)
    assert_same_numbers(found, expected, rel=1e-9)
    (hot, cold) = found["measurements"]
    for region, row in (("hot", hot), ("cold", cold)):
        truth = tiny.expected(region)["suv_max"]
        assert row["suv_max"] == pytest.approx(truth["value"], abs=truth["abs_tol"])
    assert found["conversion"]["factor"] == pytest.approx(tiny.truth["suv"]["factor"], rel=1e-12)
    weight = next(e for e in found["conversion"]["evidence"] if e["quantity"] == "weight_kg")
    assert weight["keyword"] == "weight in participants.tsv"
    assert found["inputs"]["n_files"] == 3


def test_regions_on_another_grid_are_weighed_alike(bids, record, tiny, tmp_path):
    labels = nib.load(tiny.lesions)
    finer = np.kron(np.asarray(labels.dataobj), np.ones((2, 2, 2), np.uint8))
    affine = labels.affine @ np.array(
        [[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1.0]]
    )
    nib.save(nib.Nifti1Image(finer.astype(np.uint8), affine), tmp_path / "finer.nii.gz")
    roi = tmp_path / "finer.nii.gz"
    assert_same_numbers(record(bids, roi=roi), record(tiny.dicom, roi=roi), rel=1e-9)


@pytest.mark.parametrize("suv_type", ["bw", "lbm-janma", "bsa"])
def test_what_convert_wrote_reads_back_with_no_option(suv_type, petquant_within, record, tiny, tmp_path):
    out = tmp_path / "suv.nii.gz"
    assert petquant_within("convert", tiny.dicom, "-o", out, "--suv", suv_type).code == 0
    for asked in {suv_type, "bw"}:
        found = record(out, "--suv", asked)
        assert_same_numbers(found, record(tiny.dicom, "--suv", asked), rel=4 * FLOAT32, undecided=UNDECIDED)
        assert found["series"]["frame_of_reference_uid"]
    native = record(out, "--suv", "native")
    assert native["conversion"]["factor"] == 1.0


def test_a_seg_drawn_on_the_series_fits_the_suv_that_was_made_of_it(
    petquant_within, tiny, tmp_path, make_seg, save_seg
):
    out = tmp_path / "suv.nii.gz"
    assert petquant_within("convert", tiny.dicom, "-o", out).code == 0
    slices = sorted(
        map(pydicom.dcmread, tiny.pet.iterdir()), key=lambda ds: float(ds.ImagePositionPatient[2])
    )
    labels = np.asarray(nib.load(tiny.lesions).dataobj).transpose(2, 1, 0)
    seg = save_seg(make_seg(slices, {1: labels == 1}))
    found = petquant_within("suv", out, "--roi", seg, "--format", "json")
    assert found.code == 0, found.err
    (hot,) = found.json["measurements"]
    assert hot["suv_mean"] == pytest.approx(tiny.expected("hot")["suv_mean"]["value"], rel=1e-3)
    assert hot["n_voxels"] == int((labels == 1).sum())


def test_uneven_slices_keep_their_places_through_convert(petquant_within, record, study_of, tmp_path):
    uneven = study_of(replace(TINY, name="uneven"), name="uneven")
    datasets = sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))
    shift_mm = [0, 0, 0, 0.1, 0.1, 0, 0, 0]
    for dataset, shift in zip(datasets, shift_mm, strict=True):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + shift]
    write_datasets(datasets, tmp_path / "beds")
    out = tmp_path / "suv.nii.gz"
    assert petquant_within("convert", tmp_path / "beds", "-o", out).code == 0
    roi = uneven.lesions
    found, expected = record(out, roi=roi), record(tmp_path / "beds", roi=roi)
    assert expected["series"]["has_even_slices"] is False
    assert_same_numbers(found, expected, rel=4 * FLOAT32, undecided=UNDECIDED)


def test_check_explains_a_side_car_and_reads_no_number(petquant_within, bids):
    result = petquant_within("check", bids, "--format", "json")
    assert result.code == 0, result.err
    (series,) = result.json["series"]
    assert series["is_computable"]
    assert series["series_uid"] is None
    table = petquant_within("check", bids)
    assert b"InjectedRadioactivity" in table.out
    assert b"stated in the file" in table.out


def test_convert_takes_a_nifti_and_leaves_its_side_car_alone(petquant_within, bids, tmp_path):
    before = bids.with_name("sub-01_pet.json").read_bytes()
    clash = petquant_within("convert", bids, "-o", bids.with_name("sub-01_pet.nii"))
    assert clash.codes == ["OPTION_INVALID"]
    assert petquant_within("check", bids, "--out", bids.with_name("sub-01_pet.json")).code == 2
    assert bids.with_name("sub-01_pet.json").read_bytes() == before
    out = tmp_path / "suv.nii.gz"
    assert petquant_within("convert", bids, "-o", out).code == 0
    suv = np.asarray(nib.load(out).dataobj)
    bqml = np.asarray(nib.load(bids).dataobj)
    factor = 70000.0 / (350e6 * 2.0 ** (-3600.0 / 6586.2))
    assert np.allclose(suv.transpose(2, 1, 0), bqml.transpose(2, 1, 0) * factor, rtol=4 * FLOAT32, atol=0)


@pytest.mark.parametrize("changed", ["sub-01_pet.json", "sub-01_pet.nii.gz", "../../participants.tsv"])
def test_a_lock_covers_the_image_and_what_is_read_with_it(changed, petquant_within, bids, tiny, tmp_path):
    manifest = tmp_path / "study.sha256"
    assert petquant_within("lock", bids, "-o", manifest).code == 0
    assert len(manifest.read_text(encoding="utf-8").splitlines()) == 3
    args = ("suv", bids, "--roi", tiny.lesions, "--format", "csv", "--manifest", manifest)
    assert petquant_within(*args).code == 0
    with (bids.parent / changed).open("ab") as file:
        file.write(b"\n")
    refused = petquant_within(*args)
    assert refused.code == 4
    assert refused.codes == ["MANIFEST_MISMATCH"]
    assert changed in refused.line("MANIFEST_MISMATCH")


def test_side_car_times_are_trusted_on_request(petquant_within, bids, tiny):
    bids.with_name("sub-01_pet.json").write_text(
        json.dumps(SIDECAR | {"InjectionStart": 0}), encoding="utf-8"
    )
    args = ("suv", bids, "--roi", tiny.lesions, "--format", "json")
    refused = petquant_within(*args)
    assert refused.codes == ["SIDECAR_INJECTION_EQUALS_SCAN"]
    trusted = petquant_within(*args, "--trust-sidecar-times")
    assert trusted.json["conversion"]["factor"] == pytest.approx(70.0 / 350e3, rel=1e-12)
    assert "--trust-sidecar-times" in str(trusted.json["conversion"]["overrides"])


def test_no_path_and_no_subject_stands_in_the_outputs(petquant_within, bids, tiny, tmp_path):
    (tmp_path / "key").write_bytes(b"secret")
    for options in ((), ("--pseudonym-key", tmp_path / "key")):
        result = petquant_within("suv", bids, "--roi", tiny.lesions, "--format", "json", *options)
        assert b"sub-01" not in result.out
        assert str(tmp_path).encode() not in result.out


def test_a_ratio_needs_no_injection(petquant_within, bids, tiny):
    bids.with_name("sub-01_pet.json").write_text(
        json.dumps({key: value for key, value in SIDECAR.items() if key != "InjectionStart"}),
        encoding="utf-8",
    )
    muscle = f"muscle={tiny.backgrounds['muscle']}"
    result = petquant_within("suv", bids, "--roi", tiny.lesions, "--background", muscle, "--format", "json")
    assert result.code == 0, result.err
    assert "SUV_UNAVAILABLE_TBR_VALID" in result.json["conversion"]["flags"]
    hot = result.json["measurements"][0]
    assert hot["tbr_max_muscle"] == pytest.approx(4.0, rel=1e-3)  # of 4 against 1, numbers of 16 bits


@pytest.fixture
def dcm2niix(tmp_path):
    tool = shutil.which("dcm2niix")
    if tool is None:
        pytest.skip("dcm2niix is not installed")

    def convert(folder, *options):
        out = tmp_path / "converted"
        out.mkdir()
        words = [tool, "-z", "y", "-b", "y", "-f", "pet", *options, "-o", out, folder]
        done = subprocess.run(list(map(str, words)), capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
        return out / "pet.nii.gz"

    return convert


def test_what_dcm2niix_makes_of_a_series_gives_its_numbers(dcm2niix, petquant_within, record, tiny):
    path = dcm2niix(tiny.dicom)
    refused = petquant_within("suv", path, "--roi", tiny.lesions)
    assert set(refused.codes) == {"WEIGHT_MISSING", "SIDECAR_TIMES_MISSING"}
    found = record(path, *GIVEN)
    assert found["conversion"]["factor"] == pytest.approx(tiny.truth["suv"]["factor"], rel=1e-12)
    # dcm2niix keeps the numbers of 16 bits with one slope in float32, or writes float32
    assert_same_numbers(found, record(tiny.dicom), rel=4 * FLOAT32, undecided=UNDECIDED)


def test_dcm2niix_without_anonymisation_keeps_the_weight(dcm2niix, record, tiny):
    found = record(dcm2niix(tiny.dicom, "-ba", "n"), "--uptake-min", "60")
    assert found["conversion"]["weight_kg"] == 70.0
    assert_same_numbers(found, record(tiny.dicom), rel=4 * FLOAT32, undecided=UNDECIDED)


def test_an_early_series_time_survives_dcm2niix(dcm2niix, record, tmp_path, tiny):
    # corrected to 10:50, ten minutes before the acquisition: dt = 3000 s
    half_life_s = 6586.2
    constant = math.log(2.0) / half_life_s
    x = constant * 300.0
    average_s = math.log(x / -math.expm1(-x)) / constant

    def early(dataset, _place):
        dataset.SeriesTime = "105000"
        dataset.DecayFactor = f"{math.exp(constant * (600.0 + average_s)):.6f}"
        dataset.FrameReferenceTime = f"{1000 * (600.0 + average_s):.3f}"

    write_datasets(pet_datasets(TINY, edit=early), tmp_path / "early")
    found = record(dcm2niix(tmp_path / "early"), *GIVEN)
    expected = 70000.0 / (350e6 * 2.0 ** (-3000.0 / half_life_s))
    assert found["conversion"]["factor"] == pytest.approx(expected, rel=1e-12)


def test_an_oblique_grid_survives_dcm2niix(dcm2niix, petquant_within, tmp_path):
    study = catalogue.build("oblique", tmp_path / "oblique")
    measured = []
    for path, given in (
        (dcm2niix(study.dicom, "-ba", "n"), ("--injection-time", "10:00:00")),
        (study.dicom, ()),
    ):
        result = petquant_within("suv", path, "--roi", study.lesions, "--format", "json", *given)
        assert result.code == 0, result.err
        measured.append(result.json)
    assert_same_numbers(*measured, rel=1e-5, undecided=UNDECIDED)  # positions pass through float32


@pytest.mark.parametrize("value", [1e100, -1e100])
def test_values_that_cannot_be_reckoned_with_are_refused_whatever_is_allowed(
    value, petquant_within, tiny, tmp_path
):
    values = np.ones(nib.load(tiny.lesions).shape)
    values[0, 0, 0] = value
    nib.save(nib.Nifti1Image(values, nib.load(tiny.lesions).affine), tmp_path / "pet.nii")
    result = petquant_within(
        "suv", "pet.nii", "--roi", tiny.lesions, "--units", "suv", "--allow-extreme", "--format", "json"
    )
    assert (result.code, result.codes) == (4, ["SUV_EXTREME"]), result.err
