"""Uniformity of a cylinder: its mean SUV against the true one, its slices, its scatter; edges left out."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from petquant.dicom.archive import unpacked
from petquant.errors import Refused, UsageError
from petquant.nema.scan import PhantomScan, open_scan
from petquant.study import Choices

__all__ = ["SliceMean", "Uniformity", "uniformity"]

EDGE_MM = 20.0  # left out at every face of the object and of the image: three times a wide point spread
UNEVEN = 0.25  # coefficient of variation above which the object is no uniform phantom
LEAST_VOXELS = 20  # in a slice, for a mean of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMean:
    """One slice: its LPS position along the patient, mean and SD of its voxels inside."""

    z_mm: float
    mean: float
    sd: float
    n_voxels: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uniformity:
    """What a uniform phantom gave.

    Parameters
    ----------
    scan
        What was measured.
    true_suv
        SUV that should be measured.
    mean, sd, n_voxels, volume_ml
        Of all voxels at least 20 mm inside; SD with ddof 0.
    slices
        The profile along the patient.
    tolerance_percent
        Bias that passes; None when nothing is judged.
    """

    scan: PhantomScan
    true_suv: float
    mean: float
    sd: float
    n_voxels: int
    volume_ml: float
    slices: tuple[SliceMean, ...]
    tolerance_percent: float | None

    @property
    def bias_percent(self) -> float:
        """Mean over true SUV, less one."""
        return 100.0 * (self.mean / self.true_suv - 1.0)

    @property
    def cov_percent(self) -> float:
        """Coefficient of variation of the voxels."""
        return 100.0 * self.sd / self.mean

    @property
    def largest_slice_deviation_percent(self) -> float:
        """Deviation of a slice's mean from the mean of all, the largest, with its sign."""
        return max((100.0 * (one.mean / self.mean - 1.0) for one in self.slices), key=abs)

    @property
    def is_passed(self) -> bool:
        """Whether the bias lies within the tolerance; True when there is none."""
        return self.tolerance_percent is None or abs(self.bias_percent) <= self.tolerance_percent


def uniformity(
    study: str | os.PathLike[str],
    choices: Choices | None = None,
    *,
    true_suv: float = 1.0,
    tolerance_percent: float | None = None,
) -> Uniformity:
    """Return the uniformity of a scan of a uniform cylinder.

    Parameters
    ----------
    study
        Folder, file or zip of the study.
    choices
        Which series, and what the user says about it.
    true_suv
        SUV that should be measured: 1 when weight and activity are those of the phantom's filling.
    tolerance_percent
        Bias that passes.

    Raises
    ------
    UsageError
        OPTION_INVALID, when an argument cannot be meant.
    Refused
        UNIFORM_PHANTOM_NOT_FOUND, when what lies 20 mm inside is not uniform, or nothing does.
    """
    for option, value in (("--true-suv", true_suv), ("--tolerance-percent", tolerance_percent)):
        if value is not None and not (math.isfinite(value) and value > 0.0):
            raise UsageError.of("OPTION_INVALID", f"{option} {value:g}", expected="more than 0")
    with unpacked(study) as folder:
        scan = open_scan(folder, choices or Choices(), needs_suv=True)
    return _measured(scan, true_suv=true_suv, tolerance_percent=tolerance_percent)


def _measured(scan: PhantomScan, *, true_suv: float, tolerance_percent: float | None) -> Uniformity:
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - slow to import, needed here alone

    values, grid = scan.volume.values(), scan.volume.grid
    lit = values[values > 0.02 * float(np.percentile(values, 99.9))]
    level = float(np.median(lit)) if len(lit) else 0.0
    object_ = values > 0.5 * level if level > 0.0 else np.zeros(values.shape, np.bool_)
    from_edge = distance_transform_edt(np.pad(object_, 1), sampling=grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    # distances are to the centre of the first voxel outside, half a voxel beyond the edge
    inside = from_edge - 0.5 * max(grid.spacing_mm) >= EDGE_MM
    n_voxels = int(inside.sum())
    suv = values[inside]
    if not n_voxels or float(suv.std()) > UNEVEN * float(suv.mean()):
        found = (
            f"what lies {EDGE_MM:.0f} mm inside the object scatters by {suv.std() / suv.mean():.0%}"
            if n_voxels
            else f"nothing lies {EDGE_MM:.0f} mm inside an object"
        )
        raise Refused.of(
            "UNIFORM_PHANTOM_NOT_FOUND",
            found,
            expected=f"a uniform phantom, scatter below {UNEVEN:.0%}",
        )
    profile = []
    for k in np.flatnonzero(inside.sum(axis=(1, 2)) >= LEAST_VOXELS):
        in_slice = values[k][inside[k]]
        middle = (float(k), 0.5 * (grid.shape[1] - 1), 0.5 * (grid.shape[2] - 1))
        profile.append(
            SliceMean(
                z_mm=float(grid.position_mm(middle)[2]),
                mean=float(in_slice.mean()),
                sd=float(in_slice.std()),
                n_voxels=len(in_slice),
            )
        )
    return Uniformity(
        scan=scan,
        true_suv=true_suv,
        mean=float(suv.mean()),
        sd=float(suv.std()),
        n_voxels=n_voxels,
        volume_ml=n_voxels * grid.voxel_volume_ml,
        slices=tuple(profile),
        tolerance_percent=tolerance_percent,
    )
