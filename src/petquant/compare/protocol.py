"""A scan held against a protocol: what its header and the clinic say of it, as facts."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np

from petquant.compare.scan import OpenScan
from petquant.errors import Finding
from petquant.measurement import Number
from petquant.quantification import Quantification
from petquant.reads.adherence import uptake_times
from petquant.reads.facts import ScanFacts, years_of
from petquant.reads.protocol import Protocol
from petquant.reads.scan import ReadScan
from petquant.reads.technical import TISSUES
from petquant.reads.uncertainty import noise_differs
from petquant.reads.verdict import Check

__all__ = ["noise_findings", "scan_facts", "times_of"]


def scan_facts(quantification: Quantification, *, has_ct_time: bool = False) -> ScanFacts:
    """Return what is known of a scan, the time of its CT where it is asked for; landmarks are not looked for.

    The time of the CT takes a file or two to open.
    """
    study = quantification.study
    conversion, patient = study.conversion, study.source.patient
    activity_bq = conversion.injected_activity_bq
    corners = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in study.grid.shape), indexing="ij"), axis=-1)
    z_mm = study.grid.position_mm(corners.reshape(-1, 3))[:, 2]
    return ScanFacts(
        tracer=None if conversion.tracer is None else conversion.tracer.name,
        activity_mbq=None if activity_bq is None else activity_bq / 1e6,
        uptake_time_min=conversion.uptake_time_min,
        ct_at=study.ct_started_at() if has_ct_time else None,
        pet_at=conversion.timing.earliest_at,
        z_mm=(float(z_mm.min()), float(z_mm.max())),
        reconstruction=study.acquisition.reconstruction,
        patient_age_years=years_of(patient.age),
        birth_date=_date(patient.birth_date),
        study_date=_date(patient.study_date),
    )


def times_of(protocol: Protocol | None, a: OpenScan, b: OpenScan) -> Check | None:
    """Return whether the uptake times of two scans allow a comparison; None without a protocol."""
    if protocol is None:
        return None
    return uptake_times(protocol, scan_facts(a.quantification), scan_facts(b.quantification))


def noise_findings(a: ReadScan, b: ReadScan) -> tuple[Finding, ...]:
    """Return NOISE_DIFFERS by the first reference tissue that both scans have."""
    covs = [_covs(one) for one in (a, b)]
    for tissue in TISSUES:
        first, second = (of_scan.get(tissue) for of_scan in covs)
        if first is not None and second is not None:
            return noise_differs(float(first), float(second), tissue=tissue)
    return ()


def _covs(scan: ReadScan) -> dict[str, Number]:
    return {one.name: one.values["cov"] for one in scan.references}


def _date(text: str) -> date | None:
    """Return a DICOM date, None of what is none."""
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").date()  # noqa: DTZ007 - a day has no clock
    except ValueError:
        return None
