"""The jury for the decay reference: the one time that all voxels of a START series are corrected to.

Where a file states it, that is it. Classic headers do not: series time, private times, decay factors, frame
reference times and the vendor's own SUV factors are heard as witnesses (suv.md section 7); the choice follows
an order of trust, and every witness that would change the SUV by more than 1 % is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from petquant.acquisition import Frame, Instant
from petquant.errors import Finding
from petquant.nuclides import decay_factor
from petquant.overrides import moment
from petquant.suv.witnesses import (
    FAMILIES,
    TOLERANCE_S,
    Candidate,
    Evidence,
    convention,
    range_behind_one_start_s,
    spread_s,
    testify,
)

__all__ = ["CHOICES", "Verdict", "hear", "not_per_bed"]

FLAG_EFFECT = 0.01
REFUSE_EFFECT = 0.05
CHOICES = {"series": "S", "acquisition": "A0", "private": "P", "backcompute": "B", "decayfactor": "D"}
REMEDY = "give --decay-reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The chosen time, all candidates, and what there is to say about them."""

    at: datetime | None
    rule: str
    candidates: tuple[Candidate, ...]
    convention: str
    findings: tuple[Finding, ...]


def hear(evidence: Evidence, *, choice: str | None = None) -> Verdict:
    """Return the decay reference time of a START series.

    Parameters
    ----------
    choice
        What ``--decay-reference`` says: a name of `CHOICES`, a clock time or an ISO date-time; it replaces
        the order of trust and lifts every conflict.
    """
    started = [frame.acquired_at for frame in evidence.frames if frame.acquired_at is not None]
    earliest = min(started) if started else None
    moment, why = convention(evidence)
    candidates = list(testify(evidence))
    findings = _remarks(evidence, candidates, earliest)
    if choice is not None:
        near = evidence.stated_at or earliest or (None if evidence.must_be_stated else evidence.series_at)
        chosen, problems = _chosen_by_user(choice, candidates, near=near, utc_offset=evidence.utc_offset)
        candidates += [chosen] if chosen is not None and chosen.id == "O" else []
    else:
        chosen, problems = _chosen_by_trust(evidence, candidates, has_acquisition=bool(started))
        missing = [f for f in evidence.frames if f.duration_s is None]
        is_stated = evidence.must_be_stated or evidence.stated_at is not None
        if missing and not evidence.has_frame_start_convention and not is_stated:
            problems = (*problems, _duration_missing(len(missing)))
    if chosen is not None and chosen.at is not None and evidence.half_life_s is not None:
        candidates = _with_effects(candidates, chosen.at, evidence.half_life_s)
        if choice is None:
            problems = (*problems, *_conflicts(candidates, chosen, evidence, earliest))
    return Verdict(
        at=None if chosen is None else chosen.at,
        rule="" if chosen is None else f"{chosen.id}: {chosen.name}",
        candidates=tuple(candidates),
        convention="" if evidence.must_be_stated else f"{moment} ({why})",
        findings=(*findings, *problems),
    )


def _remarks(evidence: Evidence, candidates: list[Candidate], earliest: datetime | None) -> list[Finding]:
    findings = []
    private = candidates[2]
    if private.at is not None and not private.is_valid:
        findings.append(
            Finding(
                code="PRIVATE_TIME_REJECTED",
                found=f"the private decay time {private.at} is {private.reason}",
                expected=f"not after {earliest}",
            )
        )
    return [*findings, *not_per_bed(evidence.frames)]


def not_per_bed(frames: Sequence[Frame], *, half_life_s: float | None = None) -> tuple[Finding, ...]:
    """Return what one acquisition time for all beds means.

    Parameters
    ----------
    half_life_s
        Given where every slice is corrected from its own acquisition time: the beds then differ by up to
        ``2^(range / T_half) - 1``, which is flagged above 1 % and refused above 5 %.
    """
    range_s = range_behind_one_start_s(frames)
    if range_s <= TOLERANCE_S:
        return ()
    found = f"one acquisition time, {frames[0].acquired_at}, for frame reference times over {range_s:g} s"
    remark = Finding(code="ACQTIME_NOT_PER_BED", found=found, expected="one acquisition time a bed")
    effect = 0.0 if half_life_s is None else decay_factor(-range_s, half_life_s) - 1.0
    if effect <= FLAG_EFFECT:
        return (remark,)
    doubt = Finding(
        code="REF_TIME_CONFLICT" if effect <= REFUSE_EFFECT else "REF_TIME_UNRESOLVED",
        found=f"{found}: beds without decay correction would differ by up to {100 * effect:+.2f} %",
        expected="the start of acquisition of every bed",
        remedy="use the decay-corrected series",
    )
    return (remark, doubt)


def _duration_missing(n: int) -> Finding:
    return Finding(
        code="FRAME_DURATION_MISSING",
        found=f"missing or not positive on {n} slices",
        expected="the frame duration in ms",
        remedy="give --frame-duration SECONDS or --decay-reference series",
        keyword="ActualFrameDuration",
        tag="(0018,1242)",
    )


def _chosen_by_user(
    choice: str, candidates: list[Candidate], *, near: datetime | None, utc_offset: timedelta | None
) -> tuple[Candidate | None, tuple[Finding, ...]]:
    """Return the candidate of that name, or the time given: a clock time on the day nearest to the scan."""
    if choice in CHOICES:
        chosen = next(c for c in candidates if c.id == CHOICES[choice])
        if chosen.at is not None:
            return chosen, ()
        return None, (
            Finding(
                code="REF_TIME_UNRESOLVED",
                found=f"--decay-reference {choice} has no time: {chosen.reason}",
                expected="a candidate that has one",
                remedy="give --decay-reference with a clock time or an ISO date-time",
            ),
        )
    given = moment(choice)
    shift = timedelta()
    if utc_offset is not None and given.utc_offset is not None:
        shift = utc_offset - given.utc_offset
    if isinstance(given, Instant):
        at = given.at + shift
    elif near is not None:
        midnight = near.replace(hour=0, minute=0, second=0, microsecond=0)
        after = midnight + given.since_midnight + shift - near
        half_day = timedelta(hours=12)
        at = near + (after + half_day) % (2 * half_day) - half_day
    else:
        return None, (
            Finding(
                code="REF_TIME_UNRESOLVED",
                found=f"--decay-reference {choice} has no date, and neither has the series",
                remedy="give --decay-reference with an ISO date-time",
            ),
        )
    return Candidate(id="O", at=at, is_valid=True, reason="given by the user"), ()


def _chosen_by_trust(
    evidence: Evidence, candidates: list[Candidate], *, has_acquisition: bool
) -> tuple[Candidate | None, tuple[Finding, ...]]:
    """Return the first of T, P, S, D, B, A0 that is valid, with what that choice has to say.

    An Enhanced image that does not state its reference gives none.
    """
    valid = {candidate.id: candidate for candidate in candidates if candidate.is_valid}
    if "T" in valid:
        return valid["T"], ()
    if evidence.must_be_stated:
        return None, (
            Finding(
                code="REF_TIME_UNRESOLVED",
                found="missing",
                expected="the time that the voxels are decay-corrected to",
                remedy=f"{REMEDY} with a clock time or an ISO date-time",
                keyword="DecayCorrectionDateTime",
                tag="(0018,9701)",
            ),
        )
    series, earliest = candidates[0], candidates[1]
    for id_ in ("P", "S"):
        if id_ in valid:
            chosen = valid[id_]
            if has_acquisition:
                return chosen, ()
            finding = Finding(
                code="REF_TIME_UNCHECKED",
                found=f"no acquisition time to check {chosen.id} ({chosen.name}, {chosen.at}) against",
                expected="AcquisitionDate and AcquisitionTime (0008,0022) (0008,0032)",
                remedy=REMEDY,
            )
            return chosen, (finding,)
    for id_ in ("D", "B"):
        if id_ in valid:
            chosen = valid[id_]
            finding = Finding(
                code="REF_TIME_SERIES_AFTER_ACQ",
                found=f"the series time is {series.at or 'absent'}, the earliest acquisition {earliest.at}; "
                f"used {chosen.id} ({chosen.name}), {chosen.at}",
                expected="a series time not later than the acquisition",
                remedy=REMEDY,
            )
            return chosen, (finding,)
    if earliest.is_valid:
        finding = Finding(
            code="REF_TIME_FROM_ACQUISITION",
            found=f"the series time is {series.at or 'absent'} and nothing can be computed back; used the "
            f"earliest acquisition, {earliest.at}",
            expected="a better witness of the decay reference",
            remedy=REMEDY,
        )
        return earliest, (finding,)
    return None, (
        Finding(
            code="REF_TIME_UNRESOLVED",
            found="no series, acquisition or private time",
            expected="the time that the voxels are decay-corrected to",
            remedy=f"{REMEDY} (de-identification keeps it with Retain Longitudinal Temporal Information)",
        ),
    )


def _with_effects(candidates: list[Candidate], chosen_at: datetime, half_life_s: float) -> list[Candidate]:
    return [
        c
        if c.at is None
        else replace(
            c,
            effect_percent=100.0 * (decay_factor(-(c.at - chosen_at).total_seconds(), half_life_s) - 1.0),
        )
        for c in candidates
    ]


def _conflicts(
    candidates: list[Candidate], chosen: Candidate, evidence: Evidence, earliest: datetime | None
) -> tuple[Finding, ...]:
    """Return the flag or the refusal when another family of witnesses says something else."""
    family = FAMILIES[chosen.id]
    others = [
        (FAMILIES[c.id], (c.effect_percent or 0.0) / 100.0, c)
        for c in candidates
        if c.is_valid and c.id != "A0" and FAMILIES[c.id] != family
    ]
    if not others and chosen.id == "S":
        return _unsupported(candidates, chosen)
    dissent = [(fam, effect, c) for fam, effect, c in others if abs(effect) > FLAG_EFFECT]
    if not dissent:
        return ()
    table = "; ".join(f"{c.id} ({c.name}) {c.at} would change SUV by {100 * e:+.2f} %" for _, e, c in dissent)
    is_grave = any(abs(effect) > REFUSE_EFFECT for _, effect, _ in dissent)
    is_supported = any(abs(effect) <= FLAG_EFFECT for _, effect, _ in others)
    is_copy_of_acquisition = (
        family != "stated"
        and _is_copy_of_acquisition(evidence, earliest)
        and all(fam == "acquisition" for fam, _, _ in dissent)
    )
    code = "REF_TIME_CONFLICT"
    if is_grave and not is_supported and not is_copy_of_acquisition:
        code = "REF_TIME_UNRESOLVED"
    support = (
        ""
        if not is_supported
        else ", supported by " + ", ".join(c.id for _, effect, c in others if abs(effect) <= FLAG_EFFECT)
    )
    return (
        Finding(
            code=code,
            found=f"{table}, against {chosen.id} ({chosen.name}) {chosen.at}{support}",
            expected="witnesses that agree within 1 %",
            remedy=f"{REMEDY} series|acquisition|private|backcompute|decayfactor|HH:MM:SS|ISO date-time",
        ),
    )


def _unsupported(candidates: list[Candidate], chosen: Candidate) -> tuple[Finding, ...]:
    """Return the flag when no witness is heard and the series began well before the acquisition.

    The acquisition is the last resort and refuses nothing; but that nothing else supports the series time,
    and what the acquisition would make of the SUV, has to be said.
    """
    earliest = next(c for c in candidates if c.id == "A0")
    effect = (earliest.effect_percent or 0.0) / 100.0
    if not earliest.is_valid or abs(effect) <= FLAG_EFFECT:
        return ()
    return (
        Finding(
            code="REF_TIME_CONFLICT",
            found=f"no witness supports S ({chosen.name}) {chosen.at}, and A0 ({earliest.name}) "
            f"{earliest.at} would change SUV by {100 * effect:+.2f} %",
            expected="a witness that agrees within 1 %",
            remedy=f"{REMEDY} series|acquisition|HH:MM:SS|ISO date-time",
        ),
    )


def _is_copy_of_acquisition(evidence: Evidence, earliest: datetime | None) -> bool:
    """Whether all acquisition times are one and equal the series time: one may be a copy of the other."""
    started = [frame.acquired_at for frame in evidence.frames if frame.acquired_at is not None]
    if evidence.series_at is None or earliest is None or spread_s(started) > TOLERANCE_S:
        return False
    return abs((evidence.series_at - earliest).total_seconds()) <= TOLERANCE_S
