"""A time variant is another way to write the same dates and times, as PACS and scanners have been seen to do.

The instants stay what they are: only their text changes, or one of two attributes that say the same is left
out. Fractions, whole minutes and blanks are within the standard; colons and dots are ACR-NEMA.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from petquant_phantoms.encoding import put_raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

TimeVariant = Literal[
    "standard",
    "datetime_only",
    "time_only",
    "fractional",
    "tenths",
    "hours_minutes",
    "colons",
    "blanks",
    "dotted_dates",
]


def _fractional(text: str) -> str:
    return text if "." in text else f"{text}.000000"


def _tenths(text: str) -> str:
    return re.sub(r"(\.\d)0*$", r"\1", _fractional(text))


def _without_zero_seconds(text: str) -> str:
    return re.sub(r"(?<=^\d{4})00(\.0*)?$|(?<=^\d{12})00(\.0*)?$", "", text)


def _with_colons(text: str) -> str:
    return re.sub(r"^(\d\d)(\d\d)(\d\d)", r"\1:\2:\3", text)


# What a variant does to the text of each value representation.
_SPELLINGS: dict[str, dict[str, Callable[[str], str]]] = {
    "fractional": {"TM": _fractional, "DT": _fractional},
    "tenths": {"TM": _tenths, "DT": _tenths},
    "hours_minutes": {"TM": _without_zero_seconds, "DT": _without_zero_seconds},
    "colons": {"TM": _with_colons},
    "blanks": {"TM": lambda text: f" {text} ", "DT": lambda text: f"{text}  "},
    "dotted_dates": {"DA": lambda text: f"{text[:4]}.{text[4:6]}.{text[6:]}"},
}

# The one of the two injection times that a variant leaves out.
_LEFT_OUT = {
    "datetime_only": "RadiopharmaceuticalStartTime",
    "time_only": "RadiopharmaceuticalStartDateTime",
}


def respell(dataset: Dataset, variant: TimeVariant) -> None:
    """Write the dates and times of a dataset and of all its items in another way, in place."""
    for item in dataset.get("RadiopharmaceuticalInformationSequence") or ():
        if _LEFT_OUT.get(variant, "") in item:
            del item[_LEFT_OUT[variant]]
    if variant in _SPELLINGS:
        _respell(dataset, _SPELLINGS[variant])


def _respell(dataset: Dataset, spelling: dict[str, Callable[[str], str]]) -> None:
    for element in list(dataset):
        if element.VR == "SQ":
            for item in element.value:
                _respell(item, spelling)
        elif element.VR in spelling and element.value and element.keyword != "PatientBirthDate":
            put_raw(dataset, element.tag, spelling[element.VR](str(element.value)), vr=element.VR)
