"""Every PET series of a tree is judged as `petquant.check` judges it: headers only, one study at a time."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from petquant.check import check_series
from petquant.checked import CheckedSeries
from petquant.dicom.habit import Habits
from petquant.dicom.index import Index
from petquant.dicom.limits import DEFAULT_LIMITS
from petquant.dicom.multi_frame import frames_of
from petquant.dicom.scan import Instance, scan_or_damage
from petquant.dicom.select import select
from petquant.dicom.series import series_of
from petquant.dicom.tags import TAG
from petquant.discover.tree import FoundStudy, Tree, look_through
from petquant.errors import Finding, PetquantError, Refused, UnreadableInput
from petquant.flags import flags_of, refusals_of
from petquant.quantify import study_refusals
from petquant.study import Choices, PetStudy
from petquant.suv.normalisation import NORMALISATIONS
from petquant.suv.ratio import ratio_refusals

__all__ = ["Discovered", "DiscoveredSeries", "discover"]

_SERIES = TAG["SeriesInstanceUID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredSeries:
    """One PET series of a tree, or a NIfTI image of one.

    Parameters
    ----------
    study_folder
        The folder that holds all images of its study, or the NIfTI image.
    folder
        The folder that holds its own files.
    study_uid, series_uid, series_number, n_files
        As found.
    choice
        ``taken`` when ``petquant suv`` takes it where its study is asked for and no series is; ``ambiguous``
        when it takes none, because several fit; ``set aside`` otherwise.
    computable
        SUV types that can be computed, and ``tbr``.
    refusals
        Every cause against the SUV types asked for.
    flags
        Codes of everything else that is to be said.
    facts
        Tracer, scanner, geometry and what the conversion needs, by name of the column.
    has_ct, n_seg, n_rtstruct
        What else lies in its study.
    """

    study_folder: str
    folder: str
    study_uid: str
    series_uid: str
    series_number: str
    n_files: int
    choice: str
    computable: tuple[str, ...]
    refusals: tuple[Finding, ...]
    flags: tuple[str, ...]
    facts: dict[str, str | float | int | None]
    has_ct: bool = False
    n_seg: int = 0
    n_rtstruct: int = 0

    @property
    def is_computable(self) -> bool:
        """Whether every SUV type asked for can be computed."""
        return not self.refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A tree with the verdict on every PET series in it."""

    tree: Tree
    series: tuple[DiscoveredSeries, ...]


def discover(
    root: str | os.PathLike[str],
    choices: Choices | None = None,
) -> Discovered:
    """Return every PET series of a tree with what can be computed of it, in the order of their folders.

    Parameters
    ----------
    root
        Folder of any mess; a study may lie in several folders, and several studies in one.
    choices
        SUV types, overrides and allowances, as for `petquant.quantify`.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND, when the path does not exist. What cannot be read is noted and stops nothing.
    """
    choices = choices or Choices()
    tree = look_through(root, follow_symlinks=choices.follow_symlinks)
    habits = Habits()
    of_dicom = [one for study in tree.studies for one in _judged(study, choices, habits)]
    of_images = [_judged_image(image, choices) for image in tree.images]
    return Discovered(tree=tree, series=(*of_dicom, *of_images))


def _judged(study: FoundStudy, choices: Choices, habits: Habits) -> list[DiscoveredSeries]:
    """Return the verdicts on the PET series of a study."""
    index = _index_of(study, habits)
    taken, several = _taken(index, choices)
    asked = replace(choices, suv_types=_all_types(choices))
    rows = [
        _row(study, check_series(series, index, asked), choices, taken=taken, several=several)
        for series in index.series
    ]
    whole = {series.uid for series in index.series}
    rows += [
        _lost(study, uid, [one for one in index.damaged if one.text(_SERIES) == uid])
        for uid in dict.fromkeys(one.text(_SERIES) for one in index.damaged)
        if uid not in whole
    ]
    return sorted(rows, key=lambda row: (row.series_number.zfill(12), row.series_uid))


def _index_of(study: FoundStudy, habits: Habits) -> Index:
    """Return the PET series of a study, read again; what became unreadable since is damage."""
    groups: dict[str, list[Instance]] = defaultdict(list)
    damaged: list[Instance] = []
    for path in study.pet:
        instance = None
        try:
            instance = scan_or_damage(path, DEFAULT_LIMITS, habits)
            frames: tuple[Instance, ...] = () if instance is None else (instance,)
            if instance is not None and instance.damage is None:
                frames = frames_of(instance, DEFAULT_LIMITS)
        except PetquantError as error:
            frames = () if instance is None else (replace(instance, damage=error.findings[0]),)
        for frame in frames:
            if frame.damage is None:
                groups[frame.text(_SERIES)].append(frame)
            else:
                damaged.append(frame)
    return Index(
        path=study.folder,
        series=tuple(series_of(frames) for frames in groups.values()),
        strays={},
        findings=(),
        damaged=tuple(damaged),
    )


def _taken(index: Index, choices: Choices) -> tuple[str, str]:
    """Return which series is taken when none is asked for, or else the words that name those that fit."""
    try:
        return select(index, allow_nac=choices.allow_nac).series.uid, ""
    except (Refused, UnreadableInput) as refusal:
        return "", " ".join(one.expected for one in refusal.findings if one.code == "SERIES_AMBIGUOUS")


def _all_types(choices: Choices) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*choices.suv_types, *(row.name for row in NORMALISATIONS))))


def _row(
    study: FoundStudy,
    checked: CheckedSeries,
    choices: Choices,
    *,
    taken: str,
    several: str,
) -> DiscoveredSeries:
    series, opened = checked.series, checked.study
    refusals = checked.refusals if opened is None else study_refusals(opened, choices)
    return DiscoveredSeries(
        study_folder=study.folder,
        folder=series.root or os.curdir,
        study_uid=series.study_uid,
        series_uid=series.uid,
        series_number=series.number,
        n_files=series.n_files,
        choice="taken" if series.uid == taken else "ambiguous" if series.uid in several else "set aside",
        computable=() if opened is None else _computable(opened, choices),
        refusals=refusals,
        flags=_flags(opened, choices),
        facts={} if opened is None else facts_of(opened),
        has_ct=study.has_ct,
        n_seg=len(study.regions.get("SEG", ())),
        n_rtstruct=len(study.regions.get("RTSTRUCT", ())),
    )


def _lost(study: FoundStudy, uid: str, damaged: list[Instance]) -> DiscoveredSeries:
    """Return the row of a series none of whose files can be read."""
    return DiscoveredSeries(
        study_folder=study.folder,
        folder=os.path.dirname(damaged[0].path) or os.curdir,  # noqa: PTH120 - as written
        study_uid=study.uid,
        series_uid=uid,
        series_number=damaged[0].text(TAG["SeriesNumber"]),
        n_files=len(damaged),
        choice="set aside",
        computable=(),
        refusals=tuple(one.damage for one in damaged if one.damage is not None),
        flags=(),
        facts={},
    )


def _judged_image(image: str, choices: Choices) -> DiscoveredSeries:
    """Return the verdict on a NIfTI image with its side-car."""
    from petquant.study.nifti import open_nifti  # noqa: PLC0415 - not needed for DICOM

    try:
        opened = open_nifti(Path(image), replace(choices, suv_types=_all_types(choices)), is_hashed=False)
    except PetquantError as error:
        return DiscoveredSeries(
            study_folder=image,
            folder=image,
            study_uid="",
            series_uid="",
            series_number="",
            n_files=1,
            choice="taken",
            computable=(),
            refusals=error.findings,
            flags=(),
            facts={},
        )
    source = opened.source
    return DiscoveredSeries(
        study_folder=image,
        folder=image,
        study_uid=source.study_uid,
        series_uid=source.uid,
        series_number=source.number,
        n_files=source.n_files,
        choice="taken",
        computable=_computable(opened, choices),
        refusals=study_refusals(opened, choices),
        flags=_flags(opened, choices),
        facts=facts_of(opened),
    )


def _computable(opened: PetStudy, choices: Choices) -> tuple[str, ...]:
    """Return the SUV types that nothing forbids, and ``tbr`` where ratios of regions are right."""
    types = [
        name
        for name in _all_types(choices)
        if not study_refusals(opened, replace(choices, suv_types=(name,)))
    ]
    of_geometry = refusals_of(opened.findings, is_strict=choices.is_strict)
    has_ratios = not of_geometry and not ratio_refusals(opened.conversion, is_strict=choices.is_strict)
    return (*types, "tbr") if has_ratios else tuple(types)


def _flags(opened: PetStudy | None, choices: Choices) -> tuple[str, ...]:
    """Return the codes of what is to be said of the SUV types asked for, and of ratios."""
    if opened is None:
        return ()
    about = {"*", "tbr", *choices.suv_types}
    said = (
        one for one in (*opened.findings, *opened.conversion.findings) if about.intersection(one.quantities)
    )
    return flags_of(said)


def facts_of(opened: PetStudy) -> dict[str, str | float | int | None]:
    """Return what a row says of an opened series, by column; None for what is not known."""
    source, conversion = opened.source, opened.conversion
    activity_bq, grid = conversion.injected_activity_bq, source.grid
    return {
        "tracer": None if conversion.tracer is None else conversion.tracer.name,
        "nuclide": conversion.half_life.nuclide,
        "manufacturer": source.manufacturer or None,
        "model": source.model or None,
        "reconstruction": opened.acquisition.reconstruction or None,
        "units": conversion.stored.units or None,
        "n_slices": source.n_slices,
        "voxel_mm": None if grid is None else "x".join(f"{mm:.4g}" for mm in reversed(grid.spacing_mm)),
        "weight_kg": conversion.weight_kg,
        "injected_mbq": None if activity_bq is None else activity_bq / 1e6,
        "uptake_time_min": conversion.uptake_time_min,
    }
