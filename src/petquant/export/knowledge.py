"""Knowledge: the tables of petquant as plain values, for ``petquant info`` and the reference pages."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from petquant.code import Code
from petquant.flags import CODES
from petquant.nuclides import NUCLIDES
from petquant.overrides import Overrides
from petquant.quantities import QUANTITIES
from petquant.reads.criterion import criteria
from petquant.reads.positivity import rules
from petquant.reads.protocol import Protocol, protocols
from petquant.reads.repeatability import repeatability_table
from petquant.reads.uncertainty import DEFAULTS
from petquant.suv.normalisation import NORMALISATIONS
from petquant.tracers import TRACERS
from petquant.version import __version__

__all__ = ["knowledge"]


def knowledge() -> dict[str, Any]:
    """Return the tables: quantities, flags, tracers, nuclides, SUV types, overrides, and those of reads."""
    return {
        "petquant_version": __version__,
        "quantities": [
            asdict(row) | {"dicom": _named(row.dicom), "derivation": _named(row.derivation)}
            for row in QUANTITIES
        ],
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
                "dicom": _named(row.dicom),
                "method": _named(row.method),
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
        "positivity_rules": [
            asdict(row) | {"rule": row.words, "tracers": list(row.tracers)} for row in rules().values()
        ],
        "criteria": [
            {
                "name": row.name,
                "title": row.title,
                "version": row.version,
                "kind": row.kind,
                "tracers": list(row.tracers),
                "inputs": list(row.inputs),
                "categories": list(row.categories),
                "thresholds": [asdict(one) for one in row.thresholds.values()],
                "citation": row.citation,
                "note": row.note,
                "is_verified": row.is_verified,
            }
            for row in criteria().values()
        ],
        "protocols": [_protocol(row) for row in protocols().values()],
        "repeatability": [
            asdict(row) | {"label": row.label, "change_needed_percent": row.change_needed_percent}
            for row in repeatability_table().values()
        ],
        "uncertainty_defaults": [asdict(row) for row in DEFAULTS.values()],
    }


def _named(code: Code | None) -> str | None:
    """Return a code with its meaning."""
    return None if code is None else f"{code} {code.meaning}"


def _protocol(protocol: Protocol) -> dict[str, Any]:
    """Return a protocol as plain values, its tracers as a list."""
    plain = {field.name: getattr(protocol, field.name) for field in fields(protocol)}
    return plain | {"tracers": [asdict(row) for row in protocol.tracers.values()]}
