"""Matching: which lesion of one scan is which of the other; by reader, then by overlap, then by distance.

Positions of b have been brought into the frame of a. What may not be a pair is ruled out before anything is
assigned: a far lesion must never displace a near one and then be thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["Located", "Match", "match"]

By = Literal["id", "overlap", "distance", ""]
Float = NDArray[np.float64]

NEAR_MM: Final = 10.0  # centroids of one lesion may always lie so far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a lesion lies.

    Parameters
    ----------
    lesion_id
        Unique on its scan.
    centroid_mm
        LPS, in the frame of a.
    radius_mm
        Of the sphere of equal volume.
    region, side
        As a reader gave them; empty when unknown, and then no obstacle.
    """

    lesion_id: str
    centroid_mm: tuple[float, float, float]
    radius_mm: float
    region: str = ""
    side: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A lesion of a with its lesion of b; None where the other scan shows none.

    Parameters
    ----------
    a, b
        Lesion ids.
    by
        What made them a pair; empty for a lesion alone.
    distance_mm, dice
        Of the pair.
    members_a, members_b
        All lesions that overlap with this pair or with each other, when those are more than one on a side.
    """

    a: str | None
    b: str | None
    by: By = ""
    distance_mm: float | None = None
    dice: float | None = None
    members_a: tuple[str, ...] = ()
    members_b: tuple[str, ...] = ()


def match(
    a: Sequence[Located],
    b: Sequence[Located],
    *,
    dice: Mapping[tuple[str, str], float],
    registration_error_mm: float,
    same: Mapping[str, str] | None = None,
) -> tuple[Match, ...]:
    """Return every lesion of both scans once, pairs first in the order of their ids, then those alone.

    Parameters
    ----------
    a, b
        Lesions of both scans, b in the frame of a.
    dice
        Overlap ``2 |A and B|/(|A| + |B|)`` of pairs that overlap after registration.
    registration_error_mm
        How far the frames may be off.
    same
        Ids of a to ids of b that a reader says are one lesion; nothing overrules it.

    Notes
    -----
    Pairs that overlap are assigned first, so that the sum of their overlaps is largest; then those that are
    only near, so that the sum of ``1 - d/d_max`` is, ``d <= d_max = max(10 mm, (r_a + r_b)/2 + registration
    error)``. Region and side must not contradict. A lesion that is left over and overlaps with one that is
    taken is no lesion alone: it is listed as a member of that pair (a merge or a split).

    Raises
    ------
    ValueError
        When an id is not unique, or `same` names one that is not there.
    """
    first, second = sorted(a, key=_order), sorted(b, key=_order)
    given = dict(same or {})
    _require_ids(first, second, given)
    ids_a, ids_b = [one.lesion_id for one in first], [one.lesion_id for one in second]
    partner = {ids_a.index(one): ids_b.index(other) for one, other in given.items()}
    by: dict[int, By] = dict.fromkeys(partner, "id")
    distances = _distances(first, second)
    fits = _table(first, second, _fits).astype(bool)
    overlap = _table(first, second, lambda one, other: dice.get((one.lesion_id, other.lesion_id), 0.0))
    overlap *= fits
    for i, j in _assigned(overlap, set(partner), set(partner.values())):
        partner[i], by[i] = j, "overlap"
    members_a, members_b = _absorbed(overlap, partner)
    reach = _table(
        first,
        second,
        lambda one, other: max(NEAR_MM, (one.radius_mm + other.radius_mm) / 2.0 + registration_error_mm),
    )
    nearness = np.where(fits & (distances <= reach), 1.0 + 1e-9 - distances / reach, 0.0)
    for i, j in _assigned(nearness, {*partner, *members_a}, {*partner.values(), *members_b}):
        partner[i], by[i] = j, "distance"
    pairs = [
        Match(
            a=ids_a[i],
            b=ids_b[j],
            by=by[i],
            distance_mm=float(distances[i, j]),
            dice=float(overlap[i, j]),
            members_a=_members(i, members_a, ids_a, i),
            members_b=_members(j, members_b, ids_b, i),
        )
        for i, j in sorted(partner.items())
    ]
    alone = [Match(a=one, b=None) for i, one in enumerate(ids_a) if i not in partner and i not in members_a]
    is_b_taken = {*partner.values(), *members_b}
    return (*pairs, *alone, *(Match(a=None, b=one) for j, one in enumerate(ids_b) if j not in is_b_taken))


def _order(lesion: Located) -> tuple[int, int, str]:
    """Return what lesions are sorted by: numbers by size, before names."""
    text = lesion.lesion_id
    return (0, int(text), text) if text.isdecimal() else (1, 0, text)


def _require_ids(a: Sequence[Located], b: Sequence[Located], same: Mapping[str, str]) -> None:
    for lesions in (a, b):
        ids = [lesion.lesion_id for lesion in lesions]
        if len(set(ids)) != len(ids):
            raise ValueError(f"lesion ids are not unique: {', '.join(ids)}")
    unknown = set(same) - {one.lesion_id for one in a} | set(same.values()) - {one.lesion_id for one in b}
    if unknown or len(set(same.values())) != len(same):
        raise ValueError(f"a reader pairs lesions that are not there, or one twice: {sorted(unknown)}")


def _fits(a: Located, b: Located) -> bool:
    return all(
        not one or not other or one.casefold() == other.casefold()
        for one, other in ((a.region, b.region), (a.side, b.side))
    )


def _table(a: Sequence[Located], b: Sequence[Located], of: Callable[[Located, Located], float]) -> Float:
    """Return a number for every lesion of a with every lesion of b, (na, nb)."""
    return np.array([[of(one, other) for other in b] for one in a], np.float64).reshape(len(a), len(b))


def _distances(a: Sequence[Located], b: Sequence[Located]) -> Float:
    return _table(a, b, lambda one, other: math.dist(one.centroid_mm, other.centroid_mm))


def _assigned(gain: Float, taken_a: Collection[int], taken_b: Collection[int]) -> list[tuple[int, int]]:
    """Return the assignment of free lesions with the largest sum of gains; one without gain stays alone."""
    rows = [i for i in range(gain.shape[0]) if i not in taken_a]
    columns = [j for j in range(gain.shape[1]) if j not in taken_b]
    free = gain[np.ix_(rows, columns)]
    if not (free > 0).any():
        return []
    alone = np.zeros((len(rows), len(rows)))  # a column of its own for every lesion that stays alone
    chosen = linear_sum_assignment(np.hstack([free, alone]), maximize=True)
    return [
        (rows[i], columns[j]) for i, j in zip(*chosen, strict=True) if j < len(columns) and free[i, j] > 0
    ]


def _absorbed(overlap: Float, partner: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return lesions that are left over, of a and of b, with the pair (its lesion of a) they overlap most."""
    of_b = {j: i for i, j in partner.items()}
    left_a = (i for i in range(overlap.shape[0]) if i not in partner)
    left_b = (j for j in range(overlap.shape[1]) if j not in of_b)
    members_a, members_b = {}, {}
    for n in left_a:
        other = max(of_b, key=lambda j: (overlap[n, j], -j), default=None)
        if other is not None and overlap[n, other] > 0:
            members_a[n] = of_b[other]
    for n in left_b:
        one = max(partner, key=lambda i: (overlap[i, n], -i), default=None)
        if one is not None and overlap[one, n] > 0:
            members_b[n] = one
    return members_a, members_b


def _members(own: int, members: Mapping[int, int], ids: Sequence[str], pair: int) -> tuple[str, ...]:
    """Return all lesions of one side of a pair, when they are more than one."""
    others = [n for n, of in members.items() if of == pair]
    return tuple(ids[n] for n in sorted([own, *others])) if others else ()
