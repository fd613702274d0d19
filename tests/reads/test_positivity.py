"""Rules by hand: greater is strict, nothing missing is negative, and the reader has the last word."""

from __future__ import annotations

import pytest

from petquant.errors import UsageError
from petquant.reads.positivity import read_by, rule_agreement, rule_of, rules

BLOOD_POOL = {"blood_pool": 1.6}


def call(rule, value, references=BLOOD_POOL, **options):
    return rule_of(rule).call({"suv_max": value}, references, **options).is_positive


@pytest.mark.parametrize(
    ("text", "factor", "reference"),
    [
        (">1.5*blood_pool", 1.5, "blood_pool"),
        (">1.5*bp", 1.5, "blood_pool"),
        (">bp", 1.0, "blood_pool"),
        ("> 2 * liver", 2.0, "liver"),
        (">liver", 1.0, "liver"),
        ("liver", 1.0, "liver"),
    ],
)
def test_an_expression_is_a_factor_times_a_reference(text, factor, reference):
    found = rule_of(text)
    assert (found.factor, found.reference, found.value) == (factor, reference, "max")


@pytest.mark.parametrize("text", ["<liver", ">=liver", ">liver+1", "hot", ">0*liver", ">2**liver", "", ">"])
def test_what_a_rule_cannot_say_is_refused(text):
    with pytest.raises(UsageError) as caught:
        rule_of(text)
    assert [finding.code for finding in caught.value.findings] == ["OPTION_INVALID"]


def test_equality_is_negative():
    assert call(">blood_pool", 1.6) is False
    assert call(">blood_pool", 1.61) is True
    assert call(">1.5*blood_pool", 2.4) is False  # 1.5 x 1.6
    assert call(">1.5*blood_pool", 2.41) is True


def test_equality_of_decimals_is_negative_whatever_their_quotient_rounds_to():
    assert 4.2 / 1.4 > 3.0  # what a plain comparison would call positive
    for mean in range(100, 400):
        for factor in (1.0, 1.5, 2.0, 3.0):
            value = round(factor * mean) / 100 if factor * mean == round(factor * mean) else None
            if value is not None:
                references = {"liver": mean / 100}
                assert call(f">{factor}*liver", value, references) is False
                assert call(f">{factor}*liver", value + 0.01, references) is True


def test_a_ratio_needs_neither_suv_nor_reference():
    rule = rule_of(">1.5*blood_pool")
    assert rule.call({"tbr_max_blood_pool": 1.51, "suv_max": None}, {}).is_positive is True
    assert rule.call({"tbr_max_blood_pool": 1.5}, {}).is_positive is False
    assert (
        rule.call({"suv_max": None, "activity_max_bqml": 9000.0}, {"blood_pool": 5000.0}).is_positive is True
    )


@pytest.mark.parametrize(
    ("values", "references", "why"),
    [
        ({"suv_max": 3.0}, {"liver": 2.0}, "no reference blood_pool; given: liver"),
        ({"suv_max": 3.0}, {"blood_pool": 0.0}, "not positive"),
        ({"suv_max": 3.0}, {"blood_pool": None}, "no mean of blood_pool"),
        ({"suv_max": float("nan")}, BLOOD_POOL, "suv_max is not finite"),
        ({"suv_max": None}, BLOOD_POOL, "of the lesion"),
        ({"tbr_max_blood_pool": None, "suv_max": 3.0}, BLOOD_POOL, "no tbr_max_blood_pool"),
    ],
)
def test_what_is_missing_is_neither_positive_nor_negative(values, references, why):
    found = rule_of(">blood_pool").call(values, references)
    assert found.is_positive is None
    assert why in found.why


def test_the_cohort_counts_as_its_rule_says(cohort, pairs):
    """14 both, 5 FDG alone, 7 Pentixafor alone; under two other rules other counts."""
    pools = {">1.5*blood_pool": (1.5, 1.6), ">blood_pool": (1.5, 1.6), ">liver": (1.9, 2.1)}
    want = {">1.5*blood_pool": (14, 5, 7, 0), ">blood_pool": (16, 4, 6, 0), ">liver": (15, 4, 7, 0)}
    for text, (mean_a, mean_b) in pools.items():
        rule = rule_of(text)
        calls = [
            (
                rule.call({"suv_max": a}, {rule.reference: mean_a}).is_positive,
                rule.call({"suv_max": b}, {rule.reference: mean_b}).is_positive,
            )
            for a, b in zip(cohort.pentixafor, cohort.fdg, strict=True)
        ]
        order = ((True, True), (False, True), (True, False), (False, False))
        assert tuple(calls.count(one) for one in order) == want[text]


def test_marrow_is_positive_when_diffuse_above_liver_or_focal():
    rule = rules()["marrow"]
    liver = {"liver": 2.0}
    assert rule.call({"suv_mean": 2.1}, liver).is_positive is True
    assert rule.call({"suv_mean": 2.0}, liver, is_focal=False).is_positive is False
    assert rule.call({"suv_mean": 1.0}, liver, is_focal=True).is_positive is True
    assert rule.call({}, {}, is_focal=True).is_positive is True
    unknown = rule.call({"suv_mean": 1.0}, liver)
    assert unknown.is_positive is None
    assert "focal" in unknown.why


def test_a_rule_stands_beside_what_rests_on_it():
    found = rule_of(">1.5*bp").call({"suv_max": 4.8}, BLOOD_POOL)
    assert found.rule == "SUVmax > 1.5 x mean of blood_pool"
    assert found.ratio == pytest.approx(3.0)
    assert rules()["blood_pool"].is_verified is False  # its wording was seen in a summary alone


def test_the_reader_overrides_the_rule():
    by_rule = rule_of(">blood_pool").call({"suv_max": 3.0}, BLOOD_POOL)
    assert read_by(by_rule, None) is by_rule
    assert [read_by(by_rule, visual).is_positive for visual in (0, 1, 2)] == [False, None, True]
    assert read_by(by_rule, 0).by == "reader"
    with pytest.raises(UsageError):
        read_by(by_rule, 3)


def test_agreement_of_rule_and_reader():
    """13 both, 4 and 2 one alone, 7 neither: po = 20/26; kappa 0.5155, AC1 0.5618 (published PA table)."""
    by_rule = [True] * 17 + [False] * 9
    by_reader = [True] * 13 + [False] * 4 + [True] * 2 + [False] * 7
    found = rule_agreement([*by_rule, None, True], [*by_reader, True, None], rule=">liver")
    assert (found.both, found.rule_only, found.reader_only, found.neither, found.n_unknown) == (
        13,
        4,
        2,
        7,
        2,
    )
    assert found.kappa == pytest.approx(0.5155, abs=5e-5)
    assert found.ac1 == pytest.approx(0.5618, abs=5e-5)
    nothing = rule_agreement([None], [True])
    assert (nothing.kappa, nothing.ac1, nothing.n_unknown) == (None, None, 1)
