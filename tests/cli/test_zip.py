"""A study in a zip file, and the archives that no honest exporter writes (reliability.md id 21)."""

from __future__ import annotations

import stat
import struct
import zipfile

import pytest


def zipped(study, path, *, extra=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(study.dicom.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(study.dicom))
        for name, content in extra:
            archive.writestr(name, content)
    return path


def test_a_zip_gives_the_numbers_of_its_folder(petquant, tiny, tmp_path):
    archive = zipped(tiny, tmp_path / "scan.zip", extra=[("readme.txt", "not DICOM")])
    of_zip = petquant("suv", archive, "--roi", tiny.lesions, "--format", "json")
    of_folder = petquant("suv", tiny.dicom, "--roi", tiny.lesions, "--format", "json")
    assert of_zip.code == 0, of_zip.err
    assert of_zip.json["measurements"] == of_folder.json["measurements"]
    assert of_zip.json["inputs"] == of_folder.json["inputs"]


def test_check_and_convert_take_a_zip(petquant, tiny, tmp_path):
    archive = zipped(tiny, tmp_path / "scan.zip")
    assert petquant("check", archive).code == 0
    assert petquant("convert", archive, "-o", tmp_path / "suv.nii.gz").code == 0
    assert (tmp_path / "suv.json").is_file()


def test_nothing_of_a_zip_stays_behind(petquant, tiny, tmp_path):
    archive = zipped(tiny, tmp_path / "scan.zip")
    private = tmp_path / "private"
    private.mkdir()
    result = petquant("suv", archive, "--roi", tiny.lesions, env={"TMPDIR": str(private)})
    assert result.code == 0
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("name", ["../../outside.dcm", "/outside.dcm", "..\\outside.dcm", "C:\\outside.dcm"])
def test_bad_021_a_member_never_leads_out_of_the_folder(petquant, tiny, tmp_path, name):
    archive = zipped(tiny, tmp_path / "scan.zip", extra=[(name, b"x")])
    result = petquant("suv", archive, "--roi", tiny.lesions)
    assert result.code == 3
    assert "ARCHIVE_UNSAFE" in result.err
    assert not list(tmp_path.parent.rglob("outside.dcm"))


def test_bad_021_a_link_is_never_followed(petquant, tiny, tmp_path):
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tiny, tmp_path / "scan.zip", extra=[(link, "/etc/passwd")])
    result = petquant("suv", archive, "--roi", tiny.lesions)
    assert result.code == 3
    assert "ARCHIVE_UNSAFE" in result.err


def test_bad_021_members_that_lie_over_each_other_are_an_error(petquant, tiny, tmp_path):
    archive = zipped(tiny, tmp_path / "scan.zip")
    content = bytearray(archive.read_bytes())
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    place = content[first + 42 : first + 46]
    content[second + 42 : second + 46] = place
    archive.write_bytes(content)
    result = petquant("suv", archive, "--roi", tiny.lesions)
    assert result.code == 3
    assert "ARCHIVE_UNSAFE" in result.err


def test_bad_021_a_bomb_is_not_inflated(petquant, tiny, tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members, members.open("a", "w") as member:
        for _ in range(600):  # 600 MB of zeros in 600 kB
            member.write(bytes(1 << 20))
    result = petquant("suv", archive, "--roi", tiny.lesions)
    assert result.code == 7
    assert "INFLATION_LIMIT" in result.err


def test_bad_021_a_broken_zip_is_an_error(petquant, tiny, tmp_path):
    archive = zipped(tiny, tmp_path / "scan.zip")
    archive.write_bytes(archive.read_bytes()[:-200] + struct.pack("<I", 0))
    result = petquant("suv", archive, "--roi", tiny.lesions)
    assert result.code == 3
    assert "FILE_NOT_UNDERSTOOD" in result.err
