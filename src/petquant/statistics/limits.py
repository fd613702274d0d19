"""Limits say by how much two measurements of one thing differ, from the variation within it."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["COVERAGE", "limits_percent"]

COVERAGE: Final = 1.96 * math.sqrt(2.0)  # of the difference of two measurements, in wSD


def limits_percent(within_cv: float) -> tuple[float, float]:
    """Return the change in percent below and above which two measurements differ.

    ``100 (exp(-+1.96 sqrt(2) wCV) - 1)``: 95 % of two measurements of one thing differ less.
    """
    return 100.0 * math.expm1(-COVERAGE * within_cv), 100.0 * math.expm1(COVERAGE * within_cv)
