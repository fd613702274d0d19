"""A measurement is what one region gave: its quantities under one SUV type, with their flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petquant.roi import Role

__all__ = ["Measurement", "Number"]

Number = float | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One row: a region and its numbers.

    Parameters
    ----------
    roi_id, roi_name, role, roi_source
        The region, as in `petquant.roi.Roi`.
    suv_type
        ``bw``, ``lbm-janma`` ... of the ``suv_*`` columns; ``none`` when SUV was refused.
    unit
        Unit of the ``suv_*`` columns; of ``activity_*`` it is always Bq/mL.
    values
        Column of `petquant.quantities` to number; None where the quantity is undefined.
    flags
        Codes of the caveats, of the conversion and of the region.
    """

    roi_id: str
    roi_name: str
    role: Role
    roi_source: str
    suv_type: str
    unit: str
    values: Mapping[str, Number]
    flags: tuple[str, ...] = ()
