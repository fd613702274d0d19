"""The factor of SUVbw against arithmetic in sixty digits."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, getcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from petquant.acquisition import Frame
from petquant.suv.factor import admin_factor, alignment, none_factors, start_factor, times

getcontext().prec = 60
LN2 = Decimal(2).ln()
TEN = datetime.fromisoformat("2025-01-01T10:00:00")
EXACT = 1e-12

weights = st.floats(0.02, 300.0)
doses = st.floats(1e6, 5e9)
half_lives = st.floats(76.38, 1e7)
intervals = st.integers(-3_600_000_000, 40_000_000_000)  # microseconds


def relative(found: float, exact: Decimal) -> float:
    return abs(float(Decimal(found) / exact - 1))


def grown(seconds: Decimal, half_life_s: float) -> Decimal:
    return (LN2 * seconds / Decimal(half_life_s)).exp()


@given(weight_kg=weights, dose_bq=doses, half_life_s=half_lives, microseconds=intervals)
def test_start_is_weight_over_decayed_dose(weight_kg, dose_bq, half_life_s, microseconds):
    interval = Decimal(microseconds) / 1_000_000
    assume(abs(interval / Decimal(half_life_s)) < 500)
    exact = 1000 * Decimal(weight_kg) / Decimal(dose_bq) * grown(interval, half_life_s)
    found = start_factor(
        weight_kg=weight_kg, dose_bq=dose_bq, decay_interval_s=microseconds / 1e6, half_life_s=half_life_s
    )
    assert relative(found, exact) <= EXACT


@given(weight_kg=weights, dose_bq=doses)
def test_admin_is_weight_over_dose(weight_kg, dose_bq):
    exact = 1000 * Decimal(weight_kg) / Decimal(dose_bq)
    assert relative(admin_factor(weight_kg=weight_kg, dose_bq=dose_bq), exact) <= EXACT


@given(
    weight_kg=weights,
    dose_bq=doses,
    half_life_s=half_lives,
    microseconds=intervals,
    duration_s=st.floats(0.001, 7200.0),
)
def test_none_corrects_decay_before_and_during_the_frame(
    weight_kg, dose_bq, half_life_s, microseconds, duration_s
):
    interval = Decimal(microseconds) / 1_000_000
    assume(abs(interval / Decimal(half_life_s)) < 500)
    x = LN2 * Decimal(duration_s) / Decimal(half_life_s)
    exact = 1000 * Decimal(weight_kg) / Decimal(dose_bq) * x * grown(interval, half_life_s) / (1 - (-x).exp())
    frame = Frame(acquired_at=TEN + timedelta(microseconds=microseconds), duration_s=duration_s)
    (found,) = none_factors(
        weight_kg=weight_kg, dose_bq=dose_bq, injected_at=TEN, frames=[frame], half_life_s=half_life_s
    )
    assert relative(found, exact) <= EXACT


def test_base_factor_of_the_survey():
    # suv.md 19.2: 70 kg, 368.08 MBq, 3600 s, 6586.2 s
    found = start_factor(weight_kg=70.0, dose_bq=368.08e6, decay_interval_s=3600.0, half_life_s=6586.2)
    assert found == pytest.approx(2.7777812e-4, rel=2e-8)


def test_worked_value_of_the_sidecar_page():
    # suv.md 18, rule 7: 350 MBq, 75 kg, 60 min, 18F
    found = start_factor(weight_kg=75.0, dose_bq=350e6, decay_interval_s=3600.0, half_life_s=6586.2)
    assert found == pytest.approx(3.1299359e-4, rel=2e-8)


def test_none_equals_start_at_the_average_count_time():
    frame = Frame(acquired_at=TEN + timedelta(seconds=3600), duration_s=603.0)
    (none,) = none_factors(weight_kg=70.0, dose_bq=350e6, injected_at=TEN, frames=[frame], half_life_s=6586.2)
    # T_ave of 603 s is 299.905592 s (suv.md section 2, six decimals)
    start = start_factor(weight_kg=70.0, dose_bq=350e6, decay_interval_s=3899.905592, half_life_s=6586.2)
    assert none == pytest.approx(start, rel=1e-10)


def test_a_frame_of_no_length_needs_no_correction_during_it():
    frame = Frame(acquired_at=TEN, duration_s=1e-6)
    assert alignment([frame], since=TEN, half_life_s=1e8) == pytest.approx((1.0,), abs=1e-14)


@pytest.mark.parametrize("frame", [Frame(duration_s=300.0), Frame(acquired_at=TEN)])
def test_a_frame_without_its_times_cannot_be_aligned(frame):
    with pytest.raises(ValueError, match="without acquisition time or duration"):
        alignment([frame], since=TEN, half_life_s=6586.2)


def test_a_factor_is_multiplied_slice_by_slice():
    assert times(3.0, 2.0) == 6.0
    assert times((1.0, 2.0), 2.0) == (2.0, 4.0)


def test_whole_seconds_would_not_do():
    # suv.md section 2: truncation changes the factor of a real series by -7.2e-5
    full = start_factor(weight_kg=70.0, dose_bq=350e6, decay_interval_s=6151.687, half_life_s=6586.2)
    cut = start_factor(weight_kg=70.0, dose_bq=350e6, decay_interval_s=6151.0, half_life_s=6586.2)
    assert cut / full - 1.0 == pytest.approx(-7.2e-5, abs=5e-7)
