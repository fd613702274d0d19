"""Overrides: what an option may mean, said before anything is read."""

from __future__ import annotations

import contextlib
from dataclasses import fields
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.acquisition import ClockTime, Instant
from petquant.errors import UsageError
from petquant.overrides import Overrides, moment

NUMBERS = ("weight_kg", "height_m", "dose_mbq", "counts_to_bqml", "frame_duration_s")
VALID = {
    "weight_kg": [70, 0.02, 300.5],
    "height_m": [1.75],
    "sex": ["M", "F", "O", "m"],
    "dose_mbq": [350.0],
    "injection_datetime": ["2025-01-01T10:00:00", "2025-01-01 10:00", "2025-01-01T10:00:00.25+01:00"],
    "injection_time": ["10:00", "10:00:00", "10:00:00.05"],
    "clock_offset_s": [-90.0, 0, 86400],
    "half_life": ["6586.2", "nuclide", "Nuclide", "4.0626e3"],
    "radiopharm_index": [1, 2],
    "tracer": ["FDG", "Pentixafor", "[68Ga]PSMA-11"],
    "units": ["BQML", "bqml", "GML", "CNTS"],
    "units_override": ["cps-dcal"],
    "suv_type": ["BW", "LBMJANMA"],
    "counts_to_bqml": [2.5],
    "decay_correction": ["START", "ADMIN", "NONE", "none"],
    "decay_reference": ["series", "acquisition", "private", "backcompute", "decayfactor", "11:00:00",
                        "2025-01-01T11:00:00"],
    "frame_duration_s": [180.0],
}  # fmt: skip
INVALID = {
    **{name: [0, -1, float("nan"), float("inf"), "70", True] for name in NUMBERS},
    "sex": ["", "W", "male"],
    "injection_datetime": ["", "10:00", "2025-01-01", "20250101100000", "2025-13-01T10:00",
                           "0001-01-01T10:00", "9999-12-31T10:00"],
    "injection_time": ["", "10", "25:00", "10:60", "2025-01-01T10:00:00", "10:00:00.1234567", "100000"],
    "clock_offset_s": [float("nan"), 86401, "90"],
    "half_life": ["", "0", "-1", "nan", "inf", "110 min", "6_586", 6586.2],
    "radiopharm_index": [0, -1, 1.5, True],
    "tracer": ["", "water", "FGD"],
    "units": ["", "Bq/mL", "PROPCPS"],
    "units_override": ["", "cps"],
    "suv_type": ["", "SUVbw"],
    "decay_correction": ["", "YES"],
    "decay_reference": ["", "Series", "now", "25:00:00", "2025-01-01"],
}  # fmt: skip


def pairs(table):
    return [
        pytest.param(name, value, id=f"{name}={value!r}")
        for name, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("name", "value"), pairs(VALID))
def test_what_can_be_meant_is_taken(name, value):
    assert getattr(Overrides(**{name: value}), name) == value


@pytest.mark.parametrize(("name", "value"), pairs(INVALID))
def test_what_cannot_be_meant_names_option_value_and_what_is_allowed(name, value):
    with pytest.raises(UsageError) as refused:
        Overrides(**{name: value})
    (finding,) = refused.value.findings
    option = next(f.metadata["option"] for f in fields(Overrides) if f.name == name)
    assert finding.code == "OPTION_INVALID"
    assert (finding.keyword, finding.found) == (option, repr(value))
    assert finding.expected
    assert finding.line().startswith(f"OPTION_INVALID: {option} is {value!r}; ")
    assert finding.expected in finding.line()
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"assay_mbq": 400.0}, ["--assay-mbq"]),
        ({"assay_time": "09:00"}, ["--assay-time"]),
        ({"residual_mbq": 4.0, "residual_time": "10:05"}, ["--residual-mbq"]),
        ({"assay_mbq": 400.0, "assay_time": "09:00", "residual_mbq": 4.0}, ["--residual-mbq"]),
        ({"assay_mbq": 400.0, "assay_time": "09:00", "dose_mbq": 350.0}, ["--assay-mbq"]),
        ({"injection_time": "10:00", "injection_datetime": "2025-01-01T10:00"}, ["--injection-time"]),
    ],
)
def test_options_that_contradict_or_need_each_other_are_refused(options, named):
    with pytest.raises(UsageError) as refused:
        Overrides(**options)
    assert [finding.keyword for finding in refused.value.findings] == named


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(UsageError) as refused:
        Overrides(weight_kg=-1.0, sex="X", decay_reference="now")
    assert [f.keyword for f in refused.value.findings] == ["--weight-kg", "--sex", "--decay-reference"]


def test_control_characters_are_not_printed():
    with pytest.raises(UsageError) as refused:
        Overrides(sex="\x1b[31mM")
    assert "\x1b" not in str(refused.value)


def test_given_lists_what_was_given_in_the_order_of_the_table():
    assert Overrides().given() == {}
    assert list(Overrides(sex="M", weight_kg=70.0).given().items()) == [("--weight-kg", 70.0), ("--sex", "M")]


def test_every_option_says_what_it_takes():
    for field in fields(Overrides):
        assert field.metadata["option"].startswith("--")
        assert field.metadata["help"].endswith(".")
        assert field.metadata["rule"].words
    names = [name for f in fields(Overrides) for name in (f.metadata["option"], *f.metadata["aliases"])]
    assert len(names) == len(set(names))
    assert {"--weight", "--height"} < set(names)


@given(st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01")))
def test_an_instant_written_in_iso_is_read_as_itself(at):
    assert moment(at.isoformat()) == Instant(at)
    assert moment(at.isoformat(sep=" ")) == Instant(at)


@given(st.times())
def test_a_clock_time_written_in_iso_is_read_as_itself(clock):
    since = timedelta(
        hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
    )
    assert moment(clock.isoformat()) == ClockTime(since)


@given(st.text(max_size=30))
def test_any_other_text_is_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert isinstance(moment(text), Instant | ClockTime)
