"""The table of published repeatability, and what it calls a change."""

from __future__ import annotations

from math import exp, nan

import pytest

from petquant.errors import UsageError
from petquant.flags import CODES
from petquant.reads.repeatability import change, repeatability_of, repeatability_table


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("fdg", -24.2, 31.9),  # wCV 10 %: 100 (exp(-+0.277) - 1)
        ("psma11_bone", -27.7, 38.3),  # 11.7 %
        ("fdg_qiba", -28.3, 39.5),  # 12 %
        ("psma11_node", -31.6, 46.2),  # 13.7 %
        ("fdg_two_scanners_max", -33.0, 33.0),  # RC alone
    ],
)
def test_the_change_needed_follows_from_the_variation_within_subjects(name, low, high):
    assert repeatability_of(name).change_needed_percent == pytest.approx((low, high), abs=0.05)


def test_pentixafor_borrows_of_psma_and_says_so():
    own, lender = repeatability_of("pentixafor_bone"), repeatability_of("psma11_bone")
    assert own.change_needed_percent == lender.change_needed_percent
    assert "surrogate: figures of [68Ga]PSMA-11" in own.label
    assert "surrogate" not in lender.label
    found = change(4.0, 6.0, own)  # + 50 %
    assert found.exceeds_rc is True
    assert "surrogate" in found.findings[0].expected


def test_what_nobody_verified_says_so():
    assert "not verified" in repeatability_of("fdg_qiba").label
    assert all(row.citation for row in repeatability_table().values())


def test_a_change_lies_outside_the_band():
    row = repeatability_of("fdg_two_scanners")  # -+27 %
    assert [change(10.0, x, row).exceeds_rc for x in (7.3, 7.29, 12.7, 12.71)] == [False, True, False, True]
    found = change(10.0, 12.71, row)
    assert found.percent == pytest.approx(27.1)
    assert [one.code for one in found.findings] == ["CHANGE_EXCEEDS_RC"]
    assert change(10.0, 12.0, row).findings == ()
    assert CODES["CHANGE_EXCEEDS_RC"].severity == "info"


def test_the_band_is_that_of_a_ratio():
    row = repeatability_of("fdg")
    edge = 5.0 * exp(1.96 * 2**0.5 * 0.10)
    assert change(5.0, edge * 0.9999, row).exceeds_rc is False
    assert change(5.0, edge * 1.0001, row).exceeds_rc is True
    assert change(edge * 1.0001, 5.0, row).exceeds_rc is True


def test_a_row_in_suv_units_has_no_band_and_no_verdict():
    row = repeatability_of("fdg_difference_max")
    assert (row.difference_suv, row.difference_sd_suv) == (-0.05, 1.14)
    found = change(5.0, 9.0, row)
    assert (found.needed_percent, found.exceeds_rc, found.findings) == (None, None, ())


@pytest.mark.parametrize(("first", "second"), [(0.0, 1.0), (1.0, nan), (-1.0, 2.0), (2.0, 0.0)])
def test_values_without_a_ratio_have_no_change(first, second):
    found = change(first, second, repeatability_of("fdg"))
    assert (found.percent, found.exceeds_rc) == (None, None)


def test_an_unknown_row_names_the_known_ones():
    with pytest.raises(UsageError, match="fdg_qiba"):
        repeatability_of("FDG")
