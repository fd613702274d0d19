"""Weight, height and sex: what is read as what, and what is refused (suv.md section 9)."""

from __future__ import annotations

import pytest

from petquant.acquisition import Written
from petquant.suv.patient import height_m, sex, weight_kg


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("stored", "kg", "expected"),
    [
        (70.0, 70.0, []),
        (300.0, 300.0, []),
        (300.1, 300.1, ["WEIGHT_IMPLAUSIBLE"]),
        (1000.0, 1000.0, ["WEIGHT_IMPLAUSIBLE"]),
        (1000.1, 1.0001, ["WEIGHT_IN_GRAMS"]),
        (72000.0, 72.0, ["WEIGHT_IN_GRAMS"]),
        (500000.0, 500.0, ["WEIGHT_IN_GRAMS", "WEIGHT_IMPLAUSIBLE"]),
        (1.0, 1.0, []),
        (0.99, 0.99, ["WEIGHT_IMPLAUSIBLE"]),
        (0.0, None, ["WEIGHT_NOT_POSITIVE"]),
        (-70.0, None, ["WEIGHT_NOT_POSITIVE"]),
        (None, None, ["WEIGHT_MISSING"]),
    ],
)
def test_weight(stored, kg, expected, make_acquisition, make_written):
    found, findings = weight_kg(
        make_acquisition(weight_kg=Written() if stored is None else make_written(stored))
    )
    assert found == (None if kg is None else pytest.approx(kg, rel=1e-15))
    assert codes(findings) == expected


@pytest.mark.parametrize(
    ("kg", "height"), [(178.0, 1.78), (178.0, 178.0), (113.0, 1.13), (1.75, 1.75), (110.0, 1.1)]
)
def test_a_weight_that_equals_the_height_in_any_unit_is_flagged(kg, height, make_acquisition, make_written):
    """1.13 x 100 is 112.99999999999999 to a computer."""
    found, findings = weight_kg(make_acquisition(weight_kg=make_written(kg), height_m=make_written(height)))
    assert found == kg
    assert "WEIGHT_EQUALS_HEIGHT" in codes(findings)


@pytest.mark.parametrize(
    ("stored", "metres", "expected"),
    [
        (1.75, 1.75, []),
        (3.0, 3.0, ["HEIGHT_IMPLAUSIBLE"]),
        (3.1, 0.031, ["HEIGHT_IN_CM", "HEIGHT_IMPLAUSIBLE"]),
        (175.0, 1.75, ["HEIGHT_IN_CM"]),
        (1750.0, 17.5, ["HEIGHT_IN_CM", "HEIGHT_IMPLAUSIBLE"]),
        (0.4, 0.4, []),
        (0.39, 0.39, ["HEIGHT_IMPLAUSIBLE"]),
        (0.0, None, ["HEIGHT_MISSING"]),
        (-1.75, None, ["HEIGHT_MISSING"]),
        (None, None, ["HEIGHT_MISSING"]),
    ],
)
def test_height(stored, metres, expected, make_acquisition, make_written):
    acquisition = make_acquisition(height_m=Written() if stored is None else make_written(stored))
    found, findings = height_m(acquisition, needed_by="bsa")
    assert found == (None if metres is None else pytest.approx(metres, rel=1e-15))
    assert codes(findings) == expected
    assert all(finding.quantities == ("bsa",) for finding in findings)


@pytest.mark.parametrize(
    ("stored", "used", "expected"),
    [
        ("M", "M", []),
        (" f ", "F", []),
        ("O", "O", ["SEX_OTHER_MEAN"]),
        ("", None, ["SEX_INVALID"]),
        ("X", None, ["SEX_INVALID"]),
        ("MALE", None, ["SEX_INVALID"]),
    ],
)
def test_sex(stored, used, expected, make_acquisition, make_written):
    found, findings = sex(make_acquisition(sex=make_written(stored)), needed_by="ibw")
    assert found == used
    assert codes(findings) == expected
    assert all(finding.quantities == ("ibw",) for finding in findings)


@pytest.mark.parametrize("name", ["weight_kg", "height_m"])
def test_what_is_no_finite_number_says_so(name, make_acquisition):
    acquisition = make_acquisition(**{name: Written(text="inf", defect="VALUE_NOT_FINITE")})
    found, findings = (
        weight_kg(acquisition) if name == "weight_kg" else height_m(acquisition, needed_by="bsa")
    )
    assert found is None
    assert codes(findings) == ["VALUE_NOT_FINITE"]
