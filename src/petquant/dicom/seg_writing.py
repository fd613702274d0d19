"""A DICOM SEG is written of regions that lie on the PET grid, and refers to the PET images that they lie on.

The same regions give the same bytes: UIDs are hashes, dates are those of the PET series. highdicom makes
the data set around frames of a single pixel, one for each slice that a region has voxels in; the true pixels
are then put in from the lists of voxels. So memory grows with the frames that are written, and never with
slices times regions. Source: DICOM PS3.3 sections A.51 and C.8.20.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.dataset import read_dataset
from petquant.dicom.derived import (
    PATIENT_AND_STUDY,
    content_at,
    encoded,
    hashed_uid,
    identify,
    long_string,
    number_after,
)
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.pet_classes import CLASSIC
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.scan import Instance
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG, tag_words
from petquant.errors import LimitReached, Refused, UnreadableInput
from petquant.grid import Grid
from petquant.roi import Roi
from petquant.version import __version__

__all__ = ["seg_bytes"]

Int = NDArray[np.int64]

_LARGEST: Final = 255  # MaximumFractionalValue: the stored number that means 1
_SEGMENTS: Final = 65_535  # SegmentNumber is a US
_HALF: Final = 0.5 - 1e-9  # roi.md section 3.1: from which weight on a voxel is inside
_FROM_SERIES: Final = 1_000  # added to the SeriesNumber of the PET


def seg_bytes(
    stack: Stack,
    rois: Sequence[Roi],
    *,
    grid: Grid,
    algorithm: str,
    label: str = "petquant",
    is_fractional: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Return the bytes of a DICOM SEG with one segment a region.

    Parameters
    ----------
    stack
        The PET that the SEG refers to: a file a slice, or frames of files.
    rois
        On the grid of the stack. They may overlap; one without a voxel is a segment without a frame.
    grid
        That of the stack.
    algorithm
        How the regions were made, in words: AlgorithmParameters, and shortened AlgorithmName.
    label
        ContentLabel (in capitals, at most 16 of them) and SeriesDescription.
    is_fractional
        FRACTIONAL with OCCUPANCY, ``stored = round(255 w)`` and at least 1, so that no voxel is lost; weights
        come back within 1/510, those below 1/255 as 1/255. Otherwise BINARY: the voxels with ``w >= 0.5``,
        or, when there is none, the first one of largest weight.
    limits
        The frames together hold at most as many voxels as a volume may.

    Returns
    -------
    A DICOM file. SegmentLabel is the name of the region (64 characters of it), TrackingID its
    `roi_id` and name. Of the patient only the Patient and Study modules of the source are in it.

    Raises
    ------
    Refused
        ROI_EMPTY when no region has a voxel; GEOMETRY_MISSING without a frame of reference.
    UnreadableInput
        When the first file of the stack cannot be read again; FORMAT_UNSUPPORTED for multi-frame images that
        were not opened into frames.
    LimitReached
        SIZE_LIMIT: more frames than `limits` allow, or more than 65,535 regions.
    """
    if stack.grid is None or stack.grid.shape != grid.shape:
        raise ValueError("regions on another grid than that of the stack")
    _require_images(stack.instances)
    inside = [_inside(roi, is_fractional=is_fractional) for roi in rois]
    if not any(voxels.size for voxels, _ in inside):
        raise Refused.of("ROI_EMPTY", "no region holds a voxel, and a SEG has at least one frame")
    in_slice = grid.shape[1] * grid.shape[2]
    slices = [np.unique(voxels // in_slice) for voxels, _ in inside]
    _require_size(slices, in_slice, limits)
    header = read_dataset(stack.instances[0].path, limits)
    identity = _identity(stack, rois, inside, words=(algorithm, label, str(is_fractional)))
    seg = _framed(
        _sources(stack, header, grid),
        slices,
        _descriptions(rois, algorithm, identity),
        identity=identity,
        words=(algorithm, label),
        at=content_at(stack.instances[0]),
        number=number_after(stack.instances[0], _FROM_SERIES),
        is_fractional=is_fractional,
    )
    _refer_to_frames(seg, stack.instances)
    _identify(seg, header, identity)
    seg.Rows, seg.Columns = grid.shape[1:]
    seg.SegmentsOverlap = "YES" if _overlap(inside) else "NO"
    seg.PixelData = _pixels(_frame_numbers(seg, grid), inside, in_slice=in_slice, is_fractional=is_fractional)
    return encoded(seg)


def _inside(roi: Roi, *, is_fractional: bool) -> tuple[Int, NDArray[np.uint8] | None]:
    """Return the voxels that are written, and what is stored of them when that is not 1."""
    weights = np.ones(roi.voxels.size) if roi.weights is None else roi.weights
    if is_fractional:
        return roi.voxels, np.clip(np.rint(weights * _LARGEST), 1, _LARGEST).astype(np.uint8)
    if roi.weights is None or not roi.voxels.size:
        return roi.voxels, None
    is_inside = weights >= _HALF
    if not is_inside.any():
        is_inside[weights.argmax()] = True
    return roi.voxels[is_inside], None


def _require_images(instances: Sequence[Instance]) -> None:
    for instance in instances:
        if instance.text(TAG["NumberOfFrames"]) not in {"", "1"}:
            raise UnreadableInput.of(
                "FORMAT_UNSUPPORTED", "a multi-frame PET", path=instance.path, expected="one image a file"
            )
    if not instances[0].text(TAG["FrameOfReferenceUID"]):
        raise Refused.of(
            "GEOMETRY_MISSING",
            "missing",
            expected="the space that the regions lie in",
            keyword="FrameOfReferenceUID",
            tag=tag_words(TAG["FrameOfReferenceUID"]),
            path=instances[0].path,
        )


def _require_size(slices: Sequence[Int], in_slice: int, limits: Limits) -> None:
    n = sum(of_one.size for of_one in slices) * in_slice
    if n > limits.volume_voxels:
        raise LimitReached.of(
            "SIZE_LIMIT", f"frames of {n} voxels together", expected=f"at most {limits.volume_voxels}"
        )
    if len(slices) > _SEGMENTS:
        raise LimitReached.of("SIZE_LIMIT", f"{len(slices)} regions", expected=f"at most {_SEGMENTS}")


def _identity(
    stack: Stack,
    rois: Sequence[Roi],
    inside: Sequence[tuple[Int, NDArray[np.uint8] | None]],
    *,
    words: Sequence[str],
) -> bytes:
    """Return the hash of all that the SEG says, from which its UIDs are made."""
    digest = hashlib.sha256()
    first = stack.instances[0]
    series, image = first.text(TAG["SeriesInstanceUID"]), first.text(TAG["SOPInstanceUID"])
    of_regions = (part for roi in rois for part in (roi.roi_id, roi.name))
    for word in (series, image, str(first.frame), __version__, *words, *of_regions):
        digest.update(f"{len(word)}:{word}".encode())
    for voxels, stored in inside:
        digest.update(np.int64(voxels.size).tobytes() + np.ascontiguousarray(voxels, "<i8").tobytes())
        if stored is not None:
            digest.update(stored.tobytes())
    return digest.digest()


def _sources(stack: Stack, header: Any, grid: Grid) -> list[Any]:
    """Return what highdicom needs of every PET image, as if it had a single pixel."""
    dataset = pydicom_of_today().Dataset
    first = stack.instances[0]
    thickness = _number(first, "SliceThickness") or grid.spacing_mm[0]
    sources = []
    for k, instance in enumerate(stack.instances):
        source = dataset()
        source.SOPClassUID = CLASSIC if instance.frame else instance.text(TAG["SOPClassUID"])
        source.SOPInstanceUID = _stand_in(k) if instance.frame else instance.text(TAG["SOPInstanceUID"])
        for keyword in ("Modality", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(source, keyword, first.text(TAG[keyword]))
        source.ImagePositionPatient = instance.numbers(TAG["ImagePositionPatient"])
        source.ImageOrientationPatient = first.numbers(TAG["ImageOrientationPatient"])
        source.PixelSpacing = first.numbers(TAG["PixelSpacing"])
        source.SliceThickness, source.SpacingBetweenSlices = thickness, grid.spacing_mm[0]
        source.Rows = source.Columns = 1
        sources.append(source)
    for keyword in PATIENT_AND_STUDY:
        setattr(sources[0], keyword, None)
    sources[0].PositionReferenceIndicator = header.get("PositionReferenceIndicator")
    return sources


def _stand_in(k: int) -> str:
    """Return the UID by which a frame goes as an image of its own until `_refer_to_frames`."""
    return f"2.25.{k + 1}"


def _refer_to_frames(seg: Any, instances: Sequence[Instance]) -> None:
    """Put file and frame in the place of every image that is a frame; files are named once."""
    frames = {_stand_in(k): instance for k, instance in enumerate(instances) if instance.frame}
    if not frames:
        return

    def named(item: Any) -> str:
        frame = frames.get(item.ReferencedSOPInstanceUID)
        if frame is not None:
            item.ReferencedSOPClassUID = frame.text(TAG["SOPClassUID"])
            item.ReferencedSOPInstanceUID = frame.text(TAG["SOPInstanceUID"])
        return str(item.ReferencedSOPInstanceUID)

    for group in seg.PerFrameFunctionalGroupsSequence:
        for item in group.DerivationImageSequence[0].SourceImageSequence:
            frame = frames.get(item.ReferencedSOPInstanceUID)
            if frame is not None:
                item.ReferencedFrameNumber = frame.frame
            named(item)
    seg.SourceImageSequence = list({named(item): item for item in seg.SourceImageSequence}.values())
    for series in seg.ReferencedSeriesSequence:
        items = series.ReferencedInstanceSequence
        series.ReferencedInstanceSequence = list({named(item): item for item in items}.values())


def _number(instance: Instance, keyword: str) -> float:
    """Return a positive number, or 0."""
    try:
        numbers = instance.numbers(TAG[keyword])
    except ValueError:
        return 0.0
    return numbers[0] if len(numbers) == 1 and 0 < numbers[0] < np.inf else 0.0


def _descriptions(rois: Sequence[Roi], algorithm: str, identity: bytes) -> list[Any]:
    import highdicom  # noqa: PLC0415 - takes a second to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415 - the same

    method = highdicom.AlgorithmIdentificationSequence(
        name=long_string(algorithm, "petquant"),
        family=codes.cid7162.HistogramAnalysis,  # by voxel values; the context group has no nearer
        version=__version__,
        source="petquant",
        parameters={"method": algorithm},
    )
    return [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=long_string(roi.name, f"region {roi.roi_id}"),
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type="SEMIAUTOMATIC",
            algorithm_identification=method,
            tracking_uid=hashed_uid(identity, f"region {number}"),
            tracking_id=_called(roi),
        )
        for number, roi in enumerate(rois, start=1)
    ]


def _called(roi: Roi) -> str:
    """Return number and name: one alone need not be unique, or say anything."""
    name = "" if roi.name == roi.roi_id else " " + re.sub(r"[\x00-\x1f\x7f]", " ", roi.name).strip()
    return f"{roi.roi_id}{name}"


def _framed(
    sources: Sequence[Any],
    slices: Sequence[Int],
    descriptions: Sequence[Any],
    *,
    identity: bytes,
    words: tuple[str, str],
    at: datetime,
    number: int,
    is_fractional: bool,
) -> Any:
    """Return the SEG with one pixel a frame, for every slice of every region that has voxels there."""
    import highdicom  # noqa: PLC0415 - takes a second to import

    algorithm, label = words
    has_voxels = np.zeros((len(sources), 1, 1, len(slices)), np.bool_)
    for segment, of_one in enumerate(slices):
        has_voxels[of_one, 0, 0, segment] = True
    return highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=has_voxels,
        segmentation_type="FRACTIONAL" if is_fractional else "BINARY",
        fractional_type="OCCUPANCY",
        max_fractional_value=_LARGEST,
        segment_descriptions=descriptions,
        series_instance_uid=hashed_uid(identity, "series"),
        sop_instance_uid=hashed_uid(identity, "instance"),
        series_number=number,
        instance_number=1,
        manufacturer="petquant",
        manufacturer_model_name="petquant",
        software_versions=__version__,
        device_serial_number="petquant",
        content_label=re.sub(r"[^A-Z0-9_ ]", "_", label.upper())[:16].strip() or "PETQUANT",
        content_description=long_string(algorithm, "petquant"),
        series_description=long_string(label, "petquant"),
        specific_character_set="ISO_IR 192",
        content_date=at.date(),
        content_time=at.time(),
        series_date=at.date(),
        series_time=at.time(),
    )


def _identify(seg: Any, header: Any, identity: bytes) -> None:
    """Give the SEG its patient and study, and take away what chance put in."""
    identify(seg, header)
    seg.ContentCreatorName = None  # type 2, and highdicom leaves it out
    organization = hashed_uid(identity, "dimensions")
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _overlap(inside: Sequence[tuple[Int, NDArray[np.uint8] | None]]) -> bool:
    voxels = np.concatenate([of_one for of_one, _ in inside])
    return np.unique(voxels).size < voxels.size


def _frame_numbers(seg: Any, grid: Grid) -> Iterator[Int]:
    """Yield for every segment (nk,) the frame of each slice, -1 where it has none."""
    normal = grid.directions[:, 0]
    along = grid.position_mm([(k, 0, 0) for k in range(grid.shape[0])]) @ normal
    items = seg.PerFrameFunctionalGroupsSequence
    places = np.array([item.PlanePositionSequence[0].ImagePositionPatient for item in items], np.float64)
    offset = np.abs((places @ normal)[:, None] - along)
    slices = offset.argmin(axis=1)
    segments = np.array([item.FrameContentSequence[0].DimensionIndexValues[0] for item in items])
    for segment in range(1, len(seg.SegmentSequence) + 1):
        frames = np.full(grid.shape[0], -1, np.int64)
        own = np.flatnonzero(segments == segment)
        frames[slices[own]] = own
        yield frames


def _pixels(
    frames: Iterator[Int],
    inside: Sequence[tuple[Int, NDArray[np.uint8] | None]],
    *,
    in_slice: int,
    is_fractional: bool,
) -> bytes:
    """Return the pixels of all frames: bytes, or bits that follow each other, lowest first (PS3.5 8.1.1)."""
    n = sum(np.unique(voxels // in_slice).size for voxels, _ in inside) * in_slice
    content = np.zeros(n + n % 2 if is_fractional else 2 * ((n + 15) // 16), np.uint8)
    for of_slice, (voxels, stored) in zip(frames, inside, strict=True):
        at = of_slice[voxels // in_slice] * in_slice + voxels % in_slice
        if stored is not None:
            content[at] = stored
        else:
            np.add.at(content, at >> 3, np.left_shift(1, at & 7).astype(np.uint8))
    return content.tobytes()
