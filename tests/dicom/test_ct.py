"""The CT of a study is found when it is asked for, and its HU are those that SimpleITK reads."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from petquant_phantoms import TINY, write_study
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from petquant.dicom import ct_time
from petquant.errors import Refused
from petquant.study import Choices, open_study
from petquant.volume import Unit

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SHAPE = (12, 24, 20)
# tiny reaches from -32 to 32 mm in x and y and from -16 to 16 mm in z; so does this, with 3 mm slices: 36 mm
SPACING_MM = (3.0, 3.0, 3.5)  # k, j, i
ORIGIN_MM = (-34.0, -35.0, -17.0)


def ct_dataset(pet: Dataset, uid: str, k: int) -> Dataset:
    """Slice k of a CT whose stored numbers, slope and intercept all change from slice to slice."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CT_IMAGE
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[uid, str(k)])
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Modality, ds.PatientID = "CT", pet.PatientID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = pet.StudyInstanceUID, uid
    ds.FrameOfReferenceUID, ds.SeriesNumber = pet.FrameOfReferenceUID, 3
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [*ORIGIN_MM[:2], ORIGIN_MM[2] + SPACING_MM[0] * k]
    ds.PixelSpacing, ds.SliceThickness = list(SPACING_MM[1:]), SPACING_MM[0]
    ds.Rows, ds.Columns = SHAPE[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 0.5 + 0.25 * k, -1024 + k, "HU"
    stored = np.random.default_rng(k).integers(-1000, 3000, SHAPE[1:]).astype("<i2")
    ds.PixelData = stored.tobytes()
    return ds


@pytest.fixture
def folder(tmp_path):
    return write_study(TINY, tmp_path / "phantom").dicom


@pytest.fixture
def pet(folder):
    return dcmread(next((folder / "PT").iterdir()))


@pytest.fixture
def add_ct(folder, pet):
    """Write a CT series among the files of the study, shuffled, and return its UID."""

    def add(name="CT", *, ks=range(SHAPE[0]), edit=None):
        uid = generate_uid(entropy_srcs=[name])
        datasets = [ct_dataset(pet, uid, k) for k in ks]
        random.Random(name).shuffle(datasets)  # noqa: S311 - an order, no secret
        (folder / name).mkdir()
        for number, ds in enumerate(datasets):
            if edit is not None:
                edit(ds)
            ds.save_as(folder / name / f"{number:03d}", enforce_file_format=True)
        return uid

    return add


def localizer_of(ds):
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def opened(folder):
    return open_study(folder, Choices())


def hu_of_simpleitk(folder: Path) -> np.ndarray:
    """HU by z, each file read for itself: a series takes its pixel type from the first file."""
    slices = {}
    for path in folder.iterdir():
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        reader.SetOutputPixelType(SimpleITK.sitkFloat64)
        image = reader.Execute()
        slices[image.GetOrigin()[2]] = SimpleITK.GetArrayFromImage(image)[0]
    return np.stack([slices[z] for z in sorted(slices)])


def test_hounsfield_units_are_those_of_simpleitk(folder, add_ct):
    uid = add_ct()
    ct = opened(folder).ct()
    assert ct.series.uid == uid
    volume = ct.volume()
    assert volume.unit is Unit.HU
    np.testing.assert_allclose(volume.values(), hu_of_simpleitk(folder / "CT"), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ct.grid.origin_mm, ORIGIN_MM)
    np.testing.assert_allclose(ct.grid.spacing_mm, SPACING_MM)
    assert (ct.pet_coverage, ct.findings, ct.set_aside) == (1.0, (), ())


def test_slices_that_are_not_kept_hold_no_values(folder, add_ct):
    add_ct()
    keep = np.arange(SHAPE[0]) == 5
    volume = opened(folder).ct().volume(keep=keep)
    stored = np.random.default_rng(5).integers(-1000, 3000, SHAPE[1:])  # as the slice was made
    np.testing.assert_allclose(volume.at([5 * 480 + 7]), stored.ravel()[7] * 1.75 - 1019)
    with pytest.raises(LookupError):
        volume.at([0])


def test_the_files_of_a_ct_are_left_early_until_it_is_asked_for(folder, add_ct):
    uid = add_ct()
    study = opened(folder)
    (found,) = [one for one in study.index.series if one.uid == uid]
    assert all(not instance.pixel_tag for instance in found.instances)
    assert all(instance.pixel_tag for instance in study.ct().series.instances)


def test_localizers_in_the_series_are_left_out(folder, add_ct, pet):
    uid = add_ct()
    localizer = ct_dataset(pet, uid, 20)
    localizer_of(localizer)
    localizer.save_as(folder / "CT" / "000a", enforce_file_format=True)
    ct = opened(folder).ct()
    assert ct.grid.shape == SHAPE
    assert [one.code for one in ct.findings] == ["SERIES_NOT_VOLUME"]
    assert "1 localizer" in ct.findings[0].found


def test_a_series_of_localizers_is_no_ct(folder, add_ct):
    add_ct(edit=localizer_of)
    with pytest.raises(Refused, match=r"CT_MISSING: .*localizers or pictures alone"):
        opened(folder).ct()


def test_the_series_that_covers_the_pet_best_is_taken(folder, add_ct):
    part = add_ct("part", ks=range(6))
    whole = add_ct("whole")
    ct = opened(folder).ct()
    assert ct.series.uid == whole
    # lattice of the 8 slices of tiny at -14, -10 ... 14 mm; 6 CT slices reach from -18.5 to -0.5 mm: 4 of 8
    assert ct.set_aside[0][0].uid == part
    assert "6 slices, covers 50% of the PET" in ct.set_aside[0][1]
    assert [one.code for one in ct.findings] == ["CT_SERIES_CHOSEN"]


def test_of_two_that_cover_alike_the_one_with_more_slices_is_taken(folder, add_ct):
    # 11 slices reach to 14.5 mm and hold the last slice centre of tiny, 14 mm, as the 12th does
    fewer, more = add_ct("a", ks=range(11)), add_ct("b")
    ct = opened(folder).ct()
    assert ct.series.uid == more
    assert [one.uid for one, _ in ct.set_aside] == [fewer]


def test_an_original_goes_before_a_reformatted_series(folder, add_ct):
    def reformat(ds):
        ds.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED"]

    add_ct("reformatted", edit=reformat)
    original = add_ct("original", ks=range(11))
    assert opened(folder).ct().series.uid == original


@pytest.mark.parametrize(
    ("keyword", "value", "why"),
    [
        ("FrameOfReferenceUID", "1.2.3", "another frame of reference"),
        ("StudyInstanceUID", "1.2.3", "another study"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "no CT images"),
        ("RescaleType", "US", r"CT_NOT_HU: .*RescaleType \(0028,1054\) is US in 12 slices"),
        ("RescaleIntercept", None, r"CT_NOT_HU: .*RescaleIntercept \(0028,1052\) is absent"),
        ("RescaleSlope", None, "RESCALE_SLOPE_INVALID"),
        ("PixelSpacing", None, "GEOMETRY_MISSING"),
        ("LossyImageCompression", "01", "LOSSY_COMPRESSION"),
    ],
)
def test_what_is_no_ct_of_the_pet_is_said(folder, add_ct, keyword, value, why):
    def change(ds):
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)

    uid = add_ct(edit=change)
    with pytest.raises(Refused, match=why) as caught:
        opened(folder).ct()
    assert caught.value.findings[0].code == "CT_MISSING"
    assert uid in str(caught.value)


def test_a_ct_beside_the_pet_is_none(folder, add_ct):
    def shift(ds):
        ds.ImagePositionPatient[2] += 500

    add_ct(edit=shift)
    with pytest.raises(Refused, match=r"CT_MISSING: .*lies beside the PET"):
        opened(folder).ct()


def test_a_missing_slice_forbids_a_ct(folder, add_ct):
    add_ct(ks=[k for k in range(SHAPE[0]) if k != 6])
    with pytest.raises(Refused, match=r"CT_MISSING: .*SLICE_MISSING"):
        opened(folder).ct()


def test_a_cut_file_forbids_a_ct(folder, add_ct):
    add_ct()
    path = folder / "CT" / "004"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(Refused, match=r"CT_MISSING: .*FILE_TRUNCATED"):
        opened(folder).ct()


def test_a_study_without_ct_says_so(folder):
    with pytest.raises(Refused, match=r"CT_MISSING: .*no CT series in the folder"):
        opened(folder).ct()


@pytest.mark.parametrize("patient", ["STS_001", "STS_008"])
def test_real_cts_are_those_of_simpleitk(real_data, patient):
    folder = real_data / "sts_ibsi" / patient
    ct = opened(folder).ct()
    np.testing.assert_array_equal(ct.volume().values(), hu_of_simpleitk(folder / "CT" / "image"))
    assert ct.pet_coverage > 0.9


def begun(day="20250101", clock="", stamp="", offset=""):
    """An edit that gives a slice these times, by its number of hundredths of a second later."""

    def edit(ds):
        later = f".{int(ds.SOPInstanceUID[-2:]):02d}"
        if clock:
            ds.AcquisitionDate, ds.AcquisitionTime = day, clock + later
        if stamp:
            ds.AcquisitionDateTime = stamp
        if offset:
            ds.TimezoneOffsetFromUTC = offset

    return edit


def read_files(monkeypatch):
    """The files of which headers are read from now on."""
    seen = []
    real = ct_time.scan_or_damage

    def scan(path, *rest):
        seen.append(path)
        return real(path, *rest)

    monkeypatch.setattr(ct_time, "scan_or_damage", scan)
    return seen


def test_a_ct_was_begun_when_its_first_slice_was_and_one_file_tells(folder, add_ct, pet, monkeypatch):
    add_ct(edit=begun(clock="095800"))
    localizer = ct_dataset(pet, generate_uid(entropy_srcs=["scout"]), 20)
    localizer_of(localizer)
    begun(clock="090000")(localizer)
    localizer.save_as(folder / "scout", enforce_file_format=True)
    study = opened(folder)
    seen = read_files(monkeypatch)
    at = study.ct_started_at()
    assert at is not None
    assert at.replace(microsecond=0) == datetime.fromisoformat("2025-01-01T09:58:00")
    assert len(seen) == 1


def test_date_and_time_of_one_attribute_count_and_an_offset_from_utc_is_applied(folder, add_ct, pet):
    for path in (folder / "PT").iterdir():
        ds = dcmread(path)
        ds.TimezoneOffsetFromUTC = "+0100"
        ds.save_as(path)
    add_ct(edit=begun(stamp="20250101085800", offset="+0000"))
    assert opened(folder).ct_started_at() == datetime.fromisoformat("2025-01-01T09:58:00")


def test_of_several_ct_the_one_that_belongs_to_the_pet_tells(folder, add_ct):
    add_ct("diagnostic, later, of a part", ks=range(4), edit=begun(clock="103000"))
    add_ct(edit=begun(clock="095800"))
    at = opened(folder).ct_started_at()
    assert at is not None
    assert at.hour == 9


@pytest.mark.parametrize("wrong", ["none", "no day", "no clock", "elsewhere", "another study"])
def test_a_time_that_is_not_there_is_not_known(wrong, folder, add_ct):
    def edit(ds):
        if wrong != "none":
            begun(clock="095800")(ds)
        if wrong == "no day":
            del ds.AcquisitionDate
        if wrong == "no clock":
            ds.AcquisitionTime = ""
        if wrong == "elsewhere":
            ds.FrameOfReferenceUID = "1.2.3.4.5"
        if wrong == "another study":
            ds.StudyInstanceUID = "1.2.3.4.6"

    add_ct(edit=edit)
    assert opened(folder).ct_started_at() is None
