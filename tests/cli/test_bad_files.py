"""Files that no scanner meant to write: reliability.md section 3, ids 1 to 29; 21 stands in test_zip.py."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import re
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from petquant_phantoms import TINY, Study, pet_datasets, write_datasets
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

LONG_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT")
# root's right to read everything is taken away, so that file permissions count
WITHOUT_PRIVILEGE = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


def element(tag: int, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
    """An element in explicit little endian, its declared length as given."""
    n = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (struct.pack("<HI", 0, n) if vr in LONG_VRS else struct.pack("<H", n)) + value


def offset_of(content: bytes, tag: int, vr: bytes) -> int:
    """Where the only element of this tag and representation begins."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    assert content.count(head) == 1
    return content.index(head)


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def replaced(tag: int, vr: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """A change that puts `new` in place of an element with a short head."""

    def change(content: bytes) -> bytes:
        at = offset_of(content, tag, vr)
        (length,) = struct.unpack_from("<H", content, at + 6)
        return content[:at] + new + content[at + 8 + length :]

    return change


def write_ct(folder: Path, n: int = 3) -> list[Path]:
    """A CT series of the same patient."""

    def is_ct(dataset: Dataset, _: int) -> None:
        dataset.Modality, dataset.SOPClassUID = "CT", CTImageStorage
        dataset.SeriesInstanceUID += ".2"
        dataset.SOPInstanceUID += ".2"

    return write_datasets(pet_datasets(TINY, edit=is_ct)[:n], folder)


def write_nifti(path: Path, shape: tuple[int, ...], content: bytes = b"", *, datatype: int = 2) -> Path:
    """A NIfTI-1 file with this shape in its header and any content behind it; 2 is uint8."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", header, 70, datatype, 8)
    struct.pack_into("<8f", header, 76, 1, 4, 4, 4, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<h", header, 254, 1)
    struct.pack_into("<12f", header, 280, -4, 0, 0, 30, 0, -4, 0, 30, 0, 0, 4, -14)
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + content)
    return path


def test_bad_001_an_empty_folder_is_unreadable(refused, tmp_path):
    (tmp_path / "empty" / "nested").mkdir(parents=True)
    result = refused(tmp_path / "empty", code=3, because="NO_FILES")
    assert "give the folder of the study" in result.err


def test_bad_002_a_folder_without_pet_is_refused_with_what_it_holds(refused, tmp_path):
    write_ct(tmp_path / "ct")
    assert "no PET among 3 objects: CT 3" in refused(tmp_path / "ct", code=4, because="NO_PET_SERIES").err


def test_bad_002_a_folder_without_dicom_is_unreadable(refused, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear colleague, the scan is on the other disc.")
    refused(tmp_path / "letters", code=3, because="NO_DICOM")


@pytest.mark.parametrize("option", ["", "--roi", "--labels", "--manifest", "--pseudonym-key"])
def test_bad_003_a_path_that_does_not_exist_is_a_mistake_of_usage(refused, tiny, tmp_path, option):
    nowhere = tmp_path / "nowhere.nii"
    if not option:
        result = refused(nowhere, code=2, because="PATH_NOT_FOUND")
    else:
        result = refused(tiny.dicom, option, nowhere, code=2, because="PATH_NOT_FOUND")
    assert "nowhere.nii does not exist" in result.err


def test_bad_003_a_background_that_does_not_exist_is_a_mistake_of_usage(refused, tiny):
    refused(tiny.dicom, "--background", "liver=nowhere.nii", code=2, because="PATH_NOT_FOUND")


def test_bad_003_an_unknown_option_is_a_mistake_of_usage(petquant, tiny, untouched):
    with untouched():
        result = petquant("suv", tiny.dicom, "--roi", tiny.lesions, "--wieght", "70")
    assert (result.code, result.out, result.codes) == (2, b"", ["USAGE"])
    assert "--wieght" in result.err


@pytest.fixture
def without_privilege():
    if os.geteuid() != 0:
        return {}
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and setpriv is not there to take that right away")
    return {"prefix": WITHOUT_PRIVILEGE}


def test_bad_004_a_file_that_may_not_be_read_is_named_and_never_skipped(refused, study_of, without_privilege):
    study = study_of()
    forbidden = study.pet / "IM0004.dcm"
    forbidden.chmod(0)
    result = refused(study.dicom, code=3, because="FILE_UNREADABLE", **without_privilege)
    assert str(forbidden) in result.line("FILE_UNREADABLE")
    assert "Permission denied" in result.line("FILE_UNREADABLE")


def test_bad_004_a_folder_that_may_not_be_listed_is_named(refused, study_of, without_privilege):
    study = study_of()
    (study.dicom / "more").mkdir(mode=0)
    result = refused(study.dicom, code=3, because="FILE_UNREADABLE", **without_privilege)
    (study.dicom / "more").chmod(0o700)
    assert str(study.dicom / "more") in result.line("FILE_UNREADABLE")


@pytest.mark.parametrize("option", ["--roi", "--labels", "--manifest", "--pseudonym-key"])
def test_bad_004_a_given_file_that_may_not_be_read_is_named(
    refused, tiny, tmp_path, without_privilege, option
):
    forbidden = tmp_path / "forbidden"
    forbidden.write_bytes(b"secret")
    forbidden.chmod(0)
    result = refused(tiny.dicom, option, forbidden, code=3, because="FILE_UNREADABLE", **without_privilege)
    assert str(forbidden) in result.err


def test_bad_005_links_in_a_loop_end(refused, computed, study_of, tmp_path):
    loop = tmp_path / "loop"
    (loop / "inner").mkdir(parents=True)
    (loop / "inner" / "again").symlink_to(loop)
    (loop / "itself").symlink_to(loop / "itself")
    refused(loop, code=3, because="NO_FILES")
    refused(loop, "--follow-symlinks", code=3, because="NO_FILES")
    study = study_of()
    (study.pet / "up").symlink_to(study.dicom)
    computed(study.dicom, "--follow-symlinks")


def test_bad_006_a_link_out_of_the_tree_is_followed_on_request_only(refused, computed, study_of, tmp_path):
    study = study_of()
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "PT").symlink_to(study.pet)
    result = refused(linked, code=3, because="NO_FILES")
    assert "--follow-symlinks" in result.err
    computed(linked, "--follow-symlinks")


def test_bad_006_a_link_that_was_not_followed_is_a_flag(computed, study_of, tmp_path):
    study = study_of()
    write_ct(tmp_path / "elsewhere")
    (study.dicom / "CT").symlink_to(tmp_path / "elsewhere")
    assert computed(study.dicom, flag="SYMLINK_NOT_FOLLOWED")["study"]["n_series"] == 1
    assert computed(study.dicom, "--follow-symlinks")["study"]["n_series"] == 2


def test_bad_007_pipes_sockets_and_devices_are_not_opened(computed, study_of):
    study = study_of()
    os.mkfifo(study.pet / "pipe.dcm")
    (study.pet / "zeros.dcm").symlink_to("/dev/zero")
    here = os.open(study.pet, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{here}/socket.dcm")  # the address of a socket has 107 bytes at most
    os.close(here)
    record = computed(study.dicom, "--follow-symlinks", flag="NOT_A_REGULAR_FILE")
    assert record["study"]["strays"] == {"special file": 3}


@pytest.mark.parametrize(
    ("option", "because"),
    [
        ("", "NO_FILES"),
        ("--roi", "FORMAT_UNSUPPORTED"),
        ("--labels", "SIDECAR_INVALID"),
        ("--manifest", "SIDECAR_INVALID"),
    ],
)
def test_bad_007_a_pipe_in_place_of_a_file_is_not_waited_for(refused, tiny, tmp_path, option, because):
    os.mkfifo(tmp_path / "pipe")
    given = (tiny.dicom, option, tmp_path / "pipe") if option else (tmp_path / "pipe",)
    refused(*given, code=3, because=because)


def test_bad_008_empty_and_foreign_files_are_counted_and_ignored(refused, computed, study_of, tmp_path):
    study = study_of()
    (study.pet / "empty.dcm").touch()
    (study.dicom / "notes.txt").write_text("uptake 60 min")
    (study.dicom / "noise.bin").write_bytes(np.random.default_rng(8).bytes(5_000))
    record = computed(study.dicom)
    assert record["study"]["strays"] == {"empty": 1, "not DICOM": 2}
    assert "STRAY_FILES" in record["conversion"]["flags"]
    for path in study.pet.glob("IM*"):
        path.unlink()
    refused(study.dicom, code=3, because="NO_DICOM")


def test_bad_009_a_slice_cut_in_its_header_is_unreadable(refused, study_of):
    study = study_of()
    path = study.pet / "IM0003.dcm"
    changed(path, lambda content: content[: offset_of(content, 0x00281053, b"DS") + 10])
    result = refused(study.dicom, code=3, because="FILE_TRUNCATED")
    assert str(path) in result.line("FILE_TRUNCATED")


def test_bad_009_a_file_cut_before_it_says_what_it_is_may_be_a_slice(refused, study_of):
    study = study_of()
    whole = (study.pet / "IM0003.dcm").read_bytes()
    # of preamble and meta header nothing but the class is left to say what the file is
    meta = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    (study.dicom / "unknown").write_bytes(
        bytes(128) + b"DICM" + meta + whole[offset_of(whole, 0x00080008, b"CS") :][:12]
    )
    refused(study.dicom, code=3, because="FILE_TRUNCATED")


def test_bad_009_a_cut_file_of_the_ct_is_a_flag(computed, study_of):
    study = study_of()
    first, *_ = write_ct(study.dicom / "CT")
    changed(first, lambda content: content[: offset_of(content, 0x00080060, b"CS") + 14])
    computed(study.dicom, flag="FILE_DAMAGED")


def with_nac_series(study_of) -> tuple[Study, list[Path]]:
    """The phantom with an uncorrected series beside it, and the files of that."""
    study = study_of(replace(TINY, extras=("nac_series",)))
    return study, sorted((study.dicom / "PT_NAC").iterdir())


def cut_in_half(paths: list[Path]) -> None:
    for path in paths:
        changed(path, lambda content: content[: offset_of(content, 0x00281053, b"DS") + 10])


def test_bad_009_a_cut_slice_of_a_series_that_was_not_chosen_is_a_flag(computed, study_of):
    study, others = with_nac_series(study_of)
    cut_in_half(others[2:4])
    record = computed(study.dicom, flag="FILE_DAMAGED")
    (finding,) = [one for one in record["conversion"]["codes"] if one["code"] == "FILE_DAMAGED"]
    assert "1 more file" in finding["found"]


def test_bad_009_a_series_of_nothing_but_cut_slices_might_have_been_the_one(refused, computed, study_of):
    study, others = with_nac_series(study_of)
    cut_in_half(others)
    refused(study.dicom, code=3, because="FILE_TRUNCATED")
    # asked for by name, the whole series is the one
    computed(study.dicom, "--series", study.truth["series"]["uid"], flag="FILE_DAMAGED")


def test_bad_009_check_sets_a_series_with_a_cut_slice_apart_from_the_others(petquant_within, study_of):
    study, others = with_nac_series(study_of)
    cut_in_half(others[2:3])
    result = petquant_within("check", study.dicom, "--format", "json")
    assert result.code == 0
    whole, cut = result.json["series"]
    assert whole["is_computable"]
    assert [one["code"] for one in cut["refusals"]] == ["FILE_TRUNCATED"]


def test_bad_010_a_slice_cut_in_its_pixels_is_unreadable(refused, study_of):
    study = study_of()
    changed(study.pet / "IM0008.dcm", lambda content: content[:-100])
    result = refused(study.dicom, code=3, because="FILE_TRUNCATED")
    # 16 x 16 pixels of 2 bytes
    assert "declared with 512 bytes" in result.line("FILE_TRUNCATED")
    assert "of which 412 are there" in result.line("FILE_TRUNCATED")


def test_bad_010_pixels_that_are_fewer_than_rows_and_columns_are_unreadable(refused, study_of):
    def too_few(dataset, index):
        if index == 2:
            dataset.PixelData = dataset.PixelData[:-32]

    refused(study_of(edit=too_few).dicom, code=3, because="FILE_TRUNCATED")


def test_bad_011_bytes_after_the_pixels_are_a_flag(computed, study_of):
    study = study_of()
    changed(study.pet / "IM0002.dcm", lambda content: content + b"\r\n-- end of attachment --\r\n")
    computed(study.dicom, flag="TRAILING_BYTES")


@pytest.mark.parametrize("has_meta", [True, False])
def test_bad_012_slices_without_preamble_or_meta_header_are_read_and_flagged(computed, study_of, has_meta):
    study = study_of()
    for path in study.pet.iterdir():
        changed(path, lambda content: content[132 if has_meta else offset_of(content, 0x00080008, b"CS") :])
    computed(study.dicom, flag="NO_META_HEADER")


def test_bad_012_a_cut_slice_without_preamble_is_no_stray(refused, study_of):
    study = study_of()
    for number, path in enumerate(sorted(study.pet.iterdir())):
        end = -100 if number == 7 else None
        changed(path, lambda content, end=end: content[offset_of(content, 0x00080008, b"CS") : end])
    refused(study.dicom, code=3, because="FILE_TRUNCATED")


def test_bad_012_a_wrong_preamble_is_no_dicom(refused, study_of):
    study = study_of()
    for path in study.pet.iterdir():
        changed(path, lambda content: content[:128] + b"XXXX" + content[132:])
    refused(study.dicom, code=3, because="NO_DICOM")


@pytest.mark.parametrize(
    "named", [b"1.2.840.10008.1.2\0\0\0", b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.5\0"]
)
def test_bad_013_bytes_in_another_transfer_syntax_than_named_are_unreadable(refused, study_of, named):
    study = study_of()
    explicit = b"1.2.840.10008.1.2.1\0"
    assert len(named) == len(explicit)
    for path in study.pet.iterdir():
        changed(path, lambda content: content.replace(explicit, named, 1))
    refused(study.dicom, code=3, because="FILE_NOT_UNDERSTOOD")


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFF0])
def test_bad_014_pixels_of_a_length_that_is_none_are_unreadable(refused, study_of, length):
    study = study_of()

    def change(content: bytes) -> bytes:
        at = offset_of(content, 0x7FE00010, b"OW") + 8
        return content[:at] + struct.pack("<I", length) + content[at + 4 :]

    changed(study.pet / "IM0005.dcm", change)
    refused(study.dicom, code=3, because="FILE_NOT_UNDERSTOOD")


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFF0])
def test_bad_014_a_text_of_a_length_that_is_none_is_unreadable(refused, study_of, length):
    study = study_of()
    new = element(0x00104000, b"UT", b"a comment ", length=length)
    changed(study.pet / "IM0005.dcm", replaced(0x00101030, b"DS", new))
    refused(study.dicom, code=3, because="FILE_NOT_UNDERSTOOD")


def test_bad_015_a_value_of_odd_length_that_is_certain_is_a_flag(computed, study_of):
    study = study_of()
    for path in study.pet.iterdir():
        changed(path, replaced(0x00101030, b"DS", element(0x00101030, b"DS", b"70.")))
    computed(study.dicom, flag="VALUE_IRREGULAR")


def test_bad_015_a_wrong_representation_that_leaves_the_value_certain_is_a_flag(computed, study_of):
    study = study_of()
    for path in study.pet.iterdir():
        changed(path, replaced(0x00101030, b"DS", element(0x00101030, b"FD", struct.pack("<d", 70.0))))
    computed(study.dicom, flag="VALUE_IRREGULAR")


@pytest.mark.parametrize("vr", [b"OB", b"AT"])
def test_bad_015_a_wrong_representation_that_may_be_misread_is_unreadable(refused, study_of, vr):
    study = study_of()
    for path in study.pet.iterdir():
        changed(path, replaced(0x00101030, b"DS", element(0x00101030, vr, b"70. ")))
    refused(study.dicom, code=3, because="FILE_NOT_UNDERSTOOD")


@pytest.mark.parametrize("has_length", [True, False])
def test_bad_016_three_hundred_nested_sequences_reach_a_limit(refused, study_of, has_length):
    nested = b""
    item, item_end, sequence_end = (struct.pack("<HH", 0xFFFE, e) for e in (0xE000, 0xE00D, 0xE0DD))
    for _ in range(300):
        if has_length:
            nested = element(0x00081140, b"SQ", item + struct.pack("<I", len(nested)) + nested)
        else:
            inside = item + b"\xff" * 4 + nested + item_end + bytes(4)
            nested = element(0x00081140, b"SQ", inside, length=0xFFFFFFFF) + sequence_end + bytes(4)
    study = study_of()

    def change(content: bytes) -> bytes:
        at = offset_of(content, 0x00100010, b"PN")
        return content[:at] + nested + content[at:]

    changed(study.pet / "IM0001.dcm", change)
    result = refused(study.dicom, code=7, because="NESTING_LIMIT")
    assert "32" in result.line("NESTING_LIMIT")


def test_bad_017_a_tag_that_occurs_twice_is_unreadable(refused, study_of):
    study = study_of()
    twice = element(0x00101030, b"DS", b"70") + element(0x00101030, b"DS", b"85")
    changed(study.pet / "IM0006.dcm", replaced(0x00101030, b"DS", twice))
    result = refused(study.dicom, code=3, because="DUPLICATE_TAGS")
    assert "(0010,1030)" in result.line("DUPLICATE_TAGS")


def test_bad_018_tags_out_of_order_are_a_flag(computed, study_of):
    study = study_of()

    def change(content: bytes) -> bytes:
        at = offset_of(content, 0x00101030, b"DS")
        (length,) = struct.unpack_from("<H", content, at + 6)
        weight, pixels = content[at : at + 8 + length], offset_of(content, 0x7FE00010, b"OW")
        return content[:at] + content[at + 8 + length : pixels] + weight + content[pixels:]

    for path in study.pet.iterdir():
        changed(path, change)
    computed(study.dicom, flag="TAGS_OUT_OF_ORDER")


def test_bad_019_a_deflated_bomb_reaches_a_limit_in_little_memory(refused, petquant, study_of, tiny):
    study = study_of(TINY.in_dialect(transfer_syntax="deflated"))
    meta = (study.pet / "IM0001.dcm").read_bytes()
    (length,) = struct.unpack_from("<I", meta, 140)  # of group 2, whose length stands first
    start = 144 + length
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    inflated = zlib.decompress(meta[start:], wbits=-zlib.MAX_WBITS)
    packed = packer.compress(inflated)
    packed += b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()  # 1 GB of zeros
    (study.pet / "IM0001.dcm").write_bytes(meta[:start] + packed)
    result = refused(study.dicom, code=7, because="INFLATION_LIMIT", measures=True)
    assert "64 times the file" in result.line("INFLATION_LIMIT")
    bounds = f"{len(packed) / 2**20:.1f} MB of file, 64 times that inflated, twice that while joined"
    assert result.peak_mb < 150 + 2 * 64 * len(packed) / 2**20, bounds


def test_bad_020_a_nifti_bomb_reaches_a_limit_in_little_memory(refused, tiny, tmp_path):
    plain = write_nifti(tmp_path / "bomb.nii", (16, 16, 8))
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(plain.read_bytes())
    packed += b"".join(packer.compress(bytes(2**24)) for _ in range(38)) + packer.flush()  # 600 MB
    (tmp_path / "bomb.nii.gz").write_bytes(packed)
    result = refused(
        tiny.dicom, roi=tmp_path / "bomb.nii.gz", code=7, because="INFLATION_LIMIT", measures=True
    )
    assert "2048" in result.line("INFLATION_LIMIT")  # 16 x 16 x 8 voxels of one byte
    assert result.peak_mb < 150, "the command itself holds 60 MB"


@pytest.mark.parametrize("shape", [(20_000, 20_000, 20_000), (32_767,) * 7, (16, 16, 8, 32_767, 32_767)])
def test_bad_022_nifti_dimensions_beyond_reason_reach_a_limit_before_memory_is_taken(
    refused, tiny, tmp_path, shape
):
    roi = write_nifti(tmp_path / "huge.nii", shape, bytes(25))
    result = refused(tiny.dicom, roi=roi, code=7, because="SIZE_LIMIT", measures=True)
    assert result.peak_mb < 150, "the command itself holds 60 MB"


CONTAINERS = {
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    # magic number 0xFD2FB528, an empty frame (RFC 8878 section 3.1.1)
    "zstd": lambda _: b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51",
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_bad_023_a_label_map_in_a_foreign_container_is_unreadable_and_the_format_named(
    refused, tiny, tmp_path, name
):
    roi = tmp_path / "lesions.nii.gz"
    roi.write_bytes(CONTAINERS[name](gzip.decompress(tiny.lesions.read_bytes())))
    result = refused(tiny.dicom, roi=roi, code=3, because="COMPRESSION_UNSUPPORTED")
    assert name in result.line("COMPRESSION_UNSUPPORTED")


@pytest.mark.parametrize("name", CONTAINERS)
def test_bad_023_a_study_in_a_foreign_container_is_unreadable_and_the_format_named(
    refused, tiny, tmp_path, name
):
    study = tmp_path / "study.dcm"
    study.write_bytes(CONTAINERS[name]((tiny.pet / "IM0001.dcm").read_bytes()))
    result = refused(study, code=3, because="COMPRESSION_UNSUPPORTED")
    assert name in result.line("COMPRESSION_UNSUPPORTED")


class Opened:
    """What a pickle makes when somebody opens it: a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("is_study", [True, False])
def test_bad_024_a_numpy_file_with_a_pickle_is_unreadable_and_never_unpickled(
    refused, tiny, tmp_path, is_study
):
    array = np.array([Opened(tmp_path / "opened")], dtype=object)
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    (tmp_path / "labels.npy").write_bytes(stream.getvalue())
    (tmp_path / "labels.pkl").write_bytes(pickle.dumps(array))
    if is_study:
        result = refused(tmp_path / "labels.npy", code=3, because="FORMAT_UNSUPPORTED")
    else:
        result = refused(tiny.dicom, roi=tmp_path / "labels.npy", code=3, because="FORMAT_UNSUPPORTED")
        refused(tiny.dicom, roi=tmp_path / "labels.pkl", code=3, because="FORMAT_UNSUPPORTED")
    assert "NumPy" in result.line("FORMAT_UNSUPPORTED")
    assert not (tmp_path / "opened").exists()


def test_bad_025_a_preamble_that_is_a_program_is_data(computed, petquant, study_of, tmp_path):
    study = study_of()
    program = f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 0\n#".encode()
    for number, path in enumerate(sorted(study.pet.iterdir())):
        head = program[:128] if number % 2 else b"MZ\x90\x00\x03" + bytes(40) + b"\x7fELF"
        changed(path, lambda content, head=head: head.ljust(128, b"\0") + content[128:])
        path.chmod(0o755)
    computed(study.dicom)
    assert not (tmp_path / "ran").exists()


def test_bad_025_what_is_written_has_a_preamble_of_zeros(petquant, tmp_path):
    assert petquant("demo", "--out", "demo").code == 0
    written = list((tmp_path / "demo").rglob("*.dcm"))
    assert written
    assert {path.read_bytes()[:132] for path in written} == {bytes(128) + b"DICM"}


def test_bad_026_thumbnails_and_documents_among_the_slices_are_counted_and_ignored(computed, study_of):
    study = study_of()
    (study.pet / "Thumbs.db").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4_000))
    (study.pet / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(6_000))
    (study.pet / "report.pdf").write_bytes(b"%PDF-1.7\n" + bytes(900))
    record = computed(study.dicom)
    assert sum(record["study"]["strays"].values()) == 3
    assert "STRAY_FILES" in record["conversion"]["flags"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "INDEX.DCM"])
def test_bad_027_the_paths_of_a_dicomdir_are_never_followed(computed, study_of, tmp_path, name):
    write_ct(tmp_path / "outside")
    record = Dataset()
    record.DirectoryRecordType = "IMAGE"
    record.ReferencedFileID = ["..", "outside", "IM0001.dcm"]
    directory = Dataset()
    directory.FileSetID = "STUDY"
    directory.DirectoryRecordSequence = Sequence([record])
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "2.25.27"
    study = study_of()
    dcmwrite(study.dicom / name, directory, enforce_file_format=True)
    record = computed(study.dicom)
    assert record["study"]["n_series"] == 1
    assert sum(record["study"]["strays"].values()) == 1


ODD_NAME = b"Gr\xf6\xdfe \x1b[31m\xe2\x80\xaeexe\n\xff.dcm"


def test_bad_028_names_that_are_not_utf_8_work(computed, study_of):
    study = study_of()
    for number, path in enumerate(sorted(study.pet.iterdir())):
        os.rename(path, os.path.join(os.fsencode(study.pet), b"%d" % number + ODD_NAME))  # noqa: PTH104, PTH118
    computed(study.dicom)


def test_bad_028_a_name_that_is_not_utf_8_is_escaped_in_messages(refused, petquant, study_of):
    study = study_of()
    odd = os.path.join(os.fsencode(study.pet), ODD_NAME)  # noqa: PTH118
    os.rename(study.pet / "IM0003.dcm", odd)  # noqa: PTH104
    os.truncate(odd, 700)
    result = refused(study.dicom, code=3, because="FILE_TRUNCATED")
    assert r"\x1b[31m\u202eexe\n\udcff.dcm" in result.line("FILE_TRUNCATED")
    checked = petquant("check", study.dicom)
    assert b"\x1b" not in checked.out
    assert re.search(rb"[^\x00-\x7f]exe", checked.out) is None


def test_bad_028_regions_and_results_may_have_such_names_too(petquant, tiny, tmp_path):
    roi = os.path.join(os.fsencode(tmp_path), b"l\xe4sion.nii.gz")  # noqa: PTH118
    shutil.copyfile(tiny.lesions, roi)
    out = os.path.join(os.fsencode(tmp_path), b"Gr\xf6\xdfe.json")  # noqa: PTH118
    result = petquant("suv", tiny.dicom, "--roi", roi, "--out", out)
    assert (result.code, result.out, result.err) == (0, b"", "")
    assert os.path.exists(out)  # noqa: PTH110


def test_bad_029_a_hundred_thousand_files_take_bounded_memory(computed, petquant, study_of, tiny):
    study = study_of()
    crowd = os.fsencode(study.dicom / "crowd")
    os.mkdir(crowd)  # noqa: PTH102
    for number in range(100_000):
        os.close(os.open(b"%s/%06d" % (crowd, number), os.O_CREAT | os.O_WRONLY))
    result = petquant("suv", study.dicom, "--roi", tiny.lesions, "--format", "json", measures=True)
    assert result.code == 0, result.err
    assert result.json["study"]["strays"] == {"empty": 100_000}
    # 60 MB for the command itself, and less than 1 kB for the name of a file
    assert result.peak_mb < 60 + 100
