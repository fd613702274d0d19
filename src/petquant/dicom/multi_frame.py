"""A multi-frame PET image is opened into one instance a frame, so that a frame is what a classic slice is.

Every frame has the header of its file, with what the functional groups state of it under the classic tags,
and its own place among the pixels. Headers only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from petquant.dicom.enhanced import enhanced_frame
from petquant.dicom.functional_groups import groups_of
from petquant.dicom.legacy_converted import legacy_frame
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.pet_classes import MULTI_FRAME, is_enhanced
from petquant.dicom.scan import Instance
from petquant.dicom.tags import PIXEL_TAGS, TAG, tag_words
from petquant.dicom.transfer_syntax import is_encapsulated
from petquant.errors import LimitReached, PetquantError, UnreadableInput

__all__ = ["frames_of"]

_GROUPS: Final = (TAG["SharedFunctionalGroupsSequence"], TAG["PerFrameFunctionalGroupsSequence"])


def frames_of(whole: Instance, limits: Limits = DEFAULT_LIMITS) -> tuple[Instance, ...]:
    """Return one instance for every frame; the instance itself when it is no multi-frame PET image.

    Raises
    ------
    UnreadableInput
        When the functional groups cannot be read, or the pixels are not those of as many frames.
    LimitReached
        When there are more frames than `limits` allow.
    """
    if whole.text(TAG["SOPClassUID"]) not in MULTI_FRAME or not whole.pixel_tag:
        return (whole,)
    declared = whole.text(TAG["NumberOfFrames"])
    if declared.isdecimal() and int(declared) > limits.frames:
        raise LimitReached.of(
            "SIZE_LIMIT", f"{declared} frames", expected=f"at most {limits.frames}", path=whole.path
        )
    header_of = enhanced_frame if is_enhanced(whole) else legacy_frame
    try:
        groups = groups_of(whole)
        n_bytes = _frame_bytes(whole, len(groups))
        frames = []
        for index, own in enumerate(groups):
            header = header_of(whole, own)
            values = {tag: value for tag, value in header.values.items() if tag not in _GROUPS}
            values[TAG["NumberOfFrames"]] = b"1"
            frames.append(
                replace(
                    whole,
                    values=values,
                    origins=header.origins,
                    pixel_offset=whole.pixel_offset + index * n_bytes,
                    pixel_length=n_bytes or whole.pixel_length,
                    findings=(*whole.findings, *(replace(one, path=whole.path) for one in header.findings)),
                    frame=index + 1,
                    whole=whole,
                    mapped=header.mapped,
                )
            )
    except ValueError as error:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD",
            str(error),
            path=whole.path,
            expected="functional groups of every frame that fit into each other",
            remedy="export the file again",
            keyword="PerFrameFunctionalGroupsSequence",
            tag=tag_words(TAG["PerFrameFunctionalGroupsSequence"]),
        ) from error
    return tuple(frames)


def _frame_bytes(whole: Instance, n_frames: int) -> int:
    """Return the bytes of one frame; 0 when pixels are encapsulated or their format says no size."""
    rows, columns = whole.integer(TAG["Rows"]), whole.integer(TAG["Columns"])
    bits = whole.integer(TAG["BitsAllocated"])
    if is_encapsulated(whole.transfer_syntax) or not rows or not columns or not bits or bits % 8:
        return 0
    n_bytes = rows * columns * (bits // 8) * (whole.integer(TAG["SamplesPerPixel"]) or 1)
    declared = whole.pixel_length
    if declared < n_frames * n_bytes:
        raise _of_another_length("FILE_TRUNCATED", whole, n_frames * n_bytes)
    if declared > n_frames * n_bytes + (n_frames * n_bytes & 1):
        raise _of_another_length("FILE_NOT_UNDERSTOOD", whole, n_frames * n_bytes)
    return n_bytes


def _of_another_length(code: str, whole: Instance, n_bytes: int) -> PetquantError:
    return UnreadableInput.of(
        code,
        f"{PIXEL_TAGS[whole.pixel_tag]} {tag_words(whole.pixel_tag)} has {whole.pixel_length} bytes",
        path=whole.path,
        expected=f"{n_bytes} bytes, as frames, rows, columns and bits need",
        remedy="export the file again",
    )
