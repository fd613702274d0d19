"""All patients: in processes side by side, then the statistics over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import combinations
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

from petquant.compare.inputs import ScanInput, Settings
from petquant.compare.patient import PatientJob, PatientResult, compare_patient, died
from petquant.comparison import Comparison, SessionPairs, TracerComparison
from petquant.errors import Finding, LimitReached, PetquantError, Refused, UnreadableInput, UsageError
from petquant.reads.agreement import agreement
from petquant.reads.concordance import concordance, concordance_by_region
from petquant.reads.pair import LesionPair
from petquant.reads.paired import estimands, paired_values
from petquant.reads.positivity import rule_against_reader
from petquant.reads.repeatability import PublishedRepeatability, repeatability_for
from petquant.reads.uncertainty import inputs_in_use
from petquant.statistics.multiplicity import benjamini_hochberg, holm
from petquant.tracers import tracer_by_name

if TYPE_CHECKING:
    from petquant.export.report.scan_view import Shown

__all__ = ["compare", "compare_shown"]

METRICS = ("suv_max", "suv_peak", "suv_mean")
RATIOS = ("tbr_max", "tbr_peak", "tbr_mean")
BY_EXIT_CODE = {kind.exit_code: kind for kind in (UsageError, UnreadableInput, LimitReached)}

Progress = Callable[[int, int, str], None]


def compare(
    scans: Sequence[ScanInput],
    settings: Settings,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Return the comparison of all scans, two tracers at a time.

    Parameters
    ----------
    scans
        Of any number of patients and tracers. Two scans without a patient are those of one patient, called
        by its pseudonym and by the tracers of their headers; then whatever is refused is raised.
    settings
        What holds for all.
    workers
        Processes, each with one patient at a time.
    progress
        Called with the number of patients done, of all, and the name of the last.

    Raises
    ------
    PetquantError
        With every cause, when no scan was measured, when nothing could be compared, or, without the names of
        patients, when anything was refused.
    """
    return _compared(scans, settings, workers=workers, progress=progress, is_shown=False)[0]


def compare_shown(
    scans: Sequence[ScanInput],
    settings: Settings,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Comparison, Shown]:
    """Return the comparison as `compare` does, and what a report shows of the scans."""
    from petquant.export.report.scan_view import Shown  # noqa: PLC0415 - for a report alone

    found, results = _compared(scans, settings, workers=workers, progress=progress, is_shown=True)
    shown = Shown(
        lights=tuple(one for result in results for one in result.lights),
        views=tuple(view for result in results for view in result.views),
    )
    return found, shown


def _compared(
    scans: Sequence[ScanInput],
    settings: Settings,
    *,
    workers: int,
    progress: Progress | None,
    is_shown: bool,
) -> tuple[Comparison, list[PatientResult]]:
    is_patient_given = all(scan.patient for scan in scans)
    tracers = settings.tracers or tuple(dict.fromkeys(scan.tracer for scan in scans))
    scans = [scan for scan in scans if scan.tracer in tracers]
    _require_references(scans, settings)
    groups: dict[str, list[ScanInput]] = {}
    for scan in scans:
        groups.setdefault(scan.patient, []).append(scan)
    jobs = [
        PatientJob(scans=tuple(group), tracers=tracers, settings=settings, is_shown=is_shown)
        for group in groups.values()
    ]
    results: dict[int, PatientResult] = {}
    for number, result in _results(jobs, min(workers, len(jobs))):
        results[number] = result
        if progress is not None:
            progress(len(results), len(jobs), jobs[number].scans[0].patient)
    ordered = [results[number] for number in range(len(jobs))]
    found = Comparison(
        tracers=tracers,
        protocol="" if settings.protocol is None else f"{settings.protocol.name} {settings.protocol.version}",
        positivity=settings.positivity,
        rule=settings.rule_words,
        rule_source=_source(settings),
        level=settings.level,
        matches_ids=settings.matches_ids,
        is_patient_given=is_patient_given,
        scans=tuple(scan for result in ordered for scan in result.scans),
        sessions=tuple(pairs for result in ordered for pairs in result.sessions),
        comparisons=(),
        clinical={scan.patient: scan.clinical for scan in scans if scan.clinical},
        uncertainty=inputs_in_use(settings.uncertainty),
    )
    _require_something(found)
    if not is_patient_given:
        found = _named_by_header(found)
    found = replace(
        found, comparisons=tuple(_comparisons(found)), repeatability=_repeatability(found, settings)
    )
    return found, ordered


def _repeatability(found: Comparison, settings: Settings) -> dict[str, PublishedRepeatability]:
    """Return the row of every tracer that has one; what a tracer is called first, then its headers."""
    rows: dict[str, PublishedRepeatability] = {}
    for scan in found.scans:
        if scan.refusals or scan.tracer in rows:
            continue
        known = tracer_by_name(scan.tracer)
        named = scan.record["conversion"]["tracer"] if known is None else known.name
        row = repeatability_for(named or "", settings.repeatability)
        if row is not None:
            rows[scan.tracer] = row
    return rows


def _require_references(scans: Sequence[ScanInput], settings: Settings) -> None:
    """Raise when the rule names a background that a scan does not have."""
    if settings.rule is None:
        return
    name = settings.rule.reference
    findings = [
        Finding(
            code="OPTION_INVALID",
            found=f"the rule {settings.rule.name} needs a background {name}, which the scan "
            f"{' '.join(part for part in (scan.patient, scan.session, scan.tracer) if part)} does not have",
            expected=f"one of {', '.join(one.name for one in scan.backgrounds) or 'none'}",
            where="--positivity",
        )
        for scan in scans
        if name not in {one.name for one in scan.backgrounds}
    ]
    if findings:
        raise UsageError.because(*findings)


def _source(settings: Settings) -> str:
    """Return where a shipped rule stands; an expression stands nowhere."""
    rule = settings.rule
    if rule is None or not rule.citation:
        return ""
    return rule.citation if rule.is_verified else f"{rule.citation} (not verified at its source)"


def _require_something(found: Comparison) -> None:
    refusals = found.refusals
    is_hopeless = not any(pairs for pairs in found.sessions if not pairs.refusals)
    if refusals and (is_hopeless or not found.is_patient_given):
        codes = {scan.exit_code for scan in found.scans if scan.refusals}
        kind: type[PetquantError] = BY_EXIT_CODE.get(codes.pop(), Refused) if len(codes) == 1 else Refused
        raise kind.because(*dict.fromkeys(refusals))
    if is_hopeless:
        raise Refused.of("NOTHING_TO_COMPARE", "no patient has scans of two tracers in one session")


def _results(jobs: Sequence[PatientJob], workers: int) -> Iterator[tuple[int, PatientResult]]:
    """Yield number and result of every job, in the order in which they are done."""
    if workers <= 1:
        yield from enumerate(map(compare_patient, jobs))
        return
    left = dict(enumerate(jobs))
    try:
        for number, result in _pooled(left, workers):
            del left[number]
            yield number, result
    except BrokenProcessPool:  # it blames every job that was under way: each gets a process of its own
        for number, job in list(left.items()):
            try:
                yield from _pooled({number: job}, 1)
            except BrokenProcessPool:
                yield number, died(job)


def _pooled(jobs: dict[int, PatientJob], workers: int) -> Iterator[tuple[int, PatientResult]]:
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        futures = {pool.submit(compare_patient, job): number for number, job in jobs.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):  # nobody waits for what is under way
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _comparisons(found: Comparison) -> Iterator[TracerComparison]:
    """Yield two tracers after the other, every session and reader by itself."""
    for tracers in combinations(found.tracers, 2):
        of_both = [one for one in found.sessions if one.tracers == tracers and not one.refusals]
        for session, reader in dict.fromkeys((one.session, one.reader) for one in of_both):
            own = [one for one in of_both if (one.session, one.reader) == (session, reader)]
            yield _statistics(tracers, session, reader, own, found)


def _statistics(
    tracers: tuple[str, str], session: str, reader: str, sessions: Sequence[SessionPairs], found: Comparison
) -> TracerComparison:
    pairs = tuple(pair for one in sessions for pair in one.pairs)
    level = found.level
    metrics = _metrics(pairs)
    tables = {metric: estimands(pairs, metric, level=level) for metric in metrics}
    defaults = {
        metric: row.test.p
        for metric, rows in tables.items()
        for row in rows
        if row.is_default and row.test.p is not None
    }
    p = [value for value in defaults.values() if value is not None]
    regions = concordance_by_region(pairs, level=level)
    tested = {region: one.mcnemar.exact for region, one in regions.items() if one.n}
    return TracerComparison(
        tracers=tracers,
        session=session,
        reader=reader,
        pairs=pairs,
        concordance=concordance(
            pairs, without_lesions=[one.patient for one in sessions if not one.pairs], level=level
        ),
        regions=regions,
        regions_holm=dict(zip(tested, holm(list(tested.values())).tolist(), strict=True)) if tested else {},
        estimands=tuple(row for rows in tables.values() for row in rows),
        holm=dict(zip(defaults, holm(p).tolist(), strict=True)) if p else {},
        benjamini_hochberg=dict(zip(defaults, benjamini_hochberg(p).tolist(), strict=True)) if p else {},
        agreement=tuple(agreement(pairs, metric, level=level) for metric in metrics),
        rule_against_reader=(
            rule_against_reader((pair.a for pair in pairs), rule=found.rule),
            rule_against_reader((pair.b for pair in pairs), rule=found.rule),
        ),
    )


def _metrics(pairs: Sequence[LesionPair]) -> list[str]:
    """Return the metrics that some pair has on both scans, SUV first, then ratios by background."""
    columns = dict.fromkeys(
        column for pair in pairs for read in (pair.a, pair.b) if read is not None for column in read.values
    )
    backgrounds = [column.removeprefix("tbr_max_") for column in columns if column.startswith("tbr_max_")]
    wanted = [*METRICS, *(f"{ratio}_{name}" for name in backgrounds for ratio in RATIOS)]
    return [metric for metric in wanted if len(paired_values(pairs, metric).a)]


def _named_by_header(found: Comparison) -> Comparison:
    """Return the comparison of one patient with the pseudonym, and the tracers that the headers name."""
    of_scan = {scan.tracer: scan.record["conversion"] for scan in found.scans}
    said = {tracer: record["tracer"] or record["nuclide"] for tracer, record in of_scan.items()}
    is_clear = len(set(said.values())) == len(said) and all(said.values())
    names = {one: said[one] if is_clear else f"{said[one] or 'tracer'} ({one})" for one in found.tracers}
    patient = found.sessions[0].patient
    return replace(
        found,
        tracers=tuple(names.values()),
        scans=tuple(replace(scan, patient=patient, tracer=names[scan.tracer]) for scan in found.scans),
        sessions=tuple(
            replace(one, tracers=(names[one.tracers[0]], names[one.tracers[1]])) for one in found.sessions
        ),
    )
