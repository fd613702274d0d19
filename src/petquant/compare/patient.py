"""One patient: every scan measured once, every two tracers of a session and reader paired."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from petquant.compare.frames import registered, registered_around_lesions
from petquant.compare.inputs import ScanInput, Settings
from petquant.compare.protocol import noise_findings, scan_facts, times_of
from petquant.compare.same_patient import patient_findings
from petquant.compare.scan import OpenScan, measured_scan, withheld_of
from petquant.comparison import ScanReport, SessionPairs
from petquant.dicom.archive import unpacked
from petquant.errors import Finding, LimitReached, PetquantError, Refused
from petquant.export.identity import study_key
from petquant.export.record import codes_of
from petquant.flags import refusals_of
from petquant.reads.adherence import adherence, protocol_findings
from petquant.reads.pair import LesionPair
from petquant.reads.pairing import own_reads, pairs_of, same_by_reader, seen_negative
from petquant.reads.registration import Registration

if TYPE_CHECKING:
    from petquant.export.report.lights import Light
    from petquant.export.report.scan_view import PairViews

__all__ = ["PatientJob", "PatientResult", "compare_patient", "died"]

Key = tuple[str, str, str]  # session, reader, tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientJob:
    """The scans of one patient, the tracers in the order in which they are compared, whether to show them."""

    scans: tuple[ScanInput, ...]
    tracers: tuple[str, ...]
    settings: Settings
    is_shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatientResult:
    """What became of them; holds values alone, so that it can come from another process.

    `lights` and `views` are those of `scans` and `sessions` in their order, where something is to be shown.
    """

    scans: tuple[ScanReport, ...]
    sessions: tuple[SessionPairs, ...]
    lights: tuple[tuple[Light, ...], ...] = ()
    views: tuple[PairViews | None, ...] = ()


def compare_patient(job: PatientJob) -> PatientResult:
    """Return the scans and the pairs of one patient; a scan that is refused stops no other."""
    settings = job.settings
    reports: list[ScanReport] = []
    of_scans: list[tuple[Light, ...]] = []
    opened: dict[Key, OpenScan] = {}
    with ExitStack() as stack:
        for asked in job.scans:
            try:
                folder = stack.enter_context(unpacked(asked.study))
                one = measured_scan(asked, folder, settings=settings)
            except (PetquantError, MemoryError) as error:
                reports.append(_refused(asked, error))
                of_scans.append(())
                continue
            opened[asked.session, asked.reader, asked.tracer] = one
            reports.append(_report(asked, one, settings))
            of_scans.append(_lights(one) if job.is_shown else ())
        sessions = _sessions(job, opened)
    compared = {(one.session, tracer) for one, _ in sessions if not one.refusals for tracer in one.tracers}
    for place, report in enumerate(reports):
        if not report.refusals and (report.session, report.tracer) not in compared:
            read = opened[report.session, report.reader, report.tracer].read
            reports[place] = replace(report, reads=tuple(own_reads(read, settings.call).values()))
    return PatientResult(
        scans=tuple(reports),
        sessions=tuple(one for one, _ in sessions),
        lights=tuple(of_scans),
        views=tuple(view for _, view in sessions),
    )


def died(job: PatientJob) -> PatientResult:
    """Return the result of a patient whose process died."""
    finding = Finding(
        code="PROCESS_DIED",
        found=f"the process that measured patient {job.scans[0].patient} died",
        remedy="--workers 1, or crop the scans",
    )
    error = LimitReached.because(finding)
    refused = tuple(_refused(asked, error) for asked in job.scans)
    return PatientResult(scans=refused, sessions=(), lights=((),) * len(refused))


def _lights(one: OpenScan) -> tuple[Light, ...]:
    """Return the quality lights of a scan."""
    from petquant.export.report.lights import lights  # noqa: PLC0415 - for a report alone
    from petquant.export.report.oriented import orientation_of  # noqa: PLC0415 - the same

    edges_mm = orientation_of(one.read.grid).edges_mm[0]
    return tuple(lights(one.quantification, height_mm=float(edges_mm[-1] - edges_mm[0])))


def _sessions(job: PatientJob, opened: dict[Key, OpenScan]) -> list[tuple[SessionPairs, PairViews | None]]:
    """Return the pairs of every session, reader and two tracers that have both scans, and how they look."""
    known: dict[tuple[str, str], Registration] = {}
    found = []
    for session in dict.fromkeys(key[0] for key in opened):
        of_session = {key[1:]: one for key, one in opened.items() if key[0] == session}
        readers = list(dict.fromkeys(reader for reader, _ in of_session if reader)) or [""]
        for reader in readers:
            for tracers in combinations(job.tracers, 2):
                scans = [of_session.get((reader, t)) or of_session.get(("", t)) for t in tracers]
                if scans[0] is not None and scans[1] is not None:
                    pairs = _paired(
                        (scans[0], scans[1]),
                        tracers,
                        session=session,
                        reader=reader,
                        settings=job.settings,
                        known=known,
                    )
                    is_shown = job.is_shown and not pairs.refusals
                    found.append((pairs, _views(scans[0], scans[1], pairs) if is_shown else None))
    return found


def _views(a: OpenScan, b: OpenScan, found: SessionPairs) -> PairViews:
    """Return what pictures of two scans need of them."""
    from petquant.export.report.scan_view import pair_views  # noqa: PLC0415 - for a report alone

    return pair_views(a.read, b.read, found)


def _paired(
    scans: tuple[OpenScan, OpenScan],
    tracers: tuple[str, str],
    *,
    session: str,
    reader: str,
    settings: Settings,
    known: dict[tuple[str, str], Registration],
) -> SessionPairs:
    """Return the pairs of two scans, or why they were not compared."""
    a, b = scans
    patient = patient_of(a, settings)
    findings = patient_findings(
        a.quantification.study,
        b.quantification.study,
        is_allowed=settings.ignores_patient_id or bool(a.asked.patient),
    )
    try:
        refused = [one for one in findings if one.code == "PATIENTS_DIFFER"]
        refused += _unknown_reads(a, b)
        if refused:
            raise Refused.because(*refused)
        same = same_by_reader(a.read, b.read)
        if not same and settings.matches_ids:
            ids = [roi.roi_id for roi in b.read.lesions]
            same = {roi.roi_id: roi.roi_id for roi in a.read.lesions if roi.roi_id in ids}
        registration, said = registered(a, b, has_ids=bool(same) or settings.matches_ids, known=known)
        local, said_of_lesions = registered_around_lesions(a, b, registration)
    except PetquantError as error:
        return SessionPairs(
            patient=patient, session=session, reader=reader, tracers=tracers, refusals=error.findings
        )
    times = times_of(settings.protocol, a, b)
    said = (
        *said,
        *said_of_lesions,
        *(() if times is None else protocol_findings([times])),
    )
    pairs, of_backgrounds, reduced = pairs_of(
        a.read,
        b.read,
        patient=patient,
        session=session,
        registration=registration,
        same=same,
        call=settings.call,
        local=local,
    )
    is_strict = a.asked.choices.is_strict or b.asked.choices.is_strict
    said = (*said, *noise_findings(*reduced), *of_backgrounds)
    against = refusals_of(of_backgrounds, is_strict=is_strict)
    if against:
        return SessionPairs(
            patient=patient, session=session, reader=reader, tracers=tracers, refusals=against
        )
    return SessionPairs(
        patient=patient,
        session=session,
        reader=reader,
        tracers=tracers,
        pairs=pairs,
        registration=registration,
        local=local,
        technical=(reduced[0].technical, reduced[1].technical),
        times=times,
        findings=(*findings, *said, *(() if registration is None else _missing(pairs))),
    )


def _missing(pairs: Sequence[LesionPair]) -> tuple[Finding, ...]:
    """Return a flag for every lesion that could not be measured on the other scan."""
    return tuple(
        Finding(code="FORCED_READ_MISSING", found=f"lesion {pair.lesion_id}: {words}")
        for pair in pairs
        for words in pair.missing
        if words
    )


def patient_of(scan: OpenScan, settings: Settings) -> str:
    """Return what the patient of a scan is called: as the user says, or by pseudonym."""
    return scan.asked.patient or study_key(scan.quantification.study.source, key=settings.key)


def _unknown_reads(a: OpenScan, b: OpenScan) -> list[Finding]:
    """Return a refusal for every lesion of a reader that neither scan has a region of.

    One that is negative on both has none to draw.
    """
    drawn = set(seen_negative(a.read, b.read))
    drawn |= {row.lesion_id for one in (a, b) for row in one.read.reads.values()}
    return [
        Finding(
            code="READ_WITHOUT_LESION",
            found=f"lesion {lesion_id} of the table of reads is no region of either scan",
            expected="the id of a region, or x, y, z inside one, or visual 0 on both scans",
            path=one.asked.reads or "",
        )
        for one in (a, b)
        for lesion_id in one.read.undrawn
        if lesion_id not in drawn
    ]


def _report(asked: ScanInput, one: OpenScan, settings: Settings) -> ScanReport:
    checks = None
    if settings.protocol is not None:
        facts = scan_facts(one.quantification, has_ct_time=settings.protocol.ct_before_pet)
        checks = adherence(settings.protocol, facts, asked.clinic)
    return ScanReport(
        patient=asked.patient,
        session=asked.session,
        reader=asked.reader,
        tracer=asked.tracer,
        record=one.record,
        checks=checks,
        technical=one.read.technical,
        findings=(*one.quantification.findings, *protocol_findings(checks or ())),
    )


def _refused(asked: ScanInput, error: PetquantError | MemoryError) -> ScanReport:
    if isinstance(error, MemoryError):
        words = "the memory of this machine does not suffice"
        error = LimitReached.of("MEMORY_EXHAUSTED", words, path=asked.study)
    return ScanReport(
        patient=asked.patient,
        session=asked.session,
        reader=asked.reader,
        tracer=asked.tracer,
        record={"refusals": codes_of(error.findings, withheld_of(asked, error))},
        refusals=error.findings,
        exit_code=error.exit_code,
    )
