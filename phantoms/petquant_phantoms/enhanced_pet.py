"""An Enhanced PET object holds a whole series as frames, with Real World Value Mappings for its values.

Standard: PS3.3 A.56 and C.8.22. It names the decay reference in words (DecayCorrectionDateTime) instead of
leaving it to SeriesTime, gives every frame its FrameReferenceDateTime, and writes the dose in MBq.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedPETImageStorage

from petquant_phantoms import decay
from petquant_phantoms import functional_groups as groups
from petquant_phantoms import pet_attributes as attributes
from petquant_phantoms.decimal_string import text_of
from petquant_phantoms.functional_groups import item_of
from petquant_phantoms.pet_attributes import coded, datetime_text
from petquant_phantoms.pet_series import places
from petquant_phantoms.radiopharmaceuticals import Code
from petquant_phantoms.ucum_units import ucum_unit
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.pet_attributes import SliceOfSeries
    from petquant_phantoms.pet_header import PetHeader
    from petquant_phantoms.quantisation import StoredVolume

IMAGE_TYPE = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
INTRAVENOUS = Code(value="47625008", meaning="Intravenous route")
AXIAL_VIEW = Code(value="24422004", meaning="axial")
AGENT = 1
SMALLEST_16_BIT, LARGEST_16_BIT = -32768, 32767

# Correction flags of C.8.22.3 and the value of the classic CorrectedImage that says the same.
_FLAGS = {
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "RandomsCorrected": "RAN",
    "DeadTimeCorrected": "DTIM",
    "CountLossNormalizationCorrected": "NORM",
    "DetectorNormalizationCorrection": "NORM",
    "SensitivityCalibrated": "NORM",
    "GantryMotionCorrected": None,
    "PatientMotionCorrected": None,
    "NonUniformRadialSamplingCorrected": None,
}


def enhanced_dataset(definition: Definition, *, kind: str = "PT", number: int = 1) -> Dataset:
    """Return the one object of the series of a phantom, without its edits.

    Parameters
    ----------
    definition
        The phantom; frames stand in the order of its instances.
    kind, number
        Part of the UIDs, and the series number.

    Raises
    ------
    ValueError
        For gated phantoms: their frames need groups that are not written here.
    """
    if len(definition.gates) > 1:
        raise ValueError(f"{definition.name}: a gated series is not written as Enhanced PET")
    frames = list(places(definition))
    has_time_frames = len(definition.time_frames) > 1
    dataset = Dataset()
    attributes.put_patient(dataset, definition.header)
    attributes.put_study_and_series(dataset, definition, kind=kind, number=number)
    dataset.SOPClassUID = EnhancedPETImageStorage
    dataset.SOPInstanceUID = uid(definition.name, kind, "enhanced")
    dataset.InstanceNumber = "1"
    _put_acquisition(dataset, definition)
    _put_detector(dataset)
    _put_corrections(dataset, definition.header)
    dataset.RadiopharmaceuticalInformationSequence = [isotope_item(definition.header)]
    dataset.AcquisitionContextSequence = []
    groups.put_dimensions(dataset, name=definition.name, has_time_frames=has_time_frames)
    shared = _shared_groups(definition)
    per_frame = [_frame_groups(definition, place) for place, _ in frames]
    _put_values(shared, per_frame, frames, definition)
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = per_frame
    groups.put_frames(
        dataset,
        [stored.integers[place.k].astype("<i2").tobytes() for place, stored in frames],
        shape=(definition.grid.shape[1], definition.grid.shape[2]),
    )
    return dataset


def isotope_item(header: PetHeader) -> Dataset:
    """Return the item that says what was injected; PS3.3 C.8.22.4 has the dose in MBq."""
    compound = header.radiopharmaceutical
    item = Dataset()
    item.RadiopharmaceuticalAgentNumber = AGENT
    item.RadionuclideCodeSequence = [coded(compound.nuclide.code)]
    item.AdministrationRouteCodeSequence = [coded(INTRAVENOUS)]
    item.RadiopharmaceuticalCodeSequence = [coded(compound.any_code)]
    item.RadiopharmaceuticalVolume = "5"
    item.RadiopharmaceuticalSpecificActivity = None
    item.RadiopharmaceuticalStartDateTime = datetime_text(
        header.injected_at, fractional=header.vendor.fractional_seconds
    )
    item.RadionuclideTotalDose = text_of(header.written_dose(standard="MBq"))
    item.RadionuclideHalfLife = text_of(header.used_half_life_s)
    item.RadionuclidePositronFraction = text_of(compound.nuclide.positron_fraction)
    return item


def _put_acquisition(dataset: Dataset, definition: Definition) -> None:
    """Write when and how the patient was scanned."""
    header = definition.header
    fractional = header.vendor.fractional_seconds
    last = len(definition.time_frames) - 1
    began_at = min(header.acquired_at(bed) for bed in header.beds)
    ended_at = max(
        header.acquired_at(bed, frame=last) + timedelta(seconds=bed.duration_s) for bed in header.beds
    )
    dataset.ContentDate = attributes.date_text(began_at)
    dataset.ContentTime = attributes.time_text(began_at, fractional=fractional)
    dataset.AcquisitionDateTime = datetime_text(began_at, fractional=fractional)
    dataset.AcquisitionDuration = decay.seconds_between(began_at, ended_at)
    dataset.ImageType = list(IMAGE_TYPE)
    groups.put_image_character(dataset)
    dataset.ContentQualification = "RESEARCH"
    dataset.BurnedInAnnotation = "NO"
    dataset.PresentationLUTShape = "IDENTITY"
    is_headfirst = definition.grid.normal[2] > 0.0
    is_supine = definition.grid.along_rows[1] > 0.0
    dataset.PatientPosition = ("HF" if is_headfirst else "FF") + ("S" if is_supine else "P")
    dataset.AcquisitionStartCondition = "MANU"
    dataset.AcquisitionTerminationCondition = "TIME"
    dataset.TerminationTimeThreshold = dataset.AcquisitionDuration
    dataset.TypeOfDetectorMotion = "STATIONARY"
    dataset.TableMotion = "STATIC"
    dataset.ViewCodeSequence = [coded(AXIAL_VIEW)]


def _put_detector(dataset: Dataset) -> None:
    """Write the ring that looked."""
    dataset.CollimatorType = "NONE"
    dataset.CountsSource = "EMISSION"
    dataset.TimeOfFlightInformationUsed = "TRUE"
    dataset.DetectorGeometry = "CYLINDRICAL_RING"
    dataset.TransverseDetectorSeparation = 842.0
    dataset.AxialDetectorDimension = 218.0
    dataset.CoincidenceWindowWidth = 4.1
    dataset.EnergyWindowRangeSequence = item_of(EnergyWindowLowerLimit="435", EnergyWindowUpperLimit="650")


def _put_corrections(dataset: Dataset, header: PetHeader) -> None:
    """Write what was corrected for, and the time to which decay was."""
    for keyword, correction in _FLAGS.items():
        setattr(dataset, keyword, "YES" if correction in header.corrections else "NO")
    if "ATTN" in header.corrections:
        dataset.AttenuationCorrectionSource = "CT"
        dataset.AttenuationCorrectionTemporalRelationship = "CONCURRENT"
    if "SCAT" in header.corrections:
        dataset.ScatterCorrectionMethod = "Model-based"
    if "RAN" in header.corrections:
        dataset.RandomsCorrectionMethod = "DLYD"
    dataset.DecayCorrected = "NO" if header.decay_correction == "NONE" else "YES"
    if header.decay_correction != "NONE":
        dataset.DecayCorrectionDateTime = datetime_text(
            header.reference_at, fractional=header.vendor.fractional_seconds
        )


def _shared_groups(definition: Definition) -> Dataset:
    """Return what all frames have in common."""
    shared = Dataset()
    groups.put_grid(shared, definition.grid)
    groups.put_frame_type(shared, IMAGE_TYPE)
    shared.PETFrameAcquisitionSequence = item_of(
        TableHeight=150.0, GantryDetectorTilt=0.0, GantryDetectorSlew=0.0, DataCollectionDiameter=700.0
    )
    middle_mm = [
        float(x)
        for x in 0.5
        * (
            definition.grid.voxel_centre_mm(0, 0, 0)
            + definition.grid.voxel_centre_mm(*(n - 1 for n in definition.grid.shape))
        )
    ]
    shared.PETPositionSequence = item_of(
        TablePosition=0.0,
        DataCollectionCenterPatient=middle_mm,
        ReconstructionTargetCenterPatient=middle_mm,
    )
    shared.PETReconstructionSequence = item_of(
        ReconstructionType="3D",
        ReconstructionAlgorithm="REPROJECTION",
        IterativeReconstructionMethod="YES",
        NumberOfIterations=3,
        NumberOfSubsets=21,
        ReconstructionFieldOfView=[
            float(definition.grid.shape[axis] * definition.grid.spacing_mm[axis]) for axis in (2, 1)
        ],
    )
    shared.RadiopharmaceuticalUsageSequence = item_of(RadiopharmaceuticalAgentNumber=AGENT)
    return shared


def _frame_groups(definition: Definition, place: SliceOfSeries) -> Dataset:
    """Return when and where one frame was taken."""
    header, grid = definition.header, definition.grid
    fractional = header.vendor.fractional_seconds
    bed = header.bed_of_slice(place.k, n_slices=grid.shape[0])
    content = Dataset()
    content.FrameAcquisitionNumber = 1
    content.FrameAcquisitionDateTime = datetime_text(
        header.recorded_at(bed, frame=place.frame), fractional=fractional
    )
    content.FrameReferenceDateTime = datetime_text(
        header.frame_reference_at(bed, frame=place.frame), fractional=fractional
    )
    content.FrameAcquisitionDuration = 1000.0 * bed.duration_s
    groups.put_place(content, place, has_time_frames=len(definition.time_frames) > 1)
    group = Dataset()
    group.FrameContentSequence = [content]
    group.PlanePositionSequence = groups.plane_position(grid, place.k)
    correction = Dataset()
    if header.decay_correction != "NONE":
        correction.DecayFactor = text_of(header.decay_factor(bed, frame=place.frame))
    correction.PrimaryPromptsCountsAccumulated = "1000000"
    correction.SliceSensitivityFactor = "1"
    correction.ScatterFractionFactor = "0.3"
    correction.DeadTimeFactor = "1"
    group.PETFrameCorrectionFactorsSequence = [correction]
    return group


def _put_values(
    shared: Dataset,
    per_frame: list[Dataset],
    frames: list[tuple[SliceOfSeries, StoredVolume]],
    definition: Definition,
) -> None:
    """Write slopes and the unit of the values: once where all frames have the same, else per frame."""
    header, n_slices = definition.header, definition.grid.shape[0]
    scales = []
    for place, stored in frames:
        bed = header.bed_of_slice(place.k, n_slices=n_slices)
        slope_text = stored.slope_texts[place.k]
        slopes = {ucum_unit(header.units, header.suv_type): float(slope_text)}
        if header.has_suv_mapping:
            per_suv = header.stored_per_suv(bed, frame=place.frame)
            slopes[ucum_unit("GML", "BW")] = float(slope_text) / per_suv
        scales.append((slope_text, slopes))
    is_shared = all(scale == scales[0] for scale in scales)
    for group, (slope_text, slopes) in zip(
        [shared] if is_shared else per_frame, scales, strict=not is_shared
    ):
        group.PixelValueTransformationSequence = groups.pixel_value_transformation(slope_text)
        group.RealWorldValueMappingSequence = [_mapping(unit, slope) for unit, slope in slopes.items()]


def _mapping(unit: Code, slope: float) -> Dataset:
    mapping = Dataset()
    mapping.LUTExplanation = unit.meaning
    mapping.LUTLabel = unit.value[:16]
    mapping.MeasurementUnitsCodeSequence = [coded(unit)]
    mapping.add_new("RealWorldValueFirstValueMapped", "SS", SMALLEST_16_BIT)
    mapping.add_new("RealWorldValueLastValueMapped", "SS", LARGEST_16_BIT)
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = slope
    return mapping
