"""NIfTI holds an image on a grid: label maps come in, SUV volumes go out."""

from __future__ import annotations

from petquant.nifti.image import write_volume
from petquant.nifti.labels import read_label_map

__all__ = ["read_label_map", "write_volume"]
