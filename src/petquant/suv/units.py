"""Units: what one rescaled stored value is, before any physics of the tracer.

Either an activity concentration (``bqml_per_value`` Bq/mL each) or already an SUV of some type. Rules: suv.md
section 3. A unit that is neither is refused by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from petquant.acquisition import PetAcquisition, Written
from petquant.errors import Finding
from petquant.overrides import Overrides
from petquant.suv.normalisation import Normalisation, of_suv_type

__all__ = ["Stored", "stored_quantity"]

NOT_QUANTITATIVE = ("PROPCPS", "PROPCNTS", "1CM", "PCNT", "NONE", "CM2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a rescaled value is.

    Exactly one of the three is set when the unit is admitted; none when it was refused.

    Parameters
    ----------
    units
        The DICOM term.
    bqml_per_value
        Bq/mL per value.
    suvbw_per_value
        SUVbw per value by a factor of the vendor (counts).
    suv
        The SUV type that the values already are.
    """

    units: str
    bqml_per_value: float | None = None
    suvbw_per_value: float | None = None
    suv: Normalisation | None = None
    rule: str = ""
    findings: tuple[Finding, ...] = ()


def stored_quantity(acquisition: PetAcquisition, overrides: Overrides, *, decay: str | None) -> Stored:
    """Return what the values of `acquisition` are, or the refusal.

    Parameters
    ----------
    decay
        START, ADMIN, NONE or None: the vendor's SUV factor does not hold for NONE.
    """
    written = acquisition.units
    units = (written.value or "").strip().upper()
    if not units:
        finding = written.finding(
            written.defect or "UNITS_MISSING", expected="a unit such as BQML", remedy=_remedy_of(written)
        )
        return Stored(units="", findings=(finding,))
    if units == "BQML":
        ignored = _ignored_factors(acquisition)
        return Stored(units=units, bqml_per_value=1.0, rule="Bq/mL as stored", findings=ignored)
    if units in {"GML", "CM2ML"}:
        return _suv(acquisition, units)
    if units == "CNTS":
        return _counts(acquisition, overrides, decay)
    if units == "CPS":
        return _counts_per_second(acquisition, overrides)
    if units in NOT_QUANTITATIVE:
        finding = written.finding(
            "UNITS_NOT_QUANTITATIVE",
            expected="a quantitative unit such as BQML",
            remedy="use the quantitative reconstruction",
        )
    else:
        finding = written.finding(
            "UNITS_NOT_SUV", expected="a unit that converts to SUV, such as BQML", remedy="use the PET series"
        )
    return Stored(units=units, findings=(finding,))


def _remedy_of(written: Written[str]) -> str:
    if written.defect == "NIFTI_UNITS_UNKNOWN":
        return (
            "give a JSON side-car of the same name, --units suv, or --units bqml with dose, weight and times"
        )
    return "give --units"


def _ignored_factors(acquisition: PetAcquisition) -> tuple[Finding, ...]:
    private = acquisition.private
    present = [w for w in (private.suv_scale_factor, private.activity_scale_factor) if w.value is not None]
    return tuple(
        w.finding("PHILIPS_FACTOR_IGNORED", expected="counts; not applied to Bq/mL") for w in present
    )


def _suv(acquisition: PetAcquisition, units: str) -> Stored:
    written = acquisition.suv_type
    default = "BW" if units == "GML" else "BSA"
    term = (written.value or "").strip().upper()
    findings: tuple[Finding, ...] = ()
    if not term:
        findings = (
            written.finding(
                f"SUVTYPE_ASSUMED_{default}",
                expected=f"the SUV type; taken as {default}",
                remedy="give --suv-type",
            ),
        )
    row = of_suv_type(term or default)
    if row is None or (row.suv_type == "BSA") != (units == "CM2ML"):
        finding = written.finding(
            "SUVTYPE_UNKNOWN",
            expected=f"a type that goes with Units {units}",
            remedy="give --suv-type",
        )
        return Stored(units=units, findings=(finding,))
    return Stored(units=units, suv=row, rule=f"already SUV of type {row.suv_type}", findings=findings)


def _counts(acquisition: PetAcquisition, overrides: Overrides, decay: str | None) -> Stored:
    """Return counts as Bq/mL or SUVbw by the factors that Philips writes, or by the user's.

    The vendor's SUV factor is complete and needs neither dose nor weight nor time; it is preferred unless the
    user changes one of these, or the images are not decay-corrected.
    """
    if overrides.counts_to_bqml is not None:
        return Stored(
            units="CNTS",
            bqml_per_value=overrides.counts_to_bqml,
            rule="counts x --counts-to-bqml",
        )
    suv_factor = _usable(acquisition.private.suv_scale_factor)
    activity_factor = _usable(acquisition.private.activity_scale_factor)
    changes = [
        option
        for option in overrides.given()
        if option
        in {
            "--weight-kg", "--dose-mbq", "--injection-datetime", "--injection-time", "--half-life",
            "--assay-mbq", "--clock-offset-s", "--decay-reference", "--uptake-min",
        }
    ]  # fmt: skip
    if suv_factor is not None and not changes and decay != "NONE":
        return Stored(
            units="CNTS",
            suvbw_per_value=suv_factor,
            rule="counts x vendor SUV factor (7053,xx00)",
        )
    if activity_factor is not None:
        return Stored(
            units="CNTS",
            bqml_per_value=activity_factor,
            rule="counts x vendor activity factor (7053,xx09)",
        )
    if suv_factor is not None and changes:
        finding = acquisition.private.suv_scale_factor.finding(
            "PHILIPS_OVERRIDE_NEEDS_ACSF",
            found=f"the only factor, and {', '.join(changes)} cannot act on it",
            expected="the activity factor (7053,xx09)",
            remedy="drop the override",
        )
        return Stored(units="CNTS", findings=(finding,))
    why = " (the SUV factor alone does not hold without decay correction)" if suv_factor is not None else ""
    finding = acquisition.units.finding(
        "CNTS_NO_FACTOR",
        found=f"CNTS, without usable (7053,1000) or (7053,1009){why}",
        expected="the vendor's factors; de-identification commonly removes private attributes",
        remedy="give --counts-to-bqml F",
    )
    return Stored(units="CNTS", findings=(finding,))


def _usable(written: Written[float]) -> float | None:
    return written.value if written.value is not None and written.value > 0 else None


def _counts_per_second(acquisition: PetAcquisition, overrides: Overrides) -> Stored:
    corrections = acquisition.corrections.value or ()
    volume_ml = acquisition.voxel_volume_ml
    if overrides.units_override == "cps-dcal" and "DCAL" in corrections and volume_ml:
        return Stored(
            units="CPS",
            bqml_per_value=1.0 / volume_ml,
            rule="counts/s calibrated to Bq (DCAL) / voxel volume",
        )
    finding = acquisition.units.finding(
        "CPS_UNSUPPORTED",
        expected="Bq/mL"
        if overrides.units_override is None
        else "DCAL in CorrectedImage (0028,0051), which --units-override cps-dcal needs",
        remedy="give --units-override cps-dcal if the values are calibrated to Bq",
    )
    return Stored(units="CPS", findings=(finding,))
