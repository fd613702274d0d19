"""A stack is the slices of one volume in order, with their grid and their own slopes; headers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.consistency import file_words, mixed_values, not_finite, place_words, unit_words
from petquant.dicom.copies import are_copies
from petquant.dicom.geometry import Plane, grid_of, plane_of, positions_of
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.scan import Instance
from petquant.dicom.series import Series, merged
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.transfer_syntax import is_lossy
from petquant.errors import Finding, LimitReached
from petquant.grid import Grid

__all__ = ["Stack", "stack"]

Float = NDArray[np.float64]

_SAME_PLACE_MM: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Slices in order.

    Parameters
    ----------
    instances
        By k, which ascends along the slice normal; in the order of their coming when there is no grid.
    grid
        Where the voxels lie; None when the headers do not say, and then a finding refuses.
    slope, intercept
        (nk,) float64 of every slice; nan where a finding refuses.
    findings
        Flags and refusals; the caller raises.
    """

    instances: tuple[Instance, ...]
    grid: Grid | None
    slope: Float
    intercept: Float
    findings: tuple[Finding, ...]


def stack(series: Series, *, allow_incomplete: bool = False, limits: Limits = DEFAULT_LIMITS) -> Stack:
    """Return the slices of a series with one image a position, in order.

    Value problems become findings. Files are opened only where two claim one position.

    Raises
    ------
    LimitReached
        When the volume would have more voxels than `limits` allow.
    UnreadableInput
        When a doubled file cannot be read again.
    """
    where = f"series {series.uid}"
    instances = series.instances
    findings = [*merged(instances), *mixed_values(instances, where), *not_finite(instances, where)]
    plane, said = plane_of(instances[0], where)
    findings += said
    positions, said = positions_of(instances, where)
    findings += said
    grid = None
    if plane is not None and positions is not None:
        order = np.argsort(positions @ plane.normal, kind="stable")
        instances = tuple(instances[n] for n in order)
        instances, positions, said = _without_copies(instances, positions[order], plane, where)
        findings += said
        _require_size(len(instances), plane, limits)
        if not any(finding.code == "SLICE_DUPLICATED" for finding in said):
            grid, said = grid_of(positions, plane, instances, where)
            findings += said
    slope, intercept, said = _scales(instances, where)
    findings += said
    findings += _lossy(instances, where)
    findings += _count(instances, where, allow_incomplete=allow_incomplete)
    return Stack(instances=instances, grid=grid, slope=slope, intercept=intercept, findings=tuple(findings))


def _without_copies(
    instances: tuple[Instance, ...], positions_mm: Float, plane: Plane, where: str
) -> tuple[tuple[Instance, ...], Float, tuple[Finding, ...]]:
    """Return one instance a position, where the others are byte-equal; else what stands in one place."""
    along = positions_mm @ plane.normal
    close = np.diff(along) <= _SAME_PLACE_MM
    if not close.any():
        return instances, positions_mm, ()
    kept = [0]
    dropped: list[Instance] = []
    clashes: list[Finding] = []
    for n in range(1, len(instances)):
        if not close[n - 1]:
            kept.append(n)
        elif any(
            are_copies(instances[m], instances[n]) for m in kept if along[n] - along[m] <= _SAME_PLACE_MM
        ):
            dropped.append(instances[n])
        else:
            one = instances[kept[-1]]
            kept.append(n)
            clashes.append(
                Finding(
                    code="SLICE_DUPLICATED",
                    found=f"two images at {along[n]:.6g} mm on the slice axis: "
                    f"{place_words(one)}; {place_words(instances[n])}",
                    expected="one image at a position",
                    remedy="remove one of them",
                    where=where,
                )
            )
    findings = tuple(clashes[:8])
    if dropped:
        found = f"{len(dropped)} {unit_words(dropped)}, the first {file_words(dropped[0])}"
        findings += (Finding(code="COPY_DROPPED", found=found, where=where),)
    return tuple(instances[n] for n in kept), positions_mm[kept], findings


def _require_size(nk: int, plane: Plane, limits: Limits) -> None:
    n = nk * plane.shape[0] * plane.shape[1]
    if n > limits.volume_voxels:
        raise LimitReached.of("SIZE_LIMIT", f"{n} voxels", expected=f"at most {limits.volume_voxels}")


def _scales(instances: Sequence[Instance], where: str) -> tuple[Float, Float, tuple[Finding, ...]]:
    """Return slope and intercept of every slice, and what is wrong or unusual about them."""
    slope = np.array([_single(instance, "RescaleSlope") for instance in instances])
    intercept = np.array([_single(instance, "RescaleIntercept", absent=0.0) for instance in instances])
    findings: tuple[Finding, ...] = ()
    wrong = np.flatnonzero(~(np.isfinite(slope) & (slope > 0)))
    if wrong.size:
        first = instances[wrong[0]]
        others = f" (and {wrong.size - 1} more {unit_words(instances)})" if wrong.size > 1 else ""
        text = first.words(TAG["RescaleSlope"])
        keyword, tag = first.name(TAG["RescaleSlope"])
        findings += (
            Finding(
                code="RESCALE_SLOPE_INVALID",
                found=f"{keyword} {tag} is {repr(text) if text else 'absent'} in {file_words(first)}{others}",
                expected="a positive number",
                remedy="export again",
                where=where,
                keyword=keyword,
                tag=tag,
            ),
        )
        slope[wrong] = np.nan
    shifted = np.flatnonzero(np.isfinite(intercept) & (intercept != 0))
    if shifted.size:
        first = instances[shifted[0]]
        keyword, tag = first.name(TAG["RescaleIntercept"])
        findings += (
            Finding(
                code="RESCALE_INTERCEPT_NONZERO",
                found=f"{keyword} {tag} is {intercept[shifted[0]]:.7g} in {shifted.size} slices"
                f", the first {file_words(first)}",
                expected="0",
                where=where,
                keyword=keyword,
                tag=tag,
            ),
        )
    return slope, intercept, findings


def _single(instance: Instance, keyword: str, *, absent: float = math.nan) -> float:
    try:
        numbers = instance.numbers(TAG[keyword])
    except ValueError:
        return math.nan
    if not numbers:
        return absent
    return numbers[0] if len(numbers) == 1 else math.nan


def _lossy(instances: Sequence[Instance], where: str) -> tuple[Finding, ...]:
    for instance in instances:
        if is_lossy(instance.transfer_syntax):
            found = f"transfer syntax {instance.transfer_syntax} in {instance.path}"
        elif instance.text(TAG["LossyImageCompression"]) == "01":
            found = f"LossyImageCompression (0028,2110) is 01 in {instance.path}"
        else:
            continue
        return (
            Finding(
                code="LOSSY_COMPRESSION",
                found=found,
                expected="lossless pixels",
                remedy="use the original images",
                where=where,
                keyword="LossyImageCompression",
                tag=tag_words(TAG["LossyImageCompression"]),
            ),
        )
    return ()


def _count(instances: Sequence[Instance], where: str, *, allow_incomplete: bool) -> tuple[Finding, ...]:
    """Return a finding when NumberOfSlices is there and another number of slices is.

    One slice alone is no volume that could pass for whole; it is flagged and measured as what it is.
    """
    declared = {instance.integer(TAG["NumberOfSlices"]) for instance in instances} - {None}
    if not declared or declared == {len(instances)}:
        return ()
    listed = ", ".join(str(number) for number in sorted(number for number in declared if number is not None))
    return (
        Finding(
            code="INCOMPLETE_ALLOWED" if allow_incomplete or len(instances) == 1 else "SERIES_INCOMPLETE",
            found=f"{len(instances)} slices, NumberOfSlices (0054,0081) is {listed}",
            expected=f"{listed} slices",
            remedy="complete the series, or --allow-incomplete",
            where=where,
            keyword="NumberOfSlices",
            tag=tag_words(TAG["NumberOfSlices"]),
        ),
    )
