"""Faults are written as they were asked for, byte for byte."""

from dataclasses import replace

import pydicom
import pytest
from petquant_phantoms import TINY, pet_datasets, write_datasets, write_study, write_text


@pytest.mark.parametrize("text", ["nan", "inf", "", "-1", "1e400", "12 kg", "72.000000000000000000"])
def test_any_text_stands_in_the_file(text, tmp_path):
    def spoil(dataset, index):
        write_text(dataset, "PatientWeight", text)

    study = write_study(TINY, tmp_path, edit=spoil)
    content = (study.pet / "IM0001.dcm").read_bytes()
    padded = text.encode() + b" " * (len(text) % 2)
    assert b"\x10\x00\x30\x10DS" + len(padded).to_bytes(2, "little") + padded in content


def test_an_edit_sees_every_slice_once_and_in_order(tmp_path):
    seen = []
    write_study(TINY, tmp_path, edit=lambda dataset, index: seen.append((index, int(dataset.InstanceNumber))))
    assert seen == [(n, n + 1) for n in range(8)]


def test_declared_edits_reach_into_the_radiopharmaceutical_item(tmp_path):
    edits = (
        ("RadionuclideTotalDose", "368.08"),
        ("RadiopharmaceuticalStartTime", None),
        ("PatientWeight", None),
    )
    study = write_study(replace(TINY, edits=edits), tmp_path)
    ds = pydicom.dcmread(study.pet / "IM0008.dcm")
    item = ds.RadiopharmaceuticalInformationSequence[0]
    assert item.RadionuclideTotalDose == 368.08
    assert "RadiopharmaceuticalStartTime" not in item
    assert "PatientWeight" not in ds


def test_edited_datasets_can_be_written_under_any_name(tmp_path):
    datasets = pet_datasets(TINY)
    datasets[3].PatientWeight = "71"
    paths = write_datasets(datasets, tmp_path / "deep" / "er", names=[f"scan{n}" for n in range(8)])
    assert [path.name for path in paths] == [f"scan{n}" for n in range(8)]
    assert pydicom.dcmread(paths[3]).PatientWeight == 71.0


def test_an_edit_leaves_the_next_study_untouched(tmp_path):
    def remove(dataset, index):
        del dataset.PatientWeight

    write_study(TINY, tmp_path / "a", edit=remove)
    study = write_study(TINY, tmp_path / "b")
    assert pydicom.dcmread(study.pet / "IM0001.dcm").PatientWeight == 70.0
