"""Pairing: every lesion of two scans once, each with a value of both tracers where both scans reach.

A lesion that only one scan shows is measured on the other one where it lies: a forced read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from petquant.errors import Finding
from petquant.measurement import Measurement, Number
from petquant.reads.carried import Carried, carried, overlaps
from petquant.reads.local_registration import LocalRegistration
from petquant.reads.matching import Located, Match, match
from petquant.reads.pair import LesionPair, LesionRead
from petquant.reads.positivity import VISUAL, Call, read_by
from petquant.reads.reader import ReaderRow
from petquant.reads.reduced import without_lesions
from petquant.reads.registration import Registration
from petquant.reads.scan import ReadScan, centroid_mm, volume_mm3
from petquant.roi import Roi

__all__ = ["Caller", "forced_regions", "own_reads", "pairs_of", "same_by_reader", "seen_negative"]

# What a rule makes of values, of whether the read is forced, and of whether a reader calls it focal.
Caller = Callable[[Mapping[str, Number], bool, bool | None], Call]
NEGATIVE = 0  # of VISUAL
NOT_READ = "no region on either scan, and the reader said nothing of this one"
NOWHERE: Final[Mapping[tuple[str, str], LocalRegistration]] = MappingProxyType({})
NO_REGISTRATION = "the scans lie in two frames of reference that were not registered"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """One scan of a pair, with all reads of it by the id of the lesion: own ones and forced ones."""

    scan: ReadScan
    own: dict[str, LesionRead]
    forced: dict[str, LesionRead]
    missing: dict[str, str]


def same_by_reader(a: ReadScan, b: ReadScan) -> dict[str, str]:
    """Return ids of regions of a to those of b that a reader gave one lesion_id."""
    of_b = {row.lesion_id: roi_id for roi_id, row in b.reads.items()}
    return {roi_id: of_b[row.lesion_id] for roi_id, row in a.reads.items() if row.lesion_id in of_b}


def pairs_of(
    a: ReadScan,
    b: ReadScan,
    *,
    patient: str,
    session: str = "",
    registration: Registration | None,
    same: Mapping[str, str],
    call: Caller,
    local: Mapping[tuple[str, str], LocalRegistration] = NOWHERE,
) -> tuple[tuple[LesionPair, ...], tuple[Finding, ...], tuple[ReadScan, ReadScan]]:
    """Return the lesions of two scans of a patient, what is to be said of their backgrounds, and the scans.

    A lesion that only one scan shows is a lesion of both: its voxels are taken out of the backgrounds of the
    other scan too, and the scans that are returned have them so.

    Parameters
    ----------
    a, b
        The scans.
    registration
        From the frame of a to that of b; None when it is not known: then `same` alone makes pairs, and there
        are no forced reads.
    same
        Ids of a to ids of b that are known to be one lesion.
    call
        The rule of positivity; a reader's call overrides it.
    local
        By ``a`` or ``b`` and the id of a lesion the motion of its neighbourhood, which carries that lesion
        in place of `registration`.
    """
    of_a, of_b = _motions_of_both(a, b, registration, local)
    found = _matches(a, b, registration, same, of_b)
    in_b = _carried(a, b, [m.a for m in found if m.b is None], of_a, is_forward=True)
    in_a = _carried(b, a, [m.b for m in found if m.a is None], of_b, is_forward=False)
    (side_a, said_a), (side_b, said_b) = _side(a, b, in_a, call), _side(b, a, in_b, call)
    pairs = (
        *(_pair(one, (side_a, side_b), patient, session) for one in found),
        *(_undrawn(lesion_id, (a, b), patient, session) for lesion_id in seen_negative(a, b)),
    )
    said = (
        *(replace(one, found=f"scan a: {one.found}") for one in said_a),
        *(replace(one, found=f"scan b: {one.found}") for one in said_b),
    )
    return pairs, said, (side_a.scan, side_b.scan)


def forced_regions(
    a: ReadScan,
    b: ReadScan,
    pairs: Sequence[LesionPair],
    *,
    registration: Registration | None,
    local: Mapping[tuple[str, str], LocalRegistration] = NOWHERE,
) -> tuple[dict[str, Roi], dict[str, Roi]]:
    """Return where lesions of one scan alone were measured on the other, by their ids: on a, and on b.

    Parameters
    ----------
    a, b, registration, local
        As for `pairs_of`.
    pairs
        What that gave.
    """
    motions_a, motions_b = _motions_of_both(a, b, registration, local)
    of_b = [pair.a.lesion_id for pair in pairs if pair.a is not None and pair.a.is_forced]
    of_a = [pair.b.lesion_id for pair in pairs if pair.b is not None and pair.b.is_forced]
    on_a = _carried(b, a, of_b, motions_b, is_forward=False)
    on_b = _carried(a, b, of_a, motions_a, is_forward=True)
    return (
        {roi_id: one.roi for roi_id, one in on_a.items() if one.roi is not None},
        {roi_id: one.roi for roi_id, one in on_b.items() if one.roi is not None},
    )


def seen_negative(a: ReadScan, b: ReadScan) -> tuple[str, ...]:
    """Return the lesion ids of a reader that no scan has a region of, and that are negative wherever read.

    Nothing was drawn there because there was nothing to draw.
    """
    drawn = {row.lesion_id for scan in (a, b) for row in scan.reads.values()}
    rows = [row for scan in (a, b) for row in scan.undrawn.values() if row.lesion_id not in drawn]
    not_negative = {row.lesion_id for row in rows if row.visual != NEGATIVE}
    return tuple(dict.fromkeys(row.lesion_id for row in rows if row.lesion_id not in not_negative))


def _undrawn(lesion_id: str, scans: tuple[ReadScan, ReadScan], patient: str, session: str) -> LesionPair:
    """Return a lesion that a reader found negative and nobody drew: calls without values."""
    rows = [scan.undrawn.get(lesion_id) for scan in scans]
    a, b = (
        None
        if row is None
        else LesionRead(
            lesion_id=lesion_id,
            values={},
            is_positive=False,
            is_by_reader=True,
            why=f"reader: {VISUAL[NEGATIVE]}",
        )
        for row in rows
    )
    return LesionPair(
        patient=patient,
        session=session,
        lesion_id=f"r{lesion_id}",
        region=next((row.region for row in rows if row is not None and row.region), ""),
        side=next((row.side for row in rows if row is not None and row.side), ""),
        a=a,
        b=b,
        missing=("" if a is not None else NOT_READ, "" if b is not None else NOT_READ),
        matched_by="id" if a is not None and b is not None else "",
    )


def _motions_of_both(
    a: ReadScan,
    b: ReadScan,
    registration: Registration | None,
    local: Mapping[tuple[str, str], LocalRegistration],
) -> tuple[dict[str, Registration], dict[str, Registration]]:
    """Return the motion that carries each lesion of a and of b, by id; none when it is not known."""
    if registration is None:
        return {}, {}
    return _motions("a", a, registration, local), _motions("b", b, registration, local)


def _motions(
    letter: str,
    scan: ReadScan,
    registration: Registration,
    local: Mapping[tuple[str, str], LocalRegistration],
) -> dict[str, Registration]:
    """Return the motion that carries each lesion of a scan, by id."""
    found = ((roi.roi_id, local.get((letter, roi.roi_id))) for roi in scan.lesions)
    return {roi_id: registration if one is None else one.registration for roi_id, one in found}


def _matches(
    a: ReadScan,
    b: ReadScan,
    registration: Registration | None,
    same: Mapping[str, str],
    of_b: Mapping[str, Registration],
) -> tuple[Match, ...]:
    if registration is None:
        taken = set(same.values())
        return (
            *(Match(a=one, b=other, by="id") for one, other in same.items()),
            *(Match(a=roi.roi_id, b=None) for roi in a.lesions if roi.roi_id not in same),
            *(Match(a=None, b=roi.roi_id) for roi in b.lesions if roi.roi_id not in taken),
        )
    dice: dict[tuple[str, str], float] = {}
    for roi in b.lesions:
        dice |= overlaps(a.lesions, [roi], grid=a.grid, from_grid=of_b[roi.roi_id].into_fixed(b.grid))
    return match(
        [_located(a, roi, centroid_mm(roi, a.grid)) for roi in a.lesions],
        [_located(b, roi, of_b[roi.roi_id].to_fixed(centroid_mm(roi, b.grid))) for roi in b.lesions],
        dice=dice,
        registration_error_mm=registration.inverse_consistency_mm,
        same=same,
    )


def _located(scan: ReadScan, roi: Roi, centre: np.ndarray) -> Located:
    region, side = scan.place(roi.roi_id)
    radius_mm = float(np.cbrt(3.0 * volume_mm3(roi, scan.grid) / (4.0 * np.pi)))
    x, y, z = centre.tolist()
    return Located(lesion_id=roi.roi_id, centroid_mm=(x, y, z), radius_mm=radius_mm, region=region, side=side)


def own_reads(scan: ReadScan, call: Caller) -> dict[str, LesionRead]:
    """Return the reads of the lesions that were drawn on a scan, by their ids."""
    return {
        roi.roi_id: _read(scan, row, roi, scan.reads.get(roi.roi_id), call=call, is_forced=False)
        for roi, row in zip(scan.lesions, scan.measurements, strict=True)
    }


def _read(
    scan: ReadScan,
    row: Measurement,
    roi: Roi,
    reader: ReaderRow | None,
    *,
    call: Caller,
    is_forced: bool,
) -> LesionRead:
    by_rule = call(row.values, is_forced, None if reader is None else reader.is_focal)
    made = read_by(by_rule, None if reader is None else reader.visual)
    return LesionRead(
        lesion_id=roi.roi_id,
        name=roi.name,
        values=row.values,
        is_positive=made.is_positive,
        is_by_reader=made.by == "reader",
        by_rule=by_rule.is_positive,
        why=made.why,
        is_forced=is_forced,
        flags=("FORCED_READ", *row.flags) if is_forced else row.flags,
        uncertainties=scan.uncertainties(roi, row.values),
    )


def _carried(
    of: ReadScan,
    on: ReadScan,
    ids: Sequence[str | None],
    motions: Mapping[str, Registration],
    *,
    is_forward: bool,
) -> dict[str, Carried]:
    """Return the regions of lesions of one scan on the other, or why some have none, by id."""
    if not motions:
        return {roi_id: Carried(roi=None, missing=NO_REGISTRATION) for roi_id in ids if roi_id is not None}
    placed = {}
    for roi in of.lesions:
        if roi.roi_id not in set(ids):
            continue
        motion = motions[roi.roi_id]
        placed[roi.roi_id] = carried(
            roi,
            from_grid=motion.into_moving(of.grid) if is_forward else motion.into_fixed(of.grid),
            onto=on.grid,
            error_mm=motion.inverse_consistency_mm,
            apart=on.lesions,
            excluded=on.excluded,
        )
    return placed


def _side(
    on: ReadScan, of: ReadScan, placed: Mapping[str, Carried], call: Caller
) -> tuple[_Side, tuple[Finding, ...]]:
    """Return all reads of a scan, its own ones and those of lesions that the other one shows."""
    regions = {roi_id: one.roi for roi_id, one in placed.items() if one.roi is not None}
    on, said = without_lesions(on, list(regions.values()))
    rows = on.measured(list(regions.values()))
    forced = {
        roi_id: _read(on, row, roi, _reader_of(of, on, roi_id), call=call, is_forced=True)
        for (roi_id, roi), row in zip(regions.items(), rows, strict=True)
    }
    missing = {roi_id: one.missing for roi_id, one in placed.items() if one.roi is None}
    return _Side(scan=on, own=own_reads(on, call), forced=forced, missing=missing), said


def _reader_of(of: ReadScan, on: ReadScan, roi_id: str) -> ReaderRow | None:
    """Return what the reader said on one scan of a lesion that only the other one has a region of."""
    row = of.reads.get(roi_id)
    return None if row is None else on.undrawn.get(row.lesion_id)


def _pair(one: Match, sides: tuple[_Side, _Side], patient: str, session: str) -> LesionPair:
    a, b = sides
    ids = one.a if one.a is not None else one.b
    if ids is None:
        raise ValueError("a match of nothing with nothing")
    reads = (
        a.own[one.a] if one.a is not None else a.forced.get(ids),
        b.own[one.b] if one.b is not None else b.forced.get(ids),
    )
    places = [side.scan.place(at) for side, at in ((a, one.a), (b, one.b)) if at is not None]
    return LesionPair(
        patient=patient,
        session=session,
        lesion_id="=".join(f"{letter}{at}" for letter, at in (("a", one.a), ("b", one.b)) if at is not None),
        region=next((region for region, _ in places if region), ""),
        side=next((side for _, side in places if side), ""),
        a=reads[0],
        b=reads[1],
        missing=(
            "" if reads[0] is not None else a.missing.get(ids, ""),
            "" if reads[1] is not None else b.missing.get(ids, ""),
        ),
        matched_by=one.by,
        distance_mm=one.distance_mm,
        dice=one.dice,
        members=(one.members_a, one.members_b),
    )
