"""The scan of a phantom: one PET series in SUV, or in its own unit where only ratios are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from petquant.errors import Finding, Refused
from petquant.flags import refusals_of
from petquant.nema.discs import Slices
from petquant.quantify import scaled, study_refusals
from petquant.study import Choices, PetStudy, open_study
from petquant.suv.ratio import bed_alignment, ratio_refusals
from petquant.volume import Volume

__all__ = ["PhantomScan", "open_scan"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomScan:
    """A phantom's PET series with its voxels.

    Parameters
    ----------
    study
        The study as opened.
    volume
        Its voxels.
    is_suv
        Whether they are SUV; otherwise `why_not` holds every cause.
    """

    study: PetStudy
    volume: Volume
    is_suv: bool
    why_not: tuple[Finding, ...] = ()

    def slices(self) -> Slices:
        """Return the voxels with their size.

        Raises
        ------
        Refused
            NEMA_PHANTOM_NOT_FOUND, when slices are unevenly spaced.
        """
        grid = self.volume.grid
        if grid.slice_positions_mm is not None:
            raise Refused.of(
                "NEMA_PHANTOM_NOT_FOUND",
                "the slices are unevenly spaced",
                expected="one spacing",
                remedy="analyse a single bed position",
            )
        return Slices(values=self.volume.values(), spacing_mm=grid.spacing_mm)


def open_scan(folder: str, choices: Choices, *, needs_suv: bool) -> PhantomScan:
    """Return the scan of a phantom in a folder.

    Parameters
    ----------
    folder
        Of the study.
    choices
        Which series, and what the user says about it; SUV is by body weight.
    needs_suv
        Refuse when SUV cannot be computed; otherwise values linear in activity will do.

    Raises
    ------
    PetquantError
        With every cause, when neither is safe.
    """
    choices = replace(choices, suv_types=("bw",))
    study = open_study(folder, choices)
    refused = study_refusals(study, choices)
    scale = study.conversion.scale("bw")
    if not refused and scale is not None:
        native = study.volume()
        study.verify_unchanged()
        return PhantomScan(study=study, volume=scaled(native, scale), is_suv=True)
    against_ratios = (
        *refusals_of(study.findings, is_strict=choices.is_strict),
        *ratio_refusals(study.conversion, is_strict=choices.is_strict),
    )
    if needs_suv or against_ratios:
        raise Refused.because(*dict.fromkeys((*refused, *against_ratios)))
    native = study.volume()
    study.verify_unchanged()
    aligned = native.scaled(np.asarray(bed_alignment(study.conversion)), unit=native.unit)
    return PhantomScan(study=study, volume=aligned, is_suv=False, why_not=refused)
