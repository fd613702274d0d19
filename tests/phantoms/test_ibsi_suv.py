"""The cases of the IBSI SUV survey hold what their list says."""

import numpy as np
import pydicom
import pytest
from petquant_phantoms import ibsi_suv, suv_field, write_study


def test_every_classic_case_is_there_once():
    valid = [case.id for case in ibsi_suv.CASES if case.expected == "ok"]
    refused = [case.id for case in ibsi_suv.CASES if case.expected != "ok"]
    assert len(set(valid)) == len(valid) == 43 - 5  # five are Enhanced PET
    assert len(set(refused)) == len(refused) == 15
    assert all(number.startswith("error_") for number in refused)


@pytest.mark.parametrize("case", ibsi_suv.CASES, ids=lambda case: case.id)
def test_every_object_can_reach_two_decimals(case, tmp_path):
    study = write_study(case.definition, tmp_path)
    expected = study.expected("object")
    assert expected["suv_min"]["value"] == pytest.approx(0.20, abs=1e-12)
    assert expected["suv_median"]["value"] == pytest.approx(1.00, abs=1e-12)
    assert expected["suv_max"]["value"] == pytest.approx(4.00, abs=1e-12)
    assert expected["suv_max"]["abs_tol"] <= 0.5e-3 + 6e-8 * 4.0  # one stored unit is at most 1e-3 SUV


def test_outside_of_the_object_is_empty():
    definition = ibsi_suv.CASES[0].definition
    suv = suv_field(definition.body, definition.grid, fwhm_mm=0.0)
    assert np.unique(suv.round(12)).tolist() == [0.0, 0.2, 1.0, 4.0]


def test_reprocessed_series_carry_the_published_times(tmp_path):
    cases = {case.id: case for case in ibsi_suv.CASES}
    times = {}
    for number in ("3_2_1", "3_2_3"):
        study = write_study(cases[number].definition, tmp_path / number)
        datasets = [pydicom.dcmread(path) for path in sorted(study.pet.iterdir())]
        times[number] = [
            (ds.SeriesTime, ds.AcquisitionTime, float(ds.FrameReferenceTime))
            for ds in (datasets[0], datasets[-1])
        ]
    assert times["3_2_1"] == [
        ("113000", "110230", 150000.0),
        ("113000", "110500", 300000.0),
    ]  # GE: frame start
    assert times["3_2_3"] == [("113000", "110230", 450000.0), ("113000", "110500", 600000.0)]
