"""Geometry: from ImagePositionPatient, ImageOrientationPatient and PixelSpacing to slices in order on a grid.

The slice axis is the cross product of the row and column directions, and slices ascend along it, so that
k, j, i are right-handed in DICOM LPS for any orientation of the patient and any order of the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.consistency import file_words, place_words, unit_words
from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG, tag_words
from petquant.errors import Finding
from petquant.grid import Grid

__all__ = ["Plane", "grid_of", "plane_of", "positions_of"]

Float = NDArray[np.float64]

_UNIT: Final = 1e-3  # how far direction cosines may be off unit length and right angle
_EVEN: Final = 1e-3  # of a step: what rounding of decimal strings does
_UNEVEN: Final = 0.05  # of the median step: bed joins of real scanners are 3.19 and 3.29 among 3.27 mm
_MISSING: Final = 1.5  # median steps
_SHEAR: Final = 0.1  # of the smaller pixel spacing: how far slices may lie off one axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Directions and spacing within a slice.

    Attributes
    ----------
    row, column, normal
        Unit vectors in LPS: along a row (i grows), along a column (j grows), and their cross product.
    spacing_mm
        Between rows (j) and between columns (i).
    shape
        Rows and columns.
    """

    row: Float
    column: Float
    normal: Float
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]


def plane_of(instance: Instance, where: str) -> tuple[Plane | None, tuple[Finding, ...]]:
    """Return the plane of a slice, or what is missing of it or impossible in it."""
    findings = []
    cosines = _numbers(instance, "ImageOrientationPatient", 6)
    spacing = _numbers(instance, "PixelSpacing", 2)
    rows, columns = instance.integer(TAG["Rows"]), instance.integer(TAG["Columns"])
    if cosines is None or not _is_orthonormal(cosines):
        findings.append(
            _missing(instance, "ImageOrientationPatient", "two unit vectors at a right angle", where)
        )
    if spacing is None or not (spacing > 0).all():
        findings.append(_missing(instance, "PixelSpacing", "two positive numbers", where))
    if not rows:
        findings.append(_missing(instance, "Rows", "a positive number", where))
    if not columns:
        findings.append(_missing(instance, "Columns", "a positive number", where))
    if findings or cosines is None or spacing is None or not rows or not columns:
        return None, tuple(findings)
    row = cosines[:3] / np.linalg.norm(cosines[:3])
    normal = np.cross(row, cosines[3:])
    normal /= np.linalg.norm(normal)
    plane = Plane(
        row=row,
        column=np.cross(normal, row),
        normal=normal,
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        shape=(rows, columns),
    )
    return plane, ()


def positions_of(instances: Sequence[Instance], where: str) -> tuple[Float | None, tuple[Finding, ...]]:
    """Return (n, 3) positions in LPS mm, or which files have none."""
    positions = [_numbers(instance, "ImagePositionPatient", 3) for instance in instances]
    lacking = [one for one, position in zip(instances, positions, strict=True) if position is None]
    if lacking:
        return None, (
            _missing(lacking[0], "ImagePositionPatient", "three finite numbers", where, len(lacking)),
        )
    return np.array(positions, np.float64), ()


def grid_of(
    positions_mm: Float, plane: Plane, instances: Sequence[Instance], where: str
) -> tuple[Grid, tuple[Finding, ...]]:
    """Return the grid of slices that ascend along the normal, and what is to be said of their steps.

    Parameters
    ----------
    positions_mm
        (nk, 3), ascending along the normal, no two in one place.
    instances
        The slices in the same order, for words and, when there is one only, for its thickness.
    """
    along = (positions_mm - positions_mm[0]) @ plane.normal
    findings: tuple[Finding, ...] = _sheared(positions_mm, along, plane, where)
    slice_positions = None
    if len(instances) == 1:
        step, said = _thickness(instances[0], where)
        findings += said
    else:
        steps = np.diff(along)
        median = float(np.median(steps))
        step = float(along[-1] / (len(along) - 1))
        deviation = np.abs(along - step * np.arange(len(along))).max()
        if deviation > _EVEN * step or np.abs(steps - median).max() > _EVEN * median:
            slice_positions, step = along, median
            findings += _uneven(steps, median, positions_mm, instances, where)
    affine = np.eye(4)
    affine[:3, 0] = plane.normal * step
    affine[:3, 1] = plane.column * plane.spacing_mm[0]
    affine[:3, 2] = plane.row * plane.spacing_mm[1]
    affine[:3, 3] = positions_mm[0]
    shape = (len(instances), *plane.shape)
    return Grid(shape=shape, affine=affine, slice_positions_mm=slice_positions), findings


def _uneven(
    steps: Float, median: float, positions_mm: Float, instances: Sequence[Instance], where: str
) -> tuple[Finding, ...]:
    gaps = np.flatnonzero(steps > _MISSING * median)
    if gaps.size:
        listed = "; ".join(
            f"{steps[k]:.6g} mm between {_point(positions_mm[k])} and {_point(positions_mm[k + 1])}"
            f" ({place_words(instances[k])})"
            for k in gaps[:4]
        )
        found = f"{gaps.size} gap{'s' if gaps.size > 1 else ''} among steps of {median:.6g} mm: {listed}"
        return (
            Finding(
                code="SLICE_MISSING",
                found=found,
                expected=f"steps of {median:.6g} mm",
                remedy="complete the series",
                where=where,
            ),
        )
    worst = float(np.abs(steps - median).max())
    found = f"slice steps from {steps.min():.6g} to {steps.max():.6g} mm, median {median:.6g} mm"
    if worst > _UNEVEN * median:
        k = int(np.abs(steps - median).argmax())
        place = f", the worst between {_point(positions_mm[k])} and {_point(positions_mm[k + 1])}"
        return (
            Finding(
                code="SLICE_POSITIONS_UNEVEN",
                found=found + place,
                expected="steps within 5 % of the median",
                remedy="complete the series",
                where=where,
            ),
        )
    return (Finding(code="UNEVEN_SLICES", found=found, where=where),)


def _thickness(instance: Instance, where: str) -> tuple[float, tuple[Finding, ...]]:
    """Return the step that stands in for the one a single slice cannot have."""
    thickness = _numbers(instance, "SliceThickness", 1)
    if thickness is not None and thickness[0] > 0:
        step = float(thickness[0])
        return step, (Finding(code="SINGLE_SLICE", found=f"slice thickness {step:.6g} mm", where=where),)
    found = "one slice, and SliceThickness (0018,0050) is no positive number; 1 mm stands in"
    return 1.0, (Finding(code="SLICE_THICKNESS_MISSING", found=found, where=where),)


def _sheared(positions_mm: Float, along: Float, plane: Plane, where: str) -> tuple[Finding, ...]:
    """Return a finding when the slices do not lie behind each other."""
    aside = positions_mm - positions_mm[0] - along[:, None] * plane.normal
    distance = np.linalg.norm(aside, axis=1)
    if distance.max() <= _SHEAR * min(plane.spacing_mm):
        return ()
    k = int(distance.argmax())
    return (
        Finding(
            code="GEOMETRY_MISSING",
            found=f"{_point(positions_mm[k])}, {distance[k]:.4g} mm off the axis of the first slice",
            expected="slices behind each other",
            remedy="export again",
            where=where,
            keyword="ImagePositionPatient",
            tag=tag_words(TAG["ImagePositionPatient"]),
        ),
    )


def _numbers(instance: Instance, keyword: str, n: int) -> Float | None:
    """Return n finite numbers, or None."""
    try:
        numbers = np.array(instance.numbers(TAG[keyword]), np.float64)
    except ValueError:
        return None
    return numbers if numbers.shape == (n,) and np.isfinite(numbers).all() else None


def _is_orthonormal(cosines: Float) -> bool:
    row, column = cosines[:3], cosines[3:]
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    return bool(np.abs(lengths - 1).max() <= _UNIT and abs(row @ column) <= _UNIT)


def _missing(instance: Instance, keyword: str, expected: str, where: str, n: int = 1) -> Finding:
    tag = TAG[keyword]
    text = instance.text(tag) if keyword not in {"Rows", "Columns"} else str(instance.integer(tag) or "")
    value = repr(text) if text else "absent"
    others = f" (and {n - 1} more {unit_words([instance])})" if n > 1 else ""
    return Finding(
        code="GEOMETRY_MISSING",
        found=f"{keyword} {tag_words(tag)} is {value} in {file_words(instance)}{others}",
        expected=expected,
        remedy="export again",
        where=where,
        keyword=keyword,
        tag=tag_words(tag),
    )


def _point(position_mm: Float) -> str:
    return "(" + ", ".join(f"{number:.6g}" for number in position_mm) + ")"
