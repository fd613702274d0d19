"""Frames of a segmentation are put on slices: by the image that each refers to, then by where it lies.

Their order in the file means nothing. When all of them are slices of the PET they are put on its grid;
otherwise on a grid of their own, whose absent slices are empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached, PetquantError, Refused
from petquant.grid import SNAP_FRACTION, Grid

__all__ = ["Frame", "Placement", "placed"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_DRIFT: Final = 0.5  # of the slice step: how far rounded steps may carry a frame off the slice it refers to
_SPACING: Final = 0.1  # of the PET's slice step: how far the frames' own step may differ from it
_LONE: Final = 1.5  # slice steps: thicker frames are not slices of the PET
_OVERLAP: Final = 0.49  # of the thickness: scanners overlap slices by half at most
_RUN: Final = 3  # gaps of one width that make it the slice step
_UNIT: Final = 1e-3  # how far direction cosines may be off unit length and right angle


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where one frame says that it lies.

    Attributes
    ----------
    segment
        Segment number; 0 of a label map, whose values are the numbers.
    position_mm, cosines, spacing_mm
        ImagePositionPatient, ImageOrientationPatient, PixelSpacing (rows, columns); empty when absent.
    step_mm, thickness_mm
        SpacingBetweenSlices and SliceThickness; 0 when absent.
    references
        SOP instance UIDs of the images that it was drawn on.
    """

    segment: int
    position_mm: tuple[float, ...] = ()
    cosines: tuple[float, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    step_mm: float = 0.0
    thickness_mm: float = 0.0
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Where the frames lie on one grid.

    Attributes
    ----------
    grid
        The PET's own (the same object), or that of the frames.
    slices
        (n frames,) slice k of each.
    offsets_mm
        (n frames,) how far the worst corner of a frame lies off its slice; 0 on a grid of their own.
    """

    grid: Grid
    slices: Int
    offsets_mm: Float


def placed(
    frames: Sequence[Frame],
    shape: tuple[int, int],
    *,
    onto: Grid,
    slices: Mapping[str, int],
    max_voxels: int,
    path: str,
) -> Placement:
    """Return the slice of every frame.

    Parameters
    ----------
    frames
        At least one.
    shape
        Rows and columns of every frame.
    onto
        The PET grid.
    slices
        Slice k of the SOP instances of the PET.
    max_voxels
        Bound of the frames' own grid.

    Raises
    ------
    Refused
        ROI_FRAMES_UNPLACED.
    LimitReached
        SIZE_LIMIT.
    """
    found = _on_pet(frames, shape, onto, slices, path) or _on_own(frames, shape, max_voxels, path)
    doubled = [
        key
        for key, times in Counter(
            (frame.segment, k) for frame, k in zip(frames, found.slices.tolist(), strict=True)
        ).items()
        if times > 1
    ]
    if doubled:
        raise _unplaced(f"{len(doubled)} slices hold two frames of one segment", path)
    return found


def _on_pet(
    frames: Sequence[Frame], shape: tuple[int, int], onto: Grid, slices: Mapping[str, int], path: str
) -> Placement | None:
    """Return the slices of the PET that the frames are, or None when some are not."""
    if shape != onto.shape[1:] or not _has_step_of(frames, onto):
        return None
    centres = onto.position_mm([(k, 0, 0) for k in range(onto.shape[0])])
    found: dict[tuple[object, ...], tuple[int, float] | None] = {}  # the frames of many segments lie alike
    at = []
    for number, frame in enumerate(frames, start=1):
        place = (frame.position_mm, frame.cosines, frame.spacing_mm, frame.references)
        if place not in found:
            found[place] = _slice_of(
                frame, number, shape=shape, onto=onto, centres=centres, slices=slices, path=path
            )
        on_slice = found[place]
        if on_slice is None:
            return None
        at.append(on_slice)
    if len({(frame.segment, k) for frame, (k, _) in zip(frames, at, strict=True)}) < len(frames):
        return None
    return Placement(
        grid=onto,
        slices=np.array([k for k, _ in at], np.int64),
        offsets_mm=np.array([offset_mm for _, offset_mm in at]),
    )


def _slice_of(
    frame: Frame,
    number: int,
    *,
    shape: tuple[int, int],
    onto: Grid,
    centres: Float,
    slices: Mapping[str, int],
    path: str,
) -> tuple[int, float] | None:
    """Return the PET slice that a frame is and how far its corners lie off, or None when it is none."""
    named = [slices[uid] for uid in frame.references if uid in slices]
    if not frame.position_mm:
        if len(set(named)) != 1:
            raise _unplaced(f"frame {number} has no position and refers to no single PET image", path)
        return named[0], 0.0
    if len(frame.position_mm) != 3 or not _is_plane(frame):
        raise _unplaced(f"frame {number} states no position, orientation or pixel spacing", path)
    limit_mm = SNAP_FRACTION * min(onto.spacing_mm)
    normal = onto.directions[:, 0]
    along = (centres - frame.position_mm) @ normal
    nearest = int(np.abs(along).argmin())
    k = min(named, key=lambda one: abs(along[one])) if named else nearest
    apart = _corners_of(frame, shape) - _corners_of_slice(onto, k)
    aside_mm = float(np.linalg.norm(apart - np.outer(apart @ normal, normal), axis=1).max())
    along_mm = float(np.abs(apart @ normal).max())
    if aside_mm > limit_mm or (not named and along_mm > limit_mm):
        return None
    if along_mm > _DRIFT * onto.spacing_mm[0]:
        if abs(along[nearest]) <= limit_mm:
            raise _unplaced(f"frame {number} refers to slice {k + 1} and lies on slice {nearest + 1}", path)
        return None
    return k, float(np.linalg.norm(apart, axis=1).max())


def _has_step_of(frames: Sequence[Frame], onto: Grid) -> bool:
    """Whether frames with a place follow each other as slices of the PET do, as far as they say."""
    step_mm = onto.spacing_mm[0]
    declared = {frame.step_mm for frame in frames if frame.step_mm > 0}
    if declared:
        return all(abs(one - step_mm) <= _SPACING * step_mm for one in declared)
    return all(frame.thickness_mm <= _LONE * step_mm for frame in frames)


def _corners_of(frame: Frame, shape: tuple[int, int]) -> Float:
    """(4, 3) positions of the corner voxel centres of a frame."""
    row, column = np.array(frame.cosines[:3]), np.array(frame.cosines[3:])
    between_rows, between_columns = frame.spacing_mm
    return np.array(
        [
            np.array(frame.position_mm) + column * between_rows * j + row * between_columns * i
            for j in (0, shape[0] - 1)
            for i in (0, shape[1] - 1)
        ]
    )


def _corners_of_slice(grid: Grid, k: int) -> Float:
    _, nj, ni = grid.shape
    return grid.position_mm([(k, j, i) for j in (0, nj - 1) for i in (0, ni - 1)])


def _on_own(frames: Sequence[Frame], shape: tuple[int, int], max_voxels: int, path: str) -> Placement:
    """Return the grid that the frames form by their positions."""
    for number, frame in enumerate(frames, start=1):
        if len(frame.position_mm) != 3 or not _is_plane(frame):
            raise _unplaced(f"frame {number} states no position, orientation or pixel spacing", path)
        if not np.allclose(frame.cosines, frames[0].cosines, atol=_UNIT) or not np.allclose(
            frame.spacing_mm, frames[0].spacing_mm, rtol=_UNIT
        ):
            raise _unplaced(f"frame {number} is turned or spaced unlike the first", path)
    row = np.array(frames[0].cosines[:3])
    normal = np.cross(row, frames[0].cosines[3:])
    normal /= np.linalg.norm(normal)
    positions = np.array([frame.position_mm for frame in frames])
    along = positions @ normal
    first = int(along.argmin())
    along = along - along[first]
    step_mm = _step_of(frames, along, path)
    n_steps = round(float(along.max()) / step_mm)
    if (n_steps + 1) * shape[0] * shape[1] > max_voxels:
        raise LimitReached.of(
            "SIZE_LIMIT",
            f"frames span {n_steps + 1} slices of {shape[0]} x {shape[1]} voxels",
            expected=f"at most {max_voxels} voxels",
            path=path,
        )
    step_mm = float(along.max()) / n_steps if n_steps else step_mm
    ks = np.rint(along / step_mm)
    limit_mm = SNAP_FRACTION * min(step_mm, *frames[0].spacing_mm)
    column = np.cross(normal, row)
    expected = positions[first] + np.outer(ks * step_mm, normal)
    off_mm = np.linalg.norm(positions - expected, axis=1)
    if off_mm.max() > limit_mm:
        worst = int(off_mm.argmax())
        raise _unplaced(
            f"frame {worst + 1} lies {off_mm[worst]:.4g} mm off the stack of steps of {step_mm:.6g} mm", path
        )
    affine = np.eye(4)
    affine[:3, 0] = normal * step_mm
    affine[:3, 1] = column * frames[0].spacing_mm[0]
    affine[:3, 2] = row * frames[0].spacing_mm[1]
    affine[:3, 3] = positions[first]
    return Placement(
        grid=Grid(shape=(n_steps + 1, *shape), affine=affine),
        slices=ks.astype(np.int64),
        offsets_mm=np.zeros(len(frames)),
    )


def _is_plane(frame: Frame) -> bool:
    if len(frame.cosines) != 6 or len(frame.spacing_mm) != 2 or min(frame.spacing_mm) <= 0:
        return False
    row, column = np.array(frame.cosines[:3]), np.array(frame.cosines[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    return bool(np.abs(lengths - 1).max() <= _UNIT and abs(row @ column) <= _UNIT)


def _step_of(frames: Sequence[Frame], along: Float, path: str) -> float:
    """Return the slice step: as stated, else by the gaps between frames and their thickness.

    Absent frames make gaps of several steps. A gap that is some thicknesses wide and comes up seldom is taken
    for that; one of less than half a thickness is no step.
    """
    stated = {frame.step_mm for frame in frames if frame.step_mm > 0}
    if stated:
        return float(np.median(list(stated)))
    thickness_mm = frames[0].thickness_mm
    gaps = np.diff(np.unique(np.round(along, 4)))
    if not gaps.size:
        if thickness_mm > 0:
            return thickness_mm
        raise _unplaced("one slice that states no thickness", path)
    smallest = float(gaps.min())
    if smallest < _OVERLAP * thickness_mm:
        raise _unplaced(f"frames {smallest:.4g} mm apart that are {thickness_mm:.4g} mm thick", path)
    if thickness_mm > 0 and smallest > _LONE * thickness_mm:
        is_run = np.isclose(gaps, smallest, rtol=_SPACING).sum() >= _RUN
        return smallest if is_run else thickness_mm
    return smallest


def _unplaced(found: str, path: str) -> PetquantError:
    return Refused.of(
        "ROI_FRAMES_UNPLACED",
        found,
        expected="frames that are slices of the PET or of a stack of their own",
        remedy="export again",
        path=path,
    )
