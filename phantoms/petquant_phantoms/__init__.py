"""Phantoms are PET studies whose every number is known before they are measured.

A definition says what is where and what the header tells; it becomes DICOM, NIfTI regions and a
``truth.json``. This package is the oracle of petquant and shares no code with it.
"""

from petquant_phantoms.body import Body, Box, Cylinder, Region, Sphere, Spike, Uptake, region_mask, suv_field
from petquant_phantoms.definition import Definition
from petquant_phantoms.encoding import TRANSFER_SYNTAXES, file_bytes, write_file, write_text
from petquant_phantoms.image_grid import ImageGrid
from petquant_phantoms.label_maps import lesion_labels, write_label_map
from petquant_phantoms.pet_header import Bed, PetHeader
from petquant_phantoms.pet_objects import pet_objects
from petquant_phantoms.pet_series import nac_datasets, pet_datasets, projection_dataset
from petquant_phantoms.study import Study, write_datasets, write_study

TINY = Definition()

__all__ = [
    "TINY",
    "TRANSFER_SYNTAXES",
    "Bed",
    "Body",
    "Box",
    "Cylinder",
    "Definition",
    "ImageGrid",
    "PetHeader",
    "Region",
    "Sphere",
    "Spike",
    "Study",
    "Uptake",
    "file_bytes",
    "lesion_labels",
    "nac_datasets",
    "pet_datasets",
    "pet_objects",
    "projection_dataset",
    "region_mask",
    "suv_field",
    "write_datasets",
    "write_file",
    "write_label_map",
    "write_study",
    "write_text",
]
