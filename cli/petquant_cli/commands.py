"""The commands by what they are for; a call imports the one that it names, and the help all of them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, Final

import typer

from petquant_cli.command import PlainCommand, PlainGroup

__all__ = ["COMMANDS", "CommandGroup"]

# heading of the help, and the commands under it: each is the module of its name, with a function ``run`` (and
# perhaps a class COMMAND that reads its words), or with a Typer ``app`` of commands of its own
COMMANDS: Final = {
    "Measure a study": ("suv", "segment", "view", "convert"),
    "Measure many, and compare": ("compare", "batch", "report", "collect", "bids"),
    "Find and check studies": ("fetch", "discover", "check", "lock"),
    "Look up, try and verify": ("info", "demo", "phantom", "validate", "nema"),
}


class _Commands(MutableMapping[str, Any]):
    """Commands by name, each made when it is first asked for."""

    def __init__(self, markup: Any) -> None:
        self._markup = markup
        self._headings = {name: heading for heading, names in COMMANDS.items() for name in names}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._command(name, self._headings[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._headings.setdefault(name, next(reversed(COMMANDS)))
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._headings[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._headings)

    def __len__(self) -> int:
        return len(self._headings)

    def _command(self, name: str, heading: str) -> Any:
        module = import_module(f"petquant_cli.{name}")
        door = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=self._markup
        )
        if hasattr(module, "app"):  # a group of commands
            door.add_typer(module.app, rich_help_panel=heading)
            group: Any = typer.main.get_command(door)
            return group.commands[name]
        kind = getattr(module, "COMMAND", PlainCommand)
        door.command(name=name, cls=kind, rich_help_panel=heading)(module.run)
        return typer.main.get_command(door)


class CommandGroup(PlainGroup):
    """All commands of petquant."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Commands(self.rich_markup_mode)
