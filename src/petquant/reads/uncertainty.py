"""Uncertainty of an SUV and of a ratio: relative standard uncertainties, added as squares, reported at k = 2.

``SUV = C w / (A exp(-lambda dt))``, ``A = A_pre exp(-lambda (t_inj - t_pre)) - A_res exp(-lambda (t_inj -
t_res))``. What regions of a scan share (calibration, activity, residual, weight, clock) cancels in a ratio
of two of them and never enters that; what is local (noise, partial volume, quantisation) stays.
Two scans are taken to share nothing. What they do share (one scanner, one weight) cancels in a ratio of their
SUV, whose uncertainty is then an upper bound; how much of it they share, no header says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from petquant.errors import Finding, UsageError

__all__ = [
    "COVERAGE_FACTOR",
    "DEFAULTS",
    "INPUTS",
    "NOISELESS",
    "Default",
    "Scan",
    "Term",
    "Uncertainty",
    "clock_bias_percent",
    "inputs_in_use",
    "inputs_of",
    "noise_differs",
    "noise_of_mean_percent",
    "quantisation_percent",
    "ratio_of_suvs",
    "ratio_of_tbrs",
    "suv_uncertainty",
    "tbr_uncertainty",
]

COVERAGE_FACTOR: Final = 2.0  # k, about 95 % of a normal distribution
NOISELESS: Final = 1e-3  # a CoV below is what 16 bits round, no noise of counts
NOISE_FACTOR: Final = 1.5  # between the coefficients of variation of two scans (reads.md 1.7)
MOST_PERCENT: Final = 100.0  # terms add as squares of relative errors: beyond that nothing is known
MOST_MIN: Final = 1440.0
PROPOSAL: Final = "assumed: a proposal of petquant, no measurement"

Scope = Literal["shared", "local"]

# what a user may give, and the field of `Scan` that takes it
INPUTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "calibration": "calibration_percent",
        "activity": "activity_percent",
        "residual": "residual_percent",
        "weight": "weight_percent",
        "clock": "clock_min",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A standard uncertainty that is assumed when nobody gives one.

    Parameters
    ----------
    name, value, unit
        ``%`` of the quantity, or minutes of the clock.
    meaning
        Of what.
    source
        Why this figure.
    """

    name: str
    value: float
    unit: str
    meaning: str
    source: str = PROPOSAL


DEFAULTS: Final[Mapping[str, Default]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Default(name="calibration", value=3.0, unit="%", meaning="scanner against dose calibrator"),
            Default(name="activity", value=3.0, unit="%", meaning="activity in the dose calibrator"),
            Default(
                name="residual", value=1.0, unit="%", meaning="what stayed in the syringe, of the activity"
            ),
            Default(name="weight_measured", value=1.0, unit="%", meaning="body weight, measured"),
            Default(name="weight_stated", value=5.0, unit="%", meaning="body weight, as the patient says"),
            Default(name="clock", value=1.0, unit="min", meaning="interval between the clocks' readings"),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the shared uncertainties of one scan need; None takes the default, marked as assumed.

    Parameters
    ----------
    half_life_s
        Of the nuclide.
    is_weight_measured
        Whether the weight was measured; None counts as stated.
    calibration_percent, activity_percent, residual_percent, weight_percent
        Relative standard uncertainties.
    clock_min
        Standard uncertainty of the interval from assay to acquisition.
    weight_exponent
        ``d ln N / d ln W``: by how many percent the normaliser N of the SUV type changes with one percent of
        the weight W. 1 for SUVbw.
    """

    half_life_s: float
    is_weight_measured: bool | None = None
    calibration_percent: float | None = None
    activity_percent: float | None = None
    residual_percent: float | None = None
    weight_percent: float | None = None
    clock_min: float | None = None
    weight_exponent: float = 1.0

    def terms(self) -> tuple[Term, ...]:
        """Return the shared terms; the clock as ``100 lambda u_t``."""
        minutes, is_assumed = _given(self.clock_min, "clock")
        weight = "weight_measured" if self.is_weight_measured else "weight_stated"
        of_weight, is_weight_assumed = _given(self.weight_percent, weight)
        given = (
            ("calibration", *_given(self.calibration_percent, "calibration")),
            ("activity", *_given(self.activity_percent, "activity")),
            ("residual", *_given(self.residual_percent, "residual")),
            ("weight", abs(self.weight_exponent) * of_weight, is_weight_assumed),
            ("clock", 100.0 * math.log(2.0) * minutes * 60.0 / self.half_life_s, is_assumed),
        )
        return tuple(
            Term(name=name, percent=percent, scope="shared", is_assumed=is_assumed)
            for name, percent, is_assumed in given
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One relative standard uncertainty.

    Parameters
    ----------
    name
        What is uncertain.
    percent
        Of the result, one standard deviation.
    scope
        ``shared`` by all regions of the scan, or ``local``.
    is_assumed
        Whether it is a default.
    """

    name: str
    percent: float
    scope: Scope
    is_assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """The relative uncertainty of one result.

    Parameters
    ----------
    of
        ``suv``, ``tbr``, ``ratio of SUVs`` or ``ratio of TBRs``.
    terms
        What went in.
    left_out
        What was not known and so is not in it: the uncertainty is then a lower bound.
    """

    of: str
    terms: tuple[Term, ...]
    left_out: tuple[str, ...]

    @property
    def shared_percent(self) -> float:
        """Root of the squares of the shared terms."""
        return _root(term.percent for term in self.terms if term.scope == "shared")

    @property
    def local_percent(self) -> float:
        """Root of the squares of the local terms."""
        return _root(term.percent for term in self.terms if term.scope == "local")

    @property
    def percent(self) -> float:
        """Relative standard uncertainty, one standard deviation."""
        return _root(term.percent for term in self.terms)

    @property
    def expanded_percent(self) -> float:
        """With k = 2: what is reported."""
        return COVERAGE_FACTOR * self.percent

    @property
    def has_noise(self) -> bool:
        """Whether no noise was left out: without it this says nothing of a single lesion."""
        return not any("noise" in name for name in self.left_out)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """One sentence for each term that is a default."""
        return tuple(f"{t.name} {t.percent:.3g} %: {PROPOSAL}" for t in self.terms if t.is_assumed)


def inputs_of(text: str) -> dict[str, float]:
    """Return the inputs of ``calibration=2,clock=0.5``: name in `INPUTS` to standard uncertainty.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        most = MOST_MIN if name == "clock" else MOST_PERCENT
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name not in INPUTS or name in found or not 0.0 <= value <= most:
            raise UsageError.of(
                "OPTION_INVALID",
                f"--uncertainty {text}: {part.strip() or 'nothing'}",
                expected=f"each of {', '.join(INPUTS)} at most once, as NAME=NUMBER: 0 to {MOST_PERCENT:g} "
                f"percent, of the clock 0 to {MOST_MIN:g} minutes",
            )
        found[name] = value
    return found


def inputs_in_use(given: Mapping[str, float]) -> tuple[Default, ...]:
    """Return the inputs as they hold for scans whose weight is stated: those given, and else the defaults."""
    rows = []
    for name in INPUTS:
        default = DEFAULTS["weight_stated" if name == "weight" else name]
        value, source = (given[name], "given") if name in given else (default.value, default.source)
        meaning = "body weight" if name in given and name == "weight" else default.meaning
        rows.append(Default(name=name, value=value, unit=default.unit, meaning=meaning, source=source))
    return tuple(rows)


def suv_uncertainty(
    scan: Scan,
    *,
    noise_percent: float | None,
    partial_volume_percent: float | None = None,
    quantisation_percent: float | None = None,
) -> Uncertainty:
    """Return the uncertainty of an SUV: all shared terms and the local ones of the lesion.

    ``u^2 = u_cal^2 + u_A^2 + u_res^2 + u_w^2 + (lambda u_t)^2 + u_noise^2 + u_PV^2 + u_quant^2``

    Parameters
    ----------
    scan
        The shared terms.
    noise_percent, partial_volume_percent, quantisation_percent
        Of the lesion's value; None is left out and said so.
    """
    local, left_out = _local(
        {
            "noise": noise_percent,
            "partial volume": partial_volume_percent,
            "quantisation": quantisation_percent,
        }
    )
    return Uncertainty(of="suv", terms=(*scan.terms(), *local), left_out=left_out)


def tbr_uncertainty(
    *,
    noise_percent: float | None,
    background_noise_percent: float | None,
    partial_volume_percent: float | None = None,
    bed_min: float | None = None,
    half_life_s: float | None = None,
) -> Uncertainty:
    """Return the uncertainty of a ratio within one scan; nothing that is shared enters.

    ``u^2 = u_noise,lesion^2 + u_noise,background^2 + u_PV^2 (+ (lambda u_bed)^2)``

    Parameters
    ----------
    noise_percent, background_noise_percent, partial_volume_percent
        None is left out and said so.
    bed_min, half_life_s
        Uncertainty of the interval between the beds, only where they are not decay-aligned.

    Raises
    ------
    ValueError
        A `bed_min` without half-life.
    """
    local, left_out = _local(
        {
            "noise": noise_percent,
            "noise of the background": background_noise_percent,
            "partial volume": partial_volume_percent,
        }
    )
    if bed_min is not None:
        if half_life_s is None:
            raise ValueError("the interval between beds needs a half-life")
        percent = 100.0 * math.log(2.0) * bed_min * 60.0 / half_life_s
        local = (*local, Term(name="bed interval", percent=percent, scope="local"))
    return Uncertainty(of="tbr", terms=local, left_out=left_out)


def ratio_of_suvs(a: Uncertainty, b: Uncertainty) -> Uncertainty:
    """Return the uncertainty of the SUV of one tracer over that of another: all terms of both scans.

    Shared terms of both are added as independent: an upper bound where scanner or weight are the same.
    """
    return _ratio("ratio of SUVs", a, b, of="suv")


def ratio_of_tbrs(a: Uncertainty, b: Uncertainty) -> Uncertainty:
    """Return the uncertainty of the ratio of one tracer over that of another: the local terms of both."""
    return _ratio("ratio of TBRs", a, b, of="tbr")


def clock_bias_percent(offset_min: float, half_life_s: float) -> float:
    """Return the bias of SUV when scanner and dose calibrator differ: ``100 (exp(lambda d) - 1)``.

    The offset shifts activity and interval together. 5 min: 3.2 % for 18F, 5.3 % for 68Ga.
    """
    return 100.0 * math.expm1(math.log(2.0) * offset_min * 60.0 / half_life_s)


def noise_of_mean_percent(cov: float, n_eff: float) -> float:
    """Return the noise of a mean over a volume, ``100 CoV / sqrt(n_eff)``.

    Parameters
    ----------
    cov
        Of the voxels of a uniform organ.
    n_eff
        Independent voxels in the volume (for SUVpeak the 1 mL sphere), at least 1: ``N^2 / sum rho_ij``.

    Raises
    ------
    ValueError
        When `n_eff` is less than 1.
    """
    if not n_eff >= 1.0:
        raise ValueError("a volume holds at least one independent voxel")
    return 100.0 * cov / math.sqrt(n_eff)


def quantisation_percent(slope: float, value: float) -> float:
    """Return the uncertainty of a stored value, ``100 slope / (sqrt(12) value)``: uniform within one step."""
    return 100.0 * slope / (math.sqrt(12.0) * value)


def noise_differs(cov_a: float, cov_b: float, *, tissue: str) -> tuple[Finding, ...]:
    """Return NOISE_DIFFERS when the coefficients of variation of two scans differ by more than a factor 1.5.

    Two scans without noise (both below `NOISELESS`) do not differ in it.

    Parameters
    ----------
    cov_a, cov_b
        In one tissue of both scans (liver or blood pool).
    tissue
        For the message.
    """
    low, high = sorted((cov_a, cov_b))
    if low > 0.0 and (high <= NOISE_FACTOR * low or math.isclose(high, NOISE_FACTOR * low)):
        return ()
    if high < NOISELESS:
        return ()
    return (
        Finding(
            code="NOISE_DIFFERS",
            found=f"CoV of {tissue} {cov_a:.3g} and {cov_b:.3g}",
            expected=f"a factor of at most {NOISE_FACTOR:g}",
            remedy="compare SUVpeak or SUVmean: SUVmax is biased upwards by noise",
        ),
    )


def _given(value: float | None, name: str) -> tuple[float, bool]:
    return (DEFAULTS[name].value, True) if value is None else (value, False)


def _local(values: Mapping[str, float | None]) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    known = [Term(name=n, percent=v, scope="local") for n, v in values.items() if v is not None]
    return tuple(known), tuple(name for name, value in values.items() if value is None)


def _ratio(words: str, a: Uncertainty, b: Uncertainty, *, of: str) -> Uncertainty:
    if (a.of, b.of) != (of, of):
        raise ValueError(f"a {words} needs two uncertainties of {of}, not {a.of} and {b.of}")
    left_out = (*(f"{name} of a" for name in a.left_out), *(f"{name} of b" for name in b.left_out))
    return Uncertainty(of=words, terms=(*a.terms, *b.terms), left_out=left_out)


def _root(values: Iterable[float]) -> float:
    return math.sqrt(sum(value**2 for value in values))
