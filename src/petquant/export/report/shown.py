"""What pictures show of the regions: a label, a name, and the voxels that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.export.report.oriented import Orientation
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["Shown", "counted", "shown_lesions", "shown_references"]

COUNTS: Final = 0.5  # weight from which on a voxel counts for SUVmax
LONGEST_LABEL: Final = 12
LONGEST_ID: Final = 4  # characters of an id that can be a label; with longer ones the place is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A region as pictures need it.

    Parameters
    ----------
    label, name
        What stands beside its outline, and what it is called.
    kind
        ``lesion`` or ``reference``.
    zyx
        (n, 3) indices z, y, x of its voxels that count.
    rank
        0 is the hottest lesion; references come before all.
    hottest_z
        Slice of the voxel of SUVmax.
    """

    label: str
    name: str
    kind: str
    zyx: NDArray[np.int64]
    rank: int
    hottest_z: int = 0


def shown_lesions(
    rows: Sequence[Mapping[str, Any]], lesions: Sequence[Roi], *, volume: Volume, orientation: Orientation
) -> list[Shown]:
    """Return the lesions; `rows` are their records, in the same order.

    A label is the id of the region where all ids are short and differ, else its place, from 1.
    """
    ids = [str(row["roi_id"]) for row in rows]
    keeps_ids = len(set(ids)) == len(ids) and all(len(one) <= LONGEST_ID for one in ids)
    inside = [counted(lesion) for lesion in lesions]
    values = [volume.at(voxels) for voxels in inside]
    maxima = np.array([of.max(initial=-np.inf) for of in values])
    ranks = np.empty(len(lesions), np.int64)
    ranks[np.argsort(-maxima, kind="stable")] = np.arange(len(lesions))
    shown = []
    for place, row in enumerate(rows):
        zyx = orientation.zyx_of(inside[place])
        shown.append(
            Shown(
                label=ids[place] if keeps_ids else str(place + 1),
                name=str(row["roi_name"]),
                kind="lesion",
                zyx=zyx,
                rank=int(ranks[place]),
                hottest_z=int(zyx[int(values[place].argmax()), 0]) if len(zyx) else 0,
            )
        )
    return shown


def shown_references(
    names: Sequence[str], references: Sequence[Roi], *, orientation: Orientation
) -> list[Shown]:
    """Return the reference regions as they were drawn, voxels of lesions included."""
    return [
        Shown(
            label=name if len(name) <= LONGEST_LABEL else f"{name[:LONGEST_LABEL]}…",
            name=name,
            kind="reference",
            zyx=orientation.zyx_of(counted(roi)),
            rank=-1,
        )
        for name, roi in zip(names, references, strict=True)
    ]


def counted(roi: Roi) -> NDArray[np.int64]:
    """Return the voxels of a region that count, all of them when none is half inside."""
    if roi.weights is None:
        return roi.voxels
    kept = roi.voxels[roi.weights >= COUNTS]
    return kept if len(kept) else roi.voxels
