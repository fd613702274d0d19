"""Private values: found by their creators, decoded in any form, absent when they cannot be read."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta

import pytest

from petquant.acquisition import Instant
from petquant.dicom.attributes import Attributes
from petquant.dicom.private import private_tags, private_values
from petquant.dicom.vendors import PRIVATE, vendor_of

PHILIPS, GE, SIEMENS = b"Philips PET Private Group", b"GEMS_PETD_01", b"SIEMENS MED PT"


def read(values, *, vendor="", utc_offset=None):
    return private_values(Attributes(values=values), vendor=vendor, utc_offset=utc_offset)


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("block", [0x10, 0x11, 0x42, 0xFF])
def test_the_creator_says_where_the_block_lies(block):
    values, findings = read({0x70530000 | block: PHILIPS + b" ", 0x70530000 | block << 8: b"0.0005"})
    assert (values.suv_scale_factor.value, findings) == (0.0005, ())
    assert values.suv_scale_factor.tag == f"(7053,{block:02X}00)"


def test_another_creator_means_another_thing():
    values, findings = read({0x70530010: b"SOMEBODY ELSE", 0x70531000: b"0.0005"}, vendor="philips")
    assert (values.suv_scale_factor.value, findings) == (None, ())


def test_the_right_block_is_found_among_several():
    values, _ = read(
        {
            0x00090010: b"GEMS_IDEN_01",
            0x0009100D: b"20200101000000",
            0x00090011: GE,
            0x0009110D: b"20250101110000",
        },
        vendor="ge",
    )
    assert values.decay_corrected_to.value == Instant(datetime.fromisoformat("2025-01-01T11:00:00"))


@pytest.mark.parametrize(("vendor", "is_read"), [("philips", True), ("siemens", False), ("", False)])
def test_without_a_creator_block_10_is_believed_of_its_own_vendor(vendor, is_read):
    values, findings = read({0x70531000: b"0.0005"}, vendor=vendor)
    assert (values.suv_scale_factor.value == 0.0005) is is_read
    assert codes(findings) == (["PRIVATE_CREATOR_MISSING"] if is_read else [])


def test_without_a_creator_no_other_block_is_believed():
    values, findings = read({0x70531100: b"0.0005"}, vendor="philips")
    assert (values.suv_scale_factor.value, findings) == (None, ())


@pytest.mark.parametrize("raw", [b"0.003515736 ", b" 0.003515736", b"3.515736e-3\0", b"+0.003515736"])
def test_a_decimal_string_may_be_padded(raw):
    values, _ = read({0x70530010: PHILIPS, 0x70531000: raw})
    assert values.suv_scale_factor.value == 0.003515736


@pytest.mark.parametrize(
    "raw",
    [b"nan", b"inf", b"1e400", b"1_0", b"1\\2", b"1,5", b"abc", b"\xff\xfe\x00\x01\x02", b"\x9a\x99\x99\x3e"],
)
def test_what_cannot_be_decoded_is_absent_and_flagged(raw):
    values, findings = read({0x70530010: PHILIPS, 0x70531000: raw})
    assert values.suv_scale_factor.value is None
    assert codes(findings) == ["PRIVATE_VALUE_UNREADABLE"]
    assert "\x00" not in findings[0].line()


@pytest.mark.parametrize("raw", [b"", b"  ", b"\0\0"])
def test_an_empty_value_is_absent(raw):
    values, findings = read({0x70530010: PHILIPS, 0x70531000: raw})
    assert (values.suv_scale_factor.value, findings) == (None, ())


@pytest.mark.parametrize("raw", [struct.pack("<f", 412.5), b"412.5 "])
def test_a_float_is_bytes_or_text(raw):
    values, findings = read({0x00090010: GE, 0x00091038: raw})
    assert (values.assayed_activity.value, findings) == (412.5, ())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_not_finite_is_absent(number):
    values, findings = read({0x00090010: GE, 0x00091038: struct.pack("<f", number)})
    assert values.assayed_activity.value is None
    assert codes(findings) == ["PRIVATE_VALUE_UNREADABLE"]


def test_a_date_time_takes_the_offset_of_the_data_set_unless_it_has_its_own():
    hour = timedelta(hours=1)
    values, _ = read({0x00710010: SIEMENS, 0x00711022: b"20250101110000"}, utc_offset=hour)
    assert values.decay_corrected_to.value.utc_offset == hour
    values, _ = read({0x00710010: SIEMENS, 0x00711022: b"20250101110000+0000"}, utc_offset=hour)
    assert values.decay_corrected_to.value.utc_offset == timedelta()


@pytest.mark.parametrize("raw", [b"99991231240000", b"00010101000000", b"20250101", b"11:00:00"])
def test_a_date_time_that_is_none_is_absent_and_flagged(raw):
    values, findings = read({0x00710010: SIEMENS, 0x00711022: raw})
    assert values.decay_corrected_to.value is None
    assert codes(findings) == ["PRIVATE_VALUE_UNREADABLE"]


def test_the_tags_understood_are_those_that_are_there():
    attributes = Attributes(
        values={0x70530011: PHILIPS, 0x70531100: b"1", 0x70531109: b"2", 0x70531177: b"3"}
    )
    assert private_tags(attributes, vendor="") == (0x70531100, 0x70531109)


@pytest.mark.parametrize(
    ("manufacturer", "vendor"),
    [
        ("GE MEDICAL SYSTEMS", "ge"),
        (" ge ", "ge"),
        ("GE HealthCare", "ge"),
        ("IMAGERIE GENERALE", ""),
        ("GEMINI", ""),
        ("SIEMENS", "siemens"),
        ("Siemens Healthineers", "siemens"),
        ("CTI", "siemens"),
        ("CPS Innovations", "siemens"),
        ("Philips Medical Systems", "philips"),
        ("UIH", ""),
        ("", ""),
    ],
)
def test_vendors_by_their_names(manufacturer, vendor):
    assert vendor_of(manufacturer) == vendor


def test_every_row_of_the_table_names_its_source_and_a_field():
    assert all(row.source and row.meaning for row in PRIVATE)
    assert len({(row.vendor, row.name) for row in PRIVATE}) == len(PRIVATE)
