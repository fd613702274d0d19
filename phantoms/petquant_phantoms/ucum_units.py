"""A UCUM unit is how an Enhanced PET object names the unit of its values, where a classic one has a keyword.

Codes: DICOM CID 85 for PET and its SUV units; quantities that no SUV can be made of follow CID 84.
"""

from __future__ import annotations

from petquant_phantoms.radiopharmaceuticals import Code

_UNITS: dict[tuple[str, str | None], tuple[str, str]] = {
    ("BQML", None): ("Bq/ml", "Becquerels/milliliter"),
    ("GML", "BW"): ("g/ml{SUVbw}", "Standardized Uptake Value body weight"),
    ("GML", "LBM"): ("g/ml{SUVlbm}", "Standardized Uptake Value lean body mass (James)"),
    ("GML", "LBMJAMES128"): (
        "g/ml{SUVlbm(James128)}",
        "Standardized Uptake Value lean body mass (James 128 multiplier)",
    ),
    ("GML", "LBMJANMA"): (
        "g/ml{SUVlbm(Janma)}",
        "Standardized Uptake Value lean body mass (Janma)",
    ),
    ("GML", "IBW"): ("g/ml{SUVibw}", "Standardized Uptake Value ideal body weight"),
    ("CM2ML", "BSA"): ("cm2/ml{SUVbsa}", "Standardized Uptake Value body surface area"),
    ("CNTS", None): ("{counts}", "Counts"),
    ("CPS", None): ("{counts}/s", "Counts per second"),
    ("PROPCNTS", None): ("{propcounts}", "Proportional to counts"),
    ("PROPCPS", None): ("{propcounts}/s", "Proportional to counts per second"),
    ("NONE", None): ("1", "no units"),
    ("1CM", None): ("/cm", "/Centimeter"),
    ("CM2", None): ("cm2", "Centimeter**2"),
    ("PCNT", None): ("%", "Percent"),
    ("MGMINML", None): ("mg/min/ml", "Milligrams/minute/milliliter"),
    ("UMOLMINML", None): ("umol/min/ml", "Micromole/minute/milliliter"),
    ("MLMING", None): ("ml/min/g", "Milliliter/minute/gram"),
    ("MLG", None): ("ml/g", "Milliliter/gram"),
    ("UMOLML", None): ("umol/ml", "Micromole/milliliter"),
}


def ucum_unit(units: str, suv_type: str | None) -> Code:
    """Return the UCUM code of the Units (0054,1001) and SUVType (0054,1006) of a classic object.

    Raises
    ------
    ValueError
        If no such unit is known.
    """
    if (units, suv_type) not in _UNITS:
        raise ValueError(f"units {units!r} of SUVType {suv_type!r} have no UCUM code here")
    value, meaning = _UNITS[units, suv_type]
    return Code(value=value, meaning=meaning, scheme="UCUM")
