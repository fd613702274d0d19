"""A clinical table: what it says is read, what it cannot mean names line and column, no name is repeated."""

from __future__ import annotations

from math import inf

import pytest

from petquant.errors import UnreadableInput
from petquant.reads.clinical import read_clinical
from petquant.reads.facts import ClinicalFacts

TABLE = """\ufeffpatient,session,hscore,glucose_mg_dl,egfr,pregnant,breastfeeding,\
last_therapy_days,measurable_disease,fasting_h
P1,1,120,95,88,no,no,never,yes,6
P1,2,,,,NA,unknown,14,no,

"P2, twin",,300,200.1,29.9,YES,0,30,TRUE,4.5
"""


def test_the_columns_that_rules_ask_for_are_read():
    found = read_clinical(TABLE)
    assert found.ignored == ("hscore",)
    assert found.of("P1", "1") == ClinicalFacts(
        glucose_mg_dl=95.0,
        fasting_h=6.0,
        egfr=88.0,
        is_pregnant=False,
        is_breastfeeding=False,
        therapy_free_days=inf,
        has_measurable_disease=True,
    )
    assert found.of("P1", "2") == ClinicalFacts(therapy_free_days=14.0, has_measurable_disease=False)
    assert found.of("P2, twin", "1").is_pregnant is True  # a row without a session is of every session
    assert found.of("P3") == ClinicalFacts()


def test_glucose_in_mmol_per_litre_is_converted():
    found = read_clinical("patient,glucose_mmol_l\nP1,11.1\nP2,11.2\n")
    assert found.of("P1").glucose_mg_dl == pytest.approx(11.1 * 18.016)  # 199.98: passes 200
    assert found.of("P2").glucose_mg_dl == pytest.approx(201.78, abs=0.005)


def test_both_glucose_columns_must_agree():
    text = "patient,glucose_mg_dl,glucose_mmol_l\nP1,100,5.55\n"
    assert read_clinical(text).of("P1").glucose_mg_dl == 100.0
    with pytest.raises(UnreadableInput, match="line 2, column glucose_mmol_l: contradicts"):
        read_clinical(text.replace("5.55", "6.5"))


def test_a_glucose_in_the_wrong_unit_is_no_pass():
    with pytest.raises(UnreadableInput, match=r"line 2, column glucose_mg_dl.*glucose_mmol_l"):
        read_clinical("patient,glucose_mg_dl\nP1,12.5\n")  # 12.5 mmol/L would be 225 mg/dL


def test_all_bad_cells_are_named_at_once_and_their_text_is_not_repeated():
    text = 'patient,egfr,pregnant\nP1,Erika Muster,no\nP2,88,maybe\n"P\n4",nan,no\n,1,no\nP1,1,no\nP5,1\n'
    with pytest.raises(UnreadableInput) as caught:
        read_clinical(text, where="clinic/clinical.csv")
    message = str(caught.value)
    for place in (
        "line 2, column egfr",
        "line 3, column pregnant",
        "line 5, column egfr",
        "line 6, column patient: empty",
        "line 7: patient and session of an earlier line",
        "line 8: 2 cells",
    ):
        assert place in message
    assert len(caught.value.findings) == 6
    assert {finding.code for finding in caught.value.findings} == {"SIDECAR_INVALID"}
    assert "clinic/clinical.csv" in message
    assert "Erika" not in message


@pytest.mark.parametrize(
    "text",
    ["", "name,egfr\nP1,88\n", "patient;egfr\nP1;88\n", 'patient\n"P1\n', "patient,egfr,egfr\nP1,8,8\n"],
)
def test_what_is_no_clinical_table_is_refused(text):
    with pytest.raises(UnreadableInput):
        read_clinical(text)
