"""What is measured in regions: intensity, peak, burden and ratios, of all regions in one pass."""

from __future__ import annotations

from petquant.metrics.burden import Burden, burden
from petquant.metrics.left_right import left_right_findings
from petquant.metrics.measure import measure, slices_needed, window_needed, without_volumes
from petquant.metrics.tbr import Reference, ratios, references

__all__ = [
    "Burden",
    "Reference",
    "burden",
    "left_right_findings",
    "measure",
    "ratios",
    "references",
    "slices_needed",
    "window_needed",
    "without_volumes",
]
