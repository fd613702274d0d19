"""Protocols: every rule passes, fails or is unknown, at its very boundary; a misspelt file is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import inf, nan

import pytest

from petquant.errors import UnreadableInput, UsageError
from petquant.flags import CODES
from petquant.reads.adherence import adherence, protocol_findings, uptake_times
from petquant.reads.facts import ClinicalFacts, ScanFacts, years_of
from petquant.reads.protocol import protocol_at, protocol_from, protocol_of, protocols

TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)
PENTIXAFOR = ScanFacts(
    tracer="[68Ga]Pentixafor",
    activity_mbq=140.0,
    uptake_time_min=45.0,
    ct_at=TEN,
    pet_at=TEN + timedelta(minutes=2),
    z_mm=(-900.0, 50.0),
    reconstruction="3D OSEM 2i21s",
    patient_age_years=53.0,
)
FDG = replace(PENTIXAFOR, tracer="[18F]FDG", uptake_time_min=60.0)
CLINIC = ClinicalFacts(
    glucose_mg_dl=95.0,
    egfr=80.0,
    is_pregnant=False,
    is_breastfeeding=False,
    therapy_free_days=60.0,
    has_measurable_disease=True,
)
MZL = protocol_of("mzl")


def verdict(rule, scan=PENTIXAFOR, clinic=CLINIC, *, protocol=MZL):
    found = {check.rule: check for check in adherence(protocol, scan, clinic)}
    return str(found[rule].verdict)


def scanned(**facts):
    return replace(PENTIXAFOR, **facts)


def known(**facts):
    return replace(CLINIC, **facts)


def test_the_presets_carry_their_trial_as_provenance():
    trials = {"mzl": "NCT06125028", "cnsl": "NCT05222269", "mm": "NCT04561492", "pa": "NCT06246357"}
    for name, trial in (trials | {"solid": "NCT05093335"}).items():
        assert protocol_of(name).provenance == (trial,)
        assert protocol_of(name).is_verified is False  # its figures come from a synthesis of trials


def test_a_good_scan_passes_every_rule():
    for scan in (PENTIXAFOR, FDG):
        assert {check.rule: str(check.verdict) for check in adherence(MZL, scan, CLINIC)} == dict.fromkeys(
            [check.rule for check in adherence(MZL, scan, CLINIC)], "PASS"
        )


def test_nothing_known_is_nothing_passed():
    for tracer in ("[68Ga]Pentixafor", "[18F]FDG"):
        checks = adherence(MZL, ScanFacts(tracer=tracer))
        assert {str(check.verdict) for check in checks if check.rule != "tracer"} == {"UNKNOWN"}
    assert {str(check.verdict) for check in adherence(MZL, ScanFacts())} == {"UNKNOWN"}


LATER, EARLIER = TEN + timedelta(hours=1), TEN - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("rule", "fact", "passes", "fails", "unknown"),
    [
        ("activity", "activity_mbq", 74.0, 73.9, None),
        ("activity", "activity_mbq", 200.0, 200.1, nan),
        ("uptake_window", "uptake_time_min", 30.0, 29.0, None),
        ("uptake_window", "uptake_time_min", 60.0, 61.0, nan),
        ("ct_before_pet", "ct_at", TEN, LATER, None),
        ("ct_before_pet", "pet_at", TEN, EARLIER, None),
        ("coverage", "z_mm", (0.0, 800.0), (0.0, 799.0), None),
        ("coverage", "z_mm", (-100.0, 700.0), (-100.0, 699.0), (nan, nan)),
        ("reconstruction", "reconstruction", "osem3d", "FBP", ""),
        ("reconstruction", "reconstruction", "TOF-OSEM", "3D-RAMLA", "VPFX"),
        ("age", "patient_age_years", 18.0, 17.9, None),
        ("tracer", "tracer", "[18F]FDG", "[18F]FLT", None),
    ],
)
def test_a_rule_of_the_scan(rule, fact, passes, fails, unknown):
    found = [verdict(rule, scanned(**{fact: value})) for value in (passes, fails, unknown)]
    assert found == ["PASS", "FAIL", "UNKNOWN"]


def test_the_window_of_fdg_is_its_own():
    found = [verdict("uptake_window", replace(FDG, uptake_time_min=x)) for x in (55.0, 75.0, 54.9, 75.1)]
    assert found == ["PASS", "PASS", "FAIL", "FAIL"]


def test_located_landmarks_decide_on_coverage_instead_of_the_extent():
    def of(z_mm, landmarks_z_mm):
        return verdict("coverage", scanned(z_mm=z_mm, landmarks_z_mm=landmarks_z_mm))

    assert of((0.0, 700.0), (0.0, 700.0)) == "PASS"
    assert of((0.0, 900.0), (-1.0, 700.0)) == "FAIL"
    assert of((0.0, 900.0), (100.0, 901.0)) == "FAIL"
    assert of(None, (0.0, 700.0)) == "UNKNOWN"


@pytest.mark.parametrize(
    ("rule", "fact", "passes", "fails", "unknown"),
    [
        ("egfr", "egfr", 30.0, 29.9, None),
        ("pregnancy", "is_pregnant", False, True, None),
        ("pregnancy", "is_breastfeeding", False, True, None),
        ("therapy", "therapy_free_days", 30.0, 29.0, None),
        ("therapy", "therapy_free_days", inf, 0.0, nan),
        ("measurable_disease", "has_measurable_disease", True, False, None),
    ],
)
def test_a_rule_of_the_patient(rule, fact, passes, fails, unknown):
    found = [verdict(rule, clinic=known(**{fact: value})) for value in (passes, fails, unknown)]
    assert found == ["PASS", "FAIL", "UNKNOWN"]


def test_one_ground_for_exclusion_is_enough_where_the_other_is_not_known():
    assert verdict("pregnancy", clinic=known(is_pregnant=None, is_breastfeeding=True)) == "FAIL"


def test_glucose_is_for_fdg_alone():
    for value, want in ((200.0, "PASS"), (200.1, "FAIL"), (None, "UNKNOWN")):
        assert verdict("glucose", FDG, known(glucose_mg_dl=value)) == want
    assert "glucose" not in {check.rule for check in adherence(MZL, PENTIXAFOR, CLINIC)}
    assert "egfr" not in {check.rule for check in adherence(MZL, FDG, CLINIC)}


def test_fasting_is_a_rule_where_the_protocol_has_one():
    text = (
        'name="own"\ntitle="own"\nversion="1"\nextends="mzl"\nprovenance=[]\n'
        '[tracers."[18F]FDG"]\nfasting_min_h = 4.0\nuptake_window_min = [50.0, 70.0]\n'
    )
    own = protocol_from(text)
    for hours, want in ((4.0, "PASS"), (3.9, "FAIL"), (None, "UNKNOWN")):
        assert verdict("fasting", FDG, known(fasting_h=hours), protocol=own) == want
    assert "fasting" not in {check.rule for check in adherence(MZL, FDG, CLINIC)}
    assert own.tracers["[18F]FDG"].uptake_window_min == (50.0, 70.0)
    assert own.tracers["[18F]FDG"].glucose_max_mg_dl == 200.0  # taken over
    assert own.provenance == ()


def test_the_activity_says_whether_it_met_the_target():
    found = {check.rule: check for check in adherence(MZL, scanned(activity_mbq=160.0), CLINIC)}["activity"]
    assert (str(found.verdict), found.found, found.why) == ("PASS", "160 MBq", "outside the target")
    assert found.expected == "74 to 200 MBq (target 124 to 150)"


@pytest.mark.parametrize(
    ("born", "want"),
    [
        (date(2007, 3, 1), "PASS"),
        (date(2007, 3, 2), "FAIL"),
        (None, "UNKNOWN"),
    ],  # 18 on the day, and the day after
)
def test_without_patient_age_the_birth_date_counts_and_is_not_printed(born, want):
    scan = scanned(patient_age_years=None, birth_date=born, study_date=date(2025, 3, 1))
    found = {check.rule: check for check in adherence(MZL, scan, CLINIC)}["age"]
    assert str(found.verdict) == want
    assert "2007" not in f"{found}"


def test_an_age_string_is_read_in_its_unit():
    assert years_of("053Y") == 53.0
    assert years_of("018M") == 1.5
    assert years_of("052W") == pytest.approx(52 * 7 / 365.25)
    assert years_of("003D") == pytest.approx(3 / 365.25)
    assert [years_of(text) for text in ("53", "53Y", "", "abcY")] == [None] * 4


def test_a_time_point_without_a_window_is_unknown():
    pa = protocol_of("pa")
    early = scanned(uptake_time_min=10.0, time_point_min=10.0)
    assert verdict("uptake_window", early, protocol=pa) == "UNKNOWN"
    assert verdict("uptake_window", scanned(uptake_time_min=40.0, time_point_min=40.0), protocol=pa) == "PASS"
    assert verdict("uptake_window", scanned(uptake_time_min=10.0), protocol=pa) == "FAIL"
    assert "measurable_disease" not in {check.rule for check in adherence(pa, early, CLINIC)}


def test_uptake_times_of_one_tracer_lie_close_and_of_two_in_their_windows():
    def of(a, b):
        return str(uptake_times(MZL, a, b).verdict)

    assert of(FDG, replace(FDG, uptake_time_min=74.9)) == "PASS"
    assert of(FDG, replace(FDG, uptake_time_min=75.0)) == "FAIL"  # less than 15 min: 15 is not less
    assert of(FDG, replace(FDG, uptake_time_min=None)) == "UNKNOWN"
    assert of(PENTIXAFOR, FDG) == "PASS"
    assert of(scanned(uptake_time_min=61.0), FDG) == "FAIL"
    assert of(PENTIXAFOR, replace(FDG, tracer="[18F]FLT")) == "UNKNOWN"


def test_a_failing_rule_flags_and_an_unknown_one_does_not():
    checks = adherence(MZL, scanned(activity_mbq=73.9, reconstruction=""), CLINIC)
    found = protocol_findings(checks, where="series 1")
    assert [(one.code, one.found) for one in found] == [("PROTOCOL_NOT_MET", "activity: 73.9 MBq")]
    assert CODES["PROTOCOL_NOT_MET"].severity == "flag"


def test_a_ct_of_another_day_is_no_ct_of_the_session():
    a_day_before = scanned(ct_at=TEN - timedelta(days=1))
    assert verdict("ct_before_pet", a_day_before) == "UNKNOWN"


def test_mixed_clocks_are_unknown():
    assert verdict("ct_before_pet", scanned(ct_at=TEN.replace(tzinfo=None))) == "UNKNOWN"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("activty_target = 3", "activty_target"),
        ('coverage_min_mm = "far"', "coverage_min_mm"),
        ("coverage_min_mm = nan", "coverage_min_mm"),
        ("age_min_years = true", "age_min_years"),
        ("ct_before_pet = 1", "ct_before_pet"),
        ('extends = "other"', "extends"),
        ('[tracers."[18F]FDG"]\nuptake_window_min = [75, 55]', "uptake_window_min"),
        ('[tracers."[18F]FDG"]\nglucose_max = 1', "glucose_max"),
        ('[tracers."[18F]FDG"]\npositivity = ">spleen"', "positivity"),
        ('[tracers.FDG]\npositivity = ">liver"', "FDG"),
        ("= 3", "line 5"),
        pytest.param(f"coverage_min_mm = {'9' * 400}", "coverage_min_mm", id="beyond any double"),
        pytest.param(f"time_points_min = [{'9' * 400}]", "time_points_min", id="beyond any double in a list"),
        pytest.param(f"coverage_min_mm = {'9' * 5000}", "digits", id="too many digits"),
    ],
)
def test_a_misspelt_protocol_is_refused_with_its_key(line, key):
    extends = "" if "extends" in line else 'extends = "mzl"\n'
    with pytest.raises(UnreadableInput) as caught:
        protocol_from(f'name = "x"\ntitle = "x"\nversion = "1"\n{extends}{line}\n', where="own.toml")
    finding = caught.value.findings[0]
    assert finding.code == "SIDECAR_INVALID"
    assert key in finding.sentence()
    assert "own.toml" in finding.sentence()


@pytest.mark.parametrize("value", ["inf", "true"])
def test_what_is_no_number_is_one_mistake_and_not_also_one_of_the_unit(value):
    with pytest.raises(UnreadableInput) as caught:
        protocol_from(f'extends = "mzl"\ncoverage_min_mm = {value}\n')
    assert len(caught.value.findings) == 1


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(UsageError) as caught:
        protocol_of("trial")
    assert "mzl" in str(caught.value)
    assert set(protocols()) == {"cnsl", "mm", "mzl", "pa", "pentixafor", "solid"}


OWN = """
name = "own"  # not mzl
title = "a protocol of one department"
version = "2"
extends = "mzl"
coverage_min_mm = 1000.0

[tracers."[68Ga]Pentixafor"]
activity_accepted_mbq = [100.0, 160.0]
uptake_window_min = [50.0, 70.0]
"""


def test_a_file_says_what_differs_from_the_preset_that_it_extends(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    own = protocol_at(path)
    assert (own.name, own.version, own.coverage_min_mm) == ("own", "2", 1000.0)
    pentixafor = own.tracers["[68Ga]Pentixafor"]
    assert pentixafor.activity_accepted_mbq == (100.0, 160.0)
    assert (pentixafor.uptake_window_min, pentixafor.window_source) == ((50.0, 70.0), "own.toml")
    assert pentixafor.egfr_min == MZL.tracers["[68Ga]Pentixafor"].egfr_min
    found = {one.rule: str(one.verdict) for one in adherence(own, scanned(activity_mbq=90.0), CLINIC)}
    assert (found["activity"], found["uptake_window"]) == ("FAIL", "FAIL")  # 90 MBq, and 45 min


def test_every_key_that_is_wrong_is_named_with_its_line(tmp_path):
    path = tmp_path / "own.toml"
    text = OWN.replace("1000.0", '"1 m"').replace("[100.0, 160.0]", "[1e8, 1.6e8]")
    text += 'glucose_max_mg_dl = 11.1\negfr = 30\n\n[tracers.FDG]\npositivity = ">liver"\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableInput) as caught:
        protocol_at(path)
    # line 1 is empty
    pentixafor = "tracers.[68Ga]Pentixafor"
    assert {one.found.removeprefix("key ") for one in caught.value.findings} == {
        "coverage_min_mm in line 6 is another kind of value (str)",
        f"{pentixafor}.activity_accepted_mbq in line 9 is 1e+08, no value in MBq",
        f"{pentixafor}.glucose_max_mg_dl in line 11 is 11.1, no value in mg/dL",
        f"{pentixafor}.egfr in line 12 is no known key",
        "tracers.FDG in line 14 is no tracer",
    }
    assert {one.code for one in caught.value.findings} == {"SIDECAR_INVALID"}
    assert {one.path for one in caught.value.findings} == {str(path)}


def test_a_file_that_is_not_there_or_no_text_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        protocol_at(tmp_path / "gone.toml")
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableInput, match="FILE_UNREADABLE"):
        protocol_at(path)
