"""The CT of a study: the series of the same study and frame of reference that covers the PET best, in HU.

Files of a CT are left early when a folder is indexed; here they are read again, to the end of their headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.assemble import read_volume
from petquant.dicom.habit import Habits
from petquant.dicom.index import Index
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.scan import Instance, scan_or_damage
from petquant.dicom.series import Series, series_of
from petquant.dicom.stack import Stack, stack
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.volume_objects import is_reformatted, volume_objects
from petquant.errors import Finding, Refused
from petquant.flags import refusals_of
from petquant.grid import Grid
from petquant.volume import Unit, Volume

__all__ = ["Ct", "read_ct"]

_CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
_LATTICE: Final = 16  # points along each axis of the PET at which a CT is looked for
_ALIKE: Final = 0.01  # of the PET: coverages that differ by less are the same
_ORDINARY: Final = {"RESCALE_INTERCEPT_NONZERO"}  # -1024, as in most CT images


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ct:
    """A CT series, headers only.

    Parameters
    ----------
    series
        Its slices; localizers and pictures are left out.
    stack
        The slices in order, with their grid.
    grid
        Where the voxels lie.
    pet_coverage
        Fraction of the PET's field of view that lies in that of the CT, to about a hundredth.
    set_aside
        The other CT series of the folder with the reason in words.
    findings
        Flags of the slices, and CT_SERIES_CHOSEN when others would have fit.
    """

    series: Series
    stack: Stack
    grid: Grid
    pet_coverage: float
    set_aside: tuple[tuple[Series, str], ...]
    findings: tuple[Finding, ...]

    def volume(self, *, keep: NDArray[np.bool_] | None = None) -> Volume:
        """Return the volume in HU, ``slope_k * stored + intercept_k``; padding keeps its number.

        Parameters
        ----------
        keep
            (nk,) bool: slices whose values will be asked for; all when None.

        Raises
        ------
        PetquantError
            As `petquant.dicom.assemble.read_volume`.
        """
        return read_volume(self.stack, keep=keep, unit=Unit.HU)


def read_ct(index: Index, pet: Series, grid: Grid, *, limits: Limits = DEFAULT_LIMITS) -> Ct:
    """Return the CT that belongs to a PET series: of the same study and the same frame of reference.

    Of several, an original goes before a reformatted one, then the one that covers more of the PET (by more
    than a hundredth), then the one with more slices, then the finer one.

    Parameters
    ----------
    index
        Of the folder; the files of its CT series are opened.
    pet, grid
        The PET and where its voxels lie.

    Raises
    ------
    Refused
        CT_MISSING, with the reason for every CT series of the folder.
    """
    candidates: list[Ct] = []
    set_aside: list[tuple[Series, str]] = []
    for series in index.series:
        if series.modality != "CT":
            continue
        if series.study_uid != pet.study_uid:
            set_aside.append((series, "another study"))
            continue
        ct, why = _candidate(series, pet, grid, limits)
        if ct is None:
            set_aside.append((series, why))
        else:
            candidates.append(ct)
    if not candidates:
        raise _missing(set_aside, pet, index.path)
    return _best(candidates, set_aside)


def _candidate(series: Series, pet: Series, grid: Grid, limits: Limits) -> tuple[Ct | None, str]:
    """Return the series read anew if it is a volume in HU that lies where the PET does, else why not."""
    habits = Habits(is_whole=True)
    scanned = [scan_or_damage(instance.path, limits, habits) for instance in series.instances]
    instances = [instance for instance in scanned if instance is not None]
    damaged = [one for instance in instances for one in instance.findings if one.code == "FILE_DAMAGED"]
    if damaged or len(instances) < len(scanned):
        return None, damaged[0].found if damaged else "a file changed while it was read"
    images = [one for one in instances if one.text(TAG["SOPClassUID"]) == _CT_IMAGE]
    if not images:
        return None, "no CT images"
    whole = series_of(images)
    if not pet.frame_of_reference_uid or whole.frame_of_reference_uid != pet.frame_of_reference_uid:
        return None, "another frame of reference than that of the PET"
    whole, dropped = volume_objects(whole, modality="CT")
    if not whole.instances:
        return None, "localizers or pictures alone"
    slices = stack(whole, limits=limits)
    findings = (*dropped, *slices.findings, *_not_hu(whole))
    refused = refusals_of(findings)
    if refused or slices.grid is None:
        return None, "; ".join(one.line() for one in refused)
    covered = _coverage(slices.grid, grid)
    if not covered:
        return None, "lies beside the PET"
    return Ct(
        series=whole,
        stack=slices,
        grid=slices.grid,
        pet_coverage=covered,
        set_aside=(),
        findings=tuple(one for one in findings if one.code not in _ORDINARY),
    ), ""


def _not_hu(series: Series) -> tuple[Finding, ...]:
    """Return a refusal when a slice is in another unit, or its zero is not known."""
    for keyword, expected in (("RescaleType", "HU or absent"), ("RescaleIntercept", "a number")):
        wrong = [one for one in series.instances if not _is_hu(one, keyword)]
        if wrong:
            text = wrong[0].text(TAG[keyword])
            return (
                Finding(
                    code="CT_NOT_HU",
                    found=f"{keyword} {tag_words(TAG[keyword])} is {text or 'absent'} in {len(wrong)} slices"
                    f", the first {wrong[0].path}",
                    expected=expected,
                    where=f"series {series.uid}",
                    keyword=keyword,
                    tag=tag_words(TAG[keyword]),
                ),
            )
    return ()


def _is_hu(instance: Instance, keyword: str) -> bool:
    """Whether the value is as PS3.3 C.8.2.1 wants it: HU unless another type is named, and an intercept."""
    text = instance.text(TAG[keyword])
    return text in {"", "HU"} if keyword == "RescaleType" else text != ""


def _coverage(ct: Grid, pet: Grid) -> float:
    """Return the fraction of a lattice of PET voxel centres that lie in the box of the CT."""
    axes = [np.unique(np.linspace(0, n - 1, _LATTICE).round()) for n in pet.shape]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    kji = (pet.position_mm(lattice) - ct.affine[:3, 3]) @ np.linalg.inv(ct.affine[:3, :3]).T
    last = np.array(ct.shape, np.float64) - 1
    if ct.slice_positions_mm is not None:
        last[0] = ct.slice_positions_mm[-1] / ct.spacing_mm[0]
    return float(((kji >= -0.5) & (kji <= last + 0.5)).all(axis=1).mean())


def _best(candidates: Sequence[Ct], set_aside: Sequence[tuple[Series, str]]) -> Ct:
    """Return the one to take, with the reasons against the others."""
    most = max(ct.pet_coverage for ct in candidates)

    def rank(ct: Ct) -> tuple[bool, float, int, float, str]:
        short = most - ct.pet_coverage
        return (
            is_reformatted(ct.series),
            0.0 if short < _ALIKE else short,
            -ct.grid.shape[0],
            ct.grid.voxel_volume_ml,
            ct.series.uid,
        )

    best, *others = sorted(candidates, key=rank)
    said = best.findings
    if others:
        found = f"{best.series.uid} ({_words(best)}) before " + ", ".join(
            f"{ct.series.uid} ({_words(ct)})" for ct in others
        )
        said = (*said, Finding(code="CT_SERIES_CHOSEN", found=found))
    return Ct(
        series=best.series,
        stack=best.stack,
        grid=best.grid,
        pet_coverage=best.pet_coverage,
        set_aside=(*set_aside, *((ct.series, f"{_words(ct)} against {_words(best)}") for ct in others)),
        findings=said,
    )


def _words(ct: Ct) -> str:
    kind = "reformatted, " if is_reformatted(ct.series) else ""
    return f"{kind}{ct.grid.shape[0]} slices, covers {ct.pet_coverage:.0%} of the PET"


def _missing(set_aside: Sequence[tuple[Series, str]], pet: Series, path: str) -> Exception:
    reasons = "; ".join(f"{series.uid}: {why}" for series, why in set_aside)
    return Refused.of(
        "CT_MISSING",
        reasons or "no CT series in the folder",
        expected=f"a CT of the study and the frame of reference of series {pet.uid}",
        remedy="give the folder of the whole study",
        path=path,
    )
