"""A pair is one lesion with what two tracers made of it; that only one of them shows it is the finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from petquant.measurement import Number
from petquant.reads.uncertainty import Uncertainty

__all__ = ["LesionPair", "LesionRead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRead:
    """One lesion on one scan.

    Parameters
    ----------
    lesion_id
        As in the regions of that scan; of a forced read that of the lesion it was carried over from.
    name
        Of the region, as given.
    values
        Column of `petquant.quantities` to number.
    is_positive
        By rule or reader; None when neither could say.
    is_by_reader
        Whether a reader made the call and not the rule.
    by_rule
        What the rule says, also where a reader overrides it.
    why
        The reason of the call.
    is_forced
        Measured where the other tracer shows a lesion, in its region carried over.
    flags
        Codes of the caveats.
    uncertainties
        Technical uncertainty by column.
    """

    lesion_id: str
    name: str = ""
    values: Mapping[str, Number]
    is_positive: bool | None
    is_by_reader: bool = False
    by_rule: bool | None = None
    why: str = ""
    is_forced: bool = False
    flags: tuple[str, ...] = ()
    uncertainties: Mapping[str, Uncertainty] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPair:
    """One lesion on the scans of tracers a and b.

    Parameters
    ----------
    patient, session
        Whose; lesions of one patient are never independent.
    lesion_id
        Of the pair, unique in the session.
    region, side
        Anatomical region and side, empty when not given.
    a, b
        What each tracer made of it; None when that scan has no value for it.
    missing
        Why a or b has no value; empty where it has one.
    matched_by
        ``id``, ``overlap``, ``distance``, or empty when only one tracer shows the lesion. What a reader
        looked at, found negative on both and nobody drew is matched by its id and has no values.
    distance_mm, dice
        Between the centroids, and overlap after registration; None when not matched.
    members
        Lesions of a and of b where several stand for one (merge or split).
    """

    patient: str
    session: str = ""
    lesion_id: str
    region: str = ""
    side: str = ""
    a: LesionRead | None
    b: LesionRead | None
    missing: tuple[str, str] = ("", "")
    matched_by: str = ""
    distance_mm: float | None = None
    dice: float | None = None
    members: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def calls(self) -> tuple[bool | None, bool | None]:
        """Whether a and b are positive; a lesion that a scan has no value for is unknown there."""
        return (
            None if self.a is None else self.a.is_positive,
            None if self.b is None else self.b.is_positive,
        )
