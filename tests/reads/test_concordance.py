"""Counts of both, one and neither, and that the rule decides them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petquant.reads.concordance import concordance, concordance_of_calls


def counts(found):
    return found.both, found.b_only, found.a_only, found.neither


@pytest.mark.parametrize(
    ("factor", "pools", "want"),
    [
        (1.5, (1.5, 1.6), (14, 5, 7, 0)),  # 1.5 x blood pool
        (1.0, (1.5, 1.6), (16, 4, 6, 0)),  # the negative control: blood pool without a factor
        (1.0, (1.9, 2.1), (15, 4, 7, 0)),  # the liver
    ],
)
def test_the_rule_decides_the_counts(factor, pools, want, pairs):
    assert counts(concordance(pairs(factor, blood_pool=pools))["lesion"]) == want


def test_the_cohort(pairs):
    found = concordance(pairs())
    lesion, patient = found["lesion"], found["patient"]
    assert lesion.mcnemar.exact == pytest.approx(0.774414, abs=6e-7)
    assert lesion.tango.value == pytest.approx(2 / 26)
    assert [test.name.split()[0] for test in lesion.clustered] == [
        "clustered", "Obuchowski", "Durkalski", "clustered",
    ]  # fmt: skip
    assert counts(patient) == (10, 0, 0, 0)
    assert patient.clustered == ()
    assert (lesion.n, lesion.n_patients, patient.n) == (26, 10, 10)


def test_a_region_is_positive_with_one_positive_lesion(pairs):
    lesions = [replace(pair, region="nodes") for pair in pairs()]
    assert counts(concordance(lesions)["region"]) == (10, 0, 0, 0)
    assert concordance(pairs())["region"].n == 0


def test_an_unknown_call_is_no_negative_one(pairs):
    lesions = pairs()[:3]  # patient 0: both, both, Pentixafor alone
    lesions[2] = replace(lesions[2], b=replace(lesions[2].b, is_positive=None))
    found = concordance(lesions)["lesion"]
    assert (found.n, found.n_unknown) == (2, 1)
    only = [replace(lesions[2], a=replace(lesions[2].a, is_positive=False))]
    assert concordance(only)["patient"].n_unknown == 1


# both, only the first, only the second, neither, of 17 patients; exact, corrected
WALDENSTROEM = {
    "any": ((10, 7, 0, 0), 0.015625, 0.023342, (100.0, 58.8)),
    "marrow": ((9, 7, 1, 0), 0.070312, 0.077100, (94.1, 58.8)),
    "node": ((2, 11, 0, 4), 0.000977, 0.002569, (76.5, 11.8)),
}


@pytest.mark.parametrize("region", WALDENSTROEM)
def test_the_waldenstroem_tables(region):
    (both, a_only, b_only, neither), exact, corrected, rates = WALDENSTROEM[region]
    calls = [(True, True)] * both + [(True, False)] * a_only + [(False, True)] * b_only
    calls += [(False, False)] * neither
    found = concordance_of_calls("patient", [(f"W{n}", call) for n, call in enumerate(calls)])
    assert found.mcnemar.exact == pytest.approx(exact, abs=6e-7)
    assert found.mcnemar.chi2_cc == pytest.approx(corrected, abs=6e-7)
    assert (100 * found.rate_a.value, 100 * found.rate_b.value) == pytest.approx(rates, abs=0.05)


def test_nothing_counts_to_nothing():
    found = concordance([])["lesion"]
    assert (found.n, found.tango, found.rate_a, found.odds_ratio) == (0, None, None, None)
