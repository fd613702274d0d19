"""A small Enhanced PET image, and one that was converted from classic slices, by pydicom and arithmetic.

Eight by eight pixels of 4 mm, four frames 3 mm apart. The patient has 70 kg and was given 350 MBq of 18F at
10:00; the voxels are decay-corrected to 11:00.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

ENHANCED = "1.2.840.10008.5.1.4.1.1.130"
LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.128.1"
CLASSIC = "1.2.840.10008.5.1.4.1.1.128"

WEIGHT_G = 70_000.0
DOSE_BQ = 350e6
HALF_LIFE_S = 6586.2
# W / (D 2^(-3600 s / T_half)) in g/Bq: one hour from injection to decay reference (suv.md section 2)
FACTOR = WEIGHT_G / (DOSE_BQ * 2 ** (-3600 / HALF_LIFE_S))

SHAPE = (4, 8, 8)
STORED = np.arange(4 * 64, dtype=np.int16).reshape(SHAPE) * 40 + 100
UID = "1.2.826.0.1.3680043.8.498.77"


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def one(**values: Any) -> Items:
    return Items([item(**values)])


def code(value: str, scheme: str, meaning: str) -> Items:
    return one(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def mapping(
    *,
    slope: float = 2.0,
    intercept: float = 0.0,
    unit: str = "Bq/ml",
    first: int = -32768,
    last: int = 32767,
) -> Dataset:
    """A real world value mapping; signed, as the pixels are."""
    made = item(
        LUTExplanation=unit,
        LUTLabel=unit[:16],
        MeasurementUnitsCodeSequence=code(unit, "UCUM", unit),
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=intercept,
    )
    made.add_new(0x00409216, "SS", first)
    made.add_new(0x00409211, "SS", last)
    return made


def radiopharmaceutical(*, dose: float) -> Items:
    return one(
        RadionuclideCodeSequence=code("77004003", "SCT", "18^Fluorine"),
        RadiopharmaceuticalStartDateTime="20250101100000",
        RadionuclideTotalDose=dose,
        RadionuclideHalfLife=HALF_LIFE_S,
        RadiopharmaceuticalCodeSequence=code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
    )


def _whole(sop_class: str, pixels: np.ndarray, number: int) -> Dataset:
    whole = Dataset()
    whole.file_meta = FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = sop_class
    whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = f"{UID}.9.{number}"
    whole.StudyInstanceUID, whole.SeriesInstanceUID = f"{UID}.1", f"{UID}.2"
    whole.FrameOfReferenceUID = f"{UID}.3"
    whole.Modality, whole.Manufacturer = "PT", "Synthetic"
    whole.PatientID, whole.PatientSex = "P", "F"
    whole.PatientWeight, whole.PatientSize = 70, "1.75"
    whole.StudyDate = whole.SeriesDate = "20250101"
    whole.StudyTime, whole.SeriesTime, whole.SeriesNumber = "110000", "113000", "2"
    whole.SeriesDescription, whole.InstanceNumber = "PET", str(number)
    whole.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    whole.LossyImageCompression = "00"
    whole.NumberOfFrames, whole.Rows, whole.Columns = pixels.shape
    whole.SamplesPerPixel, whole.PhotometricInterpretation = 1, "MONOCHROME2"
    whole.BitsAllocated = whole.BitsStored = 16
    whole.HighBit, whole.PixelRepresentation = 15, 1
    whole.PixelData = pixels.astype("<i2").tobytes()
    whole["PixelData"].VR = "OW"
    return whole


def positions(n: int = 4, *, start: float = 0.0) -> list[list[float]]:
    return [[0.0, 0.0, start + 3.0 * k] for k in range(n)]


def enhanced_pet(
    stored: np.ndarray = STORED,
    *,
    at: Sequence[Sequence[float]] | None = None,
    mappings: Sequence[Dataset] | Sequence[Sequence[Dataset]] | None = None,
    dose: float = 350.0,
    acquired: Sequence[str] | str = "20250101110000",
    number: int = 1,
) -> Dataset:
    """An Enhanced PET image of stored numbers [frame, row, column].

    `mappings` are those of all frames, or lists of them frame by frame; `acquired` is the start of all
    frames, or of each.
    """
    whole = _whole(ENHANCED, stored, number)
    n = len(stored)
    at = positions(n) if at is None else at
    starts = [acquired] * n if isinstance(acquired, str) else acquired
    whole.AcquisitionDateTime = min(starts)
    whole.RadiopharmaceuticalInformationSequence = radiopharmaceutical(dose=dose)
    whole.DecayCorrected, whole.DecayCorrectionDateTime = "YES", "20250101110000"
    whole.AttenuationCorrected = whole.ScatterCorrected = whole.RandomsCorrected = "YES"
    shared = item(
        PixelMeasuresSequence=one(PixelSpacing=[4, 4], SliceThickness=3),
        PlaneOrientationSequence=one(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    mappings = [mapping()] if mappings is None else mappings
    is_shared = all(isinstance(one_, Dataset) for one_ in mappings)
    if is_shared and mappings:
        shared.RealWorldValueMappingSequence = Items(mappings)
    frames = []
    for k in range(n):
        frame = item(
            FrameContentSequence=one(
                StackID="1",
                InStackPositionNumber=k + 1,
                TemporalPositionIndex=1,
                FrameAcquisitionDateTime=starts[k],
                FrameReferenceDateTime="20250101110230",
                FrameAcquisitionDuration=300_000.0,
            ),
            PlanePositionSequence=one(ImagePositionPatient=list(at[k])),
            PixelValueTransformationSequence=one(RescaleSlope=1, RescaleIntercept=0, RescaleType="US"),
        )
        if not is_shared:
            frame.RealWorldValueMappingSequence = Items(mappings[k])
        frames.append(frame)
    whole.SharedFunctionalGroupsSequence = Items([shared])
    whole.PerFrameFunctionalGroupsSequence = Items(frames)
    return whole


def classic_slices(stored: np.ndarray = STORED, *, slopes: Sequence[float] = (2.0,) * 4) -> list[Dataset]:
    """The same scan in classic slices."""
    slices = []
    for k, plane in enumerate(stored):
        image = _whole(CLASSIC, plane[None], k + 1)
        del image.NumberOfFrames
        image.SeriesInstanceUID = f"{UID}.4"
        image.SeriesTime = image.AcquisitionTime = "110000"
        image.AcquisitionDate = "20250101"
        image.Units, image.DecayCorrection = "BQML", "START"
        image.CorrectedImage = ["ATTN", "DECY", "SCAT"]
        image.SeriesType, image.NumberOfSlices = ["STATIC", "IMAGE"], len(stored)
        image.ActualFrameDuration, image.FrameReferenceTime, image.DecayFactor = 300_000, 149_600, 1.0
        image.RescaleSlope, image.RescaleIntercept = slopes[k], 0
        image.PixelSpacing, image.SliceThickness = [4, 4], 3
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 3 * k], [1, 0, 0, 0, 1, 0]
        image.RadiopharmaceuticalInformationSequence = radiopharmaceutical(dose=DOSE_BQ)
        slices.append(image)
    return slices


def legacy_converted(slices: Sequence[Dataset]) -> Dataset:
    """What a converter makes of classic slices: groups where there are some, and the rest unassigned."""
    pixels = np.stack([np.frombuffer(one_.PixelData, "<i2").reshape(8, 8) for one_ in slices])
    whole = _whole(LEGACY_CONVERTED, pixels, 1)
    whole.AcquisitionDateTime = "20250101110000"
    unassigned = (
        "Units", "DecayCorrection", "CorrectedImage", "SeriesType", "NumberOfSlices",
        "RadiopharmaceuticalInformationSequence",
    )  # fmt: skip
    own = ("AcquisitionDate", "AcquisitionTime", "ActualFrameDuration", "FrameReferenceTime", "DecayFactor")
    first = slices[0]
    whole.SeriesTime = first.SeriesTime
    whole.SharedFunctionalGroupsSequence = one(
        PixelMeasuresSequence=one(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness),
        PlaneOrientationSequence=one(ImageOrientationPatient=first.ImageOrientationPatient),
        UnassignedSharedConvertedAttributesSequence=Items(
            [item(**{keyword: first[keyword].value for keyword in unassigned})]
        ),
    )
    whole.PerFrameFunctionalGroupsSequence = Items(
        item(
            PlanePositionSequence=one(ImagePositionPatient=one_.ImagePositionPatient),
            PixelValueTransformationSequence=one(
                RescaleSlope=one_.RescaleSlope, RescaleIntercept=one_.RescaleIntercept, RescaleType="BQML"
            ),
            FrameContentSequence=one(
                FrameAcquisitionDateTime="20250101110000", FrameAcquisitionDuration=300_000.0
            ),
            UnassignedPerFrameConvertedAttributesSequence=Items(
                [item(**{keyword: one_[keyword].value for keyword in own})]
            ),
        )
        for one_ in slices
    )
    return whole


def save(path: Path, *datasets: Dataset) -> Path:
    """Write datasets into a folder, each to a file of its own, and return the folder."""
    path.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets, start=1):
        dataset.save_as(path / f"{dataset.SeriesInstanceUID[-1]}_{number}.dcm", enforce_file_format=True)
    return path


def region(path: Path) -> Path:
    """A label map of voxel [k=2, j=3, i=4] alone on the grid of the scan; LPS to RAS turns x and y."""
    labels = np.zeros(SHAPE[::-1], np.uint8)
    labels[4, 3, 2] = 1
    nibabel.save(nibabel.Nifti1Image(labels, np.diag([-4.0, -4.0, 3.0, 1.0])), path)
    return path
