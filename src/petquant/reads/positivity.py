"""A positivity rule says from numbers whether a lesion is positive: uptake above that of a reference tissue.

A rule is evaluated on the ratio of both, so it needs no SUV. Greater is strict: as much as the reference is
negative. Where a number is missing the call is None with its reason, never negative. A reader's call stands
above the rule's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from petquant.errors import UsageError
from petquant.measurement import Number
from petquant.reads.criterion import Criterion, criteria
from petquant.reads.pair import LesionRead
from petquant.reads.verdict import exceeds
from petquant.statistics.calls import cohen_kappa, gwet_ac1

__all__ = [
    "VISUAL",
    "Call",
    "Rule",
    "RuleAgreement",
    "read_by",
    "rule_against_reader",
    "rule_agreement",
    "rule_of",
    "rules",
]

EXPRESSION: Final = re.compile(r">\s*(?:(?P<factor>\d+(?:\.\d+)?)\s*\*\s*)?(?P<reference>[A-Za-z_]\w*)")
ALIASES: Final = MappingProxyType({"bp": "blood_pool"})
VISUAL: Final[Mapping[int, str]] = MappingProxyType({0: "negative", 1: "equivocal", 2: "positive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a rule or a reader makes of one lesion.

    Parameters
    ----------
    is_positive
        None when it cannot be said.
    by
        ``rule`` or ``reader``.
    rule
        The rule in words: part of every count that rests on it.
    ratio
        Uptake over the reference, None without one.
    why
        The reason of the call.
    """

    is_positive: bool | None
    by: str
    rule: str
    ratio: float | None = None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Positive when ``uptake / mean of the reference > factor``.

    Parameters
    ----------
    name
        Of the shipped rule; of an expression the expression.
    factor
        Positive.
    reference
        Name of the reference region.
    value
        ``max``, ``peak`` or ``mean`` of the lesion.
    focal_is_positive
        Whether focal uptake is positive whatever its numbers (bone marrow).
    tracers
        That the rule was made for; empty when any.
    citation, is_verified
        Where the rule stands, and whether it was seen there; an expression has neither.
    """

    name: str
    factor: float
    reference: str
    value: str = "max"
    focal_is_positive: bool = False
    tracers: tuple[str, ...] = ()
    citation: str = ""
    is_verified: bool = True

    @property
    def words(self) -> str:
        """The rule with its value, factor and reference, as it stands beside counts."""
        text = f"SUV{self.value} > {self.factor:g} x mean of {self.reference}"
        return f"focal uptake, or {text}" if self.focal_is_positive else text

    def call(
        self,
        values: Mapping[str, Number],
        references: Mapping[str, float | None],
        *,
        is_focal: bool | None = None,
    ) -> Call:
        """Return what the rule makes of one lesion.

        Parameters
        ----------
        values
            Column of `petquant.quantities` to number. Used is the first of ``tbr_VALUE_REFERENCE``,
            ``suv_VALUE`` and ``activity_VALUE_bqml`` that is there. A ratio that is None was refused, and is
            not computed again.
        references
            Name to mean of the reference, in the unit of the lesion's value; not needed for a ratio.
        is_focal
            Of marrow, whether the uptake is focal; None when nobody said so.
        """
        if self.focal_is_positive and is_focal:
            return self._called(is_positive=True, why="focal uptake")
        ratio, why = self._ratio(values, references)
        if ratio is None:
            return self._called(is_positive=None, why=why)
        is_above = exceeds(ratio, self.factor)
        why = f"{self.reference} x {ratio:.4g}, {'above' if is_above else 'not above'} {self.factor:g}"
        if self.focal_is_positive and is_focal is None and not is_above:
            return self._called(is_positive=None, ratio=ratio, why=f"{why}; not known whether it is focal")
        return self._called(is_positive=is_above, ratio=ratio, why=why)

    def _called(self, *, is_positive: bool | None, why: str, ratio: float | None = None) -> Call:
        return Call(is_positive=is_positive, by="rule", rule=self.words, ratio=ratio, why=why)

    def _ratio(
        self, values: Mapping[str, Number], references: Mapping[str, float | None]
    ) -> tuple[float | None, str]:
        """Return uptake over reference, or None with the reason."""
        column = f"tbr_{self.value}_{self.reference}"
        if column in values:
            return _finite(values[column], column)
        columns = (f"suv_{self.value}", f"activity_{self.value}_bqml")
        column = next((one for one in columns if values.get(one) is not None), "")
        if not column:
            return (
                None,
                f"no {' and no '.join((f'tbr_{self.value}_{self.reference}', *columns))} of the lesion",
            )
        if self.reference not in references:
            return None, f"no reference {self.reference}; given: {', '.join(references) or 'none'}"
        uptake, why = _finite(values[column], column)
        mean, why_not = _finite(references[self.reference], f"mean of {self.reference}")
        if uptake is None or mean is None:
            return None, why or why_not
        if mean <= 0.0:
            return None, f"mean of {self.reference} is not positive"
        return uptake / mean, ""


def rule_of(text: str) -> Rule:
    """Return the rule of an expression (``>1.5*blood_pool``, ``>liver``) or of a shipped name.

    ``bp`` stands for ``blood_pool``.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    match = EXPRESSION.fullmatch(text.strip())
    if match is None:
        shipped = rules()
        if text.strip() in shipped:
            return shipped[text.strip()]
        raise UsageError.of(
            "OPTION_INVALID",
            f"{text!r} is no positivity rule",
            expected=f"'>liver', '>1.5*blood_pool' or one of {', '.join(shipped)}",
            remedy="greater than a factor times a reference is all that a rule can say",
        )
    factor = float(match["factor"] or 1.0)
    if not (factor > 0.0 and math.isfinite(factor)):
        raise UsageError.of("OPTION_INVALID", f"the factor of {text!r} is not positive", expected="above 0")
    reference = ALIASES.get(match["reference"], match["reference"])
    return Rule(
        name=f">{reference}" if factor == 1.0 else f">{factor:g}*{reference}",
        factor=factor,
        reference=reference,
    )


def rules() -> dict[str, Rule]:
    """Return the shipped rules by name."""
    return {one.name: _shipped(one) for one in criteria().values() if one.kind == "positivity"}


def read_by(call: Call, visual: int | None) -> Call:
    """Return the reader's call where there is one, else that of the rule.

    Parameters
    ----------
    call
        Of the rule.
    visual
        0 negative, 1 equivocal, 2 positive (`VISUAL`), or None when nobody read the lesion. Equivocal is
        neither: the call is None.

    Raises
    ------
    UsageError
        OPTION_INVALID for any other number.
    """
    if visual is None:
        return call
    if visual not in VISUAL:
        raise UsageError.of(
            "OPTION_INVALID",
            f"a visual call of {visual}",
            expected=", ".join(f"{number} ({words})" for number, words in VISUAL.items()),
        )
    return Call(
        is_positive={0: False, 1: None, 2: True}[visual],
        by="reader",
        rule=call.rule,
        ratio=call.ratio,
        why=f"reader: {VISUAL[visual]}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAgreement:
    """How often a rule and a reader say the same.

    Parameters
    ----------
    rule
        The rule in words.
    both, rule_only, reader_only, neither
        Lesions positive by both, one and none.
    n_unknown
        Lesions left out because one of both calls is missing.
    kappa, ac1
        Cohen's kappa and Gwet's AC1; None where undefined.
    """

    rule: str
    both: int
    rule_only: int
    reader_only: int
    neither: int
    n_unknown: int
    kappa: float | None
    ac1: float | None


def rule_agreement(
    by_rule: Sequence[bool | None], by_reader: Sequence[bool | None], *, rule: str = ""
) -> RuleAgreement:
    """Return the agreement of (n,) calls of a rule with those of a reader on the same lesions.

    Raises
    ------
    ValueError
        When the lengths differ.
    """
    given = list(zip(by_rule, by_reader, strict=True))
    known = [pair for pair in given if None not in pair]
    first, second = [pair[0] for pair in known], [pair[1] for pair in known]
    return RuleAgreement(
        rule=rule,
        both=known.count((True, True)),
        rule_only=known.count((True, False)),
        reader_only=known.count((False, True)),
        neither=known.count((False, False)),
        n_unknown=len(given) - len(known),
        kappa=cohen_kappa(first, second, categories=(False, True)) if known else None,
        ac1=gwet_ac1(first, second, categories=(False, True)) if known else None,
    )


def rule_against_reader(reads: Iterable[LesionRead | None], *, rule: str) -> RuleAgreement | None:
    """Return the agreement over the reads that a reader called; None when nobody called a measured one."""
    called = [read for read in reads if read is not None and read.is_by_reader and read.values]
    if not called:
        return None
    return rule_agreement([read.by_rule for read in called], [read.is_positive for read in called], rule=rule)


def _shipped(criterion: Criterion) -> Rule:
    parsed = rule_of(criterion.expression)
    factor = criterion.thresholds["factor"].value
    if parsed.factor != factor or criterion.value not in {"max", "peak", "mean"}:
        raise ValueError(f"criterion {criterion.name} contradicts its expression {criterion.expression}")
    return Rule(
        name=criterion.name,
        factor=factor,
        reference=parsed.reference,
        value=criterion.value,
        focal_is_positive=criterion.focal_is_positive,
        tracers=criterion.tracers,
        citation=criterion.citation,
        is_verified=criterion.is_verified,
    )


def _finite(value: Number, name: str) -> tuple[float | None, str]:
    if value is None:
        return None, f"no {name}"
    return (float(value), "") if math.isfinite(value) else (None, f"{name} is not finite")
