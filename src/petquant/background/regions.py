"""A background on the grid of a PET: its shape, the voxels of its file, or the place that was found."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from petquant.background.named import Background
from petquant.dicom.belonging import PetFacts
from petquant.errors import Finding, PetquantError, Refused
from petquant.files import load_rois
from petquant.grid import Grid
from petquant.metrics import Reference
from petquant.roi import Reading, Roi, RoiSet, Role, united
from petquant.suv.conversion import SuvConversion
from petquant.totalsegmentator import CLASSES
from petquant.volume import Volume

if TYPE_CHECKING:  # most backgrounds are files, and delineation takes a while to import
    from petquant.delineation.reference import Placement

__all__ = [
    "BackgroundRegion",
    "background_region",
    "background_regions",
    "in_band",
]

FDG: Final = "[18F]FDG"
LIVER_BAND_SUV: Final = (1.3, 3.0)  # of SUVmean by body weight with [18F]FDG (reads.md section 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackgroundRegion:
    """A background on the PET grid, how it was placed, and what is to be said of it."""

    roi: Roi
    placement: Placement | None = None
    findings: tuple[Finding, ...] = ()


def background_regions(
    backgrounds: Sequence[Background],
    grid: Grid,
    *,
    facts: PetFacts,
    reading: Reading,
    lesions: Sequence[Roi],
    pet: Volume | None,
    ct: Callable[[], Volume],
) -> list[BackgroundRegion]:
    """Return every background on the PET grid.

    Parameters
    ----------
    lesions
        What places that are found keep away from.
    pet
        All slices loaded, linear in activity; needed where a place is to be found.
    ct
        Returns the CT of the study, or raises CT_MISSING; called once, where a place is to be found.

    Raises
    ------
    PetquantError
        As `background_region` and `petquant.delineation.reference.place`, with all reasons at once.
    """
    anatomy: Volume | None = None
    why_no_ct = ""
    if any(background.automatic for background in backgrounds):
        try:
            anatomy = ct()
        except PetquantError as missing:
            why_no_ct = "; ".join(one.found for one in missing.findings)
    found: list[BackgroundRegion] = []
    refused: list[Finding] = []
    for background in backgrounds:
        if not background.automatic:
            found.append(background_region(grid, background, facts, reading))
            continue
        if pet is None:
            raise TypeError("a place cannot be found without the PET")
        try:
            found.append(
                _placed(background, pet, anatomy, RoiSet(grid=grid, rois=tuple(lesions)), why_no_ct=why_no_ct)
            )
        except Refused as refusal:
            refused += refusal.findings
    if refused:
        raise Refused.because(*refused)
    return found


def background_region(
    grid: Grid, background: Background, facts: PetFacts, reading: Reading
) -> BackgroundRegion:
    """Return a background as one region: its shape, the one asked for of its file, or all of that together.

    Raises
    ------
    PetquantError
        As `petquant.files.load_rois` and `petquant.delineation.drawn`.
    """
    if background.shape is not None:
        from petquant.delineation.shapes import drawn  # noqa: PLC0415 - as above

        roi, said = drawn(background.shape, grid, roi_id=background.name)
        return BackgroundRegion(roi=replace(roi, name=background.name, role=Role.BACKGROUND), findings=said)
    if background.path is None:
        raise TypeError(f"background {background.name} is neither file nor shape")
    found = load_rois(
        os.fspath(background.path),
        onto=grid,
        pet=facts,
        reading=reading,
        role=Role.BACKGROUND,
        label=background.label,
        is_united=True,
        erode_mm=background.erode_mm,
    )
    voxels, weights = united(found.rois)
    roi = Roi(
        roi_id=background.name,
        name=background.name,
        voxels=voxels,
        weights=weights,
        role=Role.BACKGROUND,
        source=f"{found.rois[0].source}, {_which(background.label)}",
        flags=tuple(dict.fromkeys(flag for part in found.rois for flag in part.flags)),
    )
    return BackgroundRegion(roi=roi, findings=found.findings)


def in_band(reference: Reference, conversion: SuvConversion, suv_type: str) -> Reference:
    """Return a reference, flagged when it is a liver whose SUVmean is odd for [18F]FDG.

    A liver is what is called ``liver`` or begins like it.
    """
    mean = reference.values["mean"]
    is_fdg = conversion.tracer is not None and conversion.tracer.name == FDG
    is_liver = reference.name.lower().split("_")[0] == "liver"
    if suv_type != "bw" or not is_fdg or not is_liver or mean is None:
        return reference
    if LIVER_BAND_SUV[0] <= mean <= LIVER_BAND_SUV[1]:
        return reference
    return replace(reference, flags=(*reference.flags, "LIVER_OUTSIDE_FDG_BAND"))


def _placed(
    background: Background, pet: Volume, ct: Volume | None, lesions: RoiSet, *, why_no_ct: str
) -> BackgroundRegion:
    """Return a background whose place is found."""
    from petquant.delineation.reference import place  # noqa: PLC0415 - it needs scipy, and few ask for it

    placement = place(background.automatic, pet, ct=ct, avoid=lesions)
    words = (
        f"{placement.shape.words()}; {placement.why}; CoV {placement.cov:.2g}, "
        f"{placement.edge_mm:.0f} mm to the edge"
    )
    findings = [Finding(code="REFERENCE_PLACED", found=f"{background.name}: {words}")]
    if ct is None:
        findings.append(Finding(code="REFERENCE_WITHOUT_CT", found=f"{background.name}: no CT, {why_no_ct}"))
    return BackgroundRegion(
        roi=replace(
            placement.roi,
            roi_id=background.name,
            name=background.name,
            role=Role.BACKGROUND,
            source=f"auto {background.automatic}: {placement.roi.source}",
            flags=(*placement.roi.flags, *(("REFERENCE_WITHOUT_CT",) if ct is None else ())),
        ),
        placement=placement,
        findings=tuple(findings),
    )


def _which(label: int | str | None) -> str:
    """Return which part of a file a label means; names of masks are the user's and stand in no output."""
    if label is None:
        return "all labels"
    parts = str(label).split("+")
    if all(part.isdecimal() or part in CLASSES for part in parts):
        return "label " + " + ".join(
            f"{CLASSES[part]} ({part} of TotalSegmentator v2)" if part in CLASSES else part for part in parts
        )
    return "one region" if len(parts) == 1 else f"{len(parts)} regions"
