"""A flag is a caveat that a number carries into every output; this is their table, and that of every refusal.

A row says how grave the code is, whether ``--strict`` turns it into a refusal, what it means, and what to do.
Documentation, ``petquant info`` and the checks of the command line are made from this table alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from petquant.errors import Finding

__all__ = ["CODES", "Code", "Severity", "flags_of", "refusals_of"]


class Severity(StrEnum):
    """What a code does to the run."""

    REFUSE = "refuse"  # readable, not computed: exit 4
    FLAG = "flag"  # computed, the caveat travels with the number
    INFO = "info"  # computed, worth knowing
    UNREADABLE = "unreadable"  # exit 3
    LIMIT = "limit"  # exit 7
    USAGE = "usage"  # exit 2
    OUTPUT = "output"  # exit 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One row of the table.

    Parameters
    ----------
    code
        Stable identifier.
    severity
        What it does to the run.
    strict
        Whether ``--strict`` turns the flag into a refusal.
    meaning
        What was seen.
    remedy
        What to do; the options that lift it.
    """

    code: str
    severity: Severity
    meaning: str
    remedy: str = ""
    strict: bool = False


def _row(code: str, severity: str, meaning: str, remedy: str = "") -> Code:
    grade, _, strict = severity.partition(" ")
    return Code(code=code, severity=Severity(grade), meaning=meaning, remedy=remedy, strict=strict == "S")


_ROWS = (
    # Files: reliability.md section 3, 1 to 29
    ("PATH_NOT_FOUND", "usage", "the path does not exist", "give an existing file or folder"),
    ("USAGE", "usage", "the command line cannot be meant", "see --help"),
    ("OPTION_INVALID", "usage", "the value of an option cannot be meant", "see --help"),
    (
        "TABLE_INVALID",
        "unreadable",
        "a table of results is not what its command reads",
        "see the help of the command",
    ),
    ("NO_FILES", "unreadable", "the folder holds no file", "give the folder of the study"),
    ("NO_DICOM", "unreadable", "none of the files is DICOM", "give the folder of the study"),
    ("FILE_UNREADABLE", "unreadable", "a file cannot be opened", "grant read permission"),
    (
        "FILE_TRUNCATED",
        "unreadable",
        "a file of the series ends before its declared end",
        "export the file again",
    ),
    (
        "FILE_NOT_UNDERSTOOD",
        "unreadable",
        "the bytes of a file contradict its declared encoding",
        "export again",
    ),
    (
        "ARCHIVE_UNSAFE",
        "unreadable",
        "a zip file with members that no honest archive has",
        "unpack it with a tool that you trust",
    ),
    ("DUPLICATE_TAGS", "unreadable", "an attribute occurs twice in one data set", "export the file again"),
    ("COMPRESSION_UNSUPPORTED", "unreadable", "a container format that is not read", "unpack it first"),
    ("FORMAT_UNSUPPORTED", "unreadable", "a file format that is not read", "convert it to NIfTI"),
    (
        "PIXELS_UNSUPPORTED",
        "unreadable",
        "a pixel encoding that is not read for certain",
        "export again uncompressed",
    ),
    (
        "DECODER_MISSING",
        "unreadable",
        "no decoder for the transfer syntax",
        "re-encode losslessly, explicit little endian",
    ),
    ("DEPENDENCY_TOO_OLD", "unreadable", "an installed package is older than is safe", "upgrade it"),
    (
        "NIFTI_UNITS_UNKNOWN",
        "refuse",
        "nothing says what the numbers of a NIfTI image are",
        "a JSON side-car beside it, --units suv or --units bqml",
    ),
    ("PET_AFFINES_DISAGREE", "refuse", "sform and qform of a PET image disagree", "make them agree"),
    ("SIDECAR_DIALECT", "info", "whose words the side-car is written in", ""),
    (
        "SIDECAR_ACTIVITY_UNITS_ASSUMED",
        "flag",
        "the side-car gives the injected activity without its unit",
        "--dose-mbq",
    ),
    (
        "SIDECAR_ACTIVITIES_DISAGREE",
        "refuse",
        "the side-car gives two injected activities that differ by more than 5 %",
        "--dose-mbq",
    ),
    (
        "SIDECAR_SLICES_INCONSISTENT",
        "refuse",
        "the slice positions of the side-car are not those of the image",
        "the image as petquant convert wrote it; or take slice_positions_mm out, where the slices are even",
    ),
    (
        "HALF_LIFE_FROM_NUCLIDE",
        "flag",
        "the side-car names the nuclide alone; its half-life was taken from the table",
        "--half-life",
    ),
    (
        "SIDECAR_INJECTION_EQUALS_SCAN",
        "refuse",
        "the side-car lets injection and static scan begin at once",
        "--uptake-min, --injection-time or --trust-sidecar-times",
    ),
    (
        "SIDECAR_TIMES_MISSING",
        "refuse",
        "the side-car does not say when injection or decay reference were",
        "--injection-time or --uptake-min",
    ),
    (
        "SIDECAR_FRAMES_INCONSISTENT",
        "refuse",
        "the frame times of the side-car contradict each other or the image",
        "mend the side-car",
    ),
    ("SIDECAR_INVALID", "unreadable", "a JSON, CSV or manifest file that cannot be read", "mend the file"),
    (
        "FILE_DAMAGED",
        "flag",
        "a file outside the chosen series is damaged; it was set aside",
        "export the file again",
    ),
    ("NOT_A_REGULAR_FILE", "flag", "a pipe, socket or device was not opened", ""),
    ("SYMLINK_NOT_FOLLOWED", "flag", "a link that leaves the folder was not followed", "--follow-symlinks"),
    ("STRAY_FILES", "info", "files that are not DICOM were ignored", ""),
    ("TRAILING_BYTES", "flag", "bytes follow the end of the pixel data; they were ignored", ""),
    (
        "NO_META_HEADER",
        "flag",
        "a file without preamble or meta header; read after a strict check of its start",
        "",
    ),
    (
        "VALUE_IRREGULAR",
        "flag",
        "an attribute with an odd length or another type than the standard's; value certain",
        "",
    ),
    ("TAGS_OUT_OF_ORDER", "flag", "attributes are not in ascending order; all were read", ""),
    (
        "NESTING_LIMIT",
        "limit",
        "sequences nested deeper than any honest file",
        "ask where the file comes from",
    ),
    (
        "INFLATION_LIMIT",
        "limit",
        "a compressed file inflates beyond its bound",
        "ask where the file comes from",
    ),
    ("SIZE_LIMIT", "limit", "a declared size beyond what an honest file needs", "crop it"),
    (
        "MEMORY_EXHAUSTED",
        "limit",
        "the memory of this machine does not suffice",
        "crop the scan or use a larger machine",
    ),
    (
        "INPUT_CHANGED",
        "refuse",
        "an input file changed during the run",
        "run again when nothing writes to it",
    ),
    (
        "MANIFEST_MISMATCH",
        "refuse",
        "an input file is not the one that was locked",
        "restore it or lock again",
    ),
    (
        "OUTPUT_FAILED",
        "output",
        "the result could not be written; what stood there before still stands",
        "choose another place",
    ),
    (
        "OUTPUT_LOCKED",
        "output",
        "another run writes to the folder of a batch",
        "wait for it or stop it, or choose another folder",
    ),
    # Series: suv.md sections 4, 13, 14; reliability.md 30 to 42
    ("NO_PET_SERIES", "refuse", "no PET image among the objects", "give the folder that holds the PET"),
    ("NO_SUCH_SERIES", "refuse", "no series with that UID, number or place in the list", "--series"),
    ("NO_SUCH_STUDY", "refuse", "no study with that UID", "--study"),
    ("STUDY_AMBIGUOUS", "refuse", "several studies in one folder", "--study UID"),
    ("SERIES_AMBIGUOUS", "refuse", "several PET series fit", "--series UID"),
    ("SOP_CLASS_UNSUPPORTED", "refuse", "not a PET image that is read", "export PET images"),
    ("SERIES_NOT_VOLUME", "flag", "projections, captures or screenshots were dropped", ""),
    ("SERIES_NAC", "refuse", "not corrected for attenuation", "--allow-nac"),
    ("NAC_ALLOWED", "flag", "quantified without attenuation correction on request", ""),
    ("CORRECTED_IMAGE_MISSING", "refuse", "no evidence of attenuation correction", "--allow-nac"),
    ("ATTENUATION_ASSUMED", "flag S", "attenuation correction inferred from another attribute", ""),
    ("SERIES_DYNAMIC", "refuse", "several time frames", "--frame N"),
    ("SERIES_GATED", "refuse", "several gates", "--gate N"),
    ("FRAME_CHOSEN", "info", "one frame or gate of several was chosen on request", ""),
    (
        "MIXED_VALUES",
        "refuse",
        "an attribute that is one per series differs between slices",
        "separate the files",
    ),
    (
        "PATIENTS_MIXED",
        "refuse",
        "one series holds objects of several patients or studies",
        "separate the files",
    ),
    ("SLICE_MISSING", "refuse", "a gap between slices", "complete the series"),
    ("SLICE_POSITIONS_UNEVEN", "refuse", "slice steps differ by more than 5 %", "complete the series"),
    ("SLICE_DUPLICATED", "refuse", "two different images at one position", "remove one of them"),
    ("COPY_DROPPED", "info", "byte-equal copies of slices were dropped", ""),
    ("SERIES_INCOMPLETE", "refuse", "fewer or more slices than NumberOfSlices", "--allow-incomplete"),
    (
        "INCOMPLETE_ALLOWED",
        "flag",
        "slice count differs from NumberOfSlices: allowed on request, or one slice alone",
        "",
    ),
    ("SINGLE_SLICE", "flag", "one slice: its thickness is taken as the slice step", ""),
    ("SLICE_THICKNESS_MISSING", "flag", "one slice without thickness: no volumes", ""),
    ("UNEVEN_SLICES", "flag", "slice steps differ within 5 % (bed joins); true positions used", ""),
    (
        "GEOMETRY_MISSING",
        "refuse",
        "position, orientation or spacing is absent or impossible",
        "export again",
    ),
    ("LOSSY_COMPRESSION", "refuse", "lossy compression", "use the original images"),
    ("RESCALE_SLOPE_INVALID", "refuse", "rescale slope absent, not finite or not positive", "export again"),
    ("MAPPING_CHOSEN", "info", "one of several real world value mappings was used, by its unit", ""),
    (
        "MAPPING_AMBIGUOUS",
        "refuse",
        "several real world value mappings to one unit that differ",
        "export again with one",
    ),
    (
        "STORED_VALUE_UNMAPPED",
        "refuse",
        "a stored number outside the range of its real world value mapping",
        "export again",
    ),
    ("RESCALE_INTERCEPT_NONZERO", "flag S", "a rescale intercept other than 0 was applied", ""),
    ("VALUE_NOT_FINITE", "refuse", "a number that is not a finite number", "give the value by its option"),
    ("PIXELS_CONTRADICT_SIGN", "refuse", "unsigned pixels that jump like signed ones", "export again"),
    # Units: suv.md section 3
    ("UNITS_MISSING", "refuse", "Units is empty", "--units"),
    ("UNITS_NOT_QUANTITATIVE", "refuse", "not a quantitative unit", "use the quantitative reconstruction"),
    (
        "UNITS_NOT_SUV",
        "refuse",
        "a unit that cannot be converted to SUV",
        "use the reconstruction in Bq/mL",
    ),
    ("CNTS_NO_FACTOR", "refuse", "counts without the vendor's factors", "--counts-to-bqml F"),
    ("CPS_UNSUPPORTED", "refuse", "counts per second", "--units-override cps-dcal"),
    ("PHILIPS_FACTORS_DISAGREE", "flag S", "vendor SUV factor and header factor differ by more than 1 %", ""),
    (
        "PHILIPS_OVERRIDE_NEEDS_ACSF",
        "refuse",
        "an override cannot act on the vendor's SUV factor",
        "drop the override",
    ),
    ("PHILIPS_FACTOR_IGNORED", "info", "Units BQML: the vendor's count factors were not applied", ""),
    ("SUVTYPE_ASSUMED_BW", "flag", "SUVType is empty, body weight assumed", "--suv-type"),
    ("SUVTYPE_ASSUMED_BSA", "flag", "SUVType is empty, body surface area assumed", "--suv-type"),
    ("SUVTYPE_UNKNOWN", "refuse", "SUVType is unknown or contradicts Units", "--suv-type"),
    ("PRIVATE_CREATOR_MISSING", "flag", "a private attribute was used without its creator", ""),
    ("PRIVATE_VALUE_UNREADABLE", "flag", "a private attribute could not be decoded; taken as absent", ""),
    # Decay correction: suv.md section 4
    ("DECAY_CORRECTION_MISSING", "refuse", "DecayCorrection is absent or unknown", "--decay-correction"),
    (
        "DECAY_CORRECTION_CONTRADICTION",
        "refuse",
        "DecayCorrection contradicts CorrectedImage",
        "--decay-correction",
    ),
    # Dose: suv.md section 8
    ("DOSE_MISSING", "refuse", "no injected activity", "--dose-mbq"),
    ("DOSE_NOT_POSITIVE", "refuse", "injected activity of zero or less", "--dose-mbq"),
    ("DOSE_IN_MBQ", "flag", "injected activity read as MBq, where the standard says Bq", "--dose-mbq"),
    (
        "DOSE_UNIT_AMBIGUOUS",
        "refuse",
        "injected activity is plausible neither in Bq nor in MBq",
        "--dose-mbq",
    ),
    (
        "DOSE_ENHANCED_IN_BQ",
        "flag",
        "injected activity of an Enhanced image read as Bq, where the standard says MBq",
        "--dose-mbq",
    ),
    ("DOSE_OUT_OF_RANGE", "flag", "injected activity outside 5 to 2000 MBq", "--dose-mbq"),
    ("DOSE_MULTIPLE", "refuse", "several radiopharmaceutical items that differ", "--radiopharm-index"),
    ("DOSE_NET_FROM_ASSAY", "info", "net activity from assay and residual", ""),
    (
        "DOSE_PRIVATE_CONFLICT",
        "flag",
        "the vendor's private net activity differs by more than 5 %",
        "--dose-mbq",
    ),
    # Patient: suv.md section 9
    ("WEIGHT_MISSING", "refuse", "no body weight", "--weight-kg"),
    ("WEIGHT_NOT_POSITIVE", "refuse", "body weight of zero or less", "--weight-kg"),
    ("WEIGHT_IN_GRAMS", "flag", "body weight read as grams", "--weight-kg"),
    ("WEIGHT_IMPLAUSIBLE", "flag", "body weight below 1 or above 300 kg", "--weight-kg"),
    ("WEIGHT_EQUALS_HEIGHT", "flag", "body weight equals the height: fields swapped?", "--weight-kg"),
    ("HEIGHT_MISSING", "refuse", "no body height", "--height-m"),
    ("HEIGHT_IN_CM", "flag", "body height read as centimetres", "--height-m"),
    ("HEIGHT_IMPLAUSIBLE", "flag", "body height below 0.4 or above 2.5 m", "--height-m"),
    ("SEX_INVALID", "refuse", "sex absent or not M, F, O", "--sex"),
    ("SEX_OTHER_MEAN", "flag", "sex O: mean of the male and female normaliser", "--sex"),
    (
        "LBM_JAMES_ABOVE_PEAK",
        "flag",
        "the James formula falls with weight at this body mass index",
        "--suv lbm-janma",
    ),
    ("LBM_NOT_POSITIVE", "refuse", "the normaliser is zero or negative", "--suv lbm-janma"),
    # Nuclide: suv.md section 10
    ("HALF_LIFE_MISSING", "refuse", "no half-life", "--half-life SECONDS or --half-life nuclide"),
    ("HALF_LIFE_OFF_TABLE", "flag", "half-life 1 to 10 % off the nuclide's", "--half-life"),
    ("HALF_LIFE_WRONG_NUCLIDE", "refuse", "half-life more than 10 % off every named nuclide", "--half-life"),
    ("NUCLIDE_CODE_CONFLICT", "flag", "the names and codes of the nuclide disagree", ""),
    ("NUCLIDE_UNKNOWN", "flag", "nothing names the nuclide", ""),
    ("TRACER_UNEXPECTED", "refuse", "the header names another tracer or nuclide than --tracer", "--tracer"),
    # Times: suv.md sections 5 to 7
    ("INJ_TIME_MISSING", "refuse", "no injection time", "--injection-datetime"),
    ("INJ_TIME_FROM_PRIVATE", "flag", "injection time from a private attribute", "--injection-datetime"),
    (
        "INJ_TIME_FIELDS_DISAGREE",
        "flag",
        "the two injection times differ; the date-time was used",
        "--injection-datetime",
    ),
    (
        "INJ_DATE_SHIFTED",
        "flag",
        "implausible injection date; its clock time was used",
        "--injection-datetime",
    ),
    (
        "INJ_DATE_SHIFTED_LONG_LIVED",
        "refuse",
        "implausible injection date, and the half-life needs it",
        "--injection-datetime",
    ),
    (
        "INJ_TIME_ONLY_LONG_LIVED",
        "refuse",
        "no injection date, and the half-life needs it",
        "--injection-datetime",
    ),
    ("MIDNIGHT_CROSSED", "info", "injection on the day before the scan", ""),
    ("TIMEZONE_APPLIED", "info", "times with known offsets were compared in UTC", ""),
    ("TIMEZONE_ONE_SIDED", "flag", "only one of two compared times has an offset; it was ignored", ""),
    ("TIME_ROLLED_OVER", "flag", "hour 24 or second 60 read as the next instant", ""),
    ("ACQ_DATE_SHIFTED", "flag", "acquisition dates moved by whole days to the series date", ""),
    ("TIME_UNPARSABLE", "refuse", "a date or time that cannot be read", "give the value by its option"),
    ("UPTAKE_NEGATIVE", "flag", "injection after the decay reference time", "--injection-datetime"),
    (
        "UPTAKE_IMPLAUSIBLE",
        "refuse",
        "too long between injection and decay reference",
        "--injection-datetime",
    ),
    ("UPTAKE_OUTSIDE_PROTOCOL", "flag", "uptake time outside the tracer's window", ""),
    # Across the studies of a batch, of one tracer where not said otherwise
    ("COHORT_DUPLICATE", "info", "studies of a batch, of any tracer, are one scan", "take one out"),
    (
        "COHORT_OUTLIER",
        "info",
        "SUV factor, injected activity or weight far from those of the other studies",
        "hold it against the patient's file",
    ),
    (
        "COHORT_PATIENT_REPEATED",
        "info",
        "studies with one tracer are of one patient",
        "analyse them as repeats, or take one",
    ),
    ("COHORT_RECONSTRUCTION_MIXED", "info", "studies are reconstructed in several ways", "harmonise"),
    ("COHORT_SCANNER_MIXED", "info", "studies are of several scanners", "harmonise"),
    ("COHORT_UPTAKE_OUTSIDE_PROTOCOL", "info", "uptake times outside the tracer's window", ""),
    ("COHORT_VOXELS_MIXED", "info", "studies have voxels of several sizes", "harmonise"),
    (
        "FRAME_DURATION_MISSING",
        "refuse",
        "no frame duration",
        "--frame-duration S or --decay-reference series",
    ),
    (
        "ACQUISITION_TIME_MISSING",
        "refuse",
        "no acquisition time, which images without decay correction need",
        "export again",
    ),
    (
        "REF_TIME_SERIES_AFTER_ACQ",
        "flag",
        "series time after acquisition; the reference was computed back",
        "--decay-reference",
    ),
    (
        "REF_TIME_FROM_ACQUISITION",
        "flag S",
        "no better reference than the earliest acquisition",
        "--decay-reference",
    ),
    ("REF_TIME_CONFLICT", "flag S", "a witness contradicts the decay reference time", "--decay-reference"),
    (
        "REF_TIME_UNRESOLVED",
        "refuse",
        "the candidates for the decay reference time disagree",
        "--decay-reference",
    ),
    (
        "REF_TIME_UNCHECKED",
        "flag S",
        "no acquisition time to check the decay reference against",
        "--decay-reference",
    ),
    ("PRIVATE_TIME_REJECTED", "flag", "a private decay time later than acquisition or before injection", ""),
    ("ACQTIME_NOT_PER_BED", "info", "one acquisition time for beds with different reference times", ""),
    ("CLOCK_OFFSET_APPLIED", "info", "injection times moved by the difference between two clocks", ""),
    ("OVERRIDE", "info", "a value of the header was replaced or completed by an option", ""),
    # After the computation: suv.md section 15, reliability.md 67
    (
        "ACTIVITY_BALANCE_HIGH",
        "flag S",
        "more activity in the field of view than was injected",
        "check dose, weight, times",
    ),
    (
        "ACTIVITY_BALANCE_LOW",
        "flag S",
        "hardly any activity in a whole-body field of view",
        "check dose, weight, times",
    ),
    (
        "SLICE_TOTAL_OUTLIER",
        "flag S",
        "the total of a slice is far off its neighbours",
        "check that slice's slope",
    ),
    ("SUV_EXTREME", "refuse", "all values 0, or some above 10,000", "--allow-extreme"),
    ("EXTREME_ALLOWED", "flag", "extreme values allowed on request", ""),
    ("SUV_UNAVAILABLE_TBR_VALID", "flag", "SUV refused; ratios measured on native units are valid", ""),
    (
        "TBR_BEDS_NOT_ALIGNED",
        "refuse",
        "ratios need beds decay-corrected to one time",
        "complete the acquisition times",
    ),
    (
        "TBR_UNITS_NOT_LINEAR",
        "refuse",
        "ratios need values linear in activity",
        "use the reconstruction in Bq/mL",
    ),
    # The CT of the study
    (
        "CT_MISSING",
        "refuse",
        "no CT series that belongs to the PET can be read",
        "give the folder of the whole study",
    ),
    (
        "CT_NOT_HU",
        "refuse",
        "CT numbers that are not Hounsfield units for certain",
        "use the original images",
    ),
    (
        "CT_SERIES_CHOSEN",
        "info",
        "several CT series belong to the PET; the one that covers it best was taken",
        "",
    ),
    # Reference regions: reads.md section 2
    (
        "REFERENCE_NOT_FOUND",
        "refuse",
        "no place for an automatic reference region is certain",
        "give a label map, or a place by hand: NAME=sphere:X,Y,Z,R",
    ),
    (
        "REFERENCE_NEEDS_CT",
        "refuse",
        "a reference region that cannot be found on PET alone",
        "give the folder of the whole study, a label map, or a place by hand",
    ),
    ("REFERENCE_PLACED", "info", "a reference region was placed automatically", "look at it over the PET"),
    (
        "REFERENCE_WITHOUT_CT",
        "flag S",
        "a reference region was placed automatically on PET alone",
        "look at it over the PET; give the folder of the whole study",
    ),
    (
        "LIVER_OUTSIDE_FDG_BAND",
        "flag",
        "SUVmean of the liver with [18F]FDG is outside 1.3 to 3.0",
        "check the region, dose, weight and times",
    ),
    # Regions: roi.md section 5; reliability.md 69 to 85
    (
        "ROI_GRID_SNAPPED",
        "flag",
        "the region's grid is off by up to a tenth of a voxel; taken as the same",
        "",
    ),
    (
        "FRAME_OF_REFERENCE_DIFFERS",
        "refuse",
        "the region is drawn in another frame of reference than the PET's",
        "--ignore-frame-of-reference",
    ),
    (
        "FRAME_OF_REFERENCE_IGNORED",
        "flag S",
        "the region is drawn in another frame of reference; measured on request",
        "",
    ),
    ("PATIENT_ID_DIFFERS", "refuse", "the region belongs to another PatientID", "--ignore-patient-id"),
    ("PATIENT_ID_IGNORED", "flag S", "the region belongs to another PatientID; measured on request", ""),
    ("ROI_REFERENCES_MISSING", "flag", "the region was drawn on images that are not in the PET series", ""),
    (
        "ROI_FRAMES_UNPLACED",
        "refuse",
        "frames of a segmentation that state no place, or places that form no grid",
        "export again",
    ),
    (
        "ROI_ON_OTHER_GRID",
        "flag",
        "the region was drawn on another grid; each PET voxel counts with the fraction of it that is covered",
        "",
    ),
    (
        "ROI_NEAREST",
        "flag",
        "the region was put onto the PET by its nearest voxels on request; its volume is not kept",
        "take exact overlap, the default",
    ),
    (
        "ROI_CLIPPED_BY_FOV",
        "flag S",
        "a part of the region lies outside the PET and was cut off",
        "check that region and PET belong together",
    ),
    (
        "ROI_OUTSIDE_FOV",
        "refuse",
        "the region lies wholly outside the PET",
        "give the regions of this scan",
    ),
    (
        "CONTOUR_NOT_PLANAR",
        "refuse",
        "a contour is not parallel to the slices of the PET",
        "draw it on the PET, or give the region as voxels",
    ),
    (
        "CONTOUR_PLANE_SNAPPED",
        "flag",
        "contours lie off the slice centres by up to a tenth of a slice; taken as on them",
        "",
    ),
    (
        "CONTOUR_GAP",
        "flag S",
        "slices between two contours have none; they stay empty",
        "--fill-gaps",
    ),
    (
        "CONTOUR_GAP_FILLED",
        "flag",
        "slices between contours were filled from their neighbours on request",
        "",
    ),
    ("CONTOUR_DUPLICATE", "flag", "a contour occurs twice; one was dropped, for two would cancel", ""),
    (
        "CONTOUR_OVERLAP",
        "flag S",
        "contours of one region cross each other; what both enclose does not belong to it",
        "mend the contours",
    ),
    ("CONTOUR_SELF_CROSSING", "flag", "a contour crosses itself; inside was decided by even-odd", ""),
    (
        "CONTOUR_NOT_AN_AREA",
        "flag S",
        "points or open lines among the contours of a region were left out",
        "close the contours",
    ),
    ("CONTOUR_DEGENERATE", "flag", "contours with fewer than three points or no area were left out", ""),
    ("ROI_NOT_AN_AREA", "refuse", "a region of points or open lines alone", "choose the other regions"),
    ("ROI_EMPTY", "refuse", "no voxel is labelled", "--allow-empty"),
    ("ROI_EMPTY_SKIPPED", "flag", "regions without a voxel were left out", ""),
    ("ROI_LABEL_MISSING", "refuse", "the label asked for does not occur", "give a label that occurs"),
    ("ROI_NOT_3D", "refuse", "an image of regions with more than three axes", "--roi-frame N"),
    ("ROI_AFFINE_MISSING", "refuse", "a label map that does not say where it lies", "set sform or qform"),
    ("ROI_AFFINES_DISAGREE", "refuse", "sform and qform of a label map disagree", "make them agree"),
    (
        "ROI_LABELS_FRACTIONAL",
        "refuse",
        "label values that are not whole numbers",
        "--roi-values occupancy or probability",
    ),
    (
        "ROI_LABELS_INVALID",
        "unreadable",
        "negative, infinite or NaN label values",
        "write whole numbers from 0",
    ),
    (
        "ROI_VALUES_NOT_FINITE",
        "refuse",
        "voxels under a region or its peak sphere that are no finite number",
        "export again",
    ),
    ("NO_VOXEL_ABOVE_HALF", "flag", "no voxel lies half inside the region: its heaviest voxel stands in", ""),
    ("ROI_SMALLER_THAN_PEAK_SPHERE", "flag", "the region is smaller than the 1 mL sphere of SUVpeak", ""),
    ("PEAK_EXCEEDS_MAX", "flag", "SUVpeak exceeds SUVmax: the sphere reaches a hotter neighbour", ""),
    ("PEAK_SPHERE_CLIPPED_BY_FOV", "flag", "the sphere of SUVpeak reaches out of the image", ""),
    ("MAX_TIED", "flag", "several voxels hold the maximum; the first is reported", ""),
    ("MAX_ON_FOV_EDGE", "flag", "the maximum lies in the first or last slice, row or column", ""),
    ("MEAN_NOT_POSITIVE", "flag", "the mean is not positive: no coefficient of variation, no ratio", ""),
    ("ROI_OVERLAP", "flag", "lesions share voxels; each counts once in the sums", ""),
    (
        "LESION_OVERLAPS_BACKGROUND",
        "flag S",
        "voxels shared with lesions were taken out of the background",
        "",
    ),
    (
        "LEFT_RIGHT_SUSPECT",
        "flag S",
        "the mirror image of the regions fits the PET better than they do; left and right may be exchanged",
        "look at the regions over the PET; check how they were converted",
    ),
    (
        "NEMA_PHANTOM_NOT_FOUND",
        "refuse",
        "not a scan of the IEC body phantom, or not as it was said to be filled",
        "give a scan of it, and --ratio as it was filled",
    ),
    (
        "NEMA_NOT_JUDGED",
        "refuse",
        "the limits of a standard do not apply to this filling of the phantom",
        "leave out --standard",
    ),
    (
        "FILLING_NOT_COMPARABLE",
        "refuse",
        "activities of a filling cannot be carried to the time of the image",
        "give --ratio instead",
    ),
    ("NEMA_VERDICT", "info", "the recoveries of a phantom against the limits of a standard", ""),
    ("UNIFORM_PHANTOM_NOT_FOUND", "refuse", "not a scan of a uniform phantom", "give one, or drop --uniform"),
    ("BACKGROUND_MOSTLY_LESION", "flag", "more than half of the background is lesion: no ratio", ""),
    ("THRESHOLD_EMPTY", "flag", "a threshold selects no voxel: its volume is 0", ""),
    # Regions made here: roi.md section 6
    (
        "DELINEATION_UNDEFINED",
        "refuse",
        "a method of delineation that means nothing for these voxels",
        "give another region to search in, or another method",
    ),
    (
        "LABEL_MAP_HALF",
        "flag",
        "the file holds no fractions: the voxels at least half inside the region stand in it",
        "--occupancy",
    ),
    (
        "LABEL_MAP_OVERLAP",
        "refuse",
        "regions share voxels, and a label map has one number a voxel",
        "write DICOM SEG, in which regions may overlap: --out with the suffix .dcm",
    ),
    (
        "NIFTI_UNEVEN_SLICES",
        "refuse",
        "NIfTI knows one slice step, and that of the PET changes",
        "write DICOM SEG: --out with the suffix .dcm",
    ),
    # Reads: reads.md sections 1, 3 and 10
    (
        "NOISE_DIFFERS",
        "flag",
        "the noise of the reference tissue differs between two scans by more than a factor 1.5",
        "compare SUVpeak or SUVmean: SUVmax is biased upwards by noise",
    ),
    ("PROTOCOL_NOT_MET", "flag", "a rule of the protocol fails for the scan or its patient", ""),
    (
        "CHANGE_EXCEEDS_RC",
        "info",
        "two measurements of a lesion differ by more than published repeatability explains",
        "",
    ),
    # Scans of two tracers: reads.md sections 3 to 8
    ("NOTHING_TO_COMPARE", "refuse", "no patient has scans of two tracers", "complete the manifest"),
    ("PATIENTS_DIFFER", "refuse", "the scans to compare are of different patients", "--ignore-patient-id"),
    (
        "PATIENTS_DIFFER_ALLOWED",
        "flag",
        "the headers name different patients; compared because the user says they are one",
        "",
    ),
    (
        "FRAME_OF_REFERENCE_SHARED",
        "info",
        "both scans lie in one frame of reference; places were compared as they stand",
        "",
    ),
    (
        "REGISTRATION_IMPOSSIBLE",
        "refuse",
        "scans in two frames of reference, and not a CT of each to register them by",
        "--match-ids, or a table of reads with lesion_id",
    ),
    (
        "REGISTRATION_FAILED",
        "refuse",
        "the registration of the CTs is not plausible",
        "--match-ids, or a table of reads with lesion_id",
    ),
    (
        "REGISTRATION_MISSING",
        "flag",
        "lesions were matched by their ids alone; one of one scan alone has no value on the other",
        "give the folder of the whole study, with its CT",
    ),
    (
        "FORCED_READ",
        "info",
        "measured where the other tracer shows a lesion, in its region carried over",
        "",
    ),
    (
        "FORCED_READ_MISSING",
        "flag",
        "more than half of a region carried over is excluded or lies outside the other scan: no value",
        "",
    ),
    (
        "READ_WITHOUT_LESION",
        "refuse",
        "a lesion of a reader is none of the regions",
        "give the id of the region as lesion_id, or x, y, z inside it",
    ),
    (
        "PROCESS_DIED",
        "limit",
        "the process that measured a patient or a study died",
        "--workers 1, or crop the scans",
    ),
    # Batches: reliability.md 89 to 93
    ("TIME_LIMIT", "limit", "a study took longer than it may", "--timeout-s, with --retry-failed"),
    (
        "VERSION_MIXED",
        "limit",
        "a worker of the cluster has another version of petquant than the driver",
        "install one version everywhere, then --retry-failed",
    ),
    ("SCHEDULER_UNREACHABLE", "usage", "no Dask scheduler answers", "start one, or correct its address"),
    ("EXTRA_MISSING", "usage", "an optional library is not installed", "install the extra that is named"),
    (
        "STORE_INVALID",
        "unreadable",
        "a file is not the store of a batch of this version",
        "give the folder of a batch, or run it into a new one",
    ),
)

CODES: dict[str, Code] = {row[0]: _row(*row) for row in _ROWS}


def refusals_of(findings: Iterable[Finding], *, is_strict: bool = False) -> tuple[Finding, ...]:
    """Return the findings that forbid a number; under strict rules also the flags marked so."""
    return tuple(
        finding
        for finding in findings
        if CODES[finding.code].severity not in {Severity.FLAG, Severity.INFO}
        or (is_strict and CODES[finding.code].strict)
    )


def flags_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the codes of severity flag among `findings`, each once, in the order of their coming."""
    return tuple(dict.fromkeys(f.code for f in findings if CODES[f.code].severity is Severity.FLAG))
