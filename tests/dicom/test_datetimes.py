"""Dates and times as they occur: what is written is read as itself, anything else is refused."""

from __future__ import annotations

import contextlib
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.acquisition import ClockTime, Instant
from petquant.dicom.datetimes import (
    clock_time,
    instant,
    is_rolled_over,
    parse_clock,
    parse_date,
    parse_instant,
    parse_offset,
)

dates = st.dates(date(1900, 1, 1), date(2100, 12, 31))
moments = st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-12-31"))
clocks = st.timedeltas(timedelta(), timedelta(days=1) - timedelta(microseconds=1))
offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))
blanks = st.sampled_from(["", " ", "  ", "\t"])


def clock_text(since: timedelta, colon: str = "", digits: int = 6) -> str:
    seconds, microseconds = divmod(since // timedelta(microseconds=1), 1_000_000)
    whole = colon.join(f"{part:02d}" for part in (seconds // 3600, seconds // 60 % 60, seconds % 60))
    return f"{whole}.{microseconds:06d}"[: len(whole) + 1 + digits] if digits else whole


def offset_text(offset: timedelta) -> str:
    minutes = offset // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


# Format, then parse, is the identity ------------------------------------------------------------------------


@given(day=dates, mark=st.sampled_from(["", ".", "-", "/"]), before=blanks, after=blanks)
def test_a_date_is_read_as_itself(day, mark, before, after):
    assert parse_date(f"{before}{day:%Y}{mark}{day:%m}{mark}{day:%d}{after}") == day


@given(since=clocks, colon=st.sampled_from(["", ":"]), before=blanks, after=blanks)
def test_a_time_is_read_as_itself_to_the_microsecond(since, colon, before, after):
    assert parse_clock(before + clock_text(since, colon) + after) == since


@given(since=clocks, digits=st.integers(0, 6))
def test_a_shorter_fraction_is_the_same_decimal_cut(since, digits):
    unit = timedelta(microseconds=10 ** (6 - digits))
    assert parse_clock(clock_text(since, digits=digits)) == since // unit * unit


@given(offset=offsets, colon=st.booleans())
def test_an_offset_is_read_as_itself(offset, colon):
    text = offset_text(offset)
    assert parse_offset(f"{text[:3]}:{text[3:]}" if colon else text) == offset


@given(at=moments, own=st.none() | offsets, others=st.none() | offsets, blank=blanks)
def test_a_date_time_is_read_as_itself_with_its_own_offset_first(at, own, others, blank):
    text = at.strftime("%Y%m%d%H%M%S.%f") + blank + ("" if own is None else offset_text(own))
    found = parse_instant(text, utc_offset=others)
    assert found == Instant(at, others if own is None else own)


@given(day=dates, since=clocks, offset=st.none() | offsets)
def test_a_date_and_a_time_make_an_instant(day, since, offset):
    found = instant(day, since, utc_offset=offset)
    assert found.at - datetime.combine(day, datetime.min.time()) == since
    assert found.utc_offset == offset
    assert clock_time(clock_text(since), utc_offset=offset) == ClockTime(since, offset)


@given(st.text(alphabet="0123456789:.+- T", max_size=26))
def test_any_other_text_is_a_value_error_and_no_other(text):
    for parse in (parse_date, parse_clock, parse_offset, parse_instant):
        with contextlib.suppress(ValueError):
            parse(text)


# As they occur ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("09", 9 * 3600),
        ("0928", 9 * 3600 + 28 * 60),
        ("09:28", 9 * 3600 + 28 * 60),
        ("092830", 34110),
        ("09:28:30", 34110),
        ("09:28:30.5", 34110.5),
        ("092830.05", 34110.05),
        ("092830.5", 34110.5),
        ("092830.000001", 34110.000001),
        (" 092830 ", 34110),
        ("0", None),
        ("9:28", None),
        ("9", None),
        ("0928:30", None),
        ("09:2830", None),
        ("092830.", None),
        ("092830.1234567", None),
        ("250000", None),
        ("096000", None),
        ("092861", None),
        ("-92830", None),
        ("09 28 30", None),
        ("noon", None),
        ("", None),
        ("09:28:30+0100", None),
    ],
)
def test_times(text, seconds):
    if seconds is None:
        with pytest.raises(ValueError, match="no time"):
            parse_clock(text)
    else:
        assert parse_clock(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "is_flagged", "seconds"),
    [
        ("2400", True, 86400),
        ("240000", True, 86400),
        ("24:00:00", True, 86400),
        ("24", True, 86400),
        ("235960", True, 86400),
        ("102460", True, 10 * 3600 + 25 * 60),
        ("102459", False, 10 * 3600 + 24 * 60 + 59),
        ("2024", False, 20 * 3600 + 24 * 60),
    ],
)
def test_hour_24_and_second_60_are_the_next_instant(text, is_flagged, seconds):
    assert parse_clock(text) == timedelta(seconds=seconds)
    assert is_rolled_over(text) is is_flagged


@pytest.mark.parametrize("text", ["240001", "2401", "24:00:00.000001"])
def test_nothing_comes_after_hour_24(text):
    with pytest.raises(ValueError, match="no time"):
        parse_clock(text)


@pytest.mark.parametrize(
    ("text", "is_flagged"),
    [
        ("20250101240000", True),
        ("20250101102460", True),
        ("2025010124", True),
        ("20240101102400", False),
        ("20250101102400+0100", False),
        ("20250101102400.600000", False),
        ("20250101002400-2400", False),
    ],
)
def test_rolling_over_is_seen_in_date_times(text, is_flagged):
    assert is_rolled_over(text) is is_flagged


def test_hour_24_of_a_date_time_is_the_next_midnight():
    assert parse_instant("20241231240000").at == datetime.fromisoformat("2025-01-01")


@pytest.mark.parametrize(
    "text", ["2020121", "202012171", "20201301", "20200230", "2020-12.17", "17.12.2020", "", "abcdefgh"]
)
def test_what_is_no_date(text):
    with pytest.raises(ValueError, match=r"date|month|day"):
        parse_date(text)


@pytest.mark.parametrize("text", ["00010101", "99991231"])
def test_placeholders_are_no_dates(text):
    """.NET writes 00010101 for nothing; neither has a day before and after."""
    with pytest.raises(ValueError, match="no date of a scan"):
        parse_date(text)


@pytest.mark.parametrize(
    "text",
    ["2025", "202501", "20250101", "2025-01-01T10:00:00", "20250101 100000", "20250101100000+1", "+0100", ""],
)
def test_what_is_no_date_time(text):
    with pytest.raises(ValueError, match=r"no date-time|no time"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0100", "+1", "+0160", "+1401", "+9999", "Z", ""])
def test_what_is_no_offset(text):
    with pytest.raises(ValueError, match="no offset"):
        parse_offset(text)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_the_zone_of_the_process_does_not_matter(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    assert parse_instant("20250330023000").at == datetime.fromisoformat("2025-03-30T02:30:00")
