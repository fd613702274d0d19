"""The half-life, the nuclide it belongs to, and the tracer (suv.md section 10)."""

from __future__ import annotations

from datetime import datetime

import pytest

from petquant.acquisition import Instant, PrivateValues, Written
from petquant.nuclides import NUCLIDES
from petquant.overrides import Overrides
from petquant.suv.radiopharmaceutical import chosen_item, half_life, identified_tracer

NOBODY = {"name": Written(), "nuclide_code": Written(), "nuclide_meaning": Written()}


@pytest.fixture
def judged(make_acquisition, make_item, make_written):
    def of(seconds=6586.2, *, option=None, private=None, **stated):
        texts = {key: make_written(text) for key, text in stated.items()}
        written = Written() if seconds is None else make_written(seconds)
        item = make_item(**(NOBODY | texts | {"half_life_s": written}))
        values = PrivateValues() if private is None else PrivateValues(nuclide_name=make_written(private))
        return half_life(make_acquisition(private=values), item, Overrides(half_life=option))

    return of


def codes(life) -> list[str]:
    return [finding.code for finding in life.findings]


FLUORINE = {"nuclide_code": "77004003", "nuclide_meaning": "^18^Fluorine", "name": "FDG F18"}


@pytest.mark.parametrize(
    ("off", "code"),
    [
        (0.0, None),
        (0.005, None),  # section 10, rule 5: the tolerance must not be below 0.5 %
        (0.0099, None),
        (-0.0099, None),
        (0.0101, "HALF_LIFE_OFF_TABLE"),
        (-0.0999, "HALF_LIFE_OFF_TABLE"),
        (0.0999, "HALF_LIFE_OFF_TABLE"),
        (0.1001, "HALF_LIFE_WRONG_NUCLIDE"),
        (-0.1001, "HALF_LIFE_WRONG_NUCLIDE"),
    ],
)
def test_one_percent_is_flagged_and_ten_refused(off, code, judged):
    life = judged(6586.2 * (1.0 + off), **FLUORINE)
    assert codes(life) == ([code] if code else [])
    assert (life.half_life_s is None) is (code == "HALF_LIFE_WRONG_NUCLIDE")
    assert life.nuclide == "18F"


@pytest.mark.parametrize("seconds", [4057.0, 4057.7, 4057.74, 4062.6, 4069.8, 4080.0])
def test_the_values_that_headers_write_for_gallium_are_all_accepted(seconds, judged):
    life = judged(seconds, nuclide_code="C-131A3", name="Ga68-PSMA")
    assert codes(life) == []
    assert life.half_life_s == seconds


@pytest.mark.parametrize("seconds", [6584.0, 6586.0, 6586.2001953125, 6588.0])
def test_the_values_that_headers_write_for_fluorine_are_used_as_they_stand(seconds, judged):
    assert judged(seconds, **FLUORINE).half_life_s == seconds


def test_the_conflicting_codes_of_a_published_object_are_flagged(judged):
    """DRO_5_0 codes C-131A1 (66Ga) beside ^68^Gallium, Ga68-PSMA and 4057.7 s."""
    life = judged(4057.7, nuclide_code="C-131A1", nuclide_meaning="^68^Gallium", name="Ga68-PSMA")
    assert (life.half_life_s, life.nuclide, codes(life)) == (4057.7, "68Ga", ["NUCLIDE_CODE_CONFLICT"])
    assert {nuclide for _, _, nuclide in life.evidence} == {"66Ga", "68Ga"}


@pytest.mark.parametrize(
    "evidence",
    [
        {"nuclide_code": "35337001"},
        {"nuclide_meaning": "^68^Gallium"},
        {"name": "68Ga-DOTATATE"},
        {"tracer_meaning": "Gallium Ga^68^ PSMA"},
        {"private": "68Ga"},
    ],
)
def test_any_evidence_contradicts_a_half_life_of_another_nuclide(evidence, judged):
    assert codes(judged(6586.2, **evidence)) == ["HALF_LIFE_WRONG_NUCLIDE"]
    assert codes(judged(4062.6, **evidence)) == []


def test_without_evidence_the_half_life_is_used_and_its_nuclide_guessed(judged):
    life = judged(6586.2)
    assert (life.half_life_s, life.nuclide, codes(life)) == (6586.2, "18F", ["NUCLIDE_UNKNOWN"])
    assert judged(5000.0).nuclide == ""


@pytest.mark.parametrize("seconds", [None, 0.0, -6586.2])
def test_there_is_no_default(seconds, judged):
    life = judged(seconds, **FLUORINE)
    assert (life.half_life_s, codes(life)) == (None, ["HALF_LIFE_MISSING"])


def test_the_user_may_take_the_half_life_of_the_coded_nuclide(judged):
    for row in NUCLIDES:
        if row.codes:
            life = judged(None, option="nuclide", nuclide_code=row.codes[0])
            assert (life.half_life_s, life.nuclide, codes(life)) == (row.half_life_s, row.name, [])
            assert row.source in life.source


@pytest.mark.parametrize("stated", [{}, {"nuclide_code": "C-131A1", "name": "Ga68-PSMA"}])
def test_which_nuclide_must_be_certain(stated, judged):
    life = judged(None, option="nuclide", **stated)
    assert (life.half_life_s, codes(life)) == (None, ["HALF_LIFE_MISSING"])


def test_seconds_of_the_user_replace_and_are_flagged_when_the_header_names_another_nuclide(judged):
    life = judged(6586.2, option="4062.6", **FLUORINE)
    assert (life.half_life_s, life.nuclide, codes(life)) == (4062.6, "68Ga", ["HALF_LIFE_OFF_TABLE"])


def test_seconds_of_the_user_that_fit_the_nuclide_carry_no_flag(judged):
    life = judged(4062.6, option="6588", **FLUORINE)
    assert (life.half_life_s, life.nuclide, codes(life)) == (6588.0, "18F", [])


# Items ------------------------------------------------------------------------------------------------------


def test_items_that_agree_are_one(make_acquisition, make_item):
    item, findings = chosen_item(
        make_acquisition(radiopharmaceuticals=(make_item(), make_item())), Overrides()
    )
    assert findings == ()
    assert item == make_item()


def test_items_that_differ_are_refused_until_one_is_chosen(make_acquisition, make_item, make_written):
    later = Instant(datetime.fromisoformat("2025-01-01T10:30:00"))
    for change in (
        {"dose": make_written(1e8)},
        {"half_life_s": make_written(6588.0)},
        {"injected_at": make_written(later)},
    ):
        items = (make_item(), make_item(**change))
        acquisition = make_acquisition(radiopharmaceuticals=items)
        _, findings = chosen_item(acquisition, Overrides())
        assert [finding.code for finding in findings] == ["DOSE_MULTIPLE"]
        for number in (1, 2):
            item, findings = chosen_item(acquisition, Overrides(radiopharm_index=number))
            assert (item, findings) == (items[number - 1], ())


def test_without_items_everything_is_missing(make_acquisition):
    item, findings = chosen_item(make_acquisition(radiopharmaceuticals=()), Overrides())
    assert findings == ()
    assert item.dose.value is None
    assert item.dose.tag == "(0018,1074)"


def test_a_dose_of_the_user_counts_without_items_too(make_acquisition):
    item, _ = chosen_item(make_acquisition(radiopharmaceuticals=()), Overrides(dose_mbq=350.0))
    assert (item.dose.value, item.dose.option, item.dose.text) == (350e6, "--dose-mbq", "350.0 MBq")


# Tracer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "is_refused"),
    [
        ("FDG", "FDG", False),
        ("FDG", "Pentixafor", True),
        ("[68Ga]Pentixafor", "pentixafor", False),
        ("Ga68-PSMA-11", "FDG", True),
        ("Solution", "FDG", False),
    ],
)
def test_another_tracer_than_expected_is_refused(
    *, name, expected, is_refused, make_acquisition, make_item, make_written
):
    is_fluorine = name in {"FDG", "Solution"}
    code = "77004003" if is_fluorine else "35337001"
    seconds = 6586.2 if is_fluorine else 4062.6
    item = make_item(
        **(NOBODY | {"name": make_written(name), "nuclide_code": make_written(code)}),
        half_life_s=make_written(seconds),
    )
    overrides = Overrides(tracer=expected)
    life = half_life(make_acquisition(), item, overrides)
    _, findings = identified_tracer(item, life, overrides)
    assert [f.code for f in findings] == (["TRACER_UNEXPECTED"] if is_refused else [])


def test_a_known_name_with_the_nuclide_of_another_tracer_is_refused(
    make_acquisition, make_item, make_written
):
    item = make_item(name=make_written("FDG"), nuclide_code=make_written("35337001"),
                     nuclide_meaning=Written(), half_life_s=make_written(4062.6))  # fmt: skip
    overrides = Overrides(tracer="FDG")
    life = half_life(make_acquisition(), item, overrides)
    _, findings = identified_tracer(item, life, overrides)
    assert [f.code for f in findings] == ["TRACER_UNEXPECTED"]
