"""The quantity of a side-car: unit of the numbers, decay correction, attenuation correction.

Units are written as "Bq/mL", "Bq/ml" or "BQML", SUV as "g/ml", "GML" or by its UCUM code ("g/ml{SUVbw}").
"""

from __future__ import annotations

from petquant.acquisition import Written
from petquant.sidecar.content import Sidecar
from petquant.suv.normalisation import NORMALISATIONS, normalisation, of_suv_type

__all__ = ["attenuation_of", "decay_correction_of", "suv_type_of", "units_of"]

UNITS = {
    "bq/ml": "BQML",
    "bqml": "BQML",
    "g/ml": "GML",
    "gml": "GML",
    "suv": "GML",
    "suvbw": "GML",
    "cm2/ml": "CM2ML",
    "cm2ml": "CM2ML",
}
BY_UCUM = {row.ucum.casefold(): row for row in NORMALISATIONS}
UNCORRECTED = ("none", "no", "not", "nac", "false", "uncorrected")


def units_of(sidecar: Sidecar) -> Written[str]:
    """Return the unit as a DICOM term; what has none stands as it was written, to be refused by its name."""
    written = sidecar.text("Units", "Unit")
    text = written.text.casefold().replace(" ", "")
    if not text:
        return Written(keyword=written.keyword, defect="NIFTI_UNITS_UNKNOWN")
    row = BY_UCUM.get(text)
    term = UNITS.get(text, written.text.upper()) if row is None else _term_of(row.suv_type)
    return Written(value=term, text=written.text, keyword=written.keyword)


def _term_of(suv_type: str) -> str:
    return "CM2ML" if suv_type == "BSA" else "GML"


def suv_type_of(sidecar: Sidecar) -> Written[str]:
    """Return the SUV type as a DICOM term: by the UCUM code of the unit, else by SUVType."""
    unit = sidecar.text("Units", "Unit")
    by_unit = BY_UCUM.get(unit.text.casefold().replace(" ", ""))
    if by_unit is not None:
        return Written(value=by_unit.suv_type, text=unit.text, keyword=unit.keyword)
    written = sidecar.text("SUVType")
    row = of_suv_type(written.text) or normalisation(written.text)
    term = written.text if row is None else row.suv_type
    return Written(value=term or None, text=written.text, keyword=written.keyword)


def decay_correction_of(sidecar: Sidecar) -> Written[str]:
    """Return START, ADMIN or NONE: of DecayCorrection, which ImageDecayCorrected must not contradict.

    ImageDecayCorrected alone means that all frames are corrected to one time, which START stands for.
    """
    written, is_corrected = sidecar.text("DecayCorrection"), sidecar.truth("ImageDecayCorrected")
    term = written.text.upper()
    if term in {"START", "ADMIN", "NONE"}:
        if is_corrected is None or is_corrected == (term != "NONE"):
            return Written(value=term, text=written.text, keyword="DecayCorrection")
        words = f"{term}, but ImageDecayCorrected is {str(is_corrected).lower()}"
        return Written(text=words, keyword="DecayCorrection", defect="DECAY_CORRECTION_CONTRADICTION")
    if is_corrected is None:
        return written if written.text else Written(keyword="ImageDecayCorrected")
    return Written(
        value="START" if is_corrected else "NONE",
        text=str(is_corrected).lower(),
        keyword="ImageDecayCorrected",
    )


def attenuation_of(sidecar: Sidecar) -> tuple[str, str, Written[tuple[str, ...]]]:
    """Return the state of attenuation correction, the words that say why, and what was written.

    A side-car that says nothing of it leaves it assumed. A side-car of petquant hands on what was known of
    the image before.
    """
    own = sidecar.part("petquant").part("conversion").text("attenuation")
    if own.text in {"corrected", "assumed", "absent", "unknown"}:
        return (
            own.text,
            f"attenuation is {own.text}, by the side-car of petquant",
            Written(keyword="attenuation"),
        )
    written = sidecar.text("AttenuationCorrection", "AttenuationCorrectionMethod")
    keyword: Written[tuple[str, ...]] = Written(text=written.text, keyword=written.keyword)
    if not written.text:
        return (
            "assumed",
            f"{written.keyword} is missing, so nothing says that the image is corrected",
            keyword,
        )
    words = f"{written.keyword} is {written.text}"
    if any(word in UNCORRECTED for word in written.text.casefold().replace(",", " ").split()[:1]):
        return "absent", words, keyword
    return "corrected" if written.keyword == "AttenuationCorrection" else "assumed", words, keyword
