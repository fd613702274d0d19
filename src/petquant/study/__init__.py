"""A study is one visit of a patient to the scanner: a folder of DICOM, or a NIfTI image with its side-car."""

from __future__ import annotations

from petquant.study.choices import Choices
from petquant.study.opened import PetStudy
from petquant.study.opening import look, open_found, open_study

__all__ = ["Choices", "PetStudy", "look", "open_found", "open_study"]
