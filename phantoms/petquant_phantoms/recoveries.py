"""A recovery coefficient is the share of a sphere's contrast that survives the blur of the scanner.

All are integrals of `fields.sphere`; the sphere has unit contrast on zero background where nothing else
is said. Lengths are in mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from petquant_phantoms.fields import sigma_mm, sphere
from petquant_phantoms.overlaps import PEAK_RADIUS_MM

if TYPE_CHECKING:
    from petquant_phantoms.image import PointSpread


def at_centre(*, radius_mm: float, fwhm_mm: float) -> float:
    """Return the contrast recovery of the centre, ``erf(a) - 2a/sqrt(pi) exp(-a^2)``, a = R/(sqrt2 s)."""
    a = radius_mm / (math.sqrt(2.0) * sigma_mm(fwhm_mm))
    return math.erf(a) - 2.0 * a / math.sqrt(math.pi) * math.exp(-(a**2))


def of_true_sphere(*, radius_mm: float, fwhm_mm: float) -> float:
    """Return the mean recovery over the true sphere.

    Notes
    -----
    With ``b = 2R/s``, ``k = R/s`` and ``e = exp(-b^2/2)``:
    ``sqrt(2/pi) [I2 - 3 I3/(4k) + I5/(16 k^3)]``, where ``I2 = sqrt(pi/2) erf(b/sqrt2) - b e``,
    ``I3 = 2 - (b^2+2) e`` and ``I5 = 8 - (b^4+4b^2+8) e``.
    """
    k = radius_mm / sigma_mm(fwhm_mm)
    b = 2.0 * k
    e = math.exp(-(b**2) / 2.0)
    i2 = math.sqrt(math.pi / 2.0) * math.erf(b / math.sqrt(2.0)) - b * e
    i3 = 2.0 - (b**2 + 2.0) * e
    i5 = 8.0 - (b**4 + 4.0 * b**2 + 8.0) * e
    return math.sqrt(2.0 / math.pi) * (i2 - 3.0 * i3 / (4.0 * k) + i5 / (16.0 * k**3))


def of_ball(*, radius_mm: float, fwhm_mm: float, ball_radius_mm: float) -> float:
    """Return the mean recovery over a concentric ball, ``3/rho^3 integral_0^rho C(r) r^2 dr``."""
    integral, _ = quad(
        lambda r: float(sphere(r, radius_mm=radius_mm, fwhm_mm=fwhm_mm)) * r**2,
        0.0,
        ball_radius_mm,
        limit=200,
    )
    return 3.0 / ball_radius_mm**3 * float(integral)


def of_central_disc(*, radius_mm: float, fwhm_mm: float) -> float:
    """Return the NEMA mean over the disc of the sphere's radius, ``2/R^2 integral_0^R C(r) r dr``."""
    integral, _ = quad(
        lambda r: float(sphere(r, radius_mm=radius_mm, fwhm_mm=fwhm_mm)) * r, 0.0, radius_mm, limit=200
    )
    return 2.0 / radius_mm**2 * float(integral)


def isocontour_volume_ratio(*, radius_mm: float, fwhm_mm: float, threshold: float) -> float:
    """Return the volume above ``threshold`` times the maximum, over the true volume of the sphere."""
    level = threshold * at_centre(radius_mm=radius_mm, fwhm_mm=fwhm_mm)
    outside_mm = radius_mm + 5.0 * fwhm_mm
    contour_mm = brentq(
        lambda r: float(sphere(r, radius_mm=radius_mm, fwhm_mm=fwhm_mm)) - level, 0.0, outside_mm, xtol=1e-12
    )
    return (float(contour_mm) / radius_mm) ** 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SphereRecoveries:
    """What EARL measures of a sphere, each over the true activity of the sphere: background counts."""

    a50: float
    maximum: float
    peak: float


def in_background(*, radius_mm: float, point_spread: PointSpread, ratio: float) -> SphereRecoveries:
    """Return the recoveries of a sphere of ``ratio`` times the background, in the continuum.

    Parameters
    ----------
    radius_mm
        Radius of the sphere.
    point_spread
        Gaussians that are the point spread together.
    ratio
        Activity of the sphere over that of the background.

    Notes
    -----
    ``S(r) = 1 + (ratio - 1) C(r)``. A50 is the mean of S inside the contour ``S = 1/2 (max + 1)``, the
    maximum is taken over all r (with overshoot it lies near the rim), the peak is the mean in the ball of
    1 mL at the centre.
    """

    def image(r: float) -> float:
        terms = (
            term.weight * float(sphere(r, radius_mm=radius_mm, fwhm_mm=term.fwhm_mm)) for term in point_spread
        )
        return 1.0 + (ratio - 1.0) * sum(terms)

    def mean(ball_radius_mm: float) -> float:
        integral, _ = quad(lambda r: image(r) * r**2, 0.0, ball_radius_mm, limit=200)
        return 3.0 / ball_radius_mm**3 * float(integral)

    radii = np.linspace(0.0, radius_mm, 2001)
    profile = [image(float(r)) for r in radii]
    maximum = max(profile)
    level = 0.5 * (maximum + 1.0)
    outside_mm = radius_mm + 3.0 * max(term.fwhm_mm for term in point_spread)
    inside_mm = float(radii[int(np.argmax(profile))])
    contour_mm = float(brentq(lambda r: image(r) - level, inside_mm, outside_mm, xtol=1e-12))
    return SphereRecoveries(
        a50=mean(contour_mm) / ratio, maximum=maximum / ratio, peak=mean(PEAK_RADIUS_MM) / ratio
    )
