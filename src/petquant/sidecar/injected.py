"""What was injected, by a side-car: activity with its unit, nuclide with its half-life, and the tracer."""

from __future__ import annotations

from petquant.acquisition import DoseUnit, Instant, Radiopharmaceutical, Written
from petquant.sidecar.content import Sidecar

__all__ = ["radiopharmaceutical_of"]

# Bq of one unit of InjectedRadioactivityUnits; 1 mCi = 37 MBq
BQ = {"bq": 1.0, "kbq": 1e3, "mbq": 1e6, "gbq": 1e9, "uci": 3.7e4, "mci": 3.7e7, "ci": 3.7e10}
MBQ_BELOW = 1e4  # a number without unit that is smaller is one of MBq (suv.md section 8)
DOSES_AGREE = 0.05  # as for the vendor's private activity (suv.md section 8)


def radiopharmaceutical_of(
    sidecar: Sidecar, *, injected_at: Written[Instant], is_sidecar: bool
) -> Radiopharmaceutical:
    """Return what was injected.

    Parameters
    ----------
    injected_at
        Of `petquant.sidecar.times`.
    is_sidecar
        Whether there is a side-car at all; the nuclide that one names may stand in for the half-life.
    """
    dose, unit = _dose(sidecar)
    half_life = sidecar.number("RadionuclideHalfLife")
    if not half_life.text and is_sidecar:
        half_life = Written(keyword="RadionuclideHalfLife", defect="HALF_LIFE_FROM_NUCLIDE")
    return Radiopharmaceutical(
        dose=dose,
        half_life_s=half_life,
        injected_at=injected_at,
        injected_clock=Written(keyword=injected_at.keyword),
        dose_unit=unit,
        name=sidecar.text("TracerName", "Radiopharmaceutical"),
        nuclide_meaning=sidecar.text("TracerRadionuclide", "Radiopharmaceutical"),
    )


def _dose(sidecar: Sidecar) -> tuple[Written[float], DoseUnit]:
    """Return the activity; in Bq where its unit is written beside it."""
    written = sidecar.number("InjectedRadioactivity")
    if not written.text:
        older = sidecar.number("RadionuclideTotalDose")
        return (older, DoseUnit.CLASSIC) if older.text else (written, DoseUnit.UNSTATED)
    unit = sidecar.text("InjectedRadioactivityUnits").text
    if not unit:
        bq = None if written.value is None else _as_bq(written.value)
        return _undisputed(written, bq, sidecar), DoseUnit.UNSTATED
    text = f"{written.text} {unit}"
    per_unit = BQ.get(
        unit.strip().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u").casefold()
    )
    if per_unit is None:
        return Written(text=text, keyword=written.keyword, defect="DOSE_UNIT_AMBIGUOUS"), DoseUnit.STATED
    value = None if written.value is None else written.value * per_unit
    stated = Written(value=value, text=text, keyword=written.keyword, defect=written.defect)
    return _undisputed(stated, value, sidecar), DoseUnit.STATED


def _undisputed(written: Written[float], bq: float | None, sidecar: Sidecar) -> Written[float]:
    """Return the activity; with a defect when RadionuclideTotalDose, of the header, says another one.

    Either may have been corrected by hand, or be of another injection: which one counts, the user knows.
    """
    other = sidecar.number("RadionuclideTotalDose")
    if bq is None or other.value is None or bq <= 0 or abs(_as_bq(other.value) / bq - 1) <= DOSES_AGREE:
        return written
    return Written(
        text=f"{written.text}, and RadionuclideTotalDose is {other.text}",
        keyword=written.keyword,
        defect="SIDECAR_ACTIVITIES_DISAGREE",
    )


def _as_bq(number: float) -> float:
    """Return an activity without unit in Bq, by its size (suv.md section 8)."""
    return number if number >= MBQ_BELOW else number * BQ["mbq"]
