"""A method of delineation is a rule by which voxels of a PET become a region; this is the table of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from petquant.delineation.components import CONNECTIVITIES
from petquant.errors import Finding, PetquantError, UsageError

__all__ = ["METHODS", "Delineation", "Level", "MethodRow", "require_meant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """One row of the table.

    Parameters
    ----------
    name
        As it is asked for.
    rule
        Which voxels belong, x being the value of a voxel; comparisons are inclusive.
    needs
        Parameters of `Delineation` that it must have and that no other may; none has a default.
    is_local
        Whether it needs a region to search in, since it would mean nothing for a whole patient.
    backgrounds
        Names that its background may have; ``("*",)`` any, and then a plain number does as well; () none.
    is_lean
        Whether it is defined for SUV by lean body mass alone.
    source
        Who defined it.
    """

    name: str
    rule: str
    needs: tuple[str, ...] = ()
    is_local: bool = False
    backgrounds: tuple[str, ...] = ()
    is_lean: bool = False
    source: str


_ROWS: Final = (
    MethodRow(name="fixed", rule="x >= T", needs=("threshold",), source="T = 2.5 or 4.0 in the literature"),
    MethodRow(
        name="fraction",
        rule="x >= F max",
        needs=("fraction",),
        is_local=True,
        source="F = 0.41, 0.42 or 0.50 in the literature",
    ),
    MethodRow(
        name="adapted",
        rule="x >= F (max + background)",
        needs=("fraction",),
        is_local=True,
        backgrounds=("*",),
        source="background-adapted isocontour: F = 0.5 (A50, EARL); 0.41 (A41)",
    ),
    MethodRow(
        name="percist",
        rule="x >= 1.5 liver mean + 2 SD, or x >= 2 blood-pool mean + 2 SD, of SUV by lean body mass",
        backgrounds=("liver", "blood_pool"),
        is_lean=True,
        source="Wahl et al. 2009",
    ),
    MethodRow(
        name="liver",
        rule="x >= liver mean + K SD",
        needs=("n_sd",),
        backgrounds=("liver",),
        source="K = 2 or 3 in studies of lymphoma",
    ),
    MethodRow(
        name="nestle",
        rule="x >= BETA I70 + background, I70 the mean of the voxels of at least 0.7 max",
        needs=("beta",),
        is_local=True,
        backgrounds=("*",),
        source="Nestle et al. 2005; BETA as calibrated",
    ),
    MethodRow(
        name="schaefer",
        rule="x >= A I70 + B background, I70 the mean of the voxels of at least 0.7 max",
        needs=("a", "b"),
        is_local=True,
        backgrounds=("*",),
        source="Schaefer et al. 2008; A and B as calibrated on the scanner",
    ),
    MethodRow(
        name="otsu",
        rule="x >= the threshold that separates two classes best (scikit-image, 256 bins)",
        is_local=True,
        source="Otsu 1979",
    ),
    MethodRow(
        name="watershed",
        rule="the basin of the maximum in the gradient, flooded against the shell around the region "
        "(scikit-image)",
        is_local=True,
        source="gradient watershed with markers; Beucher and Meyer 1993",
    ),
)

METHODS: Final = {row.name: row for row in _ROWS}

# parameter of `Delineation`, what it must be
_PARAMETERS: Final = {
    "threshold": "a finite number",
    "fraction": "more than 0, at most 1",
    "n_sd": "a finite number",
    "beta": "a finite number",
    "a": "a finite number",
    "b": "a finite number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A background as a method sees it, in the unit of the volume.

    Parameters
    ----------
    name
        ``liver``, ``blood_pool`` or any other; "" of a plain number.
    mean, sd
        Of its voxels, SD with ddof 0; None of a plain number.
    """

    name: str = ""
    mean: float
    sd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delineation:
    """A method with its parameters.

    Parameters
    ----------
    method
        Name of a row of `METHODS`.
    threshold, fraction, n_sd, beta, a, b
        As the row needs them: T, F, K, BETA, A, B of its rule.
    is_connected
        Keep the component that holds the maximum alone.
    connectivity
        6, 18 or 26.
    """

    method: str
    threshold: float | None = None
    fraction: float | None = None
    n_sd: float | None = None
    beta: float | None = None
    a: float | None = None
    b: float | None = None
    is_connected: bool = False
    connectivity: int = 26


def require_meant(
    delineation: Delineation,
    *,
    suv_type: str,
    has_region: bool,
    background: str | None = None,
    has_background_value: bool = False,
) -> None:
    """Raise when a method lacks something that it needs, or got what means nothing to it.

    Parameters
    ----------
    delineation
        The method with its parameters.
    suv_type
        Name of `petquant.suv.normalisation`.
    has_region
        Whether there is a region to search in.
    background
        Name of a measured background.
    has_background_value
        Whether the background is given as a number.

    Raises
    ------
    UsageError
        OPTION_INVALID, with all causes at once.
    """
    row = METHODS.get(delineation.method)
    if row is None:
        raise _unmeant(f"--method {delineation.method}", f"one of {', '.join(METHODS)}")
    wrong = [*_of_parameters(delineation, row), *_of_background(row, background, has_background_value)]
    if row.is_local and not has_region:
        wrong.append((f"--method {row.name} in the whole volume", "a region, or a shape, to search in"))
    if delineation.is_connected and not has_region:
        wrong.append(("--connected in the whole volume", "a region to search in, or --components"))
    if delineation.is_connected and row.name == "watershed":
        wrong.append(("--connected with --method watershed", "neither: its basin is connected"))
    if row.is_lean and not suv_type.startswith("lbm"):
        wrong.append((f"--method {row.name} with --suv {suv_type}", "--suv lbm-janma, or another lbm"))
    if delineation.connectivity not in CONNECTIVITIES:
        wrong.append((f"--connectivity {delineation.connectivity}", "6, 18 or 26"))
    if wrong:
        findings = (Finding(code="OPTION_INVALID", found=found, expected=ought) for found, ought in wrong)
        raise UsageError.because(*findings)


def _of_parameters(delineation: Delineation, row: MethodRow) -> list[tuple[str, str]]:
    wrong = []
    for name, expected in _PARAMETERS.items():
        value = getattr(delineation, name)
        option = f"--{name.replace('_', '-')}"
        if value is None and name in row.needs:
            wrong.append((f"--method {row.name} without {option}", f"{option}, for {row.rule}"))
        elif value is not None and name not in row.needs:
            wrong.append((f"{option} with --method {row.name}", f"what its rule knows: {row.rule}"))
        elif value is not None and (not math.isfinite(value) or (name == "fraction" and not 0 < value <= 1)):
            wrong.append((f"{option} {value:g}", expected))
    return wrong


def _of_background(row: MethodRow, name: str | None, has_value: bool) -> list[tuple[str, str]]:  # noqa: FBT001 - both say which
    is_any = row.backgrounds == ("*",)
    asked = "--background NAME=FILE or --background-suv" if is_any else ""
    asked = asked or " or ".join(f"--background {name}=FILE" for name in row.backgrounds)
    if not row.backgrounds:
        return [(f"a background with --method {row.name}", f"none: {row.rule}")] if name or has_value else []
    if name is None and not has_value:
        return [(f"--method {row.name} without a background", asked)]
    if name is not None and has_value:
        return [("both --background and --background-suv", "one of them")]
    if has_value and not is_any:
        return [(f"--background-suv with --method {row.name}, which needs the SD too", asked)]
    if name is not None and not is_any and name not in row.backgrounds:
        return [(f"--background {name} with --method {row.name}", asked)]
    return []


def _unmeant(found: str, expected: str) -> PetquantError:
    return UsageError.of("OPTION_INVALID", found, expected=expected)
