"""Image quality of the IEC phantom: contrast, background variability, lung residual, recoveries, verdicts.

With C_H, C_C and C_B the means in discs over a hot sphere, a cold sphere and the background (NEMA NU 2):
``Q_H = (C_H/C_B - 1)/(a_H/a_B - 1) 100``, ``Q_C = (1 - C_C/C_B) 100``, ``N = SD/C_B 100`` with SD over sixty
discs, and a lung residual ``C_lung/C_B 100``. Recoveries are those of EARL.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.archive import unpacked
from petquant.errors import UsageError
from petquant.metrics.intensity import intensity
from petquant.metrics.peak import peaks
from petquant.nema.background import Discs, place_discs
from petquant.nema.discs import Slices, disc_mean
from petquant.nema.filling import Filling, background_suv_of
from petquant.nema.iec_phantom import BACKGROUND_MM, LUNG_DISC_MM, volume_ml
from petquant.nema.limits import STANDARDS, Interval, Standard
from petquant.nema.scan import PhantomScan, open_scan
from petquant.nema.spheres import Body, FittedSphere, find_body, find_spheres
from petquant.roi import Roi
from petquant.study import Choices
from petquant.volume import Volume

__all__ = ["Check", "ImageQuality", "SphereQuality", "Verdict", "image_quality"]

Float = NDArray[np.float64]

A50_MARGIN_MM = 10.0  # beyond the sphere that its isocontour may reach
COLD_LUNG = 0.5  # of the background: below it, the middle of the phantom is an insert
FULL_SLICE = 0.9  # of the area of the body: slices with less are its ends


@dataclass(frozen=True, slots=True, kw_only=True)
class SphereQuality:
    """What one sphere gave.

    Parameters
    ----------
    diameter_mm, is_hot, fwhm_mm
        Of the fitted sphere.
    centre_lps_mm
        Fitted centre.
    mean, background
        In the disc over the sphere, and over the sixty discs of its diameter.
    contrast_percent
        Q_H of a hot, Q_C of a cold sphere.
    variability_percent
        N.
    rc_a50, rc_max, rc_peak
        Measured over true activity concentration; None for a cold sphere.
    """

    diameter_mm: float
    is_hot: bool
    fwhm_mm: float
    centre_lps_mm: tuple[float, float, float]
    mean: float
    background: float
    contrast_percent: float
    variability_percent: float
    rc_a50: float | None
    rc_max: float | None
    rc_peak: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One recovery against its limits."""

    diameter_mm: int
    quantity: str
    value: float
    limits: Interval

    @property
    def is_within(self) -> bool:
        """Whether it lies within, ends included."""
        return self.limits[0] <= self.value <= self.limits[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All recoveries against one standard."""

    standard: Standard
    checks: tuple[Check, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every recovery lies within its limits."""
        return all(check.is_within for check in self.checks)

    @property
    def smallest_margin(self) -> float:
        """Return the distance of a recovery to the nearest limit, negative outside, the smallest of all."""
        return min(min(check.value - check.limits[0], check.limits[1] - check.value) for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageQuality:
    """Everything that the analysis of an IEC phantom gave.

    Parameters
    ----------
    scan
        What was measured.
    ratio, true_background
        True activity concentration of a hot sphere over that of the background, and that of the background
        in the unit of the scan: as given, or as measured.
    is_background_given
        Which of the two it was.
    spheres
        The largest first.
    background
        Mean of the discs of 37 mm.
    ratio_found
        Ratio by which the hot spheres hold the activity that was found round them, whatever the blur; None
        without a hot sphere.
    lung_residual_percent
        None without a cold insert in the middle.
    discs
        Where the background was measured.
    verdicts
        Against every standard in the table; empty when a sphere is cold.
    """

    scan: PhantomScan
    ratio: float
    true_background: float
    is_background_given: bool
    spheres: tuple[SphereQuality, ...]
    background: float
    ratio_found: float | None
    lung_residual_percent: float | None
    discs: Discs
    verdicts: tuple[Verdict, ...]

    def verdict(self, standard: str) -> Verdict | None:
        """Return the verdict of a standard by name; None when it was not judged."""
        return next((one for one in self.verdicts if one.standard.name == standard), None)


def image_quality(
    study: str | os.PathLike[str],
    choices: Choices | None = None,
    *,
    ratio: float = 9.7,
    background_suv: float | None = None,
    filling: Filling | None = None,
) -> ImageQuality:
    """Return the image quality of a scan of the IEC body phantom.

    Parameters
    ----------
    study
        Folder, file or zip of the study.
    choices
        Which series, and what the user says about it.
    ratio
        Activity concentration of the hot spheres over that of the background, as filled.
    background_suv
        True SUV of the background; None takes what is measured in the background as true.
    filling
        Activities as filled, in place of both.

    Raises
    ------
    UsageError
        OPTION_INVALID, when `ratio` or `background_suv` cannot be meant.
    Refused
        NEMA_PHANTOM_NOT_FOUND, when the scan does not show this phantom.
    """
    ratio = ratio if filling is None else filling.ratio
    if not (math.isfinite(ratio) and ratio > 1.0):
        raise UsageError.of("OPTION_INVALID", f"--ratio {ratio:g}", expected="more than 1")
    if background_suv is not None and not (math.isfinite(background_suv) and background_suv > 0.0):
        raise UsageError.of("OPTION_INVALID", f"--background-suv {background_suv:g}", expected="more than 0")
    with unpacked(study) as folder:
        scan = open_scan(
            folder, choices or Choices(), needs_suv=background_suv is not None or filling is not None
        )
    if filling is not None:
        background_suv = background_suv_of(scan, filling)
    image = scan.slices()
    body = find_body(image)
    fitted = find_spheres(image, body, ratio=ratio)
    discs = place_discs(image, body, fitted)
    background = discs.measured(image, diameter_mm=BACKGROUND_MM).mean
    true_background = background if background_suv is None else background_suv
    k = image.nearest(float(np.median([sphere.centre_mm[0] for sphere in fitted])))
    spheres = tuple(
        _quality(scan.volume, image, sphere, k=k, discs=discs, ratio=ratio, true_background=true_background)
        for sphere in fitted
    )
    return ImageQuality(
        scan=scan,
        ratio=ratio,
        true_background=true_background,
        is_background_given=background_suv is not None,
        spheres=spheres,
        background=background,
        ratio_found=_ratio_found(fitted),
        lung_residual_percent=_lung_residual_percent(image, body, k=k, background=background),
        discs=discs,
        verdicts=tuple(_verdict(standard, spheres) for standard in STANDARDS.values())
        if all(sphere.is_hot for sphere in spheres)
        else (),
    )


def _ratio_found(spheres: Sequence[FittedSphere]) -> float | None:
    hot = [sphere for sphere in spheres if sphere.is_hot]
    volumes_ml = sum(volume_ml(sphere.diameter_mm) for sphere in hot)
    return 1.0 + sum(sphere.integral_ml for sphere in hot) / volumes_ml if hot else None


def _quality(
    volume: Volume,
    image: Slices,
    sphere: FittedSphere,
    *,
    k: int,
    discs: Discs,
    ratio: float,
    true_background: float,
) -> SphereQuality:
    behind = discs.measured(image, diameter_mm=sphere.diameter_mm)
    mean = disc_mean(image, k, sphere.centre_mm[1:], radius_mm=0.5 * sphere.diameter_mm)
    contrast = mean / behind.mean - 1.0
    x, y, z = volume.grid.position_mm(np.array(sphere.centre_mm) / np.array(image.spacing_mm))
    a50, maximum, peak = (
        _recoveries(volume, image, sphere, background=true_background, true=ratio * true_background)
        if sphere.is_hot
        else (None, None, None)
    )
    return SphereQuality(
        diameter_mm=sphere.diameter_mm,
        is_hot=sphere.is_hot,
        fwhm_mm=sphere.fwhm_mm,
        centre_lps_mm=(float(x), float(y), float(z)),
        mean=mean,
        background=behind.mean,
        contrast_percent=100.0 * (contrast / (ratio - 1.0) if sphere.is_hot else -contrast),
        variability_percent=behind.variability_percent,
        rc_a50=a50,
        rc_max=maximum,
        rc_peak=peak,
    )


def _recoveries(
    volume: Volume, image: Slices, sphere: FittedSphere, *, background: float, true: float
) -> tuple[float, float, float]:
    """Return A50, maximum and peak over the true concentration.

    The maximum is that of voxels whose centre lies within the sphere or half a voxel beyond; A50 is the mean
    of the voxels connected to it, by faces, that reach half of maximum plus background; the peak is the
    largest mean in a ball of 1 mL centred on a voxel of the sphere.
    """
    from scipy.ndimage import label  # noqa: PLC0415 - slow to import, needed here alone

    axes = [np.arange(n) * step for n, step in zip(image.values.shape, image.spacing_mm, strict=True)]
    offsets = [axis - centre for axis, centre in zip(axes, sphere.centre_mm, strict=True)]
    reach = 0.5 * sphere.diameter_mm + A50_MARGIN_MM
    window = tuple(
        slice(int(near[0]), int(near[-1]) + 1)
        for near in (np.flatnonzero(np.abs(offset) <= reach) for offset in offsets)
    )
    z, y, x = (offset[part] for offset, part in zip(offsets, window, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    is_sphere = distance <= 0.5 * (sphere.diameter_mm + max(image.spacing_mm))
    roi = Roi(
        roi_id=f"{sphere.diameter_mm:g}",
        name=f"sphere {sphere.diameter_mm:g} mm",
        voxels=_flat(is_sphere, window, image.values.shape),
    )
    found = intensity(volume, [roi])
    maximum = float(found.maximum[0])
    values = image.values[window]
    above, _ = label((values >= 0.5 * (maximum + background)) & (distance <= reach))
    at = np.unravel_index(int(np.where(is_sphere, values, -np.inf).argmax()), values.shape)
    a50 = float(values[above == above[at]].mean())
    return a50 / true, maximum / true, float(peaks(volume, found).exact[0]) / true


def _flat(mask: NDArray[np.bool_], window: tuple[slice, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the flat numbers, ascending, of the voxels of a mask that lies in a window of an image."""
    inside = np.argwhere(mask) + np.array([part.start for part in window])
    return np.asarray(np.ravel_multi_index(tuple(inside.T), shape), np.int64)


def _lung_residual_percent(image: Slices, body: Body, *, k: int, background: float) -> float | None:
    """Return the mean over slices of C_lung / C_B; None when the middle of the phantom holds activity."""
    radius_mm = 0.5 * LUNG_DISC_MM
    if disc_mean(image, k, body.middle_mm, radius_mm=radius_mm) > COLD_LUNG * background:
        return None
    area = body.is_inside.sum(axis=(1, 2))
    full = np.flatnonzero(area >= FULL_SLICE * area[k])
    means = [disc_mean(image, int(slice_), body.middle_mm, radius_mm=radius_mm) for slice_ in full]
    return 100.0 * float(np.mean(means)) / background


def _verdict(standard: Standard, spheres: Sequence[SphereQuality]) -> Verdict:
    checks = []
    for sphere in spheres:
        diameter = round(sphere.diameter_mm)
        for quantity, value, limits in (
            ("rc_a50", sphere.rc_a50, standard.a50[diameter]),
            ("rc_max", sphere.rc_max, standard.maximum[diameter]),
        ):
            if value is not None:
                checks.append(Check(diameter_mm=diameter, quantity=quantity, value=value, limits=limits))
    return Verdict(standard=standard, checks=tuple(checks))
