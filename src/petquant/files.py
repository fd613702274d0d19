"""One door for files of regions: what they are is read from their content, and all lands on the PET grid."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petquant.errors import PetquantError, Refused, UnreadableInput, UsageError
from petquant.grid import AxisMap, Grid
from petquant.nifti import read_label_map
from petquant.roi import Roi, RoiSet, Role

__all__ = ["load_rois", "read_names"]


def load_rois(
    path: Path | str,
    *,
    onto: Grid,
    names_path: Path | str | None = None,
    role: Role = Role.LESION,
    label: int | None = None,
    allow_empty: bool = False,
) -> RoiSet:
    """Return the regions of a label map on the PET grid.

    Parameters
    ----------
    path
        NIfTI label map with the PET's voxels; its axes may be turned or reversed (RAS files are).
    onto
        The PET grid.
    names_path
        JSON ``{"1": "name"}`` or CSV with the columns label and name.
    role
        Of all regions.
    label
        Keep this one alone.
    allow_empty
        Whether a map without a label is an answer (no lesion) and not an error.

    Raises
    ------
    Refused
        ROI_GRID_DIFFERS, which says what differs and by how much; ROI_EMPTY; ROI_LABEL_MISSING.
    PetquantError
        As `petquant.nifti.read_label_map` and `read_names`.
    """
    path = Path(path)
    names = read_names(names_path) if names_path is not None else None
    found = read_label_map(path, names=names)
    axes = onto.axes_of(found.grid)
    if axes is None:
        raise Refused.of(
            "ROI_GRID_DIFFERS",
            f"the label map differs from the PET: {onto.difference(found.grid)}",
            expected="the voxels of the PET",
            remedy="resample the label map onto the PET grid (nearest neighbour)",
            path=str(path),
        )
    if not found.rois and not allow_empty:
        raise Refused.of("ROI_EMPTY", "no voxel is labelled", remedy="--allow-empty", path=str(path))
    rois = found.rois if label is None else _only(found.rois, label, path)
    flags = ("ROI_GRID_SNAPPED",) if onto.is_snapped(axes) else ()
    return RoiSet(
        grid=onto,
        rois=tuple(
            replace(roi, voxels=_turned(roi.voxels, axes, found.grid, onto), role=role, flags=flags)
            for roi in rois
        ),
    )


def read_names(path: Path | str) -> dict[int, str]:
    """Return the names of labels from JSON ``{"1": "name"}`` or CSV with the columns label and name.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE, SIDECAR_INVALID.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError.of("PATH_NOT_FOUND", "does not exist", path=str(path))
    if not path.is_file():
        raise _names_invalid(path, "no regular file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a file that can be read",
            path=str(path),
        ) from error
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            pairs = list(json.loads(text).items())
        else:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
            head = [cell.lower() for cell in rows[0]]
            of_label, of_name = head.index("label"), head.index("name")
            pairs = [(row[of_label], row[of_name]) for row in rows[1:]]
        names = {int(label): name for label, name in pairs}
    except (ValueError, IndexError, AttributeError, RecursionError, csv.Error) as error:
        raise _names_invalid(path, str(error)) from error
    if len(names) < len(pairs) or not all(isinstance(name, str) for name in names.values()):
        raise _names_invalid(path, "a label with two names, or a name that is no text")
    return names


def _names_invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"names of labels cannot be read: {found}",
        expected='JSON {"1": "name"} or CSV with the columns label,name',
        path=str(path),
    )


def _only(rois: tuple[Roi, ...], label: int, path: Path) -> tuple[Roi, ...]:
    """Return the region of one label."""
    chosen = tuple(roi for roi in rois if roi.roi_id == str(label))
    if not chosen:
        there = ", ".join(roi.roi_id for roi in rois[:20]) + (" ..." if len(rois) > 20 else "")
        raise Refused.of(
            "ROI_LABEL_MISSING",
            f"label {label} does not occur",
            expected=f"one of {there}" if there else "",
            path=str(path),
        )
    return chosen


def _turned(voxels: NDArray[np.int64], axes: AxisMap, of: Grid, onto: Grid) -> NDArray[np.int64]:
    """Return voxel numbers of one grid as those of another that has the same voxels, ascending."""
    if axes.order == (0, 1, 2) and not any(axes.reversed):
        return voxels
    theirs = np.unravel_index(voxels, of.shape)
    mine = [
        onto.shape[a] - 1 - theirs[axis] if back else theirs[axis]
        for a, (axis, back) in enumerate(zip(axes.order, axes.reversed, strict=True))
    ]
    return np.sort(np.ravel_multi_index((mine[0], mine[1], mine[2]), onto.shape))
