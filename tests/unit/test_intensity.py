"""Intensity: what the values of a region say, for all regions in one pass."""

from __future__ import annotations

import gc
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.errors import Refused
from petquant.metrics import measure, references
from petquant.quantities import QUANTITIES, REGION_COLUMNS, Scope
from petquant.roi import Role
from petquant.volume import Unit

V = 0.008  # mL of a 2 mm cube


def row_of(volume, roi, **choices):
    return measure(volume, [roi], **{"suv_type": "bw"} | choices)[0]


def line(*values):
    """An image of one row."""
    return np.array(values, np.float64).reshape(1, 1, -1)


def test_statistics_of_one_to_five(make_volume, make_roi):
    row = row_of(make_volume(line(1, 2, 3, 4, 5)), make_roi(np.arange(5))).values
    assert row["n_voxels"] == 5
    assert row["suv_max"] == 5
    assert row["suv_min"] == 1
    assert row["suv_mean"] == 3
    assert row["suv_sd"] == math.sqrt((4 + 1 + 0 + 1 + 4) / 5)  # ddof 0
    assert row["suv_cov"] == math.sqrt(2) / 3
    assert row["suv_median"] == 3
    assert row["suv_p25"] == 2  # h = 4 * 0.25
    assert row["suv_p10"] == pytest.approx(1.4, rel=1e-15)  # h = 0.4: 1 + 0.4 * (2 - 1)
    assert row["suv_p90"] == pytest.approx(4.6, rel=1e-15)
    assert row["mtv_ml"] == pytest.approx(5 * V, rel=1e-15)
    assert row["tlg_g"] == pytest.approx(15 * V, rel=1e-15)
    assert row["mtv50_ml"] == pytest.approx(3 * V, rel=1e-15)  # 3, 4, 5 of at least 2.5
    assert row["mtv41_ml"] == pytest.approx(3 * V, rel=1e-15)  # at least 2.05
    assert row["mtv_suv4_0_ml"] == pytest.approx(2 * V, rel=1e-15)


def test_median_of_an_even_number_lies_between(make_volume, make_roi):
    assert row_of(make_volume(line(1, 2, 4, 9)), make_roi(np.arange(4))).values["suv_median"] == 3


def test_thresholds_are_inclusive(make_volume, make_roi):
    row = row_of(make_volume(line(2.5, 4.0, 5.0, 8.0)), make_roi(np.arange(4))).values
    assert row["mtv_suv2_5_ml"] == pytest.approx(4 * V, rel=1e-15)
    assert row["mtv_suv4_0_ml"] == pytest.approx(3 * V, rel=1e-15)
    assert row["mtv50_ml"] == pytest.approx(3 * V, rel=1e-15)  # 4.0 is half of 8.0


def test_threshold_without_voxels_gives_zero_and_a_flag(make_volume, make_roi):
    row = row_of(make_volume(line(1.0, 2.0)), make_roi(np.arange(2)))
    assert row.values["mtv_suv2_5_ml"] == 0.0
    assert "THRESHOLD_EMPTY" in row.flags


def test_one_voxel_has_all_metrics(make_volume, make_roi):
    row = row_of(make_volume(np.full((9, 9, 9), 2.0)), make_roi(np.array([364])))
    assert row.values["suv_sd"] == row.values["suv_cov"] == 0.0
    assert row.values["suv_p10"] == row.values["suv_median"] == row.values["suv_p90"] == 2.0
    assert row.values["suv_peak"] == pytest.approx(2.0, rel=1e-14)
    assert "ROI_SMALLER_THAN_PEAK_SPHERE" in row.flags


def test_maximum_has_its_position_and_its_ties(make_volume, make_roi, make_grid):
    image = np.zeros((3, 4, 5))
    image[1, 2, 3] = image[2, 0, 1] = 7.0
    grid = make_grid(image.shape, (3.0, 2.0, 1.0), origin_mm=(-10.0, 20.0, 100.0))
    row = row_of(make_volume(image, grid=grid), make_roi(image >= 0))
    position = tuple(row.values[f"max_{axis}_mm"] for axis in "xyz")
    assert position == (-10 + 3 * 1.0, 20 + 2 * 2.0, 100 + 1 * 3.0)
    assert row.values["suv_max_ties"] == 2
    assert "MAX_TIED" in row.flags


@pytest.mark.parametrize(
    ("at", "is_on_edge"), [((2, 2, 2), False), ((0, 2, 2), True), ((2, 4, 2), True), ((2, 2, 0), True)]
)
def test_maximum_in_an_outer_layer_is_flagged(make_volume, make_roi, at, is_on_edge):
    image = np.zeros((5, 5, 5))
    image[at] = 1.0
    row = row_of(make_volume(image), make_roi(image >= 0))
    assert ("MAX_ON_FOV_EDGE" in row.flags) is is_on_edge


def test_negative_region_has_a_negative_maximum(make_volume, make_roi):
    # a peer starts its maximum at the smallest positive number
    row = row_of(make_volume(line(-3.0, -1.0)), make_roi(np.arange(2)))
    assert row.values["suv_max"] == -1.0
    assert row.values["suv_mean"] == -2.0
    assert row.values["suv_cov"] is None
    assert "MEAN_NOT_POSITIVE" in row.flags


def test_every_slice_has_its_own_slope_and_intercept(make_volume, make_roi):
    stored = np.array([[[10, 20]], [[10, 20]]], np.int16)
    volume = make_volume(stored, slope=[0.5, 2.0], intercept=[0.0, 1.0])
    row = row_of(volume, make_roi(np.arange(4))).values
    assert (row["suv_min"], row["suv_max"], row["suv_mean"]) == (5.0, 41.0, (5 + 10 + 21 + 41) / 4)


def test_weights_count_in_sums_and_halves_decide_about_order(make_volume, make_roi):
    roi = make_roi(np.arange(4), weights=np.array([1.0, 0.5, 0.5 - 1e-10, 0.25]))
    row = row_of(make_volume(line(1.0, 2.0, 3.0, 9.0)), roi).values
    weight = 1 + 0.5 + 0.5 + 0.25
    mean = (1 * 1 + 0.5 * 2 + 0.5 * 3 + 0.25 * 9) / weight
    squares = 1 * (1 - mean) ** 2 + 0.5 * (2 - mean) ** 2 + 0.5 * (3 - mean) ** 2 + 0.25 * (9 - mean) ** 2
    # 1e-9: the third weight is 1e-10 below a half
    assert row["n_voxels"] == 3
    assert row["suv_max"] == 3.0
    assert row["suv_median"] == 2.0
    assert row["suv_mean"] == pytest.approx(mean, rel=1e-9)
    assert row["suv_sd"] == pytest.approx(math.sqrt(squares / weight), rel=1e-9)
    assert row["mtv_ml"] == pytest.approx(V * weight, rel=1e-9)
    assert row["tlg_g"] == pytest.approx(row["suv_mean"] * row["mtv_ml"], rel=1e-14)
    assert row["mtv_suv4_0_ml"] == pytest.approx(V * 0.25, rel=1e-14)  # any weight counts
    x = (0 * 1 + 2 * 0.5 + 4 * 0.5 + 6 * 0.25) / weight
    assert row["centroid_x_mm"] == pytest.approx(x, rel=1e-9)


def test_region_without_half_a_voxel_falls_back_to_its_heaviest(make_volume, make_roi):
    roi = make_roi(np.arange(3), weights=np.array([0.1, 0.4, 0.4]))
    row = row_of(make_volume(line(5.0, 6.0, 7.0)), roi)
    assert (row.values["n_voxels"], row.values["suv_max"]) == (1, 6.0)  # the first of the heaviest
    assert "NO_VOXEL_ABOVE_HALF" in row.flags


def test_weights_of_one_are_no_weights(make_volume, make_roi):
    rng = np.random.default_rng(1)
    volume = make_volume(rng.random((8, 9, 10)))
    region = rng.random((8, 9, 10)) < 0.3
    plain, weighted = make_roi(region), make_roi(region, weights=np.ones(int(region.sum())))
    for column, value in row_of(volume, plain).values.items():
        assert row_of(volume, weighted).values[column] == pytest.approx(value, rel=1e-12), column


def test_uneven_slices_place_the_centroid(make_volume, make_roi, make_grid):
    grid = make_grid((3, 1, 1), (3.27, 2, 2), slice_positions_mm=np.array([0.0, 3.19, 6.46]))
    row = row_of(make_volume(np.ones((3, 1, 1)), grid=grid), make_roi(np.arange(3)))
    assert row.values["centroid_z_mm"] == pytest.approx((0 + 3.19 + 6.46) / 3, rel=1e-14)
    assert "UNEVEN_SLICES" in row.flags


def test_overlapping_regions_are_measured_each_for_itself(make_volume, make_roi):
    volume = make_volume(line(1, 2, 3, 4))
    first, second = measure(volume, [make_roi(np.arange(3)), make_roi(np.arange(1, 4))], suv_type="bw")
    assert (first.values["suv_mean"], second.values["suv_mean"]) == (2.0, 3.0)


def test_not_a_number_in_a_region_is_refused_with_the_count(make_volume, make_roi):
    volume = make_volume(line(1, np.nan, np.inf, 4))
    with pytest.raises(Refused, match="ROI_VALUES_NOT_FINITE: 2 voxels"):
        row_of(volume, make_roi(np.arange(4)))


def test_measurement_carries_region_conversion_and_own_flags_once(make_volume, make_roi):
    roi = make_roi(np.arange(2), flags=("ROI_GRID_SNAPPED",), source="drawn by hand", name="apex")
    row = row_of(make_volume(line(1, 1)), roi, conversion_flags=("DOSE_IN_MBQ", "ROI_GRID_SNAPPED"))
    assert row.flags[:2] == ("DOSE_IN_MBQ", "ROI_GRID_SNAPPED")
    assert len(row.flags) == len(set(row.flags))
    assert (row.roi_name, row.roi_source, row.suv_type, row.unit) == ("apex", "drawn by hand", "bw", "g/mL")


def test_empty_region_has_a_row_of_zero_volume(make_volume, make_roi):
    empty, full = measure(
        make_volume(line(1, 2)), [make_roi(np.array([], int)), make_roi(np.arange(2))], suv_type="bw"
    )
    assert (empty.values["n_voxels"], empty.values["mtv_ml"], empty.values["suv_max"]) == (0, 0.0, None)
    assert list(empty.values) == list(full.values)


def test_without_suv_activities_stand_in_its_place(make_volume, make_roi):
    volume = make_volume(line(4000.0, 8000.0), unit=Unit.BQML)
    row = row_of(volume, make_roi(np.arange(2)), suv_type="none")
    assert row.values["activity_max_bqml"] == 8000.0
    assert row.values["activity_mean_bqml"] == 6000.0
    assert row.values["suv_max"] is row.values["tlg_g"] is row.values["mtv_suv2_5_ml"] is None
    assert row.values["mtv50_ml"] == pytest.approx(2 * V, rel=1e-15)
    assert row.unit == "Bq/mL"


def test_counts_are_not_called_activities(make_volume, make_roi):
    row = row_of(make_volume(line(4.0, 8.0), unit=Unit.COUNTS), make_roi(np.arange(2)), suv_type="none")
    assert row.values["activity_max_bqml"] is None


def test_table_of_quantities_and_produced_columns_are_the_same(make_volume, make_roi):
    volume = make_volume(line(1, 2, 3, 4))
    background = make_roi(np.array([3]), name="NAME", role=Role.BACKGROUND)
    lesion = make_roi(np.arange(2))
    refs = references(volume, [background], [lesion])
    suv = row_of(volume, lesion, references=refs)
    none = row_of(volume, lesion, references=refs, suv_type="none")
    by_scope = {scope: [q.column for q in QUANTITIES if q.scope is scope] for scope in Scope}
    assert list(suv.values) == [*REGION_COLUMNS, *by_scope[Scope.RATIO]]
    assert list(none.values) == [*REGION_COLUMNS, *by_scope[Scope.RATIO], *by_scope[Scope.ACTIVITY]]
    assert list(refs[0].values) == by_scope[Scope.REFERENCE]
    assert all(q.unit and q.ucum and q.definition and q.name for q in QUANTITIES)


def test_seventy_thousand_labels_work(make_volume, make_roi):
    rng = np.random.default_rng(2)
    image = rng.integers(0, 1000, (42, 42, 42)).astype(np.int16)
    order = rng.permutation(image.size)[:70000]
    rows = measure(make_volume(image), [make_roi(order[at : at + 1]) for at in range(70000)], suv_type="bw")
    assert [row.values["suv_max"] for row in rows] == image.reshape(-1)[order].tolist()


values = st.integers(-(2**15), 2**15 - 1)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.lists(values, min_size=1, max_size=40), min_size=1, max_size=5))
def test_statistics_are_those_of_numpy(make_volume, make_roi, regions):
    image = np.array([x for region in regions for x in region], np.int16).reshape(1, 1, -1)
    ends = np.cumsum([len(region) for region in regions])
    rois = [make_roi(np.arange(end - len(r), end)) for end, r in zip(ends, regions, strict=True)]
    for row, region in zip(measure(make_volume(image), rois, suv_type="bw"), regions, strict=True):
        x = np.array(region, np.float64)
        got = row.values
        assert (got["suv_max"], got["suv_min"], got["suv_max_ties"]) == (
            x.max(),
            x.min(),
            (x == x.max()).sum(),
        )
        scale = max(1.0, np.abs(x).max())  # rounding of sums is relative to the values, not to their mean
        assert got["suv_mean"] == pytest.approx(x.mean(), abs=1e-13 * scale)
        assert got["suv_sd"] == pytest.approx(x.std(), abs=1e-12 * scale)
        for name, percent in (("p10", 10), ("p25", 25), ("median", 50), ("p75", 75), ("p90", 90)):
            assert got[f"suv_{name}"] == pytest.approx(np.percentile(x, percent), abs=1e-12 * scale)
        order = [got[f"suv_{name}"] for name in ("min", "p10", "p25", "median", "p75", "p90", "max")]
        assert order == sorted(order)
        assert got["tlg_g"] == pytest.approx(got["suv_mean"] * got["mtv_ml"], abs=1e-13 * scale)
        assert got["suv_peak_ibsi_global"] >= got["suv_peak_ibsi_local"]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.permutations([0, 1, 2]), st.lists(st.booleans(), min_size=3, max_size=3))
def test_flips_and_turned_axes_change_nothing(make_volume, make_roi, seed, order, back):
    rng = np.random.default_rng(seed)
    spacing = (3.0, 2.0, 4.5)
    image, region = rng.integers(0, 60, (6, 7, 5)).astype(np.int16), rng.random((6, 7, 5)) < 0.3
    region[2, 2, 2] = True
    flip = tuple(slice(None, None, -1) if b else slice(None) for b in back)
    first = row_of(make_volume(image, spacing), make_roi(region)).values
    turned = row_of(
        make_volume(image.transpose(order)[flip], tuple(spacing[a] for a in order)),
        make_roi(region.transpose(order)[flip]),
    ).values
    for column, value in first.items():
        if not column.endswith("_mm") and not column.startswith("peak_in"):
            assert turned[column] == pytest.approx(value, rel=1e-12), column


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.floats(1e-6, 1e6))
def test_scaling_scales_suv_and_leaves_volumes(make_volume, make_roi, seed, factor):
    rng = np.random.default_rng(seed)
    volume = make_volume(rng.integers(1, 1000, (5, 5, 5)).astype(np.int16))
    roi = make_roi(rng.random((5, 5, 5)) < 0.5)
    one = row_of(volume, roi).values
    scaled = row_of(volume.scaled(factor, unit=Unit.GML), roi).values
    for column in (
        "suv_max",
        "suv_mean",
        "suv_sd",
        "suv_median",
        "suv_p90",
        "suv_peak",
        "suv_peak_ibsi_local",
    ):
        assert scaled[column] == pytest.approx(one[column] * factor, rel=1e-12)
    for column in ("mtv_ml", "n_voxels", "suv_cov", "max_x_mm", "peak_x_mm", "centroid_z_mm"):
        assert scaled[column] == pytest.approx(one[column], rel=1e-12)


def test_many_labels_cost_little_more_than_one_with_as_many_voxels(make_volume, make_roi):
    side, gap, cells = 4, 1, 20  # 20^3 cubes of 64 voxels
    edge = cells * (side + gap)
    image = np.arange(edge**3, dtype=np.int64).reshape((edge,) * 3) % 20011
    cubes = np.arange(image.size).reshape((cells, side + gap) * 3).transpose(0, 2, 4, 1, 3, 5)
    voxels = cubes[..., :side, :side, :side].reshape(-1, side**3)
    volume = make_volume(image.astype(np.int16))
    many, one = [make_roi(cube) for cube in voxels], [make_roi(voxels.reshape(-1))]
    costs_s = {"many": [], "one": []}
    gc.collect()
    gc.disable()  # to walk the heap of the tests is no cost of the measurement
    for _ in range(5):
        for name, rois in (("many", many), ("one", one)):
            start_s = time.process_time()
            measure(volume, rois, suv_type="bw")
            costs_s[name].append(time.process_time() - start_s)
    gc.enable()
    # 2.2 was measured, rows and spheres being most of the difference; a pass a label would be 20
    assert min(costs_s["many"]) <= 3 * min(costs_s["one"])
