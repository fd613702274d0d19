"""Nuclides: half-lives as ICRP 107 states them, names as headers write them, decay as mathematics has it."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.nuclides import NUCLIDES, average_count_time_s, decay_factor, nuclide_by_code, nuclides_in

getcontext().prec = 60
LN2 = Decimal(2).ln()

MIN, H, D, Y = 60.0, 3600.0, 86400.0, 365.2422 * 86400.0

# Number and unit as printed in suv.md section 10
PRINTED = {
    "11C": 20.39 * MIN,
    "13N": 9.965 * MIN,
    "15O": 122.24,
    "18F": 109.77 * MIN,
    "44Sc": 3.97 * H,
    "52Mn": 5.591 * D,
    "61Cu": 3.333 * H,
    "62Cu": 9.673 * MIN,
    "64Cu": 12.700 * H,
    "66Ga": 9.49 * H,
    "68Ga": 67.71 * MIN,
    "68Ge": 270.95 * D,
    "76Br": 16.2 * H,
    "82Rb": 1.273 * MIN,
    "86Y": 14.74 * H,
    "89Zr": 78.41 * H,
    "90Y": 64.10 * H,
    "94mTc": 52.0 * MIN,
    "124I": 4.1760 * D,
    "22Na": 2.6019 * Y,
    "177Lu": 6.647 * D,
}


def test_half_lives_are_the_printed_ones_in_seconds():
    assert {nuclide.name for nuclide in NUCLIDES} == set(PRINTED)
    for nuclide in NUCLIDES:
        # the year of ICRP 107 is not stated to more than five digits of 2.6019
        assert nuclide.half_life_s == pytest.approx(PRINTED[nuclide.name], rel=1e-5)
        assert nuclide.source.startswith("ICRP Publication 107")


def test_no_code_means_two_nuclides():
    codes = [code for nuclide in NUCLIDES for code in nuclide.codes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("77004003", "18F"),
        ("C-111A1", "18F"),
        (" c-131a3 ", "68Ga"),
        ("C-131A1", "66Ga"),
        ("C-127A", "64Cu"),
        ("C-127A2", "64Cu"),
        ("126600", "44Sc"),
    ],
)
def test_a_code_is_known_by_its_value(code, name):
    assert nuclide_by_code(code).name == name


@pytest.mark.parametrize("code", ["", "C-111", "4003", "18F"])
def test_what_is_no_code_names_nothing(code):
    assert nuclide_by_code(code) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("^18^Fluorine", {"18F"}),
        ("Fluorine-18", {"18F"}),
        ("F-18", {"18F"}),
        ("18F", {"18F"}),
        ("[18F]FDG", {"18F"}),
        ("FDG -- fluorodeoxyglucose F18", {"18F"}),
        ("F^18^", {"18F"}),
        ("Ga68-PSMA", {"68Ga"}),
        ("[68Ga]Ga-PSMA-11", {"68Ga"}),
        ("68-Ga PENTIXAFOR", {"68Ga"}),
        ("Gallium 68", {"68Ga"}),
        ("89-Zr", {"89Zr"}),
        ("C-11 Choline", {"11C"}),
        ("13N-Ammonia", {"13N"}),
        ("Tc-94m", {"94mTc"}),
        ("I-124", {"124I"}),
        ("Rb82 / Ga68", {"82Rb", "68Ga"}),
        ("FDG", set()),
        ("PSMA-11", set()),
        ("PSMA-1007", set()),
        ("Solution", set()),
        ("", set()),
        ("Lot 118F2", set()),
        ("MIBI18", set()),
    ],
)
def test_a_nuclide_is_found_as_headers_name_it(text, names):
    assert {nuclide.name for nuclide in nuclides_in(text)} == names


# suv.md section 2: T_ave in s
T_AVE = {
    6586.2: (29.984214, 59.936855, 89.857923, 149.605344, 299.905592, 593.686298),
    4062.6: (29.974408, 59.897630, 89.769669, 149.360202, 298.915322, 589.766575),
    76.38: (28.642100, 54.607830, 78.010201, 117.853417, 187.757290, 263.125755),
}


@pytest.mark.parametrize(
    ("half_life_s", "duration_s", "expected_s"),
    [
        (half_life_s, duration_s, expected_s)
        for half_life_s, row in T_AVE.items()
        for duration_s, expected_s in zip((60, 120, 180, 300, 603, 1200), row, strict=True)
    ],
)
def test_average_count_times_are_those_of_the_table(half_life_s, duration_s, expected_s):
    # printed with six decimals
    assert average_count_time_s(duration_s, half_life_s) == pytest.approx(expected_s, abs=5.1e-7)


def exact_average_s(duration_s: float, half_life_s: float) -> Decimal:
    x = LN2 * Decimal(duration_s) / Decimal(half_life_s)
    if x < Decimal("1e-20"):
        return Decimal(duration_s) / 2
    return (x / (1 - (-x).exp())).ln() * Decimal(half_life_s) / LN2


half_lives = st.floats(60.0, 1e8)
durations = st.floats(1e-3, 1e5)


@given(duration_s=durations, half_life_s=half_lives)
def test_average_count_time_is_exact(duration_s, half_life_s):
    exact = exact_average_s(duration_s, half_life_s)
    # log of a number near 1 + x/2 loses x digits: 2e-16 / x of the value
    x = math.log(2.0) * duration_s / half_life_s
    tolerance = 1e-12 + 1e-15 / max(x, 1e-9)
    assert float(Decimal(average_count_time_s(duration_s, half_life_s)) / exact - 1) == pytest.approx(
        0.0, abs=tolerance
    )


@given(duration_s=durations, half_life_s=half_lives)
def test_average_count_time_lies_in_the_first_half_of_the_frame(duration_s, half_life_s):
    assert 0.0 < average_count_time_s(duration_s, half_life_s) <= duration_s / 2.0 * (1.0 + 1e-6)


@given(elapsed_s=st.floats(-1e5, 1e6), half_life_s=st.floats(100.0, 1e8))
def test_decay_is_exact(elapsed_s, half_life_s):
    exact = (-LN2 * Decimal(elapsed_s) / Decimal(half_life_s)).exp()
    if exact < Decimal("1e-300"):
        return
    # one rounding of the exponent, up to 1e4, is 1e-16 x 1e4 of the value
    assert float(Decimal(decay_factor(elapsed_s, half_life_s)) / exact - 1) == pytest.approx(0.0, abs=2e-12)


def test_decay_has_no_overflow():
    assert decay_factor(1e9, 1.0) == 0.0
    assert decay_factor(-1e9, 1.0) == math.inf
    assert decay_factor(0.0, 6586.2) == 1.0


def test_one_half_life_leaves_half():
    assert decay_factor(6586.2, 6586.2) == 0.5


def test_the_short_series_is_not_used():
    """T/2 - lambda T^2 / 24 would give 55.5 s for 82Rb and 1200 s."""
    rate = math.log(2.0) / 76.38
    assert 600.0 - rate * 1200.0**2 / 24.0 == pytest.approx(55.5, abs=0.05)
    assert average_count_time_s(1200.0, 76.38) == pytest.approx(263.126, abs=5e-4)


@pytest.mark.parametrize(
    ("used_s", "of_s", "percent"),
    [(6586.2, 4062.6, -21.0), (6588.0, 6586.2, -0.010), (6500.0, 6586.2, 0.50), (4057.7, 4069.8, 0.18)],
)
def test_errors_of_a_wrong_half_life_after_one_hour(used_s, of_s, percent):
    # suv.md section 10: the factor goes with 2^(3600 / T_half)
    error = 100.0 * (decay_factor(3600.0, of_s) / decay_factor(3600.0, used_s) - 1.0)
    assert error == pytest.approx(percent, abs=0.05 if abs(percent) > 1 else 0.005)
