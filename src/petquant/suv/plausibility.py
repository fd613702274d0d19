"""What a finished SUV volume must satisfy: no more activity than was injected, no slice out of step.

Rules: suv.md section 15 and reliability.md 67, 68. Everything is decided from the totals of the slices.
"""

from __future__ import annotations

import numpy as np

from petquant.errors import Finding
from petquant.volume import Volume

__all__ = ["activity_balance", "balance_findings", "extreme_findings", "slice_findings"]

HIGH, LOW = 1.02, 0.02
WHOLE_BODY_MM = 600.0
EXTREME_SUV = 1e4
BEYOND_ARITHMETIC = 1e60  # its fourth power, summed over a region, still is a float64
NEIGHBOURS_WITHIN, MEANINGFUL, OUTLIER = 0.25, 0.05, 0.30


def activity_balance(suv_bw: Volume, *, weight_kg: float) -> float:
    """Return the activity in the field of view over the decayed dose: ``sum(SUVbw v) / (1000 W)``."""
    return float(suv_bw.slice_sums().sum() * suv_bw.grid.voxel_volume_ml / (1000.0 * weight_kg))


def balance_findings(balance: float, suv_bw: Volume) -> tuple[Finding, ...]:
    """Return the flag for a balance above 1.02, or below 0.02 in a whole-body field of view."""
    coverage_mm = suv_bw.grid.shape[0] * suv_bw.grid.spacing_mm[0]
    if balance > HIGH:
        code, expected = "ACTIVITY_BALANCE_HIGH", f"at most {HIGH}"
    elif balance < LOW and coverage_mm >= WHOLE_BODY_MM:
        code, expected = "ACTIVITY_BALANCE_LOW", f"at least {LOW} over {coverage_mm:.0f} mm"
    else:
        return ()
    return (
        Finding(
            code=code,
            found=f"{balance:.3g} of the injected activity lies in the field of view",
            expected=expected,
            remedy="check dose, weight and times",
        ),
    )


def extreme_findings(suv: Volume, *, allow_extreme: bool) -> tuple[Finding, ...]:
    """Return the refusal (or, when allowed, the flag) for a volume of zeros or of values above 1e4.

    Values whose moments no float64 holds are refused whatever is allowed.
    """
    largest, smallest = suv.largest(), suv.smallest()
    farthest = largest if largest >= -smallest else smallest
    if np.isfinite(farthest) and abs(farthest) > BEYOND_ARITHMETIC:
        return (
            Finding(
                code="SUV_EXTREME",
                found=f"the value farthest from 0 is {farthest:.6g}",
                expected=f"values within {BEYOND_ARITHMETIC:g}, which can be reckoned with",
                remedy="check the scaling of the image",
            ),
        )
    if np.isfinite(largest) and largest <= EXTREME_SUV and not largest == smallest == 0:
        return ()
    what = "all values are 0" if largest == smallest == 0 else f"the largest value is {largest:.6g}"
    return (
        Finding(
            code="EXTREME_ALLOWED" if allow_extreme else "SUV_EXTREME",
            found=what,
            expected=f"values up to {EXTREME_SUV:g}",
            remedy="" if allow_extreme else "check dose, weight and units, or give --allow-extreme",
        ),
    )


def slice_findings(suv: Volume) -> tuple[Finding, ...]:
    """Return the flag for slices whose total is isolated.

    Both neighbours within 25 % of each other and above 5 % of the median total, the slice off their geometric
    mean by more than 30 %: what a wrong slope in one slice looks like.
    """
    totals = suv.slice_sums()
    if len(totals) < 3:
        return ()
    before, here, after = totals[:-2], totals[1:-1], totals[2:]
    high, low = np.maximum(before, after), np.minimum(before, after)
    is_meaningful = low > max(MEANINGFUL * float(np.median(totals)), 0.0)
    is_alike = high <= (1 + NEIGHBOURS_WITHIN) * low
    middle = np.sqrt(np.where(is_meaningful, before * after, 1.0))
    is_off = np.abs(here / middle - 1) > OUTLIER
    outliers = np.flatnonzero(is_meaningful & is_alike & is_off)
    if not len(outliers):
        return ()
    listed = ", ".join(f"slice {k + 2} by {here[k] / middle[k] - 1:+.0%}" for k in outliers[:8])
    return (
        Finding(
            code="SLICE_TOTAL_OUTLIER",
            found=f"the total is off its neighbours: {listed}",
            expected="totals that change smoothly",
            remedy="check the rescale slope of that slice",
        ),
    )
