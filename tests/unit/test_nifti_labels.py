"""Label maps: every number type and both versions, read as nibabel reads them, and refused by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct

import nibabel as nib
import numpy as np
import pytest

from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput, UsageError
from petquant.nifti import read_label_map

AFFINE = np.array([[-2.0, 0, 0, 10], [0, -2.5, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])


@pytest.fixture
def labels():
    """[i, j, k] as nibabel has it: an L of label 2 and one voxel of label 7."""
    values = np.zeros((5, 4, 3), np.uint8)
    values[1:4, 1, 1] = values[1, 2, 1] = 2
    values[4, 3, 2] = 7
    return values


@pytest.fixture
def save(tmp_path):
    def write(values, name="labels.nii.gz", *, image=nib.Nifti1Image, affine=AFFINE, header=None):
        path = tmp_path / name
        nib.save(image(values, affine, header), path)
        return path

    return write


@pytest.fixture
def patched(save, labels):
    """A plain NIfTI-1 file with bytes replaced at an offset of its header."""

    def write(*patches, values=None, tail=b"", keep=None):
        path = save(labels if values is None else values, "labels.nii")
        raw = bytearray(path.read_bytes())
        for at, code, *numbers in patches:
            struct.pack_into(code, raw, at, *numbers)
        path.write_bytes(bytes(raw[:keep]) + tail)
        return path

    return write


def same_as_nibabel(path):
    image = nib.load(path)
    values = np.asarray(image.dataobj).T
    found = read_label_map(path)
    assert found.grid.shape == values.shape
    # float32 of the header against float64 of nibabel's arithmetic: positions of up to 30 mm
    np.testing.assert_allclose(
        np.diag([-1, -1, 1, 1]) @ image.affine, found.grid.affine[:, [2, 1, 0, 3]], atol=1e-5
    )
    assert [int(roi.roi_id) for roi in found.rois] == [n for n in np.unique(np.rint(values)) if n]
    for roi in found.rois:
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(np.rint(values) == int(roi.roi_id)))
    return found


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_type_and_order_of_bytes_is_read_as_by_nibabel(save, labels, dtype, order, image):
    header = image.header_class(endianness=order)
    header.set_data_dtype(np.dtype(order + dtype))
    found = same_as_nibabel(save(labels.astype(dtype), image=image, header=header))
    assert [(roi.roi_id, len(roi.voxels)) for roi in found.rois] == [("2", 4), ("7", 1)]


@pytest.mark.parametrize("name", ["labels.nii", "labels.nii.gz"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (64, 64, 200)])
def test_sizes_that_are_no_multiple_of_anything_are_read(save, name, shape):
    rng = np.random.default_rng(0)
    same_as_nibabel(save(rng.integers(0, 3, shape).astype(np.uint8), name))


def test_content_decides_and_not_the_suffix(save, labels, tmp_path):
    packed = save(labels)
    packed.rename(tmp_path / "labels.nii")
    assert len(read_label_map(tmp_path / "labels.nii").rois) == 2


def test_gzip_members_follow_each_other(save, labels):
    path = save(labels)
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]) + bytes(512))
    same_as_nibabel(path)


def test_names_are_given_or_made(save, labels):
    found = read_label_map(save(labels), names={7: "liver"})
    assert [roi.name for roi in found.rois] == ["label 2", "liver"]


def test_largest_label_and_many_labels_are_read(save):
    values = np.arange(70000, dtype=np.uint32).reshape(100, 100, 7)
    values[-1, -1, -1] = 2**32 - 1
    found = read_label_map(save(values))
    assert len(found.rois) == 69999
    assert found.rois[-1].roi_id == "4294967295"


def test_scaling_is_applied(save, patched, labels):
    found = same_as_nibabel(patched((112, "<ff", 3.0, 0.0)))
    assert [roi.roi_id for roi in found.rois] == ["6", "21"]
    found = same_as_nibabel(patched((112, "<ff", 1.0, 1.0)))  # background becomes label 1
    assert [roi.roi_id for roi in found.rois] == ["1", "3", "8"]


def test_slope_of_zero_means_none(patched):
    assert [roi.roi_id for roi in read_label_map(patched((112, "<ff", 0.0, 5.0))).rois] == ["2", "7"]


def test_infinite_slope_is_refused(patched):
    # nibabel silently takes it for no scaling
    with pytest.raises(UnreadableInput, match=r"ROI_LABELS_INVALID.*scl_slope inf"):
        read_label_map(patched((112, "<ff", np.inf, 0.0)))


def test_float_labels_near_whole_numbers_are_rounded(save, labels):
    values = labels.astype(np.float32)
    values[labels == 7] = 6.9991
    values[0, 0, 0] = -0.0
    values[0, 1, 0] = 0.0009
    assert [roi.roi_id for roi in read_label_map(save(values)).rois] == ["2", "7"]


@pytest.mark.parametrize("value", [0.5, 6.998, 1.0011])
def test_fractions_are_refused(save, labels, value):
    values = labels.astype(np.float64)
    values[0, 0, 0] = value
    with pytest.raises(Refused, match=r"ROI_LABELS_FRACTIONAL.*1 voxels"):
        read_label_map(save(values))


@pytest.mark.parametrize("value", [-1.0, -0.5, np.nan, np.inf, 2.0**32])
def test_values_that_are_no_labels_are_refused(save, labels, value):
    values = labels.astype(np.float64)
    values[0, 0, 0] = value
    with pytest.raises(UnreadableInput, match=r"ROI_LABELS_INVALID.*1 voxels"):
        read_label_map(save(values))


def test_negative_whole_labels_are_refused(save, labels):
    with pytest.raises(UnreadableInput, match=r"ROI_LABELS_INVALID.*first -2"):
        read_label_map(save(-labels.astype(np.int16)))


def test_qform_alone_is_read(save, labels):
    image = nib.Nifti1Image(labels, None)
    affine = nib.affines.from_matvec(
        nib.eulerangles.euler2mat(0.3, -0.4, 2.9) @ np.diag([2, 2.5, -3.0]), [1, 2, 3]
    )
    image.set_qform(affine, code=1)
    image.set_sform(None, code=0)
    same_as_nibabel(save(labels, affine=None, header=image.header))


def test_half_turn_in_the_qform_is_read(save, labels):
    image = nib.Nifti1Image(labels, None)
    image.set_qform(AFFINE, code=1)
    image.set_sform(None, code=0)
    same_as_nibabel(save(labels, affine=None, header=image.header))


def test_sform_and_qform_that_disagree_are_refused_with_both(patched, labels):
    # qform_code 1; its quaternion and offset are nibabel's of AFFINE
    with pytest.raises(Refused, match=r"ROI_AFFINES_DISAGREE.*sform \[.* 10;.*qform \[.* 10.3;"):
        read_label_map(patched((252, "<h", 1), (268, "<f", 10.3)))  # 0.3 mm of a tenth of 2 mm
    assert read_label_map(patched((252, "<h", 1), (268, "<f", 10.1))).grid.origin_mm[0] == -10


def test_label_map_without_a_place_is_refused(patched):
    with pytest.raises(Refused, match=r"ROI_AFFINE_MISSING"):
        read_label_map(patched((252, "<hh", 0, 0)))


def test_several_frames_are_refused_and_one_is_not(save, labels):
    with pytest.raises(Refused, match=r"ROI_NOT_3D.*2 frames"):
        read_label_map(save(np.stack([labels, labels], axis=-1)))
    assert len(read_label_map(save(labels[..., None])).rois) == 2


def test_declared_size_is_refused_before_allocation(patched):
    with pytest.raises(LimitReached, match=r"SIZE_LIMIT.*20000 x 20000 x 20000"):
        read_label_map(patched((40, "<8h", 3, 20000, 20000, 20000, 1, 1, 1, 1)))


def test_more_bytes_than_declared_are_a_bomb(save, labels):
    path = save(labels, "labels.nii")
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(2**24)))
    with pytest.raises(LimitReached, match=r"INFLATION_LIMIT.*60 bytes"):
        read_label_map(path)


def test_padding_after_the_numbers_is_no_voxel(patched):
    assert len(read_label_map(patched(tail=b"\x05" * 100)).rois) == 2


@pytest.mark.parametrize("keep", [2, 300, 350, 380])
def test_truncated_files_are_named(patched, keep):
    with pytest.raises(UnreadableInput, match=r"FILE_TRUNCATED"):
        read_label_map(patched(keep=keep))


def test_truncated_gzip_is_named(save, labels):
    path = save(labels)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UnreadableInput, match=r"FILE_TRUNCATED.*gzip"):
        read_label_map(path)


def test_damaged_gzip_is_named(save, labels):
    path = save(labels)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 0xFF  # within the checksum
    path.write_bytes(bytes(raw))
    with pytest.raises(UnreadableInput, match=r"FILE_NOT_UNDERSTOOD.*gzip"):
        read_label_map(path)


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (bz2.compress(b"x"), "COMPRESSION_UNSUPPORTED", "bzip2"),
        (lzma.compress(b"x"), "COMPRESSION_UNSUPPORTED", "xz"),
        (b"\x28\xb5\x2f\xfd0000", "COMPRESSION_UNSUPPORTED", "zstd"),
        (b"\x93NUMPY\x01\x00", "FORMAT_UNSUPPORTED", "NumPy"),
        (b"NRRD0005\n", "FORMAT_UNSUPPORTED", "NRRD"),
        (b"plain text of some length", "FORMAT_UNSUPPORTED", "not a NIfTI"),
    ],
)
def test_other_formats_are_named(tmp_path, content, code, word):
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(content)
    with pytest.raises(UnreadableInput, match=rf"{code}.*{word}"):
        read_label_map(path)


@pytest.mark.parametrize(
    "patch",
    [
        (344, "<4s", b"ni1\x00"),  # header of a pair
        (70, "<h", 128),  # colours
        (108, "<f", np.nan),
        (108, "<f", 10.0),
        (40, "<h", 0),
        (42, "<h", -3),
        (280, "<f", np.nan),
        (280, "<12f", *([0.0] * 12)),
    ],
)
def test_headers_that_cannot_be_meant_are_refused(patched, patch):
    with pytest.raises(UnreadableInput):
        read_label_map(patched(patch))


def test_extensions_before_the_numbers_are_passed_over(save, labels):
    image = nib.Nifti1Image(labels, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    same_as_nibabel(save(labels, header=image.header))


def test_huge_offset_is_refused(patched):
    with pytest.raises(LimitReached, match=r"SIZE_LIMIT"):
        read_label_map(patched((108, "<f", 2.0**30)))


def test_file_that_does_not_exist_is_a_matter_of_usage(tmp_path):
    with pytest.raises(UsageError, match=r"PATH_NOT_FOUND"):
        read_label_map(tmp_path / "none.nii")
    with pytest.raises(UnreadableInput, match=r"FORMAT_UNSUPPORTED"):
        read_label_map(tmp_path)


def test_no_noise_of_bytes_leaves_another_error(patched):
    rng = np.random.default_rng(3)
    for _ in range(200):
        patches = [(int(at), "<B", int(byte)) for at, byte in rng.integers(0, [352, 256], (3, 2))]
        path = patched(*patches)
        try:
            read_label_map(path)
        except PetquantError:
            continue
