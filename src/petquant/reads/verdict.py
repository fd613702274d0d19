"""A verdict on one rule is PASS, FAIL or UNKNOWN; what was not found is never a PASS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Check", "Verdict", "checked", "exceeds", "known"]

ROUNDING: Final = 1e-12  # relative: what the last digits of a quotient of decimals may be off by, with room


class Verdict(StrEnum):
    """What became of one rule."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule, held against what was found.

    Parameters
    ----------
    rule
        Stable name, ``uptake_window``.
    verdict
        PASS, FAIL or UNKNOWN.
    found, expected
        What was found (``missing`` when nothing was) and what the rule asks for, with units.
    why
        What the verdict rests on, where that is not plain.
    """

    rule: str
    verdict: Verdict
    found: str
    expected: str
    why: str = ""


def checked(rule: str, *, holds: bool | None, found: str, expected: str, why: str = "") -> Check:
    """Return the check of a rule that holds, does not hold, or of which that is not known (None)."""
    verdict = Verdict.UNKNOWN if holds is None else Verdict.PASS if holds else Verdict.FAIL
    return Check(rule=rule, verdict=verdict, found=found, expected=expected, why=why)


def exceeds(value: float, limit: float) -> bool:
    """Return whether `value` is greater than `limit`; what differs by rounding alone is equal.

    ``4.2 / 1.4`` is not above 3, though its float is.
    """
    return value > limit and not math.isclose(value, limit, rel_tol=ROUNDING, abs_tol=0.0)


def known(value: float | None) -> float | None:
    """Return a number that can be judged, else None: what is not a number is not known."""
    return None if value is None or math.isnan(value) else value
