"""To compare is to go from the scans of a patient or a cohort to tables of pairs and their statistics."""

from __future__ import annotations

from petquant.compare.cohort import compare, compare_shown
from petquant.compare.inputs import DRAWN, ScanInput, Settings
from petquant.compare.manifest import read_cohort
from petquant.reads.positivity import Rule, rule_of

__all__ = [
    "DRAWN",
    "Rule",
    "ScanInput",
    "Settings",
    "compare",
    "compare_shown",
    "read_cohort",
    "rule_of",
]
