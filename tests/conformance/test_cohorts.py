"""petquant measures in the scans of a cohort what is in them, under every variant, or refuses as it must."""

from __future__ import annotations

import csv

import pytest
from petquant_phantoms import cohorts
from petquant_phantoms.cohort_variants import VARIANTS

from petquant.errors import Refused
from petquant.quantify import Background, quantify

MEASURED = [name for name in VARIANTS if name != "beds_not_aligned"]


def scans(built):
    """Yield the truth of each scan's lesions, its folder of a study, and its backgrounds."""
    (patient,) = built.truth["patients"]
    for row in csv.DictReader(built.manifest.read_text(encoding="utf-8").splitlines()):
        backgrounds = []
        for word in row["backgrounds"].split(";"):
            name, _, place = word.partition("=")
            file, _, label = place.rpartition(":")
            backgrounds.append(Background(name=name, path=str(built.root / file), label=int(label)))
        lesions = [(entry["lesion"], entry[row["tracer"]]) for entry in patient["lesions"]]
        yield lesions, built.root / row["study"], backgrounds


def assert_truth(built):
    for lesions, study, backgrounds in scans(built):
        sites = study.parent / "rois" / "sites.nii.gz"
        found = {
            row.roi_id: row.values for row in quantify(study, [sites], backgrounds=backgrounds).measurements
        }
        assert len(found) == len(lesions)
        for number, entry in lesions:
            for column, truth in entry["expected"].items():
                value = found[str(number)][column]
                assert abs(value - truth["value"]) <= truth["abs_tol"], (number, column, value, truth)


@pytest.mark.parametrize(("name", "patient"), [("cohort_a", "A09"), ("cohort_b", "B04"), ("cohort_d", "D09")])
def test_a_patient_of_a_cohort_gives_the_truth(name, patient, tmp_path):
    assert_truth(cohorts.build(name, tmp_path, patients=[patient]))


@pytest.mark.parametrize("variant", MEASURED)
def test_a_patient_gives_the_truth_under_every_variant(variant, tmp_path):
    assert_truth(cohorts.build("cohort_d", tmp_path, variants=[variant], patients=["D00"]))


def test_two_beds_without_decay_correction_and_without_suv_give_the_ratios(tmp_path):
    built = cohorts.build(
        "cohort_d", tmp_path, variants=["two_beds", "no_suv"], patients=["D00"], decay="NONE"
    )
    assert_truth(built)


def test_beds_that_cannot_be_aligned_are_refused_with_the_codes_of_the_truth(tmp_path):
    built = cohorts.build("cohort_d", tmp_path, variants=["beds_not_aligned"], patients=["D00"])
    for _, study, backgrounds in scans(built):
        with pytest.raises(Refused) as refused:
            quantify(study, [study.parent / "rois" / "sites.nii.gz"], backgrounds=backgrounds)
        codes = {finding.code for finding in refused.value.findings}
        assert {built.truth["suv"]["error_code"], built.truth["tbr"]["error_code"]} <= codes
