"""An index finds every series in any mess, opens nothing that is no file, and hides nothing passed over."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from petquant_phantoms import TINY, ImageGrid, file_bytes, pet_datasets, write_datasets, write_study

from petquant.dicom.index import index
from petquant.dicom.positioned import pread
from petquant.dicom.select import select
from petquant.errors import PetquantError, UnreadableInput, UsageError

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def code_of(caught: pytest.ExceptionInfo[PetquantError]) -> str:
    return caught.value.findings[0].code


def codes(found) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_datasets(pet_datasets(TINY), tmp_path / "study")
    return tmp_path / "study"


def test_series_are_found_in_nested_folders_without_file_extensions(tmp_path):
    datasets = pet_datasets(TINY)
    for n, dataset in enumerate(datasets):
        folder = tmp_path / "a" / str(n % 3) / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n:08X}").write_bytes(file_bytes(dataset))
    (series,) = index(tmp_path).series
    assert (series.modality, len(series.instances)) == ("PT", 8)
    assert series.uid == datasets[0].SeriesInstanceUID
    assert series.study_uid == datasets[0].StudyInstanceUID
    assert series.frame_of_reference_uid == datasets[0].FrameOfReferenceUID


def test_one_file_is_a_series_of_one(study):
    (series,) = index(study / "IM0001.dcm").series
    assert len(series.instances) == 1


def test_the_order_of_series_and_files_never_changes(tmp_path):
    study = write_study(replace(TINY, extras=("nac_series", "mip"), instance_order="shuffled"), tmp_path)
    first, second = index(study.dicom), index(study.dicom)
    assert first == second
    assert len(first.series) >= 2


def test_strays_are_counted_by_kind(study):
    (study / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(3000))
    (study / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(3000))
    (study / "report.pdf").write_bytes(b"%PDF-1.4 " + bytes(3000))
    (study / "empty").touch()
    (study / "DICOMDIR").write_bytes(b"never opened")
    found = index(study)
    assert found.strays == {"not DICOM": 2, "PDF": 1, "empty": 1, "DICOMDIR": 1}
    assert codes(found) == ["STRAY_FILES"]
    assert len(found.series[0].instances) == 8


@needs_posix
def test_pipes_sockets_and_devices_are_not_opened(study, monkeypatch):
    os.mkfifo(study / "pipe")
    monkeypatch.chdir(study)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        found = index(study)
    assert codes(found) == ["NOT_A_REGULAR_FILE"]
    assert found.strays == {"special file": 2}


@needs_posix
def test_a_device_given_as_the_path_is_not_opened():
    with pytest.raises(UnreadableInput) as caught:
        index("/dev/zero")
    assert code_of(caught) == "NO_FILES"


@needs_posix
def test_a_loop_of_links_ends(study):
    (study / "loop").symlink_to(study)
    (study / "self").symlink_to("self")
    found = index(study, follow_symlinks=True)
    assert len(found.series[0].instances) == 8


@needs_posix
def test_a_folder_with_only_a_loop_has_no_files(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(UnreadableInput) as caught:
        index(tmp_path, follow_symlinks=True)
    assert code_of(caught) == "NO_FILES"


@needs_posix
def test_links_out_of_the_folder_are_followed_only_on_request(study, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (study / "IM0001.dcm").rename(outside / "IM0001.dcm")
    (study / "IM0002.dcm").rename(tmp_path / "IM0002.dcm")
    (study / "folder").symlink_to(outside)
    (study / "file").symlink_to(tmp_path / "IM0002.dcm")
    found = index(study)
    assert codes(found) == ["SYMLINK_NOT_FOLLOWED"]
    assert len(found.series[0].instances) == 6
    assert len(index(study, follow_symlinks=True).series[0].instances) == 8


@needs_posix
def test_a_link_within_the_folder_doubles_nothing(study):
    (study / "again.dcm").symlink_to("IM0001.dcm")
    for follow in (False, True):
        assert len(index(study, follow_symlinks=follow).series[0].instances) == 8


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError) as caught:
        index(tmp_path / "nowhere")
    assert code_of(caught) == "PATH_NOT_FOUND"


def test_an_empty_folder_and_one_without_dicom_are_told_apart(tmp_path):
    with pytest.raises(UnreadableInput) as caught:
        index(tmp_path)
    assert code_of(caught) == "NO_FILES"
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UnreadableInput) as caught:
        index(tmp_path)
    assert code_of(caught) == "NO_DICOM"


@needs_posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(study):
    (study / "IM0003.dcm").chmod(0)
    with pytest.raises(UnreadableInput) as caught:
        index(study)
    assert code_of(caught) == "FILE_UNREADABLE"
    assert caught.value.findings[0].path.endswith("IM0003.dcm")


def test_a_file_that_cannot_be_opened_is_named(study, monkeypatch):
    def refuse(path: str) -> int:
        if path.endswith("IM0003.dcm"):
            raise PermissionError(13, "Permission denied", path)
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    monkeypatch.setattr("petquant.dicom.scan.open_to_read", refuse)
    with pytest.raises(UnreadableInput) as caught:
        index(study)
    assert code_of(caught) == "FILE_UNREADABLE"
    assert caught.value.findings[0].path.endswith("IM0003.dcm")


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="file names are Unicode there")
def test_a_file_name_that_is_not_utf_8_is_read(study):
    (study / "IM0001.dcm").rename(study / os.fsdecode(b"IM\xff\xfe.dcm"))
    (series,) = index(study).series
    assert len(series.instances) == 8


def test_all_damaged_pet_files_are_named_at_once(study):
    for name in ("IM0001.dcm", "IM0005.dcm"):
        content = (study / name).read_bytes()
        (study / name).write_bytes(content[:-100])
    with pytest.raises(UnreadableInput) as caught:
        select(index(study))
    assert [Path(finding.path).name for finding in caught.value.findings] == ["IM0001.dcm", "IM0005.dcm"]


def test_a_damaged_pet_file_names_its_series_and_leaves_the_others_alone(study):
    def is_other(dataset, _):
        dataset.SeriesInstanceUID += ".7"

    paths = write_datasets(pet_datasets(TINY, edit=is_other), study / "other")
    paths[2].write_bytes(paths[2].read_bytes()[:-100])
    found = index(study)
    assert [len(series.instances) for series in found.series] == [8, 7]
    (damaged,) = found.damaged
    assert damaged.damage.code == "FILE_TRUNCATED"
    whole, broken = (series.uid for series in found.series)
    chosen = select(found, series=whole)
    assert [finding.code for finding in chosen.findings] == ["FILE_DAMAGED"]
    with pytest.raises(UnreadableInput):
        select(found, series=broken)


def test_a_damaged_file_of_another_modality_is_set_aside_with_a_flag(study):
    dataset = pet_datasets(TINY)[0]
    dataset.Modality, dataset.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
    content = file_bytes(dataset)
    at = content.index(b"\x20\x00\x0d\x00", 132)
    (study / "ct.dcm").write_bytes(content[: at + 20])
    found = index(study)
    assert codes(found) == ["FILE_DAMAGED"]
    assert [one.modality for one in found.series] == ["PT"]


def test_headers_are_read_without_the_pixels(tmp_path, monkeypatch):
    """32 KB of pixels a file, and at most a window of 16 KiB of each is read."""
    wide = ImageGrid(shape=(8, 128, 128), spacing_mm=TINY.grid.spacing_mm)
    write_datasets(pet_datasets(replace(TINY, grid=wide)), tmp_path)
    read = []

    def counting(descriptor: int, n: int, offset: int) -> bytes:
        part = pread(descriptor, n, offset)
        read.append(len(part))
        return part

    monkeypatch.setattr("petquant.dicom.scan.pread", counting)
    assert len(index(tmp_path).series[0].instances) == 8
    assert max(read) <= 16_384
    assert sum(read) < 8 * 16_384
