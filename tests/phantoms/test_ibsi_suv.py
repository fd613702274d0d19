"""The cases of the IBSI SUV survey hold what their list says."""

import numpy as np
import pydicom
import pytest
from petquant_phantoms import ibsi_suv, suv_field, write_study


def test_every_case_is_there_once():
    valid = [case.id for case in ibsi_suv.CASES if case.expected == "ok"]
    refused = [case.id for case in ibsi_suv.CASES if case.expected != "ok"]
    assert len(set(valid)) == len(valid) == 43
    assert len(set(refused)) == len(refused) == 15
    assert all(number.startswith("error_") for number in refused)


def test_enhanced_cases_stand_in_both_units_of_dose(tmp_path):
    doses = {}
    for case in (*ibsi_suv.CASES, *ibsi_suv.AS_PUBLISHED):
        if case.definition.object == "enhanced":
            study = write_study(case.definition, tmp_path / case.id)
            (item,) = pydicom.dcmread(study.pet / "IM0001.dcm").RadiopharmaceuticalInformationSequence
            doses[case.id] = float(item.RadionuclideTotalDose)
    numbers = ("7_0_0", "7_1_0", "7_2_0", "7_3_0", "7_3_1")
    assert doses == dict.fromkeys(numbers, 368.08) | dict.fromkeys((f"{n}_bq" for n in numbers), 368080000.0)


def test_the_late_and_the_undecayed_enhanced_case_carry_their_times(tmp_path):
    late, undecayed = (
        pydicom.dcmread(write_study(ibsi_suv.case(n).definition, tmp_path / n).pet / "IM0001.dcm")
        for n in ("7_3_0", "7_3_1")
    )
    assert (late.SeriesTime, late.DecayCorrectionDateTime) == ("113000", "20250101110000")
    assert (late.DecayCorrected, undecayed.DecayCorrected) == ("YES", "NO")
    assert "DecayCorrectionDateTime" not in undecayed
    references = {
        group.FrameContentSequence[0].FrameReferenceDateTime
        for group in undecayed.PerFrameFunctionalGroupsSequence
    }
    # T_ave of 603 s of 18F is 299.905592 s
    assert references == {"20250101110459.905592", "20250101110959.905592"}


def test_slopes_are_shared_where_one_holds_for_all_frames(tmp_path):
    for number, is_shared in (("7_0_0", True), ("7_1_0", False)):
        study = write_study(ibsi_suv.case(number).definition, tmp_path / number)
        ds = pydicom.dcmread(study.pet / "IM0001.dcm")
        shared, first, second = ds.SharedFunctionalGroupsSequence[0], *ds.PerFrameFunctionalGroupsSequence[:2]
        assert ("RealWorldValueMappingSequence" in shared) is is_shared
        assert ("RealWorldValueMappingSequence" in first) is not is_shared
        if not is_shared:
            slopes = [g.RealWorldValueMappingSequence[0].RealWorldValueSlope for g in (first, second)]
            assert slopes == [2.0, 1.5]


def test_the_full_object_has_the_published_grid_and_the_same_truth():
    full, small = ibsi_suv.case("1_0", is_small=False), ibsi_suv.case("1_0")
    assert full.definition.grid.shape == (20, 256, 256)
    assert full.definition.grid.spacing_mm == (4.0, 4.0, 4.0)
    assert full.definition.header == small.definition.header
    for definition in (full.definition, small.definition):
        suv = suv_field(definition.body, definition.grid, fwhm_mm=0.0)
        assert np.unique(suv.round(12)).tolist() == [0.0, 0.2, 1.0, 4.0]


@pytest.mark.parametrize("case", [*ibsi_suv.CASES, *ibsi_suv.AS_PUBLISHED], ids=lambda case: case.id)
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


@pytest.mark.parametrize(
    "case",
    [case for case in (*ibsi_suv.CASES, *ibsi_suv.AS_PUBLISHED) if case.definition.object == "enhanced"],
    ids=lambda case: case.id,
)
def test_plain_arithmetic_finds_the_levels_in_every_enhanced_case(case, tmp_path, plain_suv):
    study = write_study(case.definition, tmp_path)
    suv = plain_suv.suv_volume(plain_suv.read(study.pet))
    inside = suv[suv > 0.1]  # outside of the object is 0
    found = inside.min(), np.median(inside), inside.max()
    assert np.round(found, 2).tolist() == [0.20, 1.00, 4.00]
