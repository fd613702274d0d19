"""An output is whole or not there, however the process that writes it ends (reliability section 6)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from petquant.errors import OutputFailed
from petquant.output import write_all, write_whole

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and permissions")

# One byte value a version: a file of mixed bytes, or of another length, is a torn one. 256 KiB take several
# writes, so that a kill falls between them.
SIZE = 2**18
WRITER = f"""
import itertools, sys
from pathlib import Path
from petquant.output import write_all

def written(value):
    def write(file):
        for _ in range(64):
            file.write(bytes([value]) * {SIZE // 64})
    return write

paths = [Path(name) for name in sys.argv[1:]]
print("ready", flush=True)
for n in itertools.count(1):
    write_all({{path: written(n % 256) for path in paths}})
"""


def kill_while_writing(paths: list[Path], *, after_s: float) -> int:
    """Start a process that writes over and over, kill it, and return its number."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, *map(str, paths)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(after_s)
    process.kill()
    process.wait()
    process.stdout.close()
    return process.pid


@posix
def test_a_killed_process_leaves_the_old_or_the_new_content(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_bytes(b"\0" * SIZE)
    leavings = 0
    for n in range(100):
        pid = kill_while_writing([path], after_s=0.0002 * n)
        content = path.read_bytes()
        assert len(content) == SIZE
        assert content == content[:1] * SIZE, "a torn file"
        others = {other.name for other in tmp_path.iterdir()} - {path.name}
        assert others <= {f".numbers.csv.{pid}.tmp", f".numbers.csv.old.{pid}.tmp"}, others
        leavings += len(others)
        write_whole(path, b"\0" * SIZE)
        assert [other.name for other in tmp_path.iterdir()] == [path.name], "the next run sweeps them away"
    assert leavings, "no kill fell into a write: the test sees nothing"


@posix
def test_files_that_belong_together_are_each_whole_after_a_kill(tmp_path):
    paths = [tmp_path / "suv.nii", tmp_path / "suv.json"]
    for path in paths:
        path.write_bytes(b"\0" * SIZE)
    for n in range(10):
        kill_while_writing(paths, after_s=0.002 * n)
        for path in paths:
            content = path.read_bytes()
            assert content == content[:1] * SIZE


def test_a_temporary_file_of_a_living_process_is_left_alone(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    living = tmp_path / f".numbers.csv.{other.pid}.tmp"
    living.write_bytes(b"not yet")
    try:
        write_whole(tmp_path / "numbers.csv", b"1")
        assert living.read_bytes() == b"not yet"
    finally:
        other.communicate(b"\n")
    write_whole(tmp_path / "numbers.csv", b"2")
    assert not living.exists()


def test_a_temporary_file_of_a_dead_process_with_our_number_is_no_obstacle(tmp_path):
    (tmp_path / f".numbers.csv.{os.getpid()}.tmp").write_bytes(b"half")
    write_whole(tmp_path / "numbers.csv", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.csv"]


@pytest.mark.parametrize(
    "name", [".numbers.csv.tmp", ".numbers.csv.1x.tmp", ".other.csv.999999.tmp", "a.999999.tmp"]
)
def test_nothing_but_our_own_leavings_is_swept(tmp_path, name):
    (tmp_path / name).write_bytes(b"kept")
    write_whole(tmp_path / "numbers.csv", b"1")
    assert (tmp_path / name).read_bytes() == b"kept"


def test_none_of_several_files_is_placed_when_one_cannot_be_written(tmp_path):
    first, second = tmp_path / "a.nii", tmp_path / "b.json"
    first.write_bytes(b"old")

    def failing(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputFailed, match="No space left"):
        write_all({first: b"new", second: failing})
    assert first.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_what_stood_there_comes_back_when_a_later_file_cannot_be_placed(tmp_path):
    first, second, folder = tmp_path / "a.nii", tmp_path / "b.nii", tmp_path / "c.json"
    first.write_bytes(b"old")
    folder.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OutputFailed):
        write_all({first: b"new", second: b"new", folder: b"new"})
    assert first.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii", "c.json"]


def test_an_error_that_is_no_matter_of_the_disk_leaves_nothing_either(tmp_path):
    def failing(file):
        file.write(b"half")
        raise MemoryError

    with pytest.raises(MemoryError):
        write_all({tmp_path / "a": failing})
    assert not list(tmp_path.iterdir())


@posix
def test_a_link_at_the_destination_is_replaced_and_its_target_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "numbers.csv"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert target.read_bytes() == b"kept"
    assert link.read_bytes() == b"new"
    assert not link.is_symlink()


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_finished_file_has_the_rights_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "numbers.csv", b"1")
        (tmp_path / "usual").touch()
        assert os.umask(umask) == umask, "the mask of the process is as it was"
    finally:
        os.umask(before)
    rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert rights["numbers.csv"] == rights["usual"]


@pytest.mark.parametrize("place", ["missing/numbers.csv", "x" * 250 + ".csv"])
def test_a_place_that_is_none_is_named(tmp_path, place):
    with pytest.raises(OutputFailed) as failed:
        write_whole(tmp_path / place, b"1")
    (finding,) = failed.value.findings
    assert finding.code == "OUTPUT_FAILED"
    assert re.search("could not be written: (No such file|File name too long)", finding.found)
    assert failed.value.exit_code == 6
    assert not list(tmp_path.iterdir())
