"""A CT series shows the anatomy of a phantom in Hounsfield units, on a grid of its own, in the PET's frame.

Outside the body there is air (-1000 HU), inside water (0 HU) unless a shape carries its own number; of shapes
that overlap the later one counts. Edges are sharp: a voxel has the number of its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from petquant_phantoms import pet_attributes as attributes
from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petquant_phantoms.body import Shape
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.image_grid import ImageGrid

AIR_HU, WATER_HU = -1000, 0
LOWEST_HU, HIGHEST_HU = -1024, 3071  # 12 bits above the usual intercept
SERIES_NUMBER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """A shape and the Hounsfield units inside it."""

    shape: Shape
    hu: int = WATER_HU

    def __post_init__(self) -> None:
        if not LOWEST_HU <= self.hu <= HIGHEST_HU:
            raise ValueError(f"hu = {self.hu} is outside {LOWEST_HU} to {HIGHEST_HU}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtScan:
    """The CT of a phantom: its grid and what it shows, in order of painting.

    `before_pet_min` is from its acquisition to the start of the PET; negative when it came after.
    """

    grid: ImageGrid
    tissues: tuple[Tissue, ...]
    before_pet_min: float = 2.0


@lru_cache(maxsize=8)
def hu_volume(scan: CtScan) -> NDArray[np.int16]:
    """Return the Hounsfield units of every voxel [k, j, i], read-only."""
    points_mm = scan.grid.voxel_centres_mm()
    hu = np.full(scan.grid.shape, AIR_HU, dtype=np.int16)
    for tissue in scan.tissues:
        hu[tissue.shape.field(points_mm, fwhm_mm=0.0) > 0.5] = tissue.hu
    hu.flags.writeable = False
    return hu


def ct_instance_uid(definition: Definition, k: int) -> str:
    """Return the SOP Instance UID of a slice of the CT."""
    return uid(definition.name, "CT image", k)


def ct_datasets(definition: Definition) -> list[Dataset]:
    """Return the objects of the CT series, ascending; none without a CT in the definition."""
    if definition.ct is None:
        return []
    hu = hu_volume(definition.ct)
    return [_slice(definition, definition.ct, k, hu[k]) for k in range(len(hu))]


def _slice(definition: Definition, scan: CtScan, k: int, hu: NDArray[np.int16]) -> Dataset:
    header, grid = definition.header, scan.grid
    pet_at = min(header.series_at, *(bed.acquired_at for bed in header.beds))
    at, fractional = pet_at - timedelta(minutes=scan.before_pet_min), header.vendor.fractional_seconds
    dataset = Dataset()
    attributes.put_patient(dataset, header)
    attributes.put_study_and_series(dataset, definition, kind="CT", number=SERIES_NUMBER)
    dataset.Modality = "CT"
    dataset.SeriesDescription = "CT AC"
    dataset.PatientPosition = patient_position(grid)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = ct_instance_uid(definition, k)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.InstanceNumber = str(k + 1)
    dataset.AcquisitionNumber = "1"
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = attributes.date_text(at)
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = attributes.time_text(
        at, fractional=fractional
    )
    dataset.KVP = "120"
    dataset.XRayTubeCurrent = "100"
    dataset.ExposureTime = "500"
    dataset.ConvolutionKernel = "STANDARD"
    dataset.GantryDetectorTilt = "0"
    dataset.DataCollectionDiameter = "500"
    attributes.put_geometry(dataset, grid.voxel_centre_mm(k, 0, 0), grid.orientation, grid.spacing_mm)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept = text_of(LOWEST_HU)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.LossyImageCompression = "00"
    dataset.add_new("PixelData", "OW", (hu.astype(np.int32) - LOWEST_HU).astype("<u2").tobytes())
    return dataset


def patient_position(grid: ImageGrid) -> str:
    """Return PatientPosition as the axes of a grid have it: rows towards the back are supine."""
    head = "HF" if grid.normal[2] > 0.0 else "FF"
    return head + ("S" if grid.along_rows[1] > 0.0 else "P")
