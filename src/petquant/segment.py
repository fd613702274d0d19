"""To segment is to make regions on a study: shapes, thresholds, connected components."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from petquant.background import Background, background_regions, require_backgrounds
from petquant.delineation import (
    METHODS,
    Delineated,
    Delineation,
    Level,
    Shape,
    components,
    delineate,
    drawn,
    require_meant,
    require_real,
)
from petquant.delineation.components import CONNECTIVITIES, at_least_ml
from petquant.dicom.archive import unpacked
from petquant.errors import Finding, Refused, UsageError
from petquant.files import load_rois
from petquant.flags import refusals_of
from petquant.grid import Grid
from petquant.metrics import Reference, references
from petquant.quantify import scaled, study_refusals
from petquant.roi import Roi
from petquant.segmentation import Segmentation, SegmentedRegion
from petquant.study import Choices, PetStudy, open_study
from petquant.suv.plausibility import extreme_findings, slice_findings
from petquant.volume import Volume

__all__ = ["Wanted", "segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which regions are wanted.

    Parameters
    ----------
    shapes
        Spheres, cylinders and boxes; with a method, where it searches.
    within
        File or folder of regions, as `petquant.files.load_rois` reads them; with a method, where it searches.
    within_label
        The one region of that file; None takes all.
    labels
        JSON or CSV with the names of the labels in `within`.
    delineation
        The method; None takes shapes and regions as they are.
    background
        Region that the method measures.
    background_value
        Background as a number, in the unit of the SUV type.
    is_split
        Whether every connected component becomes a region of its own.
    minimum_ml
        Components of less volume are left out.
    connectivity
        6, 18 or 26: what counts as connected.
    name
        Of the region of a whole volume.
    """

    shapes: tuple[Shape, ...] = ()
    within: str | None = None
    within_label: str | None = None
    labels: str | None = None
    delineation: Delineation | None = None
    background: Background | None = None
    background_value: float | None = None
    is_split: bool = False
    minimum_ml: float = 0.0
    connectivity: int = 26
    name: str = "lesion"


def segment(study: str | os.PathLike[str], wanted: Wanted, *, choices: Choices | None = None) -> Segmentation:
    """Return the regions wanted, on the grid of the PET.

    Shapes and regions without a method need no SUV, and no voxel of the PET is looked at.

    Parameters
    ----------
    study
        Folder or file of the study, or a zip of it.
    wanted
        Which regions.
    choices
        Which series, which SUV type (one), what the user says and allows.

    Raises
    ------
    PetquantError
        With every cause at once, when the regions could not be relied on.
    """
    choices = choices or Choices()
    _require_meant(wanted, choices)
    with unpacked(study) as folder:
        return _segment(open_study(folder, choices), wanted, choices)


def _segment(opened: PetStudy, wanted: Wanted, choices: Choices) -> Segmentation:
    geometry = refusals_of(opened.findings, is_strict=choices.is_strict)
    refused = geometry if wanted.delineation is None else study_refusals(opened, choices)
    if refused:
        raise Refused.because(*dict.fromkeys(refused))
    searched, said = _searched(opened, wanted, choices)
    volume, suv_type = None, ""
    of_volume: tuple[Finding, ...] = ()
    reference, level = None, None
    if wanted.delineation is None:
        made = tuple(Delineated(roi=roi, threshold=None) for roi in searched or ())
    else:
        suv_type = choices.suv_types[0]
        volume, of_volume = _suv(opened, suv_type, choices)
        reference, level, of_background = _background(opened, wanted, volume, choices)
        said = (*said, *of_background)
        made = delineate(
            volume,
            wanted.delineation,
            suv_type=suv_type,
            within=searched,
            level=level,
            name=wanted.name,
        )
    opened.verify_unchanged()
    regions, of_regions = _regions(made, opened.grid, wanted)
    if not regions and not choices.allow_empty:
        raise Refused.of(
            "ROI_EMPTY",
            "nothing was found: " + "; ".join(dict.fromkeys(one.roi.source for one in made)),
            expected="at least one voxel"
            + (f" in parts of {wanted.minimum_ml:g} mL" * bool(wanted.minimum_ml)),
            remedy="--allow-empty, if none is the answer",
        )
    of_conversion = () if wanted.delineation is None else opened.conversion.findings
    findings = tuple(dict.fromkeys((*opened.findings, *of_conversion, *of_volume, *said, *of_regions)))
    refused = refusals_of((*said, *of_regions), is_strict=choices.is_strict)
    if refused:
        raise Refused.because(*refused)
    return Segmentation(
        study=opened,
        regions=regions,
        delineation=wanted.delineation,
        suv_type=suv_type,
        unit="" if volume is None else str(volume.unit),
        reference=reference,
        level=level,
        is_split=wanted.is_split,
        minimum_ml=wanted.minimum_ml,
        connectivity=wanted.connectivity,
        findings=findings,
    )


def _require_meant(wanted: Wanted, choices: Choices) -> None:
    """Raise what cannot be meant before anything is read."""
    has_region = bool(wanted.shapes) or wanted.within is not None
    for shape in wanted.shapes:
        require_real(shape)
    if wanted.connectivity not in CONNECTIVITIES:
        raise UsageError.of("OPTION_INVALID", f"--connectivity {wanted.connectivity}", expected="6, 18 or 26")
    if not 0 <= wanted.minimum_ml < float("inf"):
        raise UsageError.of("OPTION_INVALID", f"--min-volume-ml {wanted.minimum_ml:g}", expected="0 or more")
    if wanted.background is not None:
        require_backgrounds([wanted.background])
    if wanted.delineation is not None:
        if len(choices.suv_types) > 1:
            raise UsageError.of("OPTION_INVALID", "several --suv for one threshold", expected="one --suv")
        require_meant(
            wanted.delineation,
            suv_type=choices.suv_types[0],
            has_region=has_region,
            background=None if wanted.background is None else wanted.background.name,
            has_background_value=wanted.background_value is not None,
        )
        return
    if not has_region:
        raise UsageError.of(
            "OPTION_INVALID",
            "nothing says which regions are wanted",
            expected=f"--method {', '.join(METHODS)}; or --sphere, --cylinder, --box; or --within FILE",
        )
    if wanted.background is not None or wanted.background_value is not None:
        raise UsageError.of(
            "OPTION_INVALID", "a background without --method", expected="a method that uses it"
        )


def _searched(
    opened: PetStudy, wanted: Wanted, choices: Choices
) -> tuple[list[Roi] | None, tuple[Finding, ...]]:
    """Return the regions of the file and the shapes, on the PET grid; None for the whole volume."""
    if wanted.within is None and not wanted.shapes:
        return None, ()
    rois: list[Roi] = []
    said: tuple[Finding, ...] = ()
    if wanted.within is not None:
        found = load_rois(
            wanted.within,
            onto=opened.grid,
            pet=opened.facts,
            reading=choices.reading,
            names_path=wanted.labels,
            label=wanted.within_label,
            allow_empty=choices.allow_empty,
        )
        rois, said = list(found.rois), found.findings
    first = len(rois) + 1
    for number, shape in enumerate(wanted.shapes, start=first):
        roi, of_shape = drawn(shape, opened.grid, roi_id=str(number))
        rois.append(roi)
        said = (*said, *of_shape)
    return rois, said


def _suv(opened: PetStudy, suv_type: str, choices: Choices) -> tuple[Volume, tuple[Finding, ...]]:
    """Return the volume in SUV and what its voxels say.

    Raises
    ------
    Refused
        As ``petquant convert``.
    """
    scale = opened.conversion.scale(suv_type)
    if scale is None:
        raise Refused.because(*opened.conversion.refusals((suv_type,)))
    suv = scaled(opened.volume(), scale)
    found = (*extreme_findings(suv, allow_extreme=choices.allow_extreme), *slice_findings(suv))
    refused = refusals_of(found, is_strict=choices.is_strict)
    if refused:
        raise Refused.because(*refused)
    return suv, found


def _background(
    opened: PetStudy, wanted: Wanted, volume: Volume, choices: Choices
) -> tuple[Reference | None, Level | None, tuple[Finding, ...]]:
    """Return the background, measured or given, and what is to be said of it."""
    if wanted.background_value is not None:
        return None, Level(mean=wanted.background_value), ()
    if wanted.background is None:
        return None, None, ()
    (found,) = background_regions(
        [wanted.background],
        opened.grid,
        facts=opened.facts,
        reading=choices.reading,
        lesions=(),
        pet=volume,
        ct=lambda: opened.ct().volume(),
    )
    (reference,) = references(volume, [found.roi], [])
    mean, sd = reference.values["mean"], reference.values["sd"]
    if reference.reason or mean is None or sd is None:
        raise Refused.of("MEAN_NOT_POSITIVE", reference.reason, where=f"background {reference.name}")
    return reference, Level(name=reference.name, mean=mean, sd=sd), found.findings


def _regions(
    made: Sequence[Delineated], grid: Grid, wanted: Wanted
) -> tuple[tuple[SegmentedRegion, ...], tuple[Finding, ...]]:
    """Return the regions that hold voxels, split and numbered, and a finding for each that holds none."""
    parts: list[tuple[Roi, float | None]] = []
    findings = []
    for one in made:
        kept: tuple[Roi, ...] = (one.roi,)
        if wanted.is_split:
            kept = components(one.roi, grid, connectivity=wanted.connectivity, minimum_ml=wanted.minimum_ml)
        elif wanted.minimum_ml:
            kept = (
                at_least_ml(one.roi, grid, minimum_ml=wanted.minimum_ml, connectivity=wanted.connectivity),
            )
        filled = [roi for roi in kept if len(roi.voxels)]
        if not filled:
            findings.append(
                Finding(
                    code="THRESHOLD_EMPTY",
                    found=f"no voxel: {kept[0].source if kept else one.roi.source}",
                    where=f"region {one.roi.roi_id} ({one.roi.name})",
                )
            )
        parts += [(roi, one.threshold) for roi in filled]
    labels = _labels([roi for roi, _ in parts])
    return tuple(
        SegmentedRegion(
            label=label,
            roi=replace(roi, roi_id=str(label)),
            threshold=threshold,
            volume_ml=grid.voxel_volume_ml
            * (len(roi.voxels) if roi.weights is None else float(roi.weights.sum())),
        )
        for label, (roi, threshold) in zip(labels, parts, strict=True)
    ), tuple(findings)


def _labels(rois: Sequence[Roi]) -> list[int]:
    """Return the numbers that the regions had, where those are numbers and all different; else 1, 2, 3 ..."""
    ids = [roi.roi_id for roi in rois]
    if len(set(ids)) == len(ids) and all(one.isdecimal() and 0 < int(one) < 2**32 for one in ids):
        return [int(one) for one in ids]
    return list(range(1, len(ids) + 1))
