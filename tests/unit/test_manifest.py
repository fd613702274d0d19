"""A manifest sees every changed bit, and is the text of sha256sum."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

import pytest

from petquant.errors import Refused, UnreadableInput
from petquant.manifest import lock, verify


@pytest.fixture
def study(tmp_path):
    """Three files in two folders, and a link that is none of them."""
    root = tmp_path / "study"
    (root / "b").mkdir(parents=True)
    (root / "b/2.dcm").write_bytes(b"two")
    (root / "1.dcm").write_bytes(b"one")
    (root / "c d.dcm").write_bytes(b"three")
    return root


@pytest.fixture
def manifest(study, tmp_path):
    path = tmp_path / "MANIFEST"
    path.write_bytes(lock(study))
    return path


def problems(study, manifest):
    with pytest.raises(Refused) as refused:
        verify(study, manifest)
    assert {finding.code for finding in refused.value.findings} == {"MANIFEST_MISMATCH"}
    return [finding.found for finding in refused.value.findings]


def test_a_manifest_holds_one_line_a_file_in_the_order_of_their_paths(study):
    lines = lock(study).decode().splitlines()
    assert lines == [
        f"{hashlib.sha256(content).hexdigest()}  {name}"
        for name, content in (("1.dcm", b"one"), ("b/2.dcm", b"two"), ("c d.dcm", b"three"))
    ]


def test_sha256sum_reads_it(study, manifest):
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    subprocess.run(["sha256sum", "--check", "--strict", manifest], cwd=study, check=True, capture_output=True)


def test_what_is_locked_is_held_and_the_manifest_named_by_its_own_hash(study, manifest):
    assert verify(study, manifest) == hashlib.sha256(manifest.read_bytes()).hexdigest()


@pytest.mark.parametrize("bit", [0, 7, 13, 23])
def test_one_flipped_bit_is_seen(study, manifest, bit):
    content = bytearray(b"one")
    content[bit // 8] ^= 1 << bit % 8
    (study / "1.dcm").write_bytes(content)
    assert problems(study, manifest) == ["1.dcm has changed"]


def test_a_changed_bit_is_seen_whatever_the_file_system_says_of_its_time(study, manifest):
    path = study / "1.dcm"
    status = path.stat()
    path.write_bytes(b"onE")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert problems(study, manifest) == ["1.dcm has changed"]


def test_every_difference_is_said_at_once(study, manifest):
    (study / "1.dcm").write_bytes(b"other")
    (study / "b/2.dcm").unlink()
    (study / "b/new.dcm").write_bytes(b"")
    assert problems(study, manifest) == [
        "1.dcm has changed",
        "b/2.dcm is missing",
        "b/new.dcm is not in the manifest",
    ]


def test_a_moved_file_is_missing_in_one_place_and_new_in_another(study, manifest):
    (study / "1.dcm").rename(study / "b/1.dcm")
    assert problems(study, manifest) == ["1.dcm is missing", "b/1.dcm is not in the manifest"]


def test_a_study_of_one_file_is_locked_by_its_name(study, tmp_path):
    manifest = tmp_path / "ONE"
    manifest.write_bytes(lock(study / "1.dcm"))
    assert manifest.read_bytes().endswith(b"  1.dcm\n")
    verify(study / "1.dcm", manifest)


def test_a_name_that_is_not_utf8_survives(study, tmp_path):
    try:
        (study / os.fsdecode(b"\xff\xfe.dcm")).write_bytes(b"four")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    manifest = tmp_path / "MANIFEST"
    manifest.write_bytes(lock(study))
    assert b"  \xff\xfe.dcm\n" in manifest.read_bytes()
    verify(study, manifest)


ODD_NAMES = [
    "two\nlines.dcm",
    "re\rturn.dcm",
    "next\x85line.dcm",
    "sep\u2028arator.dcm",
    "back\\nslash.dcm",
    "end\r",
]


@pytest.mark.skipif(os.name == "nt", reason="these names are POSIX")
@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_name_with_a_line_break_or_a_backslash_is_locked_and_held(study, tmp_path, name):
    (study / name).write_bytes(b"four")
    manifest = tmp_path / "MANIFEST"
    manifest.write_bytes(lock(study))
    verify(study, manifest)
    (study / name).write_bytes(b"five")
    assert problems(study, manifest) == [f"{name} has changed"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_sha256sum_writes_such_names_the_same_way(study, tmp_path, name):
    (study / name).write_bytes(b"four")
    names = sorted(os.fsencode(path.relative_to(study)) for path in study.rglob("*") if path.is_file())
    run = subprocess.run(["sha256sum", *names], cwd=study, check=True, capture_output=True)
    manifest = tmp_path / "MANIFEST"
    manifest.write_bytes(run.stdout)
    verify(study, manifest)
    manifest.write_bytes(lock(study))
    subprocess.run(["sha256sum", "--check", "--strict", manifest], cwd=study, check=True, capture_output=True)


def test_a_manifest_with_the_line_ends_of_windows_is_read(study, manifest):
    manifest.write_bytes(manifest.read_bytes().replace(b"\n", b"\r\n"))
    verify(study, manifest)


def test_links_pipes_and_empty_folders_are_no_part_of_it(study, tmp_path):
    before = lock(study)
    (study / "empty").mkdir()
    (study / "link.dcm").symlink_to(study / "1.dcm")
    (tmp_path / "outside").write_bytes(b"x")
    (study / "out.dcm").symlink_to(tmp_path / "outside")
    if hasattr(os, "mkfifo"):
        os.mkfifo(study / "pipe")
    assert lock(study) == before


def test_a_study_without_a_file_has_no_manifest(tmp_path):
    with pytest.raises(UnreadableInput) as unread:
        lock(tmp_path)
    assert unread.value.findings[0].code == "NO_FILES"


@pytest.mark.parametrize(
    "text",
    ["no hash at all", "0" * 63 + "  1.dcm", "0" * 64 + " 1.dcm", "Z" * 64 + "  1.dcm", "\n\n", "\0\1\2"],
)
def test_a_manifest_that_is_none_is_not_read(study, tmp_path, text):
    manifest = tmp_path / "MANIFEST"
    manifest.write_text(text)
    with pytest.raises(UnreadableInput) as unread:
        verify(study, manifest)
    assert unread.value.findings[0].code == "SIDECAR_INVALID"


def test_an_empty_manifest_locks_nothing_and_holds_nothing(study, tmp_path):
    manifest = tmp_path / "MANIFEST"
    manifest.write_bytes(b"")
    assert len(problems(study, manifest)) == 3


def test_a_path_in_a_manifest_is_never_opened(study, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    manifest = tmp_path / "MANIFEST"
    hashed = hashlib.sha256(b"secret").hexdigest()
    manifest.write_bytes(lock(study) + f"{hashed}  ../secret\n{hashed}  {secret}\n".encode())
    assert problems(study, manifest) == ["../secret is missing", f"{secret} is missing"]


def test_a_manifest_that_is_a_folder_or_absent_is_not_read(study, tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UnreadableInput):
            verify(study, path)
