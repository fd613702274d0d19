"""A real world value mapping is the straight line from stored numbers to a unit, for a range of numbers.

Source: DICOM PS3.3 section C.7.6.16.2.11. A frame may have several; one of them is chosen by its unit (suv.md
section 13).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from petquant.dicom.attributes import Attributes
from petquant.dicom.tags import TAG
from petquant.errors import Finding

__all__ = ["UNITS", "Mapping", "chosen_mapping", "mapping_of", "unit_of"]

_CODE_VALUE, _LONG_CODE_VALUE = 0x00080100, 0x00080119
_FIRST, _LAST = 0x00409216, 0x00409211
_FIRST_DOUBLE, _LAST_DOUBLE = 0x00409214, 0x00409213

# UCUM code (CID 84, 85; annotated SUV units), Units (0054,1001), SUVType (0054,1006), in the order of choice
_TABLE: Final = (
    ("Bq/ml", "BQML", ""),
    ("g/ml{SUVbw}", "GML", "BW"),
    ("g/ml{SUVlbm}", "GML", "LBM"),
    ("g/ml{SUVlbm(James128)}", "GML", "LBMJAMES128"),
    ("g/ml{SUVlbm(Janma)}", "GML", "LBMJANMA"),
    ("g/ml{SUVibw}", "GML", "IBW"),
    ("cm2/ml{SUVbsa}", "CM2ML", "BSA"),
    ("g/ml{SUVbsa}", "CM2ML", "BSA"),  # written so as well, and meant as the row above
    # no SUV without more; the classic term says why (suv.md section 3), every other code is refused as it is
    ("{counts}", "CNTS", ""),
    ("{counts}/s", "CPS", ""),
    ("{propcounts}", "PROPCNTS", ""),
    ("{propcounts}/s", "PROPCPS", ""),
    ("/cm", "1CM", ""),
    ("%", "PCNT", ""),
    ("cm2", "CM2", ""),
    ("1", "NONE", ""),
)
UNITS: Final = {code.casefold(): (units, suv_type) for code, units, suv_type in _TABLE}
_ORDER: Final = {code.casefold(): place for place, (code, _, _) in enumerate(_TABLE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One mapping.

    Parameters
    ----------
    unit
        Its code as written; "" without.
    slope, intercept
        ``value = slope * stored + intercept``; None when absent, as in a mapping by table.
    first, last
        The stored numbers that it holds for; infinite when absent.
    """

    unit: str
    slope: float | None
    intercept: float | None
    first: float
    last: float

    @property
    def line(self) -> tuple[float | None, float | None]:
        """Slope and intercept."""
        return self.slope, self.intercept


def mapping_of(item: Attributes, *, is_signed: bool) -> Mapping:
    """Return the mapping of an item.

    Parameters
    ----------
    is_signed
        Whether the pixels are; the first and last number are written like them.

    Raises
    ------
    ValueError
        When a number is not of the length of its kind.
    """
    codes = item.items(TAG["MeasurementUnitsCodeSequence"])
    first, last = _bounds(item, is_signed=is_signed)
    return Mapping(
        unit=codes[0].text(_CODE_VALUE) or codes[0].text(_LONG_CODE_VALUE) if codes else "",
        slope=item.real(TAG["RealWorldValueSlope"]),
        intercept=item.real(TAG["RealWorldValueIntercept"]),
        first=first,
        last=last,
    )


def _bounds(item: Attributes, *, is_signed: bool) -> tuple[float, float]:
    """Return the first and last stored number; a pair that descends when read as signed is unsigned."""
    first, last = item.real(_FIRST_DOUBLE), item.real(_LAST_DOUBLE)
    if first is None and last is None:
        pairs = [
            (_short(item, _FIRST, is_signed=sign), _short(item, _LAST, is_signed=sign))
            for sign in ((True, False) if is_signed else (False,))
        ]
        first, last = next((pair for pair in pairs if pair[0] <= pair[1]), pairs[0])
    return -float("inf") if first is None else first, float("inf") if last is None else last


def _short(item: Attributes, tag: int, *, is_signed: bool) -> float:
    value = item.values.get(tag, b"")
    if not value:
        return -float("inf") if tag == _FIRST else float("inf")
    if len(value) != 2:
        raise ValueError(f"a mapped value of {len(value)} bytes")
    return float(struct.unpack("<h" if is_signed else "<H", value)[0])


def chosen_mapping(mappings: Sequence[Mapping]) -> tuple[Mapping | None, tuple[Finding, ...]]:
    """Return the mapping to use: in Bq/ml, else in SUVbw, else in another SUV; and what is to be said of it.

    Mappings in the chosen unit that are one line are one mapping over their ranges together; several lines
    are refused.
    """
    if not mappings:
        return None, ()
    lines = [one for one in mappings if one.slope is not None] or list(mappings)
    best = min(lines, key=lambda one: _ORDER.get(one.unit.casefold(), len(_ORDER)))
    alike = [one for one in lines if unit_of(one.unit.casefold()) == unit_of(best.unit.casefold())]
    findings: tuple[Finding, ...] = ()
    if len(mappings) > 1:
        listed = ", ".join(one.unit or "without unit" for one in mappings)
        findings = (_finding("MAPPING_CHOSEN", f"{len(mappings)} mappings: {listed}; used {best.unit}"),)
    whole = _joined(alike)
    if whole is None or any(one.line != best.line for one in alike):
        found = f"{len(alike)} mappings to {best.unit or 'no unit'} that are not one line over one range"
        return best, (*findings, _finding("MAPPING_AMBIGUOUS", found, expected="one mapping to this unit"))
    return whole, findings


def _joined(mappings: Sequence[Mapping]) -> Mapping | None:
    """Return the mapping over all ranges, None when they leave numbers out."""
    ordered = sorted(mappings, key=lambda one: one.first)
    first, last = ordered[0].first, ordered[0].last
    for one in ordered[1:]:
        if one.first > last + 1:
            return None
        last = max(last, one.last)
    best = ordered[0]
    return Mapping(unit=best.unit, slope=best.slope, intercept=best.intercept, first=first, last=last)


def unit_of(code: str) -> tuple[str, str]:
    """Return Units and SUVType of a unit code; the code itself, and no type, when it is none of a PET's."""
    return UNITS.get(code.casefold(), (code, ""))


def _finding(code: str, found: str, *, expected: str = "") -> Finding:
    return Finding(
        code=code,
        found=found,
        expected=expected,
        remedy="export again with one" if expected else "",
        keyword="RealWorldValueMappingSequence",
        tag="(0040,9096)",
    )
