"""A side-car: what a NIfTI volume cannot say itself, in BIDS-PET keys where they exist."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from petquant.acquisition import Clock
from petquant.export.evidence import conversion_record
from petquant.export.record import NOTICE, flag_codes, series_record
from petquant.study import PetStudy
from petquant.version import __version__

__all__ = ["sidecar_record"]


def sidecar_record(study: PetStudy, suv_type: str) -> dict[str, Any]:
    """Return the side-car of an SUV volume.

    Times are relative to TimeZero, the earliest start of acquisition, as BIDS-PET has it; the whole evidence
    stands under ``petquant``.
    """
    conversion = study.conversion
    scale = conversion.scale(suv_type)
    started = [frame.acquired_at for frame in conversion.frames if frame.acquired_at is not None]
    zero = min(started) if started else None
    has_clock = study.acquisition.clock is not Clock.INTERVALS
    durations = [frame.duration_s for frame in conversion.frames if frame.duration_s is not None]
    dose = conversion.injected_activity_bq
    return {
        "Units": None if scale is None else scale.ucum,
        "SUVType": suv_type,
        "Modality": "PT",
        "Manufacturer": study.acquisition.manufacturer or None,
        "TracerName": None if conversion.tracer is None else conversion.tracer.name,
        "TracerRadionuclide": conversion.half_life.nuclide or None,
        "RadionuclideHalfLife": conversion.half_life.half_life_s,
        "InjectedRadioactivity": None if dose is None else dose / 1e6,
        "InjectedRadioactivityUnits": "MBq",
        "PatientWeight": conversion.weight_kg,
        "PatientSize": conversion.height_m,
        "PatientSex": conversion.sex,
        "TimeZero": zero.time().isoformat() if zero is not None and has_clock else None,
        "ScanStart": 0,
        "InjectionStart": _after(zero, conversion.timing.injection.at),
        "FrameTimesStart": [0],
        "FrameDuration": [max(durations)] if durations else None,
        "ImageDecayCorrected": True,  # an SUV is: the decay up to the reference stands in its factor
        "ImageDecayCorrectionTime": _after(
            zero, conversion.decay_reference_at or conversion.timing.injection.at
        ),
        "ReconMethodName": study.acquisition.reconstruction or None,
        "petquant": {
            "petquant_version": __version__,
            "notice": NOTICE,
            "series": series_record(study, study.source),
            "conversion": conversion_record(conversion, suv_type)
            | {"flags": flag_codes((*study.findings, *conversion.findings))},
            "slice_positions_mm": None
            if study.grid.slice_positions_mm is None
            else study.grid.slice_positions_mm.tolist(),
        },
    }


def _after(zero: datetime | None, at: datetime | None) -> float | None:
    return None if zero is None or at is None else (at - zero).total_seconds()
