"""Further quantities, measured on request: moments of the values, and the mesh around a region.

The mesh is the surface at w = 0.5 between voxel centres (marching cubes), where w = 0 outside of the region.
It cuts corners, so that its volume is below the metabolic volume and never stands for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petquant.grid import Grid
from petquant.metrics.intensity import Intensity
from petquant.metrics.segments import Segments

__all__ = ["further"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

SURFACE = 0.5  # of a voxel inside
AT_ONCE = 512  # points whose distances to all others are taken at once


def further(grid: Grid, found: Intensity) -> dict[str, list[float | None]]:
    """Return the further columns of every region, None where undefined.

    Moments are central and weighted, m_k = sum(w (x - mean)^k) / sum(w): skewness m_3 / m_2^(3/2) (IBSI
    KE2A), excess kurtosis m_4 / m_2^2 - 3 (IPH6), both 0 for a constant region; rms is sqrt(sum(w x^2) /
    sum(w)). The mesh gives its volume (RNU0) and the largest distance between two of its vertices (L0JK); a
    region without a voxel more than half inside has none. The diameter of a sphere is that of `mtv_ml`.
    """
    away = found.values - found.regions.spread(found.mean)
    second, third, fourth = (_mean(away**power, found) for power in (2, 3, 4))
    is_constant = second <= (1e-12 * np.abs(found.mean)) ** 2
    second = np.where(is_constant, 1.0, second)
    mtv_mm3 = grid.voxel_volume_ml * 1000.0 * found.total_weight
    meshes = [_mesh(grid, voxels, weights) for voxels, weights in _each(found.regions, found.weights)]
    return {
        "suv_skewness": np.where(is_constant, 0.0, third / second**1.5).tolist(),
        "suv_excess_kurtosis": np.where(is_constant, 0.0, fourth / second**2 - 3.0).tolist(),
        "suv_iqr": (found.percentiles["p75"] - found.percentiles["p25"]).tolist(),
        "suv_rms": np.sqrt(_mean(found.values**2, found)).tolist(),
        "mesh_volume_ml": [volume_ml for volume_ml, _ in meshes],
        "max_3d_diameter_mm": [diameter_mm for _, diameter_mm in meshes],
        "equivalent_sphere_diameter_mm": np.cbrt(6.0 * mtv_mm3 / np.pi).tolist(),
    }


def _mean(values: Float, found: Intensity) -> Float:
    weighted = values if found.weights is None else values * found.weights
    return found.regions.sum(weighted) / found.total_weight


def _each(regions: Segments, weights: Float | None) -> list[tuple[Int, Float]]:
    return [
        (regions.voxels[start:end], np.ones(end - start) if weights is None else weights[start:end])
        for start, end in zip(regions.starts.tolist(), regions.ends.tolist(), strict=True)
    ]


def _mesh(grid: Grid, voxels: Int, weights: Float) -> tuple[float | None, float | None]:
    """Return volume in mL and largest diameter in mm of the mesh around a region; None when there is none."""
    from skimage.measure import marching_cubes  # noqa: PLC0415 - slow to import, needed on request alone

    if weights.max() <= SURFACE:
        return None, None
    index = grid.index_of(voxels)
    low = index.min(axis=0) - 1
    inside = np.zeros(index.max(axis=0) - low + 2, np.float64)
    inside[tuple((index - low).T)] = weights
    vertices, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call] # no annotations there
        inside, SURFACE, allow_degenerate=False
    )
    corners_mm = _position_mm(grid, vertices.astype(np.float64) + low)
    corners_mm -= corners_mm.mean(axis=0)
    a, b, c = (corners_mm[faces[:, corner]] for corner in range(3))
    volume_mm3 = abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6.0
    return volume_mm3 / 1000.0, _largest_distance_mm(corners_mm)


def _position_mm(grid: Grid, index: Float) -> Float:
    """Return positions in mm; half a slice beyond the first and the last one too."""
    if grid.slice_positions_mm is None:
        return grid.position_mm(index)
    last = grid.shape[0] - 1
    beyond = index[:, 0] - np.clip(index[:, 0], 0, last)
    return grid.position_mm(index) + beyond[:, None] * grid.affine[:3, 0]


def _largest_distance_mm(points_mm: Float) -> float:
    """Return the largest distance between two points: both are corners of the convex hull."""
    from scipy.spatial import ConvexHull  # noqa: PLC0415 - slow to import, needed on request alone

    hull = points_mm[ConvexHull(points_mm).vertices]
    squared = 0.0
    for start in range(0, len(hull), AT_ONCE):
        apart = hull[start : start + AT_ONCE, None] - hull[None]
        squared = max(squared, float((apart**2).sum(axis=-1).max()))
    return float(np.sqrt(squared))
