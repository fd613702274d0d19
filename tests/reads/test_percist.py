"""PERCIST by arithmetic: liver 2.0 +- 0.2 g/mL, so that 1.5 x 2.0 + 2 x 0.2 = 3.4 is measurable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petquant.errors import UnreadableInput
from petquant.reads.criterion import criteria, criterion_of
from petquant.reads.percist import PercistScan, comparability, measurability, percist
from petquant.reads.shipped import table_of

FIRST = PercistScan(
    tracer="[18F]FDG",
    suv_type="lbm-janma",
    sul_peak=10.0,
    liver_mean=2.0,
    liver_sd=0.2,
    blood_pool_mean=1.5,
    blood_pool_sd=0.1,
    tlg_g=100.0,
    uptake_time_min=60.0,
)


def scan(sul_peak=10.0, **values):
    return replace(FIRST, sul_peak=sul_peak, **values)


def category(first, second, *, has_new_lesions=False):
    return percist(first, second, has_new_lesions=has_new_lesions).category


def test_a_lesion_is_measurable_from_the_liver_or_else_from_the_blood_pool():
    assert str(measurability(scan(3.4)).verdict) == "PASS"
    assert str(measurability(scan(3.39)).verdict) == "FAIL"
    diseased = {"is_liver_diseased": True}  # 2 x 1.5 + 2 x 0.1 = 3.2
    assert str(measurability(scan(3.2, **diseased)).verdict) == "PASS"
    assert str(measurability(scan(3.19, **diseased)).verdict) == "FAIL"
    assert str(measurability(scan(3.2, liver_sd=None)).verdict) == "UNKNOWN"
    assert str(measurability(scan(None)).verdict) == "UNKNOWN"


@pytest.mark.parametrize(
    ("second", "want"),
    [
        (scan(7.0), "PMR"),  # -30 %, -3 SUL
        (scan(7.01), "SMD"),
        (scan(13.0), "PMD"),  # +30 %
        (scan(12.99), "SMD"),
        (scan(10.0, tlg_g=175.0), "SMD"),  # +75 % is not more than 75 %
        (scan(10.0, tlg_g=175.1), "PMD"),
        (scan(None, tlg_g=None, is_resolved=True), "CMR"),
        (scan(None, tlg_g=None), None),  # a missing number is no response
        (scan(1.5), "CMR"),  # below the liver, not above the blood pool
        (scan(1.51), "PMR"),  # below the liver, above the blood pool
        (scan(1.4, blood_pool_mean=None), None),
        (scan(7.0, tlg_g=None), "PMR"),
    ],
)
def test_the_category_follows_from_the_change(second, want):
    assert category(FIRST, second) == want


def test_a_change_needs_eight_tenths_of_a_unit_and_not_eight():
    """From 2.5, -30 % is 0.75 SUL: too little. A table that misprints 0.8 as 8 would never see a response."""
    faint = {"liver_mean": 1.2, "liver_sd": 0.1, "blood_pool_mean": 0.9}  # measurable from 2.0
    first = scan(2.5, **faint)
    assert category(first, scan(1.75, **faint)) == "SMD"
    assert category(first, scan(1.7, **faint)) == "PMR"  # -0.8, -32 %
    assert category(first, scan(3.25, **faint)) == "SMD"
    assert category(first, scan(3.3, **faint)) == "PMD"
    assert category(FIRST, scan(2.5)) == "PMR"  # -7.5 SUL, less than 8
    assert criteria()["percist"].thresholds["sul_change"].value == 0.8
    assert "misprints" in criteria()["percist"].note


def test_the_hottest_lesion_of_each_scan_is_compared():
    found = percist(FIRST, scan(6.0, tlg_g=80.0), has_new_lesions=False)
    assert found.sul_change_percent == pytest.approx(-40.0)
    assert found.sul_change == pytest.approx(-4.0)
    assert found.tlg_change_percent == pytest.approx(-20.0)
    assert found.unverified == ()


def test_new_lesions_are_progression_whatever_the_numbers():
    assert category(FIRST, scan(2.0), has_new_lesions=True) == "PMD"
    assert category(scan(2.0), scan(1.0), has_new_lesions=True) == "PMD"  # not even measurable before
    assert category(FIRST, scan(2.0, tracer="[68Ga]Pentixafor"), has_new_lesions=True) is None


def test_without_a_look_for_new_lesions_only_progression_can_be_said():
    assert category(FIRST, scan(7.0), has_new_lesions=None) is None
    assert category(FIRST, scan(13.0), has_new_lesions=None) == "PMD"


@pytest.mark.parametrize(
    ("second", "rule", "verdict"),
    [
        (scan(liver_mean=2.29), "liver", "PASS"),  # + 0.29
        (scan(liver_mean=2.3), "liver", "FAIL"),  # 0.3 is not less than 0.3
        (scan(liver_mean=None), "liver", "UNKNOWN"),
        (scan(uptake_time_min=74.9), "uptake_times", "PASS"),
        (scan(uptake_time_min=75.0), "uptake_times", "FAIL"),
        (scan(uptake_time_min=None), "uptake_times", "UNKNOWN"),
        (scan(suv_type="bw"), "sul", "FAIL"),
        (scan(suv_type="lbm-james"), "sul", "FAIL"),
        (scan(tracer="[68Ga]Pentixafor"), "tracer", "FAIL"),
    ],
)
def test_scans_that_cannot_be_compared_have_no_category(second, rule, verdict):
    checks = {check.rule: str(check.verdict) for check in comparability(FIRST, second)}
    assert checks[rule] == verdict
    found = percist(FIRST, second, has_new_lesions=False)
    assert (found.category is None) == (verdict != "PASS")
    if verdict != "PASS":
        assert f"{rule} {verdict}" in found.why


def test_the_liver_changes_by_at_most_a_fifth():
    first, second = scan(liver_mean=1.0), scan(liver_mean=1.2)
    assert {c.rule: str(c.verdict) for c in comparability(first, second)}["liver"] == "PASS"
    second = scan(liver_mean=1.21)
    assert {c.rule: str(c.verdict) for c in comparability(first, second)}["liver"] == "FAIL"


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="sul_peak"):
        scan(float("nan"))


CRITERION = """
name = "own"
title = "own"
version = "1"
kind = "response"
tracers = ["[18F]FDG"]
inputs = ["suv_peak"]
citation = "somebody"
verified = {verified}
[thresholds.cut]
value = 1.0
unit = "1"
citation = "somebody"
verified = {cut}
"""


def test_a_criterion_is_verified_when_every_number_is():
    def of(verified, cut):
        return criterion_of(table_of(CRITERION.format(verified=verified, cut=cut), where="own.toml"))

    assert of("false", "false").unverified == ("cut",)
    assert of("true", "true").unverified == ()
    with pytest.raises(UnreadableInput, match="cut"):
        of("true", "false")
