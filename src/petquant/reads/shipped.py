"""Shipped tables are TOML files inside the package: rules and figures of other people, with their citations.

Every key is asked for by name and kind. A key that is missing, of another kind, or that nobody asks for makes
the file invalid: a misspelt limit must not become no limit. What is wrong is gathered and raised together,
when the top table is done.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from petquant.errors import Finding, PetquantError, UnreadableInput
from petquant.reads.toml_lines import lines_of_keys

__all__ = ["Table", "finite", "shipped", "shipped_file", "table_of"]


class Table:
    """One table of a TOML file, whose keys are taken one by one.

    A key that cannot be taken gives an empty value of its kind; `done` at the top raises.

    Parameters
    ----------
    values
        Of the table.
    where
        The file, for messages.
    above
        Key of the table in the file, empty at the top.
    lines
        Whole key to its line in the file.
    problems
        What was wrong in the whole file so far.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        where: str,
        above: str = "",
        *,
        lines: Mapping[str, int] | None = None,
        problems: list[Finding] | None = None,
    ) -> None:
        self.values = dict(values)
        self.where = where
        self.above = above
        self.lines = lines or {}
        self.problems = [] if problems is None else problems
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and default is None):
            self.wrong(key, "a text")
            return ""
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
            self.wrong(key, "a list of texts")
            return ()
        return tuple(value)

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "true or false")
            return False
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
            self.wrong(key, "a list of numbers")
            return ()
        return tuple(self._number(key, one) for one in value)

    def maybe_range(self, key: str) -> tuple[float, float] | None:
        """Return two ascending numbers, or None when the key is absent."""
        if key not in self:
            return None
        known = len(self.problems)
        ends = self.numbers(key)
        if len(self.problems) > known:
            return None
        if len(ends) != 2 or ends[0] > ends[1]:
            self.wrong(key, "two ascending numbers")
            return None
        return ends[0], ends[1]

    def tables(self, key: str) -> dict[str, Table]:
        """Return the tables below a key, by name; none when the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
            self.wrong(key, "a table of tables")
            return {}
        return {name: self._below(one, f"{key}.{name}") for name, one in value.items()}

    def rows(self, key: str) -> list[Table]:
        """Return an array of tables."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong(key, "an array of tables")
            return []
        return [self._below(one, f"{key}[{n}]") for n, one in enumerate(value)]

    def done(self) -> None:
        """Say which keys nobody asked for; at the top raise what is wrong in the whole file.

        Raises
        ------
        UnreadableInput
            SIDECAR_INVALID, one finding a key.
        """
        for key in self.values:
            if key not in self._taken:
                self.wrong(key, f"one of {', '.join(sorted(self._taken))}", found="is no known key")
        if self.problems and not self.above:
            raise UnreadableInput.because(*self.problems)

    def wrong(self, key: str, expected: str, *, found: str = "") -> None:
        """Note what is wrong with one key."""
        self.problems += self.invalid(key, expected, found=found).findings

    def invalid(self, key: str, expected: str, *, found: str = "") -> PetquantError:
        """Return the error about one key."""
        kind = type(self.values[key]).__name__ if key in self else ""
        words = found or (f"is another kind of value ({kind})" if kind else "is missing")
        return UnreadableInput.of(
            "SIDECAR_INVALID",
            f"key {self._key(key)}{self._line(key)} {words}",
            expected=expected,
            remedy="mend the file",
            path=self.where,
        )

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        return self.values.get(key, default)

    def _number(self, key: str, value: Any) -> float:
        number = finite(value)
        if number is None:
            self.wrong(key, "a finite number")
            return 0.0
        return number

    def _below(self, values: Mapping[str, Any], key: str) -> Table:
        return Table(values, self.where, self._key(key), lines=self.lines, problems=self.problems)

    def _line(self, key: str) -> str:
        line = self.lines.get(self._key(key))
        return "" if line is None else f" in line {line}"

    def _key(self, key: str) -> str:
        return f"{self.above}.{key}" if self.above else key


def finite(value: Any) -> float | None:
    """Return a value of TOML as a number, None when it is none, not finite, or an integer beyond doubles."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def table_of(text: str, *, where: str) -> Table:
    """Return the top table of a TOML text.

    Raises
    ------
    UnreadableInput
        SIDECAR_INVALID, with line and column of what is no TOML.
    """
    try:
        return Table(tomllib.loads(text), where, lines=lines_of_keys(text))
    except (ValueError, RecursionError) as error:  # ValueError: an integer of too many digits
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
