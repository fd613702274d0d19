"""Erosion of regions, and classes of TotalSegmentator by name."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from petquant.erosion import eroded
from petquant.errors import Refused
from petquant.files import load_rois
from petquant.totalsegmentator import CLASSES, class_numbers


def test_a_box_loses_its_rim(make_grid, make_roi):
    grid = make_grid((20, 20, 20), (2.0, 2.0, 2.0))
    mask = np.zeros(grid.shape, np.bool_)
    mask[3:13, 3:13, 3:13] = True  # 20 mm along each axis
    inner = eroded(make_roi(mask), grid, by_mm=5.0)
    # centres lie 1, 3, 5 ... mm inside of the faces: two of them are nearer than 5 mm on each side
    expected = np.zeros(grid.shape, np.bool_)
    expected[5:11, 5:11, 5:11] = True
    np.testing.assert_array_equal(inner.voxels, np.flatnonzero(expected))
    assert inner.source == "label map, eroded 5 mm"


def test_the_edge_of_the_grid_bounds_a_region(make_grid, make_roi):
    grid = make_grid((4, 4, 4), (2.0, 2.0, 2.0))
    inner = eroded(make_roi(np.ones(grid.shape, np.bool_)), grid, by_mm=2.0)
    assert len(inner.voxels) == 8


def test_a_sphere_keeps_its_shape(make_grid, make_roi):
    grid = make_grid((33, 33, 33), (2.0, 2.0, 2.0))
    away = np.indices(grid.shape) * 2.0 - 32.0
    mask = (away**2).sum(axis=0) <= 30.0**2
    inner = eroded(make_roi(mask), grid, by_mm=10.0)
    # 20 mm are left, known to half a voxel: within 1 mm of radius
    volume = len(inner.voxels) * 8.0
    assert 4 / 3 * np.pi * 19.0**3 <= volume <= 4 / 3 * np.pi * 21.0**3


def test_weights_below_a_half_are_outside(make_grid, make_roi):
    grid = make_grid((3, 3, 5), (2.0, 2.0, 2.0))
    roi = make_roi(np.arange(grid.size), weights=np.where(np.arange(grid.size) % 5 == 0, 0.4, 1.0))
    inner = eroded(roi, grid, by_mm=1.0)
    assert inner.weights is None
    assert set(inner.voxels % 5) == {1, 2, 3, 4}


def test_class_names_are_numbers():
    assert class_numbers("liver") == ("5",)
    assert class_numbers("vertebrae_L3+vertebrae_L4+28+mine") == ("29", "28", "28", "mine")
    assert len(set(CLASSES.values())) == len(CLASSES)


@pytest.fixture
def label_map(tmp_path):
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[1:6, 1:11, 1:11] = CLASSES["liver"]
    labels[7:10, 1:11, 1:11] = CLASSES["spleen"]
    path = tmp_path / "totalseg.nii.gz"
    nib.save(nib.Nifti1Image(labels, np.diag([-2.0, -2.0, 2.0, 1.0])), path)
    return path


def test_a_class_is_taken_from_a_label_map_by_name(label_map, make_grid):
    grid = make_grid((12, 12, 12))
    by_name = load_rois(label_map, onto=grid, label="liver").rois
    by_number = load_rois(label_map, onto=grid, label=5).rois
    assert [roi.roi_id for roi in by_name] == ["5"]
    np.testing.assert_array_equal(by_name[0].voxels, by_number[0].voxels)
    assert len(by_name[0].voxels) == 5 * 10 * 10


def test_classes_are_joined(label_map, make_grid):
    grid = make_grid((12, 12, 12))
    (roi,) = load_rois(label_map, onto=grid, label="liver+spleen", is_united=True).rois
    assert len(roi.voxels) == (5 + 3) * 10 * 10


def test_a_file_is_eroded_on_its_own_grid(label_map, make_grid):
    grid = make_grid((12, 12, 12))
    (roi,) = load_rois(label_map, onto=grid, label="liver", erode_mm=2.0).rois
    assert len(roi.voxels) == 3 * 8 * 8


def test_nothing_left_is_refused(label_map, make_grid):
    with pytest.raises(Refused, match="is left after an erosion by 20 mm"):
        load_rois(label_map, onto=make_grid((12, 12, 12)), label="liver", erode_mm=20.0)


def test_a_class_that_is_not_there_is_named(label_map, make_grid):
    with pytest.raises(Refused, match="label brain does not occur"):
        load_rois(label_map, onto=make_grid((12, 12, 12)), label="liver+brain")
