"""Caveats are the flags that a correct measurement of a region must carry, as far as they are certain.

They follow from the numbers that are stored, so that ties are those that a reader meets. Where two readers
could differ in the last bit nothing is said. Flags of contours and of SUVpeak stand in the definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.pet_series import Frame
    from petquant_phantoms.regions import RegionOnGrid

LAST_BITS = 1e-6
PEAK_SPHERE_ML = 1.0
HIGHEST_LEVEL_SUV = 4.0  # of the volumes at a fixed SUV


def caveats_of(region: RegionOnGrid, definition: Definition, frame: Frame) -> list[str]:
    """Return the codes of the flags of a region."""
    values = (frame.stored.integers * frame.stored.slopes[:, None, None]) / frame.stored_per_suv[
        :, None, None
    ]
    inside = region.mask if region.mask.any() else region.weights == region.weights.max()
    largest = float(values[inside].max())
    is_largest = inside & (values == largest)
    near = inside & (values >= largest - LAST_BITS * abs(largest))
    is_settled = int(near.sum()) == int(is_largest.sum())
    mean = float(np.average(values, weights=region.weights))
    volume_ml = float(region.weights.sum()) * definition.grid.voxel_volume_ml
    first = np.unravel_index(int(np.argmax(is_largest)), values.shape)
    on_edge = any(at in {0, n - 1} for at, n in zip(first, values.shape, strict=True))
    flags = {
        "UNEVEN_SLICES": definition.grid.slice_offsets_mm is not None,
        "NO_VOXEL_ABOVE_HALF": not region.mask.any(),
        "ROI_SMALLER_THAN_PEAK_SPHERE": volume_ml < PEAK_SPHERE_ML * (1.0 - LAST_BITS),
        "MAX_TIED": is_settled and int(is_largest.sum()) > 1,
        "MAX_ON_FOV_EDGE": is_settled and on_edge,
        "MEAN_NOT_POSITIVE": mean <= -LAST_BITS * abs(largest),
        "THRESHOLD_EMPTY": largest < HIGHEST_LEVEL_SUV * (1.0 - LAST_BITS),
    }
    return [*(code for code, is_so in flags.items() if is_so), *region.flags]
