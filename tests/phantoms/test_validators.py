"""Independent programs find no fault in what the phantoms write, and read in it what was meant."""

import shutil
import subprocess

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import catalogue
from petquant_phantoms.ct_series import hu_volume
from petquant_phantoms.encoding import TRANSFER_SYNTAXES
from petquant_phantoms.regions import groups_of

VALIDATED = [name for name in catalogue.names() if name != "suv_dro"]  # 256 x 256 x 20 is large for a test
DAMAGED_ON_PURPOSE = {"stripped"}
PET_OBJECTS = {
    "classic": "PETImage",
    "enhanced": "EnhancedPETImage",
    "legacy_converted": "LegacyConvertedEnhancedPETImage",
}
DECAYS, VENDORS = (
    ("START", "ADMIN", "NONE"),
    ("siemens", "ge", "philips", "philips_cnts", "uih", "canon", "mediso"),
)
NEWER_THAN_THE_VALIDATOR = "Unrecognized enumerated value = <CLOSEDPLANAR_XOR>"
needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
needs_dcm2niix = pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
needs_dcentvfy = pytest.mark.skipif(shutil.which("dcentvfy") is None, reason="dcentvfy is not installed")


def said_of(path):
    run = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    return [line for line in lines if line.strip() and NEWER_THAN_THE_VALIDATOR not in line]


def is_label_map(path):
    return str(pydicom.dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID).endswith(".66.7")


@needs_dciodvfy
@pytest.mark.parametrize("name", [name for name in VALIDATED if name not in DAMAGED_ON_PURPOSE])
def test_dciodvfy_says_the_name_of_the_object_and_nothing_else(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    names = {"CT": "CTImage", "SEG": "Segmentation", "RTSTRUCT": "RTStructureSet"}
    names["PT"] = PET_OBJECTS[catalogue.load(name).object]
    for path in sorted(study.root.rglob("*.dcm")):
        if is_label_map(path):
            continue  # this dciodvfy is older than label maps
        modality = pydicom.dcmread(path, specific_tags=["Modality"]).Modality
        assert said_of(path) == [names[modality]], path.name


@needs_dciodvfy
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_dciodvfy_finds_no_fault_in_any_dialect(vendor, decay, tmp_path):
    study = catalogue.build("tiny", tmp_path, vendor=vendor, decay=decay)
    assert said_of(study.pet / "IM0001.dcm") == ["PETImage"]


@needs_dcentvfy
def test_dcentvfy_finds_the_objects_of_a_study_agreed(tmp_path):
    study = catalogue.build("whole_study", tmp_path)
    paths = sorted(map(str, study.dicom.rglob("*.dcm")))
    assert {path.parent.name for path in study.dicom.rglob("*.dcm")} == {"PT", "CT", "SEG", "RTSTRUCT"}
    run = subprocess.run(["dcentvfy", *paths], capture_output=True, text=True, check=False)
    assert (run.stdout + run.stderr).strip() == ""


@needs_dcentvfy
def test_dcentvfy_finds_regions_beside_the_study_agreed_with_it(tmp_path):
    study = catalogue.build("rtstruct_rules", tmp_path)
    paths = sorted(map(str, study.root.rglob("*.dcm")))
    run = subprocess.run(["dcentvfy", *paths], capture_output=True, text=True, check=False)
    assert (run.stdout + run.stderr).strip() == ""


GRIDS = ["tiny", "anisotropic", "non_square", "oblique", "feet_first_supine", "head_first_prone"]


def bqml_of(study):
    """Return the Bq/mL that the files hold, [k, j, i], from the lowest place along the normal."""
    slices = [pydicom.dcmread(path) for path in study.pet.iterdir()]
    row, column = np.split(np.array(slices[0].ImageOrientationPatient, float), 2)
    slices.sort(key=lambda ds: np.dot(np.cross(row, column), np.array(ds.ImagePositionPatient, float)))
    return np.stack([ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in slices])


@needs_dcm2niix
@pytest.mark.parametrize("vendor", ["siemens", "ge"])
@pytest.mark.parametrize("name", GRIDS)
def test_dcm2niix_puts_the_same_bqml_at_the_same_places(name, vendor, tmp_path):
    study = catalogue.build(name, tmp_path / "phantom", vendor=vendor)
    converted = tmp_path / "converted"
    converted.mkdir()
    command = ["dcm2niix", "-b", "n", "-z", "n", "-f", "pet", "-o", str(converted), str(study.pet)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = converted.iterdir()
    image = nib.load(path)
    ras_mm = catalogue.load(name).grid.voxel_centres_mm() * (-1.0, -1.0, 1.0)
    at = nib.affines.apply_affine(np.linalg.inv(image.affine), ras_mm)
    index = np.rint(at).astype(int)
    np.testing.assert_allclose(at, index, atol=1e-3)  # of a voxel: NIfTI keeps its affine in float32
    expected = bqml_of(study)
    found = image.get_fdata()[tuple(np.moveaxis(index, -1, 0))]
    np.testing.assert_allclose(found, expected, atol=2.0**-23 * expected.max())  # float32


@pytest.mark.parametrize("name", GRIDS)
def test_simpleitk_puts_the_same_bqml_at_the_same_places(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    _, image = series_by_simpleitk(study.pet)
    centres_mm = catalogue.load(name).grid.voxel_centres_mm()
    for corner in np.ndindex(2, 2, 2):
        place = tuple(one * (n - 1) for one, n in zip(corner, centres_mm.shape[:3], strict=True))
        assert image.TransformIndexToPhysicalPoint(place[::-1]) == pytest.approx(centres_mm[place], abs=1e-4)
    sitk = pytest.importorskip("SimpleITK")
    expected = bqml_of(study)
    # SimpleITK reads slopes into single precision
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(image), expected, atol=2.0**-22 * np.abs(expected).max()
    )


def series_by_simpleitk(folder):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk, reader.Execute()


def test_simpleitk_reads_pet_and_ct_on_their_grids_with_their_values(tmp_path):
    definition = catalogue.load("whole_study")
    study = catalogue.build("whole_study", tmp_path)
    sitk, pet = series_by_simpleitk(study.pet)
    _, ct = series_by_simpleitk(study.dicom / "CT")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), hu_volume(definition.ct))
    assert ct.GetSpacing() == (2.0, 2.0, 4.0)
    assert pet.GetSpacing() == (4.0, 4.0, 4.0)
    # one box: half a voxel outside the first centre, in both
    for image in (pet, ct):
        corner = image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
        assert corner == pytest.approx((-56.0, -48.0, -24.0), abs=1e-6)
    suv = sitk.GetArrayFromImage(pet) * study.truth["suv"]["factor"]
    node = groups_of(definition)[0].regions[0]
    expected = study.expected("node")["suv_mean"]
    # SimpleITK reads slopes into single precision on top of our own tolerance
    assert suv[node.mask].mean() == pytest.approx(expected["value"], abs=expected["abs_tol"] + 1e-6)


def test_the_ct_shows_air_water_lung_and_node(tmp_path):
    scan = catalogue.load("whole_study").ct
    hu = hu_volume(scan)
    centres = scan.grid.voxel_centres_mm()
    for point, expected in (
        ((50.0, 40.0, 0.0), -1000),  # 64 mm from the axis of a body of 42 mm
        ((0.0, -30.0, 10.0), 0),
        ((20.0, 8.0, 0.0), -750),  # 12 mm from the axis of the lung, of 14 mm
        ((-17.3, 6.1, 2.4), 40),
        ((20.7, -3.2, -1.6), 30),
    ):
        nearest = np.unravel_index(np.argmin(((centres - point) ** 2).sum(axis=-1)), hu.shape)
        assert hu[nearest] == expected


@pytest.mark.parametrize(
    "name", ["whole_study", "overlapping_segments", "fractional_seg", "labelmap_seg", "oblique", "non_square"]
)
def test_highdicom_finds_the_regions_in_the_seg(name, tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    definition = catalogue.load(name)
    study = catalogue.build(name, tmp_path)
    seg = highdicom.seg.segread(study.root / "rois" / "lesions.seg.dcm")
    regions = groups_of(definition)[0].regions
    assert [seg.get_segment_description(n + 1).segment_label for n in range(len(regions))] == [
        region.name for region in regions
    ]
    # by the UIDs of the images that it was drawn on, in the order of our slices
    uids = [ds.SOPInstanceUID for ds in in_order(study.pet, definition)]
    found = seg.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    for number, region in enumerate(regions):
        np.testing.assert_allclose(found[..., number], region.weights, atol=1e-6)


def in_order(folder, definition):
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.iterdir())]
    return sorted(
        datasets,
        key=lambda ds: float(np.dot(list(map(float, ds.ImagePositionPatient)), definition.grid.normal)),
    )


@pytest.mark.parametrize("syntax", ["implicit", "big_endian", "rle"])
def test_a_ct_is_the_same_in_every_transfer_syntax(syntax, tmp_path):
    plain = catalogue.build("whole_study", tmp_path / "plain")
    other = catalogue.build("whole_study", tmp_path / "other", transfer_syntax=syntax)
    for path in sorted((plain.dicom / "CT").iterdir())[:2]:
        encoded = pydicom.dcmread(other.dicom / "CT" / path.name)
        assert encoded.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
        np.testing.assert_array_equal(encoded.pixel_array, pydicom.dcmread(path).pixel_array)
