"""The burden of a phantom is what its lesions have together: volume, uptake, and how far they lie apart.

Where lesions overlap each voxel counts once, with its largest weight. Distances are between centroids,
``sum(w p) / sum(w)`` over voxel centres, and between voxels at least half inside two different lesions.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist, pdist

from petquant_phantoms.regions import groups_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.pet_series import Frame
    from petquant_phantoms.regions import RegionOnGrid

# Positions are decimal text of nine decimals; a float32 affine of a NIfTI region is exact to 1e-5 mm here.
POSITION_TOLERANCE_MM = 1e-4


def burden_of(definition: Definition, frame: Frame) -> dict[str, Any]:
    """Return the table ``study`` of truth.json."""
    lesions = [
        region for group in groups_of(definition) for region in group.regions if region.role == "lesion"
    ]
    union = _union(definition, lesions)
    volume_ml = definition.grid.voxel_volume_ml
    half_unit = 0.5 * frame.suv_per_stored_unit[:, None, None]
    tmtv_ml = float(union.sum()) * volume_ml
    ttlg_g = float((union * frame.suv).sum()) * volume_ml
    by_centroid, by_voxel = _distances(definition, lesions)
    shared = any(group.overlaps for group in groups_of(definition) if group.name == "lesions")
    return {
        "n_lesions": definition.numbered_voxels or len(lesions),
        "tmtv_ml": tmtv_ml,
        "ttlg_g": ttlg_g,
        "dmax_centroid_mm": by_centroid,
        "dmax_voxel_mm": by_voxel,
        "abs_tol": {
            "n_lesions": 0,
            "tmtv_ml": 1e-9 * tmtv_ml,
            "ttlg_g": float((union * half_unit).sum()) * volume_ml + 6.0e-8 * abs(ttlg_g),
            "dmax_centroid_mm": POSITION_TOLERANCE_MM,
            "dmax_voxel_mm": POSITION_TOLERANCE_MM,
        },
        "flags": ["ROI_OVERLAP"] if shared else [],
    }


def _union(definition: Definition, lesions: list[RegionOnGrid]) -> NDArray[np.float64]:
    union = np.zeros(definition.grid.shape)
    for region in lesions:
        np.maximum(union, region.weights, out=union)
    union.flat[: definition.numbered_voxels] = 1.0
    return union


def _distances(definition: Definition, lesions: list[RegionOnGrid]) -> tuple[float | None, float | None]:
    """Return the largest distance between centroids and between voxels of two lesions; None below two."""
    centres_mm = definition.grid.voxel_centres_mm()
    if definition.numbered_voxels > 1:
        farthest = float(pdist(_outermost(centres_mm.reshape(-1, 3)[: definition.numbered_voxels])).max())
        return farthest, farthest
    if len(lesions) < 2:
        return None, None
    centroids = np.array(
        [np.average(centres_mm, axis=(0, 1, 2), weights=region.weights) for region in lesions]
    )
    outer = [_outermost(centres_mm[region.mask]) for region in lesions]
    return (
        float(pdist(centroids).max()),
        max(float(cdist(one, other).max()) for one, other in combinations(outer, 2)),
    )


def _outermost(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points that a largest distance can end at: the corners of the convex hull."""
    try:
        return np.asarray(points_mm[ConvexHull(points_mm).vertices])
    except (QhullError, ValueError):  # few points, or all in one plane
        return points_mm
