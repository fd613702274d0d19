"""Enhanced and Legacy Converted Enhanced PET objects validate, and independent readers find their truth."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

import io
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime

import numpy as np
import pydicom
import pytest
from petquant_phantoms import (
    TINY,
    Bed,
    catalogue,
    file_bytes,
    pet_datasets,
    pet_objects,
    write_datasets,
    write_study,
)
from petquant_phantoms.pet_series import frames

MULTI_FRAME = ("enhanced", "legacy_converted")
IOD = {"enhanced": "EnhancedPETImage", "legacy_converted": "LegacyConvertedEnhancedPETImage"}
TWO_BEDS = TINY.with_header(
    beds=(
        Bed(acquired_at=datetime(2025, 1, 1, 11, 0, 0), duration_s=603.0),
        Bed(acquired_at=datetime(2025, 1, 1, 11, 10, 20, 500000), duration_s=603.0),
    )
)
VALIDATED = {
    "tiny": TINY,
    "slopes_per_frame": replace(TINY, slope=(2.0, 1.5)),
    "two_beds": TWO_BEDS,
    "undecayed": TWO_BEDS.in_dialect(vendor="siemens", decay="NONE"),
    "admin": TINY.in_dialect(decay="ADMIN"),
    "philips_cnts": TINY.in_dialect(vendor="philips_cnts"),
    "suv": TINY.in_dialect(units="GML"),
    "surface": TINY.in_dialect(units="CM2ML"),
    "two_mappings": TWO_BEDS.with_header(has_suv_mapping=True),
    "dose_in_bq": TINY.with_header(dose_unit="Bq"),
    "rle": TINY.in_dialect(transfer_syntax="rle"),
    **{
        name: catalogue.load(name)
        for name in (
            "three_beds",
            "bed_constant_time",
            "dynamic",
            "nac_and_ac",
            "oblique",
            "feet_first_supine",
            "head_first_prone",
            "shuffled_slices",
            "suv_dro_small",
            "enhanced_multiframe",
        )
    },
}


def written(definition, folder):
    (path,) = write_datasets(pet_objects(definition), folder, transfer_syntax=definition.transfer_syntax)
    return path


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("kind", MULTI_FRAME)
@pytest.mark.parametrize("name", VALIDATED)
def test_dciodvfy_says_the_name_of_the_object_and_nothing_else(name, kind, tmp_path):
    study = write_study(VALIDATED[name].in_dialect(object=kind), tmp_path)
    files = sorted(study.dicom.rglob("*.dcm"))
    for path in files:
        said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        assert (said.stdout + said.stderr).strip() == IOD[kind]
    said = subprocess.run(["dcentvfy", *map(str, files)], capture_output=True, text=True, check=False)
    assert (said.stdout + said.stderr).strip() == ""


@pytest.mark.parametrize("kind", MULTI_FRAME)
def test_two_builds_have_the_same_hashes(kind, tmp_path):
    manifests = [
        (catalogue.build("three_beds", tmp_path / run, object=kind).root / "MANIFEST.sha256").read_bytes()
        for run in ("first", "second")
    ]
    assert manifests[0] == manifests[1]
    assert manifests[0].count(b"study/PT/") == 1


@pytest.mark.parametrize("kind", MULTI_FRAME)
@pytest.mark.parametrize(
    "name", ["tiny", "slopes_per_frame", "oblique", "feet_first_supine", "shuffled_slices"]
)
def test_highdicom_finds_the_same_geometry_and_values(name, kind, tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    definition = VALIDATED[name]
    volume = highdicom.imread(written(definition.in_dialect(object=kind), tmp_path)).get_volume(
        apply_real_world_transform=kind == "enhanced", apply_modality_transform=kind != "enhanced"
    )
    stored = frames(definition)[0].stored
    values = stored.integers * stored.slopes[:, None, None]
    np.testing.assert_array_equal(volume.array[::-1], values)  # its slices run against the normal
    for k, j, i in ((0, 0, 0), (0, 5, 9), (7, 0, 3), (7, 15, 15)):
        found = volume.affine @ (definition.grid.shape[0] - 1 - k, j, i, 1)
        # positions are written with nine decimals; the slice step is reckoned from them
        np.testing.assert_allclose(found[:3], definition.grid.voxel_centre_mm(k, j, i), atol=1e-7)


@pytest.mark.parametrize("kind", MULTI_FRAME)
@pytest.mark.parametrize("name", ["tiny", "oblique", "feet_first_supine"])
def test_simpleitk_finds_the_same_geometry_and_values(name, kind, tmp_path):
    # Of slopes that differ between frames SimpleITK takes the first for all: with one slope it is a witness.
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    definition = VALIDATED[name]
    image = sitk.ReadImage(str(written(definition.in_dialect(object=kind), tmp_path)))
    stored = frames(definition)[0].stored
    values = stored.integers * stored.slopes[:, None, None]
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), values, rtol=1e-12)
    for k, j, i in ((0, 0, 0), (7, 0, 3), (7, 15, 15)):
        found = image.TransformIndexToPhysicalPoint((i, j, k))
        np.testing.assert_allclose(found, definition.grid.voxel_centre_mm(k, j, i), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vendor", ["ge", "philips_cnts"])
def test_another_converter_makes_the_same_of_the_same_slices(vendor, tmp_path, plain_suv):
    legacy = pytest.importorskip("highdicom.legacy", reason="highdicom is not installed")
    definition = TWO_BEDS.in_dialect(vendor=vendor)
    slices = [pydicom.dcmread(io.BytesIO(file_bytes(ds))) for ds in pet_datasets(definition)]
    other = legacy.LegacyConvertedEnhancedPETImage(
        slices,
        series_instance_uid="1.2.3",
        series_number=2,
        sop_instance_uid="1.2.3.4",
        instance_number=1,
    )
    other.save_as(tmp_path / "other.dcm")
    theirs = plain_suv.read(tmp_path)
    written(definition.in_dialect(object="legacy_converted"), tmp_path / "ours")
    ours = plain_suv.read(tmp_path / "ours")
    np.testing.assert_array_equal(plain_suv.suv_volume(ours), plain_suv.suv_volume(theirs))
    for mine, their in zip(ours, theirs, strict=True):
        for keyword in (
            "ImagePositionPatient",
            "FrameAcquisitionDateTime",
            "FrameAcquisitionDuration",
            "FrameReferenceTime",
            "DecayFactor",
            "RescaleSlope",
            "Units",
            "CorrectedImage",
            "SeriesTime",
        ):
            assert mine[keyword].value == their[keyword].value, keyword


def test_an_enhanced_object_says_its_dose_in_megabecquerel_unless_asked(tmp_path):
    found = {}
    for unit in (None, "MBq", "Bq"):
        definition = TINY.with_header(dose_unit=unit).in_dialect(object="enhanced")
        (item,) = pydicom.dcmread(
            written(definition, tmp_path / str(unit))
        ).RadiopharmaceuticalInformationSequence
        found[unit] = float(item.RadionuclideTotalDose)
    assert found == {None: 350.0, "MBq": 350.0, "Bq": 350.0e6}


def test_frames_of_a_dynamic_scan_count_their_time(tmp_path):
    ds = pydicom.dcmread(written(catalogue.load("dynamic").in_dialect(object="enhanced"), tmp_path))
    contents = [group.FrameContentSequence[0] for group in ds.PerFrameFunctionalGroupsSequence]
    assert ds.NumberOfFrames == 24
    assert [list(content.DimensionIndexValues) for content in contents[::8]] == [
        [1, 1, 1],
        [1, 1, 2],
        [1, 1, 3],
    ]
    assert [content.FrameAcquisitionDateTime for content in contents[::8]] == [
        "20250101110000",
        "20250101110500",
        "20250101111000",
    ]


def test_undecayed_frames_refer_to_their_average_count_time(tmp_path):
    ds = pydicom.dcmread(written(TWO_BEDS.in_dialect(decay="NONE", object="enhanced"), tmp_path))
    contents = [group.FrameContentSequence[0] for group in ds.PerFrameFunctionalGroupsSequence]
    # T_ave of 603 s of 18F is 299.905592 s
    assert contents[0].FrameReferenceDateTime == "20250101110459.905592"
    assert contents[-1].FrameReferenceDateTime == "20250101111520.405592"
    assert contents[-1].FrameAcquisitionDuration == 603000.0


@pytest.mark.parametrize(
    ("units", "code"),
    [
        ("BQML", "Bq/ml"),
        ("GML", "g/ml{SUVbw}"),
        ("CM2ML", "cm2/ml{SUVbsa}"),
        ("CNTS", "{counts}"),
        ("PROPCPS", "{propcounts}/s"),
    ],
)
def test_units_are_coded_in_ucum(units, code, tmp_path):
    ds = pydicom.dcmread(written(TINY.in_dialect(units=units, object="enhanced"), tmp_path))
    (mapping,) = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == code
    assert (mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped) == (-32768, 32767)


def test_edits_reach_every_frame(tmp_path):
    edits = (("FrameReferenceDateTime", None), ("DecayCorrectionDateTime", ""), ("PatientWeight", "71"))
    ds = pydicom.dcmread(written(replace(TINY, object="enhanced", edits=edits), tmp_path))
    contents = [group.FrameContentSequence[0] for group in ds.PerFrameFunctionalGroupsSequence]
    assert not any("FrameReferenceDateTime" in content for content in contents)
    assert ds.DecayCorrectionDateTime == ""
    assert ds.PatientWeight == 71.0


def test_a_converted_series_began_with_its_first_bed_whatever_the_order_of_its_frames(tmp_path):
    backwards = replace(TWO_BEDS, object="legacy_converted", instance_order="descending")
    ds = pydicom.dcmread(written(backwards, tmp_path))
    contents = [group.FrameContentSequence[0] for group in ds.PerFrameFunctionalGroupsSequence]
    assert contents[0].FrameAcquisitionDateTime == "20250101111020.500000"
    assert contents[0].InStackPositionNumber == 8
    assert ds.AcquisitionDateTime == "20250101110000"


@pytest.mark.parametrize("text", ["nan", "", "12 s", "1e400"])
def test_a_classic_value_that_is_none_survives_the_conversion_as_it_stands(text, tmp_path):
    edits = (("ActualFrameDuration", text), ("PatientWeight", text), ("AcquisitionTime", "noon"))
    content = written(replace(TINY, object="legacy_converted", edits=edits), tmp_path).read_bytes()
    padded = text.encode() + b" " * (len(text) % 2)
    for tag, vr in ((b"\x18\x00\x42\x12", b"IS"), (b"\x10\x00\x30\x10", b"DS")):
        assert tag + vr + len(padded).to_bytes(2, "little") + padded in content
    assert b"\x08\x00\x32\x00TM\x04\x00noon" in content
    assert b"\x18\x00\x74\x90" not in content  # no FrameAcquisitionDateTime is made of it


def test_a_gated_series_is_not_written_as_enhanced():
    with pytest.raises(ValueError, match="gated: a gated series is not written as Enhanced PET"):
        pet_objects(catalogue.load("gated").in_dialect(object="enhanced"))


@pytest.mark.parametrize("kind", MULTI_FRAME)
def test_a_projection_does_not_lie_in_a_multi_frame_series(kind, tmp_path):
    with pytest.raises(ValueError, match="mip_inside: a projection lies among single slices only"):
        write_study(catalogue.load("mip_inside").in_dialect(object=kind), tmp_path)


@pytest.mark.parametrize("decay", ["START", "NONE"])
def test_a_second_mapping_gives_the_suv_itself(decay, tmp_path):
    definition = TWO_BEDS.in_dialect(decay=decay, object="enhanced").with_header(has_suv_mapping=True)
    ds = pydicom.dcmread(written(definition, tmp_path))
    made = frames(definition)[0]
    for frame, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        holder = ds.SharedFunctionalGroupsSequence[0] if decay == "START" else group
        concentration, suv = holder.RealWorldValueMappingSequence
        assert [m.MeasurementUnitsCodeSequence[0].CodeValue for m in (concentration, suv)] == [
            "Bq/ml",
            "g/ml{SUVbw}",
        ]
        assert suv.RealWorldValueSlope == pytest.approx(made.suv_per_stored_unit[frame], rel=1e-12)


def test_the_catalogue_has_an_enhanced_phantom_by_the_standard_and_one_as_seen():
    standard, seen = (catalogue.load(name) for name in ("enhanced_multiframe", "enhanced_multiframe_bq"))
    assert (standard.object, seen.object) == ("enhanced", "enhanced")
    assert (standard.header.dose_unit, seen.header.dose_unit) == (None, "Bq")
    assert catalogue.load("legacy_converted").object == "legacy_converted"
