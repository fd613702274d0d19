"""Consistency: what must be the same in all slices of a volume, and what every number must be: finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG, VR, tag_words
from petquant.errors import Finding

__all__ = ["file_words", "mixed_values", "not_finite", "place_words", "unit_words"]

# Attributes of a volume as a whole; those of the acquisition are the header's business.
_SAME: Final = (
    "SOPClassUID",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleType",
)
_CLOSE: Final = 1e-4  # two spellings of one direction cosine or spacing
_NUMBERS: Final = (
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceLocation",
    "PixelSpacing",
    "RescaleIntercept",
)
_SHOWN: Final = 4


def mixed_values(instances: Sequence[Instance], where: str) -> tuple[Finding, ...]:
    """Return MIXED_VALUES for each attribute that differs, with values and slices, and PATIENTS_MIXED."""
    findings = []
    for keyword in _SAME:
        groups = _groups(instances, TAG[keyword])
        if len(groups) > 1:
            findings.append(
                Finding(
                    code="MIXED_VALUES",
                    found=f"{keyword} {tag_words(TAG[keyword])} has {len(groups)} values: {_listed(groups)}",
                    expected="one value in all slices",
                    remedy="separate the files",
                    where=where,
                    keyword=keyword,
                    tag=tag_words(TAG[keyword]),
                )
            )
    return (*findings, *_mixed_patients(instances, where))


def _groups(instances: Sequence[Instance], tag: int) -> dict[str, list[Instance]]:
    """Return the instances by value as text; numbers that are close are one value."""
    by_bytes: dict[bytes, list[Instance]] = {}
    for instance in instances:
        by_bytes.setdefault(instance.values.get(tag, b""), []).append(instance)
    groups: dict[str, list[Instance]] = {}
    for members in by_bytes.values():
        words = _value_words(members[0], tag)
        known = next((other for other in groups if _are_close(other, words)), words)
        groups.setdefault(known, []).extend(members)
    return groups


def _value_words(instance: Instance, tag: int) -> str:
    if VR[tag] == "US":
        number = instance.integer(tag)
        return "absent" if number is None else str(number)
    return instance.text(tag) or "absent"


def _are_close(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        a = np.array([float(part) for part in one.split("\\")])
        b = np.array([float(part) for part in other.split("\\")])
    except ValueError:
        return False
    return a.shape == b.shape and bool(np.abs(a - b).max() <= _CLOSE)


def _listed(groups: dict[str, list[Instance]]) -> str:
    parts = [
        f"{value} in {len(members)} slices ({place_words(members[0])})"
        for value, members in list(groups.items())[:_SHOWN]
    ]
    return "; ".join(parts) + (" ..." if len(groups) > _SHOWN else "")


def _mixed_patients(instances: Sequence[Instance], where: str) -> tuple[Finding, ...]:
    """Return PATIENTS_MIXED without saying who they are."""
    identity: tuple[tuple[str, Callable[[Instance], tuple[str, ...]]], ...] = (
        (
            "PatientID",
            lambda one: (one.text(TAG["PatientID"]), one.text(TAG["IssuerOfPatientID"])),
        ),
        ("PatientBirthDate", lambda one: (one.text(TAG["PatientBirthDate"]),)),
        ("StudyInstanceUID", lambda one: (one.text(TAG["StudyInstanceUID"]),)),
    )
    findings = []
    for keyword, key in identity:
        firsts: dict[tuple[str, ...], Instance] = {}
        for instance in instances:
            firsts.setdefault(key(instance), instance)
        if len(firsts) > 1:
            places = "; ".join(place_words(instance) for instance in list(firsts.values())[:_SHOWN])
            findings.append(
                Finding(
                    code="PATIENTS_MIXED",
                    found=f"{len(firsts)} values of {keyword} {tag_words(TAG[keyword])}: {places}",
                    expected="one patient and one study",
                    remedy="separate the files",
                    where=where,
                    keyword=keyword,
                    tag=tag_words(TAG[keyword]),
                )
            )
    return tuple(findings)


def not_finite(instances: Sequence[Instance], where: str) -> tuple[Finding, ...]:
    """Return VALUE_NOT_FINITE for each attribute of geometry or scale that holds what is no finite number."""
    findings = []
    for keyword in _NUMBERS:
        tag = TAG[keyword]
        checked: dict[bytes, bool] = {}
        wrong = [instance for instance in instances if not _is_finite(instance, tag, checked)]
        if wrong:
            others = f" (and {len(wrong) - 1} more {unit_words(wrong)})" if len(wrong) > 1 else ""
            name, words = wrong[0].name(tag)
            findings.append(
                Finding(
                    code="VALUE_NOT_FINITE",
                    found=f"{name} {words} = {wrong[0].words(tag)!r} in {file_words(wrong[0])}{others}",
                    expected="finite numbers",
                    remedy="export the file again",
                    where=where,
                    keyword=name,
                    tag=words,
                )
            )
    return tuple(findings)


def _is_finite(instance: Instance, tag: int, checked: dict[bytes, bool]) -> bool:
    value = instance.values.get(tag)
    if value is None:
        return True
    if value not in checked:
        try:
            checked[value] = all(math.isfinite(number) for number in instance.numbers(tag))
        except ValueError:
            checked[value] = False
    return checked[value]


def place_words(instance: Instance) -> str:
    """Return which slice it is, for a person: InstanceNumber, frame and path."""
    return f"instance {instance.text(TAG['InstanceNumber']) or 'without number'}, {file_words(instance)}"


def file_words(instance: Instance) -> str:
    """Return where a header was read: the path, and which frame of it."""
    return f"frame {instance.frame} of {instance.path}" if instance.frame else instance.path


def unit_words(instances: Sequence[Instance]) -> str:
    """Return what instances are: files, or frames of files."""
    return "frames" if instances[0].frame else "files"
