"""A quantity is a number with a definition: its column, unit, codes and source; this is the table of them.

The columns of every output, the reference pages and the codes of structured reports are made from it. ``x``
is a voxel's value, ``w`` the fraction of the voxel in the region, ``v`` the volume of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from petquant.code import Code

__all__ = ["FURTHER_COLUMNS", "QUANTITIES", "REFERENCE_COLUMNS", "REGION_COLUMNS", "Quantity", "Scope"]


class Scope(StrEnum):
    """What a quantity is a property of."""

    REGION = "region"
    FURTHER = "further"  # a region's, on request
    ACTIVITY = "activity"  # a region's, in place of SUV when that was refused
    RATIO = "ratio"  # a region's, one column a background: NAME is the background's name
    REFERENCE = "reference"
    STUDY = "study"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One row of the table.

    Parameters
    ----------
    column
        Name in every output.
    name
        Name for a reader.
    definition
        Formula.
    unit, ucum
        Unit as printed and as a UCUM code; of ``suv_*`` columns that of SUVbw.
    scope
        What it is a property of.
    ibsi
        Identifier of the Image Biomarker Standardisation Initiative, where the definition is its.
    dicom, derivation
        Concept of DICOM PS3.16, and how the value was derived (CID 7464); of ``suv_*`` columns the concept of
        SUVbw. None where no concept has this definition; such a quantity is not written into an SR.
    source
        Where the definition comes from.
    """

    column: str
    name: str
    definition: str
    unit: str
    ucum: str
    scope: Scope = Scope.REGION
    ibsi: str = ""
    dicom: Code | None = None
    derivation: Code | None = None
    source: str = ""


SUV = ("g/mL", "g/ml{SUVbw}")
ML = ("mL", "ml")
MM = ("mm", "mm")
ONE = ("1", "1")
GRAM = ("g", "g")
BQML = ("Bq/mL", "Bq/ml")
IBSI = "IBSI reference manual"
PERCIST = "Wahl 2009 (PERCIST): 1 mL sphere"

SUVBW = Code("126401", "DCM", "SUVbw")
VOLUME = Code("126032", "DCM", "Metabolic Volume")
GLYCOLYSIS = Code("126033", "DCM", "Total Lesion Glycolysis")
RATIO = Code("126039", "DCM", "Lesion to Background SUV Ratio")
BACKGROUND = Code("126040", "DCM", "Background for Lesion to Background SUV Ratio")

MAXIMUM = Code("56851009", "SCT", "Maximum")
MINIMUM = Code("255605001", "SCT", "Minimum")
MEAN = Code("373098007", "SCT", "Mean")
MEDIAN = Code("373099004", "SCT", "Median")
SD = Code("386136009", "SCT", "Standard Deviation")
PEAK = Code("126031", "DCM", "Peak Value Within ROI")
COV = Code("C0681921", "UMLS", "Coefficient of Variance")
SKEWNESS = Code("126051", "DCM", "Skewness")
RMS = Code("C2347976", "UMLS", "Root Mean Square")

VOXELS = "voxels with w >= 0.5"
ERODED = "with w = 0 where a voxel centre is outside or within h of the boundary; h half the smallest spacing"
DILATED = "with w = 1 where a voxel centre is inside or within h of the boundary; h half the smallest spacing"


def _row(
    column: str,
    name: str,
    definition: str,
    unit: tuple[str, str],
    *,
    ibsi: str = "",
    dicom: Code | None = None,
    derivation: Code | None = None,
    source: str = "",
) -> Quantity:
    return Quantity(
        column=column,
        name=name,
        definition=definition,
        unit=unit[0],
        ucum=unit[1],
        ibsi=ibsi,
        dicom=SUVBW if dicom is None and derivation is not None else dicom,
        derivation=derivation,
        source=source,
    )


_REGION = (
    _row("n_voxels", "number of voxels", VOXELS, ONE),
    _row("suv_max", "SUVmax", f"largest x of {VOXELS}", SUV, derivation=MAXIMUM, source=IBSI),
    _row("suv_max_ties", "voxels that hold SUVmax", "number of voxels with x = suv_max", ONE),
    _row("max_x_mm", "x of SUVmax", "LPS position of the first such voxel in k, j, i order", MM),
    _row("max_y_mm", "y of SUVmax", "LPS position of the first such voxel in k, j, i order", MM),
    _row("max_z_mm", "z of SUVmax", "LPS position of the first such voxel in k, j, i order", MM),
    _row("suv_mean", "SUVmean", "sum(w x) / sum(w)", SUV, ibsi="Q4LE", derivation=MEAN, source=IBSI),
    _row(
        "suv_peak",
        "SUVpeak",
        "largest mean of x in a 1 mL sphere centred on a voxel of the region; each voxel weighs as the "
        "fraction of its box inside the sphere; the sphere may leave the region, and is renormalised at the "
        "image edge",
        SUV,
        derivation=PEAK,
        source=PERCIST,
    ),
    _row(
        "suv_peak_ibsi_global",
        "SUVpeak, IBSI global",
        "the same with weight 1 for voxel centres within 6.2035 mm, else 0",
        SUV,
        ibsi="0F91",
        source=IBSI,
    ),
    _row(
        "suv_peak_ibsi_local",
        "SUVpeak, IBSI local",
        "mean of that sphere at the voxel of suv_max; of tied voxels the highest",
        SUV,
        ibsi="VJGA",
        source=IBSI,
    ),
    _row("peak_x_mm", "x of SUVpeak", "LPS position of the centre of the sphere of suv_peak", MM),
    _row("peak_y_mm", "y of SUVpeak", "LPS position of the centre of the sphere of suv_peak", MM),
    _row("peak_z_mm", "z of SUVpeak", "LPS position of the centre of the sphere of suv_peak", MM),
    _row("peak_in_roi_fraction", "part of the sphere in the region", "weight inside / whole weight", ONE),
    _row("peak_in_fov_fraction", "part of the sphere in the image", "weight inside / whole weight", ONE),
    _row("peak_ibsi_sphere_ml", "volume of the binary sphere", "v times its number of voxels", ML),
    _row(
        "suv_min",
        "SUVmin",
        f"smallest x of {VOXELS}",
        SUV,
        ibsi="1GSF",
        derivation=MINIMUM,
        source=IBSI,
    ),
    _row(
        "suv_sd",
        "standard deviation",
        "sqrt(sum(w (x - suv_mean)^2) / sum(w)): ddof 0",
        SUV,
        derivation=SD,
        source="square root of IBSI ECT3",
    ),
    _row(
        "suv_cov",
        "coefficient of variation",
        "suv_sd / suv_mean",
        ONE,
        ibsi="7TET",
        derivation=COV,
        source=IBSI,
    ),
    _row(
        "suv_p10", "10th percentile", "x[h], h = 0.10 (n - 1), linear between neighbours", SUV, source="numpy"
    ),
    _row(
        "suv_p25", "25th percentile", "x[h], h = 0.25 (n - 1), linear between neighbours", SUV, source="numpy"
    ),
    _row(
        "suv_median",
        "median",
        "x[h], h = 0.50 (n - 1), linear between neighbours",
        SUV,
        ibsi="Y12H",
        derivation=MEDIAN,
        source=IBSI,
    ),
    _row(
        "suv_p75", "75th percentile", "x[h], h = 0.75 (n - 1), linear between neighbours", SUV, source="numpy"
    ),
    _row(
        "suv_p90", "90th percentile", "x[h], h = 0.90 (n - 1), linear between neighbours", SUV, source="numpy"
    ),
    _row("mtv_ml", "metabolic tumour volume", "v sum(w)", ML, ibsi="YEKZ", dicom=VOLUME, source=IBSI),
    _row(
        "tlg_g",
        "total lesion glycolysis; of another tracer than FDG, total lesion uptake",
        "v sum(w x) = suv_mean mtv_ml",
        GRAM,
        dicom=GLYCOLYSIS,
    ),
    _row("mtv_eroded_ml", "volume, boundary moved inwards", f"mtv_ml {ERODED}", ML),
    _row("mtv_dilated_ml", "volume, boundary moved outwards", f"mtv_ml {DILATED}", ML),
    _row("tlg_eroded_g", "total lesion glycolysis, boundary moved inwards", f"tlg_g {ERODED}", GRAM),
    _row("tlg_dilated_g", "total lesion glycolysis, boundary moved outwards", f"tlg_g {DILATED}", GRAM),
    _row("mtv41_ml", "volume at 41 % of SUVmax", "v sum(w) of voxels with x >= 0.41 suv_max", ML),
    _row("mtv42_ml", "volume at 42 % of SUVmax", "v sum(w) of voxels with x >= 0.42 suv_max", ML),
    _row("mtv50_ml", "volume at 50 % of SUVmax", "v sum(w) of voxels with x >= 0.50 suv_max", ML),
    _row("mtv_suv2_5_ml", "volume at SUV 2.5", "v sum(w) of voxels with x >= 2.5", ML),
    _row("mtv_suv4_0_ml", "volume at SUV 4.0", "v sum(w) of voxels with x >= 4.0", ML),
    _row("centroid_x_mm", "x of the centroid", "sum(w p) / sum(w) over LPS voxel centres", MM),
    _row("centroid_y_mm", "y of the centroid", "sum(w p) / sum(w) over LPS voxel centres", MM),
    _row("centroid_z_mm", "z of the centroid", "sum(w p) / sum(w) over LPS voxel centres", MM),
)


_FURTHER = (
    _row(
        "suv_skewness",
        "skewness",
        "m3 / m2^1.5, m_k = sum(w (x - suv_mean)^k) / sum(w); 0 when all x are equal",
        ONE,
        ibsi="KE2A",
        derivation=SKEWNESS,
        source=IBSI,
    ),
    _row(
        "suv_excess_kurtosis",
        "excess kurtosis",
        "m4 / m2^2 - 3; 0 when all x are equal",
        ONE,
        ibsi="IPH6",
        source=IBSI,
    ),
    _row("suv_iqr", "interquartile range", "suv_p75 - suv_p25", SUV, ibsi="SALO", source=IBSI),
    _row(
        "suv_rms",
        "root mean square",
        "sqrt(sum(w x^2) / sum(w))",
        SUV,
        ibsi="5ZWQ",
        derivation=RMS,
        source=IBSI,
    ),
    _row(
        "mesh_volume_ml",
        "volume of the mesh",
        "enclosed by the surface w = 0.5 between voxel centres (marching cubes); below mtv_ml",
        ML,
        ibsi="RNU0",
        dicom=Code("RNU0", "IBSI", "Volume of Mesh"),
        source=IBSI,
    ),
    _row(
        "max_3d_diameter_mm",
        "maximum 3D diameter",
        "largest distance between two vertices of the mesh",
        MM,
        ibsi="L0JK",
        dicom=Code("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh"),
        source=IBSI,
    ),
    _row("equivalent_sphere_diameter_mm", "diameter of a sphere of the MTV", "(6 mtv_ml / pi)^(1/3)", MM),
)


Coded = tuple[Code, Code] | None


def _in(scope: Scope, *rows: tuple[str, str, str, tuple[str, str], Coded]) -> tuple[Quantity, ...]:
    return tuple(
        Quantity(
            column=column,
            name=name,
            definition=words,
            unit=unit[0],
            ucum=unit[1],
            scope=scope,
            dicom=None if coded is None else coded[0],
            derivation=None if coded is None else coded[1],
        )
        for column, name, words, unit, coded in rows
    )


QUANTITIES: tuple[Quantity, ...] = (
    *_REGION,
    *(replace(row, scope=Scope.FURTHER) for row in _FURTHER),
    *_in(
        Scope.ACTIVITY,
        ("activity_max_bqml", "largest activity", "suv_max before conversion", BQML, None),
        ("activity_mean_bqml", "mean activity", "suv_mean before conversion", BQML, None),
        ("activity_peak_bqml", "peak activity", "suv_peak before conversion", BQML, None),
    ),
    *_in(
        Scope.RATIO,
        ("tbr_max_NAME", "TBRmax", "suv_max / mean of the background NAME", ONE, (RATIO, MAXIMUM)),
        ("tbr_mean_NAME", "TBRmean", "suv_mean / mean of the background NAME", ONE, (RATIO, MEAN)),
        ("tbr_peak_NAME", "TBRpeak", "suv_peak / mean of the background NAME", ONE, (RATIO, PEAK)),
    ),
    *_in(
        Scope.REFERENCE,
        ("mean", "mean of the background", "sum(w x) / sum(w)", SUV, (BACKGROUND, MEAN)),
        ("sd", "standard deviation", "sqrt(sum(w (x - mean)^2) / sum(w)): ddof 0", SUV, (BACKGROUND, SD)),
        ("cov", "coefficient of variation", "sd / mean", ONE, None),
        (
            "n_eff",
            "effective number of voxels",
            "(sum w)^2 / sum_ij(w_i w_j exp(-r_ij^2 / (4 s^2))), s = FWHM / 2.3548 of `--psf-fwhm-mm`",
            ONE,
            None,
        ),
        ("se", "standard error of the mean", "sd / sqrt(n_eff)", SUV, None),
        ("median", "median", "x[h], h = 0.50 (n - 1)", SUV, (BACKGROUND, MEDIAN)),
        ("volume_ml", "volume", "v sum(w)", ML, None),
        ("n_voxels", "number of voxels", VOXELS, ONE, None),
        ("overlap_voxels", "voxels taken out", "voxels that lesions hold as well", ONE, None),
        ("overlap_ml", "volume taken out", "v sum(w) of those voxels", ML, None),
    ),
    *_in(
        Scope.STUDY,
        ("n_lesions", "number of lesions", "regions with the role lesion", ONE, None),
        ("tmtv_ml", "total metabolic tumour volume", "v sum(w); a shared voxel counts once", ML, None),
        (
            "ttlg_g",
            "total lesion glycolysis of all lesions",
            "v sum(w x); a shared voxel counts once",
            GRAM,
            None,
        ),
        ("suv_max", "SUVmax of the study", "largest suv_max of the lesions", SUV, (SUVBW, MAXIMUM)),
        (
            "dmax_centroid_mm",
            "Dmax of centroids",
            "largest distance between two lesions' centroids",
            MM,
            None,
        ),
        ("dmax_voxel_mm", "Dmax of voxels", "largest distance between voxels of two lesions", MM, None),
    ),
)

REGION_COLUMNS = tuple(row.column for row in _REGION)
FURTHER_COLUMNS = tuple(row.column for row in _FURTHER)
REFERENCE_COLUMNS = tuple(row.column for row in QUANTITIES if row.scope is Scope.REFERENCE)
