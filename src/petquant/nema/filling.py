"""A filling is what was put into a phantom: activity concentrations as measured, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from petquant.errors import Refused, UsageError
from petquant.nema.scan import PhantomScan

__all__ = ["Filling", "background_suv_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Activity concentrations of hot spheres and background in kBq/mL at one time on the scanner's clock.

    Raises
    ------
    UsageError
        OPTION_INVALID, when the spheres do not hold more than the background, or that holds nothing.
    """

    sphere_kbqml: float
    background_kbqml: float
    at: datetime

    def __post_init__(self) -> None:
        if not (0.0 < self.background_kbqml < self.sphere_kbqml < math.inf):
            raise UsageError.of(
                "OPTION_INVALID",
                f"--sphere-kbqml {self.sphere_kbqml:g} with --background-kbqml {self.background_kbqml:g}",
                expected="spheres above a background above 0",
            )

    @property
    def ratio(self) -> float:
        """Concentration of the spheres over that of the background."""
        return self.sphere_kbqml / self.background_kbqml


def background_suv_of(scan: PhantomScan, filling: Filling) -> float:
    """Return the true SUV of the background.

    ``1000 b 2^(-(t_ref - t_fill)/T) f`` with b in kBq/mL, t_ref the decay reference of the image, T the
    half-life and f the SUV of 1 Bq/mL.

    Raises
    ------
    Refused
        FILLING_NOT_COMPARABLE, when the image is not in Bq/mL at one known time.
    """
    conversion = scan.study.conversion
    scale, bqml = conversion.scale("bw"), conversion.stored.bqml_per_value
    half_life_s, reference_at = conversion.half_life.half_life_s, conversion.decay_reference_at
    if (
        scale is None
        or not isinstance(scale.factor, float)
        or not isinstance(bqml, float)
        or half_life_s is None
        or reference_at is None
    ):
        raise Refused.of(
            "FILLING_NOT_COMPARABLE",
            f"the values are in {conversion.stored.units}, decay correction {conversion.decay_correction}",
            expected="Bq/mL at one known time",
        )
    waited_s = (reference_at - filling.at).total_seconds()
    concentration_bqml = 1000.0 * filling.background_kbqml * 2.0 ** (-waited_s / half_life_s)
    return float(concentration_bqml * scale.factor / bqml)
