"""The options of shapes: ``--sphere``, ``--cylinder``, ``--box``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from petquant.delineation.shape_text import shape_of

if TYPE_CHECKING:
    from petquant.delineation import Shape

__all__ = ["shapes_of"]


def shapes_of(given: Mapping[str, Sequence[str]]) -> list[Shape]:
    """Return the shapes that the options of each kind describe as ``[NAME=]NUMBERS``, in their order."""
    made: list[Shape] = []
    for kind, texts in given.items():
        for place, text in enumerate(texts, start=1):
            name, _, numbers = text.rpartition("=")
            made.append(shape_of(kind, numbers, name=name or f"{kind} {place}", given=f"--{kind} {text}"))
    return made
