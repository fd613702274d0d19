"""A witness is pydicom, asked about one header that our own walk has read."""

from __future__ import annotations

from typing import Any

from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.scan import Instance
from petquant.dicom.tags import KEYWORD, TAG, VR, tag_words
from petquant.errors import UnreadableInput

__all__ = ["confirm"]


def confirm(instance: Instance) -> None:
    """Read the header of one file with pydicom as well, and compare every value; of a frame also its place.

    One header of a series is enough: the others were read by the same walk. It costs the import of pydicom,
    a tenth of a second, which is why the walk itself does without. Files without meta header are not shown to
    pydicom, which would have to be told to guess.

    Raises
    ------
    UnreadableInput
        When pydicom reads another value, or cannot read the file.
    """
    frame, instance = instance, instance.whole or instance
    pydicom = pydicom_of_today()
    if "NO_META_HEADER" in _codes(instance):
        return
    try:
        theirs = pydicom.dcmread(instance.path, stop_before_pixels=True)
        differing = [tag for tag in instance.values if not _agree(instance, tag, theirs)]
        if frame.whole is not None:
            differing += _differing_of_frame(frame, theirs)
    except Exception as error:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD", f"pydicom does not read it: {error}", path=instance.path
        ) from error
    if differing:
        names = ", ".join(f"{KEYWORD.get(tag, '')} {tag_words(tag)}".strip() for tag in differing[:4])
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD", f"pydicom reads other values of {names}", path=instance.path
        )


# Attributes that a frame is placed and scaled by, with the functional group and their name there.
_OF_FRAMES = (
    ("ImagePositionPatient", "PlanePositionSequence", "ImagePositionPatient"),
    ("ImageOrientationPatient", "PlaneOrientationSequence", "ImageOrientationPatient"),
    ("PixelSpacing", "PixelMeasuresSequence", "PixelSpacing"),
    ("RescaleSlope", "RealWorldValueMappingSequence", "RealWorldValueSlope"),
    ("RescaleSlope", "PixelValueTransformationSequence", "RescaleSlope"),
)


def _differing_of_frame(frame: Instance, theirs: Any) -> list[int]:
    """Return the tags of what pydicom reads otherwise in the functional groups of a frame."""
    own = theirs.PerFrameFunctionalGroupsSequence[frame.frame - 1]
    shared = (theirs.get("SharedFunctionalGroupsSequence") or [{}])[0]
    differing = []
    for keyword, sequence, name in _OF_FRAMES:
        items = own.get(sequence) or shared.get(sequence) or ()
        stated = [item[name].value for item in items if name in item]
        read_from = frame.name(TAG[keyword])[0]
        if stated and read_from == name and frame.numbers(TAG[keyword]) not in map(_numbers, stated):
            differing.append(TAG[keyword])
    return differing


def _numbers(value: Any) -> list[float]:
    return [float(value)] if isinstance(value, (int, float)) else [float(number) for number in value]


def _codes(instance: Instance) -> set[str]:
    return {finding.code for finding in instance.findings}


def _agree(instance: Instance, tag: int, theirs: Any) -> bool:
    if tag not in theirs:
        return False
    if VR.get(tag) == "SQ":
        return len(instance.items(tag)) == len(theirs[tag].value)
    raw = theirs.get_item(tag).value  # bytes, unless pydicom needed the value itself
    if VR.get(tag) == "US":
        return bool(instance.integer(tag) == theirs[tag].value)
    if isinstance(raw, bytes):
        return raw == instance.values[tag] or "VALUE_IRREGULAR" in _codes(instance)
    words = raw if isinstance(raw, str) else "\\".join(raw or [])
    return instance.text(tag) == words
