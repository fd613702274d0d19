"""Sphere sums: the values of a box under both spheres of SUVpeak, for all centres at once.

Along i, then along j, voxels of equal weight are added; a small matrix product applies the weights of both
spheres to these in-plane sums; the slices are added along k. It makes every sum that gathering voxel by voxel
would make, for a tenth of the work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.metrics.sphere import Sphere

__all__ = ["SphereSums", "Workspace"]

Floating = NDArray[np.floating]
Float = NDArray[np.float64]
Int = NDArray[np.int64]

# multiplications; OpenBLAS spreads larger products over threads (interface/gemm.c), and these are too short
# for it: on two busy cores all took 13 times as long
ONE_THREAD = 2**18
CHUNK = 2**14  # numbers of a line that are summed at once: their in-plane sums stay in the cache


class Workspace:
    """Memory that is used again: to touch new pages costs more than the sums."""

    def __init__(self) -> None:
        self._memory: dict[tuple[str, type], Floating] = {}

    def array(self, name: str, *shape: int, dtype: type = np.float64) -> Floating:
        """Return an array of undefined content; the same memory for the same name and type."""
        size = math.prod(shape)
        memory = self._memory.get((name, dtype))
        if memory is None or memory.size < size:
            memory = self._memory[name, dtype] = np.empty(size + size // 4, dtype)
        return memory[:size].reshape(shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SphereSums:
    """Both spheres as one matrix from in-plane sums to slices.

    Attributes
    ----------
    pairs
        In-plane offsets (|dj|, |di|) that carry weight in any slice, with the column of `weights` of each;
        ascending by |di|.
    weights
        (2 (reach_k + 1), n columns): rows are |dk| of the exact, then of the binary sphere.
    """

    reach: tuple[int, int, int]
    pairs: tuple[tuple[int, int, int], ...]
    weights: Float

    @classmethod
    def of(cls, sphere: Sphere) -> SphereSums:
        """Return the sums for `sphere`."""
        both = np.concatenate([sphere.exact, sphere.binary])
        is_square = both.shape[1] == both.shape[2] and bool((both == both.transpose(0, 2, 1)).all())
        columns: dict[tuple[int, int], int] = {}
        pairs = []
        for dj in range(both.shape[1]):
            for di in range(both.shape[2]):
                if both[:, dj, di].any():
                    key = (min(dj, di), max(dj, di)) if is_square else (dj, di)
                    pairs.append((dj, di, columns.setdefault(key, len(columns))))
        weights = np.ascontiguousarray(np.stack([both[:, dj, di] for dj, di in columns], axis=1))
        return cls(reach=sphere.reach, pairs=tuple(sorted(pairs, key=lambda pair: pair[1])), weights=weights)

    def sums(self, values: Floating, workspace: Workspace) -> tuple[Floating, Floating]:
        """Return the sums of both spheres at every voxel of a box, each (nk nj ni,), in the type of `values`.

        The box is one row of numbers: an offset is a shift of it, and what wraps around at the edges lands
        in the margin, where no centre is. Sums there are undefined.
        """
        step, reach_k = values.shape[1] * values.shape[2], self.reach[0]
        beyond = reach_k * step
        totals = workspace.array("totals", 2, values.size + 2 * beyond, dtype=values.dtype.type)
        totals[:] = 0.0
        for start, slices in self._slices(values, workspace):
            for row, of_distance in enumerate(slices):
                total, distance = totals[row // (reach_k + 1)], row % (reach_k + 1)
                for dk in {distance, -distance}:
                    first = start + beyond + dk * step
                    target = total[first : first + len(of_distance)]
                    target += of_distance
        return totals[0, beyond : beyond + values.size], totals[1, beyond : beyond + values.size]

    def sums_among(self, values: Floating, workspace: Workspace, at: Int) -> tuple[Float, Float]:
        """Return the sums of both spheres at the flat positions `at` of a box, each (n,)."""
        step, reach_k = values.shape[1] * values.shape[2], self.reach[0]
        slices = workspace.array("all_slices", len(self.weights), values.size)
        for start, part in self._slices(values, workspace):
            slices[:, start : start + part.shape[1]] = part
        totals = []
        for first in (0, reach_k + 1):
            total = slices[first][at]
            for dk in range(1, reach_k + 1):
                total += slices[first + dk][at + dk * step]
                total += slices[first + dk][at - dk * step]
            totals.append(total)
        return totals[0], totals[1]

    def sums_at(self, around: Floating) -> tuple[Float, Float]:
        """Return the sums of both spheres, each (n,), of the values around n centres, (nk, nj, ni, n)."""
        reach_k, at_j, at_i = self.reach
        nk, _, _, n = around.shape
        in_plane = np.zeros((self.weights.shape[1], nk, n))
        pair, paired = around[:, :, at_i], 0
        for dj, di, column in self.pairs:
            if di != paired:
                pair, paired = around[:, :, at_i + di] + around[:, :, at_i - di], di
            in_plane[column] += pair[:, at_j + dj]
            if dj:
                in_plane[column] += pair[:, at_j - dj]
        weights = self.weights[..., None, None]
        slices = weights[:, 0] * in_plane[0]
        for column in range(1, len(in_plane)):  # in this order on every machine; a matrix product has none
            slices += weights[:, column] * in_plane[column]
        of_spheres = slices.reshape(2, reach_k + 1, nk, n)
        totals = of_spheres[:, 0, reach_k].copy()
        for dk in range(1, reach_k + 1):
            totals += of_spheres[:, dk, reach_k + dk]
            totals += of_spheres[:, dk, reach_k - dk]
        return totals[0], totals[1]

    def _slices(self, values: Floating, workspace: Workspace) -> Iterator[tuple[int, Floating]]:
        """Yield the weighted in-plane sums, (rows of `weights`, n), from one position of the row on."""
        dtype = values.dtype.type
        weights = self.weights.astype(dtype, copy=False)
        for start, in_plane in self._in_plane(values, workspace):
            slices = workspace.array("slices", len(weights), in_plane.shape[1], dtype=dtype)
            self._weigh(in_plane, weights, out=slices)
            yield start, slices

    @staticmethod
    def _weigh(in_plane: Floating, weights: Floating, *, out: Floating) -> None:
        columns = ONE_THREAD // weights.size
        for start in range(0, in_plane.shape[1], columns):
            part = slice(start, start + columns)
            np.matmul(weights, in_plane[:, part], out=out[:, part])

    def _in_plane(self, values: Floating, workspace: Workspace) -> Iterator[tuple[int, Floating]]:
        """Yield the in-plane sums, (n columns, n), of n positions of the row of a box from one on."""
        line, ni = values.reshape(-1), values.shape[2]
        dtype = values.dtype.type
        reach_i = self.reach[2]
        margin = self.reach[1] * ni
        edge = margin + reach_i
        n_columns = self.weights.shape[1]
        for start in range(edge, line.size - edge, CHUNK):
            n = min(CHUNK, line.size - edge - start)
            in_plane = workspace.array("in_plane", n_columns, n, dtype=dtype)
            row = workspace.array("row", n + 2 * margin, dtype=dtype)
            begun = 0
            pair, paired = line[start - margin : start + n + margin], 0
            for dj, di, column in self.pairs:
                if di != paired:
                    pair, paired = row, di
                    low, high = start - margin - di, start - margin + di
                    np.add(line[low : low + len(row)], line[high : high + len(row)], out=row)
                above, below = pair[margin + dj * ni :][:n], pair[margin - dj * ni :][:n]
                target = in_plane[column]
                is_begun, begun = begun >> column & 1, begun | 1 << column
                if is_begun:
                    target += above
                    if dj:
                        target += below
                elif dj:
                    np.add(above, below, out=target)
                else:
                    np.copyto(target, above)
            yield start, in_plane
