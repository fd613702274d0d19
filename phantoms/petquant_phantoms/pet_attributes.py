"""PET attributes are what stands in the DICOM header of one slice: the list that validates without a word.

Each function gives one group of attributes; nothing here reckons, values come from `PetHeader`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import PositronEmissionTomographyImageStorage

from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.encoding import put_raw
from petquant_phantoms.radiopharmaceuticals import Code
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from petquant_phantoms.definition import Definition
    from petquant_phantoms.dialects import PrivateContent
    from petquant_phantoms.pet_header import PetHeader

RECUMBENT = Code(value="102538003", meaning="recumbent")
SUPINE = Code(value="40199007", meaning="supine")
HEADFIRST = Code(value="102540008", meaning="headfirst")
FEETFIRST = Code(value="102541007", meaning="feet-first")
INTRAVENOUS = "Intravenous route"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceOfSeries:
    """Which slice of which time frame and gate an object holds, and its place in the series."""

    k: int
    frame: int = 0
    gate: int = 0
    instance: int = 1
    copy: int = 0


def instance_uid(name: str, place: SliceOfSeries, *, kind: str) -> str:
    """Return the SOP Instance UID of a slice of the series ``kind`` of a phantom."""
    return uid(name, kind, f"{place.k}.{place.frame}.{place.gate}.{place.copy}")


def date_text(at: datetime) -> str:
    """Return a DA value."""
    return at.strftime("%Y%m%d")


def time_text(at: datetime, *, fractional: bool = False) -> str:
    """Return a TM value, with six decimals where asked for or needed."""
    return at.strftime("%H%M%S.%f") if fractional or at.microsecond else at.strftime("%H%M%S")


def coded(code: Code) -> Dataset:
    """Return the item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item


def put_patient(dataset: Dataset, header: PetHeader) -> None:
    """Write who was scanned."""
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = header.patient_name
    dataset.PatientID = header.patient_id
    dataset.PatientBirthDate = header.birth_date.strftime("%Y%m%d")
    dataset.PatientSex = header.sex
    dataset.PatientSize = text_of(header.height_m)
    dataset.PatientWeight = text_of(header.weight_kg)


def put_study_and_series(dataset: Dataset, definition: Definition, *, kind: str, number: int) -> None:
    """Write study, series, frame of reference and equipment."""
    header, name = definition.header, definition.name
    fractional = header.vendor.fractional_seconds
    began_at = min(header.series_at, *(bed.acquired_at for bed in header.beds))
    dataset.StudyDate = date_text(began_at)
    dataset.StudyTime = time_text(began_at, fractional=fractional)
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.StudyDescription = "Phantom PET"
    dataset.StudyInstanceUID = uid(name, "study")
    dataset.Modality = "PT"
    dataset.SeriesDate = date_text(header.series_at)
    dataset.SeriesTime = time_text(header.series_at, fractional=fractional)
    dataset.SeriesInstanceUID = uid(name, kind)
    dataset.SeriesNumber = str(number)
    dataset.SeriesDescription = header.series_description
    dataset.BodyPartExamined = "WHOLEBODY"
    dataset.FrameOfReferenceUID = uid(definition.frame_of_reference or name, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = header.vendor.manufacturer
    dataset.ManufacturerModelName = header.vendor.model
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = "1"


def put_series_physics(dataset: Dataset, definition: Definition) -> None:
    """Write units, corrections, how the patient lay, and what was injected."""
    header = definition.header
    has_gates, has_frames = len(definition.gates) > 1, len(definition.time_frames) > 1
    kind = "GATED" if has_gates else "DYNAMIC" if has_frames else header.series_type
    dataset.SeriesType = [kind, "IMAGE"]
    dataset.Units = header.units
    if header.suv_type is not None:
        dataset.SUVType = header.suv_type
    dataset.CountsSource = "EMISSION"
    dataset.NumberOfSlices = definition.grid.shape[0]
    if has_frames:
        dataset.NumberOfTimeSlices = len(definition.time_frames)
    dataset.CorrectedImage = list(header.corrections)
    dataset.DecayCorrection = header.decay_correction
    dataset.CollimatorType = "NONE"
    dataset.RandomsCorrectionMethod = "DLYD"
    dataset.AttenuationCorrectionMethod = header.attenuation_correction_method
    dataset.ScatterCorrectionMethod = "Model-based"
    dataset.ReconstructionMethod = "OSEM 3i21s"
    position = coded(RECUMBENT)
    position.PatientOrientationModifierCodeSequence = [coded(SUPINE)]
    dataset.PatientOrientationCodeSequence = [position]
    is_headfirst = definition.grid.normal[2] > 0.0
    dataset.PatientGantryRelationshipCodeSequence = [coded(HEADFIRST if is_headfirst else FEETFIRST)]
    doses_bq = (header.injected_activity_bq, *header.further_doses_bq)
    dataset.RadiopharmaceuticalInformationSequence = [
        radiopharmaceutical_item(replace(header, injected_activity_bq=dose_bq)) for dose_bq in doses_bq
    ]


def radiopharmaceutical_item(header: PetHeader) -> Dataset:
    """Return the item that says what was injected, how much and when."""
    compound = header.radiopharmaceutical
    fractional = header.vendor.fractional_seconds
    item = Dataset()
    item.Radiopharmaceutical = compound.name
    item.RadiopharmaceuticalRoute = INTRAVENOUS
    item.RadiopharmaceuticalVolume = "5"
    item.RadiopharmaceuticalStartTime = time_text(header.injected_at, fractional=fractional)
    item.RadionuclideTotalDose = text_of(header.written_dose())
    item.RadionuclideHalfLife = text_of(header.used_half_life_s)
    item.RadionuclidePositronFraction = text_of(compound.nuclide.positron_fraction)
    item.RadiopharmaceuticalStartDateTime = datetime_text(header.injected_at, fractional=fractional)
    item.RadionuclideCodeSequence = [coded(compound.nuclide.code)]
    if compound.code is not None:
        item.RadiopharmaceuticalCodeSequence = [coded(compound.code)]
    return item


def datetime_text(at: datetime, *, fractional: bool = False) -> str:
    """Return a DT value without offset from UTC."""
    return date_text(at) + time_text(at, fractional=fractional)


def put_slice(dataset: Dataset, definition: Definition, place: SliceOfSeries, *, kind: str) -> None:
    """Write what differs from slice to slice: identity, position and times."""
    header, grid = definition.header, definition.grid
    bed = header.bed_of_slice(place.k, n_slices=grid.shape[0])
    acquired_at = header.recorded_at(bed, frame=place.frame)
    clock = time_text(acquired_at, fractional=header.vendor.fractional_seconds)
    dataset.SOPClassUID = PositronEmissionTomographyImageStorage
    dataset.SOPInstanceUID = instance_uid(definition.name, place, kind=kind)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.InstanceNumber = str(place.instance)
    dataset.AcquisitionDate = dataset.ContentDate = date_text(acquired_at)
    dataset.AcquisitionTime = dataset.ContentTime = clock
    dataset.AcquisitionNumber = "1"
    dataset.FrameReferenceTime = text_of(1000.0 * header.frame_reference_s(bed, frame=place.frame))
    dataset.ActualFrameDuration = str(round(1000.0 * bed.duration_s))
    if header.decay_correction != "NONE":
        dataset.DecayFactor = text_of(header.decay_factor(bed, frame=place.frame))
    n_gates = len(definition.gates)
    dataset.ImageIndex = (place.frame * n_gates + place.gate) * grid.shape[0] + place.k + 1
    if n_gates > 1:
        dataset.BeatRejectionFlag = "N"
        dataset.NumberOfRRIntervals = 1
        dataset.NumberOfTimeSlots = n_gates
        dataset.TriggerTime = text_of(place.gate * 1000.0 / n_gates)
        dataset.FrameTime = text_of(1000.0 / n_gates)
    put_geometry(dataset, grid.voxel_centre_mm(place.k, 0, 0), grid.orientation, grid.spacing_mm)


def put_geometry(
    dataset: Dataset,
    position_mm: Iterable[float],
    orientation: Sequence[float],
    spacing_mm: Sequence[float],
) -> None:
    """Write where a slice lies; ``spacing_mm`` counts slices, rows, columns."""
    dataset.SliceThickness = text_of(spacing_mm[0])
    dataset.PixelSpacing = [text_of(spacing_mm[1]), text_of(spacing_mm[2])]
    dataset.ImagePositionPatient = [text_of(round(float(x), 9)) for x in position_mm]
    dataset.ImageOrientationPatient = [text_of(x) for x in orientation]


def put_private(dataset: Dataset, header: PetHeader) -> None:
    """Write the private elements of the dialect."""
    if not header.has_private:
        return
    written = []
    for element in header.vendor.private:
        value = _private_value(header, element.content)
        if value is None:
            continue
        tag = Tag(element.group, (header.private_block << 8) + element.place)
        vr = "UN" if header.private_is_unknown else element.vr
        # Raw, as pydicom trims the blanks of decimal strings.
        put_raw(dataset, tag, value + " " * header.private_blanks, vr=vr)
        written.append(element)
    # Creators last: beside its creator pydicom parses a raw element and forgets that its VR was UN.
    for element in written if header.has_private_creator else ():
        dataset.add_new((element.group, header.private_block), "LO", element.creator)


def _private_value(header: PetHeader, content: PrivateContent) -> str | None:
    fractional = header.vendor.fractional_seconds
    if content == "decay_reference":
        return datetime_text(header.frame_zero_at, fractional=fractional)
    if content == "injection":
        return datetime_text(header.injected_at, fractional=fractional)
    if header.philips_factors == "zero":
        return "0"
    if content == "suv_factor":
        return None if header.suv_per_count is None else text_of(header.suv_per_count)
    has_activity = header.philips_factors in {"both", "activity"}
    return text_of(header.philips_activity_factor) if has_activity else None


def put_pixels(dataset: Dataset, integers: bytes, *, shape: tuple[int, int], slope_text: str) -> None:
    """Write signed 16-bit pixels, little endian, with their slope and an intercept of 0."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept = "0"
    dataset.RescaleSlope = slope_text
    dataset.LossyImageCompression = "00"
    dataset.add_new("PixelData", "OW", integers)
