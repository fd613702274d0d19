"""To quantify is to go one straight line: study and regions in, numbers with their evidence out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from petquant.background import (
    Background,
    BackgroundRegion,
    background_regions,
    in_band,
    require_backgrounds,
)
from petquant.dicom.archive import unpacked
from petquant.errors import Finding, PetquantError, Refused, UsageError
from petquant.files import load_rois
from petquant.flags import CODES, flags_of, refusals_of
from petquant.manifest import verify
from petquant.measurement import Measurement
from petquant.metrics import (
    Burden,
    Reference,
    burden,
    left_right_findings,
    measure,
    references,
    slices_needed,
    window_needed,
    without_volumes,
)
from petquant.occupancy.frame import slices_beside
from petquant.quantification import Quantification
from petquant.roi import Roi
from petquant.study import Choices, PetStudy, open_study
from petquant.suv.conversion import SuvConversion, SuvScale
from petquant.suv.plausibility import activity_balance, balance_findings, extreme_findings, slice_findings
from petquant.suv.ratio import bed_alignment, ratio_refusals
from petquant.volume import Unit, Volume

__all__ = [
    "Background",
    "MeasuredStudy",
    "measure_study",
    "quantify",
    "scaled",
    "study_refusals",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredStudy:
    """A quantification with the voxels it came from, for more regions of the same scan.

    Parameters
    ----------
    quantification
        What the study gave.
    volume
        Of the first SUV type, every slice of it; in native units, all slices brought to one time, when SUV
        was refused.
    lesions
        On the grid of the volume, in the order of the measurements.
    backgrounds
        On the grid of the volume, whole, in the order of the references.
    flags
        Of the scan: every measurement carries them.
    ct
        In HU, the slices beside the lesions loaded; None when it was not asked for or there is none.
    why_no_ct
        Why there is none, in words; "" when there is one, or it was not asked for.
    """

    quantification: Quantification
    volume: Volume
    lesions: tuple[Roi, ...]
    backgrounds: tuple[Roi, ...]
    flags: tuple[str, ...]
    ct: Volume | None = None
    why_no_ct: str = ""


def quantify(
    study: str | os.PathLike[str],
    rois: Sequence[str | os.PathLike[str]],
    *,
    backgrounds: Sequence[Background] = (),
    choices: Choices | None = None,
    labels: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    psf_fwhm_mm: float | None = None,
) -> Quantification:
    """Return the numbers of the regions of one study.

    Parameters
    ----------
    study
        Folder or file of the study, or a zip of it.
    rois
        Files or folders of regions, in any form that `petquant.files.load_rois` reads; all are lesions.
    backgrounds
        Reference regions that ratios divide by.
    choices
        Which series, which SUV types, what the user says and allows.
    labels
        JSON or CSV with the names of the labels.
    manifest
        What ``petquant lock`` wrote; the study is held to it before anything is read and after.
    psf_fwhm_mm
        Width of the noise correlation, from which the standard error of the backgrounds follows; None gives
        none.

    Raises
    ------
    PetquantError
        With every cause at once, when a number asked for would not be safe.
    """
    return measure_study(
        study,
        rois,
        backgrounds=backgrounds,
        choices=choices,
        labels=labels,
        manifest=manifest,
        psf_fwhm_mm=psf_fwhm_mm,
        is_whole=False,
    ).quantification


def measure_study(
    study: str | os.PathLike[str],
    rois: Sequence[str | os.PathLike[str]],
    *,
    backgrounds: Sequence[Background] = (),
    choices: Choices | None = None,
    labels: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    psf_fwhm_mm: float | None = None,
    is_whole: bool = True,
    has_ct: bool = False,
) -> MeasuredStudy:
    """Return the numbers of the regions of one study, with its volume.

    Parameters
    ----------
    study, rois, backgrounds, choices, labels, manifest, psf_fwhm_mm
        As for `quantify`.
    is_whole
        Whether slices are kept that no region needs.
    has_ct
        Whether the CT beside the lesions is read too; a study without one is measured all the same.

    Raises
    ------
    PetquantError
        As `quantify`.
    """
    choices = choices or Choices()
    require_backgrounds(backgrounds)
    _require_width(psf_fwhm_mm)
    locked = "" if manifest is None else verify(study, manifest)
    with unpacked(study) as folder:
        opened = open_study(folder, choices)
        refused = study_refusals(opened, choices)
        against_ratios = _forbidding_ratios(opened, choices) if backgrounds else ()
        has_suv = any(opened.conversion.scale(name) is not None for name in choices.suv_types)
        only_ratios = bool(refused and backgrounds and not against_ratios and not has_suv)
        if refused and not only_ratios:
            raise Refused.because(*dict.fromkeys((*refused, *against_ratios)))
        lesions, of_regions = _lesions(opened, rois, labels, choices)
        behind, native = _backgrounds(opened, backgrounds, lesions, choices)
        references_ = [one.roi for one in behind]
        of_regions = tuple(dict.fromkeys((*of_regions, *(said for one in behind for said in one.findings))))
        if native is None:
            native = opened.volume() if is_whole else _needed(opened, [*lesions, *references_])
        ct, why_no_ct = _ct_beside(opened, lesions) if has_ct else (None, "")
        opened.verify_unchanged()
    if manifest is not None:
        verify(study, manifest)  # what was read is what was locked: no size or time can tell a changed bit

    volumes, said, balance = (
        _native(native, opened, refused) if only_ratios else _suv(native, opened, choices)
    )
    findings = (*opened.findings, *opened.conversion.findings, *said)
    first = next(iter(volumes.values()))
    lesions, suspicion = _left_right(first, lesions)
    of_regions = (*of_regions, *suspicion)
    if not only_ratios:
        _refuse((*findings, *of_regions), choices)
    measured = [
        _measured(
            suv_type,
            volume,
            lesions,
            references_,
            flags=flags_of(findings),
            conversion=opened.conversion,
            psf_fwhm_mm=psf_fwhm_mm,
            has_further=choices.has_further,
        )
        for suv_type, volume in volumes.items()
    ]
    rows, found, summary = measured[0]
    _refuse_codes(rows, found, choices)
    quantification = Quantification(
        study=opened,
        suv_types=() if only_ratios else tuple(volumes),
        measurements=tuple(row for of_type, _, _ in measured for row in of_type),
        references=tuple(found),
        placements={one.roi.name: one.placement for one in behind if one.placement is not None},
        psf_fwhm_mm=psf_fwhm_mm,
        summary=summary.values,
        activity_balance=balance,
        manifest_sha256=locked,
        findings=(*findings, *of_regions, *_overlap(summary)),
    )
    return MeasuredStudy(
        quantification=quantification,
        volume=first,
        lesions=tuple(lesions),
        backgrounds=tuple(references_),
        flags=flags_of(findings),
        ct=ct,
        why_no_ct=why_no_ct,
    )


def _ct_beside(opened: PetStudy, lesions: list[Roi]) -> tuple[Volume | None, str]:
    """Return the CT of the study with its slices beside the lesions, or why there is none."""
    try:
        ct = opened.ct()
        return ct.volume(keep=slices_beside(opened.grid, lesions, of=ct.grid)), ""
    except PetquantError as missing:
        return None, "; ".join(one.found for one in missing.findings)


def _left_right(volume: Volume, lesions: list[Roi]) -> tuple[list[Roi], tuple[Finding, ...]]:
    """Return the lesions, all of them flagged when their mirror image fits the PET better."""
    found = left_right_findings(volume, lesions)
    codes = flags_of(found)
    return [replace(roi, flags=(*roi.flags, *codes)) for roi in lesions] if codes else lesions, found


def _needed(opened: PetStudy, rois: list[Roi]) -> Volume:
    """Return the slices and rows that the regions need."""
    return opened.volume(keep=slices_needed(opened.grid, rois), window=window_needed(opened.grid, rois))


def _native(
    native: Volume, opened: PetStudy, refused: tuple[Finding, ...]
) -> tuple[dict[str, Volume], tuple[Finding, ...], None]:
    """Return the volume in its own unit, all slices brought to one time, for ratios alone."""
    codes = ", ".join(dict.fromkeys(f.code for f in refused))
    unavailable = Finding(
        code="SUV_UNAVAILABLE_TBR_VALID",
        found=f"SUV unavailable ({codes}), TBR valid: ratios are measured on {native.unit}",
    )
    aligned = native.scaled(np.asarray(bed_alignment(opened.conversion)), unit=native.unit)
    return {"none": aligned}, (unavailable,), None


def _suv(
    native: Volume, opened: PetStudy, choices: Choices
) -> tuple[dict[str, Volume], tuple[Finding, ...], float | None]:
    """Return a volume for each SUV type, what their totals say, and the activity balance."""
    scales = [opened.conversion.scale(name) for name in choices.suv_types]
    volumes = {scale.name: scaled(native, scale) for scale in scales if scale is not None}
    bw = opened.conversion.scale("bw")
    if bw is None:
        return volumes, (), None
    suv = scaled(native, bw)
    found = (*extreme_findings(suv, allow_extreme=choices.allow_extreme), *slice_findings(suv))
    findings = tuple(opened.acquisition.located(one) for one in found)
    weight_kg = opened.conversion.weight_kg
    if weight_kg is None or "SLICE_THICKNESS_MISSING" in flags_of(opened.findings):
        return volumes, findings, None
    balance = activity_balance(suv, weight_kg=weight_kg)
    return volumes, (*findings, *balance_findings(balance, suv)), balance


def _measured(
    suv_type: str,
    volume: Volume,
    lesions: list[Roi],
    backgrounds: list[Roi],
    *,
    flags: tuple[str, ...],
    conversion: SuvConversion,
    psf_fwhm_mm: float | None,
    has_further: bool,
) -> tuple[list[Measurement], list[Reference], Burden]:
    """Return the rows of one SUV type, the backgrounds behind their ratios, and the sums."""
    found = [
        in_band(one, conversion, suv_type)
        for one in references(volume, backgrounds, lesions, psf_fwhm_mm=psf_fwhm_mm)
    ]
    rows = measure(
        volume,
        lesions,
        suv_type=suv_type,
        conversion_flags=flags,
        references=found,
        has_further=has_further,
    )
    total = burden(volume, lesions, rows)
    if "SLICE_THICKNESS_MISSING" not in flags:
        return rows, found, total
    no_volume = {"tmtv_ml": None, "ttlg_g": None}
    return (
        without_volumes(rows),
        [replace(one, values={**one.values, "volume_ml": None}) for one in found],
        replace(total, values={**total.values, **no_volume}),
    )


def _overlap(summary: Burden) -> tuple[Finding, ...]:
    """Return the flag of the sums when lesions share voxels."""
    if not summary.shared_voxels:
        return ()
    return (Finding(code="ROI_OVERLAP", found=f"{summary.shared_voxels} voxels lie in several lesions"),)


def _require_width(psf_fwhm_mm: float | None) -> None:
    """Raise when the width of the noise correlation is no length."""
    if psf_fwhm_mm is not None and not 0 < psf_fwhm_mm < float("inf"):
        raise UsageError.of("OPTION_INVALID", f"--psf-fwhm-mm {psf_fwhm_mm:g}", expected="more than 0 mm")


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


def _lesions(
    opened: PetStudy,
    rois: Sequence[str | os.PathLike[str]],
    labels: str | os.PathLike[str] | None,
    choices: Choices,
) -> tuple[list[Roi], tuple[Finding, ...]]:
    """Return the lesions on the PET grid, and what is to be said of their files."""
    facts = opened.facts
    loaded = [
        load_rois(
            os.fspath(path),
            onto=opened.grid,
            pet=facts,
            reading=choices.reading,
            names_path=None if labels is None else os.fspath(labels),
            label=choices.roi_label,
            allow_empty=choices.allow_empty,
        )
        for path in rois
    ]
    lesions = [
        roi if len(rois) == 1 else replace(roi, source=f"{roi.source} {number}")
        for number, of_file in enumerate(loaded, start=1)
        for roi in of_file.rois
    ]
    if choices.reading.splits_components:
        from petquant.delineation import components  # noqa: PLC0415 - few ask for it, and it needs scipy

        lesions = [part for lesion in lesions for part in components(lesion, opened.grid)]
    return lesions, tuple(finding for part in loaded for finding in part.findings)


def _backgrounds(
    opened: PetStudy, backgrounds: Sequence[Background], lesions: list[Roi], choices: Choices
) -> tuple[list[BackgroundRegion], Volume | None]:
    """Return the backgrounds on the PET grid, and the whole volume when their places had to be found."""
    native = seen = None
    if any(background.automatic for background in backgrounds):
        native = opened.volume()
        scale = opened.conversion.scale(choices.suv_types[0])
        seen = native if scale is None else scaled(native, scale)
    behind = background_regions(
        backgrounds,
        opened.grid,
        facts=opened.facts,
        reading=choices.reading,
        lesions=lesions,
        pet=seen,
        ct=lambda: opened.ct().volume(),
    )
    return behind, native


def scaled(native: Volume, scale: SuvScale) -> Volume:
    """Return the volume in SUV; no voxel is touched."""
    factor = np.asarray(scale.factor, np.float64)
    return native.scaled(factor, unit=Unit.CM2ML if scale.unit == "cm2/mL" else Unit.GML)


def _refuse(findings: tuple[Finding, ...], choices: Choices) -> None:
    """Raise what the voxels themselves, or strict rules, turned into a refusal."""
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
