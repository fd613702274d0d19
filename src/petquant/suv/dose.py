"""The dose: activity injected, in Bq at the time of injection.

Rules: suv.md section 8. Whether a number is Bq or MBq follows from its size, for every tracer; a net activity
is computed only from what the user states.
"""

from __future__ import annotations

from datetime import datetime, time

from petquant.acquisition import ClockTime, PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.nuclides import decay_factor
from petquant.overrides import Overrides
from petquant.suv.injection import clock_or_datetime

__all__ = ["dose_bq", "dose_caveats", "net_dose_bq"]

MEGA = 1e6
PLAUSIBLE_MBQ = (5.0, 2000.0)
PRIVATE_TOLERANCE = 0.05


def dose_bq(item: Radiopharmaceutical) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the injected activity of a classic PET item in Bq at the time of injection, or the refusal.

    Below 1e4 the number is MBq for every tracer; from 1e4 to 1e6 it is plausible in no unit.
    """
    written = item.dose
    expected, remedy = "the injected activity in Bq", "give --dose-mbq"
    if written.defect:
        return None, (written.finding(written.defect, expected=expected, remedy=remedy),)
    if written.value is None:
        return None, (written.finding("DOSE_MISSING", expected=expected, remedy=remedy),)
    if written.value <= 0:
        return None, (written.finding("DOSE_NOT_POSITIVE", expected=expected, remedy=remedy),)
    if written.option:
        return written.value, ()
    if written.value < 1e4:
        return written.value * MEGA, (
            written.finding("DOSE_IN_MBQ", expected=f"Bq; read as {written.value:g} MBq", remedy=remedy),
        )
    if written.value < 1e6:
        return None, (
            written.finding(
                "DOSE_UNIT_AMBIGUOUS", expected="a number plausible in Bq or in MBq", remedy=remedy
            ),
        )
    return written.value, ()


def net_dose_bq(
    overrides: Overrides, injected_at: datetime | None, half_life_s: float | None
) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the net activity in Bq from assay and residual, (None, ()) when no assay was given.

    ``A_net = A_assay 2^(-(t_adm - t_assay)/T_half) - A_res 2^(-(t_adm - t_res)/T_half)``
    """
    if overrides.assay_mbq is None:
        return None, ()
    if injected_at is None or half_life_s is None:
        finding = Finding(
            code="DOSE_MISSING",
            found="--assay-mbq needs the time of injection and the half-life, and one is not known",
            remedy="give --injection-datetime, --half-life or --dose-mbq",
        )
        return None, (finding,)
    net_mbq = _at_injection(overrides.assay_mbq, overrides.assay_time, injected_at, half_life_s)
    if overrides.residual_mbq is not None:
        net_mbq -= _at_injection(overrides.residual_mbq, overrides.residual_time, injected_at, half_life_s)
    if net_mbq <= 0:
        finding = Finding(
            code="DOSE_NOT_POSITIVE",
            found=f"the net activity from assay and residual is {net_mbq:g} MBq",
            remedy="check --assay-mbq and --residual-mbq",
        )
        return None, (finding,)
    finding = Finding(
        code="DOSE_NET_FROM_ASSAY",
        found=f"the net activity at injection is {net_mbq:.6g} MBq",
        expected="from --assay-mbq and --residual-mbq",
    )
    return net_mbq * MEGA, (finding,)


def _at_injection(
    activity_mbq: float, measured: str | None, injected_at: datetime, half_life_s: float
) -> float:
    """Return an activity decayed (or back-decayed) to the time of injection."""
    if measured is None:
        return activity_mbq
    value = clock_or_datetime(measured, option="").value
    if isinstance(value, ClockTime):
        measured_at = datetime.combine(injected_at.date(), time()) + value.since_midnight
    elif value is not None:
        measured_at = value.at
    else:
        return activity_mbq
    return activity_mbq * decay_factor((injected_at - measured_at).total_seconds(), half_life_s)


def dose_caveats(
    acquisition: PetAcquisition,
    item: Radiopharmaceutical,
    *,
    dose: float,
    weight_kg: float | None,
    injected_at: datetime | None,
    half_life_s: float | None,
) -> tuple[Finding, ...]:
    """Return flags for a dose out of range, and for private values that say another net activity."""
    findings: list[Finding] = []
    low, high = PLAUSIBLE_MBQ
    if (weight_kg is None or weight_kg >= 1) and not low <= dose / MEGA <= high:
        findings.append(
            item.dose.finding(
                "DOSE_OUT_OF_RANGE",
                found=f"{dose / MEGA:g} MBq",
                expected=f"{low:g} to {high:g} MBq",
                remedy="give --dose-mbq",
            )
        )
    net = _private_net_bq(acquisition, dose, injected_at, half_life_s)
    if net is not None and abs(net / dose - 1) > PRIVATE_TOLERANCE:
        findings.append(
            item.dose.finding(
                "DOSE_PRIVATE_CONFLICT",
                found=f"{dose / MEGA:g} MBq",
                expected=f"{net / MEGA:g} MBq by the vendor's assay and residual ({net / dose - 1:+.1%})",
                remedy="check the dose, or give --dose-mbq",
            )
        )
    return tuple(findings)


def _private_net_bq(
    acquisition: PetAcquisition, dose: float, injected_at: datetime | None, half_life_s: float | None
) -> float | None:
    """Return the net activity that the vendor's private assay and residual imply, when they are complete."""
    private = acquisition.private
    assayed, assayed_at = private.assayed_activity.value, private.assayed_at.value
    residual, residual_at = private.residual_activity.value, private.residual_at.value
    if not assayed or assayed_at is None or injected_at is None or half_life_s is None:
        return None
    net = assayed * decay_factor((injected_at - assayed_at.at).total_seconds(), half_life_s)
    if residual and residual_at is not None:
        net -= residual * decay_factor((injected_at - residual_at.at).total_seconds(), half_life_s)
    # the unit of the private values is not documented: Bq or MBq, whichever is within a factor 100
    return next((net * unit for unit in (1.0, MEGA) if 0.01 <= net * unit / dose <= 100), None)
