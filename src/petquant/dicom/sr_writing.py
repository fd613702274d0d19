"""A structured report (SR) holds measurements with codes, in the template that other programs read.

Comprehensive 3D SR with TID 1500: an image library with tracer, nuclide and what was injected (TID 1607), and
one measurement group a region (TID 1411), which refers to its segment in the SEG beside it. Of a quantity
without a value nothing is written: every measurement of TID 1419 is optional. The same measurements give the
same bytes. Source: DICOM PS3.3 A.35.13, PS3.16 TID 1500.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from petquant.dicom.dataset import read_dataset
from petquant.dicom.derived import PATIENT_AND_STUDY, content_at, encoded, hashed_uid, identify, number_after
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.sr_groups import ReportedBackground, background_groups, how_it_was_made, region_groups
from petquant.dicom.sr_image_library import image_library
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG
from petquant.errors import Refused
from petquant.measurement import Measurement
from petquant.suv.conversion import SuvConversion
from petquant.version import __version__

__all__ = ["ReportedBackground", "sr_bytes"]

_FROM_SERIES: Final = 2_000  # added to the SeriesNumber of the PET


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
        *region_groups(stack, segmentation, measurements, conversion, backgrounds),
        *background_groups(measurements[0], conversion, backgrounds, identity),
    ]
    report = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_device_context=_device()),
        procedure_reported=codes.cid100.PETUnspecifiedBodyRegion,
        title=codes.cid7021.PETMeasurementReport,
        imaging_measurements=groups[:1],  # highdicom copies what it is given, more than once
    )
    root = report[0].ContentSequence
    root.insert(len(root) - 1, image_library(stack, header, conversion))
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
    words = [str(segmentation.SOPInstanceUID), __version__, *how_it_was_made(conversion)]
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
