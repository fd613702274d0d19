"""A background is what ratios divide by: how the user names it, and the region that it becomes."""

from __future__ import annotations

from petquant.background.named import AUTOMATIC, Background, require_backgrounds
from petquant.background.regions import BackgroundRegion, background_region, background_regions, in_band
from petquant.background.text import background_of, region_of

__all__ = [
    "AUTOMATIC",
    "Background",
    "BackgroundRegion",
    "background_of",
    "background_region",
    "background_regions",
    "in_band",
    "region_of",
    "require_backgrounds",
]
