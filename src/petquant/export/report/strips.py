"""A strip shows one quantity of all studies: a row a tracer, a dot a study, quartiles, outliers named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from petquant.export.report.page import number_words
from petquant.export.report.plots import Axis, Box, Line, Mark, Plot, Words, axis_of
from petquant.export.table import as_csv

__all__ = ["strip"]

LEFT: Final = 150.0
WIDTH: Final = 390.0
ROW: Final = 58.0
TOP: Final = 34.0
DOT: Final = 7.0  # px that a dot takes along the strip before the next goes above it
LEVELS: Final = (0.0, -6.0, 6.0, -12.0, 12.0, -18.0, 18.0)
NAMED: Final = 6  # outliers of a row with their names beside it; all stand in the caption's table


def strip(
    name: str,
    unit: str,
    rows: Mapping[str, Sequence[tuple[str, float]]],
    outliers: Collection[str],
    *,
    id_: str,
) -> Plot | None:
    """Return the plot of a quantity, None where no study has it.

    Parameters
    ----------
    name, unit
        Of the quantity.
    rows
        Label (of a tracer) to study and value.
    outliers
        Names of the studies that lie far from the others.
    id_
        Unique on the page.
    """
    rows = {label: sorted(values, key=lambda one: one[1]) for label, values in rows.items() if values}
    if not rows:
        return None
    values = [value for of_row in rows.values() for _, value in of_row]
    x = axis_of([*values, 0.0] if min(values) >= 0 else values, start=LEFT, end=LEFT + WIDTH)
    if min(values) >= 0:
        x = Axis(low=0.0, high=x.high, start=x.start, end=x.end, is_log=False)
    height = TOP + ROW * len(rows)
    lines = [Line(x=(at, at), y=(TOP, height), kind="grid") for _, at in x.ticks()]
    lines.append(Line(x=(LEFT, LEFT + WIDTH), y=(height, height), kind="axis"))
    texts = [Words(x=at, y=height + 18, text=text) for text, at in x.ticks()]
    head = f"{name}, {unit}" if unit else name
    texts.append(Words(x=LEFT, y=18, text=head, anchor="start", kind="strong"))
    boxes, marks, said = [], [], []
    for place, (label, of_row) in enumerate(rows.items()):
        y = TOP + ROW * (place + 0.5)
        numbers = np.array([value for _, value in of_row])
        low, middle, high = (float(one) for one in np.quantile(numbers, (0.25, 0.5, 0.75)))
        boxes.append(Box(x=x.at(low), y=y - 22, width=x.at(high) - x.at(low), height=44, kind="quartiles"))
        lines.append(Line(x=(x.at(middle), x.at(middle)), y=(y - 22, y + 22), kind="mean"))
        marks += _dots(of_row, x, y, outliers)
        texts.append(Words(x=LEFT - 10, y=y + 1, text=label[:22], anchor="end"))
        texts.append(Words(x=LEFT - 10, y=y + 16, text=f"n {len(of_row)}", anchor="end", kind="soft"))
        named = [f"{study} ({number_words(value)})" for study, value in of_row if study in outliers]
        told = f"{label}: n {len(of_row)}, median {number_words(middle)}, quartiles {number_words(low)} and "
        told += f"{number_words(high)}, {number_words(of_row[0][1])} to {number_words(of_row[-1][1])}"
        told += f"; outlying: {', '.join(named[:NAMED])}" if named else ""
        said.append(told + (f" and {len(named) - NAMED} more" if len(named) > NAMED else ""))
    return Plot(
        id=id_,
        title=f"{name} by tracer",
        words="; ".join(said) + ".",
        caption="; ".join(said) + ".",
        width=LEFT + WIDTH + 20,
        height=height + 28,
        boxes=tuple(boxes),
        lines=tuple(lines),
        marks=tuple(marks),
        texts=tuple(texts),
        csv=as_csv(
            [
                {"tracer": label, "study": study, "value": value, "unit": unit, "outlying": study in outliers}
                for label, of_row in rows.items()
                for study, value in of_row
            ]
        ),
    )


def _dots(of_row: Sequence[tuple[str, float]], x: Axis, y: float, outliers: Collection[str]) -> list[Mark]:
    """Return a dot a study, at the first height where it touches no other."""
    last = dict.fromkeys(LEVELS, float("-inf"))
    marks = []
    for study, value in of_row:
        at = x.at(value)
        level = next((one for one in LEVELS if at - last[one] >= DOT), min(last, key=lambda one: last[one]))
        last[level] = at
        state = "outlier" if study in outliers else "dot"
        marks.append(
            Mark(x=at, y=y + level, state=state, is_open=False, words=f"{study}: {number_words(value)}")
        )
    return marks
