"""Burden: what all lesions of a study hold together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petquant.metrics import burden, measure
from petquant.metrics import distance as distance_module
from petquant.metrics.distance import largest_distance_mm
from petquant.quantities import QUANTITIES, Scope
from petquant.roi import Role
from petquant.volume import Unit

V = 0.008  # mL of a 2 mm cube


def burden_of(volume, *rois, suv_type="bw"):
    rows = measure(volume, rois, suv_type=suv_type)
    return burden(volume, rois, rows)


@pytest.fixture(scope="module")
def row(make_volume):
    return make_volume(np.arange(1.0, 11.0).reshape(1, 1, -1))


def test_lesions_are_counted_and_summed(row, make_roi):
    found = burden_of(row, make_roi(np.array([0, 1])), make_roi(np.array([7, 8, 9])))
    assert found.values["n_lesions"] == 2
    assert found.values["tmtv_ml"] == pytest.approx(5 * V, rel=1e-15)
    assert found.values["ttlg_g"] == pytest.approx((1 + 2 + 8 + 9 + 10) * V, rel=1e-15)
    assert found.values["suv_max"] == 10.0
    assert found.values["dmax_centroid_mm"] == pytest.approx((8 - 0.5) * 2.0, rel=1e-15)
    assert found.values["dmax_voxel_mm"] == pytest.approx(9 * 2.0, rel=1e-15)
    assert found.flags == ()


def test_columns_are_those_of_the_table(row, make_roi):
    columns = [q.column for q in QUANTITIES if q.scope is Scope.STUDY]
    assert list(burden_of(row, make_roi(np.array([1]))).values) == columns


def test_shared_voxels_count_once(row, make_roi):
    found = burden_of(row, make_roi(np.array([0, 1, 2])), make_roi(np.array([2, 3])))
    assert found.values["tmtv_ml"] == pytest.approx(4 * V, rel=1e-15)
    assert found.values["ttlg_g"] == pytest.approx((1 + 2 + 3 + 4) * V, rel=1e-15)
    assert found.flags == ("ROI_OVERLAP",)
    assert found.shared_voxels == 1


def test_shared_voxel_counts_with_its_largest_weight(row, make_roi):
    first = make_roi(np.array([0, 1]), weights=np.array([1.0, 0.25]))
    second = make_roi(np.array([1, 2]), weights=np.array([0.75, 0.5]))
    found = burden_of(row, first, second)
    assert found.values["tmtv_ml"] == pytest.approx((1 + 0.75 + 0.5) * V, rel=1e-15)
    assert found.values["ttlg_g"] == pytest.approx((1 * 1 + 0.75 * 2 + 0.5 * 3) * V, rel=1e-15)


def test_backgrounds_are_no_lesions(row, make_roi):
    found = burden_of(row, make_roi(np.array([0])), make_roi(np.array([9]), role=Role.BACKGROUND))
    assert (found.values["n_lesions"], found.values["suv_max"]) == (1, 1.0)
    assert found.values["dmax_centroid_mm"] is found.values["dmax_voxel_mm"] is None


def test_no_lesion_is_a_burden_of_zero(row):
    values = burden_of(row).values
    assert (values["n_lesions"], values["tmtv_ml"], values["ttlg_g"], values["suv_max"]) == (
        0,
        0.0,
        0.0,
        None,
    )


def test_negative_maximum_of_the_study_stays_negative(make_volume, make_roi):
    assert burden_of(make_volume(-np.ones((1, 1, 4))), make_roi(np.array([1]))).values["suv_max"] == -1.0


def test_without_suv_the_volume_remains(make_volume, make_roi):
    volume = make_volume(np.ones((1, 1, 4)), unit=Unit.BQML)
    values = burden_of(volume, make_roi(np.array([1, 2])), suv_type="none").values
    assert values["tmtv_ml"] == pytest.approx(2 * V, rel=1e-15)
    assert values["ttlg_g"] is values["suv_max"] is None


@pytest.mark.parametrize("all_pairs", [1500, 0])
@pytest.mark.parametrize("seed", range(4))
def test_largest_distance_is_that_of_all_pairs(monkeypatch, all_pairs, seed):
    monkeypatch.setattr(distance_module, "ALL_PAIRS", all_pairs)
    rng = np.random.default_rng(seed)
    of = rng.integers(0, 4, 200)
    points = rng.normal(size=(200, 3)) * [30, 10, 50]
    if seed % 2:  # one group spans everything, the others lie within
        points[of == 0] *= 10
    largest = max(
        math.dist(a, b)
        for a, g in zip(points, of, strict=True)
        for b, h in zip(points, of, strict=True)
        if g != h
    )
    assert largest_distance_mm(points, of) == pytest.approx(largest, rel=1e-13)


def test_flat_lesions_have_a_distance_too(monkeypatch):
    monkeypatch.setattr(distance_module, "ALL_PAIRS", 0)
    points = np.array([[x, y, 0.0] for x in range(4) for y in range(4)])
    assert largest_distance_mm(points, np.arange(16) % 2) == pytest.approx(math.hypot(3, 3), rel=1e-15)


def test_one_group_has_no_distance():
    assert largest_distance_mm(np.zeros((3, 3)), np.zeros(3, int)) is None
