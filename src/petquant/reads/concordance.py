"""Concordance counts where two tracers are positive (both, only a, only b, neither), by lesion to patient."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from petquant.reads.pair import LesionPair
from petquant.statistics.estimate import Estimate, Test
from petquant.statistics.proportion import (
    McNemar,
    clopper_pearson,
    clustered_mcnemar,
    conditional_odds_ratio,
    mcnemar,
    tango,
)

__all__ = ["Concordance", "concordance", "concordance_by_region", "concordance_of_calls"]

Calls = tuple[bool | None, bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concordance:
    """How often two tracers agree about one kind of thing.

    Parameters
    ----------
    unit
        ``lesion``, ``region`` or ``patient``.
    both, a_only, b_only, neither
        Counts of things with a call of both tracers.
    n_unknown
        Things left out because a call is missing.
    n_patients
        Patients behind the counts.
    mcnemar
        Tests that ``a_only`` and ``b_only`` are equally likely; the exact one is the default.
    tango
        ``(a_only - b_only)/n`` with its interval; None without a thing.
    rate_a, rate_b
        Positive share of each tracer with the exact interval.
    odds_ratio
        ``a_only/b_only`` with the exact interval; None without discordant things.
    clustered
        Tests that know that lesions and regions of one patient belong together; empty for patients.
    """

    unit: str
    both: int
    a_only: int
    b_only: int
    neither: int
    n_unknown: int
    n_patients: int
    mcnemar: McNemar
    tango: Estimate | None
    rate_a: Estimate | None
    rate_b: Estimate | None
    odds_ratio: Estimate | None
    clustered: tuple[Test, ...]

    @property
    def n(self) -> int:
        """Things with a call of both tracers."""
        return self.both + self.a_only + self.b_only + self.neither


def concordance(
    pairs: Sequence[LesionPair], *, without_lesions: Sequence[str] = (), level: float = 0.95
) -> dict[str, Concordance]:
    """Return the counts of lesions, regions and patients.

    A region or a patient is positive with at least one positive lesion and negative when all its lesions are;
    without a positive lesion and with an unknown one it is unknown. Lesions without a region make no region.

    Parameters
    ----------
    pairs
        All lesions.
    without_lesions
        Patients with both scans and no lesion on either: negative on both.
    level
        Of the intervals.
    """
    by_region = [pair for pair in pairs if pair.region]
    return {
        "lesion": concordance_of_calls("lesion", [(pair.patient, pair.calls) for pair in pairs], level=level),
        "region": concordance_of_calls(
            "region",
            _merged(by_region, lambda pair: (pair.patient, pair.session, pair.region)),
            level=level,
        ),
        "patient": concordance_of_calls(
            "patient",
            [
                *_merged(pairs, lambda pair: (pair.patient, pair.session)),
                *((patient, (False, False)) for patient in without_lesions),
            ],
            level=level,
        ),
    }


def concordance_by_region(pairs: Sequence[LesionPair], *, level: float = 0.95) -> dict[str, Concordance]:
    """Return the counts of patients, region by region: of those with a lesion or a reader's call there."""
    return {
        region: concordance_of_calls(
            "patient",
            _merged(
                [pair for pair in pairs if pair.region == region], lambda pair: (pair.patient, pair.session)
            ),
            level=level,
        )
        for region in sorted({pair.region for pair in pairs if pair.region})
    }


def concordance_of_calls(
    unit: str, calls: Iterable[tuple[str, Calls]], *, level: float = 0.95
) -> Concordance:
    """Return the counts of (patient, calls of a and b) of things of one kind."""
    known: list[tuple[str, bool, bool]] = []
    n_unknown = 0
    for patient, (a, b) in calls:
        if a is None or b is None:
            n_unknown += 1
        else:
            known.append((patient, a, b))
    patients = list(dict.fromkeys(patient for patient, _, _ in known))
    by_patient = {patient: [0, 0, 0] for patient in patients}  # only a, only b, all
    for patient, a, b in known:
        by_patient[patient][0] += int(a and not b)
        by_patient[patient][1] += int(b and not a)
        by_patient[patient][2] += 1
    a_only, b_only = (sum(counts[place] for counts in by_patient.values()) for place in (0, 1))
    both = sum(a and b for _, a, b in known)
    n = len(known)
    columns = list(zip(*by_patient.values(), strict=True)) if known else []
    return Concordance(
        unit=unit,
        both=both,
        a_only=a_only,
        b_only=b_only,
        neither=n - both - a_only - b_only,
        n_unknown=n_unknown,
        n_patients=len(patients),
        mcnemar=mcnemar(a_only, b_only),
        tango=tango(a_only, b_only, n, level=level) if n else None,
        rate_a=clopper_pearson(both + a_only, n, level=level) if n else None,
        rate_b=clopper_pearson(both + b_only, n, level=level) if n else None,
        odds_ratio=conditional_odds_ratio(a_only, b_only, level=level),
        clustered=clustered_mcnemar(*columns) if unit != "patient" and columns else (),
    )


def _merged(pairs: Iterable[LesionPair], key: Callable[[LesionPair], Hashable]) -> list[tuple[str, Calls]]:
    """Return patient and calls of every group of lesions."""
    groups: dict[Hashable, list[LesionPair]] = {}
    for pair in pairs:
        groups.setdefault(key(pair), []).append(pair)
    return [
        (members[0].patient, (_any([m.calls[0] for m in members]), _any([m.calls[1] for m in members])))
        for members in groups.values()
    ]


def _any(calls: Sequence[bool | None]) -> bool | None:
    if True in calls:
        return True
    return None if None in calls else False
