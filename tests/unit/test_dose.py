"""The dose: Bq or MBq by size, net of assay and residual, against the vendor's own record."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from petquant.acquisition import Instant, PrivateValues, Written
from petquant.overrides import Overrides
from petquant.suv.dose import dose_bq, dose_caveats, net_dose_bq

T = 6586.2
TEN = datetime.fromisoformat("2025-01-01T10:00:00")


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("stored", "bq", "code"),
    [
        (350e6, 350e6, None),
        (1e6, 1e6, None),
        (999_999.0, None, "DOSE_UNIT_AMBIGUOUS"),
        (1e4, None, "DOSE_UNIT_AMBIGUOUS"),
        (9_999.0, 9999e6, "DOSE_IN_MBQ"),
        (368.08, 368.08e6, "DOSE_IN_MBQ"),
        (0.5, 0.5e6, "DOSE_IN_MBQ"),
        (0.0, None, "DOSE_NOT_POSITIVE"),
        (-350e6, None, "DOSE_NOT_POSITIVE"),
        (None, None, "DOSE_MISSING"),
    ],
)
def test_the_unit_follows_from_the_size(stored, bq, code, make_item, make_written):
    found, findings = dose_bq(make_item(dose=Written() if stored is None else make_written(stored)))
    assert found == bq
    assert codes(findings) == ([code] if code else [])


def test_a_dose_of_the_user_is_in_the_unit_of_its_option(make_item, make_written):
    assert dose_bq(make_item(dose=make_written(5e5, option="--dose-mbq"))) == (5e5, ())


def test_a_dose_that_is_no_number_carries_its_defect(make_item):
    found, findings = dose_bq(make_item(dose=Written(text="nan", defect="VALUE_NOT_FINITE")))
    assert found is None
    assert codes(findings) == ["VALUE_NOT_FINITE"]
    assert "--dose-mbq" in findings[0].remedy


def net(injected_at=TEN, utc_offset=None, **options):
    return net_dose_bq(Overrides(**options), injected_at=injected_at, half_life_s=T, utc_offset=utc_offset)


def test_net_activity_is_assay_less_residual_both_at_the_injection():
    found, findings = net(assay_mbq=400.0, assay_time="09:30:00", residual_mbq=8.0, residual_time="10:05:00")
    # 400 decays for 1800 s; 8 was measured 300 s after the injection
    expected = 400e6 * 2.0 ** (-1800.0 / T) - 8e6 * 2.0 ** (300.0 / T)
    assert found == pytest.approx(expected, rel=1e-12)
    assert codes(findings) == ["DOSE_NET_FROM_ASSAY"]


def test_a_clock_time_of_assay_lies_on_the_nearest_day():
    past_midnight = datetime.fromisoformat("2025-01-02T00:10:00")
    found, _ = net(past_midnight, assay_mbq=400.0, assay_time="23:50:00")
    assert found == pytest.approx(400e6 * 2.0 ** (-1200.0 / T), rel=1e-12)
    before_midnight = datetime.fromisoformat("2025-01-01T23:55:00")
    found, _ = net(
        before_midnight,
        assay_mbq=400.0,
        assay_time="23:45:00",
        residual_mbq=8.0,
        residual_time="00:05:00",
    )
    assert found == pytest.approx(400e6 * 2.0 ** (-600.0 / T) - 8e6 * 2.0 ** (600.0 / T), rel=1e-12)


def test_the_clock_offset_moves_the_assay_with_the_injection():
    still, _ = net(assay_mbq=400.0, assay_time="09:30:00")
    moved, _ = net(TEN + timedelta(seconds=90), assay_mbq=400.0, assay_time="09:30:00", clock_offset_s=90.0)
    assert moved == pytest.approx(still, rel=1e-12)


def test_an_assay_with_an_offset_from_utc_is_brought_to_the_scanner():
    found, _ = net(utc_offset=timedelta(hours=1), assay_mbq=400.0, assay_time="2025-01-01T08:30:00+00:00")
    assert found == pytest.approx(400e6 * 2.0 ** (-1800.0 / T), rel=1e-12)


def test_nothing_is_net_without_an_assay():
    assert net() == (None, ())


def test_a_residual_larger_than_the_assay_is_refused():
    found, findings = net(assay_mbq=10.0, assay_time="10:00", residual_mbq=10.0, residual_time="10:00")
    assert found is None
    assert codes(findings) == ["DOSE_NOT_POSITIVE"]


def test_an_assay_needs_the_time_of_injection():
    found, findings = net(None, assay_mbq=400.0, assay_time="09:30:00")
    assert found is None
    assert codes(findings) == ["DOSE_MISSING"]


def caveats(make_acquisition, make_item, private=None, *, dose=350e6, weight_kg=70.0, clock_offset_s=0.0):
    return codes(
        dose_caveats(
            make_acquisition(private=private or PrivateValues()),
            make_item(),
            dose=dose,
            weight_kg=weight_kg,
            injected_at=TEN,
            half_life_s=T,
            clock_offset_s=clock_offset_s,
        )
    )


@pytest.mark.parametrize(
    ("dose", "weight_kg", "is_flagged"),
    [(4.9e6, 70.0, True), (5e6, 70.0, False), (2e9, 70.0, False), (2.1e9, 70.0, True), (1e6, 0.3, False)],
)
def test_a_dose_out_of_range_is_flagged_except_in_animals(
    dose, weight_kg, is_flagged, make_acquisition, make_item
):
    found = caveats(make_acquisition, make_item, dose=dose, weight_kg=weight_kg)
    assert found == (["DOSE_OUT_OF_RANGE"] if is_flagged else [])


@pytest.mark.parametrize("unit", [1.0, 1e-6], ids=["Bq", "MBq"])
@pytest.mark.parametrize(("ratio", "is_flagged"), [(1.04, False), (0.96, False), (1.06, True), (0.94, True)])
def test_the_private_net_activity_may_differ_by_five_percent(
    unit, ratio, is_flagged, make_acquisition, make_item
):
    private = PrivateValues(
        assayed_activity=Written(value=ratio * 350e6 * 2.0 ** (1800.0 / T) * unit + 5e6 * unit),
        assayed_at=Written(value=Instant(TEN - timedelta(seconds=1800))),
        residual_activity=Written(value=5e6 * 2.0 ** (-1800.0 / T) * unit),
        residual_at=Written(value=Instant(TEN - timedelta(seconds=1800))),
    )
    # both measured at 09:30: (ratio x 350 x 2^(1800/T) + 5 - 5 x 2^(-1800/T)) x 2^(-1800/T); the 5 MBq cancel
    # to 0.4 %, well inside the distance of the ratios from 5 %
    found = caveats(make_acquisition, make_item, private)
    assert found == (["DOSE_PRIVATE_CONFLICT"] if is_flagged else [])


def test_the_clock_offset_does_not_make_a_private_conflict(make_acquisition, make_item):
    private = PrivateValues(
        assayed_activity=Written(value=350e6), assayed_at=Written(value=Instant(TEN - timedelta(hours=1)))
    )
    assert caveats(make_acquisition, make_item, private) == ["DOSE_PRIVATE_CONFLICT"]
    # the injection was moved by one hour, and with it the assay
    assert caveats(make_acquisition, make_item, private, clock_offset_s=3600.0) == []
