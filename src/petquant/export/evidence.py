"""Evidence: every value that made a number, with the attribute or option it came from."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from petquant.acquisition import Clock, Written
from petquant.suv.conversion import SuvConversion

__all__ = ["conversion_record", "isoformat"]


def isoformat(at: datetime | None, clock: Clock = Clock.CALENDAR) -> str | None:
    """Return a date-time as ISO 8601 on the scanner's clock: only so much of it as is known."""
    if at is None or clock is Clock.INTERVALS:
        return None
    return at.isoformat() if clock is Clock.CALENDAR else at.time().isoformat()


def conversion_record(conversion: SuvConversion, suv_type: str | None) -> dict[str, Any]:
    """Return the provenance of a conversion (suv.md section 16).

    Parameters
    ----------
    conversion
        What was decided.
    suv_type
        The type whose factor stands in ``factor``; None when SUV was refused.
    """
    scale = None if suv_type is None else conversion.scale(suv_type)
    factor = None if scale is None else scale.factor
    acquisition, timing = conversion.acquisition, conversion.timing
    verdict = timing.verdict
    started = [frame.acquired_at for frame in conversion.frames if frame.acquired_at is not None]
    return {
        "suv_type": suv_type,
        "unit": None if scale is None else scale.unit,
        "ucum": None if scale is None else scale.ucum,
        "factor": list(factor) if isinstance(factor, tuple) else factor,
        "factors": {
            one.name: list(one.factor) if isinstance(one.factor, tuple) else one.factor
            for one in conversion.scales
        },
        "normaliser": None if scale is None else scale.normaliser,
        "units": conversion.stored.units or None,
        "suv_type_in": None if conversion.stored.suv is None else conversion.stored.suv.suv_type,
        "rule": conversion.rule,
        "decay_correction": conversion.decay_correction,
        "corrected_image": list(acquisition.corrections.value or ()),
        "attenuation": str(acquisition.attenuation),
        "decay_reference_at": isoformat(conversion.decay_reference_at, acquisition.clock),
        "decay_reference_rule": _reference_rule(conversion),
        "injected_at": isoformat(timing.injection.at, acquisition.clock),
        "injected_at_rule": timing.injection.rule or None,
        "earliest_acquisition_at": isoformat(min(started), acquisition.clock) if started else None,
        "decay_interval_s": conversion.decay_interval_s,
        "uptake_time_min": conversion.uptake_time_min,
        "injected_activity_bq": conversion.injected_activity_bq,
        "decayed_activity_bq": conversion.decayed_activity_bq,
        "half_life_s": conversion.half_life.half_life_s,
        "half_life_source": conversion.half_life.source or None,
        "nuclide": conversion.half_life.nuclide or None,
        "nuclide_evidence": [
            {"where": where, "found": words, "nuclide": nuclide}
            for where, words, nuclide in conversion.half_life.evidence
        ],
        "tracer": None if conversion.tracer is None else conversion.tracer.name,
        "weight_kg": conversion.weight_kg,
        "height_m": conversion.height_m,
        "sex": conversion.sex,
        "frame_reference_convention": None if verdict is None else verdict.convention or None,
        "candidates": []
        if verdict is None
        else [
            {
                "id": candidate.id,
                "name": candidate.name,
                "datetime": isoformat(candidate.at, acquisition.clock),
                "valid": candidate.is_valid,
                "effect_percent": _finite(candidate.effect_percent),
                "reason": candidate.reason,
            }
            for candidate in verdict.candidates
        ],
        "overrides": _overrides(conversion),
        "deidentification": dict(acquisition.deidentification),
        "evidence": _evidence(conversion),
    }


def _finite(percent: float | None) -> float | None:
    """Return None for what no float holds: a time that is centuries of half-lives away."""
    return None if percent is None or not math.isfinite(percent) else percent


def _reference_rule(conversion: SuvConversion) -> str | None:
    if conversion.decay_reference_at is None:
        return None
    if conversion.timing.verdict is not None:
        return conversion.timing.verdict.rule
    return "ADMIN: the injection"


def _values(conversion: SuvConversion) -> dict[str, Written[Any]]:
    """Return quantity to what was written about it, in the order of use."""
    acquisition, item = conversion.acquisition, conversion.item
    private = acquisition.private
    return {
        "units": acquisition.units,
        "suv_type": acquisition.suv_type,
        "decay_correction": acquisition.decay_correction,
        "corrected_image": acquisition.corrections,
        "weight_kg": acquisition.weight_kg,
        "height_m": acquisition.height_m,
        "sex": acquisition.sex,
        "injected_activity": item.dose,
        "half_life_s": item.half_life_s,
        "radiopharmaceutical": item.name,
        "nuclide_code": item.nuclide_code,
        "nuclide_meaning": item.nuclide_meaning,
        "injected_at": item.injected_at,
        "injection_clock_time": item.injected_clock,
        "series_at": acquisition.series_at,
        "decay_corrected_to": acquisition.decay_corrected_to,
        "private_decay_corrected_to": private.decay_corrected_to,
        "private_injected_at": private.injected_at,
        "vendor_suv_factor": private.suv_scale_factor,
        "vendor_activity_factor": private.activity_scale_factor,
    }


def _evidence(conversion: SuvConversion) -> list[dict[str, Any]]:
    """Return one entry a value: what it is, what was written, where, and what replaced it."""
    return [
        {
            "quantity": quantity,
            "value": written.text,
            "keyword": written.keyword or None,
            "tag": written.tag or None,
            "why": f"{written.option} in place of {written.replaced or 'nothing'}"
            if written.option
            else "as written",
        }
        for quantity, written in _values(conversion).items()
        if written.text
    ]


def _overrides(conversion: SuvConversion) -> list[dict[str, Any]]:
    """Return one entry an option given: its value, and what it replaced where that is known."""
    replaced = {
        written.option: (written.replaced, written.tag)
        for written in _values(conversion).values()
        if written.option
    }
    acquisition, item = conversion.acquisition, conversion.item
    was = next((one for one in acquisition.radiopharmaceuticals if one.name == item.name), item)
    replaced |= {
        option: (written.text, written.tag)
        for option, written in (
            ("--half-life", was.half_life_s),
            ("--assay-mbq", was.dose),
            ("--injection-datetime", was.injected_at if was.injected_at.text else was.injected_clock),
            ("--injection-time", was.injected_clock if was.injected_clock.text else was.injected_at),
            ("--uptake-min", was.injected_at if was.injected_at.text else was.injected_clock),
        )
        if option not in replaced and written.text and not written.option
    }
    return [
        {
            "option": option,
            "value": value,
            "replaced_value": replaced.get(option, ("", ""))[0] or None,
            "tag": replaced.get(option, ("", ""))[1] or None,
        }
        for option, value in conversion.overrides.given().items()
    ]
