"""A field is the activity that a scanner with a Gaussian point spread sees of a shape of unit contrast.

Every field is the closed form of the blurred shape, sampled at a point: nothing is voxelised and then
filtered, which would be wrong by up to 5.5 % of contrast in a voxel. Lengths are in mm, values have no unit,
and ``fwhm_mm=0`` means a sharp shape: 1 inside and on the edge, 0 outside.

`recoveries` integrates the same forms to the recovery coefficients of a sphere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf
from scipy.stats import ncx2

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Field = NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))

# The smallest double above zero times this many sigmas: beyond it, erf and the chi-square CDF are 0 or 1.
REACH_IN_SIGMAS = 9.0


def sigma_mm(fwhm_mm: float) -> float:
    """Return the standard deviation of a Gaussian, ``FWHM / (2 sqrt(2 ln 2))``, in mm."""
    return fwhm_mm / FWHM_PER_SIGMA


def sphere(distance_mm: ArrayLike, *, radius_mm: float, fwhm_mm: float) -> Field:
    r"""Return a blurred sphere of unit contrast at a distance from its centre.

    Parameters
    ----------
    distance_mm
        Distance of each point from the centre, any shape.
    radius_mm
        Radius of the sphere.
    fwhm_mm
        Full width at half maximum of the isotropic Gaussian point spread; 0 leaves the sphere sharp.

    Notes
    -----
    With ``s`` the standard deviation of the point spread,
    ``C(r) = 1/2 [erf((R+r)/(sqrt2 s)) + erf((R-r)/(sqrt2 s))]
    - s/(sqrt(2 pi) r) [exp(-(R-r)^2/(2 s^2)) - exp(-(R+r)^2/(2 s^2))]``, the noncentral chi-square
    distribution function of three degrees of freedom. Near the centre the difference of the exponentials is
    written as a hyperbolic sine, so that nothing cancels.
    """
    r = np.abs(np.asarray(distance_mm, dtype=np.float64))
    if fwhm_mm == 0.0:
        return (r <= radius_mm).astype(np.float64)
    s = sigma_mm(fwhm_mm)
    edges = 0.5 * (erf((radius_mm + r) / (math.sqrt(2.0) * s)) + erf((radius_mm - r) / (math.sqrt(2.0) * s)))
    u = radius_mm * r / s**2
    near = u < 1.0
    sinhc = np.ones_like(r)
    small = np.where(near & (u > 0.0), u, 1.0)
    sinhc = np.where(near & (u > 0.0), np.sinh(small) / small, sinhc)
    spread = -0.5 * (radius_mm**2 + r**2) / s**2
    tail_near = 2.0 * radius_mm / (s * math.sqrt(2.0 * math.pi)) * np.exp(spread) * sinhc
    far_r = np.where(near, 1.0, r)
    tail_far = (
        s
        / (math.sqrt(2.0 * math.pi) * far_r)
        * (np.exp(-0.5 * ((radius_mm - r) / s) ** 2) - np.exp(-0.5 * ((radius_mm + r) / s) ** 2))
    )
    return np.asarray(edges - np.where(near, tail_near, tail_far), dtype=np.float64)


def disc(distance_mm: ArrayLike, *, radius_mm: float, fwhm_mm: float) -> Field:
    """Return the radial profile of a blurred infinite cylinder of unit contrast.

    Parameters
    ----------
    distance_mm
        Distance of each point from the axis, any shape.
    radius_mm, fwhm_mm
        As for `sphere`.

    Notes
    -----
    ``ncx2.cdf((R/s)^2, 2, (r/s)^2)``: the share of a two-dimensional Gaussian round the point that falls into
    the disc. It is evaluated where the edge is nearer than nine standard deviations, and is 0 or 1 elsewhere.
    """
    r = np.abs(np.asarray(distance_mm, dtype=np.float64))
    sharp = (r <= radius_mm).astype(np.float64)
    if fwhm_mm == 0.0:
        return sharp
    s = sigma_mm(fwhm_mm)
    blurred = np.array(sharp)
    edge = np.abs(r - radius_mm) < REACH_IN_SIGMAS * s
    distances, places = np.unique(r[edge], return_inverse=True)
    blurred[edge] = ncx2.cdf((radius_mm / s) ** 2, 2, (distances / s) ** 2)[places]
    return blurred


def slab(offset_mm: ArrayLike, *, half_width_mm: float, fwhm_mm: float) -> Field:
    """Return the profile of a blurred slab of unit contrast across its plane.

    Parameters
    ----------
    offset_mm
        Signed distance of each point from the middle plane.
    half_width_mm
        Half of the thickness.
    fwhm_mm
        As for `sphere`.

    Notes
    -----
    ``1/2 [erf((a+x)/(sqrt2 s)) + erf((a-x)/(sqrt2 s))]``. A box is the product of three slabs, a finite
    cylinder the product of a disc and a slab.
    """
    x = np.asarray(offset_mm, dtype=np.float64)
    if fwhm_mm == 0.0:
        return (np.abs(x) <= half_width_mm).astype(np.float64)
    width = math.sqrt(2.0) * sigma_mm(fwhm_mm)
    return np.asarray(0.5 * (erf((half_width_mm + x) / width) + erf((half_width_mm - x) / width)))


def half_space(depth_mm: ArrayLike, *, fwhm_mm: float) -> Field:
    """Return the profile of a blurred half-space of unit contrast.

    Parameters
    ----------
    depth_mm
        Signed distance of each point from the plane, positive inside.
    fwhm_mm
        As for `sphere`.

    Notes
    -----
    ``1/2 [1 + erf(x/(sqrt2 s))]``.
    """
    x = np.asarray(depth_mm, dtype=np.float64)
    if fwhm_mm == 0.0:
        return (x >= 0.0).astype(np.float64)
    return np.asarray(0.5 * (1.0 + erf(x / (math.sqrt(2.0) * sigma_mm(fwhm_mm)))))
