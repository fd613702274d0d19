"""The time of injection: every step of suv.md section 6, on the clock and the calendar of the scanner."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.acquisition import ClockTime, Instant, PrivateValues, Written
from petquant.overrides import Overrides
from petquant.suv.injection import inject, on_scanner_clock

F18, ZR89 = 6586.2, 282276.0
ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")
NOTHING = Written()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def injected(make_acquisition, make_item, make_written):
    """Place an injection that header and options state."""

    def of(
        stamp=None,
        clock=None,
        *,
        reference=ELEVEN,
        half_life_s=F18,
        private=None,
        offset=None,
        zone=None,
        **options,
    ):
        item = make_item(
            injected_at=NOTHING if stamp is None else make_written(Instant(at(stamp), zone)),
            injected_clock=NOTHING if clock is None else make_written(ClockTime(clock, zone)),
        )
        values = (
            PrivateValues()
            if private is None
            else PrivateValues(injected_at=make_written(Instant(at(private))))
        )
        return inject(
            make_acquisition(private=values, utc_offset=offset),
            item,
            Overrides(**options),
            reference_at=reference,
            half_life_s=half_life_s,
        )

    return of


def codes(injection) -> list[str]:
    return [finding.code for finding in injection.findings]


HOUR = timedelta(hours=1)


def test_a_plausible_date_time_is_used_as_it_is(injected):
    found = injected("2025-01-01T10:00:00.25")
    assert found.at == at("2025-01-01T10:00:00.25")
    assert codes(found) == []


@pytest.mark.parametrize(
    ("seconds_before", "is_repaired"),
    [(-3600, False), (-3601, True), (0, False), (2 * F18 - 1, False), (2 * F18 + 80000, True)],
)
def test_the_window_reaches_from_one_hour_after_to_two_half_lives_before(
    seconds_before, is_repaired, injected
):
    stamp = ELEVEN - timedelta(seconds=seconds_before)
    found = injected(stamp.isoformat())
    assert (found.at != stamp) is is_repaired
    assert ("INJ_DATE_SHIFTED" in codes(found)) is is_repaired


def test_a_long_lived_nuclide_may_be_injected_days_before(injected):
    found = injected("2024-12-28T11:00:00", half_life_s=ZR89)
    assert found.at == at("2024-12-28T11:00:00")
    assert codes(found) == []


def test_a_long_lived_nuclide_with_an_impossible_date_is_refused(injected):
    found = injected("2020-01-01T11:00:00", half_life_s=ZR89)
    assert (found.at, codes(found)) == (None, ["INJ_DATE_SHIFTED_LONG_LIVED"])


def test_a_long_lived_nuclide_without_date_is_refused(injected):
    found = injected(clock=10 * HOUR, half_life_s=ZR89)
    assert (found.at, codes(found)) == (None, ["INJ_TIME_ONLY_LONG_LIVED"])


@pytest.mark.parametrize(("half_life_s", "is_refused"), [(41399.9, False), (41400.0, True)])
def test_the_limit_of_long_life_is_eleven_and_a_half_hours(half_life_s, is_refused, injected):
    found = injected(clock=10 * HOUR, half_life_s=half_life_s)
    assert (codes(found) == ["INJ_TIME_ONLY_LONG_LIVED"]) is is_refused


def test_a_clock_time_falls_on_the_day_of_the_reference(injected):
    found = injected(clock=10 * HOUR)
    assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), [])


def test_a_clock_time_after_the_reference_falls_on_the_day_before(injected):
    found = injected(clock=timedelta(hours=23, minutes=30), reference=at("2025-01-02T00:30:00"))
    assert (found.at, codes(found)) == (at("2025-01-01T23:30:00"), ["MIDNIGHT_CROSSED"])


def test_a_clock_time_up_to_one_hour_after_the_reference_stays_on_its_day(injected):
    found = injected(clock=12 * HOUR)
    assert (found.at, codes(found)) == (at("2025-01-01T12:00:00"), ["UPTAKE_NEGATIVE"])


def test_hour_24_is_the_midnight_before_a_scan_past_midnight(injected):
    found = injected(clock=24 * HOUR, reference=at("2025-01-02T00:30:00"))
    assert found.at == at("2025-01-02T00:00:00")


def test_a_shifted_date_keeps_its_clock_time(injected):
    found = injected("2031-07-04T10:00:00")
    assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), ["INJ_DATE_SHIFTED"])


def test_a_repair_that_changes_nothing_is_none(injected):
    found = injected("2025-01-01T07:00:00")  # 4 h, more than two half-lives
    assert (found.at, codes(found)) == (at("2025-01-01T07:00:00"), [])


@pytest.mark.parametrize(
    ("hours", "half_life_s", "is_refused"),
    [(6.0, F18, False), (6.001, F18, True), (8.9, 10800.0, False), (9.1, 10800.0, True), (300.0, ZR89, True)],
)
def test_more_than_six_hours_and_three_half_lives_is_implausible(hours, half_life_s, is_refused, injected):
    stamp = ELEVEN - timedelta(hours=hours)
    found = injected(stamp.isoformat(), half_life_s=half_life_s)
    refusing = {"UPTAKE_IMPLAUSIBLE", "INJ_DATE_SHIFTED_LONG_LIVED"}
    assert bool(refusing.intersection(codes(found))) is is_refused


def test_date_time_and_time_more_than_a_minute_apart_are_flagged(injected):
    assert codes(injected("2025-01-01T10:00:00", timedelta(hours=10, seconds=60))) == []
    found = injected("2025-01-01T10:00:00", timedelta(hours=10, seconds=61))
    assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), ["INJ_TIME_FIELDS_DISAGREE"])


def test_the_fields_do_not_disagree_over_midnight(injected):
    found = injected(
        "2025-01-01T23:59:50", timedelta(seconds=10), reference=at("2025-01-02T01:00:00")
    )  # 20 s apart
    assert codes(found) == []


def test_nothing_is_refused_and_a_private_time_helps_with_a_flag(injected):
    assert codes(injected()) == ["INJ_TIME_MISSING"]
    found = injected(private="2025-01-01T10:00:00")
    assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), ["INJ_TIME_FROM_PRIVATE"])


def test_the_public_time_comes_before_the_private_one(injected):
    found = injected("2025-01-01T10:00:00", private="2025-01-01T09:00:00")
    assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), [])


@pytest.mark.parametrize("defective", ["injected_at", "injected_clock"])
def test_a_time_that_cannot_be_read_is_refused_until_the_user_gives_it(
    defective, make_acquisition, make_item
):
    item = make_item(**{defective: Written(text="10h", defect="TIME_UNPARSABLE")})

    def of(**options):
        return inject(make_acquisition(), item, Overrides(**options), reference_at=ELEVEN, half_life_s=F18)

    assert "TIME_UNPARSABLE" in codes(of())
    for options in ({"injection_datetime": "2025-01-01T10:00:00"}, {"injection_time": "10:00:00"}):
        found = of(**options)
        assert (found.at, codes(found)) == (at("2025-01-01T10:00:00"), [])


def test_the_word_of_the_user_is_not_repaired(injected):
    found = injected("2025-01-01T10:00:00", injection_datetime="2025-01-01T05:30:00")
    assert (found.at, codes(found)) == (at("2025-01-01T05:30:00"), [])
    assert found.keyword == "--injection-datetime"
    late = injected("2025-01-01T10:00:00", injection_datetime="2025-01-02T10:00:00")
    assert codes(late) == ["UPTAKE_IMPLAUSIBLE"]


def test_a_clock_time_of_the_user_replaces_both_fields(injected):
    found = injected("2025-01-01T10:00:00", 10 * HOUR, injection_time="09:30:00.5")
    assert (found.at, codes(found)) == (at("2025-01-01T09:30:00.5"), [])
    assert found.keyword == "--injection-time"


@pytest.mark.parametrize("how", ["stamp", "clock", "datetime", "time"])
def test_the_clock_offset_moves_every_source(how, injected):
    options = {"clock_offset_s": -90.0}
    found = {
        "stamp": lambda: injected("2025-01-01T10:00:00", **options),
        "clock": lambda: injected(clock=10 * HOUR, **options),
        "datetime": lambda: injected(injection_datetime="2025-01-01T10:00:00", **options),
        "time": lambda: injected(injection_time="10:00:00", **options),
    }[how]()
    assert found.at == at("2025-01-01T09:58:30")
    assert "CLOCK_OFFSET_APPLIED" in codes(found)


def test_the_clock_offset_may_cross_midnight(injected):
    found = injected(clock=timedelta(minutes=1), reference=at("2025-01-02T00:30:00"), clock_offset_s=-120.0)
    assert found.at == at("2025-01-01T23:59:00")


def test_a_clock_time_in_another_zone_stays_within_a_day(injected):
    found = injected(
        clock=timedelta(minutes=30), reference=at("2025-01-01T23:30:00"), zone=2 * HOUR, offset=0 * HOUR
    )
    # 00:30+0200 is 22:30 UTC of the same evening
    assert found.at == at("2025-01-01T22:30:00")
    assert "TIMEZONE_APPLIED" in codes(found)


def test_one_sided_offsets_are_ignored_and_flagged(injected):
    assert codes(injected("2025-01-01T10:00:00", zone=HOUR)) == ["TIMEZONE_ONE_SIDED"]
    assert codes(injected("2025-01-01T10:00:00", offset=HOUR)) == ["TIMEZONE_ONE_SIDED"]


def test_without_half_life_nothing_is_repaired_and_nothing_refused_here(injected):
    found = injected("2031-01-01T10:00:00", half_life_s=None)
    assert (found.at, codes(found)) == (at("2031-01-01T10:00:00"), [])
    assert injected(clock=10 * HOUR, half_life_s=None).at is None


def test_without_a_time_of_the_scan_a_clock_time_has_no_day(injected):
    assert injected(clock=10 * HOUR, reference=None).at is None
    assert injected("2025-01-01T10:00:00", reference=None).at == at("2025-01-01T10:00:00")


@given(
    microseconds=st.integers(0, 86_400_000_000 - 1),
    reference=st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")),
)
def test_a_clock_time_never_lies_more_than_a_day_before_or_an_hour_after(
    make_acquisition, make_item, microseconds, reference
):
    clock = Written(value=ClockTime(timedelta(microseconds=microseconds)))
    found = inject(
        make_acquisition(),
        make_item(injected_at=NOTHING, injected_clock=clock),
        Overrides(),
        reference_at=reference,
        half_life_s=F18,
    )
    assert timedelta(hours=-1) <= reference - found.at < timedelta(hours=24)


@given(
    zone_h=st.integers(-12, 14),
    scanner_h=st.integers(-12, 14),
    moment=st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")),
)
def test_two_known_offsets_compare_in_utc(zone_h, scanner_h, moment):
    written = Written(value=Instant(moment, timedelta(hours=zone_h)))
    found, _ = on_scanner_clock(written, timedelta(hours=scanner_h))
    assert found - timedelta(hours=scanner_h) == moment - timedelta(hours=zone_h)
