"""The scan reads the same values as pydicom wherever both read, and refuses what it cannot know."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from petquant_phantoms import file_bytes
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from petquant.dicom.attributes import Attributes
from petquant.dicom.habit import Habits
from petquant.dicom.limits import Limits
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.scan import Instance, scan_file
from petquant.dicom.tags import KEYWORD, TAG, VR, is_private_of_interest
from petquant.dicom.witness import confirm
from petquant.errors import LimitReached, PetquantError, UnreadableInput

PIXELS = 0x7FE00010
DOSES = TAG["RadiopharmaceuticalInformationSequence"]


def codes(instance: Instance) -> list[str]:
    return [finding.code for finding in instance.findings]


def scan(path: Path, content: bytes, **limits: int) -> Instance | None:
    path.write_bytes(content)
    return scan_file(str(path), Limits(**limits))


def refusal(path: Path, content: bytes, **limits: int) -> PetquantError:
    with pytest.raises(PetquantError) as caught:
        scan(path, content, **limits)
    return caught.value


def explicit(tag: int, vr: str, value: bytes) -> bytes:
    """One element in explicit little endian, whatever its length says of good manners."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in {"OB", "OW", "SQ", "UN", "UT"}:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def with_element(content: bytes, before: int, element: bytes) -> bytes:
    """Put an element into an explicit little endian file in front of the element `before`."""
    at = content.index(struct.pack("<HH", before >> 16, before & 0xFFFF), 132)
    return content[:at] + element + content[at:]


def in_place_of(content: bytes, tag: int, element: bytes) -> bytes:
    """Put an element in the place of a short one."""
    at = content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
    (length,) = struct.unpack("<H", content[at + 6 : at + 8])
    return content[:at] + element + content[at + 8 + length :]


def assert_items_agree(ours: list[Attributes], theirs: Sequence) -> None:
    assert len(ours) == len(theirs)
    for item, dataset in zip(ours, theirs, strict=True):
        assert set(item.values) == {int(tag) for tag in dataset.keys()}  # noqa: SIM118
        for element in dataset:
            if element.VR == "SQ":
                assert_items_agree(item.items(int(element.tag)), element.value)
            elif element.VR in {"DS", "IS"} and element.VM == 1:
                assert item.numbers(int(element.tag)) == [float(element.value)]
            elif isinstance(element.value, str):
                assert item.text(int(element.tag)) == element.value.strip()


def assert_agrees_with_pydicom(path: Path) -> None:
    """Every wanted value, and where the pixels lie, as pydicom reads them."""
    ours = scan_file(str(path))
    theirs = pydicom.dcmread(path)
    assert ours is not None
    if theirs.Modality != "PT":
        for keyword in ("Modality", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
            assert ours.text(TAG[keyword]) == theirs.get(keyword, "")
        return
    wanted = {int(tag) for tag in theirs.keys() if int(tag) in VR or is_private_of_interest(int(tag))}  # noqa: SIM118
    assert set(ours.values) == wanted
    for tag in wanted - {DOSES}:
        raw = theirs.get_item(tag).value  # bytes, unless pydicom needed the value itself
        if VR.get(tag) == "US":
            assert ours.integer(tag) == theirs[tag].value
        elif isinstance(raw, bytes):
            assert ours.values[tag] == raw, KEYWORD.get(tag)
        else:
            assert ours.text(tag) == "\\".join([raw] if isinstance(raw, str) else raw or [])
    if DOSES in wanted:
        assert_items_agree(ours.items(DOSES), theirs[DOSES].value)
    pixels = theirs.get_item(PIXELS)
    if ours.transfer_syntax != "1.2.840.10008.1.2.1.99":
        assert ours.pixel_offset == pixels.value_tell
    assert ours.pixel_length == (-1 if theirs.file_meta.TransferSyntaxUID.is_compressed else pixels.length)


def test_scan_agrees_with_pydicom_on_every_real_file(real_data):
    n = 0
    for path in sorted(real_data.rglob("*")):
        if not path.is_file() or scan_file(str(path)) is None:
            continue
        assert_agrees_with_pydicom(path)
        n += 1
    assert n > 1000


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "big_endian", "rle", "jpeg_ls"])
def test_scan_agrees_with_pydicom_in_every_transfer_syntax(syntax, datasets, tmp_path):
    path = tmp_path / f"{syntax}.dcm"
    path.write_bytes(file_bytes(datasets[0], transfer_syntax=syntax))
    if syntax == "deflated":
        ours, plain = scan_file(str(path)), scan(tmp_path / "plain.dcm", file_bytes(datasets[0]))
        assert ours.values == plain.values
        assert ours.pixel_length == plain.pixel_length
    else:
        assert_agrees_with_pydicom(path)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_sequences_of_undefined_length_are_walked_to_their_delimiter(syntax, datasets, tmp_path):
    dataset = datasets[0]
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    path = tmp_path / "undefined.dcm"
    path.write_bytes(file_bytes(dataset, transfer_syntax=syntax))
    assert b"\xfe\xff\xdd\xe0" in path.read_bytes()
    assert_agrees_with_pydicom(path)


def test_a_header_longer_than_the_first_read_is_read_to_its_end(datasets, tmp_path):
    datasets[0].add_new(0x00204000, "LT", "x" * 60_000)  # ImageComments
    datasets[0].add_new(0x00291010, "OB", bytes(100_000))
    path = tmp_path / "long.dcm"
    path.write_bytes(file_bytes(datasets[0]))
    assert_agrees_with_pydicom(path)


def test_a_radiopharmaceutical_sequence_written_as_unknown_is_read(datasets, tmp_path):
    plain = scan(tmp_path / "plain.dcm", file_bytes(datasets[0], transfer_syntax="implicit"))
    content = file_bytes(datasets[0])
    unknown = explicit(DOSES, "UN", plain.values[DOSES])
    del datasets[0].RadiopharmaceuticalInformationSequence
    ours = scan(
        tmp_path / "unknown.dcm", with_element(file_bytes(datasets[0]), TAG["NumberOfSlices"], unknown)
    )
    theirs = scan(tmp_path / "known.dcm", content)
    assert ours.items(DOSES)[0].values.keys() == theirs.items(DOSES)[0].values.keys()
    assert ours.items(DOSES)[0].numbers(0x00181074) == theirs.items(DOSES)[0].numbers(0x00181074)


def test_other_modalities_are_left_once_they_have_named_their_series(datasets, tmp_path):
    datasets[0].Modality = "CT"
    instance = scan(tmp_path / "ct.dcm", file_bytes(datasets[0]))
    assert instance.text(TAG["SeriesInstanceUID"]) == datasets[0].SeriesInstanceUID
    assert instance.pixel_tag == 0
    assert TAG["RescaleSlope"] not in instance.values


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 " + bytes(500), bytes(3000), b"\x08\x00" * 400])
def test_what_is_not_dicom_is_nothing(content, tmp_path):
    assert scan(tmp_path / "stray", content) is None


def test_a_file_without_preamble_and_meta_header_is_read_with_a_flag(datasets, tmp_path):
    for syntax in ("explicit", "implicit"):
        whole = file_bytes(datasets[0], transfer_syntax=syntax)
        start = whole.index(b"\x08\x00\x08\x00", 132)  # ImageType is the first element of the data set
        instance = scan(tmp_path / "bare.dcm", whole[start:])
        assert codes(instance) == ["NO_META_HEADER"]
        assert instance.text(TAG["Units"]) == "BQML"
        assert instance.pixel_length == 512


def test_a_file_cut_in_its_header_is_truncated(datasets, tmp_path):
    content = file_bytes(datasets[0])
    error = refusal(tmp_path / "cut.dcm", content[:1500])
    assert isinstance(error, UnreadableInput)
    assert error.findings[0].code == "FILE_TRUNCATED"
    assert error.findings[0].path.endswith("cut.dcm")


def test_a_file_cut_in_its_pixels_is_truncated(datasets, tmp_path):
    error = refusal(tmp_path / "cut.dcm", file_bytes(datasets[0])[:-10])
    assert error.findings[0].code == "FILE_TRUNCATED"


def test_a_damaged_file_that_says_it_is_no_pet_is_flagged(datasets, tmp_path):
    datasets[0].Modality = "CT"
    datasets[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    content = file_bytes(datasets[0])
    cut = content.index(struct.pack("<HH", 0x0020, 0x000D), 132)
    assert codes(scan(tmp_path / "cut.dcm", content[: cut + 12])) == ["FILE_DAMAGED"]


@pytest.mark.parametrize("tail", [b"\0" * 6, b"garbage after the end"])
def test_bytes_after_the_pixels_are_flagged(tail, datasets, tmp_path):
    assert codes(scan(tmp_path / "tail.dcm", file_bytes(datasets[0]) + tail)) == ["TRAILING_BYTES"]


@pytest.mark.parametrize("tail", [b"\0", explicit(0xFFFCFFFC, "OB", bytes(20))])
def test_a_pad_byte_and_trailing_padding_are_fine(tail, datasets, tmp_path):
    assert codes(scan(tmp_path / "tail.dcm", file_bytes(datasets[0]) + tail)) == []


@pytest.mark.parametrize(
    ("declared", "written"), [("1.2.840.10008.1.2.1", "implicit"), ("1.2.840.10008.1.2", "explicit")]
)
def test_bytes_that_contradict_the_transfer_syntax_are_not_understood(declared, written, datasets, tmp_path):
    content = file_bytes(datasets[0], transfer_syntax=written)
    start = content.index(b"\x08\x00\x08\x00", 132)
    uid = declared.encode() + b"\0" * (len(declared) % 2)
    meta = explicit(0x00020010, "UI", uid)
    error = refusal(tmp_path / "lie.dcm", bytes(128) + b"DICM" + meta + content[start:])
    assert error.findings[0].code == "FILE_NOT_UNDERSTOOD"


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFF0])
def test_lengths_that_are_none_are_not_understood(length, datasets, tmp_path):
    content = file_bytes(datasets[0])
    at = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"), 132)
    error = refusal(
        tmp_path / "length.dcm", content[: at + 8] + struct.pack("<I", length) + content[at + 12 :]
    )
    assert error.exit_code == 3
    assert error.findings[0].code == "FILE_NOT_UNDERSTOOD"


def test_a_length_beyond_the_file_in_front_of_the_pixels_is_truncated(datasets, tmp_path):
    element = explicit(0x00291010, "OB", b"")[:-4] + struct.pack("<I", 0x7FFFFFFF)
    error = refusal(tmp_path / "length.dcm", with_element(file_bytes(datasets[0]), 0x00540016, element))
    assert error.findings[0].code == "FILE_TRUNCATED"


def test_an_odd_length_is_flagged_and_the_value_kept(datasets, tmp_path):
    element = explicit(TAG["PatientWeight"], "DS", b"71.25")
    content = in_place_of(file_bytes(datasets[0]), TAG["PatientWeight"], element)
    instance = scan(tmp_path / "odd.dcm", content)
    assert codes(instance) == ["VALUE_IRREGULAR"]
    assert instance.numbers(TAG["PatientWeight"]) == [71.25]


def test_a_value_in_another_representation_is_flagged_when_it_is_certain(datasets, tmp_path):
    element = explicit(TAG["PatientWeight"], "FD", struct.pack("<d", 71.25))
    content = in_place_of(file_bytes(datasets[0]), TAG["PatientWeight"], element)
    instance = scan(tmp_path / "vr.dcm", content)
    assert codes(instance) == ["VALUE_IRREGULAR"]
    assert instance.numbers(TAG["PatientWeight"]) == [71.25]


@pytest.mark.parametrize(("vr", "value"), [("IS", b"16"), ("UL", b"\x10\0\0\0"), ("SS", b"\x10\0")])
def test_a_matrix_size_in_another_representation_is_its_number(vr, value, datasets, tmp_path):
    del datasets[0].Rows
    element = explicit(TAG["Rows"], vr, value)
    instance = scan(tmp_path / "rows.dcm", with_element(file_bytes(datasets[0]), TAG["Columns"], element))
    assert instance.integer(TAG["Rows"]) == 16
    assert codes(instance) == ["VALUE_IRREGULAR"]


def test_a_value_in_a_representation_that_cannot_be_its_own_is_not_understood(datasets, tmp_path):
    del datasets[0].Rows
    element = explicit(TAG["Rows"], "UL", struct.pack("<I", 70_000))
    error = refusal(tmp_path / "rows.dcm", with_element(file_bytes(datasets[0]), TAG["Columns"], element))
    assert error.findings[0].code == "FILE_NOT_UNDERSTOOD"


def nested(depth: int) -> Dataset:
    dataset = Dataset()
    dataset.PatientComments = "innermost"
    for _ in range(depth):
        outer = Dataset()
        outer.add_new(0x00400555, "SQ", Sequence([dataset]))  # AcquisitionContextSequence
        dataset = outer
    return dataset


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("is_undefined", [False, True])
def test_sequences_nest_to_a_depth_of_32(syntax, is_undefined, datasets, tmp_path):
    for depth, is_refused in ((32, False), (33, True)):
        dataset = datasets[0]
        dataset[0x00400555] = nested(depth)[0x00400555]
        level = dataset
        while is_undefined and 0x00400555 in level:
            level[0x00400555].is_undefined_length = True
            level = level[0x00400555].value[0]
            level.is_undefined_length_sequence_item = True
        content = file_bytes(dataset, transfer_syntax=syntax)
        if is_refused:
            error = refusal(tmp_path / "deep.dcm", content)
            assert isinstance(error, LimitReached)
            assert error.findings[0].code == "NESTING_LIMIT"
        else:
            assert codes(scan(tmp_path / "flat.dcm", content)) == []


def test_ten_thousand_nested_sequences_are_a_limit_and_no_recursion(datasets, tmp_path):
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    head = struct.pack("<HH2sHI", 0x0040, 0x0555, b"SQ", 0, 0xFFFFFFFF)
    content = with_element(file_bytes(datasets[0]), 0x00540016, (head + item) * 10_000)
    assert refusal(tmp_path / "deep.dcm", content).findings[0].code == "NESTING_LIMIT"


def test_an_attribute_that_occurs_twice_is_refused(datasets, tmp_path):
    element = explicit(TAG["PatientWeight"], "DS", b"80")
    content = file_bytes(datasets[0])
    for before in (0x00101030, 0x00180050, 0x00540016):  # beside the first, and out of order behind it
        error = refusal(tmp_path / "twice.dcm", with_element(content, before, element))
        assert error.findings[0].code == "DUPLICATE_TAGS"
    error = refusal(tmp_path / "after.dcm", content + element)
    assert error.findings[0].code == "DUPLICATE_TAGS"


def test_tags_out_of_order_are_all_read_with_a_flag(datasets, tmp_path):
    del datasets[0].PatientWeight
    element = explicit(TAG["PatientWeight"], "DS", b"80")
    for content in (
        with_element(file_bytes(datasets[0]), 0x00540016, element),
        file_bytes(datasets[0]) + element,
    ):
        instance = scan(tmp_path / "order.dcm", content)
        assert codes(instance) == ["TAGS_OUT_OF_ORDER"]
        assert instance.numbers(TAG["PatientWeight"]) == [80.0]
        assert instance.text(TAG["Units"]) == "BQML"
        assert instance.pixel_length == 512


def test_a_deflated_bomb_stops_at_64_times_its_size(datasets, tmp_path):
    datasets[0].add_new(0x00291010, "OB", bytes(50_000_000))
    content = file_bytes(datasets[0], transfer_syntax="deflated")
    assert len(content) < 100_000
    error = refusal(tmp_path / "bomb.dcm", content)
    assert isinstance(error, LimitReached)
    assert error.findings[0].code == "INFLATION_LIMIT"


def test_an_element_beyond_the_limit_is_refused(datasets, tmp_path):
    datasets[0].add_new(0x00291010, "OB", bytes(10_000))
    error = refusal(tmp_path / "big.dcm", file_bytes(datasets[0]), element_bytes=5_000)
    assert error.findings[0].code == "SIZE_LIMIT"


def test_a_dicomdir_is_nothing(tmp_path):
    meta = explicit(0x00020002, "UI", b"1.2.840.10008.1.3.10")
    meta += explicit(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    assert scan(tmp_path / "x", bytes(128) + b"DICM" + meta + explicit(0x00041130, "CS", b"DISC")) is None


def test_text_and_numbers_are_read_without_padding():
    values = Attributes(values={1: b"ATTN\\ DECY \0", 2: b" 1.5\\2e3 ", 3: b"\x10\0", 4: b"", 5: b"1_0"})
    assert values.texts(1) == ["ATTN", "DECY"]
    assert values.numbers(2) == [1.5, 2000.0]
    assert values.integer(3) == 16
    assert (values.text(4), values.texts(4), values.numbers(9), values.integer(9)) == ("", [], [], None)
    with pytest.raises(ValueError, match="1_0"):
        values.numbers(5)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "big_endian", "rle"])
def test_pydicom_confirms_what_was_read_and_nothing_else(syntax, datasets, tmp_path):
    datasets[0].SeriesDescription = ""
    instance = scan(tmp_path / "file.dcm", file_bytes(datasets[0], transfer_syntax=syntax))
    confirm(instance)
    weight = {TAG["PatientWeight"]: b"71"}
    with pytest.raises(UnreadableInput, match="PatientWeight"):
        confirm(replace(instance, values=instance.values | weight))


def test_an_old_pydicom_is_refused(monkeypatch):
    monkeypatch.setattr(pydicom, "__version__", "2.4.4")
    with pytest.raises(UnreadableInput) as caught:
        pydicom_of_today()
    assert caught.value.findings[0].code == "DEPENDENCY_TOO_OLD"


def outcome(path: Path, habits: Habits | None) -> object:
    """What a scan gives: an instance, None, or the causes of its refusal."""
    try:
        return scan_file(str(path), habits=habits)
    except PetquantError as error:
        return type(error), error.findings


def test_real_files_are_read_the_same_whatever_was_read_before(real_data):
    habits = Habits()
    for path in sorted(real_data.rglob("*")):
        if path.is_file():
            assert outcome(path, habits) == outcome(path, None)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
def test_changed_bytes_bring_our_own_errors_alone_whatever_was_read_before(
    syntax, changes, datasets, tmp_path
):
    habits = Habits()
    path = tmp_path / "file.dcm"
    for dataset in datasets[:4]:
        path.write_bytes(file_bytes(dataset, transfer_syntax=syntax))
        scan_file(str(path), habits=habits)
    content = bytearray(file_bytes(datasets[4], transfer_syntax=syntax))
    for offset, byte in changes:
        content[offset % len(content)] = byte
    path.write_bytes(bytes(content))
    assert outcome(path, habits) == outcome(path, None)
