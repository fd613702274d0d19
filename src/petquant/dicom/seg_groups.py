"""Functional groups state the place, spacing, segment and source of frames, one by one or for all at once.

Source: DICOM PS3.3 section C.7.6.16 (Multi-frame Functional Groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from petquant.dicom.seg_frames import Frame

__all__ = ["frames_of", "references_of"]

_GROUPS: Final = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "SegmentIdentificationSequence",
)


def frames_of(ds: Any, items: Sequence[Any], *, is_label_map: bool) -> list[Frame]:
    """Return what every frame states of its place; what it does not state itself, all frames share."""
    shared = next(iter(ds.get("SharedFunctionalGroupsSequence") or ()), None)
    common = {} if shared is None else {name: _group(shared, name) for name in _GROUPS}
    frames = []
    for item in items:
        of = {name: _group(item, name) or common.get(name) for name in _GROUPS}
        measures = of["PixelMeasuresSequence"]
        number = 0 if is_label_map else _segment(of["SegmentIdentificationSequence"])
        frames.append(
            Frame(
                segment=number,
                position_mm=_floats(of["PlanePositionSequence"], "ImagePositionPatient"),
                cosines=_floats(of["PlaneOrientationSequence"], "ImageOrientationPatient"),
                spacing_mm=_floats(measures, "PixelSpacing"),
                step_mm=sum(_floats(measures, "SpacingBetweenSlices")),
                thickness_mm=sum(_floats(measures, "SliceThickness")),
                references=tuple(_source_images(item)) or tuple(_source_images(shared)),
            )
        )
    return frames


def _segment(group: Any) -> int:
    if group is None:
        raise ValueError("a frame names no segment")
    return int(group.ReferencedSegmentNumber)


def _group(item: Any, name: str) -> Any:
    """Return the single item of a functional group, or None."""
    return next(iter(item.get(name) or ()), None)


def _floats(group: Any, keyword: str) -> tuple[float, ...]:
    """Return the finite numbers of an attribute; () when it is absent.

    Raises
    ------
    ValueError
        When one is not finite.
    """
    value = None if group is None else group.get(keyword)
    if value is None or value == "":
        return ()
    numbers = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{keyword} {numbers}")
    return numbers


def _source_images(item: Any) -> Iterator[str]:
    """Yield the SOP instances that a frame was derived from."""
    for derivation in () if item is None else item.get("DerivationImageSequence") or ():
        for image in derivation.get("SourceImageSequence") or ():
            yield str(image.ReferencedSOPInstanceUID)


def references_of(ds: Any, frames: Sequence[Frame]) -> set[str]:
    """Return all SOP instances that the file names as images of its own study."""
    named = {uid for frame in frames for uid in frame.references}
    for series in ds.get("ReferencedSeriesSequence") or ():
        named |= {str(one.ReferencedSOPInstanceUID) for one in series.get("ReferencedInstanceSequence") or ()}
    return named
