"""A plot is lines, boxes, marks and words in px, drawn as SVG, with the table of its values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from petquant.export.report.chart import step_of

__all__ = ["Axis", "Box", "Line", "Mark", "Plot", "Words", "axis_of", "frame"]

ROOM: Final = 0.06  # of the span, beyond the values
MOST_TICKS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A stroke; `kind` names its style."""

    x: tuple[float, float]
    y: tuple[float, float]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A filled rectangle; `words` are told of it, `kind` names its style."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A symbol of a state, open where a value is forced."""

    x: float
    y: float
    state: str
    is_open: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Text; `kind` is ``plain``, ``soft`` or ``strong``; turned stands it upright."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    kind: str = "plain"
    is_turned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing.

    Parameters
    ----------
    id, title
        Unique on the page; what it shows.
    words
        What it says, for those who do not see it.
    caption
        Below it.
    width, height
        In px.
    boxes, lines, marks, texts
        Drawn in this order.
    csv
        Its values.
    """

    id: str
    title: str
    words: str
    caption: str
    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    texts: tuple[Words, ...] = ()
    csv: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis from `low` at `start` px to `high` at `end` px, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    def at(self, value: float) -> float:
        """Return the place of a value in px."""
        low, high, value = (math.log(one) if self.is_log else one for one in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[str, float]]:
        """Return ticks as words and places."""
        if self.is_log:
            values = _of_decades(self.low, self.high)
        else:
            step = step_of((self.high - self.low) or 1.0)
            first = math.ceil(self.low / step - 1e-9)
            values = [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [(f"{value + 0.0:.6g}", self.at(value)) for value in values]


def axis_of(values: Iterable[float], *, start: float, end: float, is_log: bool = False) -> Axis:
    """Return the axis that holds all values with some room; a logarithmic one needs positive values."""
    known = list(values) or [1.0]
    low, high = (math.log(one) if is_log else one for one in (min(known), max(known)))
    room = ROOM * (high - low) or (0.2 if is_log else abs(high) * 0.1 or 1.0)
    ends = [low - room, high + room]
    low, high = (math.exp(one) if is_log else one for one in ends)
    return Axis(low=low, high=high, start=start, end=end, is_log=is_log)


def frame(x: Axis | None, y: Axis, *, left: float, right: float) -> tuple[list[Line], list[Words]]:
    """Return the grid and the numbers of a plot; `y` runs up, so that its start lies below its end."""
    lines = [Line(x=(left, right), y=(at, at), kind="grid") for _, at in y.ticks()]
    words = [Words(x=left - 6, y=at + 4, text=text, anchor="end") for text, at in y.ticks()]
    if x is not None:
        lines += [Line(x=(at, at), y=(y.start, y.end), kind="grid") for _, at in x.ticks()]
        words += [Words(x=at, y=y.start + 18, text=text) for text, at in x.ticks()]
    lines.append(Line(x=(left, right), y=(y.start, y.start), kind="axis"))
    lines.append(Line(x=(left, left), y=(y.start, y.end), kind="axis"))
    return lines, words


def _of_decades(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten inside a span, fewer in a long one, more in a short one."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(1 + n / 10 for n in range(90)))
    found: list[float] = []
    for factors in choices:
        values = [factor * 10.0**power for power in powers for factor in factors]
        more = [value for value in values if low <= value <= high]
        if len(more) > MOST_TICKS:
            break
        found = more
    return found
