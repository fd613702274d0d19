"""Shipped tables are TOML files inside the package: rules and figures of other people, with their citations.

Every key is asked for by name and kind. A key that is missing, of another kind, or that nobody asks for makes
the file invalid: a misspelt limit must not become no limit.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from petquant.errors import PetquantError, UnreadableInput

__all__ = ["Table", "shipped", "shipped_file", "table_of"]


class Table:
    """One table of a TOML file, whose keys are taken one by one.

    Parameters
    ----------
    values
        Of the table.
    where
        The file, for messages.
    above
        Key of the table in the file, empty at the top.
    """

    def __init__(self, values: Mapping[str, Any], where: str, above: str = "") -> None:
        self.values = dict(values)
        self.where = where
        self.above = above
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.invalid(key, "a text")
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
            raise self.invalid(key, "a list of texts")
        return tuple(value)

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.invalid(key, "true or false")
        return value

    def number(self, key: str) -> float:
        """Return a finite number."""
        return self._number(key, self._take(key, None))

    def maybe_number(self, key: str) -> float | None:
        """Return a finite number, or None when the key is absent."""
        return self.number(key) if key in self else None

    def numbers(self, key: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple):
            raise self.invalid(key, "a list of numbers")
        return tuple(self._number(key, one) for one in value)

    def maybe_range(self, key: str) -> tuple[float, float] | None:
        """Return two ascending numbers, or None when the key is absent."""
        if key not in self:
            return None
        ends = self.numbers(key)
        if len(ends) != 2 or ends[0] > ends[1]:
            raise self.invalid(key, "two ascending numbers")
        return ends[0], ends[1]

    def tables(self, key: str) -> dict[str, Table]:
        """Return the tables below a key, by name; none when the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
            raise self.invalid(key, "a table of tables")
        return {name: Table(one, self.where, self._key(f"{key}.{name}")) for name, one in value.items()}

    def rows(self, key: str) -> list[Table]:
        """Return an array of tables."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.invalid(key, "an array of tables")
        return [Table(one, self.where, self._key(f"{key}[{n}]")) for n, one in enumerate(value)]

    def done(self) -> None:
        """Refuse the keys that nobody asked for."""
        for key in self.values:
            if key not in self._taken:
                raise self.invalid(key, f"one of {', '.join(sorted(self._taken))}", found="is no known key")

    def invalid(self, key: str, expected: str, *, found: str = "") -> PetquantError:
        """Return the error about one key."""
        kind = type(self.values[key]).__name__ if key in self else ""
        words = found or (f"is another kind of value ({kind})" if kind else "is missing")
        return UnreadableInput.of(
            "SIDECAR_INVALID",
            f"key {self._key(key)} {words}",
            expected=expected,
            remedy="mend the file",
            path=self.where,
        )

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        return self.values.get(key, default)

    def _number(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.invalid(key, "a finite number")
        return float(value)

    def _key(self, key: str) -> str:
        return f"{self.above}.{key}" if self.above else key


def table_of(text: str, *, where: str) -> Table:
    """Return the top table of a TOML text.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, with line and column of what is no TOML.
    """
    try:
        return Table(tomllib.loads(text), where)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnreadableInput.of(
            "SIDECAR_INVALID",
            f"no TOML: {error}",
            expected="a TOML file",
            remedy="mend the file",
            path=where,
        ) from error


def shipped(folder: str) -> dict[str, Table]:
    """Return the tables of one folder of this package by file name without suffix, sorted."""
    entries = sorted(files("petquant.reads").joinpath(folder).iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".toml"): table_of(entry.read_text(encoding="utf-8"), where=entry.name)
        for entry in entries
        if entry.name.endswith(".toml")
    }


def shipped_file(name: str) -> Table:
    """Return the table of one file of this package."""
    return table_of(files("petquant.reads").joinpath(name).read_text(encoding="utf-8"), where=name)
