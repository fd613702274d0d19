"""Private values of one file, found by their creators and decoded whatever form they arrive in."""

from __future__ import annotations

import struct
from datetime import timedelta
from typing import Any

from petquant.acquisition import PrivateValues, Written
from petquant.dicom.attributes import Attributes
from petquant.dicom.datetimes import parse_instant
from petquant.dicom.tags import tag_words
from petquant.dicom.vendors import PRIVATE, PrivateAttribute
from petquant.dicom.written import finite
from petquant.errors import Finding

__all__ = ["private_tags", "private_values"]


def private_values(
    attributes: Attributes, *, vendor: str, utc_offset: timedelta | None = None
) -> tuple[PrivateValues, tuple[Finding, ...]]:
    """Return the private values of a file and what there is to say about them.

    A value may be DS text with blanks, or bytes of unknown representation; what cannot be decoded is taken
    as absent and flagged, never as NaN.

    Parameters
    ----------
    vendor
        As `petquant.dicom.vendors.vendor_of` names it.
    utc_offset
        Of the data set; it holds for date-times without their own.
    """
    found: dict[str, Written[Any]] = {}
    findings: list[Finding] = []
    for row in PRIVATE:
        tag, has_creator = _locate(attributes, row, vendor=vendor)
        if tag is None or not attributes.text(tag):
            continue
        written: Written[Any] = Written(keyword=row.meaning.partition(":")[0], tag=tag_words(tag))
        text, value = _decoded(attributes.values[tag], row.vr, utc_offset)
        if value is None:
            findings.append(
                Finding(
                    code="PRIVATE_VALUE_UNREADABLE",
                    found=repr(text),
                    expected=f"a {row.vr}",
                    keyword=written.keyword,
                    tag=written.tag,
                )
            )
            continue
        if not has_creator:
            findings.append(
                Finding(
                    code="PRIVATE_CREATOR_MISSING",
                    found=f"{text}, used without its creator '{row.creator}'",
                    expected="a private creator",
                    keyword=written.keyword,
                    tag=written.tag,
                )
            )
        found[row.name] = Written(value=value, text=text, keyword=written.keyword, tag=written.tag)
    return PrivateValues(**found), tuple(findings)


def private_tags(attributes: Attributes, *, vendor: str) -> tuple[int, ...]:
    """Return the tags of the private attributes that are understood in this file."""
    located = (_locate(attributes, row, vendor=vendor)[0] for row in PRIVATE)
    return tuple(tag for tag in located if tag is not None)


def _locate(attributes: Attributes, row: PrivateAttribute, *, vendor: str) -> tuple[int | None, bool]:
    """Return the tag of a private attribute, and whether its creator stands there."""
    has_creators = False
    for block in range(0x10, 0x100):
        creator = row.group << 16 | block
        if creator not in attributes.values:
            continue
        has_creators = True
        tag = row.group << 16 | block << 8 | row.element
        if attributes.text(creator) == row.creator and tag in attributes.values:
            return tag, True
    tag = row.group << 16 | 0x1000 | row.element
    if not has_creators and vendor == row.vendor and tag in attributes.values:
        return tag, False
    return None, False


def _decoded(value: bytes, vr: str, utc_offset: timedelta | None) -> tuple[str, Any]:
    """Return a private value as text and as a number or instant, None when it cannot be read."""
    text = value.strip(b" \0").decode("latin-1")
    try:
        if vr == "FL" and len(value) == 4:
            number = struct.unpack("<f", value)[0]
            return f"{number:g}", number if abs(number) < float("inf") else None
        if vr in {"FL", "DS"}:
            return text, finite(text)
        if vr == "DT":
            return text, parse_instant(text, utc_offset=utc_offset)
    except (ValueError, OverflowError):
        return text, None
    return text, text
