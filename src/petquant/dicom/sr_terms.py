"""Terms of a structured report: codes and words as highdicom takes them."""

from __future__ import annotations

import re
from typing import Any, Final

from petquant.code import Code

__all__ = ["UNITS", "concept", "plain"]

UNITS: Final = {
    "1": Code("1", "UCUM", "no units"),
    "g": Code("g", "UCUM", "gram"),
    "ml": Code("ml", "UCUM", "milliliter"),
    "mm": Code("mm", "UCUM", "millimeter"),
    "s": Code("s", "UCUM", "second"),
    "Bq": Code("Bq", "UCUM", "becquerel"),
    "{pixels}": Code("{pixels}", "UCUM", "pixels"),
}


def concept(code: Code) -> Any:
    """Return a code as highdicom has it."""
    import highdicom  # noqa: PLC0415 - takes a second to import

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)


def plain(words: str) -> str:
    """Return words without control characters."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", words).strip()
