"""A command whose options are plain words, numbers and paths, turned into values by plain Python.

Typer would import a validation library for that, which costs as much as a third of a whole small run. Where
its inside changes, its own way is taken again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["PlainCommand", "PlainGroup"]

_SPACES = 6  # around the names of commands in a help text

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
    """The same for a group of commands, which stand under headings also where the help is plain text."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, lightened."""
        return _lightened(super().get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every command with its short help, under the heading that it has."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown: list[tuple[str, Any]] = [(name, one) for name, one in commands if one and not one.hidden]
        widest = max((len(name) for name, _ in shown), default=0)
        for heading, under in groupby(shown, key=lambda one: _heading(one[1])):
            with formatter.section(heading):
                words = formatter.width - _SPACES - widest
                formatter.write_dl(
                    [(name.ljust(widest), one.get_short_help_str(words)) for name, one in under]
                )


def _heading(command: Any) -> str:
    heading = getattr(command, "rich_help_panel", None)  # a placeholder where nobody set it
    return heading if isinstance(heading, str) else "Commands"
