"""A dialect is what one vendor writes differently into a PET header; the image behind it stays the same.

The table follows published headers: Siemens and GE write the decay reference again as a private datetime, GE
counts FrameReferenceTime to the start of the frame, Philips writes a FrameReferenceTime that does not fit its
clock and, with counts, the factors that turn them into SUV or Bq/mL. United Imaging, Canon and Mediso: names
only, their private tags are not known to us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FrameReference = Literal["average_count", "frame_start"]
PrivateContent = Literal["decay_reference", "injection", "suv_factor", "activity_factor"]
SlopeMode = Literal["per_slice", "global"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateElement:
    """One private element: its group, its place in the block, its VR and what it tells."""

    group: int
    creator: str
    place: int
    vr: str
    content: PrivateContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one vendor writes.

    Attributes
    ----------
    frame_reference
        Whether FrameReferenceTime points to the average-count time or to the start of the frame.
    frame_reference_excess_s
        Seconds by which FrameReferenceTime is larger than the truth.
    acquisition_lag_s
        Seconds by which the acquisition starts after the time that the beds of the header name.
    computes_decay_factor
        Whether DecayFactor is the factor applied; otherwise it is 1 and says nothing.
    fractional_seconds
        Whether times carry six decimals although they are whole.
    slope
        Whether slices are scaled each to their own maximum or all to that of the volume.
    units
        The units of this vendor's files unless others are asked for.
    """

    name: str
    manufacturer: str
    model: str
    frame_reference: FrameReference = "average_count"
    frame_reference_excess_s: float = 0.0
    acquisition_lag_s: float = 0.0
    computes_decay_factor: bool = True
    fractional_seconds: bool = False
    slope: SlopeMode = "per_slice"
    units: str = "BQML"
    private: tuple[PrivateElement, ...] = ()


_PHILIPS_FACTORS = (
    PrivateElement(
        group=0x7053, creator="Philips PET Private Group", place=0x00, vr="DS", content="suv_factor"
    ),
    PrivateElement(
        group=0x7053, creator="Philips PET Private Group", place=0x09, vr="DS", content="activity_factor"
    ),
)

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(name="generic", manufacturer="Synthetic", model="Closed form", slope="global"),
        Dialect(
            name="siemens",
            manufacturer="SIEMENS",
            model="Biograph128_mCT",
            fractional_seconds=True,
            private=(
                PrivateElement(
                    group=0x0071, creator="SIEMENS MED PT", place=0x22, vr="DT", content="decay_reference"
                ),
            ),
        ),
        Dialect(
            name="ge",
            manufacturer="GE MEDICAL SYSTEMS",
            model="Discovery MI",
            frame_reference="frame_start",
            private=(
                PrivateElement(
                    group=0x0009, creator="GEMS_PETD_01", place=0x0D, vr="DT", content="decay_reference"
                ),
                PrivateElement(
                    group=0x0009, creator="GEMS_PETD_01", place=0x3B, vr="DT", content="injection"
                ),
            ),
        ),
        # Both as in the published Philips header: SeriesTime one second before AcquisitionTime, and a
        # FrameReferenceTime of 1328.7 s for a frame of 120.7 s that began one second after the reference.
        Dialect(
            name="philips",
            manufacturer="Philips Medical Systems",
            model="GEMINI TF TOF 16",
            frame_reference_excess_s=1267.4,
            acquisition_lag_s=1.0,
            computes_decay_factor=False,
            slope="global",
            private=_PHILIPS_FACTORS,
        ),
        Dialect(
            name="philips_cnts",
            manufacturer="Philips Medical Systems",
            model="GEMINI TF TOF 16",
            computes_decay_factor=False,
            slope="global",
            units="CNTS",
            private=_PHILIPS_FACTORS,
        ),
        Dialect(name="uih", manufacturer="UIH", model="uMI 780"),
        Dialect(name="canon", manufacturer="CANON_MEC", model="Celesteion PCA-9000A"),
        Dialect(name="mediso", manufacturer="Mediso", model="AnyScan"),
    )
}
