"""A side-car is the JSON beside a NIfTI image that says what its header cannot: BIDS-PET or dcm2niix."""

from __future__ import annotations

from petquant.sidecar.content import Sidecar, read_sidecar
from petquant.sidecar.pairs import companions, participants_beside, sidecar_beside
from petquant.sidecar.reading import ImageFacts, read_acquisition

__all__ = [
    "ImageFacts",
    "Sidecar",
    "companions",
    "participants_beside",
    "read_acquisition",
    "read_sidecar",
    "sidecar_beside",
]
