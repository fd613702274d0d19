"""``petquant nema``: arguments in; exit code, table, CSV and JSON out."""

import csv
import io
import json

import pytest
from petquant_phantoms import catalogue


@pytest.fixture(scope="module")
def fails(tmp_path_factory):
    return catalogue.build("nema_fail", tmp_path_factory.mktemp("nema")).dicom


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    return catalogue.build("nema_cold_lung", tmp_path_factory.mktemp("nema")).dicom


@pytest.fixture(scope="module")
def cylinder(tmp_path_factory):
    return catalogue.build("uniform_cylinder", tmp_path_factory.mktemp("nema")).dicom


def test_without_a_standard_nothing_is_judged_and_the_exit_code_is_0(petquant_within, fails):
    result = petquant_within("nema", fails)
    assert result.code == 0
    rows = list(csv.DictReader(io.StringIO(result.out.decode())))
    assert [float(row["diameter_mm"]) for row in rows] == [37.0, 28.0, 22.0, 17.0, 13.0, 10.0]
    assert "rc_a50_low" not in rows[0]


@pytest.mark.parametrize("standard", ["earl1", "earl2"])
def test_a_scan_outside_the_limits_leaves_with_1_and_says_the_verdict(standard, petquant_within, fails):
    result = petquant_within("nema", fails, "--standard", standard, "--format", "json")
    assert result.code == 1
    assert "petquant: note: NEMA_VERDICT: " in result.err
    assert ("NOT VERIFIED" in result.err) == (standard == "earl2")
    record = json.loads(result.out)
    assert record["standard"] == standard
    verdicts = {verdict["standard"]: verdict for verdict in record["verdicts"]}
    assert [verdicts[name]["is_verified"] for name in ("earl1", "earl2")] == [True, False]
    assert not verdicts[standard]["is_passed"]
    assert record["conversion"]["suv_type"] == "bw"


def test_a_scan_within_the_limits_leaves_with_0(petquant_within, tmp_path_factory):
    passes = catalogue.build("nema_earl1", tmp_path_factory.mktemp("nema")).dicom
    result = petquant_within("nema", passes, "--standard", "earl1", "--format", "table")
    assert result.code == 0
    assert "EARL standard 1: passes, 12 of 12" in result.out.decode()
    assert "accredited" not in result.out.decode() + result.err


def test_cold_spheres_are_measured_but_not_judged(petquant_within, cold):
    shown = petquant_within("nema", cold, "--ratio", "4", "--format", "table")
    assert shown.code == 0
    assert "Lung residual: 0.0 %" in shown.out.decode()
    judged = petquant_within("nema", cold, "--ratio", "4", "--standard", "earl1")
    assert judged.code == 4
    assert judged.err.startswith("petquant: NEMA_NOT_JUDGED: a sphere is cold")
    assert judged.out == b""


def test_another_object_leaves_with_4(petquant_within, cylinder):
    result = petquant_within("nema", cylinder)
    assert result.code == 4
    assert result.err.startswith("petquant: NEMA_PHANTOM_NOT_FOUND: the object is 160 mm wide")


def test_a_uniform_cylinder_is_held_to_its_tolerance(petquant_within, cylinder, tmp_path):
    out = tmp_path / "uniform.json"
    passed = petquant_within("nema", "--uniform", cylinder, "--tolerance-percent", "10", "--out", out)
    assert passed.code == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["is_passed"] is True
    assert record["suv_mean"] == pytest.approx(1.0, abs=1e-4)
    failed = petquant_within(
        "nema", "--uniform", cylinder, "--true-suv", "1.2", "--tolerance-percent", "10", "--format", "table"
    )
    assert failed.code == 1
    assert "bias -16.67 %" in failed.out.decode()  # 1 / 1.2 - 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--standard", "earl3"], "--standard earl3; expected earl1 or earl2"),
        (["--ratio", "0.5"], "--ratio 0.5; expected more than 1"),
        (["--tolerance-percent", "5"], "--tolerance-percent without --uniform"),
        (["--uniform", "--standard", "earl1"], "--standard with --uniform"),
        (["--sphere-kbqml", "48.5"], "a filling without --background-kbqml, --fill-time"),
        (["--sphere-kbqml", "9", "--background-kbqml", "1", "--fill-time", "noon"], "--fill-time noon"),
        (["--suv", "lbm"], "No such option: --suv"),
        (["--out", "result.txt"], "--out result.txt"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(arguments, words, petquant_within, cylinder):
    result = petquant_within("nema", cylinder, *arguments)
    assert result.code == 2
    assert words in result.err
