"""A criterion is a published way to sort lesions or scans, as data: thresholds with unit and citation.

What nobody checked at its source says so wherever it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from petquant.reads.shipped import Table, shipped

__all__ = ["Criterion", "Threshold", "criteria", "criterion_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One number of a criterion.

    Parameters
    ----------
    name, value, unit
        What it is; the unit of a ratio is ``1``.
    citation
        Where the number stands.
    is_verified
        Whether it was seen there.
    """

    name: str
    value: float
    unit: str
    citation: str
    is_verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion.

    Parameters
    ----------
    name, title, version
        Name in petquant, name for a reader, version of the criterion.
    kind
        ``positivity`` (a rule, see `petquant.reads.positivity`) or ``response``.
    tracers
        Names in `petquant.tracers` that it was made for.
    inputs
        Columns of `petquant.quantities`, and names of references.
    thresholds
        By name.
    categories
        Of the answer, best first; empty for a rule.
    expression, value, focal_is_positive
        Of a rule, see `petquant.reads.positivity.Rule`.
    citation, note
        Of the whole, and what else a reader must know.
    is_verified
        Whether every number and the wording were seen at their source.
    """

    name: str
    title: str
    version: str
    kind: str
    tracers: tuple[str, ...]
    inputs: tuple[str, ...]
    thresholds: Mapping[str, Threshold]
    categories: tuple[str, ...]
    expression: str
    value: str
    focal_is_positive: bool
    citation: str
    note: str
    is_verified: bool

    @property
    def unverified(self) -> tuple[str, ...]:
        """Names of the thresholds that nobody saw at their source."""
        return tuple(one.name for one in self.thresholds.values() if not one.is_verified)


@lru_cache(maxsize=1)
def criteria() -> Mapping[str, Criterion]:
    """Return the shipped criteria by name."""
    found = [criterion_of(table) for table in shipped("criteria").values()]
    return {one.name: one for one in found}


def criterion_of(table: Table) -> Criterion:
    """Return the criterion that a file holds.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, naming the key.
    """
    thresholds = {name: _threshold(name, one) for name, one in table.tables("thresholds").items()}
    found = Criterion(
        name=table.text("name"),
        title=table.text("title"),
        version=table.text("version"),
        kind=table.text("kind"),
        tracers=table.texts("tracers"),
        inputs=table.texts("inputs"),
        thresholds=thresholds,
        categories=table.texts("categories", ()),
        expression=table.text("expression", ""),
        value=table.text("value", "max"),
        focal_is_positive=table.flag("focal_is_positive", default=False),
        citation=table.text("citation"),
        note=table.text("note", ""),
        is_verified=table.flag("verified"),
    )
    table.done()
    if found.kind not in {"positivity", "response"}:
        raise table.invalid("kind", "positivity or response", found=f"is {found.kind}")
    if found.is_verified and found.unverified:
        raise table.invalid("verified", "false", found=f"is true, but not of {', '.join(found.unverified)}")
    return found


def _threshold(name: str, table: Table) -> Threshold:
    found = Threshold(
        name=name,
        value=table.number("value"),
        unit=table.text("unit"),
        citation=table.text("citation"),
        is_verified=table.flag("verified"),
    )
    table.done()
    return found
