"""NIfTI holds an image on a grid: label maps come in and go out, SUV volumes go out."""

from __future__ import annotations

from petquant.nifti.image import label_map_writer, volume_writer
from petquant.nifti.labels import read_label_map

__all__ = ["label_map_writer", "read_label_map", "volume_writer"]
