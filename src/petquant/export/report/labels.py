"""Labels stand in the margins beside a picture, level with what they name, and never on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Anchor", "Label", "placed"]

UNEVEN: Final = 2  # labels that one side may have beyond half of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What a label names: its text, the box of its outline in mm, its rank (0 keeps its label longest)."""

    text: str
    kind: str
    left: float
    right: float
    middle: float
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label: text at (x, y), and a line from (x_line, y) to (x_end, y_end) at the outline."""

    text: str
    kind: str
    is_left: bool
    y: float
    x_end: float
    y_end: float


def placed(
    anchors: Sequence[Anchor], *, span: tuple[float, float], middle: float, spacing: float
) -> tuple[list[Label], int]:
    """Return the labels, at least `spacing` apart on each side, and how many found no room.

    Parameters
    ----------
    anchors
        What is to be named.
    span
        Top and bottom of the margins.
    middle
        Anchors left of it have their label on the left, as long as the sides stay about even.
    spacing
        Height that a label needs.
    """
    top, bottom = span
    room = min(max(1, int((bottom - top) / spacing)), len(anchors) // 2 + UNEVEN)
    kept = sorted(anchors, key=lambda one: one.rank)
    sides: dict[bool, list[Anchor]] = {True: [], False: []}
    for one in kept:
        is_left = (one.left + one.right) / 2 < middle
        side = is_left if len(sides[is_left]) < room else not is_left
        if len(sides[side]) < room:
            sides[side].append(one)
    labels = [
        Label(
            text=one.text,
            kind=one.kind,
            is_left=is_left,
            y=y,
            x_end=one.left if is_left else one.right,
            y_end=one.middle,
        )
        for is_left, side in sides.items()
        for one, y in _spread(side, top, bottom, spacing)
    ]
    return labels, len(anchors) - len(labels)


def _spread(side: Sequence[Anchor], top: float, bottom: float, spacing: float) -> list[tuple[Anchor, float]]:
    """Return anchors from top to bottom with heights at least `spacing` apart, near their own."""
    ordered = sorted(side, key=lambda one: (one.middle, one.rank))
    heights: list[float] = []
    for place, one in enumerate(ordered):
        highest = top + spacing * (place + 0.5)
        heights.append(max(one.middle, highest, heights[-1] + spacing if heights else highest))
    for place in range(len(heights) - 1, -1, -1):
        lowest = bottom - spacing * (len(heights) - place - 0.5)
        heights[place] = min(heights[place], lowest)
    return list(zip(ordered, heights, strict=True))
