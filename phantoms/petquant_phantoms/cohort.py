"""A cohort is patients, each scanned with two tracers, in whom every lesion's SUV on both is known.

The sessions of a patient have a frame of reference each; the second lies turned and shifted against the
first by a known motion. A reader has drawn on each tracer the lesions that are positive on it, each map with
numbers of its own. Tracer a is the first, b the second. Positions are LPS in mm, those of lesions in the
frame of tracer a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from petquant_phantoms.body import Body, Region, Sphere, Uptake
from petquant_phantoms.definition import Definition
from petquant_phantoms.image_grid import Vector
from petquant_phantoms.moved import Moved, RigidMotion

Numbering = Literal["ascending", "descending"]
Table = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One lesion: where it is, and its SUV on each tracer, by name; it is there even where it is faint."""

    number: int
    region: str
    side: str
    centre_mm: Vector
    suv: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One patient."""

    patient: str
    lesions: tuple[Lesion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A lesion is positive when its SUV exceeds ``factor`` times the mean of ``background``."""

    background: str
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A background that is a sphere where the lesion's mirror image lies, over the plane x = 0."""

    name: str
    radius_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracer:
    """What the scans with one tracer have in common.

    Attributes
    ----------
    definition
        The scan of a patient without lesions.
    suv
        SUV of every shape of the body, by name.
    numbering
        In which order of the lesions' table the reader numbered what he drew, from 1.
    """

    name: str
    definition: Definition
    suv: Mapping[str, float]
    numbering: Numbering = "ascending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Lesions of a patient that the reader drew as one on one tracer."""

    patient: str
    tracer: str
    lesions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """One cohort.

    Attributes
    ----------
    rule, other_rules
        What makes a lesion positive; other rules that the counts are told for.
    tissue, lesion_radius_mm
        Shape of the body that every lesion lies in, and the lesions' radius.
    motion
        Takes a point of the frame of tracer a to that of tracer b.
    mirrored
        None where the backgrounds are regions of the definitions.
    merged
        None where every lesion was drawn alone.
    quoted
        Statistics that are known of the cohort's values, with their tolerance; they hold for all patients.
    variants
        Names of the variants that were applied.
    suv_refusal, tbr_refusal
        Code that SUV, or even ratios, must be refused with.
    """

    name: str
    version: int
    description: str
    proves: str
    tracers: tuple[Tracer, Tracer]
    patients: tuple[Patient, ...]
    rule: Rule
    other_rules: tuple[Rule, ...]
    tissue: str
    lesion_radius_mm: float
    motion: RigidMotion
    mirrored: Mirrored | None = None
    merged: Merged | None = None
    quoted: tuple[Table, ...] = ()
    variants: tuple[str, ...] = ()
    suv_refusal: str | None = None
    tbr_refusal: str | None = None

    def motion_of(self, tracer: Tracer) -> RigidMotion:
        """Return what takes the frame of tracer a to that of a tracer."""
        return RigidMotion() if tracer.name == self.tracers[0].name else self.motion

    def is_positive(self, lesion: Lesion, tracer: Tracer) -> bool:
        """Return whether a lesion is positive on a tracer, by the rule of the cohort."""
        return lesion.suv[tracer.name] > self.rule.factor * tracer.suv[self.rule.background]

    def labels(self, patient: Patient, tracer: Tracer) -> dict[int, int]:
        """Return the number on the map of a tracer of every lesion that is drawn on it."""
        drawn = [lesion.number for lesion in patient.lesions if self.is_positive(lesion, tracer)]
        if tracer.numbering == "descending":
            drawn.reverse()
        merged = self.merged
        if merged is None or (merged.patient, merged.tracer) != (patient.patient, tracer.name):
            return {number: label for label, number in enumerate(drawn, start=1)}
        kept = [number for number in drawn if number not in merged.lesions[1:]]
        labels = {number: label for label, number in enumerate(kept, start=1)}
        return labels | dict.fromkeys(merged.lesions, labels[merged.lesions[0]])

    def with_definitions(self, **changes: Any) -> Cohort:
        """Return the cohort with fields of the definitions of both tracers replaced."""
        return self.with_tracers(
            *(replace(tracer, definition=replace(tracer.definition, **changes)) for tracer in self.tracers)
        )

    def with_tracers(self, a: Tracer, b: Tracer) -> Cohort:
        """Return the cohort with other tracers."""
        return replace(self, tracers=(a, b))


def site_name(lesion: Lesion) -> str:
    """Return the name of the region of a lesion."""
    return f"lesion {lesion.number}"


def scan_of(cohort: Cohort, patient: Patient, tracer: Tracer) -> Definition:
    """Return the scan of a patient with a tracer; its lesions are all of them, drawn or not."""
    definition = tracer.definition
    tissue_suv = tracer.suv[cohort.tissue]
    uptakes, regions = [], []
    for lesion in patient.lesions:
        shape = Sphere(centre_mm=lesion.centre_mm, radius_mm=cohort.lesion_radius_mm)
        name = site_name(lesion)
        uptakes.append(Uptake(name=name, shape=shape, contrast_suv=lesion.suv[tracer.name] - tissue_suv))
        regions.append(Region(name=name, shape=shape))
    if cohort.mirrored is not None:
        (lesion,) = patient.lesions
        x, y, z = lesion.centre_mm
        opposite = Sphere(centre_mm=(-x, y, z), radius_mm=cohort.mirrored.radius_mm)
        regions.append(Region(name=cohort.mirrored.name, shape=opposite, role="background"))
    body = definition.body
    body = replace(body, uptakes=(*body.uptakes, *uptakes), regions=(*regions, *body.regions))
    scan = replace(
        definition,
        name=f"{cohort.name}/{patient.patient}/{tracer.name}",
        body=body,
        header=replace(
            definition.header, patient_id=patient.patient, patient_name=f"Cohort^{patient.patient}"
        ),
    )
    return _moved(scan, cohort.motion_of(tracer))


def _moved(scan: Definition, motion: RigidMotion) -> Definition:
    """Return a scan whose body and regions lie elsewhere on the same grids."""
    if motion == RigidMotion():
        return scan
    body, ct = scan.body, scan.ct
    moved = Body(
        background_suv=body.background_suv,
        uptakes=tuple(replace(u, shape=Moved(shape=u.shape, motion=motion)) for u in body.uptakes),
        regions=tuple(replace(r, shape=Moved(shape=r.shape, motion=motion)) for r in body.regions),
    )
    if ct is not None:
        tissues = tuple(replace(t, shape=Moved(shape=t.shape, motion=motion)) for t in ct.tissues)
        ct = replace(ct, tissues=tissues)
    return replace(scan, body=moved, ct=ct)
