"""Repeatability is what one lesion differs by when it is scanned twice: a cited table, and what it decides.

A tracer without a study of its own may borrow the figures of another; they are then labelled as a surrogate
wherever they are used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from petquant.errors import Finding, UsageError
from petquant.reads.shipped import Table, shipped_file
from petquant.reads.verdict import exceeds
from petquant.statistics.limits import limits_percent

__all__ = [
    "Change",
    "PublishedRepeatability",
    "change",
    "chosen_repeatability",
    "repeatability_for",
    "repeatability_of",
    "repeatability_table",
]

# column of `petquant.quantities` that a metric of the table is held against; others are no uptake
COLUMNS: Final = {
    "SUV": "suv_max",
    "SUVmax": "suv_max",
    "SULmax": "suv_max",
    "SUVmean": "suv_mean",
    "SUVmean, SUVpeak": "suv_peak",
    "SULpeak": "suv_peak",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRepeatability:
    """One row.

    Parameters
    ----------
    name
        Of the row.
    tracer, metric, site
        What was measured, and where.
    wcv_percent
        Coefficient of variation within a subject.
    rc_percent
        Repeatability coefficient: 95 % of two measurements differ less, in percent of their mean.
    published_limits_percent
        Change needed, as the source gives it.
    cv_range_percent
        Where a source gives a range.
    difference_suv, difference_sd_suv
        Mean and SD of the difference of two measurements, in SUV.
    n, note, citation, is_verified
        How many, what else to know, where it stands, and whether it was seen there.
    surrogate
        Name of the row whose figures these are; empty when they are the tracer's own.
    surrogate_tracer
        Its tracer.
    is_default
        Whether it is the row of its tracer when none is chosen.
    """

    name: str
    tracer: str
    metric: str
    site: str
    wcv_percent: float | None
    rc_percent: float | None
    published_limits_percent: tuple[float, float] | None
    cv_range_percent: tuple[float, float] | None
    difference_suv: float | None
    difference_sd_suv: float | None
    n: str
    note: str
    citation: str
    is_verified: bool
    surrogate: str
    surrogate_tracer: str = ""
    is_default: bool = False

    @property
    def label(self) -> str:
        """What stands beside every number that rests on the row."""
        borrowed = f", surrogate: figures of {self.surrogate_tracer}" if self.surrogate else ""
        doubtful = "" if self.is_verified or self.surrogate else ", not verified"
        return f"{self.tracer} {self.metric}, {self.site}{borrowed}{doubtful}"

    @property
    def column(self) -> str | None:
        """The column of a lesion that the row speaks of; None when it is no uptake."""
        return COLUMNS.get(self.metric)

    @property
    def change_needed_percent(self) -> tuple[float, float] | None:
        """The change below and above which two measurements differ, in percent of the first.

        From wCV, ``100 (exp(-+2.77 wCV) - 1)``; where a source gives RC alone, ``-+RC``, which is symmetric
        and rougher; None where it gives neither.
        """
        if self.wcv_percent is not None:
            return limits_percent(self.wcv_percent / 100.0)
        return None if self.rc_percent is None else (-self.rc_percent, self.rc_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change between two measurements of one lesion, held against a row.

    Parameters
    ----------
    percent
        Of the first.
    needed_percent
        Change below and above which two measurements differ; None where the row has none.
    exceeds_rc
        Whether it is a change; None where that cannot be said.
    label
        Of the row.
    """

    percent: float | None
    needed_percent: tuple[float, float] | None
    exceeds_rc: bool | None
    label: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """CHANGE_EXCEEDS_RC when it is a change."""
        if not self.exceeds_rc or self.percent is None or self.needed_percent is None:
            return ()
        low, high = self.needed_percent
        expected = f"{low:+.1f} to {high:+.1f} % by repeatability alone ({self.label})"
        return (Finding(code="CHANGE_EXCEEDS_RC", found=f"{self.percent:+.1f} %", expected=expected),)


@lru_cache(maxsize=1)
def repeatability_table() -> Mapping[str, PublishedRepeatability]:
    """Return the rows by name; a surrogate has the figures of the row that it names."""
    table = shipped_file("repeatability.toml")
    found = {row.name: row for row in map(_row, table.rows("rows"))}
    table.done()
    for name, row in found.items():
        if row.surrogate:
            lender = found.get(row.surrogate)
            if lender is None or lender.surrogate:
                raise table.invalid("rows", "a row with figures", found=f"{name} borrows of {row.surrogate}")
            found[name] = replace(
                row,
                wcv_percent=lender.wcv_percent,
                rc_percent=lender.rc_percent,
                published_limits_percent=lender.published_limits_percent,
                n=lender.n,
                citation=lender.citation,
                surrogate_tracer=lender.tracer,
            )
    return found


def repeatability_of(name: str) -> PublishedRepeatability:
    """Return the row of that name.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    rows = repeatability_table()
    if name not in rows:
        raise UsageError.of(
            "OPTION_INVALID", f"no repeatability {name!r}", expected=f"one of {', '.join(rows)}"
        )
    return rows[name]


def chosen_repeatability(names: Sequence[str]) -> tuple[PublishedRepeatability, ...]:
    """Return the rows of those names, each of another tracer and fit to decide on a change of uptake.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    rows = [repeatability_of(name) for name in names]
    for row in rows:
        if row.column is None or row.change_needed_percent is None:
            fit = [
                one.name for one in repeatability_table().values() if one.column and one.change_needed_percent
            ]
            raise UsageError.of(
                "OPTION_INVALID",
                f"repeatability {row.name} says not what change of uptake is needed",
                expected=f"one of {', '.join(fit)}",
            )
    tracers = [row.tracer for row in rows]
    for tracer in tracers:
        if tracers.count(tracer) > 1:
            raise UsageError.of("OPTION_INVALID", f"several rows of {tracer}", expected="one row a tracer")
    return tuple(rows)


def repeatability_for(
    tracer: str, chosen: Sequence[PublishedRepeatability] = ()
) -> PublishedRepeatability | None:
    """Return the chosen row of a tracer, else its default; None when nothing is known of the tracer."""
    rows = (*chosen, *(row for row in repeatability_table().values() if row.is_default))
    return next((row for row in rows if row.tracer == tracer), None)


def change(first: float, second: float, row: PublishedRepeatability) -> Change:
    """Return the change from the first to the second measurement, held against a row.

    A value that is not positive or not finite has no change in percent.
    """
    needed = row.change_needed_percent
    if not (math.isfinite(first) and math.isfinite(second) and first > 0 and second > 0):
        return Change(percent=None, needed_percent=needed, exceeds_rc=None, label=row.label)
    percent = 100.0 * (second - first) / first
    is_change = None if needed is None else exceeds(needed[0], percent) or exceeds(percent, needed[1])
    return Change(percent=percent, needed_percent=needed, exceeds_rc=is_change, label=row.label)


def _row(table: Table) -> PublishedRepeatability:
    found = PublishedRepeatability(
        name=table.text("name"),
        tracer=table.text("tracer"),
        metric=table.text("metric"),
        site=table.text("site"),
        wcv_percent=table.maybe_number("wcv_percent"),
        rc_percent=table.maybe_number("rc_percent"),
        published_limits_percent=table.maybe_range("published_limits_percent"),
        cv_range_percent=table.maybe_range("cv_range_percent"),
        difference_suv=table.maybe_number("difference_suv"),
        difference_sd_suv=table.maybe_number("difference_sd_suv"),
        n=table.text("n", ""),
        note=table.text("note", ""),
        citation=table.text("citation"),
        is_verified=table.flag("verified"),
        surrogate=table.text("surrogate", ""),
        is_default=table.flag("default", default=False),
    )
    table.done()
    return found
