"""The sensitivity table of the oesophagus cohort, every row as it is tabulated in the specification."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petquant.reads.pair import LesionPair, LesionRead
from petquant.reads.paired import estimands, paired_values

# metric, set, unit, scale, test: p, mean of a, mean of b
TABLE = [
    ("suv_max", "union", "lesion", "difference", "patient sign-flip", 0.0703125, 4.2000, 6.8996),
    ("suv_max", "union", "lesion", "difference", "paired t", 0.0749, 4.2000, 6.8996),
    ("suv_max", "union", "lesion", "difference", "Wilcoxon", 0.0993, 4.2000, 6.8996),
    ("suv_max", "both-positive", "lesion", "difference", "paired t", 0.0316, None, None),
    ("suv_max", "own-positive", "lesion", "difference", "Mann-Whitney", 0.0122, 4.919, 9.016),
    ("suv_max", "union", "patient-max", "difference", "paired t", 0.0347, 5.544, 12.416),
    ("suv_max", "union", "patient-max", "difference", "patient sign-flip", 0.0234, 5.544, 12.416),
    ("suv_max", "union", "patient-mean", "difference", "paired t", 0.0290, 4.086, 7.361),
    ("suv_max", "union", "patient-mean", "difference", "patient sign-flip", 0.0332, 4.086, 7.361),
    ("suv_max", "union", "lesion", "log-ratio", "patient sign-flip", 0.424, None, None),
    ("suv_max", "union", "lesion", "log-ratio", "paired t", 0.402, None, None),
    ("tbr_max_blood_pool", "union", "lesion", "difference", "patient sign-flip", 0.1055, 2.800, 4.312),
    ("tbr_max_blood_pool", "union", "lesion", "difference", "paired t", 0.1101, 2.800, 4.312),
]


def row_of(rows, which, unit, scale, test):
    found = [
        row
        for row in rows
        if (row.set, row.unit, row.scale) == (which, unit, scale) and row.test.name.startswith(test)
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("tabulated", TABLE)
def test_the_rows_of_the_table(tabulated, pairs):
    metric, which, unit, scale, test, p, mean_a, mean_b = tabulated
    row = row_of(estimands(pairs(), metric), which, unit, scale, test)
    assert row.test.p == pytest.approx(p, abs=6e-5 if p < 0.1 else 6e-4)
    if mean_a is not None:
        assert (row.mean_a, row.mean_b) == pytest.approx((mean_a, mean_b), abs=6e-4)


def test_intervals_stand_beside_their_tests(pairs):
    rows = estimands(pairs(), "suv_max")
    hodges_lehmann = row_of(rows, "union", "lesion", "difference", "Wilcoxon").estimate
    found = hodges_lehmann.value, hodges_lehmann.low, hodges_lehmann.high
    assert found == pytest.approx((-1.51, -4.31, 0.275), abs=1e-9)
    ratio = row_of(rows, "union", "lesion", "log-ratio", "paired t").estimate
    assert ratio.value == pytest.approx(0.809, abs=5e-4)
    # the t interval of logarithms, exp(ln 0.8091 -+ 2.0595 x 1.2681/sqrt 26)
    assert (ratio.low, ratio.high) == pytest.approx((0.4848, 1.3503), abs=5e-4)


def test_one_row_is_the_default_and_it_comes_first(pairs):
    rows = estimands(pairs(), "suv_max")
    assert [row.is_default for row in rows] == [True] + [False] * (len(rows) - 1)
    assert (rows[0].set, rows[0].unit, rows[0].scale) == ("union", "lesion", "difference")
    assert "sign-flip" in rows[0].test.name


def test_order_of_lesions_and_patients_does_not_matter(pairs):
    forward, backward = estimands(pairs(), "suv_max"), estimands(pairs()[::-1], "suv_max")
    assert [row.test.p for row in forward] == pytest.approx([row.test.p for row in backward], abs=1e-12)


def test_missing_values_are_left_out_and_counted(pairs):
    lesions = pairs()
    lesions[0] = replace(lesions[0], b=None)
    lesions[1] = replace(lesions[1], a=replace(lesions[1].a, values={}))
    found = paired_values(lesions, "suv_max")
    assert (len(found.a), found.n_missing) == (24, 2)
    assert estimands(lesions, "suv_max")[0].n_missing == 2


def test_forced_values_are_counted(pairs):
    lesions = pairs()
    lesions[2] = replace(lesions[2], b=replace(lesions[2].b, is_forced=True))
    assert estimands(lesions, "suv_max")[0].n_forced == 1


def test_five_pairs_give_an_estimate_and_no_test(pairs):
    rows = estimands(pairs()[:5], "suv_max")
    assert all(row.test.p is None for row in rows)
    assert rows[0].estimate.value == pytest.approx((-5.77 - 1.53 + 3.81 + 3.18 - 19.76) / 5)
    assert "not tested below 6" in rows[0].test.name


def test_regions_are_compared_within_their_patients(pairs):
    lesions = [replace(pair, region="left" if int(pair.lesion_id) % 2 else "right") for pair in pairs()]
    row = row_of(estimands(lesions, "suv_max"), "union", "region-max", "difference", "patient sign-flip")
    # 26 lesions in order, alternating: every patient with two or more lesions has both sides
    assert row.n == 20
    assert row.n_patients == 10


def test_a_ratio_of_zero_is_not_taken():
    lesions = [
        LesionPair(
            patient=str(n),
            lesion_id=str(n),
            a=LesionRead(lesion_id="a", values={"suv_max": float(n)}, is_positive=True),
            b=LesionRead(lesion_id="b", values={"suv_max": 1.0}, is_positive=True),
        )
        for n in range(8)
    ]
    assert not [row for row in estimands(lesions, "suv_max") if row.scale == "log-ratio"]


def test_without_a_value_there_is_no_row(pairs):
    assert estimands(pairs(), "suv_peak") == ()
