"""A structured report (SR) holds measurements with codes, in the template that other programs read.

Comprehensive 3D SR with TID 1500: an image library with tracer, nuclide and what was injected (TID 1607), and
one measurement group a region (TID 1411), which refers to its segment in the SEG beside it. Of a quantity
without a value nothing is written: every measurement of TID 1419 is optional. The same measurements give the
same bytes. Source: DICOM PS3.3 A.35.13, PS3.16 TID 1500.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from petquant.acquisition import Clock
from petquant.code import Code
from petquant.dicom.dataset import read_dataset
from petquant.dicom.derived import PATIENT_AND_STUDY, content_at, encoded, hashed_uid, identify, number_after
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG
from petquant.errors import Refused
from petquant.flags import CODES
from petquant.measurement import Measurement, Number
from petquant.nuclides import NUCLIDES
from petquant.quantities import QUANTITIES, Quantity, Scope
from petquant.suv.conversion import SuvConversion
from petquant.suv.normalisation import NORMALISATIONS
from petquant.version import __version__

__all__ = ["ReportedBackground", "sr_bytes"]

_FROM_SERIES: Final = 2_000  # added to the SeriesNumber of the PET
_SOURCE: Final = Code("260753009", "SCT", "Source")
_METHOD: Final = Code("370129005", "SCT", "Measurement Method")
_SUV: Final = Code("126400", "DCM", "Standardized Uptake Value")  # of no type that has a concept
# TID 1607, and the name of the tracer beside its code
_RADIONUCLIDE: Final = Code("89457008", "SCT", "Radionuclide")
_AGENT: Final = Code("349358000", "SCT", "Radiopharmaceutical agent")
_NAME: Final = Code("123001", "DCM", "Radiopharmaceutical")
_HALF_LIFE: Final = Code("304283002", "SCT", "Half-life of radiopharmaceutical")
_INJECTION: Final = Code("123003", "DCM", "Radiopharmaceutical Start DateTime")
_DOSE: Final = Code("123006", "DCM", "Radionuclide Total Dose")
_UPTAKE: Final = Code("126203", "DCM", "PET Radionuclide Incubation Time")
_UNITS: Final = {
    "1": Code("1", "UCUM", "no units"),
    "g": Code("g", "UCUM", "gram"),
    "ml": Code("ml", "UCUM", "milliliter"),
    "mm": Code("mm", "UCUM", "millimeter"),
    "s": Code("s", "UCUM", "second"),
    "Bq": Code("Bq", "UCUM", "becquerel"),
    "{pixels}": Code("{pixels}", "UCUM", "pixels"),
}
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


def sr_bytes(
    stack: Stack,
    seg: bytes,
    measurements: Sequence[Measurement],
    *,
    conversion: SuvConversion,
    backgrounds: Sequence[ReportedBackground] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return the bytes of a DICOM SR with the measurements of the regions of a SEG.

    Parameters
    ----------
    stack
        The PET that was measured.
    seg
        What `petquant.dicom.seg_writing.seg_bytes` returned for the regions.
    measurements
        Rows of all SUV types, those of one after those of the other, each in the order of the segments.
    conversion
        What made the SUV.
    backgrounds
        What the ratios divide by.
    limits
        For the reading of the first image.

    Returns
    -------
    A DICOM file. Volumes, TLG and ratios stand there once, as the first SUV type gave them. Flags are
    comments of their region.

    Raises
    ------
    Refused
        ROI_EMPTY: a report has at least one measurement group.
    UnreadableInput
        When the first file of the stack cannot be read again.
    """
    if not measurements:
        raise Refused.of("ROI_EMPTY", "no region was measured, and a report has at least one")
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    first = stack.instances[0]
    header = read_dataset(first.path, limits)
    segmentation = pydicom_of_today().dcmread(BytesIO(seg), stop_before_pixels=True)
    identity = _identity(segmentation, measurements, conversion, backgrounds)
    groups = [
        *_regions(stack, segmentation, measurements, conversion, backgrounds),
        *_backgrounds(measurements[0], conversion, backgrounds, identity),
    ]
    report = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_device_context=_device()),
        procedure_reported=codes.cid100.PETUnspecifiedBodyRegion,
        title=codes.cid7021.PETMeasurementReport,
        imaging_measurements=groups[:1],  # highdicom copies what it is given, more than once
    )
    root = report[0].ContentSequence
    root.insert(len(root) - 1, _image_library(stack, header, conversion))
    at = content_at(first)
    sr = highdicom.sr.Comprehensive3DSR(
        evidence=_evidence(stack, segmentation),
        content=report,
        series_instance_uid=hashed_uid(identity, "series"),
        sop_instance_uid=hashed_uid(identity, "instance"),
        series_number=number_after(first, _FROM_SERIES),
        instance_number=1,
        manufacturer="petquant",
        manufacturer_model_name="petquant",
        software_versions=__version__,
        device_serial_number="petquant",
        series_description="petquant measurements, research use only",
        specific_character_set="ISO_IR 192",
        content_date=at.date(),
        content_time=at.time(),
        series_date=at.date(),
        series_time=at.time(),
        is_complete=True,
        is_final=True,
    )
    for group in groups[1:]:
        sr.ContentSequence[-1].ContentSequence.extend(group)
    identify(sr, header)
    if _is_ascii(sr):
        del sr.SpecificCharacterSet  # type 1C; dsrdump warns of UTF-8 where nothing needs it
    return encoded(sr)


def _is_ascii(sr: Any) -> bool:
    """Whether all text of the report is of the default repertoire."""
    text = {"LO", "PN", "SH", "ST", "LT", "UC", "UT"}
    return all(str(element.value).isascii() for element in sr.iterall() if element.VR in text)


def _identity(
    segmentation: Any,
    measurements: Sequence[Measurement],
    conversion: SuvConversion,
    backgrounds: Sequence[ReportedBackground],
) -> bytes:
    """Return the hash of all that the SR says, from which its UIDs are made."""
    words = [str(segmentation.SOPInstanceUID), __version__, *_how(conversion)]
    for row in measurements:
        values = sorted(row.values.items())
        words += [row.roi_id, row.roi_name, row.roi_source, row.suv_type, repr(values), *row.flags]
    for one in backgrounds:
        words += [one.name, one.source, repr(sorted(one.values.items())), *one.flags]
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{len(word)}:{word}".encode("utf-8", "surrogateescape"))
    return digest.digest()


def _device() -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    return highdicom.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=highdicom.sr.DeviceObserverIdentifyingAttributes(
            uid=hashed_uid(b"petquant", __version__),
            name="petquant",
            manufacturer_name="petquant",
            model_name=f"petquant {__version__}",
        ),
    )


def _regions(
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
                f"region: {rows[0].roi_source}", "; ".join(_how(conversion)), "; ".join(_definitions(rows[0]))
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


def _backgrounds(
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
            _measurement(quantity, value, unit=_UNITS["1"] if suv is None else suv.unit)
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
                concept=suv.concept if is_suv and suv is not None else None,
                unit=suv.unit if is_of_suv_unit and suv is not None else _UNITS[quantity.ucum],
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
                    unit=_UNITS["1"],
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
    concept: Code | None = None,
    method: Code | None = None,
    algorithm: Any = None,
) -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import

    name = concept or quantity.dicom
    if name is None or value is None:
        raise ValueError(f"{quantity.column} without a code or a value")
    return highdicom.sr.Measurement(
        name=_concept(name),
        value=float(value),
        unit=_concept(unit),
        derivation=None if quantity.derivation is None else _concept(quantity.derivation),
        method=None if method is None else _concept(method),
        algorithm_id=algorithm,
    )


def _concept(code: Code) -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)


def _algorithm(*parameters: str) -> Any:
    import highdicom  # noqa: PLC0415 - takes a second to import

    return highdicom.sr.AlgorithmIdentification(
        name="petquant", version=__version__, parameters=[_text(one) for one in parameters if one]
    )


def _definitions(row: Measurement) -> list[str]:
    """Return what the names of the measurements leave open, by the table of quantities."""
    return [f"{quantity.name}: {quantity.definition}" for quantity in _coded(row)]


def _how(conversion: SuvConversion) -> list[str]:
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
        name=_concept(_METHOD),
        value=_concept(method),
        relationship_type=highdicom.sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
    )


def _image_library(stack: Stack, header: Any, conversion: SuvConversion) -> Any:
    """Return the images, and what is the same of all: TID 1600, 1602 and 1607 for the group as a whole."""
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    sr = highdicom.sr
    library = sr.ContainerContentItem(
        name=codes.DCM.ImageLibrary, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    group = sr.ContainerContentItem(
        name=codes.DCM.ImageLibraryGroup, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    images = {one.text(TAG["SOPInstanceUID"]): one.text(TAG["SOPClassUID"]) for one in stack.instances}
    group.ContentSequence = sr.ContentSequence(
        [
            *_descriptors(stack, header, conversion),
            *(
                sr.ImageContentItem(
                    name=_concept(_SOURCE),
                    referenced_sop_class_uid=class_uid,
                    referenced_sop_instance_uid=uid,
                    relationship_type=sr.RelationshipTypeValues.CONTAINS,
                )
                for uid, class_uid in images.items()
            ),
        ]
    )
    library.ContentSequence = sr.ContentSequence([group])
    return library


def _descriptors(stack: Stack, header: Any, conversion: SuvConversion) -> list[Any]:
    """Return what the series is, and what was injected: the values in use, with the user's in place."""
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    sr, first = highdicom.sr, stack.instances[0]
    of_image = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT

    def code(name: Any, value: Any) -> Any:
        return sr.CodeContentItem(name=name, value=value, relationship_type=of_image)

    def number(name: Any, value: float, unit: str) -> Any:
        return sr.NumContentItem(
            name=name, value=value, unit=_concept(_UNITS[unit]), relationship_type=of_image
        )

    items = [
        code(codes.DCM.Modality, codes.cid29.PositronEmissionTomography),
        sr.UIDRefContentItem(
            name=codes.DCM.FrameOfReferenceUID,
            value=first.text(TAG["FrameOfReferenceUID"]),
            relationship_type=of_image,
        ),
        number(codes.DCM.PixelDataRows, int(header.Rows), "{pixels}"),
        number(codes.DCM.PixelDataColumns, int(header.Columns), "{pixels}"),
    ]
    nuclide = _nuclide(conversion)
    if nuclide is not None:
        items.append(code(_concept(_RADIONUCLIDE), nuclide))
    tracer = _tracer(header, conversion)
    if tracer is not None:
        items.append(code(_concept(_AGENT), tracer))
    name = conversion.item.name.text if conversion.tracer is None else conversion.tracer.name
    if name:
        items.append(sr.TextContentItem(name=_concept(_NAME), value=_text(name), relationship_type=of_image))
    if conversion.half_life.half_life_s is not None:
        items.append(number(_concept(_HALF_LIFE), conversion.half_life.half_life_s, "s"))
    injected_at = conversion.timing.injection.at
    if injected_at is not None and conversion.acquisition.clock is Clock.CALENDAR:
        items.append(
            sr.DateTimeContentItem(
                name=_concept(_INJECTION),
                value=injected_at,
                relationship_type=of_image,
            )
        )
    if conversion.injected_activity_bq is not None:
        items.append(number(_concept(_DOSE), conversion.injected_activity_bq, "Bq"))
    if conversion.uptake_time_min is not None:
        items.append(number(_concept(_UPTAKE), 60 * conversion.uptake_time_min, "s"))
    return items


def _nuclide(conversion: SuvConversion) -> Any:
    """Return the nuclide as DICOM codes it (CID 4020); None when it has no code there."""
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - takes long to import

    row = next((row for row in NUCLIDES if row.name == conversion.half_life.nuclide), None)
    known = codes.cid4020.concepts.values()
    return None if row is None else next((one for one in known if one.value in row.codes), None)


def _tracer(header: Any, conversion: SuvConversion) -> Any:
    """Return the tracer as DICOM codes it (CID 4021), or as the header does; None when neither has a code."""
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - takes long to import

    if conversion.tracer is not None:
        known = codes.cid4021.concepts.values()
        of_table = next((one for one in known if one.value in conversion.tracer.codes), None)
        if of_table is not None:
            return of_table
    wanted = conversion.item.tracer_code.text
    items = header.get("RadiopharmaceuticalInformationSequence") or ()
    for item in (code for one in items for code in one.get("RadiopharmaceuticalCodeSequence") or ()):
        value, scheme, meaning = (
            _text(str(item.get(keyword) or ""))
            for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
        )
        if value and value == wanted and scheme and meaning:
            return _concept(Code(value, scheme, meaning))
    return None


def _evidence(stack: Stack, segmentation: Any) -> list[Any]:
    """Return what highdicom needs of every file that the report rests on."""
    dataset = pydicom_of_today().Dataset
    found = {}
    for instance in stack.instances:
        source = dataset()
        for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            setattr(source, keyword, instance.text(TAG[keyword]))
        for keyword in PATIENT_AND_STUDY:
            setattr(source, keyword, None)
        found[source.SOPInstanceUID] = source
    return [*found.values(), segmentation]


def _text(words: str) -> str:
    """Return words without control characters."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", words).strip()
