"""Backgrounds by shape, by class of a label map, eroded, and found; in words and refused in words."""

from __future__ import annotations

from math import pi

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import catalogue, pet_datasets, write_datasets

# half a step of 16 bits whose largest value, 9 in the mediastinal node, is 32767
ROUNDING_SUV = 0.5 * 9.0 / 32767

LIVER_MM, LIVER_RADIUS_MM = np.array([-70.0, -20.0, -45.0]), 55.0  # definitions/two_tracer_fdg.toml


@pytest.fixture(scope="module")
def fdg(tmp_path_factory):
    return catalogue.build("two_tracer_fdg", tmp_path_factory.mktemp("fdg"))


@pytest.fixture
def measured(petquant_within, fdg):
    def run(*options):
        result = petquant_within("suv", fdg.dicom, "--roi", fdg.lesions, "--format", "json", *options)
        assert result.code == 0, result.err
        return result.json

    return run


@pytest.fixture
def refused(petquant_within, fdg):
    def run(*options, code, because):
        result = petquant_within("suv", fdg.dicom, "--roi", fdg.lesions, "--format", "json", *options)
        assert result.code == code, result.err
        assert because in result.codes, result.err
        assert result.out == b""
        return result

    return run


@pytest.fixture(scope="module")
def totalseg(fdg, tmp_path_factory):
    """The whole liver under the number of TotalSegmentator, on the grid of the lesions."""
    image = nib.load(fdg.lesions)
    ijk = np.indices(image.shape).reshape(3, -1)
    ras = image.affine @ np.vstack([ijk, np.ones(ijk.shape[1])])
    lps = ras[:3] * np.array([[-1.0], [-1.0], [1.0]])
    is_liver = np.linalg.norm(lps - LIVER_MM[:, None], axis=0) <= LIVER_RADIUS_MM
    path = tmp_path_factory.mktemp("totalseg") / "totalseg.nii.gz"
    nib.save(nib.Nifti1Image((5 * is_liver).reshape(image.shape).astype(np.uint8), image.affine), path)
    return path


def reference_of(record):
    (reference,) = record["references"]
    return reference


def test_a_sphere_and_a_cylinder_by_hand(measured):
    record = measured(
        "--background", "liver=sphere:-70,-20,-45,15", "--background", "blood_pool=cylinder:12,42,20,5,20"
    )
    liver, blood = record["references"]
    assert liver["volume_ml"] == pytest.approx(4 / 3 * pi * 1.5**3, rel=1e-9)
    assert liver["mean"] == pytest.approx(2.2, abs=ROUNDING_SUV)
    assert blood["volume_ml"] == pytest.approx(pi * 0.5**2 * 2.0, rel=1e-9)
    assert liver["placement"] is None
    for row in record["measurements"]:
        assert row["tbr_max_liver"] == pytest.approx(row["suv_max"] / liver["mean"], rel=1e-12)


def test_a_class_of_totalsegmentator_eroded(measured, totalseg):
    reference = reference_of(measured("--background", f"liver={totalseg}:liver,erode=10"))
    assert "label 5 (liver of TotalSegmentator v2)" in reference["roi_source"]
    assert "eroded 10 mm" in reference["roi_source"]
    # 45 mm are left, known to half a voxel of 4 mm
    assert 4 / 3 * pi * 4.3**3 <= reference["volume_ml"] <= 4 / 3 * pi * 4.7**3
    assert reference["mean"] == pytest.approx(2.2, abs=ROUNDING_SUV)


def test_a_place_that_is_found(measured):
    record = measured("--background", "liver=auto:liver", "--psf-fwhm-mm", "6")
    reference = reference_of(record)
    placement = reference["placement"]
    centre = np.array(placement["centre_mm_lps"])
    assert np.linalg.norm(centre - LIVER_MM) + 15.0 < LIVER_RADIUS_MM
    assert reference["mean"] == pytest.approx(2.2, abs=ROUNDING_SUV)
    assert reference["flags"] == ["REFERENCE_WITHOUT_CT"]  # the phantom has none
    assert reference["se"] == pytest.approx(reference["sd"] / reference["n_eff"] ** 0.5, rel=1e-12)
    assert reference["psf_fwhm_mm"] == 6.0
    assert {"REFERENCE_PLACED", "REFERENCE_WITHOUT_CT"} <= set(record["conversion"]["flags"])
    assert all("REFERENCE_WITHOUT_CT" in row["flags"] for row in record["measurements"])


def test_strict_rules_refuse_a_place_found_without_ct(refused):
    refused("--background", "liver=auto:liver", "--strict", code=4, because="REFERENCE_WITHOUT_CT")


def test_the_blood_pool_needs_a_ct(refused):
    refused("--background", "blood_pool=auto:blood_pool", code=4, because="REFERENCE_NEEDS_CT")


def test_lesions_are_taken_out_of_a_shape(measured):
    record = measured("--background", "node=sphere:-21.3,5.2,60.9,20")  # about the mediastinal node
    reference = reference_of(record)
    assert "LESION_OVERLAPS_BACKGROUND" in reference["flags"]
    assert reference["overlap_ml"] == pytest.approx(4 / 3 * pi * 1.1**3, rel=0.05)  # the node; whole voxels


def test_a_liver_outside_the_band_of_fdg_is_flagged(measured):
    # marrow instead of liver: uptake 1.2 in the phantom
    reference = reference_of(measured("--background", "liver=sphere:0,90,-60,8"))
    assert reference["mean"] < 1.3
    assert reference["flags"] == ["LIVER_OUTSIDE_FDG_BAND"]


def test_another_name_has_no_band(measured):
    assert reference_of(measured("--background", "marrow=sphere:0,90,-60,8"))["flags"] == []


def test_ratios_without_suv_find_their_place_too(petquant_within, fdg, tmp_path):
    def strip(dataset, _place):
        del dataset.PatientWeight

    write_datasets(pet_datasets(catalogue.load("two_tracer_fdg"), edit=strip), tmp_path / "bare")
    result = petquant_within(
        "suv",
        tmp_path / "bare",
        "--roi",
        fdg.lesions,
        "--background",
        "liver=auto:liver",
        "--format",
        "json",
    )
    assert result.code == 0, result.err
    (reference,) = result.json["references"]
    assert reference["unit"] == "Bq/mL"
    # the mediastinal node holds 9.0 at its middle, the liver 2.2
    node = result.json["measurements"][0]
    assert node["tbr_max_liver"] == pytest.approx(9.0 / 2.2, rel=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "liver=auto:spleen",
        "liver=sphere:1,2,3",
        "liver=sphere:1,2,3,-4",
        "liver=cylinder:1,2,three,4,5",
        "liver=auto:",
        "li ver=auto:liver",
    ],
)
def test_what_cannot_be_meant_is_refused(refused, text):
    refused("--background", text, code=2, because="OPTION_INVALID")


@pytest.mark.parametrize("erosion", ["0", "-2", "x", "inf"])
def test_an_erosion_is_a_length(refused, totalseg, erosion):
    refused("--background", f"liver={totalseg}:5,erode={erosion}", code=2, because="OPTION_INVALID")


@pytest.mark.parametrize("width", ["0", "-6", "inf"])
def test_the_width_of_noise_is_a_length(refused, width):
    refused(
        "--background",
        "liver=sphere:-70,-20,-45,15",
        "--psf-fwhm-mm",
        width,
        code=2,
        because="OPTION_INVALID",
    )


def test_a_shape_outside_the_pet_is_refused(refused):
    refused("--background", "liver=sphere:0,0,5000,15", code=4, because="ROI_OUTSIDE_FOV")


def test_a_threshold_takes_a_liver_that_is_found(petquant_within, fdg):
    result = petquant_within(
        "segment",
        fdg.dicom,
        "-o",
        "above.nii.gz",
        "--method",
        "liver",
        "--n-sd",
        "2",
        "--background",
        "liver=auto:liver",
    )
    assert result.code == 0, result.err
    assert "REFERENCE_WITHOUT_CT" in result.err
