"""A protocol says how scans of a study are to be made and of whom: windows, rules, regions, as a data file.

Presets carry the identifier of a trial as provenance alone; the text of a trial is never a rule here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from petquant.errors import UnreadableInput, UsageError
from petquant.paths import existing
from petquant.reads.positivity import rule_of
from petquant.reads.shipped import Table, finite, shipped, table_of
from petquant.tracers import tracer_by_name

__all__ = ["Protocol", "TracerProtocol", "protocol_at", "protocol_from", "protocol_of", "protocols"]

# What no protocol of any body asks for: a number outside is in another unit, such as Bq, s or mmol/L.
PLAUSIBLE: Final[Mapping[str, tuple[float, float, str]]] = MappingProxyType(
    {
        "activity_target_mbq": (0.01, 10_000.0, "MBq"),
        "activity_accepted_mbq": (0.01, 10_000.0, "MBq"),
        "uptake_window_min": (0.0, 1_440.0, "min"),
        "time_points_min": (0.0, 1_440.0, "min"),
        "uptake_difference_max_min": (0.0, 1_440.0, "min"),
        "glucose_max_mg_dl": (40.0, 1_000.0, "mg/dL"),
        "fasting_min_h": (0.0, 72.0, "h"),
        "egfr_min": (1.0, 200.0, "mL/min/1.73 m2"),
        "coverage_min_mm": (5.0, 3_000.0, "mm"),
        "age_min_years": (0.0, 130.0, "years"),
        "therapy_free_days": (0.0, 3_650.0, "days"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracerProtocol:
    """What a protocol asks of the scans of one tracer; None is no rule.

    Parameters
    ----------
    tracer
        Name in `petquant.tracers`.
    activity_target_mbq, activity_accepted_mbq
        Ranges, ends included: what is aimed at, and what is accepted.
    uptake_window_min
        Ends included; that of `petquant.tracers` unless the file has its own.
    window_source
        Where the window stands.
    glucose_max_mg_dl, fasting_min_h, egfr_min
        Limits that are themselves accepted.
    positivity
        Rule of `petquant.reads.positivity`.
    """

    tracer: str
    activity_target_mbq: tuple[float, float] | None
    activity_accepted_mbq: tuple[float, float] | None
    uptake_window_min: tuple[float, float] | None
    window_source: str
    glucose_max_mg_dl: float | None
    fasting_min_h: float | None
    egfr_min: float | None
    positivity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol; a limit of None is no rule.

    Parameters
    ----------
    name, title, version
        Name in petquant, name for a reader, version of the file.
    provenance
        Identifiers of trials or papers.
    citation, assumptions, is_verified
        Where the figures come from, which of them petquant chose, and whether all were seen at the source.
    references, regions
        Names of the reference regions, and of the regions that lesions are sorted into.
    time_points_min
        Planned times after injection that tell the scans of one patient apart.
    ct_before_pet, coverage_min_mm, reconstruction_expected, reconstruction_other
        Of the acquisition; words in ReconstructionMethod that are expected, and that are something else.
    age_min_years, pregnancy_excluded, therapy_free_days, measurable_disease_needed
        Of the patient.
    uptake_difference_max_min
        Two scans of one tracer differ by less than this.
    tracers
        By name.
    """

    name: str
    title: str
    version: str
    provenance: tuple[str, ...]
    citation: str
    assumptions: tuple[str, ...]
    is_verified: bool
    references: tuple[str, ...]
    regions: tuple[str, ...]
    time_points_min: tuple[float, ...]
    ct_before_pet: bool
    coverage_min_mm: float | None
    reconstruction_expected: tuple[str, ...]
    reconstruction_other: tuple[str, ...]
    age_min_years: float | None
    pregnancy_excluded: bool
    therapy_free_days: float | None
    measurable_disease_needed: bool
    uptake_difference_max_min: float | None
    tracers: Mapping[str, TracerProtocol]


@lru_cache(maxsize=1)
def protocols() -> Mapping[str, Protocol]:
    """Return the shipped protocols by name."""
    return {name: _protocol(_whole(table)) for name, table in shipped("protocols").items()}


def protocol_of(name: str) -> Protocol:
    """Return the shipped protocol of that name.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    if name not in protocols():
        raise UsageError.of(
            "OPTION_INVALID",
            f"no protocol {name!r}",
            expected=f"one of {', '.join(protocols())}, or a file whose name ends with .toml",
        )
    return protocols()[name]


def protocol_at(path: Path | str) -> Protocol:
    """Return the protocol of a TOML file, see `protocol_from`.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID with every key that is wrong; FILE_UNREADABLE.
    UsageError
        PATH_NOT_FOUND.
    """
    path = existing(Path(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            str(error),
            expected="a TOML file in UTF-8",
            path=str(path),
        ) from error
    return protocol_from(text, where=str(path))


def protocol_from(text: str, *, where: str = "protocol.toml") -> Protocol:
    """Return the protocol of a TOML text; with ``extends`` it takes over what it does not say itself.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, one finding for every key that is missing, unknown, of another kind or unit.
    """
    return _protocol(_whole(table_of(text, where=where)))


def _whole(table: Table) -> Table:
    """Return a table with what it takes over from the shipped protocol that it extends."""
    name = table.values.get("extends")
    if name is None:
        return table
    shipped_tables = shipped("protocols")
    if not isinstance(name, str) or name not in shipped_tables:
        raise table.invalid("extends", f"one of {', '.join(shipped_tables)}", found="is no protocol")
    values = {key: value for key, value in table.values.items() if key != "extends"}
    return Table(_merged(_whole(shipped_tables[name]).values, values), table.where, lines=table.lines)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _protocol(table: Table) -> Protocol:
    found = Protocol(
        name=table.text("name"),
        title=table.text("title"),
        version=table.text("version"),
        provenance=table.texts("provenance"),
        citation=table.text("citation"),
        assumptions=table.texts("assumptions", ()),
        is_verified=table.flag("verified"),
        references=table.texts("references"),
        regions=table.texts("regions", ()),
        time_points_min=table.numbers("time_points_min", ()),
        ct_before_pet=table.flag("ct_before_pet", default=False),
        coverage_min_mm=table.maybe_number("coverage_min_mm"),
        reconstruction_expected=table.texts("reconstruction_expected", ()),
        reconstruction_other=table.texts("reconstruction_other", ()),
        age_min_years=table.maybe_number("age_min_years"),
        pregnancy_excluded=table.flag("pregnancy_excluded", default=False),
        therapy_free_days=table.maybe_number("therapy_free_days"),
        measurable_disease_needed=table.flag("measurable_disease_needed", default=False),
        uptake_difference_max_min=table.maybe_number("uptake_difference_max_min"),
        tracers=_tracers(table),
    )
    _require_plausible(table)
    table.done()
    return found


def _require_plausible(table: Table) -> None:
    """Note every number that is none in the unit of its key; what is no number was noted before."""
    for key, (low, high, unit) in PLAUSIBLE.items():
        value: Any = table.values.get(key)
        numbers = value if isinstance(value, list) else [value]
        odd = [one for one in map(finite, numbers) if one is not None and not low <= one <= high]
        if odd:
            table.wrong(key, f"{low:g} to {high:g}, in {unit}", found=f"is {odd[0]:g}, no value in {unit}")


def _tracers(table: Table) -> dict[str, TracerProtocol]:
    references = table.texts("references")
    found: dict[str, TracerProtocol] = {}
    for name, one in table.tables("tracers").items():
        known = tracer_by_name(name)
        if known is None or known.name != name:
            table.wrong(f"tracers.{name}", "a name in the table of tracers", found="is no tracer")
            continue
        own = one.maybe_range("uptake_window_min")
        rule = one.text("positivity")
        found[name] = TracerProtocol(
            tracer=name,
            activity_target_mbq=one.maybe_range("activity_target_mbq"),
            activity_accepted_mbq=one.maybe_range("activity_accepted_mbq"),
            uptake_window_min=own or known.uptake_window_min,
            window_source=Path(table.where).name if own else known.source,
            glucose_max_mg_dl=one.maybe_number("glucose_max_mg_dl"),
            fasting_min_h=one.maybe_number("fasting_min_h"),
            egfr_min=one.maybe_number("egfr_min"),
            positivity=rule,
        )
        _require_plausible(one)
        one.done()
        _require_rule(one, rule, references)
    return found


def _require_rule(table: Table, rule: str, references: tuple[str, ...]) -> None:
    """Note a rule that is none, or whose reference the protocol does not have."""
    if not rule:  # it is missing, and was noted
        return
    try:
        reference = rule_of(rule).reference
    except UsageError:
        table.wrong(
            "positivity", "'>liver', '>1.5*blood_pool' or a shipped rule", found=f"is no rule: {rule!r}"
        )
        return
    if reference not in references:
        table.wrong("positivity", f"one of {', '.join(references)}", found=f"needs {reference}")
