"""An RTSTRUCT holds regions as contours: polygons in LPS mm on the slices of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from petquant_phantoms import pet_attributes as attributes
from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.outlines import outlines
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.image_grid import ImageGrid
    from petquant_phantoms.references import ReferencedSeries
    from petquant_phantoms.regions import RegionOnGrid

# CLOSEDPLANAR_XOR is how DICOM spells it (PS3.3 C.8.8.6.1): a code string holds 16 characters.
ContourType = Literal["CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "OPEN_PLANAR", "POINT"]

STUDY_MANAGEMENT_CLASS = "1.2.840.10008.3.1.2.3.1"  # what RTReferencedStudySequence names, long retired
SERIES_NUMBER = 5
COLOURS = ((255, 0, 0), (0, 200, 0), (0, 90, 255), (255, 160, 0), (170, 0, 200), (0, 180, 180))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contour:
    """Corners (n, 3) in LPS mm, their type, and the slice of the referenced series they lie on."""

    points_mm: NDArray[np.float64]
    k: int
    type: ContourType = "CLOSED_PLANAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContouredRegion:
    """One ROI of a structure set: its name, and its contours on one series."""

    name: str
    contours: tuple[Contour, ...]
    series: ReferencedSeries


def in_patient(corners: NDArray[np.float64], *, height: float, grid: ImageGrid) -> NDArray[np.float64]:
    """Return corners (x, y) in voxels as LPS mm, ``height`` slices above the first one."""
    slices = np.arange(grid.shape[0], dtype=np.float64)
    along_mm = float(np.interp(height, slices, grid.offsets_mm))
    return np.asarray(
        np.array(grid.origin_mm)
        + along_mm * grid.normal
        + corners[:, 1:] * grid.spacing_mm[1] * grid.along_rows
        + corners[:, :1] * grid.spacing_mm[2] * grid.along_columns
    )


def outlined(region: RegionOnGrid, series: ReferencedSeries) -> ContouredRegion:
    """Return a region whose contours are the outlines of its voxels, slice by slice."""
    contours = tuple(
        Contour(points_mm=in_patient(corners, height=float(k), grid=series.grid), k=int(k))
        for k in np.flatnonzero(region.mask.any(axis=(1, 2)))
        for corners in outlines(region.mask[k])
    )
    return ContouredRegion(name=region.name, contours=contours, series=series)


def rtstruct_dataset(
    definition: Definition, regions: Sequence[ContouredRegion], *, name: str, number: int = 1
) -> Dataset:
    """Return the structure set of regions, ROINumber from 1 in their order.

    Parameters
    ----------
    definition
        The phantom.
    regions
        What was drawn, and on which series.
    name
        Of the object: part of its UIDs.
    number
        Place of its series among those of its kind.
    """
    dataset = Dataset()
    attributes.put_patient(dataset, definition.header)
    attributes.put_study_and_series(
        dataset, definition, kind=f"RTSTRUCT {name}", number=SERIES_NUMBER * 100 + number
    )
    del dataset.BodyPartExamined
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesDescription = f"RTSTRUCT {name}"
    dataset.OperatorsName = ""
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = uid(definition.name, "RTSTRUCT instance", name)
    dataset.InstanceNumber = "1"
    dataset.StructureSetLabel = "REGIONS"
    dataset.StructureSetName = name
    dataset.StructureSetDate, dataset.StructureSetTime = dataset.SeriesDate, dataset.SeriesTime
    dataset.ReferencedFrameOfReferenceSequence = [_frame_of_reference(dataset, regions)]
    dataset.StructureSetROISequence = []
    dataset.ROIContourSequence = []
    dataset.RTROIObservationsSequence = []
    for roi, region in enumerate(regions, start=1):
        dataset.StructureSetROISequence.append(_described(region, roi, dataset.FrameOfReferenceUID))
        dataset.ROIContourSequence.append(_drawn(region, roi))
        dataset.RTROIObservationsSequence.append(_observed(roi))
    return dataset


def _frame_of_reference(dataset: Dataset, regions: Sequence[ContouredRegion]) -> Dataset:
    study = Dataset()
    study.ReferencedSOPClassUID = STUDY_MANAGEMENT_CLASS
    study.ReferencedSOPInstanceUID = dataset.StudyInstanceUID
    study.RTReferencedSeriesSequence = []
    for series in {region.series.uid: region.series for region in regions}.values():
        item = Dataset()
        item.SeriesInstanceUID = series.uid
        item.ContourImageSequence = series.images()
        study.RTReferencedSeriesSequence.append(item)
    frame = Dataset()
    frame.FrameOfReferenceUID = dataset.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _described(region: ContouredRegion, roi: int, frame_of_reference_uid: str) -> Dataset:
    item = Dataset()
    item.ROINumber = str(roi)
    item.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    item.ROIName = region.name
    item.ROIGenerationAlgorithm = ""
    return item


def _drawn(region: ContouredRegion, roi: int) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = str(roi)
    item.ROIDisplayColor = [str(part) for part in COLOURS[(roi - 1) % len(COLOURS)]]
    item.ContourSequence = [_contour(contour, region.series) for contour in region.contours]
    return item


def _contour(contour: Contour, series: ReferencedSeries) -> Dataset:
    item = Dataset()
    images = series.images([contour.k])
    if images:
        item.ContourImageSequence = images
    item.ContourGeometricType = contour.type
    item.NumberOfContourPoints = str(len(contour.points_mm))
    item.ContourData = [text_of(round(float(x), 9)) for x in contour.points_mm.ravel()]
    return item


def _observed(roi: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = str(roi)
    item.ReferencedROINumber = str(roi)
    item.RTROIInterpretedType = ""
    item.ROIInterpreter = ""
    return item
