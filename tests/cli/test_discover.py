"""``petquant discover``: a tree of any mess, a row for every PET series, whatever else lies there."""

from __future__ import annotations

import csv
import importlib
import io
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, pet_datasets, write_datasets, write_study


def named(uid, series="1", **values):
    def edit(dataset, place):
        dataset.StudyInstanceUID = f"2.25.{uid}"
        dataset.SeriesInstanceUID = f"2.25.{uid}.{series}"
        dataset.SOPInstanceUID = f"2.25.{uid}.{series}.{place + 1}"
        dataset.PatientName = "Doe^Jane"
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Five studies: plain, split over folders, two series, no weight, CT only; and what is no study."""
    root = tmp_path_factory.mktemp("discover") / "tree"
    write_datasets(pet_datasets(TINY, edit=named(1)), root / "plain/PT")
    phantom = write_study(TINY, root.parent / "phantom")
    shutil.copyfile(phantom.root / "rois/lesions.seg.dcm", root / "plain/lesions.seg.dcm")
    shutil.copyfile(phantom.lesions, root / "plain/lesions.nii.gz")
    write_datasets(pet_datasets(TINY, edit=named(2)), root / "split/a")
    files = sorted((root / "split/a").rglob("*.dcm"))
    (root / "split/b").mkdir()
    for file in files[: len(files) // 2]:
        file.rename(root / "split/b" / file.name)
    for series in ("1", "2"):
        write_datasets(pet_datasets(TINY, edit=named(3, series)), root / "two" / series)
    write_datasets(pet_datasets(TINY, edit=named(4, PatientWeight=None)), root / "weightless")
    write_datasets(pet_datasets(TINY, edit=named(5, Modality="CT")), root / "ct")
    image = root / "nifti/scan.nii.gz"
    image.parent.mkdir()
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), TINY.grid.ras_affine()), image)
    image.with_name("scan.json").write_text('{"Modality": "PT", "Units": "Bq/mL"}', encoding="utf-8")
    (root / "notes.txt").write_text("no study", encoding="utf-8")
    return root


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_every_pet_series_is_a_row_with_what_can_be_computed(petquant_within, tree, untouched):
    with untouched():
        result = petquant_within("discover", tree)
    assert result.code == 0, result.err
    rows = {row["folder"]: row for row in rows_of(result.out)}
    assert set(rows) == {"plain/PT", "split", "two/1", "two/2", "weightless", "nifti/scan.nii.gz"}
    plain = rows["plain/PT"]
    assert (plain["choice"], plain["refusals"], plain["n_files"]) == ("taken", "", "8")
    assert plain["computable"].split()[0] == "bw"
    assert "tbr" in plain["computable"].split()
    assert float(plain["weight_kg"]) == 70
    assert rows["split"]["n_files"] == "8"
    assert [rows[f"two/{n}"]["choice"] for n in (1, 2)] == ["ambiguous", "ambiguous"]
    assert rows["two/1"]["study_folder"] == "two"
    assert "WEIGHT_MISSING" in rows["weightless"]["refusals"]
    assert rows["weightless"]["computable"] == "tbr"
    assert "WEIGHT_MISSING" in rows["nifti/scan.nii.gz"]["refusals"]
    assert "5 studies with PET" in result.err
    assert b"Doe" not in result.out


def test_the_record_counts_what_is_no_pet(petquant_within, tree):
    record = petquant_within("discover", tree, "--format", "json").json
    seg_is_of_another_study = 1
    assert record["n_studies"] == 5
    assert record["n_studies_without_pet"] == 1 + seg_is_of_another_study
    assert record["strays"]["not DICOM"] >= 1
    refused = next(one for one in record["series"] if one["folder"] == "weightless")
    assert {"WEIGHT_MISSING"} <= {cause["code"] for cause in refused["refusals"]}
    assert all("found" in cause for cause in refused["refusals"])


def test_the_record_and_its_rows_are_those_of_the_contract(petquant_within, tree, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs/reference")
    named = [key for key, _, _ in importlib.import_module("json_contract").DISCOVER_RECORD]
    record = petquant_within("discover", tree, "--format", "json").json
    assert list(record) == list(dict.fromkeys(key.partition("[]")[0] for key in named))
    of_series = [
        key.removeprefix("series[].").removesuffix("[]") for key in named if key.startswith("series")
    ]
    assert list(record["series"][0]) == of_series
    (header, *_) = petquant_within("discover", tree).out.decode().splitlines()
    assert header.split(",") == of_series


def test_a_table_names_series_and_causes(petquant_within, tree):
    result = petquant_within("discover", tree, "--format", "table")
    assert result.code == 0
    assert b"all SUV types" in result.out
    assert b"WEIGHT_MISSING" in result.out


def test_what_cannot_be_read_is_counted_and_stops_nothing(petquant_within, tree, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tree / "plain", broken / "plain")
    shutil.copytree(tree / "two/1", broken / "cut")
    whole = min((broken / "plain/PT").rglob("*.dcm")).read_bytes()
    (broken / "cut_in_meta.dcm").write_bytes(whole[:150])
    for file in (broken / "cut").rglob("*.dcm"):
        file.write_bytes(file.read_bytes()[:-200])
    result = petquant_within("discover", broken)
    assert result.code == 0, result.err
    rows = {row["folder"]: row for row in rows_of(result.out)}
    assert rows["plain/PT"]["refusals"] == ""
    assert rows["cut"]["refusals"] == "FILE_TRUNCATED"
    assert "1 that may be PET, the first" in result.err


def test_a_folder_that_is_barred_stops_nothing(petquant_within, tree, monkeypatch):
    scandir = os.scandir

    def barred(path):
        if str(path).endswith("two"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", barred)
    result = petquant_within("discover", tree)
    assert result.code == 0
    assert {row["folder"] for row in rows_of(result.out)} >= {"plain/PT", "split"}
    assert "FILE_UNREADABLE" in result.err


def test_a_tree_without_a_computable_series_leaves_with_4(petquant_within, tree, tmp_path):
    refused = petquant_within("discover", tree / "weightless")
    assert (refused.code, len(rows_of(refused.out))) == (4, 1)
    assert "WEIGHT_MISSING" in refused.codes
    empty = petquant_within("discover", tree / "ct")
    assert (empty.code, empty.codes) == (4, ["NO_PET_SERIES"])
    assert petquant_within("discover", tmp_path / "none").code == 2
