"""A reader is a person who looked at scans; what was seen stands in a table of reads, one row a lesion.

Columns: ``lesion_id``; optional ``patient``, ``session``, ``reader``, ``tracer``, ``region``, ``side``,
``visual`` (0 negative, 1 equivocal, 2 positive), ``focal`` (1 focal, 0 diffuse: of bone marrow, for the rule
that calls focal uptake positive), ``x``, ``y``, ``z`` (LPS mm). The same lesion_id on two tracers is the same
lesion.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from petquant.errors import PetquantError, UnreadableInput
from petquant.grid import Grid
from petquant.roi import Roi
from petquant.tracers import tracer_by_name

__all__ = ["ReaderRow", "attached", "read_reads"]

COLUMNS: Final = (
    "patient", "session", "reader", "tracer", "lesion_id", "region", "side", "visual", "focal", "x", "y", "z",
)  # fmt: skip
CALLS: Final = {"": None, "0": 0, "1": 1, "2": 2}
FOCAL: Final = {"": None, "0": False, "1": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRow:
    """One row; empty where nothing was said.

    Parameters
    ----------
    lesion_id
        The reader's own name of the lesion.
    visual
        0 negative, 1 equivocal, 2 positive.
    is_focal
        Whether uptake of bone marrow is focal and not diffuse; None when nobody said so.
    point_mm
        LPS, inside the lesion.
    """

    lesion_id: str
    patient: str = ""
    session: str = ""
    reader: str = ""
    tracer: str = ""
    region: str = ""
    side: str = ""
    visual: int | None = None
    is_focal: bool | None = None
    point_mm: tuple[float, float, float] | None = None

    def is_of(self, *, patient: str, session: str, reader: str, tracers: Collection[str]) -> bool:
        """Whether the row speaks of a scan; what the row or the scan leaves empty fits.

        The tracer may be spelt as headers spell it: FDG is [18F]FDG.
        """
        said = {(self.patient, patient), (self.session, session), (self.reader, reader)}
        if any(mine and theirs and mine != theirs for mine, theirs in said):
            return False
        names = {name.casefold() for name in tracers}
        known = tracer_by_name(self.tracer) if self.tracer else None
        is_known = known is not None and known.name.casefold() in names
        return not self.tracer or self.tracer.casefold() in names or is_known


def read_reads(path: Path | str) -> tuple[ReaderRow, ...]:
    """Return the rows of a table of reads.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, with the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        lines = list(csv.DictReader(text.splitlines(), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise _invalid(path, str(error)) from error
    if not lines or "lesion_id" not in lines[0]:
        raise _invalid(path, "no row, or no column lesion_id")
    if any(None in line for line in lines):
        raise _invalid(path, "a row with more cells than columns")
    unknown = set(lines[0]) - set(COLUMNS)
    if unknown:
        raise _invalid(path, f"unknown columns {', '.join(sorted(map(str, unknown)))}")
    return tuple(_row(line, number, path) for number, line in enumerate(lines, start=2))


def attached(
    rows: Sequence[ReaderRow], lesions: Sequence[Roi], grid: Grid, *, path: Path | str = ""
) -> tuple[dict[str, ReaderRow], dict[str, ReaderRow]]:
    """Return rows by the id of their region, and those of lesions without a region by lesion id.

    A row with a point belongs to the region that holds the voxel at it; one without, to the region whose id
    is its lesion_id.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, when two rows speak of one lesion.
    """
    drawn: dict[str, ReaderRow] = {}
    undrawn: dict[str, ReaderRow] = {}
    ids = {roi.roi_id for roi in lesions}
    for row in rows:
        roi_id = (row.lesion_id if row.lesion_id in ids else "") if row.point_mm is None else ""
        if row.point_mm is not None:
            roi_id = _holding(row.point_mm, lesions, grid)
        into, key = (drawn, roi_id) if roi_id else (undrawn, row.lesion_id)
        if key in into:
            raise _invalid(path, f"two rows of one scan speak of lesion {row.lesion_id}")
        into[key] = row
    return drawn, undrawn


def _holding(point_mm: tuple[float, float, float], lesions: Sequence[Roi], grid: Grid) -> str:
    """Return the id of the first region that holds the voxel at a point; empty when none does."""
    kji = np.linalg.solve(grid.affine[:3, :3], np.array(point_mm) - grid.affine[:3, 3])
    if grid.slice_positions_mm is not None:
        kji[0] = np.argmin(np.abs(grid.slice_positions_mm - kji[0] * grid.spacing_mm[0]))
    index = np.rint(kji).astype(int)
    if ((index < 0) | (index >= grid.shape)).any():
        return ""
    voxel = np.ravel_multi_index((index[0], index[1], index[2]), grid.shape)
    return next((roi.roi_id for roi in lesions if voxel in roi.voxels), "")


def _row(line: Mapping[str, str | None], number: int, path: Path | str) -> ReaderRow:
    cells = {name: (line.get(name) or "").strip() for name in COLUMNS}
    if not cells["lesion_id"]:
        raise _invalid(path, f"line {number}: no lesion_id")
    if cells["visual"] not in CALLS:
        raise _invalid(path, f"line {number}: visual is {cells['visual']}, not 0, 1 or 2")
    if cells["focal"] not in FOCAL:
        raise _invalid(path, f"line {number}: focal is {cells['focal']}, not 0 or 1")
    place = [cells[axis] for axis in "xyz"]
    try:
        point = [float(text) for text in place] if any(place) else []
    except ValueError as error:
        raise _invalid(path, f"line {number}: x, y, z are not three numbers") from error
    if not all(math.isfinite(value) for value in point):
        raise _invalid(path, f"line {number}: x, y, z are not finite")
    return ReaderRow(
        **{name: cells[name] for name in COLUMNS[:7]},
        visual=CALLS[cells["visual"]],
        is_focal=FOCAL[cells["focal"]],
        point_mm=(point[0], point[1], point[2]) if point else None,
    )


def _invalid(path: Path | str, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"a table of reads that cannot be read: {found}",
        expected=f"CSV with the columns {', '.join(COLUMNS)}, all but lesion_id optional",
        path=str(path),
    )
