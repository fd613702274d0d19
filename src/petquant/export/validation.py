"""A validation as a record: by phantom what was asked and how near the answers came, and every failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from petquant.export.record import NOTICE
from petquant.validation import Check
from petquant.version import __version__

__all__ = ["as_markdown", "summary_record"]

MOST_FAILURES: Final = 1000
SHOWN: Final = ("code", "suv_max", "suv_mean", "suv_peak", "mtv_ml", "tlg_g", "mtv41_ml")  # on the page

_INTRODUCTION: Final = (
    "Made by `petquant validate --out docs/validation.md` of petquant {petquant_version}: {n_trials} trials, "
    "{n_checks} checks, {n_failed} failed. Every phantom is written as real DICOM whose truth is known in "
    "closed form or as a sum over the field that was written, and measured as a user would. A tolerance is "
    "computed from the quantisation of the pixels (half a stored unit) and single precision (6e-8), never "
    "chosen. For research use only."
)
_HEADS: Final = (
    "| phantom | requirement | variants | checks | failed | largest error as share of its tolerance | in | "
    "largest relative error of the SUV factor |"
)


def summary_record(
    checks: Sequence[Check], *, n_trials: int, requirements: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the record of a validation; `requirements` are what a phantom shows, by its name.

    Of every phantom, region and quantity it holds the expected number of the first variant, and of the
    variant with the largest share of its tolerance what was found there; then the failures one by one (1000
    at most).
    """
    failed = [check for check in checks if not check.is_passed]
    by_phantom: dict[str, list[Check]] = {}
    for check in checks:
        by_phantom.setdefault(check.phantom, []).append(check)
    return {
        "petquant_version": __version__,
        "notice": NOTICE,
        "n_trials": n_trials,
        "n_checks": len(checks),
        "n_failed": len(failed),
        "phantoms": [
            {"phantom": name, "requirement": (requirements or {}).get(name) or None, **_phantom(own)}
            for name, own in by_phantom.items()
        ],
        "failures": [_failure(check) for check in failed[:MOST_FAILURES]],
    }


def _phantom(checks: Sequence[Check]) -> dict[str, Any]:
    worst = _worst(checks)
    factors = [
        abs(check.error / float(check.expected))
        for check in checks
        if check.quantity == "factor" and check.error is not None
    ]
    by_place: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        by_place.setdefault((check.region, check.quantity), []).append(check)
    return {
        "n_variants": len({check.variant for check in checks}),
        "n_checks": len(checks),
        "n_failed": sum(not check.is_passed for check in checks),
        "largest_share_of_tolerance": None if worst is None else worst.share,
        "worst_quantity": None if worst is None else worst.quantity,
        "worst_variant": None if worst is None else worst.variant,
        "largest_factor_error": max(factors, default=None),
        "quantities": [_quantity(region, quantity, own) for (region, quantity), own in by_place.items()],
    }


def _quantity(region: str, quantity: str, checks: Sequence[Check]) -> dict[str, Any]:
    shown = _worst(checks) or checks[0]
    return {
        "region": region,
        "quantity": quantity,
        "expected": shown.expected,
        "found": shown.found,
        "error": shown.error,
        "abs_tol": shown.abs_tol,
        "why": shown.why,
        "variant": shown.variant,
        "n_variants": len(checks),
        "n_failed": sum(not check.is_passed for check in checks),
    }


def _worst(checks: Iterable[Check]) -> Check | None:
    """Return the check that used most of its tolerance; failures without a number come first."""
    ranked = [check for check in checks if check.share is not None]
    return max(ranked, key=lambda check: check.share or 0.0, default=None)


def _failure(check: Check) -> dict[str, Any]:
    return {
        "phantom": check.phantom,
        "variant": check.variant,
        "region": check.region,
        "quantity": check.quantity,
        "expected": check.expected,
        "found": check.found,
        "error": check.error,
        "abs_tol": check.abs_tol,
        "why": check.why,
    }


def as_markdown(record: dict[str, Any]) -> bytes:
    """Return the record as a page: a line a phantom, a table of its numbers, and the failures."""
    lines = [
        "# Validation",
        "",
        _INTRODUCTION.format(**record),
        "",
        "## Phantoms",
        "",
        _HEADS,
        "|---" * 8 + "|",
    ]
    for row in record["phantoms"]:
        share, factor = row["largest_share_of_tolerance"], row["largest_factor_error"]
        lines.append(
            f"| {row['phantom']} | {row['requirement'] or ''} | {row['n_variants']} | "
            f"{row['n_checks']} | {row['n_failed']} | "
            f"{'' if share is None else f'{share:.2f}'} | {row['worst_quantity'] or ''} | "
            f"{'' if factor is None else f'{factor:.1e}'} |"
        )
    lines += ["", "## Numbers", "", "Of each quantity the variant that came nearest to its tolerance.", ""]
    lines += ["| phantom | region | quantity | expected | found | tolerance | why |", "|---" * 7 + "|"]
    for row in record["phantoms"]:
        if "/" in row["phantom"]:
            continue  # header cases: one object under many headers, all in the table above
        lines += [
            f"| {row['phantom']} | {one['region']} | {one['quantity']} | {_cell(one['expected'])} | "
            f"{_cell(one['found'])} | {one['abs_tol']:.2g} | {one['why']} |"
            for one in row["quantities"]
            if one["quantity"] in SHOWN
        ]
    lines += ["", "## Failures", ""]
    lines += [
        f"- {one['phantom']} {one['variant']}: {one['region']} {one['quantity']} {_cell(one['found'])} "
        f"instead of {_cell(one['expected'])} within {one['abs_tol']:.2g}"
        for one in record["failures"]
    ] or ["None."]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _cell(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.7g}"
