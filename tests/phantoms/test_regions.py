"""Regions of phantoms follow from arithmetic, and every form of them holds the same voxels."""

import json
import math

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from petquant_phantoms import catalogue
from petquant_phantoms.drawn_regions import covered
from petquant_phantoms.outlines import outlines
from petquant_phantoms.regions import groups_of
from petquant_phantoms.rtstruct import in_patient
from petquant_phantoms.segmentation import fractions_of


def filled(corners, shape):
    """Voxel centres (x, y) inside closed polygons, even-odd, by counting the sides to their right."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = np.zeros(shape, dtype=bool)
    for polygon in corners:
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            spans = (min(y0, y1) <= y) & (y < max(y0, y1))
            inside ^= spans & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=7))
def test_filled_outlines_are_the_mask_they_came_from(rows):
    mask = np.array(rows)
    corners = outlines(mask)
    np.testing.assert_array_equal(filled(corners, mask.shape), mask)
    areas = [
        0.5 * float(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1])) for p in corners
    ]
    assert sum(areas) == mask.sum()  # outer ones count up, holes down


def test_a_ring_has_two_outlines_and_touching_corners_have_their_own():
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert [len(corners) for corners in outlines(ring)] == [4, 4]
    assert [len(corners) for corners in outlines(np.eye(2, dtype=bool))] == [4, 4]


def test_a_voxel_is_covered_in_part():
    np.testing.assert_allclose(covered(-0.25, 1.75, n=4), [0.75, 1.0, 0.25, 0.0])


def by_name(study):
    return {entry["name"]: entry for entry in study.truth["regions"]}


# 17 x 17 voxels on 6 slices, with a hole of 7 x 7; on every second slice; by area 16.6^2 and 6.6^2 voxels.
@pytest.mark.parametrize(
    ("name", "voxels"),
    [
        ("plain", 17 * 17 * 6),
        ("nested", (17 * 17 - 7 * 7) * 6),
        ("xor", 1440),
        ("keyhole", 1440),
        ("every second slice", 867),
        ("with open and point", 1734),
        ("duplicate", 1734),
    ],
)
def test_squares_on_slices_hold_the_known_voxels(name, voxels, tmp_path):
    truth = by_name(catalogue.build("rtstruct_rules", tmp_path))[name]
    assert truth["expected"]["n_voxels"]["value"] == voxels
    assert truth["expected"]["mtv_ml"]["value"] == pytest.approx(voxels * 0.060)  # 3 x 4 x 5 mm


def test_squares_by_area_weigh_their_area(tmp_path):
    truth = by_name(catalogue.build("rtstruct_rules", tmp_path))
    off = truth["off plane"]
    assert off["expected"]["mtv_ml"]["value"] == pytest.approx(1653.36 * 0.060, rel=1e-12)
    # 5 whole slices of 17 x 17, edges 0.8 and corners 0.64; the first slice 0.55 covered: its inner 15 x 15
    assert off["expected"]["n_voxels"]["value"] == 5 * 289 + 225
    assert off["variants"][0]["options"] == ["--edge", "centre"]
    assert off["variants"][0]["expected"]["n_voxels"]["value"] == 1734
    # 9 planes of 2 mm are 6 PET slices of 3 mm
    on_ct = truth["drawn on CT"]["expected"]["mtv_ml"]["value"]
    assert on_ct == pytest.approx(16.6**2 * 20 * 18 / 1000, rel=1e-12)
    gap = truth["every second slice"]["variants"][0]
    assert (gap["options"], gap["expected"]["n_voxels"]["value"]) == (["--fill-gaps"], 1734)


def test_a_fractional_box_weighs_thirds_fifths_and_seventeenths(tmp_path):
    definition = catalogue.load("fractional_seg")
    study = catalogue.build("fractional_seg", tmp_path)
    (region,) = groups_of(definition)[0].regions
    # x: -15.2 to 11.2 mm is 26.4 mm; y 19 mm; z 12 mm
    assert region.weights.sum() * 0.051 == pytest.approx(26.4 * 19.0 * 12.0 / 1000.0, rel=1e-12)
    # -15.2 lies 1.8 mm above -17.0, the side of a voxel of 3.4 mm; -11.0 4 mm above -15; -5.0 1 mm above -6
    assert np.unique(region.weights)[1] == pytest.approx(min(8 / 17, 5 / 17) * min(1 / 5, 3 / 5) * (1 / 3))
    seg = pydicom.dcmread(study.root / "rois" / "lesions.seg.dcm")
    assert (seg.SegmentationFractionalType, seg.MaximumFractionalValue) == ("OCCUPANCY", 255)
    assert seg.pixel_array.sum() == pytest.approx(255 * region.weights.sum(), rel=1e-9)
    # SUV 6 at voxel centres with x > 0, 1 elsewhere: 15.2 mm of 1 and 11.2 mm of 6
    mean = study.expected("box")["suv_mean"]["value"]
    assert mean == pytest.approx((15.2 * 1.0 + 11.2 * 6.0) / 26.4, rel=1e-12)


def test_weights_that_255_steps_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="multiples of 1/255"):
        fractions_of(np.array([0.3001]))


def test_overlapping_lesions_count_once_and_are_no_label_map(tmp_path):
    study = catalogue.build("overlapping_segments", tmp_path)
    truth = study.truth["study"]
    # two boxes of 6 x 4 x 4 voxels share 4 x 4 x 4: 128 voxels of 0.064 mL
    assert truth["tmtv_ml"] == pytest.approx(128 * 0.064)
    assert truth["flags"] == ["ROI_OVERLAP"]
    # SUV 5 in the 4 x 4 x 4 that both share, 1 around
    assert truth["ttlg_g"] == pytest.approx((64 * 5 + 64 * 1) * 0.064)
    assert truth["dmax_centroid_mm"] == pytest.approx(8.0)
    # from the first column of one to the last of the other: 7 columns, 3 rows, 3 slices apart
    assert truth["dmax_voxel_mm"] == pytest.approx(4.0 * math.sqrt(7**2 + 3**2 + 3**2))
    assert sorted(path.name for path in study.lesions.iterdir()) == ["left.nii.gz", "right.nii.gz"]


def test_70000_labels_are_70000_lesions(tmp_path):
    study = catalogue.build("labels_70000", tmp_path)
    image = nib.load(study.lesions)
    labels = np.asarray(image.dataobj).transpose(2, 1, 0)
    assert (labels.dtype, labels.max(), np.count_nonzero(labels)) == (np.uint32, 70000, 70000)
    truth = study.truth["study"]
    assert truth["n_lesions"] == 70000
    assert truth["tmtv_ml"] == pytest.approx(70000 * 0.064)
    # 39 slices of 1764 voxels and 1204 of the last, its first row among them: [0, 41, 0] and [39, 0, 41] are
    # the two that lie farthest apart
    assert truth["dmax_voxel_mm"] == pytest.approx(4.0 * math.sqrt(39**2 + 41**2 + 41**2))
    assert [entry["label"] for entry in study.truth["regions"]] == [
        1,
        255,
        256,
        65535,
        65536,
        65537,
        70000,
    ]


def test_the_peak_at_the_edge_follows_from_the_weights_of_the_sphere():
    # roi.md 4.2, voxels of 4 mm, r = 6.2035 mm; of a sphere at slice 0 the slices 0, 1 and 2 are in the image
    centre, side, edge, corner, far = 1.0, 0.9832854238, 0.5778444917, 0.2145392131, 0.0124733086
    in_slice = centre + 4 * side + 4 * edge + 4 * far
    above = side + 4 * edge + 4 * corner + far
    in_fov = in_slice + above
    entry = catalogue.load("fov_edge").drawn[0]
    quoted = {one.quantity: one.value for one in entry.quoted}
    assert (10 * in_slice + above) / in_fov == pytest.approx(quoted["suv_peak"], abs=2e-9)
    assert in_fov / (1000.0 / 64.0) == pytest.approx(quoted["peak_in_fov_fraction"], abs=2e-9)
    # centres within 6.2035 mm: 9 in the slice (0, 4, 5.66 mm), 5 above (4, 5.66 mm)
    assert quoted["suv_peak_ibsi_global"] == pytest.approx((9 * 10 + 5 * 1) / 14, abs=1e-12)


def test_the_hot_slab_fills_64_voxels_of_the_first_slice(tmp_path):
    study = catalogue.build("fov_edge", tmp_path)
    for name, count in (("300 voxels", 300), ("301 voxels", 301)):
        expected = study.expected(name)
        assert expected["n_voxels"]["value"] == count
        assert expected["suv_mean"]["value"] == pytest.approx((640 + count - 64) / count)
        assert {"MAX_ON_FOV_EDGE", "MAX_TIED", "PEAK_SPHERE_CLIPPED_BY_FOV"} <= set(
            by_name(study)[name]["flags"]
        )


@pytest.mark.parametrize(
    "name", ["whole_study", "touching_lesions", "oblique", "reversed_slices", "three_beds"]
)
def test_contours_lie_on_the_slices_that_they_name(name, tmp_path):
    definition = catalogue.load(name)
    study = catalogue.build(name, tmp_path)
    slices = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, study.pet.iterdir())}
    rtstruct = pydicom.dcmread(study.root / "rois" / "lesions.rtstruct.dcm")
    for item, region in zip(rtstruct.ROIContourSequence, groups_of(definition)[0].regions, strict=True):
        for contour in item.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            ds = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            from_corner = points - np.array(ds.ImagePositionPatient, dtype=float)
            assert np.abs(from_corner @ definition.grid.normal).max() < 1e-6
        assert len(item.ContourSequence) >= region.mask.any(axis=(1, 2)).sum()


def test_height_between_slices_is_interpolated():
    grid = catalogue.load("tiny").grid
    point = in_patient(np.array([[1.0, 2.0]]), height=0.5, grid=grid)[0]
    np.testing.assert_allclose(point, (grid.voxel_centre_mm(0, 2, 1) + grid.voxel_centre_mm(1, 2, 1)) / 2)


def test_regions_are_no_part_of_the_study_unless_it_says_so(tmp_path):
    plain = catalogue.build("tiny", tmp_path / "plain")
    assert {path.parent.name for path in plain.dicom.rglob("*.dcm")} == {"PT"}
    whole = catalogue.build("whole_study", tmp_path / "whole")
    assert (whole.dicom / "SEG" / "lesions.dcm").read_bytes() == (
        whole.root / "rois" / "lesions.seg.dcm"
    ).read_bytes()


@pytest.mark.parametrize("name", catalogue.names())
def test_every_file_of_the_truth_is_there(name, tmp_path):
    if name == "suv_dro":
        pytest.skip("256 x 256 x 20 voxels are large for a test")
    study = catalogue.build(name, tmp_path)
    truth = json.loads((study.root / "truth.json").read_text(encoding="utf-8"))
    assert truth == json.loads(json.dumps(study.truth))
    for entry in [*truth["regions"], *truth["refused_regions"]]:
        assert entry["files"]
        assert all((study.root / path).exists() for path in entry["files"])
