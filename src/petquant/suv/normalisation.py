"""A normalisation is what the activity is spread over: body weight, lean or ideal mass, body surface.

Every SUV type follows from SUVbw: ``SUV_x = SUVbw * N_x / W`` (suv.md section 11). The table is the only
place that names them; the choices of ``--suv`` and the DICOM SUVType values come from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from petquant.errors import Finding

__all__ = [
    "NORMALISATIONS",
    "Normalisation",
    "normalisation",
    "normaliser",
    "of_suv_type",
    "weight_exponent",
]

Formula = Callable[[float, float], float]
_NEAR = 1e-4  # relative step of a central difference: its error is the square of that


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """One SUV type.

    Parameters
    ----------
    name
        As ``--suv`` takes it.
    suv_type
        DICOM SUVType (0054,1006).
    unit, ucum
        Unit of the SUV, in words and as UCUM code.
    male, female
        ``N(weight_kg, height_m)``; kg, or for ``bsa`` 10 m2 so that the result is in cm2/mL.
    needs_height, needs_sex
        What the formula asks for beyond the weight.
    james_peak_bmi
        Body mass index (male, female) above which the formula falls with weight, or None.
    source
        Author and year.
    aliases
        Other names that ``--suv`` takes.
    """

    name: str
    suv_type: str
    unit: str
    ucum: str
    male: Formula
    female: Formula
    source: str
    needs_height: bool = True
    needs_sex: bool = True
    james_peak_bmi: tuple[float, float] | None = None
    aliases: tuple[str, ...] = ()


def _weight(weight_kg: float, _height_m: float) -> float:
    return weight_kg


def _james(share: float, loss: float) -> Formula:
    return lambda weight_kg, height_m: share * weight_kg - loss * (weight_kg / (100 * height_m)) ** 2


def _janmahasatian(constant: float, per_bmi: float) -> Formula:
    return lambda weight_kg, height_m: 9270 * weight_kg / (constant + per_bmi * weight_kg / height_m**2)


def _ideal(at_152_cm: float, per_cm: float) -> Formula:
    return lambda _weight_kg, height_m: at_152_cm + per_cm * (100 * height_m - 152)


def _surface(weight_kg: float, height_m: float) -> float:
    return float(10 * 0.007184 * weight_kg**0.425 * (100 * height_m) ** 0.725)


_JAMES_FEMALE = _james(1.07, 148)

NORMALISATIONS: tuple[Normalisation, ...] = (
    Normalisation(
        name="bw",
        suv_type="BW",
        unit="g/mL",
        ucum="g/ml{SUVbw}",
        male=_weight,
        female=_weight,
        needs_height=False,
        needs_sex=False,
        source="DICOM PS3.16 CID 85",
    ),
    Normalisation(
        name="lbm-janma",
        suv_type="LBMJANMA",
        unit="g/mL",
        ucum="g/ml{SUVlbm(Janma)}",
        male=_janmahasatian(6680, 216),
        female=_janmahasatian(8780, 244),
        source="Janmahasatian 2005",
        aliases=("lbm",),
    ),
    Normalisation(
        name="lbm-james128",
        suv_type="LBMJAMES128",
        unit="g/mL",
        ucum="g/ml{SUVlbm(James128)}",
        male=_james(1.10, 128),
        female=_JAMES_FEMALE,
        james_peak_bmi=(42.97, 36.15),
        source="James 1976, with 128",
    ),
    Normalisation(
        name="lbm-morgan",
        suv_type="LBM",
        unit="g/mL",
        ucum="g/ml{SUVlbm}",
        male=_james(1.10, 120),
        female=_JAMES_FEMALE,
        james_peak_bmi=(45.83, 36.15),
        source="Morgan 1994, Sugawara 1999: James with 120",
    ),
    Normalisation(
        name="bsa",
        suv_type="BSA",
        unit="cm2/mL",
        ucum="cm2/ml{SUVbsa}",
        male=_surface,
        female=_surface,
        needs_sex=False,
        source="Du Bois 1916",
    ),
    Normalisation(
        name="ibw",
        suv_type="IBW",
        unit="g/mL",
        ucum="g/ml{SUVibw}",
        male=_ideal(48.0, 1.06),
        female=_ideal(45.5, 0.91),
        source="DICOM PS3.16 CID 85, ideal body weight",
    ),
)


def normalisation(name: str) -> Normalisation | None:
    """Return the row called `name` (or by an alias), None when there is none."""
    wanted = name.strip().casefold()
    return next((row for row in NORMALISATIONS if wanted == row.name or wanted in row.aliases), None)


def of_suv_type(suv_type: str) -> Normalisation | None:
    """Return the row of a DICOM SUVType value."""
    return next((row for row in NORMALISATIONS if row.suv_type == suv_type.strip().upper()), None)


def normaliser(
    row: Normalisation, *, weight_kg: float, height_m: float | None, sex: str | None
) -> tuple[float | None, tuple[Finding, ...]]:
    """Return N of `row` (kg, or 10 m2 for bsa), or None with the refusal.

    Parameters
    ----------
    weight_kg, height_m, sex
        Already checked; height and sex only where the row needs them. Sex O takes the mean of both.
    """
    height = height_m or 0.0
    try:
        n = _formula(row, weight_kg, height, sex)
    except (OverflowError, ZeroDivisionError):  # bodies that no float can weigh
        n = math.nan
    if not 0 < n < math.inf:
        return None, (
            Finding(
                code="LBM_NOT_POSITIVE",
                found=f"the {row.name} normaliser of {weight_kg:g} kg and {height:g} m is {n:.4g} kg",
                expected="a positive mass",
                remedy="use --suv lbm-janma",
                quantities=(row.name,),
            ),
        )
    if row.james_peak_bmi is not None:
        peaks = {"M": row.james_peak_bmi[:1], "F": row.james_peak_bmi[1:]}.get(sex or "O", row.james_peak_bmi)
        bmi = weight_kg / height / height
        if bmi > min(peaks):
            return n, (
                Finding(
                    code="LBM_JAMES_ABOVE_PEAK",
                    found=f"the body mass index is {bmi:.2f} kg/m2",
                    expected=f"below {min(peaks)}: above it this formula falls with weight",
                    remedy="use --suv lbm-janma",
                    quantities=(row.name,),
                ),
            )
    return n, ()


def weight_exponent(
    row: Normalisation, *, weight_kg: float, height_m: float | None, sex: str | None
) -> float:
    """Return ``d ln N / d ln W``: 1 for bw, 0.425 for bsa, 0 for ibw, between for lean body mass.

    Parameters
    ----------
    weight_kg, height_m, sex
        As for `normaliser`, which gave a mass for them.
    """
    height = height_m or 0.0
    low, high = (_formula(row, weight_kg * by, height, sex) for by in (1 - _NEAR, 1 + _NEAR))
    return math.log(high / low) / math.log((1 + _NEAR) / (1 - _NEAR))


def _formula(row: Normalisation, weight_kg: float, height_m: float, sex: str | None) -> float:
    if row.male is row.female:
        return row.male(weight_kg, height_m)
    if sex == "O":
        return (row.male(weight_kg, height_m) + row.female(weight_kg, height_m)) / 2
    return (row.male if sex == "M" else row.female)(weight_kg, height_m)
