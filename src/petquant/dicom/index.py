"""An index is what lies in a folder: its series, from headers alone, and what was passed over."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from petquant.dicom.folder import LINK_OUT, Folder, look_into
from petquant.dicom.habit import Habits
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.multi_frame import frames_of
from petquant.dicom.scan import Instance, scan_or_damage
from petquant.dicom.series import Series, merged, series_of
from petquant.dicom.strays import CONTAINERS, FORMATS, kind_of
from petquant.dicom.tags import TAG
from petquant.errors import Finding, LimitReached, PetquantError, UnreadableInput

__all__ = ["Index", "Series", "index"]

_SHOWN = 20  # damaged files named in one error


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The series of a folder.

    Parameters
    ----------
    path
        The folder or file that was looked into.
    series
        By SeriesNumber, then UID.
    strays
        How many files of each kind were passed over.
    findings
        What was passed over, and damaged files that are no PET.
    damaged
        PET images that cannot be read, and yet name their series.
    """

    path: str
    series: tuple[Series, ...]
    strays: dict[str, int]
    findings: tuple[Finding, ...]
    damaged: tuple[Instance, ...] = ()


def index(
    folder_or_file: str | os.PathLike[str],
    *,
    follow_symlinks: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Index:
    """Return the series of a folder (nested or flat, whatever else lies in it), or of one file.

    Raises
    ------
    UsageError
        When the path does not exist.
    UnreadableInput
        When there is no DICOM, or a file cannot be read that may be a PET image of any series.
    LimitReached
        When such a file nests, inflates or declares more than `limits` allow.
    """
    path = os.fspath(folder_or_file)
    folder = look_into(path, follow_symlinks=follow_symlinks)
    groups: dict[tuple[bytes, bytes], list[Instance]] = {}
    damaged: list[Instance] = []
    damaged_pet: list[Instance] = []
    errors: list[PetquantError] = []
    habits = Habits()
    series_tag, study_tag = TAG["SeriesInstanceUID"], TAG["StudyInstanceUID"]
    for file in folder.files:
        try:
            frames = _opened(file, limits, habits)
        except (UnreadableInput, LimitReached) as error:
            errors.append(error)
            continue
        if not frames:
            folder.pass_over(kind_of(file), file)
            continue
        instance = frames[0]
        if instance.damage is not None:
            damaged_pet.append(instance)
            continue
        uid = instance.values.get(series_tag, b"").rstrip(b" \0")
        if any(finding.code == "FILE_DAMAGED" for finding in instance.findings):
            damaged.append(instance)
        else:
            # Without a series UID the study is all that holds files together.
            groups.setdefault((uid, b"" if uid else instance.values.get(study_tag, b"")), []).extend(frames)
    if errors:
        raise _all_of(errors)
    if not groups and not damaged and not damaged_pet:
        raise _nothing(folder, path)
    series = [series_of(instances) for instances in groups.values()]
    return Index(
        path=path,
        series=tuple(sorted(series, key=lambda one: (_number(one), one.uid))),
        strays=dict(folder.strays),
        findings=(*folder.findings(), *merged(tuple(damaged))),
        damaged=tuple(damaged_pet),
    )


def _opened(file: str, limits: Limits, habits: Habits) -> tuple[Instance, ...]:
    """Return the images of a file: one, or its frames; none when it is not DICOM.

    A multi-frame image whose frames cannot be told is damaged as a whole.
    """
    instance = scan_or_damage(file, limits, habits)
    if instance is None:
        return ()
    if instance.damage is not None:
        return (instance,)
    try:
        return frames_of(instance, limits)
    except UnreadableInput as error:
        return (replace(instance, damage=error.findings[0]),)


def _number(series: Series) -> int:
    try:
        return int(series.number)
    except ValueError:
        return 2**31


def _all_of(errors: list[PetquantError]) -> PetquantError:
    """Return one error with the causes of all that are of the first one's kind."""
    kind = type(errors[0])
    findings = [finding for error in errors if type(error) is kind for finding in error.findings]
    return kind.because(*findings[:_SHOWN])


def _nothing(folder: Folder, path: str) -> UnreadableInput:
    """Return the error when there is no DICOM, by what there is instead."""
    passed_over = "; ".join(finding.found for finding in folder.findings())
    code, found, remedy = "NO_FILES", "no file", "give the folder of the study"
    if folder.files:
        code, found = "NO_DICOM", "no DICOM image"
    kinds = set(folder.strays)
    if folder.files and kinds <= set(CONTAINERS.values()):
        code, remedy = "COMPRESSION_UNSUPPORTED", "unpack it first"
    elif folder.files and kinds <= set(FORMATS.values()):
        code = "FORMAT_UNSUPPORTED"
    elif LINK_OUT in kinds:
        remedy = "--follow-symlinks follows links that leave the folder"
    finding = Finding(
        code=code,
        found=f"{found} ({passed_over})" if passed_over else found,
        expected="a PET series in DICOM files",
        remedy=remedy,
        path=path,
    )
    return UnreadableInput(finding.sentence(), (finding,))
