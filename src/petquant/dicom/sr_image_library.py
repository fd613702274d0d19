"""The image library of a report (SR): the images measured, and what was injected (TID 1600, 1607)."""

from __future__ import annotations

from typing import Any, Final

from petquant.acquisition import Clock
from petquant.code import Code
from petquant.dicom.sr_terms import UNITS, concept, plain
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG
from petquant.nuclides import NUCLIDES
from petquant.suv.conversion import SuvConversion

__all__ = ["image_library"]

_SOURCE: Final = Code("260753009", "SCT", "Source")
# TID 1607, and the name of the tracer beside its code
_RADIONUCLIDE: Final = Code("89457008", "SCT", "Radionuclide")
_AGENT: Final = Code("349358000", "SCT", "Radiopharmaceutical agent")
_NAME: Final = Code("123001", "DCM", "Radiopharmaceutical")
_HALF_LIFE: Final = Code("304283002", "SCT", "Half-life of radiopharmaceutical")
_INJECTION: Final = Code("123003", "DCM", "Radiopharmaceutical Start DateTime")
_DOSE: Final = Code("123006", "DCM", "Radionuclide Total Dose")
_UPTAKE: Final = Code("126203", "DCM", "PET Radionuclide Incubation Time")


def image_library(stack: Stack, header: Any, conversion: SuvConversion) -> Any:
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
                    name=concept(_SOURCE),
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
            name=name, value=value, unit=concept(UNITS[unit]), relationship_type=of_image
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
        items.append(code(concept(_RADIONUCLIDE), nuclide))
    tracer = _tracer(header, conversion)
    if tracer is not None:
        items.append(code(concept(_AGENT), tracer))
    name = conversion.item.name.text if conversion.tracer is None else conversion.tracer.name
    if name:
        items.append(sr.TextContentItem(name=concept(_NAME), value=plain(name), relationship_type=of_image))
    if conversion.half_life.half_life_s is not None:
        items.append(number(concept(_HALF_LIFE), conversion.half_life.half_life_s, "s"))
    injected_at = conversion.timing.injection.at
    if injected_at is not None and conversion.acquisition.clock is Clock.CALENDAR:
        items.append(
            sr.DateTimeContentItem(
                name=concept(_INJECTION),
                value=injected_at,
                relationship_type=of_image,
            )
        )
    if conversion.injected_activity_bq is not None:
        items.append(number(concept(_DOSE), conversion.injected_activity_bq, "Bq"))
    if conversion.uptake_time_min is not None:
        items.append(number(concept(_UPTAKE), 60 * conversion.uptake_time_min, "s"))
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
            plain(str(item.get(keyword) or ""))
            for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
        )
        if value and value == wanted and scheme and meaning:
            return concept(Code(value, scheme, meaning))
    return None
