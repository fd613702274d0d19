"""What is odd across a cohort is seen from facts of its studies; every study alone is right."""

from __future__ import annotations

import math

import pytest

from petquant.batch.cohort import COLUMNS, StudyFacts, cohort_warnings, facts_of_record, robust_z
from petquant.flags import CODES

ALIKE = {
    "tracer": "[18F]FDG",
    "manufacturer": "SIEMENS",
    "model": "1094",
    "reconstruction": "PSF+TOF 3i21s",
    "voxel_mm": "4.07 x 4.07 x 3.00",
    "uptake_time_min": 60.0,
}


def cohort(*changes, n=8):
    """Studies that differ in what scans differ in, and in what is said of some."""
    facts = [
        {
            **ALIKE,
            "study": f"s{i}",
            "patient": f"p{i}",
            "series_uid": f"1.{i}",
            "digest": f"d{i}",
            "injected_mbq": 300.0 + 5 * i,
            "weight_kg": 70.0 + 2 * i,
            "factor": 2.5e-4 * (1 + 0.02 * i),
        }
        for i in range(n)
    ]
    for place, change in changes:
        facts[place] |= change
    return [StudyFacts(**one) for one in facts]


def found(*changes, n=8):
    return [(one.code, one.studies) for one in cohort_warnings(cohort(*changes, n=n))]


def test_a_cohort_that_was_scanned_alike_has_nothing_odd():
    assert found() == []


def test_the_robust_z_is_that_of_iglewicz_and_hoaglin():
    # median 3, departures 2 1 0 1 97, their median 1: z of 100 is 97 / 1.4826
    assert robust_z([1, 2, 3, 4, 100])[-1] == pytest.approx(97 / 1.4826)
    # no spread of most: mean departure 8 / 5, z = 8 / (1.2533 * 1.6)
    assert robust_z([2, 2, 2, 2, 10])[-1] == pytest.approx(8 / (math.sqrt(math.pi / 2) * 1.6))
    assert robust_z([5, 5, 5]) == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "1093"}, "COHORT_SCANNER_MIXED"),
        ({"reconstruction": "OSEM"}, "COHORT_RECONSTRUCTION_MIXED"),
        ({"reconstruction": ""}, "COHORT_RECONSTRUCTION_MIXED"),
        ({"voxel_mm": "2.00 x 2.00 x 2.00"}, "COHORT_VOXELS_MIXED"),
        ({"uptake_time_min": 90.0}, "COHORT_UPTAKE_OUTSIDE_PROTOCOL"),
        ({"injected_mbq": 30.0}, "COHORT_OUTLIER"),
        ({"weight_kg": 7.0}, "COHORT_OUTLIER"),
        ({"factor": 5e-4}, "COHORT_OUTLIER"),
    ],
)
def test_one_study_that_is_not_like_the_others_is_named(change, code):
    assert found((3, change)) == [(code, ("s3",))]
    assert code in CODES


def test_studies_of_another_tracer_are_another_cohort():
    other = {"tracer": "[68Ga]Pentixafor", "model": "1093", "injected_mbq": 120.0, "uptake_time_min": 45.0}
    assert found((2, other)) == []


def test_uptake_times_are_held_to_the_window_of_their_tracer():
    # FDG 55 to 75 min, Pentixafor 30 to 60 min
    early = {"tracer": "[68Ga]Pentixafor", "uptake_time_min": 20.0, "injected_mbq": 120.0}
    (warning,) = cohort_warnings(cohort((2, early)))
    assert (warning.code, warning.tracer) == ("COHORT_UPTAKE_OUTSIDE_PROTOCOL", "[68Ga]Pentixafor")
    assert "30 to 60 min" in warning.expected


def test_one_scan_under_two_names_is_a_duplicate_and_said_once():
    twin = {"digest": "d1", "series_uid": "1.1", "patient": "p1"}
    assert found((5, twin)) == [("COHORT_DUPLICATE", ("s1", "s5"))]
    assert found((5, {"series_uid": "1.1"})) == [("COHORT_DUPLICATE", ("s1", "s5"))]


def test_a_patient_with_two_scans_of_one_tracer_is_named():
    assert found((5, {"patient": "p1"})) == [("COHORT_PATIENT_REPEATED", ("s1", "s5"))]


def test_four_studies_are_too_few_for_an_outlier():
    assert found((3, {"injected_mbq": 30.0}), n=4) == []


def test_small_departures_of_equal_doses_are_no_outliers():
    equal = [(i, {"injected_mbq": 300.0}) for i in range(8)]
    assert found(*equal, (3, {"injected_mbq": 330.0})) == []


def test_warnings_have_the_columns_of_their_table_and_a_line():
    (warning,) = cohort_warnings(cohort((3, {"model": "1093"})))
    assert tuple(warning.row()) == COLUMNS
    assert warning.row()["n_studies"] == 1
    assert warning.line().startswith(
        "[18F]FDG: 2 scanners: SIEMENS 1094 (7), SIEMENS 1093 (1) (s3); expected"
    )


def test_facts_are_those_of_a_record():
    record = {
        "study": {"key": "abc", "study_uid": "1.2"},
        "series": {
            "series_uid": "1.2.3",
            "manufacturer": "GE",
            "model": None,
            "reconstruction": "OSEM",
            "spacing_mm_kji": [3.27, 4.6875, 4.6875],
        },
        "inputs": {"instances_sha256": "d"},
        "conversion": {
            "tracer": None,
            "nuclide": "18F",
            "units": "BQML",
            "factors": {"bw": [1.0, 3.0, 2.0]},
            "injected_activity_bq": 3e8,
            "weight_kg": 70.0,
            "uptake_time_min": None,
        },
    }
    facts = facts_of_record("one", record)
    assert facts.voxel_mm == "4.69 x 4.69 x 3.27"
    assert (facts.tracer, facts.factor, facts.injected_mbq) == ("18F", 2.0, 300.0)
    record["conversion"] |= {"units": "GML"}
    assert facts_of_record("one", record).factor is None
