"""To quantify is to go one straight line: study and regions in, numbers with their evidence out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petquant.errors import Finding, Refused
from petquant.files import load_rois
from petquant.flags import CODES, flags_of, refusals_of
from petquant.grid import Grid
from petquant.manifest import verify
from petquant.measurement import Measurement
from petquant.metrics import Reference, burden, measure, references, slices_needed
from petquant.quantification import Quantification
from petquant.roi import Roi, Role
from petquant.study import Choices, PetStudy, open_study
from petquant.suv.conversion import SuvScale
from petquant.suv.plausibility import activity_balance, balance_findings, extreme_findings, slice_findings
from petquant.suv.ratio import bed_alignment, ratio_refusals
from petquant.volume import Unit, Volume

__all__ = ["Background", "quantify", "scaled", "study_refusals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A background as the user names it: a file, and one label of it or all."""

    name: str
    path: str
    label: int | None = None


def quantify(
    study: str | os.PathLike[str],
    rois: Sequence[str | os.PathLike[str]],
    *,
    backgrounds: Sequence[Background] = (),
    choices: Choices | None = None,
    labels: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
) -> Quantification:
    """Return the numbers of the regions of one study.

    Parameters
    ----------
    study
        Folder or file of the study.
    rois
        Label maps on the PET grid; every label is a lesion.
    backgrounds
        Reference regions that ratios divide by.
    choices
        Which series, which SUV types, what the user says and allows.
    labels
        JSON or CSV with the names of the labels.
    manifest
        What ``petquant lock`` wrote; the study is held to it before anything is read.

    Raises
    ------
    PetquantError
        With every cause at once, when a number asked for would not be safe.
    """
    choices = choices or Choices()
    locked = "" if manifest is None else verify(study, manifest)
    opened = open_study(study, choices)
    refused = study_refusals(opened, choices)
    only_ratios = bool(refused) and bool(backgrounds) and not _forbidding_ratios(opened, choices)
    if refused and not only_ratios:
        raise Refused.because(*refused)
    lesions, references_ = _regions(opened.grid, rois, backgrounds, labels, choices)
    native = opened.volume(keep=slices_needed(opened.grid, [*lesions, *references_]))
    opened.verify_unchanged()

    findings = (*opened.findings, *opened.conversion.findings)
    if only_ratios:
        codes = ", ".join(dict.fromkeys(f.code for f in refused))
        unavailable = Finding(
            code="SUV_UNAVAILABLE_TBR_VALID",
            found=f"SUV unavailable ({codes}), TBR valid: ratios are measured on {native.unit}",
        )
        volumes = {"none": native.scaled(np.asarray(bed_alignment(opened.conversion)), unit=native.unit)}
        findings, balance = (*findings, unavailable), None
    else:
        volumes = {
            name: scaled(native, scale)
            for name in choices.suv_types
            if (scale := opened.conversion.scale(name)) is not None
        }
        balance, plausible = _plausible(native, opened, choices)
        findings = (*findings, *plausible)
    _refuse(findings, choices, only_ratios=only_ratios)

    flags = flags_of(findings)
    measurements: list[Measurement] = []
    found: list[Reference] = []
    summary = None
    for suv_type, volume in volumes.items():
        of_type = references(volume, references_, lesions)
        rows = measure(volume, lesions, suv_type=suv_type, conversion_flags=flags, references=of_type)
        measurements += rows
        found = found or of_type
        summary = summary or burden(volume, lesions, rows, with_voxel_distance=False)
    if summary is None:
        raise Refused.because(*refused)
    _refuse_codes(measurements, found, choices)
    return Quantification(
        study=opened,
        suv_types=tuple(name for name in volumes if name != "none"),
        measurements=tuple(measurements),
        references=tuple(found),
        summary=summary.values,
        activity_balance=balance,
        manifest_sha256=locked,
        findings=findings,
    )


def study_refusals(opened: PetStudy, choices: Choices) -> tuple[Finding, ...]:
    """Return every cause that forbids an SUV asked for, of geometry and conversion together."""
    return (
        *refusals_of(opened.findings, is_strict=choices.is_strict),
        *opened.conversion.refusals(choices.suv_types, is_strict=choices.is_strict),
    )


def _forbidding_ratios(opened: PetStudy, choices: Choices) -> tuple[Finding, ...]:
    return (
        *refusals_of(opened.findings, is_strict=choices.is_strict),
        *ratio_refusals(opened.conversion, is_strict=choices.is_strict),
    )


def _regions(
    grid: Grid,
    rois: Sequence[str | os.PathLike[str]],
    backgrounds: Sequence[Background],
    labels: str | os.PathLike[str] | None,
    choices: Choices,
) -> tuple[list[Roi], list[Roi]]:
    lesions = [
        roi
        for path in rois
        for roi in load_rois(
            os.fspath(path),
            onto=grid,
            names_path=None if labels is None else os.fspath(labels),
            allow_empty=choices.allow_empty,
        ).rois
    ]
    return lesions, [_background(grid, background) for background in backgrounds]


def _background(grid: Grid, background: Background) -> Roi:
    """Return the background as one region: the label asked for, or all labels of its file together."""
    parts = load_rois(background.path, onto=grid, role=Role.BACKGROUND, label=background.label).rois
    voxels = np.unique(np.concatenate([part.voxels for part in parts]))
    flags = tuple(dict.fromkeys(flag for part in parts for flag in part.flags))
    which = "all labels" if background.label is None else f"label {background.label}"
    return Roi(
        roi_id=background.name,
        name=background.name,
        voxels=voxels,
        role=Role.BACKGROUND,
        source=f"label map, {which}",
        flags=flags,
    )


def scaled(native: Volume, scale: SuvScale) -> Volume:
    """Return the volume in SUV; no voxel is touched."""
    factor = np.asarray(scale.factor, np.float64)
    return native.scaled(factor, unit=Unit.CM2ML if scale.unit == "cm2/mL" else Unit.GML)


def _plausible(
    native: Volume, opened: PetStudy, choices: Choices
) -> tuple[float | None, tuple[Finding, ...]]:
    """Return the activity balance and what the totals of the slices say."""
    conversion = opened.conversion
    bw = conversion.scale("bw")
    if bw is None:
        return None, ()
    suv = scaled(native, bw)
    findings = (*extreme_findings(suv, allow_extreme=choices.allow_extreme), *slice_findings(suv))
    if conversion.weight_kg is None:
        return None, findings
    balance = activity_balance(suv, weight_kg=conversion.weight_kg)
    return balance, (*findings, *balance_findings(balance, suv))


def _refuse(findings: tuple[Finding, ...], choices: Choices, *, only_ratios: bool) -> None:
    """Raise what the voxels themselves, or strict rules, turned into a refusal."""
    if only_ratios:
        return
    wanted = {"*", *choices.suv_types}
    refused = [
        f for f in refusals_of(findings, is_strict=choices.is_strict) if wanted.intersection(f.quantities)
    ]
    if refused:
        raise Refused.because(*refused)


def _refuse_codes(measurements: Sequence[Measurement], found: Sequence[Reference], choices: Choices) -> None:
    """Raise the flags of regions that strict rules refuse."""
    if not choices.is_strict:
        return
    by_region = [(f"region {row.roi_id}", code) for row in measurements for code in row.flags]
    by_region += [(f"background {reference.name}", code) for reference in found for code in reference.flags]
    refused = [
        Finding(code=code, found=CODES[code].meaning, remedy="drop --strict", where=where)
        for where, code in dict.fromkeys(by_region)
        if CODES[code].strict
    ]
    if refused:
        raise Refused.because(*refused)
