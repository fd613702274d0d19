"""Knowledge: the tables of petquant as plain values, for ``petquant info`` and the reference pages."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from petquant.flags import CODES
from petquant.nuclides import NUCLIDES
from petquant.overrides import Overrides
from petquant.quantities import QUANTITIES
from petquant.suv.normalisation import NORMALISATIONS
from petquant.tracers import TRACERS
from petquant.version import __version__

__all__ = ["knowledge"]


def knowledge() -> dict[str, Any]:
    """Return quantities, flags, tracers, nuclides, SUV types and overrides."""
    return {
        "petquant_version": __version__,
        "quantities": [asdict(row) for row in QUANTITIES],
        "flags": [
            {
                "code": row.code,
                "severity": str(row.severity),
                "strict": row.strict,
                "meaning": row.meaning,
                "remedy": row.remedy,
            }
            for row in CODES.values()
        ],
        "tracers": [
            {
                "name": row.name,
                "nuclide": row.nuclide,
                "codes": list(row.codes),
                "uptake_window_min": None if row.uptake_window_min is None else list(row.uptake_window_min),
                "source": row.source,
            }
            for row in TRACERS
        ],
        "nuclides": [asdict(row) | {"codes": list(row.codes)} for row in NUCLIDES],
        "suv_types": [
            {
                "name": row.name,
                "aliases": list(row.aliases),
                "dicom_suv_type": row.suv_type,
                "unit": row.unit,
                "ucum": row.ucum,
                "needs_height": row.needs_height,
                "needs_sex": row.needs_sex,
                "source": row.source,
            }
            for row in NORMALISATIONS
        ],
        "overrides": [
            {"option": field.metadata["option"], "meaning": field.metadata["help"]}
            for field in fields(Overrides)
        ],
    }
