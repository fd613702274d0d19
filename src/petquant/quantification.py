"""A quantification is what one study gave: everything that a table or a report needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from petquant.errors import Finding
from petquant.measurement import Measurement, Number
from petquant.metrics import Reference
from petquant.study import PetStudy

if TYPE_CHECKING:
    from petquant.delineation.reference import Placement  # needs scipy, and few ask for it

__all__ = ["Quantification"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantification:
    """What one study gave.

    Parameters
    ----------
    study
        The series with its acquisition and conversion.
    suv_types
        SUV types that were measured, first the one of the ``suv_*`` columns; empty when SUV was refused.
    measurements
        One a region and SUV type.
    references
        Backgrounds of the ratios.
    placements
        How the backgrounds were placed whose place was found, by name.
    psf_fwhm_mm
        Width of the noise correlation behind ``n_eff`` and ``se`` of the backgrounds; None gave none.
    summary
        ``n_lesions``, ``tmtv_ml``, ``ttlg_g``, ``suv_max``, ``dmax_centroid_mm`` of the first SUV type.
    activity_balance
        Activity in the field of view over the decayed dose, None when SUVbw or the weight is not known.
    manifest_sha256
        Of the manifest that the inputs were held to; empty without one.
    findings
        All caveats of folder, geometry, conversion and volume.
    """

    study: PetStudy
    suv_types: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    references: tuple[Reference, ...]
    summary: Mapping[str, Number]
    activity_balance: float | None
    manifest_sha256: str
    findings: tuple[Finding, ...]
    placements: Mapping[str, Placement] = field(default_factory=dict)
    psf_fwhm_mm: float | None = None
