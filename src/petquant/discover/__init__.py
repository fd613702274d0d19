"""To discover is to say of a tree which PET studies lie in it, and what can be computed of each."""

from __future__ import annotations

from petquant.discover.judging import Discovered, DiscoveredSeries, discover
from petquant.discover.record import discovered_record, discovered_rows
from petquant.discover.tree import FoundStudy, Tree, look_through

__all__ = [
    "Discovered",
    "DiscoveredSeries",
    "FoundStudy",
    "Tree",
    "discover",
    "discovered_record",
    "discovered_rows",
    "look_through",
]
