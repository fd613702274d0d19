"""The spine on a CT: bone near the midline in the back of the body."""

from __future__ import annotations

from typing import Final

import numpy as np

from petquant.delineation.body import STEP_MM, Body
from petquant.delineation.liver import not_found

__all__ = ["BONE_HU", "spine_of"]

BONE_HU: Final = 130.0
HALF_WIDTH_MM: Final = 35.0  # of a vertebra with its processes
LEAST_SLICES: Final = 0.5  # that must show bone


def spine_of(body: Body, k: slice, *, behind: float, of: str) -> tuple[float, float]:
    """Return the middle of the vertebrae (x) and their front (y), in mm.

    Parameters
    ----------
    k
        The slices to look at.
    behind
        From which part of the depth of the body on, front to back, bone is taken for vertebrae.
    of
        Name of the region that is looked for.

    Raises
    ------
    Refused
        REFERENCE_NOT_FOUND.
    """
    hu = body.hu
    if hu is None:
        raise TypeError("a body without a CT has no spine")  # the caller asked first
    midline = body.midline(k)
    columns = body.grid.affine[0, 3] + STEP_MM * np.arange(body.grid.shape[2])
    j = np.flatnonzero(body.is_inside[k].any(axis=(0, 2)))
    bone = (hu[k] > BONE_HU) & (np.abs(columns - midline.x_mm) <= HALF_WIDTH_MM)
    bone[:, : int(j[0] + behind * (j[-1] - j[0]))] = False
    if bone.any(axis=(1, 2)).mean() < LEAST_SLICES:
        raise not_found("the CT shows no spine", of=of)
    _, at_j, at_i = np.nonzero(bone)
    y_mm = body.grid.affine[1, 3] + STEP_MM * float(np.percentile(at_j, 5))
    return body.x_mm(float(np.median(at_i))), y_mm
