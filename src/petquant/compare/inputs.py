"""What is compared: one value a scan, and what the user decided for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from petquant.measurement import Number
from petquant.quantify import Background
from petquant.reads.facts import ClinicalFacts
from petquant.reads.positivity import Call, Rule
from petquant.reads.protocol import Protocol
from petquant.reads.repeatability import PublishedRepeatability
from petquant.study import Choices

__all__ = ["DRAWN", "ScanInput", "Settings"]

DRAWN: Final = "drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """One scan of one patient with one tracer.

    Parameters
    ----------
    study
        Folder, file or zip.
    rois, backgrounds, labels
        Lesions, references and the names of labels.
    exclusions
        Regions of physiologic uptake, which no forced read may enter.
    patient, tracer
        As the user calls them; empty takes the pseudonym and what the header says.
    session
        The time point; scans of the same one are compared.
    reader
        Who drew or read; empty for everybody.
    reads
        Table of reads, see `petquant.reads.reader`.
    clinical
        What a clinical table says of the patient: column to text.
    clinic
        Of that what a protocol asks for.
    psf_fwhm_mm
        Width of the noise correlation, from which noise and its part in the uncertainty follow; None knows
        none.
    choices
        Which series, which SUV types, what is allowed.
    """

    study: str
    rois: tuple[str, ...]
    backgrounds: tuple[Background, ...] = ()
    exclusions: tuple[Background, ...] = ()
    labels: str | None = None
    patient: str = ""
    tracer: str = ""
    session: str = ""
    reader: str = ""
    reads: str | None = None
    clinical: Mapping[str, str] = field(default_factory=dict)
    clinic: ClinicalFacts = field(default_factory=ClinicalFacts)
    psf_fwhm_mm: float | None = None
    choices: Choices = field(default_factory=Choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for all scans of a comparison.

    Parameters
    ----------
    rule
        Of positivity; None calls a lesion positive on the scan that it was drawn on.
    protocol
        That every scan is held against; None asks for nothing.
    tracers
        Those to compare, a first; empty takes all in the order of the scans.
    matches_ids
        Regions with the same id on two scans of a patient are one lesion.
    ignores_patient_id
        Scans whose headers name different patients are compared, flagged.
    key
        Secret of the pseudonyms.
    has_hashed_uids
        UIDs are replaced in what is returned.
    level
        Of intervals.
    uncertainty
        Standard uncertainties that were given, see `petquant.reads.uncertainty.inputs_of`; the others are
        defaults.
    repeatability
        Rows that changes are held against, each in place of the default of its tracer.
    """

    rule: Rule | None = None
    protocol: Protocol | None = None
    tracers: tuple[str, ...] = ()
    matches_ids: bool = False
    ignores_patient_id: bool = False
    key: bytes | None = None
    has_hashed_uids: bool = False
    level: float = 0.95
    uncertainty: Mapping[str, float] = field(default_factory=dict)
    repeatability: tuple[PublishedRepeatability, ...] = ()

    @property
    def positivity(self) -> str:
        """The name of the rule."""
        return DRAWN if self.rule is None else self.rule.name

    @property
    def rule_words(self) -> str:
        """The rule with its value, factor and reference."""
        words = "positive on the scan that it was drawn on, negative where it is a forced read"
        return words if self.rule is None else self.rule.words

    def call(
        self,
        values: Mapping[str, Number],
        is_forced: bool,  # noqa: FBT001 - petquant.reads.pairing.Caller
        is_focal: bool | None = None,  # noqa: FBT001 - the same
    ) -> Call:
        """Return what the rule makes of a read; it looks at ratios, which exist without SUV too."""
        if self.rule is not None:
            return self.rule.call(values, {}, is_focal=is_focal)
        why = "drawn on the other scan" if is_forced else "drawn on this scan"
        return Call(is_positive=not is_forced, by="rule", rule=self.rule_words, why=why)
