"""What vendors write differently: private attributes with their creators, and how a vendor is recognised.

A private element counts when the creator of its block says so; the block number is free. Without a creator
element, block 10 is believed only when the manufacturer matches, and that is flagged (suv.md section 12).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRIVATE", "PrivateAttribute", "vendor_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateAttribute:
    """One private attribute that petquant understands.

    Parameters
    ----------
    vendor
        As `vendor_of` names it.
    creator
        Private creator of the block.
    group, element
        Group number, and the low byte of the element number.
    vr
        DS, DT, FL, LO or SH.
    name
        Field of `petquant.acquisition.PrivateValues`.
    meaning, source
        What it is and who says so.
    """

    vendor: str
    creator: str
    group: int
    element: int
    vr: str
    name: str
    meaning: str
    source: str


_PYDICOM = "pydicom private dictionary"
_GE = "GEMS_PETD_01"
_PHILIPS = "Philips PET Private Group"

PRIVATE: tuple[PrivateAttribute, ...] = (
    PrivateAttribute(
        vendor="philips",
        creator=_PHILIPS,
        group=0x7053,
        element=0x00,
        vr="DS",
        name="suv_scale_factor",
        meaning="SUV Scale Factor: counts to SUVbw",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="philips",
        creator=_PHILIPS,
        group=0x7053,
        element=0x09,
        vr="DS",
        name="activity_scale_factor",
        meaning="Activity Concentration Scale Factor: counts to Bq/mL",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x0D,
        vr="DT",
        name="decay_corrected_to",
        meaning="PET scan_datetime",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x3B,
        vr="DT",
        name="injected_at",
        meaning="PET admin_datetime",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x38,
        vr="FL",
        name="assayed_activity",
        meaning="PET tracer_activity",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x39,
        vr="DT",
        name="assayed_at",
        meaning="PET meas_datetime",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x3C,
        vr="FL",
        name="residual_activity",
        meaning="PET post_inj_activity",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x3D,
        vr="DT",
        name="residual_at",
        meaning="PET post_inj_datetime",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="ge",
        creator=_GE,
        group=0x0009,
        element=0x3E,
        vr="SH",
        name="nuclide_name",
        meaning="PET radionuclide_name",
        source=_PYDICOM,
    ),
    PrivateAttribute(
        vendor="siemens",
        creator="SIEMENS MED PT",
        group=0x0071,
        element=0x22,
        vr="DT",
        name="decay_corrected_to",
        meaning="Decay Correction DateTime",
        source="dcm4che dictionary",
    ),
)


def vendor_of(manufacturer: str) -> str:
    """Return ``ge``, ``siemens`` or ``philips``, or "" when Manufacturer says none of them.

    GE is the whole word at the start: "IMAGERIE GENERALE" is not GE.
    """
    name = manufacturer.strip().upper()
    if name == "GE" or name.startswith("GE "):
        return "ge"
    if "SIEMENS" in name or "CTI" in name or name.startswith("CPS"):
        return "siemens"
    if "PHILIPS" in name:
        return "philips"
    return ""
