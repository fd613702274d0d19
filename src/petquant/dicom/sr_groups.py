"""Measurement groups of a structured report: one a region (TID 1411), one a background (TID 1501).

Of a quantity without a value nothing is written: every measurement of TID 1419 is optional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petquant.acquisition import Clock
from petquant.code import Code
from petquant.dicom.derived import hashed_uid
from petquant.dicom.sr_terms import UNITS, concept, plain
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG
from petquant.flags import CODES
from petquant.measurement import Measurement, Number
from petquant.quantities import QUANTITIES, Quantity, Scope
from petquant.suv.conversion import SuvConversion
from petquant.suv.normalisation import NORMALISATIONS
from petquant.version import __version__

__all__ = ["ReportedBackground", "background_groups", "how_it_was_made", "region_groups"]

_METHOD: Final = Code("370129005", "SCT", "Measurement Method")
_SUV: Final = Code("126400", "DCM", "Standardized Uptake Value")  # of no type that has a concept
_SUV_UNIT: Final = "g/ml{SUVbw}"  # in the table of quantities it stands for that of any SUV type


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedBackground:
    """A background that ratios of the report divide by.

    Parameters
    ----------
    name
        As in the names of the columns: ``tbr_max_NAME``.
    source
        How the region came about.
    values
        Columns of `petquant.quantities.Scope.REFERENCE`.
    flags
        Codes of its caveats.
    """

    name: str
    source: str
    values: Mapping[str, Number]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _SuvCodes:
    """How an SUV type is coded."""

    concept: Code
    unit: Code
    method: Code | None


def region_groups(
    stack: Stack,
    segmentation: Any,
    measurements: Sequence[Measurement],
    conversion: SuvConversion,
    backgrounds: Sequence[ReportedBackground],
) -> list[Any]:
    """Return the measurement group of every segment."""
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    segments = segmentation.SegmentSequence
    rows_of = [measurements[n :: len(segments)] for n in range(len(segments))]
    if any(len({row.roi_id for row in rows}) != 1 for rows in rows_of):
        raise ValueError("measurements of other regions than those of the SEG")
    series = highdicom.sr.SourceSeriesForSegmentation(stack.instances[0].text(TAG["SeriesInstanceUID"]))
    groups = []
    for segment, rows in zip(segments, rows_of, strict=True):
        group = highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=highdicom.sr.TrackingIdentifier(
                uid=segment.TrackingUID, identifier=segment.TrackingID
            ),
            referenced_segment=highdicom.sr.ReferencedSegment(
                sop_class_uid=segmentation.SOPClassUID,
                sop_instance_uid=segmentation.SOPInstanceUID,
                segment_number=segment.SegmentNumber,
                source_series=series,
            ),
            finding_category=codes.SCT.MorphologicallyAbnormalStructure,
            finding_type=codes.SCT.Lesion,
            algorithm_id=_algorithm(
                f"region: {rows[0].roi_source}",
                "; ".join(how_it_was_made(conversion)),
                "; ".join(_definitions(rows[0])),
            ),
        )
        suv = _suv_codes(conversion, rows[0].suv_type)
        if suv is not None and suv.method is not None:
            group[0].ContentSequence.append(_method(suv.method))
        for nth, row in enumerate(rows):  # not given to the constructor, which searches each for coordinates
            _add(group, _numbers(row, conversion, is_first=not nth))
        for background in backgrounds:
            _add(group, _ratios(rows[0], background))
        _comment(group, dict.fromkeys(flag for row in rows for flag in row.flags))
        groups.append(group)
    return groups


def background_groups(
    row: Measurement,
    conversion: SuvConversion,
    backgrounds: Sequence[ReportedBackground],
    identity: bytes,
) -> list[Any]:
    """Return a measurement group for every background, without a region (TID 1501)."""
    import highdicom  # noqa: PLC0415 - takes a second to import

    suv = _suv_codes(conversion, row.suv_type)
    groups = []
    for one in backgrounds:
        coded = [q for q in QUANTITIES if q.scope is Scope.REFERENCE and q.dicom is not None]
        numbers = [
            _measurement(quantity, value, unit=UNITS["1"] if suv is None else suv.unit)
            for quantity in coded
            for value in (one.values.get(quantity.column),)
            if value is not None and suv is not None
        ]
        if not numbers:
            continue
        group = highdicom.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=highdicom.sr.TrackingIdentifier(
                uid=hashed_uid(identity, f"background {one.name}"), identifier=f"background {one.name}"
            ),
            algorithm_id=_algorithm(
                f"region: {one.source}", "; ".join(f"{q.name}: {q.definition}" for q in coded)
            ),
            measurements=numbers,
        )
        _comment(group, one.flags)
        groups.append(group)
    return groups


def _numbers(row: Measurement, conversion: SuvConversion, *, is_first: bool) -> list[Any]:
    """Return the measurements of a row that have a code and a value."""
    suv = _suv_codes(conversion, row.suv_type)
    numbers = []
    for quantity in _coded(row):
        is_suv = quantity.column.startswith("suv_")
        if (is_suv and suv is None) or not (is_suv or is_first):
            continue
        if quantity.ucum == "g" and row.unit != "g/mL":  # of SUVbsa it would be an area
            continue
        is_of_suv_unit = quantity.ucum == _SUV_UNIT
        numbers.append(
            _measurement(
                quantity,
                row.values[quantity.column],
                name=suv.concept if is_suv and suv is not None else None,
                unit=suv.unit if is_of_suv_unit and suv is not None else UNITS[quantity.ucum],
                method=None if is_first or suv is None else suv.method,
            )
        )
    return numbers


def _ratios(row: Measurement, background: ReportedBackground) -> list[Any]:
    """Return the ratios over one background, each with its name."""
    numbers = []
    for quantity in QUANTITIES:
        value = row.values.get(_named(quantity.column, background))
        if quantity.scope is Scope.RATIO and value is not None:
            definition = _named(quantity.definition, background)
            numbers.append(
                _measurement(
                    quantity,
                    value,
                    unit=UNITS["1"],
                    algorithm=_algorithm(f"{quantity.name} {background.name}: {definition}"),
                )
            )
    return numbers


def _named(words: str, background: ReportedBackground) -> str:
    return words.replace("NAME", background.name)


def _coded(row: Measurement) -> list[Quantity]:
    """Return the quantities of a region that have a code, where it has a value."""
    return [
        quantity
        for quantity in QUANTITIES
        if quantity.scope in {Scope.REGION, Scope.FURTHER}
        and quantity.dicom is not None
        and row.values.get(quantity.column) is not None
    ]


def _suv_codes(conversion: SuvConversion, suv_type: str) -> _SuvCodes | None:
    """Return how the values of an SUV type are coded; None when SUV was refused."""
    scale = conversion.scale(suv_type)
    if scale is None:
        return None
    row = next((row for row in NORMALISATIONS if row.ucum == scale.ucum), None)
    if row is None:
        return _SuvCodes(concept=_SUV, unit=Code(scale.ucum, "UCUM", scale.unit), method=None)
    return _SuvCodes(
        concept=row.dicom,
        unit=Code(row.ucum, "UCUM", f"{row.dicom.meaning} in {row.unit}"),
        method=row.method,
    )


def _measurement(
    quantity: Quantity,
    value: Number,
    *,
    unit: Code,
    name: Code | None = None,
    method: Code | None = None,
    algorithm: Any = None,
) -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import

    name = name or quantity.dicom
    if name is None or value is None:
        raise ValueError(f"{quantity.column} without a code or a value")
    return highdicom.sr.Measurement(
        name=concept(name),
        value=float(value),
        unit=concept(unit),
        derivation=None if quantity.derivation is None else concept(quantity.derivation),
        method=None if method is None else concept(method),
        algorithm_id=algorithm,
    )


def _algorithm(*parameters: str) -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import

    return highdicom.sr.AlgorithmIdentification(
        name="petquant", version=__version__, parameters=[plain(one) for one in parameters if one]
    )


def _definitions(row: Measurement) -> list[str]:
    """Return what the names of the measurements leave open, by the table of quantities."""
    return [f"{quantity.name}: {quantity.definition}" for quantity in _coded(row)]


def how_it_was_made(conversion: SuvConversion) -> list[str]:
    """Return how the SUV was made, and what the user said instead of the header."""
    words = [f"SUV: {conversion.rule}"] if conversion.rule else []
    if conversion.decay_reference_at is not None and conversion.acquisition.clock is Clock.CALENDAR:
        words.append(f"decay reference: {conversion.decay_reference_at.isoformat()}")
    if conversion.weight_kg is not None:
        words.append(f"body weight: {conversion.weight_kg:g} kg")
    return words + [f"{option} {value}" for option, value in conversion.overrides.given().items()]


def _add(group: Any, numbers: Sequence[Any]) -> None:
    for number in numbers:
        group[0].ContentSequence.extend(number)


def _comment(group: Any, flags: Sequence[str] | Mapping[str, None]) -> None:
    """Add every flag to a measurement group, as a qualitative evaluation in words (TID 1411, TID 1501)."""
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    for flag in flags:
        group[0].ContentSequence.append(
            highdicom.sr.TextContentItem(
                name=codes.DCM.Comment,
                value=f"{flag}: {CODES[flag].meaning}",
                relationship_type=highdicom.sr.RelationshipTypeValues.CONTAINS,
            )
        )


def _method(method: Code) -> Any:
    """Return the method of a whole group: TID 1411 has it as a concept modifier, highdicom as content."""
    import highdicom  # noqa: PLC0415 - takes a second to import

    return highdicom.sr.CodeContentItem(
        name=concept(_METHOD),
        value=concept(method),
        relationship_type=highdicom.sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
    )
