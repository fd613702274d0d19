"""The record of a comparison: the JSON that machines read, as plain values in a fixed order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from petquant.comparison import Comparison, ScanReport, SessionPairs, TracerComparison
from petquant.export.bands import (
    change_of,
    ratios_of,
    repeatability_record,
    technical_record,
    uncertainty_record,
    uncertainty_values,
)
from petquant.export.identity import hashed_uids
from petquant.export.methods import methods_text
from petquant.export.record import NOTICE, codes_of
from petquant.export.withheld import Withheld
from petquant.reads.agreement import Agreement
from petquant.reads.concordance import Concordance
from petquant.reads.local_registration import LocalRegistration
from petquant.reads.pair import LesionRead
from petquant.reads.paired import Estimand
from petquant.reads.positivity import RuleAgreement
from petquant.reads.verdict import Check
from petquant.statistics.estimate import Estimate, Test
from petquant.version import __version__

__all__ = ["comparison_record", "headline", "withheld_uids"]

SCHEMA_VERSION: Final = 1
UID: Final = re.compile(r"\b\d+(?:\.\d+){4,}\b|\b2\.25\.\d{20,}\b")  # PS3.5 B.2: 2.25 and a UUID


def comparison_record(comparison: Comparison, *, has_hashed_uids: bool = False) -> dict[str, Any]:
    """Return everything about a comparison; the first one's statistics at the top, further ones behind."""
    first, *further = comparison.comparisons
    record = {
        "schema_version": SCHEMA_VERSION,
        "petquant_version": __version__,
        "notice": NOTICE,
        **_statistics(first),
        "further": [_statistics(one) for one in further],
        "protocol": comparison.protocol or None,
        "positivity": comparison.positivity,
        "rule": comparison.rule,
        "rule_source": comparison.rule_source or None,
        "level": comparison.level,
        "matches_ids": comparison.matches_ids,
        "uncertainty": uncertainty_record(comparison.uncertainty),
        "repeatability": [
            repeatability_record(tracer, row) for tracer, row in comparison.repeatability.items()
        ],
        "sessions": [_session(one) for one in comparison.sessions],
        "pairs": [row for one in comparison.sessions for row in _pairs(one, comparison)],
        "scans": [_scan(one) for one in comparison.scans],
        "methods": methods_text(comparison).splitlines(),
    }
    return withheld_uids(record) if has_hashed_uids else record


def withheld_uids(record: Any) -> Any:
    """Return plain values with every UID replaced by 16 hex digits of its hash."""
    return hashed_uids(record, _uids(record))


def headline(pairs: Sequence[Estimand]) -> Estimand | None:
    """Return the estimand to look at first: SUVmax, or SUVpeak where forced reads take part.

    The maximum of a forced region is biased upwards by noise, its peak hardly (reads.md 7).
    """
    by_metric = {row.metric: row for row in pairs if row.is_default}
    maximum = by_metric.get("suv_max")
    if maximum is not None and maximum.n_forced and "suv_peak" in by_metric:
        return by_metric["suv_peak"]
    return maximum or next(iter(by_metric.values()), None)


def _uids(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_uids, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(_uids, value)) if value else set()
    return set(UID.findall(value)) if isinstance(value, str) else set()


def _statistics(one: TracerComparison) -> dict[str, Any]:
    top = headline(one.estimands)
    return {
        "tracers": list(one.tracers),
        "session": one.session or None,
        "reader": one.reader or None,
        "n_lesions": len(one.pairs),
        "headline": None if top is None else top.metric,
        "concordance": {unit: _concordance(found) for unit, found in one.concordance.items()},
        "regions": {
            region: {**_concordance(found), "p_holm": one.regions_holm.get(region)}
            for region, found in one.regions.items()
        },
        "estimands": [_estimand(row, one) for row in one.estimands],
        "agreement": [_agreement(found) for found in one.agreement],
        "rule_against_reader": {
            letter: None if found is None else _against_reader(found)
            for letter, found in zip("ab", one.rule_against_reader, strict=True)
        },
    }


def _concordance(found: Concordance) -> dict[str, Any]:
    mcnemar = found.mcnemar
    return {
        "both": found.both,
        "a_only": found.a_only,
        "b_only": found.b_only,
        "neither": found.neither,
        "n": found.n,
        "n_unknown": found.n_unknown,
        "n_patients": found.n_patients,
        "mcnemar": {
            "exact": mcnemar.exact,
            "mid_p": mcnemar.mid_p,
            "chi2_cc": mcnemar.chi2_cc,
            "chi2": mcnemar.chi2,
        },
        "difference": None if found.tango is None else found.tango.value,
        "tango_ci": _ends(found.tango),
        "rate_a": _estimate(found.rate_a),
        "rate_b": _estimate(found.rate_b),
        "odds_ratio": _estimate(found.odds_ratio),
        "clustered": [_test(test) for test in found.clustered],
    }


def _against_reader(found: RuleAgreement) -> dict[str, Any]:
    return {
        "both": found.both,
        "rule_only": found.rule_only,
        "reader_only": found.reader_only,
        "neither": found.neither,
        "n_unknown": found.n_unknown,
        "kappa": found.kappa,
        "ac1": found.ac1,
    }


def _estimand(row: Estimand, one: TracerComparison) -> dict[str, Any]:
    estimate = row.estimate
    return {
        "set": row.set,
        "unit": row.unit,
        "scale": row.scale,
        "metric": row.metric,
        "is_default": row.is_default,
        "n": row.n,
        "n_b": row.n_b,
        "n_patients": row.n_patients,
        "n_missing": row.n_missing,
        "n_forced": row.n_forced,
        "mean_a": row.mean_a,
        "mean_b": row.mean_b,
        "sd_a": row.sd_a,
        "sd_b": row.sd_b,
        "estimate": None if estimate is None else _finite(estimate.value),
        "ci": _ends(estimate),
        "ci_method": None if estimate is None else estimate.method,
        "test": row.test.name,
        "p": _finite(row.test.p),
        "statistic": _finite(row.test.statistic),
        "p_holm": one.holm.get(row.metric) if row.is_default else None,
        "p_benjamini_hochberg": one.benjamini_hochberg.get(row.metric) if row.is_default else None,
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    limits = found.bland_altman
    return {
        "metric": found.metric,
        "n": found.n,
        "n_forced": found.n_forced,
        "bland_altman": None
        if limits is None
        else {
            "scale": limits.scale,
            "mean": _estimate(limits.mean),
            "sd": _finite(limits.sd),
            "lower": _estimate(limits.lower),
            "upper": _estimate(limits.upper),
            "proportional_bias": _test(limits.proportional_bias),
        },
        "ccc": _estimate(found.ccc),
        "icc": {name: _estimate(estimate) for name, estimate in found.icc.items()},
        "spearman": None if found.spearman is None else _test(found.spearman),
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": _finite(estimate.value), "ci": _ends(estimate), "method": estimate.method}


def _ends(estimate: Estimate | None) -> list[float | None] | None:
    return None if estimate is None else [_finite(estimate.low), _finite(estimate.high)]


def _finite(value: float | None) -> float | None:
    """Return a number, None for what has no bound: an odds ratio without a pair of the second kind."""
    return value if value is not None and math.isfinite(value) else None


def _test(test: Test) -> dict[str, Any]:
    return {
        "test": test.name,
        "p": _finite(test.p),
        "statistic": _finite(test.statistic),
        "n": test.n,
        "n_clusters": test.n_clusters,
    }


def _session(one: SessionPairs) -> dict[str, Any]:
    found = one.registration
    reads = [read for pair in one.pairs for read in (pair.a, pair.b)]
    return {
        "patient": one.patient,
        "session": one.session or None,
        "reader": one.reader or None,
        "tracers": list(one.tracers),
        "n_lesions": len(one.pairs),
        "n_forced": sum(read is not None and read.is_forced for read in reads),
        "n_missing": sum(read is None for read in reads),
        "registration": None
        if found is None
        else {
            "method": found.method,
            "matrix_a_to_b": found.matrix.tolist(),
            "inverse_consistency_mm": found.inverse_consistency_mm,
            "body_dice": found.body_dice,
            "around_lesions": [
                _local(letter + roi_id, around) for (letter, roi_id), around in one.local.items()
            ],
        },
        "technical": [technical_record(technical) for technical in one.technical],
        "uptake_times": None if one.times is None else _check(one.times),
        "codes": [
            code
            for finding in (*one.findings, *one.refusals)
            for code in codes_of((replace(finding, path=""),), Withheld(root=finding.path))
        ],
        "is_refused": bool(one.refusals),
    }


def _local(lesion: str, one: LocalRegistration) -> dict[str, Any]:
    return {
        "lesion": lesion,
        "is_refined": one.is_accepted,
        "why_not": one.kept or None,
        "centre_mm_lps": list(one.centre_mm),
        "shift_mm": one.shift_mm,
        "turn_deg": one.turn_deg,
        "correlation_global": None if one.correlation is None else one.correlation[0],
        "correlation_local": None if one.correlation is None else one.correlation[1],
        "inverse_consistency_mm": one.inverse_consistency_mm,
        "structure_hu_per_mm": one.structure_hu_per_mm,
        "matrix_a_to_b": one.registration.matrix.tolist() if one.is_accepted else None,
    }


def _pairs(one: SessionPairs, comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield every pair with both of its reads, how sure their numbers are, and what lies between them."""
    rows = tuple(comparison.repeatability.get(tracer) for tracer in one.tracers)
    for pair in one.pairs:
        change = change_of(pair, rows)
        yield {
            "patient": one.patient,
            "session": one.session or None,
            "reader": one.reader or None,
            "tracers": list(one.tracers),
            "pair": pair.lesion_id,
            "a": _read(pair.a),
            "b": _read(pair.b),
            "ratios": {
                name: {"value": value, "percent": ratio.expanded_percent if ratio.has_noise else None}
                for name, value, ratio in ratios_of(pair)
            },
            "change": None
            if change is None
            else {"percent": change.percent, "exceeds_rc": change.exceeds_rc, "label": change.label},
        }


def _read(read: LesionRead | None) -> dict[str, Any] | None:
    if read is None:
        return None
    return {
        "lesion": read.lesion_id,
        "is_forced": read.is_forced,
        "is_positive": read.is_positive,
        "values": dict(read.values),
        "uncertainty": uncertainty_values(read),
        "flags": list(read.flags),
    }


def _scan(one: ScanReport) -> dict[str, Any]:
    return {
        "patient": one.patient,
        "session": one.session or None,
        "reader": one.reader or None,
        "tracer": one.tracer,
        "is_refused": bool(one.refusals),
        "technical": technical_record(one.technical),
        "protocol": None if one.checks is None else [_check(check) for check in one.checks],
        **one.record,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "verdict": str(check.verdict),
        "found": check.found,
        "expected": check.expected,
        "why": check.why,
    }
