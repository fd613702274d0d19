"""Quantisation stores values as 16-bit integers and a slope a slice: the only error of a phantom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from petquant_phantoms import decimal_string

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_STORED = 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVolume:
    """Stored integers [k, j, i] and the slope of every slice, as text and as the number it means."""

    integers: NDArray[np.int16]
    slope_texts: tuple[str, ...]

    @property
    def slopes(self) -> NDArray[np.float64]:
        """Slope of every slice: one stored unit in units of the values."""
        return np.array([float(text) for text in self.slope_texts])


def quantise(values: NDArray[np.float64], *, slope: str | tuple[float, ...]) -> StoredVolume:
    """Return values as integers that come back within half a stored unit.

    Parameters
    ----------
    values
        Values [k, j, i] to store.
    slope
        "per_slice": each slice fills the range by its own extreme value; "global": the volume does; numbers:
        these slopes, taken in turn by the slices.

    Raises
    ------
    ValueError
        If a value does not fit 16 bits under the slopes given.
    """
    n_slices = values.shape[0]
    if slope in {"per_slice", "global"}:
        extremes = np.abs(values).reshape(n_slices, -1).max(axis=1)
        if slope == "global":
            extremes[:] = extremes.max()
        texts = tuple(
            decimal_string.at_least(float(extreme) / LARGEST_STORED) if extreme > 0.0 else "1"
            for extreme in extremes
        )
    elif isinstance(slope, tuple):
        texts = tuple(decimal_string.text_of(slope[k % len(slope)]) for k in range(n_slices))
    else:
        raise ValueError(f'slope {slope!r} is neither "per_slice", "global" nor numbers')
    steps = np.array([float(text) for text in texts])
    counted = np.rint(values / steps[:, None, None])
    if np.abs(counted).max() > LARGEST_STORED:
        raise ValueError(
            f"largest stored value {np.abs(counted).max():.0f} exceeds {LARGEST_STORED}: raise the slope"
        )
    return StoredVolume(integers=counted.astype(np.int16), slope_texts=texts)
