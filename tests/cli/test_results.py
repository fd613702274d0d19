"""Results of ``petquant suv`` beyond its table: DICOM SEG and SR, and BIDS derivatives."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import replace

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY

from petquant.dicom.sr import read_measurements

EVIL = "<script>alert(1)</script>^=cmd|'/c calc'!A1"


@pytest.fixture
def measure(petquant_within, tiny):
    """Run ``petquant suv`` on the lesions of the tiny phantom, into x.json."""

    def run(*options, study=None, roi=tiny.lesions, code=0):
        result = petquant_within("suv", study or tiny.dicom, "--roi", roi, "--out", "x.json", *options)
        assert result.code == code, result.err
        return result

    return run


@pytest.fixture
def numbers(tmp_path):
    """The measurements of x.json."""
    return lambda: json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["measurements"]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


# DICOM


def test_seg_and_sr_are_written_beside_the_table(measure, numbers, tmp_path):
    result = measure("--dicom-seg", "seg.dcm", "--dicom-sr", "sr.dcm")
    assert "petquant: wrote seg.dcm and sr.dcm" in result.err
    found = read_measurements(tmp_path / "sr.dcm")
    for region, row in zip(found, numbers(), strict=True):
        assert {one.column: one.value for one in region.values} == {
            one.column: row[one.column] for one in region.values
        }
        assert region.seg_uid == pydicom.dcmread(tmp_path / "seg.dcm").SOPInstanceUID
    before = numbers()
    measure(roi=tmp_path / "seg.dcm")
    same = [column for column in before[0] if column != "roi_source"]
    assert [[row[column] for column in same] for row in numbers()] == [
        [row[column] for column in same] for row in before
    ]


def test_a_zip_gives_the_objects_of_its_folder(measure, petquant_within, tiny, tmp_path):
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(tiny.dicom.rglob("*.dcm")):
            packed.write(file, file.relative_to(tiny.dicom))
    assert petquant_within("lock", archive, "-o", "scan.sha256").code == 0
    measure("--dicom-seg", "a.dcm", "--dicom-sr", "b.dcm", "--manifest", "scan.sha256", study=archive)
    measure("--dicom-seg", "c.dcm", "--dicom-sr", "d.dcm")
    for of_zip, of_folder in (("a.dcm", "c.dcm"), ("b.dcm", "d.dcm")):
        assert (tmp_path / of_zip).read_bytes() == (tmp_path / of_folder).read_bytes()


@pytest.mark.parametrize(
    ("options", "because"),
    [
        (("--dicom-sr", "sr.dcm"), "--dicom-seg beside it"),
        (("--dicom-seg", "a.dcm", "--dicom-sr", "a.dcm"), "two outputs of one name"),
        (("--dicom-seg", "seg.dcm", "--hash-uids"), "--hash-uids"),
        (("--dicom-seg", "seg.dcm", "--roi-names", "index"), "--roi-names index"),
        (("--bids-subject", "01"), "--bids beside it"),
        (("--bids", "o", "--bids-session", "../x"), "letters and digits"),
    ],
)
def test_options_that_do_not_go_together_write_nothing(measure, tmp_path, options, because):
    result = measure(*options, code=2)
    assert because in result.line("OPTION_INVALID")
    assert list(tmp_path.iterdir()) == []


def test_a_pet_that_is_no_dicom_has_no_seg(measure, petquant_within, tiny, tmp_path):
    assert petquant_within("convert", tiny.dicom, "-o", "suv.nii.gz").code == 0
    result = measure("--dicom-seg", "seg.dcm", study=tmp_path / "suv.nii.gz", code=2)
    assert "no DICOM" in result.line("OPTION_INVALID")
    assert not (tmp_path / "seg.dcm").exists()


def test_a_study_whose_patient_is_called_like_an_attack_harms_nothing(measure, study_of, tmp_path):
    spoiled = study_of(replace(TINY, edits=(("PatientName", EVIL), ("PatientID", "=1+1"))))
    result = measure("--dicom-seg", "seg.dcm", "--dicom-sr", "sr.dcm", "--bids", "bids", study=spoiled.dicom)
    assert pydicom.dcmread(tmp_path / "sr.dcm").PatientName == EVIL  # filed under the name of the source
    written = [path.read_bytes() for path in (tmp_path / "bids").rglob("*") if path.is_file()]
    said = result.err.encode() + result.out + (tmp_path / "x.json").read_bytes()
    assert all(b"alert(1)" not in content and b"=1+1" not in content for content in (*written, said))


# BIDS


def test_derivatives_have_the_numbers_the_regions_and_what_every_column_is(measure, numbers, tiny, tmp_path):
    muscle = f"muscle={tiny.backgrounds['muscle']}"
    measure("--bids", "out", "--bids-subject", "01", "--bids-session", "a", "--background", muscle, "--more")
    stem = "sub-01/ses-a/pet/sub-01_ses-a_trc-18FFDG_desc-petquant"
    assert files_of(tmp_path / "out") == [
        ".bidsignore",
        "README",
        "dataset_description.json",
        f"{stem}_dseg.json",
        f"{stem}_dseg.nii.gz",
        f"{stem}_dseg.tsv",
        f"{stem}_measurements.json",
        f"{stem}_measurements.tsv",
    ]
    description = json.loads((tmp_path / "out/dataset_description.json").read_bytes())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "petquant"
    rows = table_of(tmp_path / f"out/{stem}_measurements.tsv")
    for row, number in zip(rows, numbers(), strict=True):
        for column in ("suv_max", "suv_peak", "mtv_ml", "tbr_max_muscle", "suv_rms"):
            assert float(row[column]) == number[column]
    assert "" not in {cell for row in rows for cell in row.values()}
    columns = json.loads((tmp_path / f"out/{stem}_measurements.json").read_bytes())
    assert set(rows[0]) == set(columns) - {"petquant"}
    assert columns["suv_peak"]["Units"] == "g/mL"
    assert columns["tbr_max_muscle"]["Description"] == "suv_max / mean of the background muscle"
    assert columns["petquant"]["conversion"]["tracer"] == "[18F]FDG"
    labels = nib.load(tmp_path / f"out/{stem}_dseg.nii.gz")
    truth = nib.load(tiny.lesions)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), np.asarray(truth.dataobj))
    np.testing.assert_allclose(labels.affine, truth.affine, atol=1e-5)
    named = table_of(tmp_path / f"out/{stem}_dseg.tsv")
    assert [(row["index"], row["name"]) for row in named] == [("1", "label 1"), ("2", "label 2")]


def test_without_a_label_the_subject_is_the_pseudonym_and_two_scans_share_the_dataset(
    measure, numbers, study_of, tmp_path
):
    measure("--bids", "out")
    key = json.loads((tmp_path / "x.json").read_bytes())["study"]["key"]
    assert (tmp_path / f"out/sub-{key}/pet").is_dir()
    measure("--bids", "out", "--bids-subject", "02")
    measure("--bids", "out", "--bids-subject", "02")  # the same scan again
    other = study_of(replace(TINY, name="other").with_header(weight_kg=71.0))
    before = files_of(tmp_path / "out")
    refused = measure("--bids", "out", "--bids-subject", "02", study=other.dicom, code=2)
    assert "is of another scan" in refused.line("OPTION_INVALID")
    assert files_of(tmp_path / "out") == before
    measure("--bids", "out", "--bids-subject", "02", "--bids-session", "2", study=other.dicom)
    assert (tmp_path / "out/sub-02/ses-2/pet").is_dir()


def test_a_dataset_of_another_maker_is_left_alone(measure, untouched, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "dataset_description.json").write_text('{"Name": "raw"}', encoding="utf-8")
    with untouched():
        refused = measure("--bids", "raw", code=2)
    assert "did not make" in refused.line("OPTION_INVALID")


def test_another_version_of_petquant_is_added_to_the_makers(measure, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    old = {"Name": "mine", "GeneratedBy": [{"Name": "petquant", "Version": "0.0.1"}]}
    (folder / "dataset_description.json").write_text(json.dumps(old), encoding="utf-8")
    (folder / ".bidsignore").write_text("mine/\n", encoding="utf-8")
    measure("--bids", "out")
    found = json.loads((folder / "dataset_description.json").read_bytes())
    assert found["Name"] == "mine"
    assert found["GeneratedBy"][0]["Version"] == "0.0.1"
    assert len(found["GeneratedBy"]) == 2
    assert (folder / ".bidsignore").read_text(encoding="utf-8") == "mine/\n*_desc-petquant_*\n"


def test_an_image_named_by_bids_gives_its_names_to_what_is_made_of_it(
    measure, petquant_within, tiny, tmp_path
):
    image = tmp_path / "ds/sub-07/ses-b/pet/sub-07_ses-b_trc-FDG_rec-osem_pet.nii.gz"
    image.parent.mkdir(parents=True)
    assert petquant_within("convert", tiny.dicom, "-o", image).code == 0
    measure("--bids", "ds/derivatives/petquant", study=image)
    made = tmp_path / "ds/derivatives/petquant/sub-07/ses-b/pet"
    assert (made / "sub-07_ses-b_trc-FDG_rec-osem_desc-petquant_measurements.tsv").is_file()


def test_fractions_and_overlaps_are_an_image_a_region(measure, petquant_within, tiny, tmp_path):
    sphere = ("segment", tiny.dicom, "-o", "s.dcm", "--occupancy", "--sphere", "a=0,0,0,10")
    assert petquant_within(*sphere, "--sphere", "b=4,0,0,10").code == 0
    measure("--bids", "out", "--bids-subject", "1", roi=tmp_path / "s.dcm")
    folder = tmp_path / "out/sub-1/pet"
    for label in (1, 2):
        image = nib.load(folder / f"sub-1_trc-18FFDG_label-{label}_desc-petquant_probseg.nii.gz")
        values = np.asarray(image.dataobj)
        assert values[(values > 0) & (values < 1)].size > 0
        volume_ml = values.sum() * np.prod(image.header.get_zooms()) / 1000
        assert volume_ml == pytest.approx(4 / 3 * np.pi, rel=0.01)  # stored in steps of 1/255
    rows = table_of(folder / "sub-1_trc-18FFDG_desc-petquant_probseg.tsv")
    assert [(row["index"], row["name"]) for row in rows] == [("1", "a"), ("2", "b")]
    before = files_of(tmp_path / "out")  # whole voxels would be a dseg, and the probseg stay beside it
    refused = measure("--bids", "out", "--bids-subject", "1", code=2)
    assert "of other regions of this scan (4 such files)" in refused.line("OPTION_INVALID")
    assert files_of(tmp_path / "out") == before


def test_names_can_be_withheld_from_derivatives(measure, tmp_path):
    measure("--bids", "out", "--bids-subject", "1", "--roi-names", "index", "--hash-uids")
    (table,) = (tmp_path / "out").rglob("*dseg.tsv")
    assert [row["name"] for row in table_of(table)] == ["1", "2"]
