"""NRRD label maps and the segmentations of 3D Slicer come out voxel by voxel; SimpleITK is the judge."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput
from petquant.nrrd import read_nrrd
from petquant.roi import Reading, VoxelValues

GEOMETRY = (
    "space: left-posterior-superior",
    "space directions: (2.5,0,0) (0,2,0) (0,0,3)",
    "space origin: (-10,20,-300)",
)
LAYERED = (
    "space: left-posterior-superior",
    "kinds: list domain domain domain",
    "space directions: none (2.5,0,0) (0,2,0) (0,0,3)",
    "space origin: (-10,20,-300)",
)


@pytest.fixture
def values():
    """[k, j, i]: label 1 of three voxels, label 4 of one."""
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1, 1:4] = 1
    labels[2, 3, 0] = 4
    return labels


@pytest.fixture
def save(tmp_path):
    """Write an NRRD file by hand: `values` with the fastest axis last, as [k, j, i] or [k, j, i, layer]."""

    def write(
        values,
        *lines,
        encoding="raw",
        kind="unsigned char",
        endian="little",
        geometry=GEOMETRY,
        name="a.nrrd",
    ):
        sizes = " ".join(str(n) for n in reversed(values.shape))
        header = [
            "NRRD0004",
            "# made by hand",
            f"type: {kind}",
            f"dimension: {values.ndim}",
            f"sizes: {sizes}",
            *geometry,
            f"endian: {endian}",
            f"encoding: {encoding}",
            *lines,
        ]
        content = values.tobytes()
        if encoding in {"gzip", "gz"}:
            content = gzip.compress(content)
        path = tmp_path / name
        path.write_bytes(("\n".join(header) + "\n\n").encode() + content)
        return path

    return write


def assert_labels(found, values):
    labels = np.unique(values)[1:].tolist()
    assert [roi.roi_id for roi in found.rois] == [str(label) for label in labels]
    for roi, label in zip(found.rois, labels, strict=True):
        np.testing.assert_array_equal(roi.voxels, np.flatnonzero(values == label))


@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz"])
@pytest.mark.parametrize(
    ("dtype", "kind", "endian"),
    [
        ("u1", "unsigned char", "little"),
        ("<i2", "short", "little"),
        (">u4", "uint32", "big"),
        (">f8", "double", "big"),
    ],
)
def test_every_type_and_encoding_gives_the_same_regions(save, values, dtype, kind, endian, encoding):  # noqa: PLR0917
    found = read_nrrd(save(values.astype(dtype), kind=kind, endian=endian, encoding=encoding))
    assert_labels(found, values)
    assert [roi.name for roi in found.rois] == ["label 1", "label 4"]


def test_names_are_given_from_outside(save, values):
    found = read_nrrd(save(values), names={4: "liver"})
    assert [roi.name for roi in found.rois] == ["label 1", "liver"]


def test_grid_is_that_of_the_header(save, values):
    grid = read_nrrd(save(values)).grid
    assert grid.shape == (3, 4, 5)
    np.testing.assert_allclose(grid.spacing_mm, (3, 2, 2.5))
    # voxel k 1, j 2, i 3: -10 + 3 * 2.5, 20 + 2 * 2, -300 + 3
    np.testing.assert_allclose(grid.position_mm((1, 2, 3)), (-2.5, 24, -297))


def test_ras_is_turned_to_lps(save, values):
    lines = ("space: RAS", *GEOMETRY[1:])
    grid = read_nrrd(save(values, geometry=lines)).grid
    np.testing.assert_allclose(grid.position_mm((1, 2, 3)), (2.5, -24, -297))


@pytest.mark.parametrize("encoding", [True, False])
def test_simpleitk_sees_the_same_voxels_at_the_same_places(tmp_path, values, encoding):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(values)
    cos, sin = np.cos(0.3), np.sin(0.3)
    image.SetDirection((cos, -sin, 0, sin, cos, 0, 0, 0, 1))
    image.SetSpacing((2.5, 2, 3))
    image.SetOrigin((-10, 20, -300))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), useCompression=encoding)
    found = read_nrrd(tmp_path / "a.nrrd")
    assert_labels(found, values)
    for roi in found.rois:
        for k, j, i in found.grid.index_of(roi.voxels).tolist():
            at = image.TransformIndexToPhysicalPoint((i, j, k))
            np.testing.assert_allclose(found.grid.position_mm((k, j, i)), at, atol=1e-9)


def test_numbers_may_lie_in_a_file_beside_the_header(save, values, tmp_path):
    path = save(values[:0], f"sizes_of_old: {values.shape}", "data file: a.raw", name="a.nhdr")
    path.write_text(path.read_text().replace("sizes: 5 4 0", "sizes: 5 4 3"))
    (tmp_path / "a.raw").write_bytes(values.tobytes())
    assert_labels(read_nrrd(path), values)


@pytest.mark.parametrize("name", ["../a.raw", "/etc/passwd", "LIST", "a%02d.raw 1 3 1"])
def test_numbers_in_other_folders_or_many_files_are_not_read(save, values, name):
    with pytest.raises(UnreadableInput, match=r"FORMAT_UNSUPPORTED"):
        read_nrrd(save(values, f"data file: {name}"))


def test_bytes_before_the_numbers_are_skipped(save, values, tmp_path):
    path = save(values[:0], "data file: a.raw", "line skip: 1", "byte skip: 3", name="a.nhdr")
    path.write_text(path.read_text().replace("sizes: 5 4 0", "sizes: 5 4 3"))
    (tmp_path / "a.raw").write_bytes(b"a line\nxyz" + values.tobytes())
    assert_labels(read_nrrd(path), values)
    path.write_text(path.read_text().replace("line skip: 1\nbyte skip: 3", "byte skip: -1"))
    assert_labels(read_nrrd(path), values)


@pytest.fixture
def layers(values):
    """[k, j, i, layer]: two layers that overlap in one voxel."""
    other = np.zeros_like(values)
    other[1, 1, 3:5] = 1
    return np.stack([values, other], axis=-1)


SEGMENTS = (
    "Segment0_ID:=Segment_1",
    "Segment0_Name:=mass: core",
    "Segment0_LabelValue:=1",
    "Segment0_Layer:=0",
    "Segment0_Extent:=0 4 0 3 0 2",
    "Segment1_ID:=Segment_2",
    "Segment1_Name:=node",
    "Segment1_LabelValue:=4",
    "Segment1_Layer:=0",
    "Segment2_ID:=Segment_3",
    "Segment2_Name:=edema",
    "Segment2_LabelValue:=1",
    "Segment2_Layer:=1",
)


def test_segments_of_several_layers_overlap(save, layers):
    found = read_nrrd(save(layers, *SEGMENTS, geometry=LAYERED, encoding="gzip", name="a.seg.nrrd"))
    assert found.grid.shape == (3, 4, 5)
    names = [(roi.roi_id, roi.name) for roi in found.rois]
    assert names == [("0:1", "mass: core"), ("0:4", "node"), ("1:1", "edema")]
    np.testing.assert_array_equal(found.rois[0].voxels, np.flatnonzero(layers[..., 0] == 1))
    np.testing.assert_array_equal(found.rois[1].voxels, np.flatnonzero(layers[..., 0] == 4))
    np.testing.assert_array_equal(found.rois[2].voxels, np.flatnonzero(layers[..., 1] == 1))
    assert np.intersect1d(found.rois[0].voxels, found.rois[2].voxels).size == 1


def test_the_list_axis_may_be_the_last(save, layers):
    geometry = (
        LAYERED[0],
        "kinds: domain domain domain list",
        "space directions: (2.5,0,0) (0,2,0) (0,0,3) none",
        LAYERED[3],
    )
    found = read_nrrd(save(np.moveaxis(layers, -1, 0).copy(), *SEGMENTS, geometry=geometry))
    np.testing.assert_array_equal(found.rois[2].voxels, np.flatnonzero(layers[..., 1] == 1))


def test_segments_of_one_layer_are_known_by_their_label(save, values):
    found = read_nrrd(save(values, *SEGMENTS[:9]))
    assert [(roi.roi_id, roi.name) for roi in found.rois] == [("1", "mass: core"), ("4", "node")]
    assert_labels(found, values)


def test_segments_without_label_and_layer_have_a_layer_each(save, layers):
    # files of 3D Slicer before shared layers
    old = ["Segment0_ID:=a", "Segment0_Name:=first", "Segment1_ID:=b"]
    found = read_nrrd(save((layers == 1).astype(np.uint8), *old, geometry=LAYERED))
    assert [roi.name for roi in found.rois] == ["first", "b"]
    np.testing.assert_array_equal(found.rois[1].voxels, np.flatnonzero(layers[..., 1] == 1))


def test_segment_without_a_voxel_is_there_and_empty(save, values):
    found = read_nrrd(save(values, *SEGMENTS[:9], "Segment2_Name:=gone", "Segment2_LabelValue:=9",
                           "Segment2_Layer:=0"))  # fmt: skip
    assert [len(roi.voxels) for roi in found.rois] == [3, 1, 0]


def test_segment_in_a_layer_that_is_not_there_is_an_error(save, values):
    with pytest.raises(UnreadableInput, match=r"FILE_NOT_UNDERSTOOD: .*layer 1 of 1"):
        read_nrrd(save(values, *SEGMENTS))


def test_frames_need_a_choice(save, layers):
    path = save(layers, geometry=LAYERED)
    with pytest.raises(Refused, match=r"ROI_NOT_3D: .*2 frames.*--roi-frame"):
        read_nrrd(path)
    assert_labels(read_nrrd(path, reading=Reading(frame=2)), layers[..., 1])
    with pytest.raises(Refused, match=r"ROI_NOT_3D"):
        read_nrrd(path, reading=Reading(frame=3))


def test_fractions_mean_what_the_reading_says(save, values):
    path = save(np.where(values == 1, 0.25, values / 4).astype("<f4"), kind="float")
    with pytest.raises(Refused, match=r"ROI_LABELS_FRACTIONAL: .*--roi-values"):
        read_nrrd(path)
    (roi,) = read_nrrd(path, reading=Reading(values=VoxelValues.OCCUPANCY)).rois
    assert roi.weights.tolist() == [0.25, 0.25, 0.25, 1]


@pytest.mark.parametrize("missing", ["space:", "space directions:", "space origin:"])
def test_file_without_a_place_is_refused(save, values, missing):
    geometry = [line for line in GEOMETRY if not line.startswith(missing)]
    with pytest.raises(Refused, match=r"ROI_AFFINE_MISSING"):
        read_nrrd(save(values, geometry=geometry))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("NRRD0004", "NRRD0009", "FILE_NOT_UNDERSTOOD"),
        ("sizes: 5 4 3", "sizes: 5 4", "FILE_NOT_UNDERSTOOD"),
        ("sizes: 5 4 3", "sizes: 5 4 x", "FILE_NOT_UNDERSTOOD"),
        ("sizes: 5 4 3", "sizes: 5 4 4", "FILE_TRUNCATED"),
        ("sizes: 5 4 3", "sizes: 500000 40000 3", "SIZE_LIMIT"),
        ("encoding: raw", "encoding: bzip2", "COMPRESSION_UNSUPPORTED"),
        ("type: unsigned char", "type: block", "FORMAT_UNSUPPORTED"),
        ("left-posterior-superior", "scanner-xyz", "FILE_NOT_UNDERSTOOD"),
        ("(2.5,0,0)", "(0,0,0)", "FILE_NOT_UNDERSTOOD"),
        ("(2.5,0,0)", "(nan,0,0)", "FILE_NOT_UNDERSTOOD"),
        ("(-10,20,-300)", "(-10,inf,-300)", "FILE_NOT_UNDERSTOOD"),
        ("endian: little", 'space units: "m" "m" "m"', "FILE_NOT_UNDERSTOOD"),
        ("endian: little", "endian: little\nendian: big", "FILE_NOT_UNDERSTOOD"),
        ("endian: little", "no field", "FILE_NOT_UNDERSTOOD"),
    ],
)  # fmt: skip
def test_header_that_cannot_be_meant_is_an_error(save, values, old, new, code):
    path = save(values)
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))
    with pytest.raises(PetquantError, match=code):
        read_nrrd(path)


def test_bomb_is_not_inflated(save, values):
    path = save(values, encoding="gzip")
    head, _, _ = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head + b"\n\n" + gzip.compress(bytes(2**24)))
    with pytest.raises(LimitReached, match=r"INFLATION_LIMIT"):
        read_nrrd(path)
