"""Where a reference region was put, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from petquant.delineation.reference import Placement  # needs scipy, and few ask for it

__all__ = ["placement_record"]


def placement_record(placement: Placement | None) -> dict[str, Any] | None:
    """Return the place of a region, its quality and why it is there; None of a region that was given."""
    if placement is None:
        return None
    from petquant.delineation.shapes import Cylinder  # noqa: PLC0415 - loaded where a place was found

    shape = placement.shape
    cylinder = shape if isinstance(shape, Cylinder) else None
    return {
        "shape": "cylinder" if cylinder else "sphere",
        "centre_mm_lps": list(shape.centre_mm),
        "radius_mm": shape.radius_mm,
        "length_mm": None if cylinder is None else cylinder.length_mm,
        "axis": None if cylinder is None else list(cylinder.axis),
        "edge_mm": placement.edge_mm,
        "organ_ml": placement.organ_ml,
        "contrast": placement.contrast,
        "hu": placement.hu,
        "why": placement.why,
    }
