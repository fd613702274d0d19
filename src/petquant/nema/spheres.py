"""The spheres of the IEC body phantom: found by pattern, told apart by volume, fitted for their blur.

Six centres lie 60 degrees apart on a circle round the middle of the body. The pattern is matched to the
smoothed contrast; the integral of the contrast round a centre is its volume times its true contrast whatever
the blur, which tells the diameters apart; then the closed form of a blurred sphere of that diameter is
fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from petquant.errors import Refused
from petquant.nema.discs import Slices
from petquant.nema.iec_phantom import (
    BODY_HEIGHT_MM,
    BODY_WIDTH_MM,
    DIAMETERS_MM,
    RING_RADIUS_MM,
    volume_ml,
)

__all__ = ["Body", "FittedSphere", "blurred_sphere", "find_body", "find_spheres"]

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
OUTLINE_TOLERANCE_MM = 20.0  # walls, blur and voxels; a torso is wider
SMOOTHING_MM = 8.0  # FWHM for the match of the pattern: about the smallest sphere
REACH_MM = 26.0  # of the integral round a centre: neighbours are 57 mm away, the lung insert 32 mm
SEARCH_MM = 12.0  # how far the middle of the ring may lie from the middle of the body
STEP_MM, STEP_DEGREES = 3.0, 2.0
VOLUME_FACTOR = 2.5  # of the integral over the true volume, at most; the smallest sphere is noise to a third
FIT_MARGIN_MM = 10.0
MOVED_MM = 8.0  # how far a fit may move from the pattern
RESIDUAL = 0.3  # of the contrast, root mean square: an overshoot leaves 0.1, another object more than 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """The body of the phantom: level of its background, voxels above half of that, middle of its outline."""

    background: float
    is_inside: Bool
    middle_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSphere:
    """One sphere.

    Parameters
    ----------
    diameter_mm
        Inner diameter, one of the table.
    centre_mm
        Fitted centre along k, j, i in mm from the first voxel.
    fwhm_mm
        Fitted width of the point spread.
    is_hot
        Whether it holds more than the background.
    residual
        Root mean square of data less fit, over the true contrast.
    integral_ml
        Integral of the contrast round it: its volume times its true contrast, whatever the blur.
    """

    diameter_mm: float
    centre_mm: tuple[float, float, float]
    fwhm_mm: float
    is_hot: bool
    residual: float
    integral_ml: float


def _not_found(found: str, expected: str) -> NoReturn:
    raise Refused.of(
        "NEMA_PHANTOM_NOT_FOUND",
        found,
        expected=expected,
        remedy="give a scan of the IEC body phantom with its six spheres, and --ratio as it was filled",
    )


def blurred_sphere(distance_mm: Float, *, radius_mm: float, fwhm_mm: float) -> Float:
    """Return a sphere of unit contrast under a Gaussian point spread, at distances from its centre.

    ``1/2 [erf((R+r)/(sqrt2 s)) + erf((R-r)/(sqrt2 s))] - s/(sqrt(2 pi) r) [exp(-(R-r)^2/(2 s^2))
    - exp(-(R+r)^2/(2 s^2))]``, the share of a Gaussian round the point that falls into the ball.
    """
    from scipy.special import erf  # noqa: PLC0415 - slow to import, needed here alone

    s = fwhm_mm / FWHM_PER_SIGMA
    r = np.maximum(distance_mm, 1e-3 * s)  # the limit at 0 is reached to 1e-7
    width = math.sqrt(2.0) * s
    edges = 0.5 * (erf((radius_mm + r) / width) + erf((radius_mm - r) / width))
    tails = np.exp(-(((radius_mm - r) / width) ** 2)) - np.exp(-(((radius_mm + r) / width) ** 2))
    return np.asarray(edges - s / (math.sqrt(2.0 * math.pi) * r) * tails)


def find_body(image: Slices) -> Body:
    """Return the body of the phantom.

    Raises
    ------
    Refused
        NEMA_PHANTOM_NOT_FOUND, when its outline is not that of the IEC phantom.
    """
    values = image.values
    lit = values[values > 0.02 * float(np.percentile(values, 99.9))]
    if not len(lit):
        _not_found("the image holds no activity", "a filled phantom")
    background = float(np.median(lit))
    background = float(np.median(values[values > 0.5 * background]))
    is_inside = values > 0.5 * background
    _, step_j, step_i = image.spacing_mm
    top, bottom = _extent(is_inside, axis=1) * step_j
    left, right = _extent(is_inside, axis=2) * step_i
    height, width = bottom - top + step_j, right - left + step_i
    if max(abs(height - BODY_HEIGHT_MM), abs(width - BODY_WIDTH_MM)) > OUTLINE_TOLERANCE_MM:
        _not_found(
            f"the object is {width:.0f} mm wide and {height:.0f} mm high",
            f"an interior of {BODY_WIDTH_MM:.0f} x {BODY_HEIGHT_MM:.0f} mm",
        )
    return Body(
        background=background,
        is_inside=is_inside,
        middle_mm=(float(top + bottom) / 2.0, float(left + right) / 2.0),
    )


def _extent(is_inside: Bool, *, axis: int) -> Float:
    """Return the first and last row (axis 1) or column (axis 2) of the body, median over its slices."""
    area = is_inside.sum(axis=(1, 2))
    full = is_inside[area > 0.8 * np.median(area[area > 0])]
    lines = full.sum(axis=3 - axis) > 2  # a line of two pixels may be noise
    ends = [np.flatnonzero(line)[[0, -1]] for line in lines if line.any()]
    return np.asarray(np.median(ends, axis=0) if ends else np.zeros(2), np.float64)


def find_spheres(image: Slices, body: Body, *, ratio: float) -> tuple[FittedSphere, ...]:
    """Return the six spheres, the largest first.

    Parameters
    ----------
    image
        Values of any unit that is linear in activity.
    body
        Of `find_body`.
    ratio
        True activity concentration of hot spheres over that of the background.

    Raises
    ------
    Refused
        NEMA_PHANTOM_NOT_FOUND, when there are no six spheres of these sizes in this pattern.
    """
    contrast = image.values / body.background - 1.0
    places = _match(contrast, image.spacing_mm, body.middle_mm)
    integrals = [_integral_ml(contrast, image.spacing_mm, place) for place in places]
    volumes = [ml / (ratio - 1.0) if ml > 0.0 else -ml for ml in integrals]
    diameters = _told_apart(volumes)
    found = [
        _fitted(
            contrast,
            image.spacing_mm,
            place,
            diameter_mm=diameter,
            ratio=ratio if ml > 0.0 else 0.0,
            integral_ml=ml,
        )
        for place, diameter, ml in zip(places, diameters, integrals, strict=True)
    ]
    return tuple(sorted(found, key=lambda sphere: -sphere.diameter_mm))


def _match(
    contrast: Float, spacing_mm: tuple[float, float, float], middle_mm: tuple[float, float]
) -> list[tuple[float, float, float]]:
    """Return the six places where the pattern of the ring fits the contrast best, in mm."""
    from scipy.ndimage import gaussian_filter, map_coordinates  # noqa: PLC0415 - slow to import

    steps = np.array(spacing_mm)
    smooth = np.sqrt(np.abs(gaussian_filter(contrast, SMOOTHING_MM / FWHM_PER_SIGMA / steps)))
    shifts = np.arange(-SEARCH_MM, SEARCH_MM + 0.1, STEP_MM)
    angles = np.radians(np.arange(0.0, 60.0, STEP_DEGREES))
    spokes = np.radians(60.0) * np.arange(6)
    y0, x0, turn, spoke = np.meshgrid(
        middle_mm[0] + shifts, middle_mm[1] + shifts, angles, spokes, indexing="ij"
    )
    y = y0 + RING_RADIUS_MM * np.sin(turn + spoke)
    x = x0 + RING_RADIUS_MM * np.cos(turn + spoke)
    best, at = -1.0, (0, 0)
    for k, plane in enumerate(smooth):
        score = map_coordinates(plane, [y / steps[1], x / steps[2]], order=1, mode="nearest").sum(axis=-1)
        place = int(score.argmax())
        if score.flat[place] > best:
            best, at = float(score.flat[place]), (k, place)
    k, place = at
    y, x = y.reshape(-1, 6)[place], x.reshape(-1, 6)[place]
    return [(k * spacing_mm[0], float(b), float(a)) for b, a in zip(y, x, strict=True)]


def _distances(
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    centre_mm: tuple[float, float, float],
    reach: float,
) -> tuple[tuple[slice, ...], list[Float]]:
    """Return a window round a place, and the offsets of its voxels along k, j, i."""
    window, offsets = [], []
    for count, step, centre in zip(shape, spacing_mm, centre_mm, strict=True):
        low = max(int(np.ceil((centre - reach) / step)), 0)
        high = min(int(np.floor((centre + reach) / step)), count - 1)
        window.append(slice(low, high + 1))
        offsets.append(np.arange(low, high + 1) * step)
    return tuple(window), list(np.meshgrid(*offsets, indexing="ij"))


def _integral_ml(
    contrast: Float, spacing_mm: tuple[float, float, float], place: tuple[float, float, float]
) -> float:
    """Return the integral of the contrast in the ball round a place."""
    window, (z, y, x) = _distances(contrast.shape, spacing_mm, place, REACH_MM)
    is_near = (z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2 <= REACH_MM**2
    return float(contrast[window][is_near].sum()) * math.prod(spacing_mm) / 1000.0


def _told_apart(volumes: list[float]) -> tuple[float, ...]:
    """Return the diameters that fit six volumes in mL best."""
    true = {diameter: math.log(volume_ml(diameter)) for diameter in DIAMETERS_MM}
    logs = [math.log(max(volume, 0.05)) for volume in volumes]
    best = min(
        permutations(DIAMETERS_MM),
        key=lambda order: sum((log - true[d]) ** 2 for log, d in zip(logs, order, strict=True)),
    )
    for log, diameter in zip(logs, best, strict=True):
        allowed = math.log(VOLUME_FACTOR) * (2.0 if diameter == min(DIAMETERS_MM) else 1.0)
        if abs(log - true[diameter]) > allowed:
            found = ", ".join(f"{volume:.2g}" for volume in sorted(volumes, reverse=True))
            expected = ", ".join(f"{volume_ml(d):.2g}" for d in DIAMETERS_MM)
            _not_found(
                f"the six places of the ring hold {found} mL at this ratio", f"spheres of {expected} mL"
            )
    return best


def _fitted(
    contrast: Float,
    spacing_mm: tuple[float, float, float],
    place: tuple[float, float, float],
    *,
    diameter_mm: float,
    ratio: float,
    integral_ml: float,
) -> FittedSphere:
    """Return the sphere of known diameter and contrast that fits best: centre and point spread."""
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to import, needed here alone

    true = ratio - 1.0
    reach = 0.5 * diameter_mm + FIT_MARGIN_MM + MOVED_MM
    window, (z, y, x) = _distances(contrast.shape, spacing_mm, place, reach)
    values = contrast[window] / true

    def residuals(parameters: Float) -> Float:
        z0, y0, x0, fwhm_mm = parameters
        r = np.sqrt((z - z0) ** 2 + (y - y0) ** 2 + (x - x0) ** 2)
        model = blurred_sphere(r, radius_mm=0.5 * diameter_mm, fwhm_mm=fwhm_mm)
        return np.asarray((model - values).ravel())

    low = [*(np.array(place) - MOVED_MM), 1.0]
    high = [*(np.array(place) + MOVED_MM), 20.0]
    fit = least_squares(residuals, [*place, 6.0], bounds=(low, high))
    z0, y0, x0, fwhm_mm = (float(value) for value in fit.x)
    r = np.sqrt((z - z0) ** 2 + (y - y0) ** 2 + (x - x0) ** 2)
    near = (r <= 0.5 * diameter_mm).ravel()
    if not near.any():
        _not_found(f"no voxel inside the sphere of {diameter_mm:.0f} mm", "smaller voxels")
    residual = float(np.sqrt((fit.fun[near] ** 2).mean()))
    moved = max(abs(a - b) for a, b in zip((z0, y0, x0), place, strict=True))
    if residual > RESIDUAL or moved > 0.99 * MOVED_MM:
        _not_found(
            f"the place of the {diameter_mm:.0f} mm sphere differs from a blurred sphere by {residual:.0%} "
            "of its contrast",
            f"at most {RESIDUAL:.0%}",
        )
    return FittedSphere(
        diameter_mm=diameter_mm,
        centre_mm=(z0, y0, x0),
        fwhm_mm=fwhm_mm,
        is_hot=true > 0.0,
        residual=residual,
        integral_ml=integral_ml,
    )
