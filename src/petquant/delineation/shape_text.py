"""Shapes in words: numbers in mm LPS, separated by commas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from petquant.delineation.shapes import Box, Cylinder, Shape, Sphere
from petquant.errors import UsageError

__all__ = ["NUMBERS", "shape_of"]

# the numbers of each shape, in the order of their coming
NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sphere": "X,Y,Z,R",
        "cylinder": "X,Y,Z,R,LENGTH[,AX,AY,AZ]",
        "box": "X0,Y0,Z0,X1,Y1,Z1",
    }
)


def _sphere(name: str, n: Sequence[float]) -> Shape:
    return Sphere(name=name, centre_mm=(n[0], n[1], n[2]), radius_mm=n[3])


def _cylinder(name: str, n: Sequence[float]) -> Shape:
    axis = (n[5], n[6], n[7]) if len(n) == 8 else (0.0, 0.0, 1.0)
    return Cylinder(name=name, centre_mm=(n[0], n[1], n[2]), radius_mm=n[3], length_mm=n[4], axis=axis)


def _box(name: str, n: Sequence[float]) -> Shape:
    return Box(name=name, low_mm=(n[0], n[1], n[2]), high_mm=(n[3], n[4], n[5]))


_MADE: dict[tuple[str, int], Callable[[str, Sequence[float]], Shape]] = {
    ("sphere", 4): _sphere,
    ("cylinder", 5): _cylinder,
    ("cylinder", 8): _cylinder,
    ("box", 6): _box,
}


def shape_of(kind: str, numbers: str, *, name: str, given: str) -> Shape:
    """Return the shape of a kind and its numbers.

    Parameters
    ----------
    kind
        One of `NUMBERS`.
    numbers
        Separated by commas.
    given
        What was given, for the error.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError:
        values = []
    if (kind, len(values)) not in _MADE:
        raise UsageError.of("OPTION_INVALID", given, expected=f"{NUMBERS[kind]}, numbers in mm")
    return _MADE[kind, len(values)](name, values)
