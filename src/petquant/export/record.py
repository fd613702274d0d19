"""The record of a quantification: the JSON that machines read, and the rows of its table."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from petquant.errors import Finding
from petquant.export.evidence import conversion_record
from petquant.export.identity import IDENTIFIERS, hashed_uids, identifiers, study_key
from petquant.export.placement import placement_record
from petquant.export.withheld import Withheld
from petquant.flags import CODES, Severity
from petquant.measurement import Measurement
from petquant.quantification import Quantification
from petquant.quantities import QUANTITIES
from petquant.study import PetStudy
from petquant.study.source import Source
from petquant.version import __version__

__all__ = [
    "NOTICE",
    "SCHEMA_VERSION",
    "Privacy",
    "as_json",
    "codes_of",
    "flag_codes",
    "record_of",
    "rows_of",
    "rows_of_record",
    "series_record",
]

SCHEMA_VERSION = 1
NOTICE = "research use only"
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """How much an output says about whose study it is.

    Parameters
    ----------
    with_identifiers
        Name, id, birth date and study date of the patient.
    has_hashed_uids
        UIDs are replaced by 16 hex digits of their SHA-256.
    has_roi_names
        Whether region names stand as the user gave them; otherwise their number in the file.
    key
        Secret of the pseudonym.
    """

    with_identifiers: bool = False
    has_hashed_uids: bool = False
    has_roi_names: bool = True
    key: bytes | None = None


def record_of(quantification: Quantification, privacy: Privacy) -> dict[str, Any]:
    """Return everything about a quantification as plain values, in a fixed order."""
    study, source = quantification.study, quantification.study.source
    suv_type = quantification.suv_types[0] if quantification.suv_types else None
    record = {
        "schema_version": SCHEMA_VERSION,
        "petquant_version": __version__,
        "notice": NOTICE,
        "study": _study_record(source, privacy),
        "series": series_record(study, source),
        "conversion": conversion_record(study.conversion, suv_type)
        | {
            "activity_balance": quantification.activity_balance,
            "flags": flag_codes(quantification.findings),
            "codes": codes_of(quantification.findings, Withheld.of(source)),
        },
        "inputs": _inputs(source, quantification.manifest_sha256),
        "references": [
            {
                "name": reference.name,
                "roi_source": reference.source,
                "unit": reference.unit,
                **reference.values,
                "homogeneity_qc": reference.homogeneity_qc,
                "psf_fwhm_mm": quantification.psf_fwhm_mm,
                "placement": placement_record(quantification.placements.get(reference.name)),
                "flags": list(reference.flags),
                "reason": reference.reason or None,
            }
            for reference in quantification.references
        ],
        "measurements": [
            _measurement_record(row, privacy, place)
            for row, place in _with_places(quantification.measurements)
        ],
        "summary": dict(quantification.summary),
        "definitions": _definitions(),
    }
    return _private(record, source, privacy)


def _definitions() -> dict[str, dict[str, dict[str, str]]]:
    """Return the definition and unit of every column, by what it is a property of."""
    by_scope: dict[str, dict[str, dict[str, str]]] = {}
    for row in QUANTITIES:
        by_scope.setdefault(str(row.scope), {})[row.column] = {"definition": row.definition, "unit": row.unit}
    return by_scope


def _private(record: dict[str, Any], source: Source, privacy: Privacy) -> dict[str, Any]:
    if not privacy.has_hashed_uids:
        return record
    hashed: dict[str, Any] = hashed_uids(record, set(source.uids) - {""})
    return hashed


def _study_record(source: Source, privacy: Privacy) -> dict[str, Any]:
    record = {
        "key": study_key(source, key=privacy.key),
        "study_uid": source.study_uid or None,
        "n_series": source.n_series,
        "strays": dict(source.strays),
    }
    return record | identifiers(source) if privacy.with_identifiers else record


def series_record(study: PetStudy, source: Source) -> dict[str, Any]:
    """Return what series was taken, how it lies, and why the others were not."""
    grid = source.grid
    return {
        "series_uid": source.uid or None,
        "frame_of_reference_uid": source.frame_of_reference_uid or None,
        "modality": source.modality,
        "manufacturer": source.manufacturer or None,
        "model": source.model or None,
        "reconstruction": study.acquisition.reconstruction or None,
        "n_slices": source.n_slices,
        "shape_kji": None if grid is None else list(grid.shape),
        "spacing_mm_kji": None if grid is None else list(grid.spacing_mm),
        "origin_mm_lps": None if grid is None else list(grid.origin_mm),
        "voxel_volume_ml": None if grid is None else grid.voxel_volume_ml,
        "has_even_slices": None if grid is None else grid.slice_positions_mm is None,
        "n_distinct_slopes": source.n_distinct_slopes,
        "set_aside": [
            {
                "series_uid": other.uid,
                "modality": other.modality,
                "n_files": other.n_files,
                "reason": Withheld().from_words(other.reason),
            }
            for other in source.set_aside
        ],
    }


def _inputs(source: Source, manifest_sha256: str) -> dict[str, Any]:
    """Return what ties the numbers to their files."""
    return {
        "n_files": source.n_files,
        "instances_sha256": source.digest,
        "manifest_sha256": manifest_sha256 or None,
    }


def _with_places(rows: Iterable[Measurement]) -> Iterator[tuple[Measurement, int]]:
    """Yield every row with the place of its region among those of its SUV type, from 1."""
    places: Counter[str] = Counter()
    for row in rows:
        places[row.suv_type] += 1
        yield row, places[row.suv_type]


def _measurement_record(row: Measurement, privacy: Privacy, place: int) -> dict[str, Any]:
    """Return a row; without names, a region whose id is one (the stem of a mask) is known by its place."""
    is_number = row.roi_id.isdecimal() and row.roi_id == str(int(row.roi_id))
    known_as = int(row.roi_id) if is_number else row.roi_id if privacy.has_roi_names else place
    return {
        "roi_id": known_as,
        "roi_name": row.roi_name if privacy.has_roi_names else str(known_as),
        "role": str(row.role),
        "roi_source": row.roi_source,
        "suv_type": row.suv_type,
        "unit": row.unit,
        **row.values,
        "flags": list(row.flags),
    }


def flag_codes(findings: Iterable[Finding]) -> list[str]:
    """Return the codes of flags and informations, each once, in the order of their coming."""
    kept = (f.code for f in findings if CODES[f.code].severity in {Severity.FLAG, Severity.INFO})
    return list(dict.fromkeys(kept))


def codes_of(findings: Iterable[Finding], withheld: Withheld) -> list[dict[str, Any]]:
    """Return the findings with all their words, except what is withheld."""
    return [
        {
            "code": finding.code,
            "severity": str(CODES[finding.code].severity),
            "keyword": finding.keyword or None,
            "tag": finding.tag or None,
            "found": withheld.from_words(finding.found, finding.path),
            "expected": withheld.from_words(finding.expected, finding.path) or None,
            "remedy": finding.remedy or None,
            "quantities": list(finding.quantities),
        }
        for finding in findings
    ]


def rows_of(quantification: Quantification, privacy: Privacy) -> list[dict[str, Any]]:
    """Return one flat row a region and SUV type: who, what, how it was converted, and the numbers."""
    return rows_of_record(record_of(quantification, privacy))


def rows_of_record(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a record of `record_of`, also of one that was read from its JSON."""
    conversion = record["conversion"]
    head = {
        "study_key": record["study"]["key"],
        **{key: record["study"][key] for key in IDENTIFIERS if key in record["study"]},
        "series_uid": record["series"]["series_uid"],
        "tracer": conversion["tracer"],
        "radionuclide": conversion["nuclide"],
    }
    tail = {
        "injected_activity_bq": conversion["injected_activity_bq"],
        "decay_corrected_activity_bq": conversion["decayed_activity_bq"],
        "uptake_time_min": conversion["uptake_time_min"],
        "half_life_s": conversion["half_life_s"],
        "weight_kg": conversion["weight_kg"],
        "height_m": conversion["height_m"],
        "decay_reference": conversion["decay_reference_at"],
        "suv_rule": conversion["rule"],
        "petquant_version": record["petquant_version"],
        "notice": record["notice"],
    }
    rows = []
    for measurement in record["measurements"]:
        numbers = dict(measurement)
        flags = " ".join(numbers.pop("flags"))
        factor = conversion["factors"].get(numbers["suv_type"])
        text = json.dumps(factor) if isinstance(factor, list) else factor
        rows.append({**head, **numbers, **tail, "suv_factor": text, "flags": flags})
    return rows


def as_json(record: Any, *, indent: int | None = 2) -> bytes:
    """Return a record as UTF-8 JSON; numbers in full precision, never NaN.

    Characters that move a cursor or turn the direction of writing stand as the escapes of JSON.
    """
    text = json.dumps(record, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8")
