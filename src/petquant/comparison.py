"""A comparison is what scans with several tracers gave together: pairs of reads, and their statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from petquant.errors import Finding
from petquant.reads.agreement import Agreement
from petquant.reads.concordance import Concordance
from petquant.reads.pair import LesionPair, LesionRead
from petquant.reads.paired import Estimand
from petquant.reads.positivity import RuleAgreement
from petquant.reads.registration import Registration
from petquant.reads.repeatability import PublishedRepeatability
from petquant.reads.technical import Technical
from petquant.reads.uncertainty import Default
from petquant.reads.verdict import Check

__all__ = ["Comparison", "ScanReport", "SessionPairs", "TracerComparison"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanReport:
    """One scan that was asked for.

    Parameters
    ----------
    patient, session, reader, tracer
        As given, or as the header and the pseudonym say.
    record
        Plain values with the evidence of its conversion, or with the codes of the refusals.
    reads
        Its lesions, when no other scan was compared with it.
    checks
        Of the protocol, one a rule; None when the scan was held against none.
    technical
        What its uncertainties rest on; None when it was refused.
    findings
        Caveats of a scan that was measured.
    refusals
        Why it was not measured.
    exit_code
        Of the refusals; 0 without.
    """

    patient: str
    session: str
    reader: str
    tracer: str
    record: Mapping[str, Any] = field(default_factory=dict)
    reads: tuple[LesionRead, ...] = ()
    checks: tuple[Check, ...] | None = None
    technical: Technical | None = None
    findings: tuple[Finding, ...] = ()
    refusals: tuple[Finding, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionPairs:
    """The lesions of two scans of one patient in one session, read by one reader.

    Parameters
    ----------
    tracers
        Of a and b.
    pairs
        None were made when `refusals` say why.
    registration
        From the frame of a to that of b; None when there was none.
    technical
        What the uncertainties on a and b rest on.
    times
        Whether the uptake times allow a comparison; None without a protocol.
    findings, refusals
        Caveats, and why the scans were not compared.
    """

    patient: str
    session: str
    reader: str
    tracers: tuple[str, str]
    pairs: tuple[LesionPair, ...] = ()
    registration: Registration | None = None
    technical: tuple[Technical | None, Technical | None] = (None, None)
    times: Check | None = None
    findings: tuple[Finding, ...] = ()
    refusals: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TracerComparison:
    """Two tracers over all patients, in one session and by one reader.

    Parameters
    ----------
    pairs
        All lesions.
    concordance
        By unit: lesion, region, patient.
    regions
        Of patients, by anatomical region.
    regions_holm
        Region to the exact p of its McNemar test, adjusted for the number of regions by Holm.
    estimands
        Of every metric the sensitivity table, its default first.
    holm, benjamini_hochberg
        Metric to the p of its default estimand, adjusted for the number of metrics.
    agreement
        One a metric.
    rule_against_reader
        Of a and of b; None where no reader called a measured lesion.
    """

    tracers: tuple[str, str]
    session: str
    reader: str
    pairs: tuple[LesionPair, ...]
    concordance: Mapping[str, Concordance]
    regions: Mapping[str, Concordance]
    regions_holm: Mapping[str, float]
    estimands: tuple[Estimand, ...]
    holm: Mapping[str, float]
    benjamini_hochberg: Mapping[str, float]
    agreement: tuple[Agreement, ...]
    rule_against_reader: tuple[RuleAgreement | None, RuleAgreement | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Everything that a report of a comparison needs.

    Parameters
    ----------
    tracers
        Names, a first.
    protocol
        Name of the protocol, with its version; empty without one.
    positivity, rule, rule_source
        Name of the rule, the rule in words, and where a shipped one stands.
    level
        Of the intervals.
    matches_ids, is_patient_given
        Whether equal ids of regions mean one lesion; whether a manifest said whose the scans are.
    scans
        Every scan asked for, in order.
    sessions
        Every pair of scans, in order.
    comparisons
        Every pair of tracers in every session by every reader, the one asked for first.
    clinical
        Patient to columns of the clinical table.
    uncertainty
        The standard uncertainties in use, given or assumed, one an input.
    repeatability
        Tracer to the row that its changes are held against.
    """

    tracers: tuple[str, ...]
    protocol: str
    positivity: str
    rule: str
    rule_source: str
    level: float
    matches_ids: bool
    is_patient_given: bool
    scans: tuple[ScanReport, ...]
    sessions: tuple[SessionPairs, ...]
    comparisons: tuple[TracerComparison, ...]
    clinical: Mapping[str, Mapping[str, str]]
    uncertainty: tuple[Default, ...] = ()
    repeatability: Mapping[str, PublishedRepeatability] = field(default_factory=dict)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Why scans or pairs of scans are missing."""
        of_scans = (finding for scan in self.scans for finding in scan.refusals)
        return (*of_scans, *(finding for pairs in self.sessions for finding in pairs.refusals))
