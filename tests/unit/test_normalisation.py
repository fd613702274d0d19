"""Normalisers against the table of suv.md section 11, and their peculiarities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.overrides import SUV_TYPES
from petquant.suv.normalisation import NORMALISATIONS, normalisation, normaliser, of_suv_type, weight_exponent

NAMES = ("lbm-morgan", "lbm-james128", "lbm-janma", "ibw")

# weight, height, sex: LBM120, James128, Janma, IBW in kg, BSA in m2 (suv.md section 11)
TABLE = [
    (70.0, 1.75, "M", (57.8, 56.52, 55.857108, 72.38), 1.8481430),
    (70.0, 1.75, "F", (51.22, 51.22, 45.197015, 66.43), 1.8481430),
    (70.0, 1.75, "O", (54.51, 53.87, 50.527061, 69.405), 1.8481430),
    (75.0, 1.85, "M", (62.777575, 61.462747, 60.915336, 82.98), 1.9813758),
    (75.0, 1.85, "F", (55.925676, 55.925676, 49.214380, 75.53), 1.9813758),
    (60.0, 1.60, "F", (43.3875, 43.3875, 38.361928, 52.78), 1.6220625),
    (120.0, 1.65, "F", (50.119008, 50.119008, 56.944469, 57.33), 2.2268667),
]


@pytest.mark.parametrize(("weight_kg", "height_m", "sex", "masses", "surface_m2"), TABLE)
def test_normalisers_are_those_of_the_table(weight_kg, height_m, sex, masses, surface_m2):
    body = {"weight_kg": weight_kg, "height_m": height_m, "sex": sex}
    for name, mass in zip(NAMES, masses, strict=True):
        assert normaliser(normalisation(name), **body)[0] == pytest.approx(mass, abs=5.1e-7)  # six decimals
    assert normaliser(normalisation("bsa"), **body)[0] / 10.0 == pytest.approx(surface_m2, abs=5.1e-8)
    assert normaliser(normalisation("bw"), **body)[0] == weight_kg


def test_square_centimetres_to_suvbw():
    # suv.md section 11: CM2ML to SUVbw for 70 kg, 1.75 m
    n, _ = normaliser(normalisation("bsa"), weight_kg=70.0, height_m=1.75, sex=None)
    assert 70.0 / n == pytest.approx(3.7875857, abs=5.1e-8)


@pytest.mark.parametrize(
    ("name", "sex", "peak"),
    [("lbm-james128", "M", 42.97), ("lbm-morgan", "M", 45.83), ("lbm-morgan", "F", 36.15)],
)
def test_a_james_formula_falls_above_its_peak_and_says_so(name, sex, peak):
    row, height_m = normalisation(name), 1.7

    def at(bmi):
        return normaliser(row, weight_kg=bmi * height_m**2, height_m=height_m, sex=sex)

    below, above = at(peak - 0.02), at(peak + 0.02)
    assert below[1] == ()
    assert [finding.code for finding in above[1]] == ["LBM_JAMES_ABOVE_PEAK"]
    assert at(peak - 5.0)[0] < at(peak)[0] > at(peak + 5.0)[0]


@pytest.mark.parametrize(
    ("name", "sex", "zero"),
    [("lbm-james128", "M", 85.9), ("lbm-morgan", "M", 91.7), ("lbm-morgan", "F", 72.3)],
)
def test_a_james_formula_is_refused_where_it_reaches_zero(name, sex, zero):
    row, height_m = normalisation(name), 1.6
    n, _ = normaliser(row, weight_kg=(zero - 0.1) * height_m**2, height_m=height_m, sex=sex)
    assert n > 0
    n, findings = normaliser(row, weight_kg=(zero + 0.1) * height_m**2, height_m=height_m, sex=sex)
    assert n is None
    assert [finding.code for finding in findings] == ["LBM_NOT_POSITIVE"]


@given(
    weight_kg=st.floats(1e-300, 1e300),
    height_m=st.floats(1e-300, 1e300),
    sex=st.sampled_from(["M", "F", "O"]),
    row=st.sampled_from(NORMALISATIONS),
)
def test_any_body_gives_a_positive_mass_or_a_code(weight_kg, height_m, sex, row):
    n, findings = normaliser(row, weight_kg=weight_kg, height_m=height_m, sex=sex)
    assert (n is None) == any(finding.code == "LBM_NOT_POSITIVE" for finding in findings)
    assert n is None or 0 < n < math.inf


@given(weight_kg=st.floats(3.0, 250.0), height_m=st.floats(0.5, 2.2), row=st.sampled_from(NORMALISATIONS))
def test_sex_o_lies_in_the_middle(weight_kg, height_m, row):
    def of(sex):
        return normaliser(row, weight_kg=weight_kg, height_m=height_m, sex=sex)[0]

    if None not in (of("M"), of("F")):
        assert of("O") == pytest.approx((of("M") + of("F")) / 2.0, rel=1e-12)


def test_every_name_alias_and_dicom_term_finds_its_row():
    for row in NORMALISATIONS:
        assert normalisation(f" {row.name.upper()} ") is row
        assert of_suv_type(f"{row.suv_type.lower()} ") is row
        assert all(normalisation(alias) is row for alias in row.aliases)
    assert normalisation("lbm").name == "lbm-janma"
    assert normalisation("native") is None
    assert of_suv_type("BMI") is None


def test_the_option_takes_every_dicom_term():
    assert set(SUV_TYPES) == {row.suv_type for row in NORMALISATIONS}


def test_units_are_those_of_ucum():
    assert {row.name: row.ucum for row in NORMALISATIONS} == {
        "bw": "g/ml{SUVbw}",
        "lbm-james128": "g/ml{SUVlbm(James128)}",
        "lbm-morgan": "g/ml{SUVlbm}",
        "lbm-janma": "g/ml{SUVlbm(Janma)}",
        "ibw": "g/ml{SUVibw}",
        "bsa": "cm2/ml{SUVbsa}",
    }


def test_the_uw_reference_object_uses_james():
    # suv.md section 11: SUVlbm / SUVbw 0.750 (female) and 0.771 (male), Janmahasatian 0.660 and 0.758: the
    # body is not printed, but one BMI must give both numbers of a sex: James 1.10 - 128 BMI/1e4 ...
    bmi_male = (1.10 - 0.771) / 128e-4
    bmi_female = (1.07 - 0.750) / 148e-4
    assert 9270.0 / (6680.0 + 216.0 * bmi_male) == pytest.approx(0.758, abs=1e-3)
    assert 9270.0 / (8780.0 + 244.0 * bmi_female) == pytest.approx(0.660, abs=1e-3)


def test_the_normaliser_follows_the_weight_by_its_exponent():
    body = {"weight_kg": 80.0, "height_m": 1.8, "sex": "M"}
    bmi = 80.0 / 1.8**2
    for name, exponent in (
        ("bw", 1.0),
        ("bsa", 0.425),  # Du Bois: weight to the power 0.425
        ("ibw", 0.0),
        ("lbm-janma", 6680 / (6680 + 216 * bmi)),  # of c W / (6680 + 216 W / h^2)
    ):
        assert weight_exponent(normalisation(name), **body) == pytest.approx(exponent, abs=1e-7)
