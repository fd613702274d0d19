"""The jury for the decay reference: every row of suv.md section 7, from hand-made evidence."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.acquisition import Frame
from petquant.suv.reference_time import hear, not_per_bed
from petquant.suv.witnesses import Evidence, convention
from petquant.suv.witnesses import testify as witnesses_of

T = 6586.2
RATE = math.log(2.0) / T
DURATION = 180.0
T_AVE = 89.857923  # s, of 180 s and 18F (suv.md section 2)
ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")
TEN = ELEVEN - timedelta(hours=1)


def later(seconds: float) -> datetime:
    return ELEVEN + timedelta(seconds=seconds)


def frame(start_s=0.0, *, reference_s=None, decayed_s=None, duration_s=DURATION) -> Frame:
    """A frame that starts `start_s` after 11:00 and whose DecayFactor counts `decayed_s` of decay."""
    return Frame(
        acquired_at=None if start_s is None else later(start_s),
        duration_s=duration_s,
        reference_s=reference_s,
        decay_factor=None if decayed_s is None else math.exp(RATE * decayed_s),
    )


def evidence(*frames: Frame, series_s=0.0, private_s=None, is_ge=False, **others) -> Evidence:
    return Evidence(
        series_at=None if series_s is None else later(series_s),
        private_at=None if private_s is None else later(private_s),
        **({"injected_at": TEN, "half_life_s": T} | others),
        frames=frames or (frame(),),
        has_frame_start_convention=is_ge,
    )


def witness(id_: str, heard: Evidence):
    return next(candidate for candidate in witnesses_of(heard) if candidate.id == id_)


def codes(verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


# Witnesses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("series_s", "is_valid"), [(-3600, True), (0, True), (2.0, True), (2.1, False)])
def test_s_may_be_two_seconds_after_the_earliest_acquisition(series_s, is_valid):
    assert witness("S", evidence(series_s=series_s)).is_valid is is_valid


@pytest.mark.parametrize(
    ("private_s", "is_valid"), [(0, True), (2.0, True), (2.1, False), (-7200, True), (-7201, False)]
)
def test_p_lies_between_an_hour_before_the_injection_and_the_acquisition(private_s, is_valid):
    heard = evidence(private_s=private_s)
    assert witness("P", heard).is_valid is is_valid
    assert ("PRIVATE_TIME_REJECTED" in codes(hear(heard))) is not is_valid


def test_a0_is_the_earliest_of_all_slices():
    assert witness("A0", evidence(frame(60), frame(5), frame(90))).at == later(5)


def test_d_goes_back_from_the_average_count_time_by_the_logarithm_of_the_decay_factor():
    found = witness("D", evidence(frame(1000.0, decayed_s=1000.0 + T_AVE)))
    assert abs((found.at - ELEVEN).total_seconds()) < 2e-6  # T_ave is printed with six decimals
    assert found.is_valid


@pytest.mark.parametrize("decayed_s", [(0.0,), (100.0, 0.0), (-1.0,), (None,)])
def test_d_needs_every_decay_factor_above_one(decayed_s):
    assert witness("D", evidence(*(frame(decayed_s=s) for s in decayed_s))).at is None


@pytest.mark.parametrize(("spread_s", "is_valid"), [(1.9, True), (2.1, False)])
@pytest.mark.parametrize("id_", ["D", "B"])
def test_slices_must_agree_within_two_seconds(id_, spread_s, is_valid):
    frames = [
        frame(0, reference_s=T_AVE + s, decayed_s=T_AVE + s if id_ == "D" else None) for s in (0.0, spread_s)
    ]
    found = witness(id_, evidence(*frames))
    assert found.is_valid is is_valid
    assert found.at is not None


def test_b_counts_to_the_average_or_to_the_start_by_vendor():
    average = evidence(frame(1000.0, reference_s=1000.0 + T_AVE))
    start = evidence(frame(1000.0, reference_s=1000.0), is_ge=True)
    for heard in (average, start):
        assert abs((witness("B", heard).at - ELEVEN).total_seconds()) < 2e-6


def test_decay_factors_decide_the_convention_against_the_vendor():
    as_start = frame(1000.0, reference_s=1000.0, decayed_s=1000.0 + T_AVE)
    as_average = frame(1000.0, reference_s=1000.0 + T_AVE, decayed_s=1000.0 + T_AVE)
    assert convention(evidence(as_start, is_ge=False)) == ("frame-start", "by DecayFactor")
    assert convention(evidence(as_average, is_ge=True)) == ("average-count", "by DecayFactor")
    neither = frame(1000.0, reference_s=500.0, decayed_s=1000.0)
    assert convention(evidence(neither, is_ge=True)) == ("frame-start", "by vendor")


def test_a_frame_reference_time_of_zero_is_unknown_unless_it_counts_to_the_start():
    assert witness("B", evidence(frame(reference_s=0.0))).at is None
    assert witness("B", evidence(frame(reference_s=0.0), is_ge=True)).at == ELEVEN


def test_r_is_when_the_factors_of_the_vendor_hold():
    # SUVSF / ACSF = W / (D 2^(-dt/T)) with dt = 3600 s
    ratio = 70e3 / 350e6 * 2.0 ** (3600.0 / T)
    found = witness("R", evidence(vendor_factor_ratio=ratio, dose_bq=350e6, weight_g=70e3))
    assert abs((found.at - ELEVEN).total_seconds()) < 1e-5
    assert found.is_valid
    assert witness("R", evidence(vendor_factor_ratio=ratio, dose_bq=None, weight_g=70e3)).at is None


@pytest.mark.parametrize("absurd", [1e300, -1e300])
def test_no_witness_leaves_the_calendar(absurd):
    strange = Frame(acquired_at=ELEVEN, duration_s=1e300, reference_s=absurd, decay_factor=1e300)
    for heard in (evidence(strange), evidence(strange, is_ge=True), evidence(strange, half_life_s=1e-300)):
        assert witness("B", heard).at is None
        assert hear(heard).at == ELEVEN
    assert witness("R", evidence(vendor_factor_ratio=1e-320, dose_bq=1e-300, weight_g=1e300)).at is None


# Choice -----------------------------------------------------------------------------------------------------

NEAR = {"reference_s": T_AVE, "decayed_s": T_AVE}


@pytest.mark.parametrize(
    ("heard", "chosen", "code"),
    [
        (evidence(frame(**NEAR), private_s=0.0), "P", None),
        (evidence(frame(**NEAR)), "S", None),
        (evidence(frame(**NEAR), private_s=30.0), "S", "PRIVATE_TIME_REJECTED"),
        (evidence(frame(**NEAR), series_s=1800), "D", "REF_TIME_SERIES_AFTER_ACQ"),
        (evidence(frame(reference_s=T_AVE), series_s=1800), "B", "REF_TIME_SERIES_AFTER_ACQ"),
        (evidence(frame(), series_s=1800), "A0", "REF_TIME_FROM_ACQUISITION"),
        (evidence(frame(**NEAR), series_s=None), "D", "REF_TIME_SERIES_AFTER_ACQ"),
        (evidence(frame(), series_s=None), "A0", "REF_TIME_FROM_ACQUISITION"),
        (evidence(frame(None)), "S", "REF_TIME_UNCHECKED"),
        (evidence(frame(None), private_s=0.0), "P", "REF_TIME_UNCHECKED"),
        (evidence(frame(None), series_s=None), "", "REF_TIME_UNRESOLVED"),
    ],
)
def test_the_order_of_trust(heard, chosen, code):
    verdict = hear(heard)
    assert verdict.rule.partition(":")[0] == chosen
    assert codes(verdict) == ([code] if code else [])


@pytest.mark.parametrize(("is_ge", "is_refused"), [(True, False), (False, True)])
def test_only_ge_may_lack_a_frame_duration(is_ge, is_refused):
    verdict = hear(evidence(frame(duration_s=None), is_ge=is_ge))
    assert ("FRAME_DURATION_MISSING" in codes(verdict)) is is_refused


def test_the_user_who_states_a_reference_needs_no_frame_duration():
    assert codes(hear(evidence(frame(duration_s=None)), choice="series")) == []


# Verdict ----------------------------------------------------------------------------------------------------


def seconds_for(percent: float) -> float:
    """Return how far a reference must move to change the SUV by `percent`."""
    return T * math.log2(1.0 + percent / 100.0)


def dissent(percent: float, **others) -> Evidence:
    """Series time against B, which would change the SUV by `percent`; A is not constant."""
    shift = seconds_for(percent)
    frames = [frame(s, reference_s=s + T_AVE - shift) for s in (1200.0, 1500.0)]
    return evidence(*frames, **others)


@pytest.mark.parametrize(
    ("percent", "code"),
    [
        (0.99, None),
        (-0.99, None),
        (1.01, "REF_TIME_CONFLICT"),
        (-1.01, "REF_TIME_CONFLICT"),
        (4.99, "REF_TIME_CONFLICT"),
        (-4.99, "REF_TIME_CONFLICT"),
        (5.01, "REF_TIME_UNRESOLVED"),
        (-5.01, "REF_TIME_UNRESOLVED"),
    ],
)
def test_one_percent_is_flagged_and_five_refused(percent, code):
    verdict = hear(dissent(percent))
    assert verdict.rule.startswith("S")
    assert codes(verdict) == ([code] if code else [])
    b = next(candidate for candidate in verdict.candidates if candidate.id == "B")
    assert b.effect_percent == pytest.approx(percent, abs=1e-6)


def test_a_private_time_beside_the_series_time_outweighs_a_grave_dissent():
    verdict = hear(dissent(-12.0, private_s=0.0))
    assert verdict.rule.startswith("P")
    assert codes(verdict) == ["REF_TIME_CONFLICT"]
    assert "supported by S" in verdict.findings[0].found


def test_the_factors_of_the_vendor_may_be_the_support():
    ratio = 70e3 / 350e6 * 2.0 ** (3600.0 / T)
    verdict = hear(dissent(-12.0, vendor_factor_ratio=ratio, dose_bq=350e6, weight_g=70e3))
    assert codes(verdict) == ["REF_TIME_CONFLICT"]


def test_d_and_b_are_one_family_and_do_not_support_each_other():
    shift = seconds_for(8.0)
    frames = [frame(s, reference_s=s + T_AVE - shift, decayed_s=s + T_AVE - shift) for s in (700.0, 1000.0)]
    assert codes(hear(evidence(*frames))) == ["REF_TIME_UNRESOLVED"]


@pytest.mark.parametrize(
    ("start_s", "code"),
    [(0.0, "REF_TIME_CONFLICT"), (1.9, "REF_TIME_CONFLICT"), (2.1, "REF_TIME_UNRESOLVED")],
)
def test_a_constant_acquisition_time_that_is_the_series_time_may_be_a_copy(start_s, code):
    grave = frame(start_s, reference_s=T_AVE + 1098.0)
    assert codes(hear(evidence(grave, grave))) == [code]


def test_the_last_resort_does_not_vote():
    """A0 lies 20 min after S; it refuses nothing, but that nobody supports S is said, with A0's effect."""
    verdict = hear(evidence(frame(1200.0)))
    assert verdict.rule.startswith("S")
    assert codes(verdict) == ["REF_TIME_CONFLICT"]
    assert "no witness supports S" in verdict.findings[0].found
    assert f"{100 * (2 ** (1200 / 6586.2) - 1):+.2f} %" in verdict.findings[0].found


def test_a_series_time_close_to_the_acquisition_needs_no_other_witness():
    """60 s before A0 change the SUV of 18F by 0.63 %, less than the 1 % that is flagged."""
    assert codes(hear(evidence(frame(60.0)))) == []


def test_one_acquisition_time_for_several_beds_is_said():
    frames = [frame(0, reference_s=T_AVE + s) for s in (0.0, 243.0, 1215.0)]
    assert "ACQTIME_NOT_PER_BED" in codes(hear(evidence(*frames)))
    assert "1215 s" in hear(evidence(*frames)).findings[0].found


@pytest.mark.parametrize(
    ("range_s", "expected"),
    [
        (1.9, []),
        (seconds_for(0.9), ["ACQTIME_NOT_PER_BED"]),
        (seconds_for(1.1), ["ACQTIME_NOT_PER_BED", "REF_TIME_CONFLICT"]),
        (seconds_for(5.1), ["ACQTIME_NOT_PER_BED", "REF_TIME_UNRESOLVED"]),
    ],
)
def test_undecayed_beds_need_their_own_acquisition_times(range_s, expected):
    frames = [frame(0, reference_s=s) for s in (0.0, range_s)]
    assert [finding.code for finding in not_per_bed(frames, half_life_s=T)] == expected


# The user ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "at"),
    [
        ("series", later(-1200)),
        ("acquisition", later(0)),
        ("private", later(-600)),
        ("backcompute", later(T_AVE - 300.0)),
        ("decayfactor", later(T_AVE - 400.0)),
        ("10:58:30", later(-90)),
        ("2025-01-01T10:30:00", later(-1800)),
    ],
)
def test_the_user_may_name_any_candidate_or_time(choice, at):
    heard = evidence(frame(reference_s=300.0, decayed_s=400.0), series_s=-1200, private_s=-600, half_life_s=T)
    verdict = hear(heard, choice=choice)
    assert abs((verdict.at - at).total_seconds()) < 2e-6
    assert codes(verdict) == []


def test_a_time_of_the_user_may_carry_its_offset():
    heard = evidence(frame(), utc_offset=timedelta(hours=1))
    assert hear(heard, choice="10:00:00+00:00").at == ELEVEN
    assert hear(heard, choice="2025-01-01T12:00:00+02:00").at == ELEVEN


def test_a_clock_time_of_the_user_needs_a_day():
    verdict = hear(evidence(frame(None), series_s=None), choice="11:00:00")
    assert (verdict.at, codes(verdict)) == (None, ["REF_TIME_UNRESOLVED"])


@given(clock_s=st.integers(0, 86399), start_s=st.integers(0, 86399))
def test_a_clock_time_of_the_user_lies_within_twelve_hours_of_the_scan(clock_s, start_s):
    heard = evidence(frame(start_s))
    words = str(timedelta(seconds=clock_s)).zfill(8)
    at = hear(heard, choice=words).at
    assert f"{at:%H:%M:%S}" == words
    assert abs((at - later(start_s)).total_seconds()) <= 43200


@given(shift_s=st.floats(-3e5, 3e5))
def test_moving_all_times_moves_the_verdict_and_nothing_else(shift_s):
    by = timedelta(seconds=shift_s)
    still = evidence(frame(60.0, reference_s=T_AVE + 90.0), series_s=0.0, private_s=-20.0)
    moved = Evidence(
        series_at=still.series_at + by,
        private_at=still.private_at + by,
        injected_at=still.injected_at + by,
        frames=[Frame(acquired_at=f.acquired_at + by, duration_s=f.duration_s, reference_s=f.reference_s)
                for f in still.frames],
        half_life_s=T,
        has_frame_start_convention=False,
    )  # fmt: skip
    assert hear(moved).at == hear(still).at + by
    assert codes(hear(moved)) == codes(hear(still))
