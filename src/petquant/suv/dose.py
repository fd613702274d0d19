"""The dose: activity injected, in Bq at the time of injection.

Rules: suv.md section 8. Whether a number is Bq or MBq follows from its size, for every tracer; a net activity
is computed only from what the user states.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from petquant.acquisition import DoseUnit, Instant, PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.nuclides import decay_factor
from petquant.overrides import Overrides, moment

__all__ = ["dose_bq", "dose_caveats", "net_dose_bq", "range_caveats"]

MEGA = 1e6
PLAUSIBLE_MBQ = (5.0, 2000.0)
PRIVATE_TOLERANCE = 0.05


def dose_bq(item: Radiopharmaceutical) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the injected activity of an item in Bq at the time of injection, or the refusal.

    In a classic image the number is Bq by the standard; below 1e4 it is MBq for every tracer, and from 1e4 to
    1e6 plausible in no unit. In an Enhanced image it is MBq by the standard (PS3.3 C.8.22.4); from 1e4 on it
    is Bq, as seen. A side-car states the unit; where it does not, the number is judged as in a classic image.
    """
    written = item.dose
    expected = f"the injected activity in {'MBq' if item.dose_unit is DoseUnit.ENHANCED else 'Bq'}"
    remedy = "give --dose-mbq"
    if written.defect:
        return None, (written.finding(written.defect, expected=expected, remedy=remedy),)
    if written.value is None:
        return None, (written.finding("DOSE_MISSING", expected=expected, remedy=remedy),)
    if written.value <= 0:
        return None, (written.finding("DOSE_NOT_POSITIVE", expected=expected, remedy=remedy),)
    if written.option or item.dose_unit is DoseUnit.STATED:
        return written.value, ()
    if item.dose_unit is DoseUnit.ENHANCED and written.value < 1e4:
        return written.value * MEGA, ()
    if item.dose_unit is DoseUnit.ENHANCED:
        return written.value, (
            written.finding("DOSE_ENHANCED_IN_BQ", expected="MBq; read as Bq", remedy=remedy),
        )
    is_unstated = item.dose_unit is DoseUnit.UNSTATED
    if written.value < 1e4:
        code = "SIDECAR_ACTIVITY_UNITS_ASSUMED" if is_unstated else "DOSE_IN_MBQ"
        unit = "its unit" if is_unstated else "Bq"
        return written.value * MEGA, (
            written.finding(code, expected=f"{unit}; read as {written.value:g} MBq", remedy=remedy),
        )
    if written.value < 1e6:
        return None, (
            written.finding(
                "DOSE_UNIT_AMBIGUOUS", expected="a number plausible in Bq or in MBq", remedy=remedy
            ),
        )
    if is_unstated:
        return written.value, (
            written.finding(
                "SIDECAR_ACTIVITY_UNITS_ASSUMED",
                expected=f"its unit; read as {written.value:g} Bq",
                remedy=remedy,
            ),
        )
    return written.value, ()


def net_dose_bq(
    overrides: Overrides,
    *,
    injected_at: datetime | None,
    half_life_s: float | None,
    utc_offset: timedelta | None,
) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the net activity in Bq from assay and residual, (None, ()) when no assay was given.

    ``A_net = A_assay 2^(-(t_adm - t_assay)/T_half) - A_res 2^(-(t_adm - t_res)/T_half)``

    Parameters
    ----------
    injected_at
        On the scanner's clock, the clock offset applied; it is applied to assay and residual as well.
    half_life_s
        In s.
    utc_offset
        Of the scanner's clock.
    """
    if overrides.assay_mbq is None or overrides.assay_time is None:
        return None, ()
    if injected_at is None or half_life_s is None:
        finding = Finding(
            code="DOSE_MISSING",
            found="--assay-mbq needs the time of injection and the half-life, and one is not known",
            remedy="give --injection-datetime, --half-life or --dose-mbq",
        )
        return None, (finding,)

    def at_injection(activity_mbq: float, measured: str) -> float:
        measured_at = _near(injected_at, measured, overrides.clock_offset_s or 0.0, utc_offset)
        return activity_mbq * decay_factor((injected_at - measured_at).total_seconds(), half_life_s)

    net_mbq = at_injection(overrides.assay_mbq, overrides.assay_time)
    if overrides.residual_mbq is not None and overrides.residual_time is not None:
        net_mbq -= at_injection(overrides.residual_mbq, overrides.residual_time)
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
    )
    return net_mbq * MEGA, (finding,)


def _near(
    injected_at: datetime, measured: str, clock_offset_s: float, utc_offset: timedelta | None
) -> datetime:
    """Return when an activity was measured; a clock time lies on the day that brings it nearest."""
    value = moment(measured)
    shift = timedelta(seconds=clock_offset_s)
    if utc_offset is not None and value.utc_offset is not None:
        shift += utc_offset - value.utc_offset
    if isinstance(value, Instant):
        return value.at + shift
    midnight = injected_at.replace(hour=0, minute=0, second=0, microsecond=0)
    half_day = timedelta(hours=12)
    after = midnight + value.since_midnight + shift - injected_at
    return injected_at + (after + half_day) % (2 * half_day) - half_day


def range_caveats(item: Radiopharmaceutical, *, dose: float, weight_kg: float | None) -> tuple[Finding, ...]:
    """Return the flag for a dose out of range; animals (below 1 kg) get what they get."""
    low, high = PLAUSIBLE_MBQ
    if (weight_kg is not None and weight_kg < 1) or low <= dose / MEGA <= high:
        return ()
    return (
        item.dose.finding(
            "DOSE_OUT_OF_RANGE",
            found=f"{dose / MEGA:g} MBq",
            expected=f"{low:g} to {high:g} MBq",
            remedy="give --dose-mbq",
        ),
    )


def dose_caveats(
    acquisition: PetAcquisition,
    item: Radiopharmaceutical,
    *,
    dose: float,
    weight_kg: float | None,
    injected_at: datetime | None,
    half_life_s: float | None,
    clock_offset_s: float,
) -> tuple[Finding, ...]:
    """Return flags for a dose out of range, and for private values that say another net activity."""
    findings = list(range_caveats(item, dose=dose, weight_kg=weight_kg))
    net = _private_net_bq(acquisition, dose, injected_at, half_life_s, clock_offset_s)
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
    acquisition: PetAcquisition,
    dose: float,
    injected_at: datetime | None,
    half_life_s: float | None,
    clock_offset_s: float,
) -> float | None:
    """Return the net activity that the vendor's private assay and residual imply, when they are complete."""
    private = acquisition.private
    assayed, assayed_at = private.assayed_activity.value, private.assayed_at.value
    residual, residual_at = private.residual_activity.value, private.residual_at.value
    if not assayed or assayed_at is None or injected_at is None or half_life_s is None:
        return None

    def at_injection(activity: float, measured_at: datetime) -> float:
        elapsed_s = (injected_at - measured_at).total_seconds() - clock_offset_s
        return activity * decay_factor(elapsed_s, half_life_s)

    net = at_injection(assayed, assayed_at.at)
    if residual and residual_at is not None:
        net -= at_injection(residual, residual_at.at)
    # the unit of the private values is not documented: Bq or MBq, whichever is within a factor 100
    return next((net * unit for unit in (1.0, MEGA) if 0.01 <= net * unit / dose <= 100), None)
