"""A variant of a cohort is the same patients under a condition that a comparison must cope with.

Each row of `VARIANTS` takes a cohort to a cohort; several can be combined. What can be said by the dialect of
the header (DecayCorrection, units, vendor) is no variant: `in_dialect` says it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from petquant_phantoms.cohort import Cohort, Merged, Tracer
from petquant_phantoms.definition_file import DefinitionError
from petquant_phantoms.moved import RigidMotion
from petquant_phantoms.pet_header import PetHeader

ROTATION_DEGREES = 5.0
ROTATION_AXIS = (0.48, 0.36, 0.8)
BEFORE_MIDNIGHT = timedelta(hours=9, minutes=30)  # injected at 9:00, scanned at 10:00
BED_DISTANCE = timedelta(seconds=330.0)  # 300 s of acquisition, then the table moves

_STRIPPED: tuple[tuple[str, str | None], ...] = (("PatientWeight", None), ("RadionuclideTotalDose", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One variant."""

    name: str
    description: str
    of: Callable[[Cohort], Cohort]


def _rotated(cohort: Cohort) -> Cohort:
    motion = RigidMotion.about(ROTATION_AXIS, degrees=ROTATION_DEGREES, shift_mm=cohort.motion.shift_mm)
    return replace(cohort, motion=motion)


def _midnight(cohort: Cohort) -> Cohort:
    def earlier(at: datetime) -> datetime:
        return at - BEFORE_MIDNIGHT

    def changed(header: PetHeader) -> PetHeader:
        return replace(
            header,
            injected_at=earlier(header.injected_at),
            series_at=earlier(header.series_at),
            beds=tuple(replace(bed, acquired_at=earlier(bed.acquired_at)) for bed in header.beds),
        )

    return _with_headers(cohort, changed)


def _two_beds(cohort: Cohort) -> Cohort:
    def changed(header: PetHeader) -> PetHeader:
        (bed,) = header.beds
        return replace(header, beds=(bed, replace(bed, acquired_at=bed.acquired_at + BED_DISTANCE)))

    return _with_headers(cohort, changed)


def _swapped_ids(cohort: Cohort) -> Cohort:
    a, b = cohort.tracers
    return cohort.with_tracers(a, replace(b, numbering="descending"))


def _merged(cohort: Cohort) -> Cohort:
    """Return the cohort with the first two lesions of a patient that are positive on both as one on b."""
    a, b = cohort.tracers
    for patient in cohort.patients:
        both = [
            lesion.number
            for lesion in patient.lesions
            if cohort.is_positive(lesion, a) and cohort.is_positive(lesion, b)
        ]
        if len(both) > 1:
            merged = Merged(patient=patient.patient, tracer=b.name, lesions=tuple(both[:2]))
            return replace(cohort, merged=merged)
    raise DefinitionError(f"{cohort.name}: no patient has two lesions on both tracers to merge")


def _no_suv(cohort: Cohort) -> Cohort:
    stripped = _with_edits(cohort, _STRIPPED)
    return replace(stripped, suv_refusal="WEIGHT_MISSING")


def _beds_not_aligned(cohort: Cohort) -> Cohort:
    undecayed = _with_headers(_two_beds(cohort), lambda header: replace(header, decay_correction="NONE"))
    stripped = _with_edits(undecayed, (*_STRIPPED, ("ActualFrameDuration", None)))
    return replace(stripped, suv_refusal="WEIGHT_MISSING", tbr_refusal="TBR_BEDS_NOT_ALIGNED")


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            name="rotated",
            description="the second session is turned by 5 degrees about a slanted axis as well",
            of=_rotated,
        ),
        Variant(
            name="midnight", description="injected at 23:30, scanned at 00:30 of the next day", of=_midnight
        ),
        Variant(
            name="two_beds",
            description="the upper half of every scan is acquired 330 s after the lower",
            of=_two_beds,
        ),
        Variant(
            name="swapped_ids",
            description="the lesions on the second tracer are numbered the other way round",
            of=_swapped_ids,
        ),
        Variant(
            name="merged",
            description="two lesions of one patient are drawn as one on the second tracer",
            of=_merged,
        ),
        Variant(name="no_suv", description="weight and dose are missing: ratios only", of=_no_suv),
        Variant(
            name="beds_not_aligned",
            description="two beds without decay correction, and no weight, dose or frame duration: not even "
            "ratios",
            of=_beds_not_aligned,
        ),
    )
}


def with_variants(cohort: Cohort, names: Sequence[str]) -> Cohort:
    """Return a cohort under variants, in the order of the table.

    Raises
    ------
    DefinitionError
        If a variant is unknown, does not fit the cohort, or contradicts another.
    """
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise DefinitionError(f"no variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    if "beds_not_aligned" in names and {"two_beds", "no_suv"} & set(names):
        raise DefinitionError("beds_not_aligned has two beds and no SUV already")
    asked = tuple(name for name in VARIANTS if name in names)
    for name in asked:
        cohort = VARIANTS[name].of(cohort)
    return replace(cohort, variants=asked)


def in_dialect(cohort: Cohort, **dialect: Any) -> Cohort:
    """Return a cohort as another vendor writes its scans; what is None stays.

    Parameters
    ----------
    cohort
        The cohort, with its variants.
    dialect
        As for `Definition.in_dialect`.

    Raises
    ------
    DefinitionError
        If the units have no SUV, or the dialect takes back what a variant says.
    """
    a, b = (replace(tracer, definition=tracer.definition.in_dialect(**dialect)) for tracer in cohort.tracers)
    for tracer in (a, b):
        _require_fit(cohort, tracer)
    return cohort.with_tracers(a, b)


def _require_fit(cohort: Cohort, tracer: Tracer) -> None:
    definition, header = tracer.definition, tracer.definition.header
    if definition.expected != "ok":
        raise DefinitionError(
            f"{cohort.name}: units {header.units} have no SUV ({definition.expected}); a cohort is written "
            "in units that have one"
        )
    if cohort.suv_refusal is None:
        return
    if header.units != "BQML" or definition.object != "classic":
        raise DefinitionError(
            f"{cohort.name}: {', '.join(cohort.variants)} is without SUV in classic objects in BQML alone"
        )
    if cohort.tbr_refusal is not None and header.decay_correction != "NONE":
        raise DefinitionError(f"{cohort.name}: beds_not_aligned is without decay correction")


def _with_headers(cohort: Cohort, change: Callable[[PetHeader], PetHeader]) -> Cohort:
    a, b = (
        replace(tracer, definition=replace(tracer.definition, header=change(tracer.definition.header)))
        for tracer in cohort.tracers
    )
    return cohort.with_tracers(a, b)


def _with_edits(cohort: Cohort, edits: tuple[tuple[str, str | None], ...]) -> Cohort:
    return cohort.with_definitions(edits=edits)
