"""A DICOM SEG holds segments as frames of pixels: bits, fractions, or the numbers of a label map.

Every segment is a region; segments that overlap stay overlapping, frames that are absent are empty. Source:
DICOM PS3.3 sections A.51 (Segmentation IOD) and C.8.20 (Segmentation modules).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.belonging import PetFacts, belonging
from petquant.dicom.dataset import read_dataset
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.seg_frames import Frame, Placement, placed
from petquant.dicom.seg_groups import frames_of, references_of
from petquant.dicom.seg_pixels import planes
from petquant.errors import Finding, LimitReached, PetquantError, UnreadableInput
from petquant.grid import SAME_FRACTION, Grid
from petquant.roi import Reading, Roi, RoiSet

__all__ = ["SEG_CLASSES", "read_seg"]

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Kind = Literal["BINARY", "OCCUPANCY", "PROBABILITY", "LABELMAP"]

SEG_CLASSES: Final = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")

_ROUNDING: Final = 1e-9  # of a stored fraction compared with a threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    """What the stored numbers are.

    Attributes
    ----------
    kind
        SegmentationType, or SegmentationFractionalType of a fractional one.
    largest
        MaximumFractionalValue: the stored number that means 1.
    background
        Stored number of a label map that is no segment.
    threshold
        From which probability on a voxel is inside.
    """

    kind: Kind
    largest: int = 1
    background: int = 0
    threshold: float = 0.5

    @property
    def source(self) -> str:
        """How the regions came about, in words."""
        return {
            "BINARY": "DICOM SEG",
            "LABELMAP": "DICOM SEG label map",
            "OCCUPANCY": "DICOM SEG, fractional occupancy",
            "PROBABILITY": f"DICOM SEG, probability >= {self.threshold:g}",
        }[self.kind]


def read_seg(
    path: Path | str,
    *,
    onto: Grid,
    pet: PetFacts,
    reading: Reading | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> RoiSet:
    """Return the segments of a DICOM SEG, on the PET grid when its frames are slices of the PET.

    Parameters
    ----------
    path
        Segmentation Storage or Label Map Segmentation Storage.
    onto
        The PET grid. The result lies on it (the same object) or on the grid of the frames.
    pet
        What the SEG is held against.
    reading
        The threshold of probabilities, and what is passed over on request.
    limits
        Bounds of one read.

    Returns
    -------
    Regions in the order of SegmentSequence, also those without a voxel. A region whose frames lie farther off
    their slices than a hundredth of the smallest spacing carries ROI_GRID_SNAPPED.

    Raises
    ------
    UnreadableInput
        FILE_NOT_UNDERSTOOD, FILE_TRUNCATED, FORMAT_UNSUPPORTED, PIXELS_UNSUPPORTED, DECODER_MISSING.
    Refused
        FRAME_OF_REFERENCE_DIFFERS, PATIENT_ID_DIFFERS, ROI_FRAMES_UNPLACED, LOSSY_COMPRESSION.
    LimitReached
        SIZE_LIMIT, INFLATION_LIMIT.
    """
    path = os.fspath(path)
    try:
        return _read(
            path, read_dataset(path, limits), onto=onto, pet=pet, reading=reading or Reading(), limits=limits
        )
    except PetquantError:
        raise
    except Exception as error:  # pydicom raises whatever a broken file leads it to, at any value
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD", f"not a SEG that can be read: {error}", path=path, remedy="export again"
        ) from error


def _read(path: str, ds: Any, *, onto: Grid, pet: PetFacts, reading: Reading, limits: Limits) -> RoiSet:
    meaning = _meaning(ds, reading, path)
    items = list(ds.get("PerFrameFunctionalGroupsSequence") or ())
    n = int(ds.get("NumberOfFrames") or 1)
    shape = (int(ds.Rows), int(ds.Columns))
    if n * shape[0] * shape[1] > limits.volume_voxels:
        raise LimitReached.of(
            "SIZE_LIMIT",
            f"{n} frames of {shape[0]} x {shape[1]} voxels",
            expected=f"at most {limits.volume_voxels}",
            path=path,
        )
    if len(items) != n:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD",
            f"{n} frames, and places of {len(items)}",
            expected="PerFrameFunctionalGroupsSequence with one item a frame",
            path=path,
        )
    frames = frames_of(ds, items, is_label_map=meaning.kind == "LABELMAP")
    flags = belonging(
        pet,
        frame_of_reference_uid=str(ds.get("FrameOfReferenceUID") or ""),
        patient_id=str(ds.get("PatientID") or "").strip(),
        references=references_of(ds, frames),
        reading=reading,
        path=path,
    )
    if not n:
        return RoiSet(grid=onto, rois=tuple(_rois(ds, {}, {}, meaning, ())), findings=flags)
    at = placed(frames, shape, onto=onto, slices=pet.slices, max_voxels=limits.volume_voxels, path=path)
    in_slice = shape[0] * shape[1]
    parts = _parts(frames, at, planes(ds, n, in_slice, path), meaning, in_slice=in_slice, path=path)
    snapped = _snapped_mm(frames, at, parts)
    if snapped:
        worst = max(snapped.values())
        flags += (
            Finding(
                code="ROI_GRID_SNAPPED",
                found=f"frames lie up to {worst:.3g} mm off the PET slices",
                path=path,
            ),
        )
    return RoiSet(
        grid=at.grid,
        rois=tuple(_rois(ds, parts, snapped, meaning, tuple(flag.code for flag in flags))),
        findings=flags,
    )


def _meaning(ds: Any, reading: Reading, path: str) -> _Meaning:
    """Return what the stored numbers mean.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED, FILE_NOT_UNDERSTOOD.
    """
    uid = str(ds.get("SOPClassUID") or "")
    if uid not in SEG_CLASSES:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED", f"SOP class {uid}", expected="a DICOM SEG of voxels", path=path
        )
    kind = str(ds.get("SegmentationType") or "")
    if uid == SEG_CLASSES[1] or kind == "LABELMAP":
        padding = ds.get("PixelPaddingValue")
        return _Meaning(kind="LABELMAP", background=0 if padding is None else int(padding))
    if kind == "BINARY":
        return _Meaning(kind="BINARY")
    fractional = str(ds.get("SegmentationFractionalType") or "")
    largest = int(ds.get("MaximumFractionalValue") or 0)
    if kind != "FRACTIONAL" or fractional not in {"OCCUPANCY", "PROBABILITY"} or largest < 1:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD",
            f"SegmentationType {kind or 'absent'}, SegmentationFractionalType {fractional or 'absent'}, "
            f"MaximumFractionalValue {largest or 'absent'}",
            expected="BINARY, LABELMAP, or FRACTIONAL with OCCUPANCY or PROBABILITY and its maximum",
            path=path,
        )
    return _Meaning(
        kind="OCCUPANCY" if fractional == "OCCUPANCY" else "PROBABILITY",
        largest=largest,
        threshold=reading.probability_threshold,
    )


def _parts(
    frames: Sequence[Frame],
    at: Placement,
    stored: Iterator[NDArray[np.generic]],
    meaning: _Meaning,
    *,
    in_slice: int,
    path: str,
) -> dict[int, list[tuple[int, Int, Float | None]]]:
    """Return for each segment its slices: k, flat voxels ascending, weights."""
    parts: dict[int, list[tuple[int, Int, Float | None]]] = {}
    for frame, k, plane in zip(frames, at.slices.tolist(), stored, strict=True):
        pixels = np.flatnonzero(plane != meaning.background)
        if meaning.kind == "LABELMAP":
            values = plane[pixels]
            for label in np.unique(values).tolist():
                parts.setdefault(label, []).append((k, pixels[values == label] + k * in_slice, None))
            continue
        weights = None
        if meaning.kind in {"OCCUPANCY", "PROBABILITY"}:
            numbers = plane[pixels].astype(np.float64)
            if pixels.size and numbers.max() > meaning.largest:
                raise UnreadableInput.of(
                    "FILE_NOT_UNDERSTOOD",
                    f"a stored fraction of {numbers.max():g}",
                    expected=f"at most MaximumFractionalValue, {meaning.largest}",
                    path=path,
                )
            weights = numbers / meaning.largest
        if weights is not None and meaning.kind == "PROBABILITY":
            pixels, weights = pixels[weights >= meaning.threshold - _ROUNDING], None
        if pixels.size:
            parts.setdefault(frame.segment, []).append((k, pixels + k * in_slice, weights))
    return parts


def _snapped_mm(
    frames: Sequence[Frame], at: Placement, parts: dict[int, list[tuple[int, Int, Float | None]]]
) -> dict[int, float]:
    """Return the largest offset of each segment whose frames are not quite on their slices."""
    limit_mm = SAME_FRACTION * min(at.grid.spacing_mm)
    worst: dict[int, float] = {}
    for frame, offset_mm in zip(frames, at.offsets_mm.tolist(), strict=True):
        if offset_mm > limit_mm:
            for number in [frame.segment] if frame.segment else list(parts):
                worst[number] = max(offset_mm, worst.get(number, 0.0))
    return worst


def _rois(
    ds: Any,
    parts: dict[int, list[tuple[int, Int, Float | None]]],
    snapped_mm: dict[int, float],
    meaning: _Meaning,
    flags: Sequence[str],
) -> Iterator[Roi]:
    """Yield the segments: those described, in their order, then those that only frames name."""
    names: dict[int, str] = {}
    for item in ds.get("SegmentSequence") or ():
        label = item.get("SegmentLabel") or item.get("SegmentDescription") or ""
        names.setdefault(int(item.SegmentNumber), str(label).strip())
    if meaning.kind == "LABELMAP":
        names.pop(meaning.background, None)
    for number in dict.fromkeys([*names, *sorted(parts)]):
        found = sorted(parts.get(number, ()), key=lambda part: part[0])
        weights = [weight for _, _, weight in found if weight is not None]
        all_weights = np.concatenate(weights) if weights else None
        yield Roi(
            roi_id=str(number),
            name=names.get(number) or f"segment {number}",
            source=meaning.source,
            voxels=np.concatenate([voxels for _, voxels, _ in found]) if found else np.empty(0, np.int64),
            weights=None if all_weights is None or (all_weights == 1).all() else all_weights,
            flags=tuple(code for code in flags if code != "ROI_GRID_SNAPPED" or number in snapped_mm),
        )
