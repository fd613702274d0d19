"""Delineation makes regions: shapes in patient coordinates, thresholds, connected components.

Nothing here measures; what a region came from stands in its `source`, and from there in every output.
"""

from __future__ import annotations

from petquant.delineation.components import components, connected_to
from petquant.delineation.delineate import Delineated, delineate
from petquant.delineation.methods import METHODS, Delineation, Level, require_meant
from petquant.delineation.shapes import Box, Cylinder, Shape, Sphere, drawn, require_real

__all__ = [
    "METHODS",
    "Box",
    "Cylinder",
    "Delineated",
    "Delineation",
    "Level",
    "Shape",
    "Sphere",
    "components",
    "connected_to",
    "delineate",
    "drawn",
    "require_meant",
    "require_real",
]
