"""An override is a value that the user gives in place of what a file says, or where it says nothing.

Every override takes effect before the value is checked, and stands in the evidence of the output with the
value that it replaced. The options of the command line are made from the fields below; what an option cannot
mean is refused when the overrides are made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, time, timedelta
from numbers import Real
from typing import Any

from petquant.errors import Finding, UsageError
from petquant.instant import ClockTime, Instant
from petquant.tracers import TRACERS, tracer_by_name

__all__ = ["DECAY_REFERENCES", "Overrides", "moment"]

DECAY_REFERENCES = ("series", "acquisition", "private", "backcompute", "decayfactor")
UNITS = ("BQML", "GML", "CM2ML", "CNTS", "CPS", "SUV")
SUV_TYPES = ("BW", "LBM", "LBMJAMES128", "LBMJANMA", "BSA", "IBW")

_CLOCK = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?"
_DATE = r"\d{4}-\d{2}-\d{2}"


def moment(text: str) -> Instant | ClockTime:
    """Return what an option says about time: ``HH:MM[:SS[.F]]`` as a clock time, ISO 8601 as an instant.

    Either may carry its offset from UTC; a date alone is neither.

    Raises
    ------
    ValueError
        When it is neither.
    """
    words = text.strip()
    if re.fullmatch(_CLOCK, words):
        clock = time.fromisoformat(words)
        since = timedelta(
            hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
        )
        return ClockTime(since, clock.utcoffset())
    if not re.fullmatch(f"{_DATE}[T ]{_CLOCK}", words):
        raise ValueError(f"{text!r} is neither HH:MM:SS nor an ISO date-time")
    at = datetime.fromisoformat(words)
    if not 1 < at.year < 9999:  # a day before or after must exist
        raise ValueError(f"{text!r} is no date of a scan")
    return Instant(at.replace(tzinfo=None), at.utcoffset())


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an option may be: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _is_moment(value: Any, *kinds: type) -> bool:
    try:
        return isinstance(value, str) and isinstance(moment(value), kinds)
    except ValueError:
        return False


def _is_half_life(value: Any) -> bool:
    if not isinstance(value, str) or "_" in value:
        return False
    try:
        seconds = float(value)
    except ValueError:
        return value.strip().casefold() == "nuclide"
    return math.isfinite(seconds) and seconds > 0


def _one_of(*words: str) -> _Rule:
    return _Rule(
        f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0],
        lambda value: isinstance(value, str) and value.strip().upper() in {word.upper() for word in words},
    )


_POSITIVE = _Rule("a finite number above 0", lambda value: _is_number(value) and value > 0)
_NOT_NEGATIVE = _Rule("a finite number, 0 or more", lambda value: _is_number(value) and value >= 0)
_WITHIN_A_DAY = _Rule("seconds from -86400 to 86400", lambda value: _is_number(value) and abs(value) <= 86400)
_MINUTES = _Rule("minutes from -60 to 100000", lambda value: _is_number(value) and -60 <= value <= 100_000)
_YES = _Rule("given without a value", lambda value: value is True)
_ORDINAL = _Rule(
    "a whole number from 1",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
)
_CLOCK_TIME = _Rule("a clock time HH:MM:SS", lambda value: _is_moment(value, ClockTime))
_DATE_TIME = _Rule("an ISO date-time such as 2025-01-01T10:00:00", lambda value: _is_moment(value, Instant))
_MOMENT = _Rule("HH:MM:SS or an ISO date-time", lambda value: _is_moment(value, ClockTime, Instant))
_HALF_LIFE = _Rule("a finite number of seconds above 0, or 'nuclide'", _is_half_life)
_REFERENCE = _Rule(
    f"{', '.join(DECAY_REFERENCES)}, HH:MM:SS or an ISO date-time",
    lambda value: value in DECAY_REFERENCES or _is_moment(value, ClockTime, Instant),
)
_TRACER = _Rule(
    f"a tracer that is known: {', '.join(tracer.name for tracer in TRACERS)}",
    lambda value: isinstance(value, str) and tracer_by_name(value) is not None,
)


def _option(name: str, words: str, *aliases: str, rule: _Rule) -> Any:
    return field(default=None, metadata={"option": name, "aliases": aliases, "help": words, "rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user says about a scan; None leaves the file's value.

    Raises
    ------
    UsageError
        OPTION_INVALID for every option that cannot be meant, all at once.
    """

    weight_kg: float | None = _option("--weight-kg", "Body weight in kg.", "--weight", rule=_POSITIVE)
    height_m: float | None = _option("--height-m", "Body height in m.", "--height", rule=_POSITIVE)
    sex: str | None = _option(
        "--sex", "Sex: M, F or O (O: mean of both normalisers).", rule=_one_of("M", "F", "O")
    )
    dose_mbq: float | None = _option(
        "--dose-mbq", "Injected activity in MBq at the time of injection.", rule=_POSITIVE
    )
    assay_mbq: float | None = _option(
        "--assay-mbq", "Activity of the full syringe in MBq at --assay-time.", rule=_POSITIVE
    )
    assay_time: str | None = _option("--assay-time", "HH:MM:SS or ISO date-time of the assay.", rule=_MOMENT)
    residual_mbq: float | None = _option(
        "--residual-mbq", "Activity left in the syringe, MBq, at --residual-time.", rule=_NOT_NEGATIVE
    )
    residual_time: str | None = _option(
        "--residual-time", "HH:MM:SS or ISO date-time of that measurement.", rule=_MOMENT
    )
    injection_datetime: str | None = _option(
        "--injection-datetime", "ISO date-time of the injection.", rule=_DATE_TIME
    )
    injection_time: str | None = _option(
        "--injection-time", "Clock time of the injection, HH:MM:SS.", rule=_CLOCK_TIME
    )
    uptake_min: float | None = _option(
        "--uptake-min",
        "Minutes from injection to the start of the acquisition, or of the frame that is measured.",
        rule=_MINUTES,
    )
    trust_sidecar_times: bool | None = _option(
        "--trust-sidecar-times",
        "Believe a side-car that says injection and static scan began at once.",
        rule=_YES,
    )
    clock_offset_s: float | None = _option(
        "--clock-offset-s",
        "Seconds to add to injection-side times (scanner clock minus dose-calibrator clock).",
        rule=_WITHIN_A_DAY,
    )
    half_life: str | None = _option(
        "--half-life", "Half-life in s, or 'nuclide' for the coded nuclide's.", rule=_HALF_LIFE
    )
    radiopharm_index: int | None = _option(
        "--radiopharm-index", "Which radiopharmaceutical item, from 1.", rule=_ORDINAL
    )
    tracer: str | None = _option(
        "--tracer", "Expected tracer, such as FDG or Pentixafor; another is refused.", rule=_TRACER
    )
    units: str | None = _option(
        "--units",
        "Units of the stored values, where the file has none: BQML, SUV (as GML) ...",
        rule=_one_of(*UNITS),
    )
    units_override: str | None = _option(
        "--units-override", "'cps-dcal': counts/s calibrated to Bq.", rule=_one_of("cps-dcal")
    )
    suv_type: str | None = _option(
        "--suv-type", "SUV type of stored SUV values: BW, LBM, LBMJANMA ...", rule=_one_of(*SUV_TYPES)
    )
    counts_to_bqml: float | None = _option("--counts-to-bqml", "Bq/mL per count.", rule=_POSITIVE)
    decay_correction: str | None = _option(
        "--decay-correction", "START, ADMIN or NONE.", rule=_one_of("START", "ADMIN", "NONE")
    )
    decay_reference: str | None = _option(
        "--decay-reference",
        "Time that voxels are decay-corrected to: series, acquisition, private, backcompute, decayfactor, "
        "HH:MM:SS or an ISO date-time.",
        rule=_REFERENCE,
    )
    frame_duration_s: float | None = _option("--frame-duration", "Frame duration in s.", rule=_POSITIVE)

    def __post_init__(self) -> None:
        problems = [
            _invalid(str(f.metadata["option"]), repr(value), f.metadata["rule"].words)
            for f in fields(self)
            if (value := getattr(self, f.name)) is not None and not f.metadata["rule"].holds(value)
        ]
        problems += self._at_odds()
        if problems:
            raise UsageError.because(*problems)

    def given(self) -> dict[str, Any]:
        """Return option to value of what was given, in the order of the table."""
        return {
            str(f.metadata["option"]): getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) is not None
        }

    def _at_odds(self) -> list[Finding]:
        """Return a finding for options that exclude each other, or that say nothing without another."""
        given = self.given()
        return [
            _invalid(option, f"given with {other}", "one of the two")
            for option, other in (
                ("--assay-mbq", "--dose-mbq"),
                ("--injection-time", "--injection-datetime"),
                ("--uptake-min", "--injection-time"),
                ("--uptake-min", "--injection-datetime"),
                ("--uptake-min", "--clock-offset-s"),
            )
            if option in given and other in given
        ] + [
            _invalid(option, f"given without {other}", "both")
            for option, other in (
                ("--assay-mbq", "--assay-time"),
                ("--assay-time", "--assay-mbq"),
                ("--residual-mbq", "--residual-time"),
                ("--residual-time", "--residual-mbq"),
                ("--residual-mbq", "--assay-mbq"),
            )
            if option in given and other not in given
        ]


def _invalid(option: str, found: str, expected: str) -> Finding:
    return Finding(code="OPTION_INVALID", found=found, expected=expected, keyword=option)
