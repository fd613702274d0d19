"""A scale is one SUV type of a series: the factor that makes it from rescaled values, and its unit.

Height and sex are asked for when the first normaliser needs them, so that a missing one refuses only the SUV
types that rest on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petquant.acquisition import PetAcquisition
from petquant.errors import Finding, UsageError
from petquant.flags import refusals_of
from petquant.suv.factor import Factor, is_usable, times
from petquant.suv.normalisation import NORMALISATIONS, Normalisation, normalisation, normaliser
from petquant.suv.patient import height_m, sex
from petquant.suv.units import Stored

__all__ = ["Scales", "SuvScale", "scales_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvScale:
    """One SUV type with its factor.

    Parameters
    ----------
    name
        ``bw``, ``lbm-janma`` ...
    unit, ucum
        Unit of the SUV, in words and as UCUM code.
    factor
        SUV per rescaled value (per Bq/mL for BQML); one number, or one a slice.
    normaliser
        N: kg, or 10 m2 for bsa; None when the values were SUV of this type already.
    """

    name: str
    unit: str
    ucum: str
    factor: Factor
    normaliser: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """The scales that can be computed, and what there is to say."""

    scales: tuple[SuvScale, ...]
    findings: tuple[Finding, ...]


def scales_of(
    acquisition: PetAcquisition,
    *,
    stored: Stored,
    factor_bw: Factor | None,
    weight_kg: float | None,
    weight_findings: tuple[Finding, ...],
    suv_types: Sequence[str],
) -> Scales:
    """Return a scale for each SUV type asked for.

    From activity ``factor_x = factor_bw N_x / W``; from stored SUV of type s ``factor_x = N_x / N_s``.

    Parameters
    ----------
    stored
        What the values are.
    factor_bw
        SUVbw per value; None when it is refused, or when the values are SUV already.
    weight_kg, weight_findings
        The weight in use; what there is to say about it is said where a normaliser needs it.
    suv_types
        Names of `petquant.suv.normalisation`, or ``native``.

    Raises
    ------
    UsageError
        OPTION_INVALID for a name that is none of these.
    """
    body = _Body(acquisition, stored, weight_kg, weight_findings)
    scales: list[SuvScale] = []
    findings: list[Finding] = []
    for name in dict.fromkeys(suv_types):
        row = stored.suv if name == "native" else normalisation(name)
        if row is None:
            findings.append(_no_native(stored, name))
            continue
        factor, n, problems = body.factor(row, factor_bw)
        if factor is not None and not is_usable(factor):
            problems = (*problems, _beyond_numbers(name, factor))
        findings += problems
        if factor is not None and not refusals_of(problems):
            scales.append(SuvScale(name=name, unit=row.unit, ucum=row.ucum, factor=factor, normaliser=n))
    return Scales(scales=tuple(scales), findings=tuple(findings))


def _beyond_numbers(name: str, factor: Factor) -> Finding:
    return Finding(
        code="VALUE_NOT_FINITE",
        found=f"the factor of SUV {name} is {factor}",
        expected="a finite factor above 0",
        remedy="check weight and height",
        quantities=(name,),
    )


def _no_native(stored: Stored, name: str) -> Finding:
    if name != "native":
        allowed = ", ".join([*(row.name for row in NORMALISATIONS), "native"])
        raise UsageError.of("OPTION_INVALID", repr(name), keyword="--suv", expected=f"one of {allowed}")
    return Finding(
        code="UNITS_NOT_SUV",
        found=f"--suv native asks for stored SUV values, and Units is {stored.units or 'missing'}",
        expected="Units GML or CM2ML",
        remedy="use --suv bw",
        quantities=("native",),
    )


class _Body:
    """Weight, height and sex, asked for when the first normaliser needs them."""

    def __init__(
        self,
        acquisition: PetAcquisition,
        stored: Stored,
        weight_kg: float | None,
        weight_findings: tuple[Finding, ...],
    ) -> None:
        self.acquisition = acquisition
        self.stored = stored
        self.weight_kg = weight_kg
        self.weight_findings = weight_findings
        self.height_m: float | None = None
        self.sex: str | None = None

    def factor(
        self, row: Normalisation, factor_bw: Factor | None
    ) -> tuple[Factor | None, float | None, tuple[Finding, ...]]:
        """Return SUV of type `row` per value, N of `row`, and what speaks against it."""
        stored = self.stored.suv
        if stored is row:
            return 1.0, None, ()
        if stored is None and row.name == "bw":
            return factor_bw, self.weight_kg, ()
        weight = self.weight_kg
        n, problems = self._normaliser(row, asked_by=row.name)
        per_stored: Factor | None = factor_bw
        divisor = weight
        if stored is not None:
            divisor, more = self._normaliser(stored, asked_by=row.name)
            per_stored, problems = 1.0, (*more, *problems)
        if stored is not None or self.stored.suvbw_per_value is not None:
            problems = (*_asked_by(self.weight_findings, row.name), *problems)
        if n is None or divisor is None or per_stored is None:
            return None, n, problems
        return times(per_stored, n / divisor), n, problems

    def _normaliser(self, row: Normalisation, *, asked_by: str) -> tuple[float | None, tuple[Finding, ...]]:
        findings: tuple[Finding, ...] = ()
        if row.needs_height:
            self.height_m, more = height_m(self.acquisition, needed_by=asked_by)
            findings += more
        if row.needs_sex:
            self.sex, more = sex(self.acquisition, needed_by=asked_by)
            findings += more
        if self.weight_kg is None or refusals_of(findings):
            return None, findings
        n, more = normaliser(row, weight_kg=self.weight_kg, height_m=self.height_m, sex=self.sex)
        return n, (*findings, *_asked_by(more, asked_by))


def _asked_by(findings: tuple[Finding, ...], suv_type: str) -> tuple[Finding, ...]:
    return tuple(replace(finding, quantities=(suv_type,)) for finding in findings)
