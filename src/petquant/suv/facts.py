"""Facts are what is known of one series before it is decided which of it is needed.

State of decay correction, stored quantity, weight, dose, half-life and timing, each with its own findings.
"""

from __future__ import annotations

from dataclasses import dataclass

from petquant.acquisition import PetAcquisition, Radiopharmaceutical
from petquant.errors import Finding
from petquant.overrides import Overrides
from petquant.suv.corrections import decay_state
from petquant.suv.dose import dose_bq, dose_caveats, net_dose_bq, range_caveats
from petquant.suv.patient import weight_kg
from petquant.suv.radiopharmaceutical import HalfLife, half_life
from petquant.suv.timing import Timing, time_series
from petquant.suv.units import Stored, stored_quantity

__all__ = ["Facts", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known, each with its own findings, before it is decided which of it is needed."""

    state: str | None
    state_findings: tuple[Finding, ...]
    stored: Stored
    weight_kg: float | None
    weight_findings: tuple[Finding, ...]
    dose_bq: float | None
    dose_findings: tuple[Finding, ...]
    life: HalfLife
    timing: Timing


def gather(acquisition: PetAcquisition, item: Radiopharmaceutical, overrides: Overrides) -> Facts:
    """Return the facts of a series; nothing is refused here, every fact carries what speaks against it."""
    life = half_life(acquisition, item, overrides)
    state, state_findings = decay_state(acquisition)
    dose, dose_findings = dose_bq(item)
    weight, weight_findings = weight_kg(acquisition)
    timing = time_series(
        acquisition,
        item,
        overrides,
        state=state,
        half_life_s=life.half_life_s,
        dose_bq=dose,
        weight_g=None if weight is None else 1000.0 * weight,
    )
    net, net_findings = net_dose_bq(
        overrides,
        injected_at=timing.injection.at,
        half_life_s=life.half_life_s,
        utc_offset=acquisition.utc_offset,
    )
    if net_findings:
        dose, dose_findings = net, net_findings
        if net is not None:
            dose_findings += range_caveats(item, dose=net, weight_kg=weight)
    elif dose is not None:
        dose_findings += dose_caveats(
            acquisition,
            item,
            dose=dose,
            weight_kg=weight,
            injected_at=timing.injection.at,
            half_life_s=life.half_life_s,
            clock_offset_s=overrides.clock_offset_s or 0.0,
        )
    return Facts(
        state=state,
        state_findings=state_findings,
        stored=stored_quantity(acquisition, overrides, decay=state),
        weight_kg=weight,
        weight_findings=weight_findings,
        dose_bq=dose,
        dose_findings=dose_findings,
        life=life,
        timing=timing,
    )
