"""A measurement report (SR, TID 1500) becomes its regions again: what was measured, in codes, as it stands.

Reports of other programs are read as well. Nothing is converted: a number keeps its
concept, derivation and unit, and is named by a column of petquant where the table of quantities has that
concept.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from petquant.code import Code
from petquant.dicom.dataset import read_dataset
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.errors import UnreadableInput
from petquant.quantities import QUANTITIES, SUVBW, Scope
from petquant.suv.normalisation import NORMALISATIONS

__all__ = ["ReportedRegion", "ReportedValue", "read_measurements"]

_GROUP: Final = ("125007", "DCM")
_TRACKING_ID, _TRACKING_UID = ("112039", "DCM"), ("112040", "DCM")
_SEGMENT: Final = ("121191", "DCM")
_DERIVATION: Final = ("121401", "DCM")
_COMMENT: Final = ("121106", "DCM")
_PARAMETERS: Final = ("111002", "DCM")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedValue:
    """One number of a report.

    Parameters
    ----------
    concept, derivation
        What was measured, and how the value was derived; None where it is the measure itself.
    value
        As a double where the report has one, else its decimal string.
    unit
        UCUM code.
    column
        Of `petquant.quantities`, ``suv_max``, ``tbr_max_NAME``; "" when that table has no such concept.
    parameters
        What the report says of the algorithm of this one number.
    """

    concept: Code
    derivation: Code | None
    value: float
    unit: str
    column: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRegion:
    """One measurement group of a report.

    Parameters
    ----------
    tracking_id, tracking_uid
        What the report calls the region.
    seg_uid, segment
        SOPInstanceUID of the SEG and number of the segment; "" and 0 without one.
    values
        In the order of the report.
    comments
        What was said of the region in words: the flags, of a report by petquant.
    """

    tracking_id: str
    tracking_uid: str
    seg_uid: str = ""
    segment: int = 0
    values: tuple[ReportedValue, ...] = ()
    comments: tuple[str, ...] = ()

    def value(self, column: str) -> float | None:
        """Return the first number of a column, None when the report has none."""
        return next((one.value for one in self.values if one.column == column), None)


def read_measurements(
    path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS
) -> tuple[ReportedRegion, ...]:
    """Return the measurement groups of a DICOM SR, in their order.

    Parameters
    ----------
    path
        An SR of any class with the content of TID 1500.
    limits
        For the reading of the file.

    Raises
    ------
    UnreadableInput
        FILE_UNREADABLE, FILE_NOT_UNDERSTOOD; FORMAT_UNSUPPORTED when there is no measurement group in it.
    """
    dataset = read_dataset(os.fspath(path), limits)
    try:
        found = tuple(_region(group) for group in _groups(dataset))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD", f"an item of the report cannot be read: {error}", path=os.fspath(path)
        ) from error
    if not found:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            "no measurement group",
            expected="a measurement report (SR, TID 1500)",
            path=os.fspath(path),
        )
    return found


def _groups(dataset: Any) -> Iterator[Any]:
    waiting = list(_items(dataset))
    while waiting:
        item = waiting.pop(0)
        if item.get("ValueType") != "CONTAINER":
            continue
        if _name(item) == _GROUP:
            yield item
        else:
            waiting[:0] = _items(item)


def _region(group: Any) -> ReportedRegion:
    items = list(_items(group))

    def text(name: tuple[str, str], keyword: str) -> str:
        return next((str(item.get(keyword) or "") for item in items if _name(item) == name), "")

    segment = next((item for item in items if _name(item) == _SEGMENT), None)
    reference = None if segment is None else segment.ReferencedSOPSequence[0]
    return ReportedRegion(
        tracking_id=text(_TRACKING_ID, "TextValue"),
        tracking_uid=text(_TRACKING_UID, "UID"),
        seg_uid="" if reference is None else str(reference.ReferencedSOPInstanceUID),
        segment=0 if reference is None else _first_number(reference.get("ReferencedSegmentNumber")),
        values=tuple(_value(item) for item in items if item.get("ValueType") == "NUM" and _has_number(item)),
        comments=tuple(str(item.get("TextValue") or "") for item in items if _name(item) == _COMMENT),
    )


def _has_number(item: Any) -> bool:
    """Whether there is a value: NUM may state a qualifier in its place (PS3.3 C.18.1)."""
    return bool(item.get("MeasuredValueSequence"))


def _value(item: Any) -> ReportedValue:
    measured = item.MeasuredValueSequence[0]
    exact = measured.get("FloatingPointValue")
    value = float(measured.NumericValue if exact is None else exact)
    if not math.isfinite(value):
        raise ValueError(f"a measured value of {value}")
    modifiers = list(_items(item))
    derived = next((one for one in modifiers if _name(one) == _DERIVATION), None)
    concept = _code(item.ConceptNameCodeSequence[0])
    derivation = None if derived is None else _code(derived.ConceptCodeSequence[0])
    parameters = tuple(str(one.get("TextValue") or "") for one in modifiers if _name(one) == _PARAMETERS)
    return ReportedValue(
        concept=concept,
        derivation=derivation,
        value=value,
        unit=_code(measured.MeasurementUnitsCodeSequence[0]).value,
        column=_column(concept, derivation, parameters),
        parameters=parameters,
    )


def _column(concept: Code, derivation: Code | None, parameters: tuple[str, ...]) -> str:
    """Return the column that petquant has for a coded measure, by value and scheme of its codes."""
    is_suv = any(_is_same(concept, row.dicom) for row in NORMALISATIONS)
    for row in QUANTITIES:
        if row.scope is Scope.STUDY or row.dicom is None:
            continue
        is_concept = row.dicom == SUVBW if is_suv else _is_same(concept, row.dicom)
        if is_concept and _is_same(derivation, row.derivation):
            if row.scope is not Scope.RATIO:
                return row.column
            prefix = f"{row.name} "  # "TBRmax liver: ..."
            names = [
                words.removeprefix(prefix).partition(":")[0]
                for words in parameters
                if words.startswith(prefix)
            ]
            return row.column.replace("NAME", names[0]) if names else ""
    return ""


def _is_same(found: Code | None, wanted: Code | None) -> bool:
    """Whether two codes are of one concept; those of the retired scheme SRT are known by their successors."""
    if found is None or wanted is None:
        return found is wanted
    if found.scheme != "SRT":
        return _key(found) == _key(wanted)
    from pydicom.sr.coding import Code as Coded  # noqa: PLC0415 - takes long to import

    return bool(Coded(found.value, found.scheme, "") == Coded(wanted.value, wanted.scheme, ""))


def _key(code: Code | None) -> tuple[str, str] | None:
    return None if code is None else (code.value, code.scheme)


def _items(item: Any) -> Iterator[Any]:
    yield from item.get("ContentSequence") or ()


def _name(item: Any) -> tuple[str, str] | None:
    names = item.get("ConceptNameCodeSequence")
    return _key(_code(names[0])) if names else None


def _code(item: Any) -> Code:
    value = item.get("CodeValue") or item.get("LongCodeValue") or ""
    return Code(str(value), str(item.get("CodingSchemeDesignator") or ""), str(item.get("CodeMeaning") or ""))


def _first_number(value: Any) -> int:
    """Return the one number of US with multiplicity; 0 when there is none."""
    numbers = value if isinstance(value, list | tuple) or hasattr(value, "__iter__") else [value]
    return next((int(number) for number in numbers if number is not None), 0)
