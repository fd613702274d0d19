"""Body weight, height and sex as a normaliser may use them, with what had to be assumed.

Rules: suv.md section 9. Each is asked for only when a quantity needs it.
"""

from __future__ import annotations

import math

from petquant.acquisition import PetAcquisition
from petquant.errors import Finding

__all__ = ["height_m", "sex", "weight_kg"]


def weight_kg(acquisition: PetAcquisition) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the body weight in kg, or None with the refusal.

    Above 1000 the value is read as grams; below 1 or above 300 kg, or when it equals the height in m or cm,
    it is used and flagged.
    """
    written = acquisition.weight_kg
    expected, remedy = "a body weight in kg, which SUVbw needs", "give --weight-kg"
    if written.defect:
        return None, (written.finding(written.defect, expected=expected, remedy=remedy),)
    if written.value is None:
        return None, (
            written.finding(
                "WEIGHT_MISSING",
                expected=expected,
                remedy=f"{remedy} (de-identification keeps it with Retain Patient Characteristics, 113108)",
            ),
        )
    if written.value <= 0:
        return None, (written.finding("WEIGHT_NOT_POSITIVE", expected=expected, remedy=remedy),)
    weight = written.value
    findings: list[Finding] = []
    if weight > 1000:
        weight /= 1000
        findings.append(
            written.finding("WEIGHT_IN_GRAMS", expected=f"kg; used as {weight:g} kg", remedy=remedy)
        )
    if weight > 300 or weight < 1:
        findings.append(written.finding("WEIGHT_IMPLAUSIBLE", expected="1 to 300 kg", remedy=remedy))
    height = acquisition.height_m.value
    is_equal = height is not None and any(
        math.isclose(written.value, h, rel_tol=1e-9) for h in (height, 100 * height)
    )
    is_swapped = height is not None and written.value < 3 and 20 < height <= 300
    if height is not None and (is_equal or is_swapped):
        findings.append(
            written.finding(
                "WEIGHT_EQUALS_HEIGHT", expected=f"a weight other than the height {height:g}", remedy=remedy
            )
        )
    return weight, tuple(findings)


def height_m(acquisition: PetAcquisition, *, needed_by: str) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the body height in m, or None with the refusal of the quantity `needed_by`."""
    written = acquisition.height_m
    expected, remedy = f"a body height in m, which SUV {needed_by} needs", "give --height-m"
    quantities = (needed_by,)
    if written.defect:
        return None, (
            written.finding(written.defect, expected=expected, remedy=remedy, quantities=quantities),
        )
    if written.value is None or written.value <= 0:
        return None, (
            written.finding("HEIGHT_MISSING", expected=expected, remedy=remedy, quantities=quantities),
        )
    height = written.value
    findings: list[Finding] = []
    if height > 3:
        height /= 100
        findings.append(
            written.finding(
                "HEIGHT_IN_CM", expected=f"m; used as {height:g} m", remedy=remedy, quantities=quantities
            )
        )
    if not 0.4 <= height <= 2.5:
        findings.append(
            written.finding(
                "HEIGHT_IMPLAUSIBLE", expected="0.4 to 2.5 m", remedy=remedy, quantities=quantities
            )
        )
    return height, tuple(findings)


def sex(acquisition: PetAcquisition, *, needed_by: str) -> tuple[str | None, tuple[Finding, ...]]:
    """Return M, F or O, or None with the refusal of the quantity `needed_by`."""
    written = acquisition.sex
    quantities = (needed_by,)
    value = (written.value or "").strip().upper()
    if value not in {"M", "F", "O"}:
        return None, (
            written.finding(
                "SEX_INVALID",
                expected=f"M, F or O, which SUV {needed_by} needs",
                remedy="give --sex",
                quantities=quantities,
            ),
        )
    if value == "O":
        return value, (
            written.finding(
                "SEX_OTHER_MEAN",
                expected="M or F; the mean of both normalisers is used",
                remedy="give --sex",
                quantities=quantities,
            ),
        )
    return value, ()
