"""NRRD holds label maps (``.nrrd``, ``.nhdr``) and the segmentations of 3D Slicer (``.seg.nrrd``)."""

from __future__ import annotations

from petquant.nrrd.regions import read_nrrd

__all__ = ["read_nrrd"]
