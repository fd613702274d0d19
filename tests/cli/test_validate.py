"""petquant validate: what is right passes, what is broken on purpose fails, other tools are judged too."""

from __future__ import annotations

import csv

import pytest
from petquant_cli.trials import Trial, run_trial, trials
from petquant_phantoms import catalogue
from petquant_phantoms.truth_record import truth_record

from petquant.suv.factor import start_factor
from petquant.validation import Check, Measured, judge


def failed(checks):
    return [check for check in checks if not check.is_passed]


def of(phantom: str, **dialect: str) -> Trial:
    definition = catalogue.load(phantom).in_dialect(**dialect)
    return Trial(phantom=phantom, variant=" ".join(dialect.values()), definition=definition)


def test_the_quick_validation_passes(petquant):
    result = petquant("validate", "--quick", "--json")
    record = result.json
    assert record["failures"] == []
    assert result.code == 0
    assert record["n_checks"] > 2_000  # one form of each phantom, and the 58 headers of the survey
    assert {"tiny", "anisotropic", "ibsi_suv_small/0_0"} <= {one["phantom"] for one in record["phantoms"]}


def test_one_phantom_by_the_whole_command(petquant):
    result = petquant("validate", "--only", "one_voxel", "--workers", "1")
    assert result.code == 0, result.err
    assert b"passed" in result.out
    assert b"one_voxel" in result.out


def test_every_refusal_of_the_survey_is_asked_for():
    names = {trial.phantom for trial in trials()}
    assert sum(name.startswith("ibsi_suv_small/error_") for name in names) == 15
    assert sum(name.startswith("ibsi_suv_small/") for name in names) >= 58
    assert {"tiny", "torso_fdg", "nema_earl1", "missing_slice"} <= names


def of_half_life(half_life_s):
    return lambda **given: start_factor(**(given | {"half_life_s": half_life_s}))


def one_hour_later(**given):
    return start_factor(**(given | {"decay_interval_s": given["decay_interval_s"] + 3600.0}))


def without_decay(*, weight_kg, dose_bq, **_):
    return 1000.0 * weight_kg / dose_bq


# the faults that must show, by the factor that 60 min after injection make of an SUV (phantoms.md section 5)
@pytest.mark.parametrize(
    ("phantom", "broken", "ratio"),
    [
        ("tiny", without_decay, 0.685),
        ("two_tracer_pentixafor", of_half_life(6586.2), None),
        ("tiny", one_hour_later, 1.46),
        ("midnight", one_hour_later, 1.46),
    ],
)
def test_a_broken_conversion_fails(phantom, broken, ratio, monkeypatch):
    monkeypatch.setattr("petquant.suv.route.start_factor", broken)
    checks = failed(run_trial(of(phantom)))
    factor = next(check for check in checks if check.quantity == "factor")
    assert {"suv_max", "suv_mean", "suv_peak", "tlg_g"} <= {check.quantity for check in checks}
    if ratio is not None:
        assert factor.found / factor.expected == pytest.approx(ratio, abs=5e-3)
    else:  # 18F half-life on 68Ga: 2^(-dt (1/4062.6 - 1/6586.2))
        dt = catalogue.load(phantom).header.decay_interval_s
        assert factor.found / factor.expected == pytest.approx(2.0 ** (-dt * (1 / 4062.6 - 1 / 6586.2)))


def test_another_tool_is_judged_by_what_it_gives(petquant, tmp_path):
    truth = truth_record(catalogue.load("tiny"))
    path = tmp_path / "results.csv"

    def write(factor: float) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, ["phantom", "region", "suv_max", "suv_mean", "mtv_ml", "outcome"])
            rows.writeheader()
            for entry in truth["regions"]:
                numbers = {name: entry["expected"][name]["value"] for name in ("suv_mean", "mtv_ml")}
                largest = entry["expected"]["suv_max"]["value"] * factor
                rows.writerow({"phantom": "tiny", "region": entry["name"], "suv_max": largest, **numbers})
            rows.writerow({"phantom": "missing_slice", "region": "", "outcome": "refused"})

    write(1.0)
    result = petquant("validate", "--against", path, "--json")
    assert result.code == 0, result.err
    write(1.001)
    result = petquant("validate", "--against", path, "--json")
    assert result.code == 1
    assert {one["quantity"] for one in result.json["failures"]} == {"suv_max"}


def test_another_tool_that_computes_what_must_be_refused_fails(petquant, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("phantom,region,suv_max\nmissing_slice,hot,4.0\n", encoding="utf-8")
    result = petquant("validate", "--against", path, "--json")
    assert result.code == 1
    assert result.json["failures"][0]["quantity"] == "exit_code"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a,b\n1,2\n", 3),
        ("phantom,region,suv_max\ntiny,hot,many\n", 3),
        ("phantom,region,colour\ntiny,hot,red\n", 3),
        ("phantom,region,suv_max\nno_such_phantom,hot,1.0\n", 2),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error(text, code, petquant, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(text, encoding="utf-8")
    result = petquant("validate", "--against", path)
    assert result.code == code
    assert str(path) in result.err


def test_an_unknown_phantom_is_a_mistake(petquant):
    result = petquant("validate", "--only", "nonsense")
    assert result.code == 2
    assert "two_tracer_fdg" in result.err


def test_the_page_is_made_from_the_run(petquant, tmp_path):
    page = tmp_path / "validation.md"
    result = petquant("validate", "--only", "one_voxel", "--workers", "1", "--out", page)
    assert result.code == 0
    text = page.read_text(encoding="utf-8")
    assert "| one_voxel |" in text
    assert "0 failed" in text


def test_a_number_that_is_not_given_or_not_finite_is_no_pass():
    def check(found):
        return Check(
            phantom="p", variant="", region="r", quantity="suv_max", expected=1.0, found=found, abs_tol=0.1
        )

    assert check(1.1 - 1e-12).is_passed
    assert not check(1.2).is_passed
    assert not check(None).is_passed
    assert not check(float("nan")).is_passed
    assert not check(float("inf")).is_passed


def test_a_region_that_is_missing_fails():
    truth = truth_record(catalogue.load("tiny"))
    assert {check.quantity for check in failed(judge(truth, Measured()))} >= {"region"}
