"""The command makes regions that ``petquant suv`` measures, and says how they came about."""

from __future__ import annotations

import json
from math import pi

import nibabel as nib
import numpy as np
import pytest
from petquant_cli.segment import METHODS as OF_COMMAND
from petquant_phantoms import catalogue

from petquant.delineation import METHODS

LUNG = "lung=-82.7,22.4,50.2,25"  # a sphere about the lung nodule, two_tracer_fdg
LIVER = "liver=-70,-20,-45,15"


@pytest.fixture(scope="module")
def fdg(tmp_path_factory):
    return catalogue.build("two_tracer_fdg", tmp_path_factory.mktemp("fdg"))


@pytest.fixture
def segmented(petquant_within, fdg, tmp_path):
    """Run the command, and return labels [i, j, k] and side-car."""

    def run(*options, out="made.nii.gz", study=None):
        result = petquant_within("segment", study or fdg.dicom, "-o", out, *options)
        assert result.code == 0, result.err
        image = nib.load(tmp_path / out)
        sidecar = json.loads((tmp_path / out).with_name("made.json").read_text(encoding="utf-8"))
        return image, sidecar, result

    return run


@pytest.fixture
def refused(petquant_within, fdg, untouched):
    """Run the command on what cannot be meant or done: nothing is written."""

    def run(*options, code, because, out="made.nii.gz", study=None):
        with untouched():
            result = petquant_within("segment", study or fdg.dicom, "-o", out, *options)
        assert result.code == code, result.err
        assert because in result.codes, result.err
        return result

    return run


@pytest.fixture
def measured(petquant_within, fdg):
    def run(*options):
        result = petquant_within("suv", fdg.dicom, "--format", "json", *options)
        assert result.code == 0, result.err
        return result.json

    return run


def values_of(image):
    return np.asarray(image.dataobj)


def labels_of(path):
    return values_of(nib.load(path))


def test_a_sphere_becomes_a_label_on_the_grid_of_the_pet(segmented, fdg):
    image, sidecar, result = segmented("--sphere", LIVER)
    truth = nib.load(fdg.backgrounds["liver"])
    assert image.get_data_dtype() == np.uint8
    region = sidecar["regions"]["1"]
    assert region["name"] == "liver"
    assert region["volume_ml"] == pytest.approx(4 / 3 * pi * 15**3 / 1000, rel=1e-9)
    assert region["n_voxels"] == np.count_nonzero(values_of(image))
    assert region["flags"] == ["LABEL_MAP_HALF"]
    assert "LABEL_MAP_HALF: region 1 (liver): whole voxels: 14.1372 mL became" in result.err
    # the phantom's own mask of that sphere holds the voxels whose centre is inside
    ours = nib.as_closest_canonical(image)
    theirs = nib.as_closest_canonical(truth)
    assert ours.affine == pytest.approx(theirs.affine, abs=1e-3)
    both = np.count_nonzero(values_of(ours).astype(bool) & (values_of(theirs) > 0))
    assert 2 * both / (region["n_voxels"] + np.count_nonzero(values_of(theirs))) > 0.95


def test_shapes_need_no_suv(segmented, study_of):
    def strip(dataset, _place):
        del dataset.PatientWeight

    study = study_of(edit=strip)
    _, sidecar, _ = segmented("--sphere", "0,0,0,10", study=study.dicom)
    assert sidecar["suv_type"] is None
    assert sidecar["conversion"] is None


def test_occupancy_keeps_the_fractions_for_suv(segmented, measured, tmp_path):
    image, sidecar, _ = segmented("--sphere", LIVER, "--occupancy")
    assert image.get_data_dtype() == np.float32
    assert sidecar["has_fractions"] is True
    rows = measured("--roi", tmp_path / "made.nii.gz", "--roi-values", "occupancy")["measurements"]
    assert rows[0]["mtv_ml"] == pytest.approx(4 / 3 * pi * 15**3 / 1000, rel=1e-6)  # weights as float32


def test_cylinder_and_box_have_their_volume(segmented):
    _, sidecar, _ = segmented(
        "--cylinder",
        "aorta=12,42,20,6,60",
        "--box",
        "-40,-40,-40,-13,-20,-9",
        "--cylinder",
        "0,-40,50,5,20,1,0,0",
    )
    found = {one["name"]: one["volume_ml"] for one in sidecar["regions"].values()}
    assert found["aorta"] == pytest.approx(pi * 36 * 60 / 1000, rel=1e-9)
    assert found["cylinder 2"] == pytest.approx(pi * 25 * 20 / 1000, rel=1e-9)
    assert found["box 1"] == pytest.approx(27 * 20 * 31 / 1000, rel=1e-9)


def test_a_fraction_in_a_sphere_is_the_volume_that_suv_counts(segmented, measured, tmp_path):
    image, sidecar, _ = segmented("--method", "fraction", "--fraction", "0.41", "--sphere", LUNG)
    (region,) = sidecar["regions"].values()
    n = np.count_nonzero(values_of(image))
    made = measured("--roi", tmp_path / "made.nii.gz", "--labels", tmp_path / "made.json")
    (row,) = made["measurements"]
    assert row["mtv_ml"] == row["mtv41_ml"] == pytest.approx(n * 0.064, rel=1e-9)  # 4 mm cubes
    assert region["threshold"] == pytest.approx(0.41 * row["suv_max"], rel=1e-12)
    assert row["suv_min"] >= region["threshold"]
    assert row["roi_source"] == f"label map: {region['roi_source']}"
    assert row["roi_source"].startswith("label map: threshold 41 % of max = ")


def test_seeds_keep_their_labels_and_names(segmented, fdg, tmp_path):
    image, sidecar, _ = segmented(
        "--method",
        "fraction",
        "--fraction",
        "0.5",
        "--within",
        fdg.lesions,
        "--labels",
        fdg.labels,
        "--connected",
    )
    names = json.loads(fdg.labels.read_text(encoding="utf-8"))
    assert {label: one["name"] for label, one in sidecar["regions"].items()} == names
    seeds = labels_of(fdg.lesions)
    made = values_of(nib.as_closest_canonical(image))
    assert set(np.unique(made)) == {0, *map(int, names)}
    assert (made[made > 0] == values_of(nib.as_closest_canonical(nib.load(fdg.lesions)))[made > 0]).all()
    assert np.count_nonzero(made) < np.count_nonzero(seeds)


def test_one_label_of_the_seeds_is_named_after_a_colon(segmented, fdg):
    _, sidecar, _ = segmented("--method", "otsu", "--within", f"{fdg.lesions}:2")
    assert list(sidecar["regions"]) == ["2"]


def test_percist_takes_its_threshold_from_the_liver(segmented, petquant_within, fdg):
    _, sidecar, _ = segmented(
        "--method",
        "percist",
        "--suv",
        "lbm",
        "--background",
        f"liver={fdg.backgrounds['liver']}",
        "--components",
    )
    liver = sidecar["background"]
    expected = 1.5 * liver["mean"] + 2 * liver["sd"]
    assert sidecar["regions"]
    for one in sidecar["regions"].values():
        assert one["threshold"] == pytest.approx(expected, rel=1e-12)
    volumes = [one["volume_ml"] for one in sidecar["regions"].values()]
    assert volumes == sorted(volumes, reverse=True)
    as_suv = petquant_within(
        "suv", fdg.dicom, "--suv", "lbm", "--roi", fdg.backgrounds["liver"], "--format", "json"
    ).json["measurements"][0]
    assert liver["mean"] == pytest.approx(as_suv["suv_mean"], rel=1e-12)
    assert liver["sd"] == pytest.approx(as_suv["suv_sd"], rel=1e-9, abs=1e-12)


def test_a_fixed_threshold_finds_the_lesions_of_the_phantom(segmented, fdg):
    # all four lesions hold 5 g/mL or more, everything else 2.2 or less
    _, sidecar, _ = segmented(
        "--method", "fixed", "--threshold", "2.5", "--components", "--min-volume-ml", "0.5", "--name", "hot"
    )
    assert [one["name"] for one in sidecar["regions"].values()] == ["hot 1", "hot 2", "hot 3", "hot 4"]
    assert all(
        "26-connected component, at least 0.5 mL" in one["roi_source"] for one in sidecar["regions"].values()
    )


def test_a_mask_is_split_into_its_parts(segmented, fdg, measured, tmp_path):
    mask = nib.load(fdg.lesions)
    one = nib.Nifti1Image((values_of(mask) > 0).astype(np.uint8), mask.affine)
    nib.save(one, tmp_path / "mask.nii.gz")
    _, sidecar, _ = segmented("--within", "mask.nii.gz", "--components")
    seeds = values_of(nib.as_closest_canonical(mask))
    sizes = sorted(np.unique(seeds[seeds > 0], return_counts=True)[1].tolist(), reverse=True)
    assert [region["n_voxels"] for region in sidecar["regions"].values()] == sizes
    split = measured("--roi", tmp_path / "mask.nii.gz", "--split-components")
    assert [row["n_voxels"] for row in split["measurements"]] == sizes
    assert [row["roi_id"] for row in split["measurements"]] == ["1.1", "1.2", "1.3", "1.4"]
    assert split["summary"]["n_lesions"] == 4
    assert split["measurements"][0]["roi_source"] == "label map, 26-connected component"


def test_backgrounds_may_be_numbers(segmented):
    _, sidecar, _ = segmented(
        "--method", "adapted", "--fraction", "0.5", "--background-suv", "0.8", "--sphere", LUNG
    )
    (region,) = sidecar["regions"].values()
    assert sidecar["background"] == {"name": None, "mean": 0.8}
    assert "threshold 0.5 (max + background 0.8) = " in region["roi_source"]


def test_the_side_car_holds_the_rule_with_its_parameters(segmented):
    _, sidecar, _ = segmented(
        "--method", "schaefer", "--a", "0.5", "--b", "0.4", "--background-suv", "0.8", "--sphere", LUNG
    )
    assert sidecar["method"]["rule"].startswith("x >= A I70 + B background")
    assert sidecar["method"]["parameters"] == {"a": 0.5, "b": 0.4}
    assert sidecar["suv_type"] == "bw"
    assert sidecar["conversion"]["factors"]["bw"] > 0


def test_the_same_command_writes_the_same_bytes(segmented, tmp_path):
    for _ in range(2):
        segmented("--method", "otsu", "--sphere", LUNG)
        files = [(tmp_path / name).read_bytes() for name in ("made.nii.gz", "made.json")]
    segmented("--method", "otsu", "--sphere", LUNG)
    assert files == [(tmp_path / name).read_bytes() for name in ("made.nii.gz", "made.json")]


def test_overlapping_regions_are_no_label_map(refused):
    result = refused("--sphere", "a=0,0,0,20", "--sphere", "b=10,0,0,20", code=4, because="LABEL_MAP_OVERLAP")
    assert "region 1 (a) and region 2 (b) share" in result.err
    assert "DICOM SEG" in result.err


def test_a_shape_smaller_than_half_a_voxel_keeps_its_heaviest(segmented):
    image, sidecar, result = segmented("--sphere", "dot=0.1,0.1,0.1,1")
    assert np.count_nonzero(values_of(image)) == 1
    assert sidecar["regions"]["1"]["flags"] == ["NO_VOXEL_ABOVE_HALF"]
    assert "NO_VOXEL_ABOVE_HALF: region 1 (dot)" in result.err


def test_nothing_found_is_an_error_or_on_request_an_answer(refused, segmented):
    nothing = ("--method", "fixed", "--threshold", "1000")
    refused(*nothing, code=4, because="ROI_EMPTY")
    image, sidecar, result = segmented(*nothing, "--allow-empty")
    assert not values_of(image).any()
    assert sidecar["regions"] == {}
    assert "THRESHOLD_EMPTY" in result.err


def test_a_seed_without_a_voxel_is_named(segmented):
    _, sidecar, result = segmented(
        "--method", "fixed", "--threshold", "2.5", "--sphere", LUNG, "--sphere", "air=0,-130,0,8"
    )
    assert list(sidecar["regions"]) == ["1"]
    assert "THRESHOLD_EMPTY: region 2 (air)" in result.err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--method", "fixed"),
        ("--method", "fraction", "--fraction", "0.41"),
        ("--method", "percist", "--background-suv", "2"),
        ("--method", "flab"),
        ("--threshold", "4", "--sphere", LUNG),
        ("--connected", "--sphere", LUNG),
        ("--name", "x", "--sphere", LUNG),
        ("--method", "otsu", "--sphere", LUNG, "--name", "x"),
        ("--method", "otsu", "--sphere", LUNG, "--labels", "x.json"),
        ("--method", "otsu", "--sphere", LUNG, "--suv", "bw", "--suv", "lbm"),
        ("--sphere", LUNG, "--background-suv", "2"),
        ("--sphere", "1,2,3"),
        ("--sphere", "1,2,3,four"),
        ("--sphere", "1,2,3,-4"),
        ("--sphere", LUNG, "--connectivity", "8"),
        ("--sphere", LUNG, "--min-volume-ml", "-1"),
        ("--sphere", LUNG, "--sphere", LIVER, "--occupancy"),
    ],
)
def test_what_means_nothing_is_refused(refused, options):
    refused(*options, code=2, because="OPTION_INVALID")


def test_the_side_car_does_not_overwrite_what_is_read(refused, fdg, tmp_path):
    names = tmp_path / "made.json"
    names.write_bytes(fdg.labels.read_bytes())
    refused("--within", fdg.lesions, "--labels", names, code=2, because="OPTION_INVALID")


@pytest.mark.parametrize("out", ["made.nrrd", "made", "made.json"])
def test_another_suffix_is_refused(refused, out):
    refused("--sphere", LUNG, out=out, code=2, because="OPTION_INVALID")


def test_a_method_needs_what_suv_needs(refused, study_of):
    def strip(dataset, _place):
        del dataset.PatientWeight

    study = study_of(edit=strip)
    refused("--method", "fixed", "--threshold", "2", study=study.dicom, code=4, because="WEIGHT_MISSING")


def test_dicom_seg_is_read_back_as_it_was(petquant_within, fdg, measured, tmp_path):
    result = petquant_within(
        "segment", fdg.dicom, "-o", "made.dcm", "--sphere", "a=0,0,0,20", "--sphere", "b=10,0,0,20"
    )
    assert result.code == 0, result.err
    sidecar = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    rows = measured("--roi", tmp_path / "made.dcm")["measurements"]
    assert [row["n_voxels"] for row in rows] == [one["n_voxels"] for one in sidecar["regions"].values()]
    assert [row["roi_name"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize("how", [("made.dcm",), ("made.nii.gz", "--occupancy", "--roi-values", "occupancy")])
def test_the_side_car_numbers_regions_as_the_file_that_counts_them_itself(
    how, petquant_within, fdg, measured, tmp_path
):
    # a SEG numbers its segments from 1 (PS3.3 C.8.20.2), and a map of fractions holds region 1
    out, *fractions = how
    result = petquant_within("segment", fdg.dicom, "-o", out, "--within", f"{fdg.lesions}:3", *fractions[:1])
    assert result.code == 0, result.err
    sidecar = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    assert list(sidecar["regions"]) == ["1"]
    record = measured("--roi", tmp_path / out, "--labels", tmp_path / "made.json", *fractions[1:])
    (row,) = record["measurements"]
    assert row["roi_id"] == 1
    assert row["mtv_ml"] == pytest.approx(sidecar["regions"]["1"]["volume_ml"], rel=1e-6)


def test_the_methods_of_the_command_are_those_of_the_library():
    assert tuple(METHODS) == OF_COMMAND
