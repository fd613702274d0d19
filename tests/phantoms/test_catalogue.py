"""Every phantom of the catalogue can be built, validates and is the same on every run."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import catalogue, lesion_labels
from petquant_phantoms.definition_file import DefinitionError

# of more than half a million voxels, by the same writer: built once, where their truth is measured
LARGE = {"suv_dro", "torso_fdg", "torso_pentixafor", "nema_earl1", "nema_earl2", "nema_fail"}
BUILT_OFTEN = [name for name in catalogue.names() if name not in LARGE]
DAMAGED_ON_PURPOSE = {"stripped"}


@pytest.mark.parametrize("name", BUILT_OFTEN)
def test_two_builds_have_the_same_hashes(name, tmp_path):
    first = catalogue.build(name, tmp_path / "first")
    second = catalogue.build(name, tmp_path / "second")
    manifests = [(study.root / "MANIFEST.sha256").read_bytes() for study in (first, second)]
    assert manifests[0] == manifests[1]
    assert b"truth.json" in manifests[0]


@pytest.mark.parametrize("name", BUILT_OFTEN)
def test_no_decimal_string_is_longer_than_the_standard_allows(name, tmp_path):
    if name in DAMAGED_ON_PURPOSE:
        pytest.skip("writes a long decimal string on purpose")
    study = catalogue.build(name, tmp_path)
    ds = pydicom.dcmread(next(iter(sorted(study.pet.iterdir()))))
    for element in ds.iterall():
        if element.VR == "DS":
            values = element.value if element.VM > 1 else [element.value]
            assert all(len(str(value)) <= 16 for value in values), element.keyword


@pytest.mark.parametrize(
    "name",
    [
        "tiny",
        "oblique",
        "feet_first_supine",
        "head_first_prone",
        "reversed_slices",
        "shuffled_slices",
        "non_square",
        "anisotropic",
    ],
)
def test_simpleitk_finds_the_label_map_on_the_grid_of_the_series(name, tmp_path):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    study = catalogue.build(name, tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(study.pet)))
    series, labels = reader.Execute(), sitk.ReadImage(str(study.lesions))
    corners = [(i, j, k) for i in (0, 5) for j in (0, 7) for k in (0, 6)]
    for corner in corners:
        # float32 affines in NIfTI and ten digits in decimal strings: 1e-4 mm is ample for both
        on_labels = labels.TransformIndexToPhysicalPoint(corner)
        index = series.TransformPhysicalPointToContinuousIndex(on_labels)
        np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
    found = sitk.GetArrayFromImage(sitk.Resample(labels, series, sitk.Transform(), sitk.sitkNearestNeighbor))
    values = sitk.GetArrayFromImage(series) * study.truth["suv"]["factor"]
    for region in study.truth["regions"]:
        if region["role"] == "lesion":
            inside = values[found == region["label"]]
            assert inside.size == region["expected"]["n_voxels"]["value"]
            expected = region["expected"]["suv_mean"]
            # SimpleITK reads slopes into single precision on top of our own tolerance
            assert inside.mean() == pytest.approx(expected["value"], abs=expected["abs_tol"] + 1e-6)


def test_every_header_case_is_loaded_by_its_name():
    # 43 valid and 15 invalid cases of the survey, 7 of them again, on two objects, and our own
    names = catalogue.header_cases()
    assert sum(name.startswith("ibsi_suv/") for name in names) == 43 + 15 + 7
    assert sum(name.startswith("ibsi_suv_small/") for name in names) == 43 + 15 + 7
    assert len(set(names)) == len(names)
    for name in names:
        definition = catalogue.load(name)
        assert definition.name == name
        assert definition.expected == "ok" or definition.expected.isupper()


@pytest.mark.parametrize("name", ["ibsi_suv_small/7_1_0_bq", "suv/O18_different"])
def test_a_header_case_is_built_like_any_phantom(name, tmp_path):
    truth = catalogue.build(name, tmp_path).truth
    assert truth["phantom"] == name
    assert truth["series"]["error_code"] == ("DOSE_MULTIPLE" if name.startswith("suv/") else None)


def test_an_unknown_header_case_is_answered_with_the_names_of_all():
    with pytest.raises(DefinitionError, match="no phantom 'suv/O99'; there are acr"):
        catalogue.load("suv/O99")


def test_label_map_keeps_indices_and_integers(tmp_path):
    study = catalogue.build("touching_lesions", tmp_path)
    image = nib.load(study.lesions)
    stored = np.asarray(image.dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(stored, lesion_labels(catalogue.load("touching_lesions")))
    assert image.header["sform_code"] == image.header["qform_code"] == 1
    assert study.labels.read_text(encoding="utf-8").split() == [
        "{",
        '"1":',
        '"left",',
        '"2":',
        '"right"',
        "}",
    ]


def test_both_tracers_show_one_patient_and_one_anatomy():
    fdg, pentixafor = catalogue.load("two_tracer_fdg"), catalogue.load("two_tracer_pentixafor")
    assert fdg.grid == pentixafor.grid
    assert fdg.header.patient_id == pentixafor.header.patient_id
    shapes = [[(u.name, u.shape) for u in phantom.body.uptakes] for phantom in (fdg, pentixafor)]
    assert shapes[0] == shapes[1]
    seen = [{region.name for region in phantom.body.lesions} for phantom in (fdg, pentixafor)]
    assert seen[0] & seen[1] == {"mediastinal node", "axillary node"}
    assert seen[0] - seen[1] == {"lung nodule", "splenic lesion"}
    assert seen[1] - seen[0] == {"vertebral lesion", "para-aortic node"}
    nuclides = [phantom.header.radiopharmaceutical.nuclide.code.value for phantom in (fdg, pentixafor)]
    assert nuclides == ["77004003", "35337001"]


def test_single_voxels_of_the_reference_object_are_stored_as_they_are(tmp_path, plain_suv):
    suv = plain_suv.suv_volume(plain_suv.read(catalogue.build("dro_like", tmp_path).pet))
    half_unit = 0.5 * 4.11 / 32767.0  # one slope for the volume: its largest value fills the range
    assert suv[4, 32, 19] == pytest.approx(4.11, abs=1.01 * half_unit)
    assert suv[4, 32, 44] == pytest.approx(-0.11, abs=1.01 * half_unit)


def test_time_frames_and_gates_repeat_positions(tmp_path):
    for name, count in (("dynamic", 3), ("gated", 2)):
        study = catalogue.build(name, tmp_path / name)
        datasets = [pydicom.dcmread(path) for path in sorted(study.pet.iterdir())]
        positions = {tuple(ds.ImagePositionPatient) for ds in datasets}
        assert (len(datasets), len(positions)) == (8 * count, 8)
        assert datasets[0].SeriesType[0] == name.upper()


def test_damaged_phantoms_have_the_damage_they_name(tmp_path):
    missing = catalogue.build("missing_slice", tmp_path / "missing")
    assert len(list(missing.pet.iterdir())) == 7
    doubled = catalogue.build("duplicate_position", tmp_path / "doubled")
    datasets = [pydicom.dcmread(path) for path in sorted(doubled.pet.iterdir())]
    assert len(datasets) == 9
    assert len({ds.SOPInstanceUID for ds in datasets}) == 9
    assert len({tuple(ds.ImagePositionPatient) for ds in datasets}) == 8
    assert missing.truth["series"] == {
        "uid": missing.truth["series"]["uid"],
        "expected": "refused",
        "exit_code": 4,
        "error_code": "SLICE_MISSING",
    }
