"""Nuclides of PET with their half-lives, and the decay factor.

Half-lives are those of ICRP Publication 107 in seconds. A half-life in a file is used as it stands there;
this table only judges it, or replaces it when the user says so. There is no default nuclide.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["NUCLIDES", "Nuclide", "average_count_time_s", "decay_factor", "nuclide_by_code", "nuclides_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuclide:
    """One nuclide.

    Parameters
    ----------
    name
        Mass number and element, ``18F``.
    half_life_s
        Physical half-life in seconds.
    source
        Where the half-life stands.
    codes
        Code values of DICOM CID 4020 in SNOMED CT, DCM and the retired SNOMED RT form; schemes are written
        in many ways, so a code is recognised by its value.
    """

    name: str
    half_life_s: float
    source: str
    codes: tuple[str, ...]


_ICRP = "ICRP Publication 107 (2008)"

NUCLIDES: tuple[Nuclide, ...] = (
    Nuclide(
        name="11C", half_life_s=1223.4, source=f"{_ICRP}, 20.39 min", codes=("40565003", "C-105A1", "C-105A")
    ),
    Nuclide(name="13N", half_life_s=597.9, source=f"{_ICRP}, 9.965 min", codes=("21576001", "C-107A1")),
    Nuclide(name="15O", half_life_s=122.24, source=_ICRP, codes=("129504001", "C-B1038")),
    Nuclide(name="18F", half_life_s=6586.2, source=f"{_ICRP}, 109.77 min", codes=("77004003", "C-111A1")),
    Nuclide(name="44Sc", half_life_s=14292.0, source=f"{_ICRP}, 3.97 h", codes=("126600",)),
    Nuclide(name="52Mn", half_life_s=483062.4, source=f"{_ICRP}, 5.591 d", codes=("37225000", "C-149A1")),
    Nuclide(name="61Cu", half_life_s=11998.8, source=f"{_ICRP}, 3.333 h", codes=("71425003", "C-127A1")),
    Nuclide(name="62Cu", half_life_s=580.38, source=f"{_ICRP}, 9.673 min", codes=("422934004", "C-127A5")),
    Nuclide(
        name="64Cu", half_life_s=45720.0, source=f"{_ICRP}, 12.700 h", codes=("3932008", "C-127A2", "C-127A")
    ),
    Nuclide(name="66Ga", half_life_s=34164.0, source=f"{_ICRP}, 9.49 h", codes=("79477007", "C-131A1")),
    Nuclide(name="68Ga", half_life_s=4062.6, source=f"{_ICRP}, 67.71 min", codes=("35337001", "C-131A3")),
    Nuclide(name="68Ge", half_life_s=23410080.0, source=f"{_ICRP}, 270.95 d", codes=("53315004", "C-128A2")),
    Nuclide(name="76Br", half_life_s=58320.0, source=f"{_ICRP}, 16.2 h", codes=("79523006", "C-113A2")),
    Nuclide(name="82Rb", half_life_s=76.38, source=f"{_ICRP}, 1.273 min", codes=("79197006", "C-159A2")),
    Nuclide(name="86Y", half_life_s=53064.0, source=f"{_ICRP}, 14.74 h", codes=("10738001", "C-162A3")),
    Nuclide(name="89Zr", half_life_s=282276.0, source=f"{_ICRP}, 78.41 h", codes=("63360001", "C-168A4")),
    Nuclide(name="90Y", half_life_s=230760.0, source=f"{_ICRP}, 64.10 h", codes=("14691008", "C-162A7")),
    Nuclide(name="94mTc", half_life_s=3120.0, source=f"{_ICRP}, 52.0 min", codes=("424079002", "C-163AA")),
    Nuclide(name="124I", half_life_s=360806.4, source=f"{_ICRP}, 4.1760 d", codes=("40937006", "C-114A5")),
    Nuclide(name="22Na", half_life_s=82107966.0, source=f"{_ICRP}, 2.6019 y", codes=("71633006", "C-155A1")),
    Nuclide(name="177Lu", half_life_s=574300.8, source=f"{_ICRP}, 6.647 d", codes=()),
)

_ELEMENTS = {
    "C": "carbon",
    "N": "nitrogen",
    "O": "oxygen",
    "F": "fluorine",
    "SC": "scandium",
    "MN": "manganese",
    "CU": "copper",
    "GA": "gallium",
    "GE": "germanium",
    "BR": "bromine",
    "RB": "rubidium",
    "Y": "yttrium",
    "ZR": "zirconium",
    "TC": "technetium",
    "I": "iodine",
    "NA": "sodium",
    "LU": "lutetium",
}


@lru_cache(maxsize=len(NUCLIDES))
def _pattern(mass: str, element: str) -> re.Pattern[str]:
    """Return what names a nuclide in text: 18F, F18, F-18, [18F], ^18^Fluorine, fluorine 18."""
    word = _ELEMENTS[element.upper()]
    gap = r"[\s\^\-_\[\]()]*"
    symbol = f"(?:{element}|{word})"
    return re.compile(
        rf"(?<![0-9]){mass}{gap}{symbol}(?![a-z])|(?<![a-z]){symbol}{gap}{mass}(?![0-9])", re.IGNORECASE
    )


def nuclide_by_code(code_value: str) -> Nuclide | None:
    """Return the nuclide of a code value, whatever scheme it is said to come from."""
    return next((nuclide for nuclide in NUCLIDES if code_value.strip().upper() in nuclide.codes), None)


def nuclides_in(text: str) -> tuple[Nuclide, ...]:
    """Return the nuclides that `text` names, such as ``^18^Fluorine``, ``Ga68-PSMA`` or ``[18F]FDG``."""
    named = []
    for nuclide in NUCLIDES:
        element = nuclide.name.lstrip("0123456789m")
        mass = nuclide.name.removesuffix(element)
        if mass in text and _pattern(mass, element).search(text):
            named.append(nuclide)
    return tuple(named)


def decay_factor(elapsed_s: float, half_life_s: float) -> float:
    """Return the fraction left after `elapsed_s`: ``2 ** (-elapsed_s / half_life_s)``.

    Before the start it is above 1, and infinite where no float can hold it.
    """
    try:
        return float(2.0 ** (-elapsed_s / half_life_s))
    except OverflowError:
        return math.inf


def average_count_time_s(duration_s: float, half_life_s: float) -> float:
    """Return when, after the start of a frame, the count rate equals the frame's mean.

    ``T_ave = ln(x / (1 - exp(-x))) / lambda`` with ``x = lambda T``, computed with ``expm1``; T / 2 in the
    limit of x below 1e-9 (suv.md section 2).

    Parameters
    ----------
    duration_s
        Frame duration T in s, > 0.
    half_life_s
        In s, > 0; ``lambda = ln 2 / half_life_s``.

    Returns
    -------
    Seconds after the start of the frame.
    """
    decay_constant = math.log(2.0) / half_life_s
    x = decay_constant * duration_s
    if x < 1e-9:
        return duration_s / 2.0
    return math.log(x / -math.expm1(-x)) / decay_constant
