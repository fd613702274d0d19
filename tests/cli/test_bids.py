"""``petquant bids``: a dataset on the command line of BIDS apps, with the masks of its derivatives."""

from __future__ import annotations

import csv
import io
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, pet_datasets

from petquant.batch.sources import tasks_of
from petquant.errors import UsageError

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


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two subjects, the second with two tracers in one session; masks on the PET and in a template."""
    root = tmp_path_factory.mktemp("bids") / "dataset"
    datasets = sorted(pet_datasets(TINY), key=lambda ds: float(ds.ImagePositionPatient[2]))
    bqml = np.stack(
        [
            np.frombuffer(ds.PixelData, "<i2" if ds.PixelRepresentation else "<u2").reshape(
                ds.Rows, ds.Columns
            )
            * float(ds.RescaleSlope)
            for ds in datasets
        ]
    )
    image = nib.Nifti1Image(bqml.transpose(2, 1, 0), TINY.grid.ras_affine())
    mask = nib.Nifti1Image((bqml > 0.9 * bqml.max()).transpose(2, 1, 0).astype(np.uint8), image.affine)
    for name in (
        "sub-01/pet/sub-01_pet",
        "sub-02/ses-a/pet/sub-02_ses-a_trc-FDG_pet",
        "sub-02/ses-a/pet/sub-02_ses-a_trc-FLT_pet",
    ):
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image, path)
        (root / f"{name}.json").write_text(json.dumps(SIDECAR), encoding="utf-8")
    for name in (
        "sub-01/pet/sub-01_desc-lesions_mask",
        "sub-01/pet/sub-01_space-MNI152NLin6Asym_desc-lesions_mask",
        "sub-01/anat/sub-01_desc-brain_mask",
        "sub-02/ses-a/pet/sub-02_ses-a_trc-FDG_dseg",
        "sub-02/ses-b/pet/sub-02_ses-b_trc-FLT_mask",
        "sub-02/ses-a/pet/sub-02_ses-a_trc-FLT_space-T1w_mask",
    ):
        path = root / f"derivatives/lesions/{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(mask, path)
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}', encoding="utf-8")
    (root / "participants.tsv").write_text(
        "participant_id\tweight\tarm\nsub-01\t70\tx\nsub-02\t70\ty\n", encoding="utf-8"
    )
    return root


def test_masks_belong_to_an_image_by_their_entities(dataset):
    one, fdg, flt = tasks_of(dataset)
    assert one.name == "sub-01_pet"
    assert [path.rpartition("/")[2] for path in one.rois] == ["sub-01_desc-lesions_mask.nii.gz"]
    assert one.columns == {"participant_id": "sub-01", "weight": "70", "arm": "x"}
    assert [path.rpartition("/")[2] for path in fdg.rois] == ["sub-02_ses-a_trc-FDG_dseg.nii.gz"]
    assert fdg.columns["session_id"] == "ses-a"
    assert (flt.rois, "in the space T1w" in flt.reason_to_skip) == ((), True)


def test_a_pattern_takes_subject_and_session(dataset):
    pattern = "{source}/derivatives/lesions/sub-{subject}/pet/*_desc-lesions_mask.nii.gz"
    assert [len(task.rois) for task in tasks_of(dataset, roi_patterns=[pattern])] == [2, 0, 0]
    pattern = "{source}/derivatives/lesions/sub-{subject}/ses-{session}/pet/*FDG*"
    with pytest.raises(UsageError, match="matches the studies"):
        tasks_of(dataset, roi_patterns=[pattern])


def test_participant_then_group_is_how_bids_apps_are_called(petquant_within, dataset, tiny, tmp_path):
    out = tmp_path / "out"
    measured = petquant_within(
        "bids", dataset, out, "participant", "--participant_label", "01", "sub-02", "--workers", "1"
    )
    assert measured.code == 0, measured.err
    assert "3 studies" in measured.err
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    grouped = petquant_within("bids", dataset, out, "group")
    assert grouped.code == 0, grouped.err
    rows = list(csv.DictReader(io.StringIO((out / "measurements.tsv").read_text()), delimiter="\t"))
    assert [row["study"] for row in rows] == ["sub-01_pet", "sub-02_ses-a_trc-FDG_pet"]
    (hot,) = [entry["expected"]["suv_max"] for entry in tiny.truth["regions"] if entry["name"] == "hot"]
    for row in rows:
        assert abs(float(row["suv_max"]) - hot["value"]) <= hot["abs_tol"]
    runs = list(csv.DictReader(io.StringIO((out / "runs.tsv").read_text()), delimiter="\t"))
    assert [row["outcome"] for row in runs][-1] == "skipped"
    warnings = list(csv.DictReader(io.StringIO((out / "warnings.tsv").read_text()), delimiter="\t"))
    assert {row["code"] for row in warnings} <= {"COHORT_DUPLICATE", "COHORT_PATIENT_REPEATED"}


def test_what_cannot_be_meant_is_a_mistake(petquant_within, dataset, tmp_path):
    for words in (
        ("bids", dataset, "out", "both"),
        ("bids", dataset, "out", "participant", "--participant-label", "09"),
        ("bids", dataset / "sub-01", "out", "participant"),
        ("bids", dataset, "out", "group"),
    ):
        assert petquant_within(*words).code == 2
    assert not (tmp_path / "out").exists()


def test_a_participant_is_measured_alone(dataset, petquant_within, tmp_path):
    copied = tmp_path / "dataset"
    shutil.copytree(dataset, copied)
    out = copied / "derivatives/petquant"
    result = petquant_within(
        "bids", copied, out, "participant", "--participant-label", "01", "--workers", "1"
    )
    assert result.code == 0, result.err
    assert "1 studies" in result.err
