"""Occupancy: a region that was drawn on another grid, put onto the PET grid; the PET is never resampled."""

from petquant.occupancy.onto import nearest_onto, onto

__all__ = ["nearest_onto", "onto"]
