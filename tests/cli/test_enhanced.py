"""Enhanced PET goes through every command that reads a study, as a folder, a zip or a file."""

from __future__ import annotations

import hashlib
import zipfile

import nibabel
import numpy as np
import pytest


@pytest.fixture
def e(enhanced_pet):
    return enhanced_pet


@pytest.fixture(params=["folder", "zip", "file"])
def scan(request, e, tmp_path):
    """The Enhanced PET image in one of the forms that a study may have."""
    folder = e.save(tmp_path / "scan", e.enhanced_pet())
    (file,) = folder.iterdir()
    if request.param == "zip":
        archive = tmp_path / "scan.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
            made.write(file, "deep/in/it.dcm")
        return archive
    return folder if request.param == "folder" else file


def test_suv_measures_it_by_the_formula(petquant, e, scan, tmp_path):
    result = petquant("suv", scan, "--roi", e.region(tmp_path / "roi.nii.gz"), "--format", "json")
    assert result.code == 0, result.err
    record = result.json
    (row,) = record["measurements"]
    want = e.STORED[2, 3, 4] * 2.0 * e.FACTOR
    assert abs(row["suv_max"] / want - 1) < 1e-12
    assert record["series"]["n_slices"] == 4
    assert record["inputs"]["n_files"] == 1
    where = {one["quantity"]: (one["value"], one["keyword"], one["tag"]) for one in
             record["conversion"]["evidence"]}  # fmt: skip
    assert where["units"] == ("Bq/ml", "MeasurementUnitsCodeSequence", "(0040,08EA)")
    assert where["decay_correction"] == ("YES", "DecayCorrected", "(0018,9758)")
    assert where["corrected_image"] == ("YES", "AttenuationCorrected", "(0018,9759)")
    assert where["decay_corrected_to"] == ("20250101110000", "DecayCorrectionDateTime", "(0018,9701)")


def test_check_says_that_it_can_be_computed(petquant, scan):
    result = petquant("check", scan, "--format", "json")
    assert result.code == 0, result.err
    (series,) = result.json["series"]
    assert series["is_computable"]
    assert series["n_files"] == 1


def test_convert_writes_its_suv(petquant, e, scan, tmp_path):
    assert petquant("convert", scan, "-o", tmp_path / "suv.nii.gz").code == 0
    image = nibabel.load(tmp_path / "suv.nii.gz")
    got = np.asarray(image.dataobj).transpose()
    if image.affine[0, 0] > 0:
        got = got[:, :, ::-1]
    if image.affine[1, 1] > 0:
        got = got[:, ::-1]
    np.testing.assert_allclose(got, e.STORED * 2.0 * e.FACTOR, rtol=1e-6)  # float32


def test_lock_holds_it_to_its_bytes(petquant, e, scan, tmp_path):
    lock, roi = tmp_path / "study.sha256", e.region(tmp_path / "roi.nii.gz")
    assert petquant("lock", scan, "-o", lock).code == 0
    assert petquant("suv", scan, "--roi", roi, "--manifest", lock).code == 0
    if scan.suffix == ".dcm":
        assert hashlib.sha256(scan.read_bytes()).hexdigest() in lock.read_text()


def test_a_refusal_names_the_attribute_that_an_enhanced_image_has(petquant, e, tmp_path):
    image = e.enhanced_pet()
    image.AttenuationCorrected = "NO"
    del image.DecayCorrectionDateTime
    folder = e.save(tmp_path / "scan", image)
    result = petquant("suv", folder, "--roi", e.region(tmp_path / "roi.nii.gz"))
    assert result.code == 4
    assert set(result.codes) == {"SERIES_NAC", "REF_TIME_UNRESOLVED"}
    assert "AttenuationCorrected (0018,9759)" in result.line("SERIES_NAC")
    assert "DecayCorrectionDateTime (0018,9701)" in result.line("REF_TIME_UNRESOLVED")


def test_ratios_stay_valid_without_a_dose(petquant, e, tmp_path):
    image = e.enhanced_pet()
    image.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = None
    folder, roi = e.save(tmp_path / "scan", image), e.region(tmp_path / "roi.nii.gz")
    result = petquant("suv", folder, "--roi", roi, "--background", f"same={roi}", "--format", "json")
    assert result.code == 0, result.err
    assert "SUV_UNAVAILABLE_TBR_VALID" in result.json["conversion"]["flags"]


@pytest.mark.parametrize("out", ["made.nii.gz", "made.dcm"])
def test_regions_made_on_it_are_measured_on_it(petquant, e, scan, tmp_path, out):
    # 1 voxel of 4 x 4 x 3 mm about (16, 12, 6) mm, which is [k=2, j=3, i=4]
    made = petquant("segment", scan, "-o", tmp_path / out, "--box", "14,10,4.5,18,14,7.5")
    assert made.code == 0, made.err
    result = petquant("suv", scan, "--roi", tmp_path / out, "--format", "json")
    assert result.code == 0, result.err
    (row,) = result.json["measurements"]
    assert row["n_voxels"] == 1
    assert abs(row["suv_max"] / (e.STORED[2, 3, 4] * 2.0 * e.FACTOR) - 1) < 1e-12
    assert "ROI_REFERENCES_MISSING" not in result.json["conversion"]["flags"]


def test_a_segmentation_drawn_on_it_lands_on_its_frames(petquant, e, make_seg, tmp_path):
    image = e.enhanced_pet()
    folder = e.save(tmp_path / "scan", image)
    mask = np.zeros(e.SHAPE, np.uint8)
    mask[2, 3, 4] = 1
    slices = e.classic_slices()  # for their geometry; the SEG refers to the one file that holds all frames
    seg = make_seg(slices, {1: mask})
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = e.ENHANCED, image.SOPInstanceUID
        source.ReferencedFrameNumber = 3
    seg.save_as(tmp_path / "seg.dcm", enforce_file_format=True)
    result = petquant("suv", folder, "--roi", tmp_path / "seg.dcm", "--format", "json")
    assert result.code == 0, result.err
    (row,) = result.json["measurements"]
    assert abs(row["suv_max"] / (e.STORED[2, 3, 4] * 2.0 * e.FACTOR) - 1) < 1e-12
    assert "ROI_REFERENCES_MISSING" not in result.json["conversion"]["flags"]


def test_a_series_date_far_from_the_scan_leaves_the_record_whole(petquant, e, tmp_path):
    # 304 days are 4000 half-lives of 18F: what the series time would make of the SUV, no float64 holds
    image = e.enhanced_pet()
    image.SeriesDate = "20251101"
    folder = e.save(tmp_path / "scan", image)
    result = petquant("suv", folder, "--roi", e.region(tmp_path / "roi.nii.gz"), "--format", "json")
    assert result.code == 0, result.err
    (row,) = result.json["measurements"]
    assert abs(row["suv_max"] / (e.STORED[2, 3, 4] * 2.0 * e.FACTOR) - 1) < 1e-12
    series = next(one for one in result.json["conversion"]["candidates"] if one["id"] == "S")
    assert series["effect_percent"] is None
