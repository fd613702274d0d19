"""Several tests at once: p values adjusted for their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["benjamini_hochberg", "holm"]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return p values that hold the family-wise error (Holm 1979), in the order given."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    return _placed(np.minimum(np.maximum.accumulate(scaled), 1.0), order)


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return p values that hold the false discovery rate (Benjamini, Hochberg 1995), in the order given."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    return _placed(np.minimum(np.minimum.accumulate(scaled), 1.0), order)


def _placed(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    back = np.empty_like(adjusted)
    back[order] = adjusted
    return back
