"""PERCIST 1.0 sorts the change between two FDG scans of one patient: CMR, PMR, SMD or PMD.

Its numbers stand in ``criteria/percist.toml`` with their citations. A category needs comparable scans and a
measurable lesion at baseline; without them there is none, and the reason stands in its place. New lesions
alone need no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from petquant.reads.criterion import Criterion, Threshold, criteria
from petquant.reads.verdict import Check, Verdict, checked, exceeds

__all__ = ["PercistResponse", "PercistScan", "comparability", "measurability", "percist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PercistScan:
    """What PERCIST needs of one scan, in SUL.

    Parameters
    ----------
    tracer, suv_type
        `[18F]FDG`, and one of the lean body mass types (``lbm-janma``).
    sul_peak
        Of the hottest lesion, 1 mL sphere; None when it is not known.
    is_resolved
        Whether no lesion is left, as a reader said: a missing number is no response.
    liver_mean, liver_sd
        3 cm sphere in the right lobe.
    blood_pool_mean, blood_pool_sd
        Descending aorta.
    is_liver_diseased
        Then the blood pool takes the place of the liver in the threshold of measurability.
    tlg_g
        Of the lesions, None when not measured.
    uptake_time_min
        From injection to acquisition.
    """

    tracer: str
    suv_type: str
    sul_peak: float | None = None
    liver_mean: float | None = None
    liver_sd: float | None = None
    blood_pool_mean: float | None = None
    blood_pool_sd: float | None = None
    is_resolved: bool = False
    is_liver_diseased: bool = False
    tlg_g: float | None = None
    uptake_time_min: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that are none: no comparison with them holds, and each would decide something."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{field.name} is {value}; what is not known is None")


@dataclass(frozen=True, slots=True, kw_only=True)
class PercistResponse:
    """What became of the disease between two scans.

    Parameters
    ----------
    category
        ``CMR``, ``PMR``, ``SMD`` or ``PMD``; None when it cannot be said.
    why
        What decided.
    sul_change_percent, sul_change, tlg_change_percent
        Second scan minus first, of the hottest lesions; None where a value is missing.
    checks
        Measurability and comparability.
    unverified
        Thresholds that were not seen at their source: to be printed.
    """

    category: str | None
    why: str
    sul_change_percent: float | None
    sul_change: float | None
    tlg_change_percent: float | None
    checks: tuple[Check, ...]
    unverified: tuple[str, ...]


def measurability(scan: PercistScan) -> Check:
    """Return whether the hottest lesion of a scan is measurable.

    ``SULpeak >= 1.5 liver mean + 2 SD``; where the liver is diseased ``>= 2 blood pool mean + 2 SD``.
    """
    limits = _limits()
    if scan.is_liver_diseased:
        tissue, factor = "blood pool", limits["blood_pool_factor"].value
        mean, sd = scan.blood_pool_mean, scan.blood_pool_sd
    else:
        tissue, factor, mean, sd = "liver", limits["liver_factor"].value, scan.liver_mean, scan.liver_sd
    k = limits["sd_factor"].value
    words = f"SULpeak >= {factor:g} x {tissue} mean + {k:g} SD"
    if mean is None or sd is None:
        return checked("measurable", holds=None, found=f"no {tissue}", expected=words)
    threshold = factor * mean + k * sd
    expected = f"{words} = {threshold:.4g}"
    if scan.sul_peak is None:
        return checked("measurable", holds=None, found="no SULpeak", expected=expected)
    return checked(
        "measurable",
        holds=not exceeds(threshold, scan.sul_peak),
        found=f"{scan.sul_peak:.4g}",
        expected=expected,
    )


def comparability(first: PercistScan, second: PercistScan) -> tuple[Check, ...]:
    """Return whether two scans may be compared: tracer, SUL, liver and uptake time.

    ``|liver difference| <= 20 %`` of the first and ``< 0.3 SUL``; uptake times less than 15 min apart.
    """
    limits = _limits()
    tracers = _criterion().tracers
    kinds = f"{first.suv_type}, {second.suv_type}"
    is_sul = first.suv_type.startswith("lbm") and first.suv_type == second.suv_type
    checks = [
        checked(
            "tracer",
            holds=all(scan.tracer in tracers for scan in (first, second)),
            found=f"{first.tracer}, {second.tracer}",
            expected=" or ".join(tracers),
        ),
        checked("sul", holds=is_sul, found=kinds, expected="one SUV type of lean body mass for both"),
    ]
    percent, absolute = limits["liver_difference_percent"].value, limits["liver_difference"].value
    words = f"within {percent:g} % and less than {absolute:g} SUL"
    if first.liver_mean is None or second.liver_mean is None:
        checks.append(checked("liver", holds=None, found="missing", expected=words))
    else:
        difference = second.liver_mean - first.liver_mean
        holds = not exceeds(abs(difference), percent / 100.0 * first.liver_mean) and exceeds(
            absolute, abs(difference)
        )
        found = f"{difference:+.3g} SUL ({_percent(first.liver_mean, second.liver_mean)})"
        checks.append(checked("liver", holds=holds, found=found, expected=words))
    limit = limits["uptake_difference_min"].value
    words = f"less than {limit:g} min apart"
    if first.uptake_time_min is None or second.uptake_time_min is None:
        checks.append(checked("uptake_times", holds=None, found="missing", expected=words))
    else:
        apart = abs(second.uptake_time_min - first.uptake_time_min)
        checks.append(
            checked("uptake_times", holds=exceeds(limit, apart), found=f"{apart:g} min apart", expected=words)
        )
    return tuple(checks)


def percist(first: PercistScan, second: PercistScan, *, has_new_lesions: bool | None) -> PercistResponse:
    """Return the category of the change from the first scan to the second.

    In this order: new lesions, a TLG more than 75 % higher, or a SULpeak at least 30 % and 0.8 SUL higher are
    PMD; no lesion left, or a SULpeak below the liver and not above the blood pool, is CMR; a SULpeak at least
    30 % and 0.8 SUL lower is PMR; the rest is SMD.

    Parameters
    ----------
    first, second
        Baseline and follow-up.
    has_new_lesions
        On the follow-up; None when nobody looked, and then nothing but PMD can be said.

    Notes
    -----
    Sources differ on whether 30 % itself counts; here it does. That lesions which are no target grow, and a
    visible increase in extent, are for a reader: they are not judged here.
    """
    checks = (measurability(first), *comparability(first, second))
    change = percent = None
    if first.sul_peak is not None and second.sul_peak is not None and first.sul_peak > 0:
        change = second.sul_peak - first.sul_peak
        percent = 100.0 * change / first.sul_peak
    tlg = None
    if first.tlg_g is not None and second.tlg_g is not None and first.tlg_g > 0:
        tlg = 100.0 * (second.tlg_g - first.tlg_g) / first.tlg_g
    open_checks = [check for check in checks if check.verdict is not Verdict.PASS]
    if has_new_lesions and not any(check.rule == "tracer" for check in open_checks):
        category, why = "PMD", "new lesions"
    elif open_checks:
        category, why = (
            None,
            "; ".join(
                f"{check.rule} {check.verdict}: {check.found}, expected {check.expected}"
                for check in open_checks
            ),
        )
    else:
        category, why = _category(second, change=change, tlg_percent=tlg, first=first, is_new=has_new_lesions)
    return PercistResponse(
        category=category,
        why=why,
        sul_change_percent=percent,
        sul_change=change,
        tlg_change_percent=tlg,
        checks=checks,
        unverified=_criterion().unverified,
    )


def _category(
    second: PercistScan,
    *,
    first: PercistScan,
    change: float | None,
    tlg_percent: float | None,
    is_new: bool | None,
) -> tuple[str | None, str]:
    limits = _limits()
    baseline = first.sul_peak or 0.0  # measurable, and so positive
    relative, absolute = limits["sul_change_percent"].value, limits["sul_change"].value
    is_large = (
        change is not None
        and not exceeds(absolute, abs(change))
        and not exceeds(relative / 100.0 * baseline, abs(change))
    )
    if tlg_percent is not None and exceeds(tlg_percent, limits["tlg_increase_percent"].value):
        return "PMD", f"TLG {tlg_percent:+.1f} %"
    words = "no SULpeak" if change is None else f"SULpeak {change:+.3g} ({100 * change / baseline:+.1f} %)"
    if is_large and change is not None and change > 0:
        return "PMD", words
    if is_new is None:
        return None, "not known whether there are new lesions"
    if second.is_resolved:
        return "CMR", "no lesion left"
    if second.sul_peak is None:
        return None, "no SULpeak of the second scan"
    if second.liver_mean is not None and exceeds(second.liver_mean, second.sul_peak):
        if second.blood_pool_mean is None:
            return None, f"{words}, below the liver: whether it is complete needs the blood pool"
        if not exceeds(second.sul_peak, second.blood_pool_mean):
            return "CMR", f"{words}, below the liver and not above the blood pool"
    judged = "" if tlg_percent is not None else "; TLG not judged"
    return ("PMR" if is_large else "SMD"), f"{words}{judged}"


def _criterion() -> Criterion:
    return criteria()["percist"]


def _limits() -> Mapping[str, Threshold]:
    return _criterion().thresholds


def _percent(first: float, second: float) -> str:
    return f"{100.0 * (second - first) / first:+.1f} %" if first > 0 else "no percentage"
