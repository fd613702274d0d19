"""To validate is to hold measured numbers against the truth of a phantom, each with its own tolerance.

The truth is the content of a ``truth.json``: what must be found, how close, and why so close. Whose numbers
they are does not matter here: petquant's own, or those of another tool in a table.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from petquant.errors import PetquantError, UnreadableInput
from petquant.quantities import QUANTITIES

__all__ = ["Check", "Measured", "judge", "measured_of_record", "measured_of_table", "refused"]

FACTOR_RELATIVE: Final = 1e-9  # attributes are decimal text of at most 16 characters
SECONDS: Final = 1e-3  # times are written to the microsecond, FrameReferenceTime to the millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number, code or flag of one phantom, and what was found in its place.

    Parameters
    ----------
    phantom, variant
        The definition, and in which dialect it was written; empty for its own.
    region
        Name of the region; empty for what belongs to the study.
    quantity
        Column of `petquant.quantities`, ``exit_code``, ``code``, ``flag``, ``factor`` or
        ``decay_interval_s``.
    expected, found
        Numbers, or words for codes; found is None when nothing was given.
    abs_tol, why
        How far they may be apart, and the reason for just that.
    """

    phantom: str
    variant: str
    region: str
    quantity: str
    expected: float | str
    found: float | str | None
    abs_tol: float = 0.0
    why: str = ""

    @property
    def error(self) -> float | None:
        """Found minus expected; None unless both are numbers."""
        if isinstance(self.found, str) or isinstance(self.expected, str) or self.found is None:
            return None
        return self.found - self.expected

    @property
    def is_passed(self) -> bool:
        """Whether what was found is what is expected, within the tolerance."""
        if self.error is None:
            return self.found == self.expected
        return math.isfinite(self.error) and abs(self.error) <= self.abs_tol

    @property
    def share(self) -> float | None:
        """Size of the error as a share of what is allowed; None where nothing is allowed or found."""
        return None if self.error is None or not self.abs_tol else abs(self.error) / self.abs_tol


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a tool made of one phantom.

    Parameters
    ----------
    regions
        Of every region its numbers by column.
    study
        Numbers of the study by column.
    flags
        Codes of every region, with those of the study under the empty name.
    conversion
        ``factor`` and ``decay_interval_s`` where the tool tells them.
    exit_code, codes
        How it ended, and why.
    """

    regions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    conversion: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    codes: tuple[str, ...] = ()


def refused(error: PetquantError) -> Measured:
    """Return what a refusal is: its exit code and all its codes."""
    return Measured(exit_code=error.exit_code, codes=tuple(finding.code for finding in error.findings))


def measured_of_record(record: Mapping[str, Any], *, names: Mapping[str, str] | None = None) -> Measured:
    """Return the numbers of a record as `petquant suv --format json` writes it.

    Parameters
    ----------
    names
        Names of regions by their number, for regions whose file has no names.
    """
    by_number = names or {}
    regions: dict[str, Mapping[str, Any]] = {}
    flags: dict[str, Sequence[str]] = {"": record["conversion"]["flags"]}
    for row in record["measurements"]:
        is_unnamed = row["roi_name"] == f"label {row['roi_id']}"
        name = by_number.get(str(row["roi_id"]), row["roi_name"]) if is_unnamed else row["roi_name"]
        regions.setdefault(name, row)
        flags.setdefault(name, row["flags"])
    for reference in record["references"]:
        regions[reference["name"]] = _as_region(reference)
        flags[reference["name"]] = reference["flags"]
    conversion = {
        "factor": record["conversion"]["factor"],
        "decay_interval_s": record["conversion"]["decay_interval_s"],
    }
    return Measured(regions=regions, study=record["summary"], flags=flags, conversion=conversion)


def _as_region(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a background under the names that they have as a region."""
    names = {"mean": "suv_mean", "sd": "suv_sd", "volume_ml": "mtv_ml", "n_voxels": "n_voxels"}
    return {column: reference[name] for name, column in names.items() if name in reference}


def measured_of_table(path: Path) -> dict[tuple[str, str], Measured]:
    """Return what a CSV says of each phantom and variant.

    Parameters
    ----------
    path
        Columns ``phantom`` and ``region``, optionally ``variant``, and any of petquant's quantities under
        their names (``suv_max``, ``mtv_ml`` ...). A row without a region holds quantities of the study. Empty
        cells are not judged. A cell ``refused`` in the column ``outcome`` says that the tool refused the
        phantom.

    Raises
    ------
    UnreadableInput
        TABLE_INVALID, naming the line, when it is no such table.
    """
    found: dict[tuple[str, str], Measured] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if not {"phantom", "region"} <= columns:
                raise _invalid(path, "no columns phantom and region", "a column phantom and a column region")
            known = {quantity.column for quantity in QUANTITIES}
            if not columns & (known | {"outcome"}):
                raise _invalid(path, "no column of a quantity", "columns such as suv_max, suv_mean, mtv_ml")
            for line, row in enumerate(reader, start=2):
                key = (row["phantom"] or "", row.get("variant") or "")
                numbers = {column: _number(path, line, row[column]) for column in columns & known}
                given = {column: value for column, value in numbers.items() if value is not None}
                found[key] = _with_row(found.get(key, Measured()), row, given)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _invalid(path, str(error), "a CSV table in UTF-8") from error
    return found


def _with_row(so_far: Measured, row: Mapping[str, str | None], numbers: Mapping[str, float]) -> Measured:
    region = row["region"] or ""
    is_refused = (row.get("outcome") or "").strip().lower() == "refused"
    return Measured(
        regions=so_far.regions | {region: numbers} if region else so_far.regions,  # type: ignore[operator]
        study=so_far.study if region else numbers,
        exit_code=4 if is_refused else so_far.exit_code,
    )


def _number(path: Path, line: int, text: str | None) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise _invalid(path, f"line {line}: {text!r}", "numbers with a decimal point") from error


def _invalid(path: Path, found: str, expected: str) -> PetquantError:
    return UnreadableInput.of(
        "TABLE_INVALID", found, expected=expected, remedy="see petquant validate --help", path=str(path)
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Where checks of one phantom are made."""

    phantom: str
    variant: str

    def check(
        self, quantity: str, expected: Any, found: Any, *, why: str, region: str = "", tolerance: float = 0.0
    ) -> Check:
        return Check(
            phantom=self.phantom,
            variant=self.variant,
            region=region,
            quantity=quantity,
            expected=expected,
            found=found,
            abs_tol=tolerance,
            why=why,
        )


def judge(
    truth: Mapping[str, Any], measured: Measured, *, variant: str = "", only_given: bool = False
) -> tuple[Check, ...]:
    """Return every check that a truth asks for, passed or failed.

    Parameters
    ----------
    truth
        Content of ``truth.json``.
    measured
        What was found.
    variant
        Dialect in which the phantom was written, for the report.
    only_given
        Judge what the tool gives and nothing else: for other tools, which need not have every quantity. How
        it ended is judged all the same.
    """
    sheet = _Sheet(str(truth["phantom"]), variant)
    series = truth["series"]
    if series["expected"] != "ok":
        return tuple(_refusal_checks(sheet, series, measured, only_given=only_given))
    ended = sheet.check("exit_code", 0, measured.exit_code, why="the phantom is measured")
    if measured.exit_code:
        return ended, sheet.check("code", "none", ", ".join(measured.codes) or "unknown", why="no refusal")
    checks = [ended]
    for region in truth["regions"]:
        checks += _region_checks(sheet, region, measured, only_given=only_given)
    checks += _study_checks(sheet, truth["study"], measured, only_given=only_given)
    checks += _conversion_checks(sheet, truth["suv"], measured)
    return tuple(checks)


def _refusal_checks(
    sheet: _Sheet, series: Mapping[str, Any], measured: Measured, *, only_given: bool
) -> Iterable[Check]:
    yield sheet.check("exit_code", series["exit_code"], measured.exit_code, why="the phantom is refused")
    if not only_given:
        code = series["error_code"]
        found = code if code in measured.codes else ", ".join(measured.codes) or None
        yield sheet.check("code", code, found, why="one of the causes that are named")


def _region_checks(
    sheet: _Sheet, region: Mapping[str, Any], measured: Measured, *, only_given: bool
) -> Iterable[Check]:
    name, given = region["name"], measured.regions.get(region["name"])
    if given is None:
        if not only_given:
            yield sheet.check("region", "measured", None, region=name, why="every region is measured")
        return
    if "LESION_OVERLAPS_BACKGROUND" in measured.flags.get(name, ()):
        return  # by rule it has lost the voxels of lesions, which its truth still counts
    has_all = region["role"] == "lesion" and not only_given
    for quantity, entry in region["expected"].items():
        if has_all or quantity in given:
            yield sheet.check(
                quantity,
                entry["value"],
                given.get(quantity),
                region=name,
                tolerance=entry["abs_tol"],
                why=entry["why"],
            )
    if has_all:
        there = {*measured.flags.get(name, ()), *measured.flags.get("", ())}
        for code in region["flags"]:
            found = code if code in there else None
            yield sheet.check("flag", code, found, region=name, why="the caveat travels with the number")


def _study_checks(
    sheet: _Sheet, study: Mapping[str, Any], measured: Measured, *, only_given: bool
) -> Iterable[Check]:
    for quantity, tolerance in study["abs_tol"].items():
        if study[quantity] is None or (only_given and quantity not in measured.study):
            continue
        found = measured.study.get(quantity)
        why = "over all lesions, each voxel once"
        yield sheet.check(quantity, study[quantity], found, tolerance=tolerance, why=why)
    if not only_given:
        there = measured.flags.get("", ())
        for code in study["flags"]:
            yield sheet.check("flag", code, code if code in there else None, why="a caveat of the sums")


def _conversion_checks(sheet: _Sheet, suv: Mapping[str, Any], measured: Measured) -> Iterable[Check]:
    if not suv["is_stated"]:
        return
    if measured.conversion.get("factor") is not None:
        expected, found = _worst_factor(suv["factor"], measured.conversion["factor"])
        why = "attributes are decimal text of at most 16 characters"
        yield sheet.check("factor", expected, found, tolerance=FACTOR_RELATIVE * abs(expected), why=why)
    interval, found_s = suv["uptake_s"], measured.conversion.get("decay_interval_s")
    if interval is not None and found_s is not None:
        why = "times are written to the millisecond or finer"
        yield sheet.check("decay_interval_s", interval, found_s, tolerance=SECONDS, why=why)


def _worst_factor(expected: Any, found: Any) -> tuple[float, float]:
    """Return the expected and found factor of the slice in which they differ most."""
    wanted, given = (value if isinstance(value, list) else [value] for value in (expected, found))
    if len(wanted) == 1:
        wanted *= len(given)
    if len(given) == 1:
        given *= len(wanted)
    if len(wanted) != len(given):
        return wanted[0], math.nan
    return max(zip(wanted, given, strict=True), key=lambda pair: abs(pair[1] / pair[0] - 1.0))
