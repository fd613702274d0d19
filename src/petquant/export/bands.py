"""How sure numbers of a comparison are, as columns: technical uncertainty, and the change that is needed.

Percentages of uncertainty have a coverage factor k = 2. Without a noise term there is no local part, no sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from petquant.reads.pair import LesionPair, LesionRead
from petquant.reads.repeatability import Change, PublishedRepeatability, change
from petquant.reads.technical import STATISTICS, Technical
from petquant.reads.uncertainty import (
    COVERAGE_FACTOR,
    Default,
    Uncertainty,
    ratio_of_suvs,
    ratio_of_tbrs,
)

__all__ = [
    "change_of",
    "pair_columns",
    "ratios_of",
    "read_columns",
    "repeatability_record",
    "technical_record",
    "uncertainty_record",
    "uncertainty_values",
]

Row = dict[str, Any]
SUV: Final = tuple(f"suv_{statistic}" for statistic in STATISTICS)


def read_columns(read: LesionRead, technical: Technical | None, row: PublishedRepeatability | None) -> Row:
    """Return the columns of one lesion on one scan."""
    columns: Row = {}
    of_suv = next((read.uncertainties[name] for name in SUV if name in read.uncertainties), None)
    if of_suv is not None:
        columns["u_shared_percent"] = COVERAGE_FACTOR * of_suv.shared_percent
    for name, one in read.uncertainties.items():
        if name in SUV:
            columns[f"u_local_{name}_percent"] = _local(one)
        columns[f"u_{name}_percent"] = _whole(one)
    columns["u_missing"] = technical.why_no_noise if technical is not None and read.uncertainties else ""
    needed = None if row is None else row.change_needed_percent
    if row is not None and needed is not None:
        columns |= {
            "repeatability": row.label,
            "change_needed_low_percent": needed[0],
            "change_needed_high_percent": needed[1],
        }
    return columns


def pair_columns(
    pair: LesionPair,
    technical: tuple[Technical | None, Technical | None],
    rows: tuple[PublishedRepeatability | None, ...],
) -> Row:
    """Return the columns of one pair: ratios a/b with their uncertainty, and a change of one tracer."""
    columns: Row = {}
    why = {
        f"{letter}: {one.why_no_noise}"
        for letter, one in zip("ab", technical, strict=True)
        if one and one.why_no_noise
    }
    for name, value, one in ratios_of(pair):
        columns |= {f"ratio_{name}": value, f"u_ratio_{name}_percent": _whole(one)}
    if columns:
        columns["u_missing"] = "; ".join(sorted(why))
    found = change_of(pair, rows)
    if found is not None:
        columns |= {"change_percent": found.percent, "change_exceeds_rc": found.exceeds_rc}
    return columns


def ratios_of(pair: LesionPair) -> Iterator[tuple[str, float, Uncertainty]]:
    """Yield column, value of a over that of b, and its uncertainty, where both have one."""
    if pair.a is None or pair.b is None:
        return
    for name, of_a in pair.a.uncertainties.items():
        of_b = pair.b.uncertainties.get(name)
        a, b = pair.a.values.get(name), pair.b.values.get(name)
        if of_b is not None and a is not None and b:
            yield name, a / b, (ratio_of_suvs if name in SUV else ratio_of_tbrs)(of_a, of_b)


def change_of(pair: LesionPair, rows: tuple[PublishedRepeatability | None, ...]) -> Change | None:
    """Return the change from a to b, held against its row; None for two tracers, or without a value."""
    first, second = rows
    if first is None or first != second or first.column is None or pair.a is None or pair.b is None:
        return None
    a, b = pair.a.values.get(first.column), pair.b.values.get(first.column)
    return None if a is None or b is None else change(float(a), float(b), first)


def uncertainty_values(read: LesionRead) -> Row:
    """Return the uncertainty of every value of a read, by column."""
    return {
        name: {
            "percent": _whole(one),
            "shared_percent": COVERAGE_FACTOR * one.shared_percent,
            "local_percent": _local(one),
            "left_out": list(one.left_out),
        }
        for name, one in read.uncertainties.items()
    }


def technical_record(technical: Technical | None) -> Row | None:
    """Return what the uncertainties on a scan rest on."""
    if technical is None:
        return None
    return {
        "psf_fwhm_mm": technical.psf_fwhm_mm,
        "noise_cov": technical.cov,
        "noise_of": technical.tissue or None,
        "why_no_noise": technical.why_no_noise or None,
        "shared": []
        if technical.shared is None
        else [
            {"name": term.name, "percent": term.percent, "is_assumed": term.is_assumed}
            for term in technical.shared.terms()
        ],
    }


def uncertainty_record(inputs: tuple[Default, ...]) -> Row:
    """Return the coverage factor and the inputs, given or assumed."""
    return {
        "coverage_factor": COVERAGE_FACTOR,
        "terms": [
            {
                "name": one.name,
                "value": one.value,
                "unit": one.unit,
                "meaning": one.meaning,
                "source": one.source,
            }
            for one in inputs
        ],
    }


def repeatability_record(tracer: str, row: PublishedRepeatability) -> Row:
    """Return the row that the changes of a tracer are held against."""
    needed = row.change_needed_percent
    return {
        "tracer": tracer,
        "name": row.name,
        "label": row.label,
        "change_needed_percent": None if needed is None else list(needed),
        "is_surrogate": bool(row.surrogate),
        "is_verified": row.is_verified,
        "citation": row.citation,
    }


def _local(one: Uncertainty) -> float | None:
    return COVERAGE_FACTOR * one.local_percent if one.has_noise else None


def _whole(one: Uncertainty) -> float | None:
    return one.expanded_percent if one.has_noise else None
