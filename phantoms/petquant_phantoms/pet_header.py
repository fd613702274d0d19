"""A PET header holds what scanner, radiopharmacy and ward wrote down about one series, free of DICOM.

`PetHeader` is a frozen value with sensible defaults: ``dataclasses.replace`` gives its variants. What it says
is the truth of the phantom; how a vendor writes it down is the business of `dialects` and `pet_attributes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from petquant_phantoms import decay
from petquant_phantoms.decimal_string import rounded
from petquant_phantoms.dialects import DIALECTS, Dialect
from petquant_phantoms.normalisation import stored_per_suvbw
from petquant_phantoms.radiopharmaceuticals import FDG, Radiopharmaceutical

DecayCorrection = Literal["START", "ADMIN", "NONE"]
PhilipsFactors = Literal["both", "suv", "activity", "zero", "none"]
DoseUnit = Literal["Bq", "MBq"]

CORRECTIONS = ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """One bed position: when its acquisition began and how long it took.

    ``frame_reference_s`` and ``decay_factor`` replace the values that follow from the truth, for headers that
    lie.
    """

    acquired_at: datetime
    duration_s: float = 300.0
    frame_reference_s: float | None = None
    decay_factor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PetHeader:
    """What is written about one PET series; slices are shared evenly among the beds, in order of k.

    Attributes
    ----------
    decay_reference_at
        Time to which the voxels are decay-corrected under START; None means ``series_at``. A later
        ``series_at`` makes a series that was processed again.
    half_life_s
        Half-life written and used; None means that of the nuclide.
    corrected_image
        CorrectedImage; None means all corrections, without DECY when there is no decay correction.
    dose_unit
        Unit in which RadionuclideTotalDose is written; None means that of the standard: Bq in classic and
        legacy converted objects, MBq in Enhanced PET (PS3.3 C.8.22.4).
    units, suv_type
        Units (0054,1001) and SUVType (0054,1006).
    acquisition_time_per_bed
        False writes the time of the first bed on every slice, as many GE series do.
    private_block, has_private_creator, has_private
        Where the private elements of the dialect lie, and whether they and their creator are written.
    private_is_unknown, private_blanks
        Private values written as bytes of VR UN; blanks after their text.
    has_suv_mapping
        Whether an Enhanced object maps its values to SUVbw as well.
    further_doses_bq
        Doses of further items of the radiopharmaceutical sequence, each otherwise like the first.
    philips_factors
        Which of the two Philips factors are written; "zero" writes both as 0.
    philips_suv_factor, philips_activity_factor
        SUV and Bq/mL of one count; None takes the SUV factor that fits the activity factor.
    """

    patient_id: str = "PQ-PHANTOM"
    patient_name: str = "Phantom^Petquant"
    birth_date: date = date(1970, 1, 1)
    sex: str = "M"
    weight_kg: float = 70.0
    height_m: float = 1.75
    radiopharmaceutical: Radiopharmaceutical = FDG
    injected_activity_bq: float = 350.0e6
    dose_unit: DoseUnit | None = None
    half_life_s: float | None = None
    injected_at: datetime = datetime(2025, 1, 1, 10, 0, 0)  # noqa: DTZ001  DICOM times carry no zone here
    series_at: datetime = datetime(2025, 1, 1, 11, 0, 0)  # noqa: DTZ001
    decay_reference_at: datetime | None = None
    beds: tuple[Bed, ...] = (Bed(acquired_at=datetime(2025, 1, 1, 11, 0, 0)),)  # noqa: DTZ001
    decay_correction: DecayCorrection = "START"
    units: str = "BQML"
    suv_type: str | None = None
    corrected_image: tuple[str, ...] | None = None
    attenuation_correction_method: str = "CT-based"
    series_type: str = "WHOLE BODY"
    series_description: str = "PET AC"
    dialect: str = "generic"
    acquisition_time_per_bed: bool = True
    private_block: int = 0x10
    has_private_creator: bool = True
    has_private: bool = True
    private_is_unknown: bool = False
    private_blanks: int = 0
    has_suv_mapping: bool = False
    further_doses_bq: tuple[float, ...] = ()
    philips_factors: PhilipsFactors = "both"
    philips_suv_factor: float | None = None
    philips_activity_factor: float = 2.5

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect {self.dialect!r} is unknown; there are {', '.join(DIALECTS)}")
        if self.decay_correction not in {"START", "ADMIN", "NONE"}:
            raise ValueError(f"decay_correction {self.decay_correction!r} is not START, ADMIN or NONE")
        if self.dose_unit not in {None, "Bq", "MBq"}:
            raise ValueError(f"dose_unit {self.dose_unit!r} is neither Bq nor MBq")
        if not self.beds:
            raise ValueError("a PET header needs at least one bed")

    @property
    def vendor(self) -> Dialect:
        """The row of the dialect in the table of vendors."""
        return DIALECTS[self.dialect]

    @property
    def has_count_factor(self) -> bool:
        """Whether a usable factor is written: into SUV or Bq/mL, for undecayed counts into Bq/mL."""
        knows = any(element.content in {"suv_factor", "activity_factor"} for element in self.vendor.private)
        usable = {"both", "activity"} if self.decay_correction == "NONE" else {"both", "suv", "activity"}
        return knows and self.has_private and self.philips_factors in usable

    @property
    def used_half_life_s(self) -> float:
        """The half-life written into the header, by which the image decays."""
        return self.radiopharmaceutical.nuclide.half_life_s if self.half_life_s is None else self.half_life_s

    @property
    def reference_at(self) -> datetime:
        """Time to which the voxels of START and ADMIN are decay-corrected; for NONE the series time."""
        if self.decay_correction == "ADMIN":
            return self.injected_at
        return self.series_at if self.decay_reference_at is None else self.decay_reference_at

    @property
    def frame_zero_at(self) -> datetime:
        """Time from which FrameReferenceTime counts."""
        return self.series_at if self.decay_reference_at is None else self.decay_reference_at

    @property
    def corrections(self) -> tuple[str, ...]:
        """Values of CorrectedImage."""
        if self.corrected_image is not None:
            return self.corrected_image
        return tuple(c for c in CORRECTIONS if c != "DECY" or self.decay_correction != "NONE")

    @property
    def decay_interval_s(self) -> float:
        """Time from injection to the decay reference, in s."""
        return decay.seconds_between(self.injected_at, self.reference_at)

    @property
    def decayed_activity_bq(self) -> float:
        """Injected activity left at the decay reference: ``D 2^(-(t_ref - t_adm)/T_half)``."""
        return self.injected_activity_bq * decay.remaining_fraction(
            self.decay_interval_s, half_life_s=self.used_half_life_s
        )

    def written_dose(self, *, standard: DoseUnit = "Bq") -> float:
        """Return the number of RadionuclideTotalDose; ``standard`` is the unit of the kind of object."""
        is_in_bq = (self.dose_unit or standard) == "Bq"
        return self.injected_activity_bq if is_in_bq else self.injected_activity_bq / 1.0e6

    def bed_of_slice(self, k: int, *, n_slices: int) -> Bed:
        """Return the bed position that slice k was acquired in."""
        return self.beds[k * len(self.beds) // n_slices]

    def acquired_at(self, bed: Bed, *, frame: int = 0) -> datetime:
        """Return when the acquisition of a bed really began, in a given time frame."""
        ends_at = max(b.acquired_at + timedelta(seconds=b.duration_s) for b in self.beds)
        pass_s = decay.seconds_between(min(b.acquired_at for b in self.beds), ends_at)
        return bed.acquired_at + timedelta(seconds=self.vendor.acquisition_lag_s + frame * pass_s)

    def recorded_at(self, bed: Bed, *, frame: int = 0) -> datetime:
        """Return when the acquisition of a bed began by the header, which may give all beds one time."""
        if self.acquisition_time_per_bed:
            return self.acquired_at(bed, frame=frame)
        return self.acquired_at(self.beds[0])

    def activity_per_suv(self, bed: Bed, *, frame: int = 0) -> float:
        """Return the stored concentration in Bq/mL of a voxel of SUVbw 1.

        Notes
        -----
        W in g. START ``D 2^(-(t_ref - t_adm)/T_half) / W``; ADMIN ``D / W``; NONE, per slice,
        ``D/W exp(-lambda (T_acq - t_adm)) (1 - exp(-lambda T)) / (lambda T)``.
        """
        half_life_s = self.used_half_life_s
        dose_per_gram = self.injected_activity_bq / (1000.0 * self.weight_kg)
        if self.decay_correction == "ADMIN":
            return dose_per_gram
        if self.decay_correction == "START":
            return dose_per_gram * decay.remaining_fraction(self.decay_interval_s, half_life_s=half_life_s)
        waited_s = decay.seconds_between(self.injected_at, self.acquired_at(bed, frame=frame))
        return (
            dose_per_gram
            * decay.remaining_fraction(waited_s, half_life_s=half_life_s)
            * decay.mean_remaining_fraction(bed.duration_s, half_life_s=half_life_s)
        )

    @property
    def suv_per_count(self) -> float | None:
        """The Philips SUV factor as written; None where there is none (never with undecayed voxels)."""
        if self.decay_correction == "NONE" or self.philips_factors not in {"both", "suv"}:
            return None
        if self.philips_suv_factor is not None:
            return self.philips_suv_factor
        return rounded(self.philips_activity_factor / self.activity_per_suv(self.beds[0]))

    def stored_per_suv(self, bed: Bed, *, frame: int = 0) -> float:
        """Return the rescaled value, in the units of the header, of a voxel of SUVbw 1.

        Counts follow the SUV factor where it is written, else the activity factor. Units that are not
        quantitative carry the concentration.
        """
        if self.units in {"GML", "CM2ML"}:
            suv_type = self.suv_type or ("BSA" if self.units == "CM2ML" else "BW")
            return stored_per_suvbw(suv_type, weight_kg=self.weight_kg, height_m=self.height_m, sex=self.sex)
        activity = self.activity_per_suv(bed, frame=frame)
        if self.units != "CNTS":
            return activity
        return (
            activity / self.philips_activity_factor
            if self.suv_per_count is None
            else 1.0 / self.suv_per_count
        )

    def frame_reference_s(self, bed: Bed, *, frame: int = 0) -> float:
        """Return FrameReferenceTime in s, in the convention of the dialect."""
        if bed.frame_reference_s is not None:
            return bed.frame_reference_s
        start_s = decay.seconds_between(self.frame_zero_at, self.acquired_at(bed, frame=frame))
        if self.vendor.frame_reference == "frame_start":
            return start_s + self.vendor.frame_reference_excess_s
        average_s = decay.average_count_time_s(bed.duration_s, half_life_s=self.used_half_life_s)
        return start_s + average_s + self.vendor.frame_reference_excess_s

    def frame_reference_at(self, bed: Bed, *, frame: int = 0) -> datetime:
        """Return FrameReferenceDateTime: the average-count time of the frame, whatever the dialect counts."""
        if bed.frame_reference_s is not None:
            return self.frame_zero_at + timedelta(seconds=bed.frame_reference_s)
        average_s = decay.average_count_time_s(bed.duration_s, half_life_s=self.used_half_life_s)
        return self.acquired_at(bed, frame=frame) + timedelta(seconds=average_s)

    def decay_factor(self, bed: Bed, *, frame: int = 0) -> float:
        """Return DecayFactor: ``exp(lambda (T_acq + T_ave - t_ref))``, 1 where the dialect computes none."""
        if bed.decay_factor is not None:
            return bed.decay_factor
        if self.decay_correction == "NONE" or not self.vendor.computes_decay_factor:
            return 1.0
        start_s = decay.seconds_between(self.reference_at, self.acquired_at(bed, frame=frame))
        average_s = decay.average_count_time_s(bed.duration_s, half_life_s=self.used_half_life_s)
        return 1.0 / decay.remaining_fraction(start_s + average_s, half_life_s=self.used_half_life_s)
