"""Volume objects are the instances that are slices of a scan; the others in a PET series only look like it.

Projections, captures and screenshots carry Modality PT and the right patient, and no activity per voxel.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from petquant.dicom.scan import Instance
from petquant.dicom.series import Series
from petquant.dicom.tags import TAG
from petquant.errors import Finding

__all__ = ["is_reformatted", "volume_objects"]

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"  # and .7.1 to .7.4, the multi-frame ones

# Words within ImageType values, and the kind of object that they give away. DERIVED and SECONDARY alone
# give nothing away: 51 of 51 valid re-exported series carry them (suv.md section 4).
_IMAGE_TYPE_KINDS: Final = (
    ("MIP", "maximum intensity projection"),
    ("PROJECTION", "projection"),
    ("MAX_IP", "maximum intensity projection"),
    ("LOCALIZER", "localizer"),
    ("SCREEN", "screenshot"),
    ("CAPTURE", "screenshot"),
    ("VOLREN", "volume rendering"),
    ("VOLUME_RENDER", "volume rendering"),
    ("VRT", "volume rendering"),
    ("FUSION", "fused picture"),
    ("FUSED", "fused picture"),
)
_TELLING: Final = tuple(
    TAG[keyword] for keyword in ("SOPClassUID", "Modality", "SeriesType", "ImageType", "SamplesPerPixel")
)
_REFORMATTED: Final = ("REFORMATTED", "MPR", "CORONAL", "SAGITTAL", "OBLIQUE")


def volume_objects(series: Series, *, modality: str = "PT") -> tuple[Series, tuple[Finding, ...]]:
    """Return the series without what is no slice of a volume, and a flag that counts it by kind."""
    kept: list[Instance] = []
    kinds: Counter[str] = Counter()
    is_colour_normal = all(
        (instance.integer(TAG["SamplesPerPixel"]) or 1) > 1 for instance in series.instances
    )
    known: dict[tuple[object, ...], str] = {}
    for instance in series.instances:
        key = (instance.pixel_tag, *(instance.values.get(tag, b"") for tag in _TELLING))
        if key not in known:
            known[key] = _kind(instance, modality=modality, is_colour_normal=is_colour_normal)
        kind = known[key]
        if kind:
            kinds[kind] += 1
        else:
            kept.append(instance)
    if not kinds:
        return series, ()
    found = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    finding = Finding(code="SERIES_NOT_VOLUME", found=f"dropped: {found}", where=f"series {series.uid}")
    return series.of(tuple(kept)), (finding,)


def is_reformatted(series: Series) -> bool:
    """Whether the slices say that they were cut anew out of another volume, or are not axial."""
    instance = series.instances[0]
    words = " ".join(instance.texts(TAG["ImageType"])[2:]).upper()
    if any(word in words for word in _REFORMATTED):
        return True
    try:
        row = instance.numbers(TAG["ImageOrientationPatient"])
    except ValueError:
        return False
    if len(row) != 6:
        return False
    normal_z = row[0] * row[4] - row[1] * row[3]
    return abs(normal_z) < 0.5  # the normal is more than 60 degrees off the body axis


def _kind(instance: Instance, *, modality: str, is_colour_normal: bool) -> str:
    """Return what the instance is instead of a slice, "" when it is a slice."""
    sop_class_uid = instance.text(TAG["SOPClassUID"])
    if sop_class_uid == _SECONDARY_CAPTURE or sop_class_uid.startswith(_SECONDARY_CAPTURE + "."):
        return "secondary capture"
    if instance.text(TAG["Modality"]) != modality:
        return f"object of modality {instance.text(TAG['Modality']) or 'unknown'}"
    if not instance.pixel_tag:
        return "object without pixels"
    series_type = [word.upper() for word in instance.texts(TAG["SeriesType"])]
    if "REPROJECTION" in series_type[1:]:
        return "reprojection"
    # From the second value on the table of PS3.3 C.8.9.1 gives way to vendors' own words.
    for word in instance.texts(TAG["ImageType"]):
        for part, kind in _IMAGE_TYPE_KINDS:
            if part in word.upper().replace(" ", "_"):
                return kind
    if (instance.integer(TAG["SamplesPerPixel"]) or 1) > 1 and not is_colour_normal:
        return "colour picture"
    return ""
