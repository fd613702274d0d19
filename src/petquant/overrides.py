"""An override is a value that the user gives in place of what a file says, or where it says nothing.

Every override takes effect before the value is checked, and stands in the evidence of the output with the
value that it replaced. The options of the command line are made from the fields below.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Overrides"]


def _option(name: str, words: str, *aliases: str) -> Any:
    return field(default=None, metadata={"option": name, "aliases": aliases, "help": words})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user says about a scan; None leaves the file's value."""

    weight_kg: float | None = _option("--weight-kg", "Body weight in kg.", "--weight")
    height_m: float | None = _option("--height-m", "Body height in m.", "--height")
    sex: str | None = _option("--sex", "Sex: M, F or O (O: mean of both normalisers).")
    dose_mbq: float | None = _option("--dose-mbq", "Injected activity in MBq at the time of injection.")
    assay_mbq: float | None = _option("--assay-mbq", "Activity of the full syringe in MBq at --assay-time.")
    assay_time: str | None = _option("--assay-time", "HH:MM:SS or ISO date-time of the assay.")
    residual_mbq: float | None = _option(
        "--residual-mbq", "Activity left in the syringe, MBq, at --residual-time."
    )
    residual_time: str | None = _option("--residual-time", "HH:MM:SS or ISO date-time of that measurement.")
    injection_datetime: str | None = _option("--injection-datetime", "ISO date-time of the injection.")
    injection_time: str | None = _option("--injection-time", "Clock time of the injection, HH:MM:SS.")
    clock_offset_s: float | None = _option(
        "--clock-offset-s",
        "Seconds to add to injection-side times (scanner clock minus dose-calibrator clock).",
    )
    half_life: str | None = _option("--half-life", "Half-life in s, or 'nuclide' for the coded nuclide's.")
    radiopharm_index: int | None = _option("--radiopharm-index", "Which radiopharmaceutical item, from 1.")
    tracer: str | None = _option(
        "--tracer", "Expected tracer, such as FDG or Pentixafor; another is refused."
    )
    units: str | None = _option("--units", "Units of the stored values, where the header has none: BQML ...")
    units_override: str | None = _option("--units-override", "'cps-dcal': counts/s calibrated to Bq.")
    suv_type: str | None = _option("--suv-type", "SUV type of stored SUV values: BW, LBM, LBMJANMA ...")
    counts_to_bqml: float | None = _option("--counts-to-bqml", "Bq/mL per count.")
    decay_correction: str | None = _option("--decay-correction", "START, ADMIN or NONE.")
    decay_reference: str | None = _option(
        "--decay-reference",
        "Time that voxels are decay-corrected to: series, acquisition, private, backcompute, decayfactor, "
        "HH:MM:SS or an ISO date-time.",
    )
    frame_duration_s: float | None = _option("--frame-duration", "Frame duration in s.")

    def given(self) -> dict[str, Any]:
        """Return option to value of what was given, in the order of the table."""
        return {
            str(f.metadata["option"]): getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) is not None
        }
