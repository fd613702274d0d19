"""A decimal string (DS) is how DICOM writes a real number: at most 16 characters of text.

What the text says is the number; a phantom reckons with ``float(text)``, never with what it was rounded from.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context

from pydicom.valuerep import format_number_as_ds


def text_of(value: float) -> str:
    """Return the closest decimal string of at most 16 characters."""
    short = repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    return short if len(short) <= 16 else str(format_number_as_ds(float(value)))


def rounded(value: float) -> float:
    """Return the number that a reader finds when ``value`` is written as a decimal string."""
    return float(text_of(value))


def at_least(value: float) -> str:
    """Return a decimal string of nine digits that is not below ``value``, as a slope must not be."""
    return str(Context(prec=9, rounding=ROUND_CEILING).create_decimal_from_float(value).normalize())
