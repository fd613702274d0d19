"""A real Orthanc: studies pushed, found, fetched both ways, measured; stopped in the middle, resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

SCENARIO = Path(__file__).with_name("orthanc_scenario.py")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
STOPPED_AFTER = 4  # files; the signal comes when the fifth is about to be put in place
TIMEOUT_S = 300


def _cannot_run():
    if not shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin") or not PLUGIN.exists():
        return "Orthanc and its DICOMweb plugin are not installed (Debian: orthanc, orthanc-dicomweb)"
    if not shutil.which("unshare"):
        return "unshare is not installed, and Orthanc must run in a network of its own"
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        return "this machine does not let us make a network namespace"
    return ""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the scenario tells."""
    reason = _cannot_run()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("orthanc")
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, SCENARIO, folder],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout) | {"root": folder}


def _rows(told, name):
    return json.loads(told["runs"][name]["out"])


def _codes(told, name):
    return re.findall(r"^petquant: ([A-Z][A-Z0-9_]+): ", told["runs"][name]["err"], flags=re.MULTILINE)


def _uids(names):
    return {Path(name).stem for name in names}


def test_every_instance_was_pushed(told):
    assert told["n_pushed"] == [
        12 + 12 + 2 + 2,
        8,
    ]  # PT, CT, SEG and RTSTRUCT of two groups; PT packed by RLE


def test_a_study_is_listed_the_same_by_dicomweb_and_by_c_find(told):
    assert told["runs"]["list web"]["code"] == told["runs"]["list dimse"]["code"] == 0
    assert _rows(told, "list web") == _rows(told, "list dimse")
    whole = next(row for row in _rows(told, "list web") if row["study_uid"] == told["uids"][0])
    assert whole["modalities"] == "CT PT RTSTRUCT SEG"
    assert (whole["n_series"], whole["n_instances"]) == (6, 28)
    assert whole["patient_id"] == "PQ-PHANTOM"


def test_a_table_of_studies_names_no_patient_unless_asked_and_keeps_to_the_modality(told):
    out = told["runs"]["list table"]["out"]
    assert told["uids"][0] in out
    assert told["uids"][1] not in out
    assert "PQ-PHANTOM" not in out
    assert "Phantom" not in out


def test_all_that_was_pushed_lies_under_study_and_series(told):
    names = told["folders"]["dimse"]
    assert _uids(names) == set(told["pushed"]["whole"])
    for name in names:
        study, series, file = name.split("/")
        dataset = pydicom.dcmread(told["root"] / "dimse" / name, stop_before_pixels=True)
        assert (study, series) == (dataset.StudyInstanceUID, dataset.SeriesInstanceUID)
        assert file == f"{dataset.SOPInstanceUID}.dcm"


@pytest.mark.parametrize("way", ["web", "dimse"])
@pytest.mark.parametrize("study", ["whole", "packed"])
def test_what_was_fetched_is_what_was_pushed(told, way, study):
    folder = told["root"] / (way if study == "whole" else f"{way} packed")
    pushed = told["pushed"][study]
    fetched = {path.stem: path for path in folder.rglob("*.dcm")}
    assert fetched.keys() == pushed.keys()
    for uid, path in pushed.items():
        before, after = pydicom.dcmread(path), pydicom.dcmread(fetched[uid])
        assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
        assert dict(after) == dict(before)
        if "PixelData" in before:
            assert after.PixelData == before.PixelData


def test_packed_pixels_stay_packed_and_are_the_same(told):
    for uid, path in told["pushed"]["packed"].items():
        before = pydicom.dcmread(path)
        assert before.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
        (file,) = (told["root"] / "web packed").rglob(f"{uid}.dcm")
        assert np.array_equal(pydicom.dcmread(file).pixel_array, before.pixel_array)


def test_a_query_by_date_fetches_every_study_and_the_modality_alone(told):
    rows = _rows(told, "dates")
    assert {row["study_uid"] for row in rows} == set(told["uids"])
    assert {row["modality"] for row in rows} == {"PT"}
    assert sorted(row["n_fetched"] for row in rows) == [8, 12]


def test_what_is_here_is_not_fetched_again(told):
    assert {row["n_fetched"] for row in _rows(told, "again")} == {0}
    assert sum(row["n_present"] for row in _rows(told, "again")) == 28
    assert told["folders"]["again"] == told["folders"]["again before"]


def test_a_fetched_study_gives_the_numbers_of_the_phantom(told):
    assert told["runs"]["suv"]["code"] == 0, told["runs"]["suv"]["err"]
    rows = {row["roi_name"]: row for row in json.loads(told["runs"]["suv"]["out"])["measurements"]}
    assert rows.keys() == told["truth"].keys() == {"node", "nodule"}
    for name, expected in told["truth"].items():
        for quantity, want in expected.items():
            assert rows[name][quantity] == pytest.approx(want["value"], abs=want["abs_tol"], rel=0), quantity


def test_what_petquant_writes_is_taken_by_the_archive_and_found_with_its_study(told):
    assert told["runs"]["results"]["code"] == 0, told["runs"]["results"]["err"]
    assert told["n_pushed_back"] == 2  # a SEG and an SR; the archive answered each with success
    (study,) = _rows(told, "list results")
    assert study["study_uid"] == told["uids"][0]
    assert study["modalities"] == "CT PT RTSTRUCT SEG SR"
    assert (study["n_series"], study["n_instances"]) == (6 + 2, 28 + 2)


def test_what_petquant_wrote_comes_back_as_it_was(told):
    rows = _rows(told, "results")
    assert sorted(row["modality"] for row in rows) == ["SEG", "SEG", "SEG", "SR"]  # two SEG of the phantom
    assert {row["n_missing"] for row in rows} == {0}
    assert set(told["results"].values()) <= set(told["results fetched"])


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_a_fetch_that_was_killed_goes_on_where_it_was(told, way):
    assert told["runs"][f"killed {way}"]["code"] == -9
    left = told["folders"][f"killed {way}"]
    whole = [name for name in left if name.endswith(".dcm")]
    assert len(whole) == STOPPED_AFTER
    assert len(left) == STOPPED_AFTER + 1, "the temporary file that a kill leaves"
    (row,) = _rows(told, f"resumed {way}")
    assert (row["n_present"], row["n_fetched"], row["n_missing"]) == (STOPPED_AFTER, 8, 0)
    resumed = told["folders"][f"resumed {way}"]
    assert all(name.endswith(".dcm") for name in resumed), "a temporary file stayed"
    assert len(resumed) == 12
    assert {name: resumed[name] for name in whole} == {name: left[name] for name in whole}


@pytest.mark.parametrize(("way", "code"), [("web", 143), ("dimse", 130)])
def test_a_fetch_that_is_asked_to_stop_leaves_whole_files_alone(told, way, code):
    assert told["runs"][f"asked {way}"]["code"] == code
    assert "Traceback" not in told["runs"][f"asked {way}"]["err"]
    left = told["folders"][f"asked {way}"]
    assert len(left) == STOPPED_AFTER
    assert all(name.endswith(".dcm") for name in left)


def test_a_file_that_was_cut_or_changed_places_is_fetched_again(told):
    (row,) = _rows(told, "web")
    assert (row["n_listed"], row["n_present"], row["n_fetched"]) == (12, 10, 2)


def test_one_study_that_is_not_there_does_not_keep_the_other_back(told):
    assert told["runs"]["absent web"]["code"] == 3
    assert _codes(told, "absent web") == ["STUDY_NOT_FOUND"]
    assert "1.2.3" in told["runs"]["absent web"]["err"]
    assert [row["n_missing"] for row in _rows(told, "absent web")] == [0]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("absent dimse", "STUDY_NOT_FOUND", "study 1.2.3"),
        ("no series", "NO_SERIES_TO_FETCH", "it has PT"),
        ("no password", "PACS_REFUSED", "HTTP 401"),
        ("other title", "PACS_REFUSED", "Called AE title not recognised"),
        ("unknown to it", "PACS_UNREACHABLE", "have STRANGER (--aet) entered there"),
        ("no dicomweb", "PACS_REFUSED", "HTTP 404"),
        ("not dicom", "PACS_UNREACHABLE", "no association"),
        ("nobody web", "PACS_UNREACHABLE", "Connection refused"),
        ("nobody dimse", "PACS_UNREACHABLE", "no association"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_with_a_code(told, name, code, words):
    run = told["runs"][name]
    assert run["code"] == 3
    assert _codes(told, name) == [code], run["err"]
    assert words in run["err"]
    assert "Traceback" not in run["err"]
    assert "secret" not in run["err"]
    assert not told["folders"].get(name)
