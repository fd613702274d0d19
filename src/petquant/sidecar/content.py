"""The content of a side-car: one JSON object, of bounded size, each value asked for by its key.

A value that cannot be read keeps its text and carries the defect; whether it matters is decided later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from petquant.acquisition import Written
from petquant.errors import LimitReached, PetquantError, UnreadableInput

__all__ = ["Sidecar", "finite", "read_bounded", "read_sidecar"]

MAX_BYTES = 2**24  # side-cars of dynamic scans hold some 100 kB
ABSENT = ("", "n/a")  # BIDS writes n/a where a value is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """Keys and values of a side-car; without a file it holds none.

    Parameters
    ----------
    path
        None when there is no side-car.
    values
        As JSON has them.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def present(self, *keys: str) -> str:
        """Return the first of `keys` that holds a value; the first of all when none does."""
        return next((key for key in keys if _text(self.values.get(key))), keys[0])

    def text(self, *keys: str) -> Written[str]:
        """Return the text of the first key that holds a value."""
        key = self.present(*keys)
        text = _text(self.values.get(key))
        return Written(value=text or None, text=text, keyword=key)

    def number(self, *keys: str) -> Written[float]:
        """Return a number; what is no finite number carries the defect VALUE_NOT_FINITE."""
        key = self.present(*keys)
        text = _text(self.values.get(key))
        if not text:
            return Written(keyword=key)
        number = finite(self.values[key])
        defect = "VALUE_NOT_FINITE" if number is None else ""
        return Written(value=number, text=text, keyword=key, defect=defect)

    def numbers(self, *keys: str) -> Written[tuple[float, ...]]:
        """Return a list of numbers, or one number as a list."""
        key = self.present(*keys)
        raw = self.values.get(key)
        text = _text(raw)
        if not text:
            return Written(keyword=key)
        found = [finite(one) for one in (raw if isinstance(raw, list) else [raw])]
        numbers = tuple(number for number in found if number is not None)
        if len(numbers) < len(found):
            return Written(text=text, keyword=key, defect="VALUE_NOT_FINITE")
        return Written(value=numbers, text=text, keyword=key)

    def truth(self, key: str) -> bool | None:
        """Return a truth value, None when it is absent or none."""
        return {"true": True, "false": False}.get(_text(self.values.get(key)).casefold())

    def part(self, key: str) -> Sidecar:
        """Return an object within, empty when there is none."""
        inner = self.values.get(key)
        return Sidecar(path=self.path, values=inner if isinstance(inner, dict) else {})


def read_sidecar(path: Path) -> Sidecar:
    """Return the content of a side-car.

    Raises
    ------
    UnreadableInput
        FILE_UNREADABLE; SIDECAR_INVALID for what is no JSON object, names a key twice, or holds NaN.
    LimitReached
        SIZE_LIMIT.
    """
    try:
        values = json.loads(
            read_bounded(path).decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise _invalid(path, str(error) or type(error).__name__) from error
    if not isinstance(values, dict):
        raise _invalid(path, "no JSON object")
    return Sidecar(path=path, values=values)


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a small file.

    Raises
    ------
    UnreadableInput, LimitReached
        FILE_UNREADABLE, SIZE_LIMIT.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a file that can be read",
            path=str(path),
        ) from error
    if len(content) > MAX_BYTES:
        raise LimitReached.of(
            "SIZE_LIMIT", f"more than {MAX_BYTES} bytes", expected="a side-car", path=str(path)
        )
    return content


def finite(value: Any) -> float | None:
    """Return a finite number, written as a number or as text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and "_" not in str(value) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return "" if text.strip().casefold() in ABSENT or value == [] else text.strip()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return values


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"the side-car cannot be read: {found}",
        expected="one JSON object as BIDS-PET or dcm2niix write it",
        path=str(path),
    )
