"""The rule of positivity: when a lesion counts as positive on a scan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from petquant.errors import UsageError
from petquant.measurement import Number

__all__ = ["DRAWN", "Rule", "rule_of"]

DRAWN: Final = "drawn"
ALIASES: Final = {"bp": "blood_pool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """SUVmax above a multiple of the mean of a reference, as a ratio; or what was drawn.

    Parameters
    ----------
    text
        In one form, however it was given.
    reference
        Name of the background; empty for ``drawn``.
    factor
        Its multiple; equality is negative.
    """

    text: str
    reference: str = ""
    factor: float = 1.0

    def call(self, values: Mapping[str, Number], is_forced: bool) -> bool | None:  # noqa: FBT001 - petquant.reads.pairing.Call
        """Return whether a read is positive; None where the ratio is not known."""
        if not self.reference:
            return not is_forced
        ratio = values.get(f"tbr_max_{self.reference}")
        return None if ratio is None else ratio > self.factor


def rule_of(text: str) -> Rule:
    """Return the rule of ``>NAME``, ``>FACTOR*NAME`` or ``drawn``.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    words = text.replace(" ", "")
    if words == DRAWN:
        return Rule(text=DRAWN)
    found = re.fullmatch(r">(?:(\d+(?:\.\d+)?)\*)?([A-Za-z][A-Za-z0-9_]*)", words)
    if found is None:
        raise UsageError.of(
            "OPTION_INVALID",
            f"--positivity {text}",
            expected=">NAME or >FACTOR*NAME with the name of a background, such as >1.5*blood_pool, or drawn",
        )
    name, factor = ALIASES.get(found[2], found[2]), float(found[1] or 1.0)
    words = f">{name}" if factor == 1.0 else f">{factor:g}*{name}"
    return Rule(text=words, reference=name, factor=factor)
