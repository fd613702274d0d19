"""Components are what touches, the largest first."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from petquant.delineation import components, connected_to
from petquant.delineation.components import at_least_ml

AXES = {6: 1, 18: 2, 26: 3}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    density=st.floats(0.05, 0.7),
    connectivity=st.sampled_from([*AXES]),
    dense=st.sampled_from((0, 40)),  # neighbours by pairs, and by an image of the box
)
def test_components_are_those_of_an_independent_labelling(
    make_grid, make_roi, seed, shape, *, density, connectivity, dense
):
    mask = np.random.default_rng(seed).random(shape) < density
    grid = make_grid(shape, (3.0, 2.0, 2.5))
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(3, AXES[connectivity]))
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in range(1, n + 1)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("petquant.delineation.components"), "DENSE", dense)
        found = components(make_roi(mask), grid, connectivity=connectivity)
    assert {frozenset(roi.voxels.tolist()) for roi in found} == expected
    order = [(-len(roi.voxels), roi.voxels[0]) for roi in found]
    assert order == sorted(order)


@pytest.fixture
def three(make_grid):
    """A row of 1, 3 and 2 voxels of 8 mm3 each."""
    return make_grid((1, 1, 9)), np.array([1, 1, 1, 0, 1, 0, 1, 1, 0], bool).reshape(1, 1, 9)


def test_the_largest_component_comes_first(three, make_roi):
    grid, mask = three
    found = components(make_roi(mask, roi_id="7", name="node"), grid)
    assert [roi.voxels.tolist() for roi in found] == [[0, 1, 2], [6, 7], [4]]
    assert [roi.roi_id for roi in found] == ["7.1", "7.2", "7.3"]
    assert [roi.name for roi in found] == ["node 1", "node 2", "node 3"]
    assert found[0].source == "label map, 26-connected component"


def test_of_equal_components_the_one_with_the_first_voxel_comes_first(make_grid, make_roi):
    grid = make_grid((1, 1, 7))
    found = components(make_roi(np.array([0, 2, 3, 5, 6])), grid)
    assert [roi.voxels.tolist() for roi in found] == [[2, 3], [5, 6], [0]]


def test_the_smallest_volume_allowed_is_kept(three, make_roi):
    grid, mask = three
    found = components(make_roi(mask), grid, minimum_ml=0.016)  # two voxels of 8 mm3
    assert [len(roi.voxels) for roi in found] == [3, 2]
    assert found[0].source.endswith("at least 0.016 mL")
    left = at_least_ml(make_roi(mask), grid, minimum_ml=0.017)
    assert left.voxels.tolist() == [0, 1, 2]


def test_weights_count_in_the_volume_and_stay_with_their_voxels(make_grid, make_roi):
    grid = make_grid((1, 1, 6))
    roi = make_roi(np.array([0, 1, 2, 4, 5]), weights=np.array([0.1, 0.2, 0.3, 0.9, 1.0]))
    large, small = components(roi, grid)
    assert large.voxels.tolist() == [4, 5]
    assert small.weights.tolist() == [0.1, 0.2, 0.3]
    assert [len(one.voxels) for one in components(roi, grid, minimum_ml=0.008 * 0.61)] == [2]


@pytest.mark.parametrize(("connectivity", "expected"), [(6, 3), (18, 2), (26, 1)])
def test_faces_edges_and_corners_connect(make_grid, make_roi, connectivity, expected):
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 2, 2] = True  # an edge, then a corner
    assert len(components(make_roi(mask), make_grid((3, 3, 3)), connectivity=connectivity)) == expected


def test_the_end_of_a_row_does_not_touch_the_start_of_the_next(make_grid, make_roi):
    grid = make_grid((2, 2, 4))
    assert len(components(make_roi(np.array([3, 4])), grid)) == 2
    assert len(components(make_roi(np.array([7, 8])), grid)) == 2


def test_an_empty_region_has_no_components(make_grid, make_roi):
    assert components(make_roi(np.empty(0, np.int64)), make_grid((2, 2, 2))) == ()


def test_what_is_connected_to_a_voxel_is_its_component(three):
    grid, mask = three
    assert connected_to(7, np.flatnonzero(mask), grid).tolist() == [6, 7]
