"""Cohorts by name: patients with two tracers each, written as studies, what a reader drew, and their truth.

::

    manifest.csv         patient, tracer, study, roi, backgrounds: what is to be compared
    reads.csv            what a reader said of every lesion on every tracer
    truth.json           as `cohort_truth` describes it
    PATIENT/TRACER/study        PET in PT, CT in CT
    PATIENT/TRACER/rois/lesions.nii.gz      what the reader drew on this tracer; absent when that is nothing
                        sites.nii.gz        every lesion, by the same number on both tracers
                        references.nii.gz   the backgrounds
                        *.labels.json       the names of the numbers of each
    MANIFEST.sha256
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from petquant_phantoms import cohort_file
from petquant_phantoms.body import Region, region_mask
from petquant_phantoms.cohort import Cohort, Patient, Tracer, scan_of
from petquant_phantoms.cohort_truth import cohort_record
from petquant_phantoms.cohort_variants import in_dialect, with_variants
from petquant_phantoms.ct_series import ct_datasets
from petquant_phantoms.definition import Definition
from petquant_phantoms.definition_file import DefinitionError
from petquant_phantoms.label_maps import write_label_map
from petquant_phantoms.pet_objects import pet_objects
from petquant_phantoms.study import write_datasets, write_json, write_manifest

READER = "R1"
NOT_SEEN, SEEN = 0, 2
MANIFEST_COLUMNS = ("patient", "tracer", "study", "roi", "backgrounds")
READS_COLUMNS = (
    "patient",
    "session",
    "reader",
    "tracer",
    "lesion_id",
    "region",
    "side",
    "visual",
    "x",
    "y",
    "z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFolder:
    """Where a cohort was written, and its truth."""

    root: Path
    manifest: Path
    reads: Path
    truth: dict[str, Any]


def names() -> tuple[str, ...]:
    """Return the names of the cohorts, sorted."""
    return cohort_file.names()


def load(
    name: str, *, variants: Sequence[str] = (), patients: Sequence[str] | None = None, **dialect: Any
) -> Cohort:
    """Return the cohort of a name.

    Parameters
    ----------
    name
        One of `names`.
    variants
        Names in `cohort_variants.VARIANTS`.
    patients
        Ids of the patients to keep; None keeps all.
    dialect
        As for `Definition.in_dialect`.

    Raises
    ------
    DefinitionError
        If a name is unknown, or variants and dialect do not fit.
    """
    cohort = in_dialect(with_variants(cohort_file.load(name), variants), **dialect)
    if patients is None:
        return cohort
    kept = tuple(patient for patient in cohort.patients if patient.patient in patients)
    missing = sorted(set(patients) - {patient.patient for patient in kept})
    if missing:
        raise DefinitionError(f"{name}: no patient {', '.join(missing)}")
    return replace(cohort, patients=kept)


def build(
    name: str,
    out: Path | str,
    *,
    variants: Sequence[str] = (),
    patients: Sequence[str] | None = None,
    **dialect: Any,
) -> CohortFolder:
    """Write the cohort of a name into a folder; parameters as for `load`."""
    return write_cohort(load(name, variants=variants, patients=patients, **dialect), out)


def write_cohort(cohort: Cohort, out: Path | str) -> CohortFolder:
    """Write a cohort into a folder; made when absent. The same cohort gives the same bytes."""
    root = Path(out)
    scans = {}
    rows, reads = [], []
    for patient in cohort.patients:
        for tracer in cohort.tracers:
            scan = scan_of(cohort, patient, tracer)
            scans[patient.patient, tracer.name] = scan
            rows.append(_write_scan(cohort, patient, tracer, scan=scan, root=root))
            reads += _reads(cohort, patient, tracer, scan=scan)
    is_whole = len(cohort.patients) == len(cohort_file.load(cohort.name).patients)
    truth = cohort_record(cohort, scans, is_whole=is_whole)
    write_json(root / "truth.json", truth)
    manifest, reads_path = root / "manifest.csv", root / "reads.csv"
    _write_table(manifest, MANIFEST_COLUMNS, rows)
    _write_table(reads_path, READS_COLUMNS, reads)
    write_manifest(root)
    return CohortFolder(root=root, manifest=manifest, reads=reads_path, truth=truth)


def _write_scan(
    cohort: Cohort, patient: Patient, tracer: Tracer, *, scan: Definition, root: Path
) -> tuple[str, ...]:
    """Write the study of a scan and its regions; return its row of the manifest."""
    below = f"{patient.patient}/{tracer.name}"
    study, rois = root / below / "study", root / below / "rois"
    write_datasets(pet_objects(scan), study / "PT", transfer_syntax=scan.transfer_syntax)
    write_datasets(ct_datasets(scan), study / "CT", transfer_syntax=scan.transfer_syntax)
    labels = cohort.labels(patient, tracer)
    sites = {lesion.number: region for lesion, region in zip(patient.lesions, scan.body.lesions, strict=True)}
    places = {lesion.number: lesion.region for lesion in patient.lesions}
    drawn = [(label, places[number], sites[number]) for number, label in labels.items()]
    _write_map(rois / "lesions", drawn, scan)
    _write_map(rois / "sites", [(n, places[n], region) for n, region in sites.items()], scan)
    backgrounds = [(n, region.name, region) for n, region in enumerate(scan.body.backgrounds, start=1)]
    _write_map(rois / "references", backgrounds, scan)
    references = ";".join(f"{name}={below}/rois/references.nii.gz:{n}" for n, name, _ in backgrounds)
    roi = f"{below}/rois/lesions.nii.gz" if drawn else ""
    return patient.patient, tracer.name, f"{below}/study", roi, references


def _write_map(stem: Path, regions: Sequence[tuple[int, str, Region]], scan: Definition) -> None:
    """Write regions as a label map, and the names of its numbers beside it; nothing when there are none."""
    if not regions:
        return
    labels = np.zeros(scan.grid.shape, dtype=np.uint8)
    for label, _, region in regions:
        labels[region_mask(region, scan.grid)] = label
    write_label_map(labels, stem.with_name(f"{stem.name}.nii.gz"), ras_affine=scan.grid.ras_affine())
    named: dict[int, list[str]] = {}
    for label, name, _ in sorted(regions, key=lambda one: one[0]):
        named.setdefault(label, []).append(name)
    names_of = {str(label): " and ".join(parts) for label, parts in named.items()}
    write_json(stem.with_name(f"{stem.name}.labels.json"), names_of)


def _reads(cohort: Cohort, patient: Patient, tracer: Tracer, *, scan: Definition) -> list[tuple[object, ...]]:
    """Return what the reader said of each lesion: the same id on both tracers, its place in this scan."""
    return [
        (
            patient.patient,
            "1",
            READER,
            tracer.name,
            lesion.number,
            lesion.region,
            lesion.side,
            SEEN if cohort.is_positive(lesion, tracer) else NOT_SEEN,
            *(round(x, 3) for x in region.shape.centre_mm),
        )
        for lesion, region in zip(patient.lesions, scan.body.lesions, strict=True)
    ]


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
