"""A normalisation turns SUV by body weight into SUV by another size of the body.

``SUV_x = SUVbw N / W`` with N and W in kg. Formulas: James 1976, Morgan/Sugawara 1999, Janmahasatian 2005,
Devine 1974 (ideal weight), Du Bois 1916 (surface). Sex O takes the mean of both sexes.
"""

from __future__ import annotations


def _lean_james128(weight_kg: float, height_m: float, sex: str) -> float:
    ratio = weight_kg / (100.0 * height_m)
    return 1.10 * weight_kg - 128.0 * ratio**2 if sex == "M" else 1.07 * weight_kg - 148.0 * ratio**2


def _lean_morgan(weight_kg: float, height_m: float, sex: str) -> float:
    ratio = weight_kg / (100.0 * height_m)
    return 1.10 * weight_kg - 120.0 * ratio**2 if sex == "M" else 1.07 * weight_kg - 148.0 * ratio**2


def _lean_janmahasatian(weight_kg: float, height_m: float, sex: str) -> float:
    bmi = weight_kg / height_m**2
    return 9270.0 * weight_kg / ((6680.0 + 216.0 * bmi) if sex == "M" else (8780.0 + 244.0 * bmi))


def _ideal(weight_kg: float, height_m: float, sex: str) -> float:  # noqa: ARG001  one signature for all rows
    above_cm = 100.0 * height_m - 152.0
    return 48.0 + 1.06 * above_cm if sex == "M" else 45.5 + 0.91 * above_cm


def _surface_as_kg(weight_kg: float, height_m: float, sex: str) -> float:  # noqa: ARG001  the same
    # SUVbsa in cm2/mL is SUVbw * 10 BSA[m2] / W[kg], so 10 BSA stands where the others have a mass.
    return float(10.0 * 0.007184 * weight_kg**0.425 * (100.0 * height_m) ** 0.725)


_NORMALISERS = {
    "LBMJAMES128": _lean_james128,
    "LBM": _lean_morgan,
    "LBMJANMA": _lean_janmahasatian,
    "IBW": _ideal,
    "BSA": _surface_as_kg,
}


def stored_per_suvbw(suv_type: str, *, weight_kg: float, height_m: float, sex: str) -> float:
    """Return the SUV of a DICOM SUVType that a voxel of SUVbw 1 has; BW gives 1."""
    if suv_type == "BW":
        return 1.0
    if suv_type not in _NORMALISERS:
        raise ValueError(f"SUVType {suv_type!r} is unknown; there are BW, {', '.join(_NORMALISERS)}")
    normaliser = _NORMALISERS[suv_type]
    sexes = (sex,) if sex in {"M", "F"} else ("M", "F")
    return sum(normaliser(weight_kg, height_m, each) for each in sexes) / len(sexes) / weight_kg
