"""NIfTI holds an image on a grid: label maps and PET images come in; label maps and SUV volumes go out."""

from __future__ import annotations

from petquant.nifti.image import label_map_writer, volume_writer
from petquant.nifti.labels import read_label_map
from petquant.nifti.sniff import is_nifti

__all__ = ["is_nifti", "label_map_writer", "read_label_map", "volume_writer"]
