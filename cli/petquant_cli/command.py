"""A command whose options are plain words, numbers and paths, turned into values by plain Python.

Typer would import a validation library for that, which costs as much as a third of a whole small run. Where
its inside changes, its own way is taken again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["PlainCommand", "PlainGroup"]

_WORDS = {float: "number", int: "whole number"}


@dataclass(frozen=True)
class _Plain:
    """What turns the words of one option into a value."""

    kind: type

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return None (or nothing, for a repeatable option) as it is, everything else as `kind`."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if isinstance(value, (list, tuple)):
            return [self._one(item, param, ctx) for item in value]
        return self._one(value, param, ctx)

    def _one(self, item: Any, param: Any, ctx: Any) -> Any:
        try:
            return self.kind(item)
        except ValueError as error:
            words = _WORDS.get(self.kind, self.kind.__name__)
            raise typer.BadParameter(f"{item!r} is no {words}.", ctx=ctx, param=param) from error


def _lightened(params: list[Any]) -> list[Any]:
    """Return the parameters, those of plain kinds converting by `_Plain`."""
    for param in params:
        annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
        if kind in {bool, str, int, float, Path} and hasattr(param, "_runtime_param"):
            param._runtime_param = _Plain(kind)  # noqa: SLF001 - typer has no public place for it
    return params


class PlainCommand(TyperCommand):
    """A Typer command that converts plain options itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, lightened."""
        return _lightened(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The same for the group of commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, lightened."""
        return _lightened(super().get_params(ctx))
