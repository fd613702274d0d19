"""Selection: which series of a folder is the PET to measure, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from petquant.dicom.attenuation import Attenuation, attenuation_of
from petquant.dicom.index import Index
from petquant.dicom.pet_classes import PET_CLASSES, is_enhanced
from petquant.dicom.scan import Instance
from petquant.dicom.series import Series, merged
from petquant.dicom.tags import TAG
from petquant.dicom.volume_objects import is_reformatted, volume_objects
from petquant.errors import Finding, Refused, UnreadableInput

__all__ = ["Attenuation", "Selection", "attenuation_of", "select"]

_SERIES: Final = TAG["SeriesInstanceUID"]
_STUDY: Final = TAG["StudyInstanceUID"]
_SHOWN: Final = 20  # damaged files named in one error

_SHORT: Final = {
    Attenuation.CORRECTED: "AC",
    Attenuation.ASSUMED: "AC assumed",
    Attenuation.ABSENT: "NAC",
    Attenuation.UNKNOWN: "AC unknown",
}

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The chosen series and the ones set aside.

    Parameters
    ----------
    series
        Its volume objects only.
    set_aside
        Every other series with the reason in words.
    findings
        Flags: what was dropped because it is no volume.
    """

    series: Series
    set_aside: tuple[tuple[Series, str], ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    series: Series
    state: Attenuation
    evidence: str

    def words(self) -> str:
        return f"{self.series.uid} ({_SHORT[self.state]}, {len(self.series.instances)} slices)"


def select(
    index: Index, *, study: str | None = None, series: str | None = None, allow_nac: bool = False
) -> Selection:
    """Return the PET series to measure: the one that is corrected for attenuation, or the one asked for.

    Parameters
    ----------
    study, series
        A full UID, a part of one that fits no other, or (series) a SeriesNumber.
    allow_nac
        Whether series that are not corrected, or may not be, are as good as corrected ones when none is.

    Raises
    ------
    Refused
        When no series fits, or several do; the error names them. A single PET series that is not corrected
        is returned: its conversion refuses it together with whatever else is wrong.
    UnreadableInput
        When a damaged file belongs to the series that fits, or may have been of one that would.
    """
    found, in_study = _of_study(index, study), study is not None
    apart = _apart(index.damaged, found, in_study=in_study)
    if series is not None:
        wanted = _named(found, series, key=lambda one: one.uid, number=lambda one: one.number)
        if len(wanted) != 1:
            _require_whole(() if wanted else apart)
            raise _not_one_series(found, wanted, series)
        found_pet = list(wanted)
    else:
        _require_whole(apart)
        found_pet = [one for one in found if one.modality == "PT"]
    if not any(one.modality == "PT" for one in found_pet):
        raise _no_pet(found_pet or found, index.path)
    if not in_study and series is None:
        _require_one_study(found_pet)
    candidates, set_aside, findings = _candidates(found_pet)
    if not candidates:
        raise _none_left(found_pet, set_aside, findings, index.path)
    chosen = _choose(candidates, allow_nac=allow_nac)
    own = tuple(one for one in index.damaged if one.text(_SERIES) == chosen.series.uid)
    _require_whole(own)
    findings += _damage_elsewhere(index.damaged)
    set_aside += [
        (one, _why_not(one, chosen, candidates)) for one in _others(index.series, chosen, set_aside)
    ]
    return Selection(series=chosen.series, set_aside=tuple(set_aside), findings=tuple(findings))


def _require_whole(damaged: Sequence[Instance]) -> None:
    """Raise the damage of files that matter, all at once."""
    causes = [one.damage for one in damaged if one.damage is not None]
    if causes:
        raise UnreadableInput.because(*causes[:_SHOWN])


def _apart(damaged: Sequence[Instance], found: Sequence[Series], *, in_study: bool) -> list[Instance]:
    """Return the damaged files whose series has no other file: nobody can say whether it would have fit."""
    uids, studies = {one.uid for one in found}, {one.study_uid for one in found}
    return [
        one
        for one in damaged
        if one.text(_SERIES) not in uids and (not in_study or one.text(_STUDY) in studies)
    ]


def _damage_elsewhere(damaged: Sequence[Instance]) -> tuple[Finding, ...]:
    """Return flags for files that are damaged and do not matter."""
    flagged = (
        replace(one, findings=(replace(one.damage, code="FILE_DAMAGED", found=one.damage.line()),))
        for one in damaged
        if one.damage is not None
    )
    return merged(tuple(flagged))


def _of_study(index: Index, study: str | None) -> list[Series]:
    if study is None:
        return list(index.series)
    uids = list(dict.fromkeys(one.study_uid for one in index.series))
    wanted = _named(uids, study, key=lambda uid: uid)
    if len(wanted) != 1:
        raise Refused.of(
            "STUDY_AMBIGUOUS" if wanted else "NO_SUCH_STUDY",
            f"{study!r} fits {len(wanted)} studies",
            expected="one of " + ", ".join(wanted or uids),
            remedy="--study UID",
            where="--study",
        )
    return [one for one in index.series if one.study_uid == wanted[0]]


def _named(
    items: Sequence[_Item],
    wanted: str,
    *,
    key: Callable[[_Item], str],
    number: Callable[[_Item], str] | None = None,
) -> list[_Item]:
    """Return the items whose UID is `wanted`; else whose number is; else whose UID holds it."""
    rules: list[Callable[[_Item], bool]] = [lambda item: key(item) == wanted]
    if number is not None:
        rules.append(lambda item: number(item) == wanted)
    head, dots, tail = wanted.partition("...")
    if dots:
        rules.append(lambda item: key(item).startswith(head) and key(item).endswith(tail))
    rules.append(lambda item: bool(wanted) and wanted in key(item))
    for rule in rules:
        fitting = [item for item in items if rule(item)]
        if fitting:
            return fitting
    return []


def _require_one_study(found: list[Series]) -> None:
    studies = Counter(one.study_uid for one in found)
    if len(studies) > 1:
        listed = ", ".join(f"{uid} ({n} PET series)" for uid, n in sorted(studies.items()))
        raise Refused.of(
            "STUDY_AMBIGUOUS",
            f"{len(studies)} studies with PET: {listed}",
            expected="one study",
            remedy="choose one with --study UID",
        )


def _candidates(
    found: list[Series],
) -> tuple[list[_Candidate], list[tuple[Series, str]], list[Finding]]:
    """Return the series that are volumes of PET images, and the others with the reason."""
    candidates: list[_Candidate] = []
    set_aside: list[tuple[Series, str]] = []
    findings: list[Finding] = []
    for one in found:
        volume, dropped = volume_objects(one)
        findings += dropped
        if not volume.instances:
            set_aside.append((one, dropped[0].found))
        elif (sop_class_uid := volume.instances[0].text(TAG["SOPClassUID"])) not in PET_CLASSES:
            set_aside.append((one, f"SOP class {sop_class_uid} is not read"))
        else:
            state, evidence = attenuation_of(volume)
            candidates.append(_Candidate(series=volume, state=state, evidence=evidence))
    return candidates, set_aside, findings


def _choose(candidates: list[_Candidate], *, allow_nac: bool) -> _Candidate:
    if len(candidates) == 1:
        return candidates[0]
    corrected = [one for one in candidates if one.state is Attenuation.CORRECTED]
    assumed = [one for one in candidates if one.state is Attenuation.ASSUMED]
    fitting = corrected or assumed or (candidates if allow_nac else [])
    if not fitting:
        raise Refused.because(*(_not_corrected(one) for one in candidates))
    original = [one for one in fitting if not is_reformatted(one.series)]
    fitting = original or fitting
    if len(fitting) > 1:
        raise Refused.of(
            "SERIES_AMBIGUOUS",
            f"{len(fitting)} PET series fit",
            expected=", ".join(one.words() for one in fitting),
            remedy="choose one with --series UID",
        )
    return fitting[0]


def _not_corrected(one: _Candidate) -> Finding:
    keyword, tag = one.series.instances[0].name(TAG["CorrectedImage"])
    return Finding(
        code="SERIES_NAC" if one.state is Attenuation.ABSENT else "CORRECTED_IMAGE_MISSING",
        found=one.evidence,
        expected=f"{'YES' if is_enhanced(one.series.instances[0]) else 'ATTN'} in {keyword} {tag}",
        remedy="--allow-nac",
        where=f"series {one.words()}",
        keyword=keyword,
        tag=tag,
    )


def _others(
    series: Sequence[Series], chosen: _Candidate, set_aside: list[tuple[Series, str]]
) -> list[Series]:
    known = {one.uid for one, _ in set_aside} | {chosen.series.uid}
    return [one for one in series if one.uid not in known]


def _why_not(one: Series, chosen: _Candidate, candidates: list[_Candidate]) -> str:
    candidate = next((other for other in candidates if other.series.uid == one.uid), None)
    if one.modality != "PT":
        return f"modality {one.modality or 'unknown'}"
    if candidate is None:
        return "not asked for"
    if candidate.state is not chosen.state:
        return f"{_SHORT[candidate.state]}: {candidate.evidence}"
    return "reformatted or not axial"


def _not_one_series(found: list[Series], wanted: list[Series], series: str) -> Refused:
    listed = ", ".join(
        f"{one.uid} ({one.modality}, number {one.number or 'absent'}, {one.n_files} files)"
        for one in wanted or found
    )
    finding = Finding(
        code="SERIES_AMBIGUOUS" if wanted else "NO_SUCH_SERIES",
        found=f"{series!r} fits {len(wanted)} series",
        expected=f"one of {listed}",
        remedy="--series UID",
        where="--series",
    )
    return Refused(finding.sentence(), (finding,))


def _no_pet(found: list[Series], path: str) -> Refused:
    counts: Counter[str] = Counter()
    for one in found:
        counts[one.modality or "unknown"] += len(one.instances)
    listed = ", ".join(f"{modality} {n}" for modality, n in sorted(counts.items()))
    finding = Finding(
        code="NO_PET_SERIES",
        found=f"no PET among {sum(counts.values())} objects: {listed}",
        expected="a series of modality PT",
        remedy="give the folder that holds the PET",
        path=path,
    )
    return Refused(finding.sentence(), (finding,))


def _none_left(
    found: list[Series], set_aside: list[tuple[Series, str]], findings: list[Finding], path: str
) -> Refused:
    """Return the refusal when PET objects are there, and none is a slice of a PET volume."""
    unread = tuple(
        Finding(
            code="SOP_CLASS_UNSUPPORTED",
            found=reason.removeprefix("SOP class ").replace(" is not read", ", which is not read"),
            expected=", ".join(f"{name} {uid}" for uid, name in PET_CLASSES.items()),
            where=f"series {one.uid}",
            keyword="SOPClassUID",
            tag="(0008,0016)",
        )
        for one, reason in set_aside
        if reason.startswith("SOP class")
    )
    if unread:
        return Refused(unread[0].sentence(), unread)
    refusal = _no_pet(found, path)
    return Refused(refusal.message, (*refusal.findings, *findings))
