"""NIfTI holds an image on a grid: label maps come in, SUV volumes go out."""

from __future__ import annotations

from petquant.nifti.image import volume_writer
from petquant.nifti.labels import read_label_map

__all__ = ["read_label_map", "volume_writer"]
