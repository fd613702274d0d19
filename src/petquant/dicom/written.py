"""What stands in a header, written down: text, a decimal string or a time, with its tag and what is wrong.

A value that cannot be read keeps its text and carries the defect; whether it matters is decided later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from petquant.acquisition import Written
from petquant.dicom.attributes import Attributes
from petquant.dicom.tags import tag_words

__all__ = ["finite", "number_written", "text_written", "time_written"]


def text_written(attributes: Attributes, keyword: str, tag: int) -> Written[str]:
    """Return a text; `keyword` names it unless it was read under another tag."""
    name, words = attributes.name(tag)
    return Written(
        value=attributes.text(tag) or None, text=attributes.words(tag), keyword=name or keyword, tag=words
    )


def number_written(attributes: Attributes, keyword: str, tag: int) -> Written[float]:
    """Return a decimal string; what is no finite number keeps its text and carries the defect."""
    text, words = attributes.text(tag), tag_words(tag)
    if not text:
        return Written(keyword=keyword, tag=words)
    number = finite(text)
    if number is None:
        return Written(text=text, keyword=keyword, tag=words, defect="VALUE_NOT_FINITE")
    return Written(value=number, text=text, keyword=keyword, tag=words)


def time_written(text: str, parse: Callable[[str], Any], *, keyword: str, tag: int) -> Written[Any]:
    """Return a time that `parse` reads from `text`."""
    words = tag_words(tag)
    if not text:
        return Written(keyword=keyword, tag=words)
    try:
        return Written(value=parse(text), text=text, keyword=keyword, tag=words)
    except (ValueError, OverflowError):
        return Written(text=text, keyword=keyword, tag=words, defect="TIME_UNPARSABLE")


@lru_cache(maxsize=4096)
def finite(text: str) -> float | None:
    """Return the number of a decimal string, None when it is none or not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
