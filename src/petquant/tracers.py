"""Tracers: the molecule that was injected, its nuclide, how headers name it, and its uptake window."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["TRACERS", "Tracer", "tracer_by_name", "tracers_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracer:
    """One tracer.

    Parameters
    ----------
    name
        ``[18F]FDG``.
    nuclide
        Name in `petquant.nuclides`.
    pattern
        Regular expression that finds it in header text, ignoring case.
    codes
        Code values of DICOM CID 4021.
    uptake_window_min
        Minutes after injection in which protocols scan, or None.
    source
        Where the window stands.
    """

    name: str
    nuclide: str
    pattern: str
    codes: tuple[str, ...] = ()
    uptake_window_min: tuple[float, float] | None = None
    source: str = ""


TRACERS: tuple[Tracer, ...] = (
    Tracer(
        name="[18F]FDG",
        nuclide="18F",
        pattern=r"\bF?-?(18)?-?FDG\b|fluorodeoxyglucose|fluoro-?2-?deoxy|fludeoxyglucose",
        codes=("35321007", "C-B1031", "Y-X1743"),
        uptake_window_min=(55.0, 75.0),
        source="EANM procedure guidelines for tumour imaging",
    ),
    Tracer(
        name="[68Ga]Pentixafor",
        nuclide="68Ga",
        pattern=r"pentixafor",
        uptake_window_min=(30.0, 60.0),
        source="trial protocols NCT06125028, NCT05222269, NCT04561492",
    ),
    Tracer(
        name="[68Ga]PSMA-11",
        nuclide="68Ga",
        pattern=r"(68)?Ga(68)?[- ]*\]?[- ]*PSMA|PSMA[- ]*11",
        codes=("C118961",),
    ),
    Tracer(name="[68Ga]DOTATATE", nuclide="68Ga", pattern=r"dotatate", codes=("724025002",)),
    Tracer(
        name="[18F]FLT",
        nuclide="18F",
        pattern=r"\bFLT\b|fluorothymidine|fluoro-?l-?thymidin",
        codes=("C-B1036",),
    ),
)


def tracers_in(text: str) -> tuple[Tracer, ...]:
    """Return the tracers that `text` (a name or a code value) means."""
    return tuple(
        tracer
        for tracer in TRACERS
        if re.search(tracer.pattern, text, re.IGNORECASE) or text.strip() in tracer.codes
    )


def tracer_by_name(name: str) -> Tracer | None:
    """Return the tracer called `name`: its own name, or any word that headers use for it."""
    exact = next((t for t in TRACERS if t.name.casefold() == name.strip().casefold()), None)
    return exact or next(iter(tracers_in(name)), None)
