"""A label map names regions by whole numbers, 0 being no region; fractions mean what the reading says.

Only voxels that are not 0 come here, so that memory grows with the regions and not with the volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused, UnreadableInput
from petquant.roi import Reading, Roi, VoxelValues

__all__ = ["by_label", "frame_index", "regions_of", "whole_labels"]

Int = NDArray[np.int64]

LARGEST_LABEL = 2**32 - 1
WHOLE = 1e-3  # a float this near a whole number is that number (roi.md section 1)
ROUNDING = 1e-9  # of a value compared with a threshold


def regions_of(
    voxels: Int,
    values: NDArray[np.generic],
    path: Path,
    *,
    names: Mapping[int, str] | None = None,
    reading: Reading | None = None,
) -> tuple[Roi, ...]:
    """Return one region a label, ascending; or the one region that fractions describe.

    Parameters
    ----------
    voxels
        (n,) flat voxel numbers, ascending.
    values
        (n,) their values, not 0.
    path
        Of the file, for errors.
    names
        Names of labels; the others are called ``label N``.
    reading
        With occupancy or probability a map with fractions lies between 0 and 1 and is region 1. A map of
        whole numbers is a label map whatever the reading says.

    Raises
    ------
    UnreadableInput
        ROI_LABELS_INVALID: negative, NaN, infinite or above 2^32 - 1.
    Refused
        ROI_LABELS_FRACTIONAL: farther than 1e-3 from a whole number, and the reading does not say what that
        means, or above 1.
    """
    names = names or {}
    if reading is not None and reading.values is not None and _has_fractions(values):
        return _of_fractions(voxels, values, path, reading=reading, name=names.get(1, "label 1"))
    labels = whole_labels(values, path)
    is_labelled = labels > 0
    if not is_labelled.all():
        voxels, labels = voxels[is_labelled], labels[is_labelled]
    return tuple(
        Roi(roi_id=str(label), name=names.get(label, f"label {label}"), voxels=of_label)
        for label, of_label in by_label(voxels, labels)
    )


def whole_labels(values: NDArray[np.generic], path: Path) -> NDArray[np.integer]:
    """Return the values as labels, in the type that the file has where it holds whole numbers.

    Raises
    ------
    UnreadableInput, Refused
        As `regions_of` without a reading.
    """
    if values.dtype.kind == "f":
        numbers = _finite(values, path)
        whole = np.rint(numbers)
        is_fraction = np.abs(numbers - whole) > WHOLE
        if is_fraction.any():
            raise Refused.of(
                "ROI_LABELS_FRACTIONAL",
                f"{int(is_fraction.sum())} voxels hold a fraction, the first {numbers[is_fraction][0]:.6g}",
                expected="whole numbers",
                remedy="--roi-values occupancy or probability, for values from 0 to 1",
                path=str(path),
            )
        return whole.astype(np.int64)
    if values.dtype.itemsize == 8 or values.dtype.kind == "i":
        _reject((values < 0) | (values > LARGEST_LABEL), values, path)  # type: ignore[operator]
    return np.asarray(values, np.int64) if values.dtype.itemsize == 8 else cast("NDArray[np.integer]", values)


def by_label(voxels: Int, labels: NDArray[np.integer]) -> Iterator[tuple[int, Int]]:
    """Yield each label with its voxels, ascending.

    Neighbours in a row share a label as a rule, so that runs of them are sorted and not voxels.
    """
    if not len(labels):
        return
    run = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1])
    label_of = labels[run]
    narrow = label_of.astype(np.uint16) if label_of.max() < 2**16 else label_of  # 16 bits: sorted by counting
    order = np.argsort(narrow, kind="stable")
    lengths = np.diff(run, append=len(labels))[order]
    if len(run) < len(labels):
        ends = np.cumsum(lengths)
        place = np.arange(len(voxels))
        place += np.repeat(run[order] - ends + lengths, lengths)
        sizes = lengths
    else:
        place, sizes = order, np.ones(len(order), np.int64)
    voxels, label_of = voxels[place], label_of[order]
    first = np.concatenate([[0], np.flatnonzero(label_of[1:] != label_of[:-1]) + 1])
    ends = np.cumsum(np.add.reduceat(sizes, first))
    for label, start, end in zip(
        label_of[first].tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True
    ):
        yield label, voxels[start:end]


def frame_index(frames: int, frame: int | None, path: Path) -> int:
    """Return which of `frames` is meant, from 0.

    Raises
    ------
    Refused
        ROI_NOT_3D, when there are several and none, or none of them, was asked for.
    """
    if frame is None and frames == 1:
        return 0
    if frame is None or not 1 <= frame <= frames:
        asked = "" if frame is None else f", and frame {frame} was asked for"
        raise Refused.of(
            "ROI_NOT_3D",
            f"{frames} frame{'s' if frames > 1 else ''}{asked}",
            expected="one frame",
            remedy=f"--roi-frame N, from 1 to {frames}",
            path=str(path),
        )
    return frame - 1


def _has_fractions(values: NDArray[np.generic]) -> bool:
    if values.dtype.kind != "f":
        return False
    numbers = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):
        return bool((np.abs(numbers - np.rint(numbers)) > WHOLE).any())


def _of_fractions(
    voxels: Int, values: NDArray[np.generic], path: Path, *, reading: Reading, name: str
) -> tuple[Roi, ...]:
    """Return the one region of a map whose values lie between 0 and 1."""
    numbers = _finite(values, path)
    is_above = numbers > 1 + WHOLE
    if is_above.any():
        raise Refused.of(
            "ROI_LABELS_FRACTIONAL",
            f"{int(is_above.sum())} voxels hold more than 1, the first {numbers[is_above][0]:.6g}",
            expected=f"values from 0 to 1, as {reading.values} has them",
            path=str(path),
        )
    weights = np.minimum(numbers, 1.0)
    if reading.values is VoxelValues.PROBABILITY:
        threshold = reading.probability_threshold
        source = f"probability >= {threshold:g}"
        is_inside = weights >= threshold - ROUNDING
        roi = Roi(roi_id="1", name=name, voxels=voxels[is_inside], source=source)
    else:
        is_inside = weights > 0
        roi = Roi(
            roi_id="1",
            name=name,
            voxels=voxels[is_inside],
            weights=weights[is_inside],
            source="occupancy map",
        )
    return (roi,) if len(roi.voxels) else ()


def _finite(values: NDArray[np.generic], path: Path) -> NDArray[np.float64]:
    """Return the values as float64 when they may be labels or fractions."""
    numbers = np.asarray(values, np.float64)
    _reject(~np.isfinite(numbers) | (numbers < -WHOLE) | (numbers > LARGEST_LABEL + WHOLE), numbers, path)
    return numbers


def _reject(is_bad: NDArray[np.bool_], values: NDArray[np.generic], path: Path) -> None:
    if is_bad.any():
        raise UnreadableInput.of(
            "ROI_LABELS_INVALID",
            f"{int(is_bad.sum())} voxels hold no label, the first {values[is_bad][0]}",
            expected=f"whole numbers from 0 to {LARGEST_LABEL}",
            path=str(path),
        )
