"""A chart of the lesions: SUVmax, SUVpeak and SUVmean of each on one line, the references as lines across."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petquant.export.table import as_csv

__all__ = ["Chart", "Mark", "chart_of", "step_of"]

MOST: Final = 60  # rows; more cannot be read
SUV: Final = {"suv_max": "SUVmax", "suv_peak": "SUVpeak", "suv_mean": "SUVmean"}
NATIVE: Final = {"activity_max_bqml": "max", "activity_mean_bqml": "mean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value: which quantity, and its place along the axis from 0 to 1."""

    quantity: str
    at: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the chart shows.

    Parameters
    ----------
    unit
        Of the axis.
    quantities
        Names in the order of their symbols.
    rows
        Label, name, and marks of every lesion.
    references
        Name, value in words and place of every reference that has a mean.
    ticks
        Value and place.
    n_left_out
        Lesions beyond the first `MOST`.
    csv
        The values, as a table.
    """

    unit: str
    quantities: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Mark, ...]], ...]
    references: tuple[tuple[str, str, float], ...]
    ticks: tuple[tuple[str, float], ...]
    n_left_out: int
    csv: bytes


def chart_of(
    lesions: Sequence[tuple[str, str, Mapping[str, Any]]], references: Sequence[Mapping[str, Any]]
) -> Chart | None:
    """Return the chart, None when there is nothing to show.

    Parameters
    ----------
    lesions
        Label, name and record of every lesion, of one SUV type.
    references
        Records of the backgrounds.
    """
    if not lesions:
        return None
    columns = SUV if lesions[0][2].get("suv_max") is not None else NATIVE
    shown = lesions[:MOST]
    means = [(one["name"], one["mean"]) for one in references if one["mean"] is not None]
    values = [
        record[column] for _, _, record in shown for column in columns if record.get(column) is not None
    ]
    largest = max([*values, *(mean for _, mean in means)], default=0.0)
    if largest <= 0:
        return None
    step = step_of(largest)
    top = step * math.ceil(largest / step)
    rows = tuple(
        (
            label,
            name,
            tuple(
                Mark(quantity=words, at=max(record[column], 0.0) / top, words=f"{record[column]:.3g}")
                for column, words in columns.items()
                if record.get(column) is not None
            ),
        )
        for label, name, record in shown
    )
    table = [
        {
            "label": label,
            "region": name,
            "role": "lesion",
            **{column: record.get(column) for column in columns},
        }
        for label, name, record in lesions
    ]
    mean_column = "suv_mean" if columns is SUV else "activity_mean_bqml"
    table += [{"label": "", "region": name, "role": "reference", mean_column: mean} for name, mean in means]
    return Chart(
        unit=str(lesions[0][2]["unit"]),
        quantities=tuple(columns.values()),
        rows=rows,
        references=tuple((name, f"{mean:.3g}", max(mean, 0.0) / top) for name, mean in means),
        ticks=tuple((f"{place * step:g}", place * step / top) for place in range(round(top / step) + 1)),
        n_left_out=len(lesions) - len(shown),
        csv=as_csv(table),
    )


def step_of(largest: float) -> float:
    """Return the distance of ticks, 1, 2 or 5 times a power of ten, that gives four to ten of them."""
    power = 10.0 ** math.floor(math.log10(largest / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if largest / (power * factor) <= 8)
