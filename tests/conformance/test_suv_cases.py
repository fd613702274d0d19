"""The cases of the IBSI SUV survey (suv.md 19.2) and our own (19.3), from DICOM files to factors and codes.

The truth of a phantom is its own arithmetic; it shares no code with petquant. Factors agree to 1e-9 relative,
which leaves room for nothing but the rounding of decimal strings.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY, Bed, ibsi_suv, nac_datasets, pet_datasets, write_text
from petquant_phantoms.radiopharmaceuticals import GALLIUM_68, PENTIXAFOR, PSMA_11
from pydicom.dataelem import DataElement

EXACT = 1e-9
T_18F = 6586.2  # s
LAMBDA = math.log(2.0) / T_18F
TEN, ELEVEN = (datetime.fromisoformat(f"2025-01-01T{hour}:00:00") for hour in (10, 11))

# Times of reprocessed objects, whose FrameReferenceTime of 450 s (300 s after a start of 150 s) is the middle
# of the frame and not its average-count time: back-computation lands T_ave - 300 s early.
MIDDLE_OF_FRAME = {"3_2_0": 300.0, "3_2_2": 300.0, "3_2_3": 300.0}


def t_ave(duration_s: float, half_life_s: float = T_18F) -> float:
    """Average-count time by its definition: the mean of exp(-lambda t) over the frame."""
    rate = math.log(2.0) / half_life_s
    return math.log(rate * duration_s / (1.0 - math.exp(-rate * duration_s))) / rate


def effect(seconds: float, half_life_s: float = T_18F) -> float:
    """Change of SUV in percent when the decay reference moves."""
    return 100.0 * (2.0 ** (seconds / half_life_s) - 1.0)


def injection_item(dataset):
    return dataset.RadiopharmaceuticalInformationSequence[0]


# 19.2 -----------------------------------------------------------------------------------------------------

SURVEY = [case for case in ibsi_suv.CASES if case.expected == "ok"]
REFUSED = [case for case in ibsi_suv.CASES if case.expected != "ok"]
VALID = [*SURVEY, *ibsi_suv.AS_PUBLISHED]  # the dose of Enhanced objects in MBq, and in Bq


def test_the_survey_has_43_cases_to_compute_and_15_to_refuse():
    assert (len(SURVEY), len(REFUSED)) == (43, 15)


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.id)
def test_a_valid_case_of_the_survey_gives_its_factor(case, judge):
    judged = judge(case.definition)
    truth = np.asarray(judged.study.truth["suv"]["factor"])
    if case.id in MIDDLE_OF_FRAME:
        truth = truth * 2.0 ** ((t_ave(603.0) - MIDDLE_OF_FRAME[case.id]) / T_18F)
    assert judged.error(truth) <= EXACT
    assert judged.refusals() == set()


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.id)
def test_a_valid_case_of_the_survey_passes_at_two_decimals(case, judge):
    judged = judge(case.definition)
    factors = judged.factors()
    stack = judged.opened.stack
    stored = [
        pydicom.dcmread(one.path).pixel_array[one.frame - 1 if one.frame else ...] for one in stack.instances
    ]
    suv = np.stack(stored) * (stack.slope * factors)[:, None, None]
    inside = suv[suv > 0.1]  # the object; outside is 0
    found = inside.min(), np.median(inside), inside.max()
    # 0.005 is the criterion of the survey; one stored unit is worth at most 1e-3 SUV in these objects
    assert np.abs(np.subtract(found, (0.20, 1.00, 4.00))).max() <= 0.005 + 1e-3


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_an_invalid_case_of_the_survey_is_refused_with_its_code(case, judge):
    judged = judge(case.definition)
    assert case.expected in judged.refusals()
    assert judged.conversion.scales == ()


@pytest.mark.parametrize("number", ["3_3_0", "3_3_1"])
@pytest.mark.parametrize("has_creator", [True, False])
def test_a_private_time_is_believed_with_and_without_its_creator(number, has_creator, judge):
    case = next(case for case in VALID if case.id == number)
    judged = judge(case.definition.with_header(has_private_creator=has_creator))
    assert judged.error() <= EXACT
    assert judged.conversion.timing.verdict.rule.startswith("P")
    assert ("PRIVATE_CREATOR_MISSING" in judged.codes) is not has_creator


# 19.3: decay reference -------------------------------------------------------------------------------------

ONE_SECOND_LATE = TINY.with_header(
    dialect="siemens",
    has_private=False,
    beds=(
        Bed(
            acquired_at=ELEVEN + timedelta(seconds=1),
            duration_s=120.7,
            frame_reference_s=1328.7,
            decay_factor=1.0,
        ),
    ),
)
B_OF_O1 = effect(1.0 + t_ave(120.7) - 1328.7)  # -12.49 %


def test_o1_a_series_time_one_second_early_is_not_computed_back(judge):
    judged = judge(ONE_SECOND_LATE)
    assert judged.error() <= EXACT
    assert pytest.approx(-12.49, abs=0.005) == B_OF_O1
    assert judged.candidate("B").effect_percent == pytest.approx(B_OF_O1, abs=1e-6)
    assert "REF_TIME_CONFLICT" in judged.codes
    assert judged.refusals() == set()
    assert judged.refusals(is_strict=True) == {"REF_TIME_CONFLICT"}
    assert f"{B_OF_O1:+.2f} %" in judged.message("REF_TIME_CONFLICT")


def test_o1_the_factors_of_the_vendor_support_the_series_time(judge):
    judged = judge(TINY.in_dialect(vendor="philips"))
    assert judged.error() <= EXACT
    # the factors are written with 16 digits at most, T/ln2 x 1e-9 is 1e-5 s
    assert abs((judged.candidate("R").at - ELEVEN).total_seconds()) < 1e-3
    assert "supported by R" in judged.message("REF_TIME_CONFLICT")


def bed_wise_ge(**changes):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(seconds=243 * n), duration_s=180) for n in range(6))
    header = {"dialect": "ge", "has_private": False, "beds": beds, "acquisition_time_per_bed": False}
    return TINY.with_header(**(header | changes))


def test_o2_one_acquisition_time_for_six_beds_leaves_one_factor(judge):
    judged = judge(bed_wise_ge())
    assert isinstance(judged.conversion.scale("bw").factor, float)
    assert judged.error() <= EXACT
    assert judged.conversion.timing.verdict.rule.startswith("S")
    assert not judged.candidate("B").is_valid
    assert not judged.candidate("D").is_valid
    assert "ACQTIME_NOT_PER_BED" in judged.codes
    assert judged.refusals(is_strict=True) == set()


def test_o3_a_single_late_bed_of_that_series_is_flagged_and_not_refused(judge):
    late = Bed(
        acquired_at=ELEVEN,
        duration_s=180,
        frame_reference_s=1098.0,
        decay_factor=2.0 ** ((1098.0 + t_ave(180.0)) / T_18F),
    )
    judged = judge(bed_wise_ge(beds=(late,)))
    assert judged.error() <= EXACT
    assert judged.candidate("D").effect_percent == pytest.approx(effect(-1098.0), abs=1e-6)
    assert judged.candidate("B").effect_percent == pytest.approx(effect(-1098.0), abs=1e-6)
    assert "REF_TIME_CONFLICT" in judged.codes
    assert judged.refusals() == set()


def test_o4_a_reprocessed_series_without_witnesses_falls_back_on_the_acquisition(judge):
    unknown = Bed(acquired_at=ELEVEN, duration_s=300, frame_reference_s=0.0, decay_factor=1.0)
    judged = judge(
        TINY.with_header(series_at=ELEVEN + timedelta(minutes=30), decay_reference_at=ELEVEN, beds=(unknown,))
    )
    assert judged.error() <= EXACT
    assert judged.conversion.timing.verdict.rule.startswith("A0")
    assert judged.codes == {"REF_TIME_FROM_ACQUISITION"}
    assert judged.refusals(is_strict=True) == {"REF_TIME_FROM_ACQUISITION"}
    assert judged.candidate("S").effect_percent == pytest.approx(20.86, abs=0.005)


def test_o5_the_decay_factor_supports_a_series_time_50_minutes_early(judge):
    bed = Bed(
        acquired_at=datetime.fromisoformat("2025-01-01T17:10:15"), duration_s=1200, decay_factor=1.45951
    )
    judged = judge(
        TINY.with_header(
            dialect="siemens",
            has_private=False,
            injected_at=datetime.fromisoformat("2025-01-01T15:20:16"),
            series_at=datetime.fromisoformat("2025-01-01T16:20:16"),
            beds=(bed,),
        )
    )
    assert judged.error() <= EXACT
    assert "REF_TIME_CONFLICT" not in judged.codes
    after_s = (judged.candidate("D").at - datetime.fromisoformat("2025-01-01T17:10:15")).total_seconds()
    assert after_s == pytest.approx(t_ave(1200.0) - math.log(1.45951) / LAMBDA, abs=1e-5)
    assert after_s == pytest.approx(-2998.98, abs=0.01)
    assert judged.candidate("A0").effect_percent == pytest.approx(37.1, abs=0.05)


TWENTY_PAST = ELEVEN + timedelta(minutes=20)
SERIES_20_MIN_EARLY = TINY.with_header(
    series_at=ELEVEN, decay_reference_at=TWENTY_PAST, beds=(Bed(acquired_at=TWENTY_PAST),)
)


def test_o6_two_witnesses_against_the_series_time_are_not_outvoted_by_nobody(judge):
    judged = judge(SERIES_20_MIN_EARLY)
    assert judged.refusals() == {"REF_TIME_UNRESOLVED"}
    message = judged.message("REF_TIME_UNRESOLVED")
    for word in ("D (", "B (", "S (", f"{effect(1200.0):+.2f} %"):
        assert word in message


@pytest.mark.parametrize(
    ("choice", "after_s"),
    [
        ("series", 0),
        ("acquisition", 1200),
        ("backcompute", 1200),
        ("decayfactor", 1200),
        ("11:07:30", 450),
        ("2025-01-01T10:59:00", -60),
    ],
)
def test_o6_every_decay_reference_of_the_user_is_taken(choice, after_s, judge):
    judged = judge(SERIES_20_MIN_EARLY, overrides={"decay_reference": choice})
    truth = judged.study.truth["suv"]["factor"] * 2.0 ** ((after_s - 1200) / T_18F)
    # D and B rest on 16-digit decimals of DecayFactor and on whole microseconds: 1e-6 s / T
    assert judged.error(truth) <= EXACT
    assert judged.refusals() == set()
    assert "OVERRIDE" in judged.codes


def test_o6_a_private_time_that_does_not_exist_cannot_be_chosen(judge):
    judged = judge(SERIES_20_MIN_EARLY, overrides={"decay_reference": "private"})
    assert judged.refusals() == {"REF_TIME_UNRESOLVED"}


def test_o6_a_clock_time_lies_on_the_day_nearest_to_the_scan(judge):
    past_midnight = datetime.fromisoformat("2025-01-02T00:10:00")
    judged = judge(
        TINY.with_header(
            injected_at=datetime.fromisoformat("2025-01-01T23:00:00"),
            series_at=datetime.fromisoformat("2025-01-01T23:50:00"),
            decay_reference_at=past_midnight,
            beds=(Bed(acquired_at=past_midnight),),
        ),
        overrides={"decay_reference": "23:50:00"},
    )
    assert judged.error(judged.study.truth["suv"]["factor"] * 2.0 ** (-1200.0 / T_18F)) <= EXACT


def test_o7_a_private_time_that_the_acquisition_supports_overrules_the_series_time(judge):
    judged = judge(replace(SERIES_20_MIN_EARLY.with_header(dialect="siemens"), slope="global"))
    assert judged.error() <= EXACT
    assert judged.conversion.timing.verdict.rule.startswith("P")
    assert "S (series time)" in judged.message("REF_TIME_CONFLICT")
    assert "supported by D, B" in judged.message("REF_TIME_CONFLICT")
    assert judged.refusals() == set()


def test_o29_a_private_time_equal_to_the_series_time_outweighs_a_late_acquisition(judge):
    late = Bed(
        acquired_at=ELEVEN + timedelta(minutes=30), duration_s=300, frame_reference_s=150.0, decay_factor=1.0
    )
    judged = judge(TINY.with_header(dialect="ge", beds=(late,)))
    assert judged.error() <= EXACT
    assert judged.conversion.timing.verdict.rule.startswith("P")
    assert judged.candidate("B").effect_percent == pytest.approx(effect(1800.0 - 150.0), abs=1e-6)
    assert judged.candidate("B").effect_percent == pytest.approx(19.0, abs=0.05)
    assert "supported by S" in judged.message("REF_TIME_CONFLICT")
    assert judged.refusals() == set()


NO_SERIES_TIME = (("SeriesDate", None), ("SeriesTime", None))
NO_ACQUISITION_TIME = (("AcquisitionDate", None), ("AcquisitionTime", None))


def test_o30_without_acquisition_time_the_series_time_stands_unchecked(judge):
    judged = judge(replace(TINY, edits=NO_ACQUISITION_TIME))
    assert judged.error() <= EXACT
    assert "REF_TIME_UNCHECKED" in judged.codes
    assert judged.refusals(is_strict=True) == {"REF_TIME_UNCHECKED"}


@pytest.mark.parametrize(
    ("bed", "rule"),
    [
        (Bed(acquired_at=ELEVEN), "D"),
        (Bed(acquired_at=ELEVEN, decay_factor=1.0), "B"),
        (Bed(acquired_at=ELEVEN, decay_factor=1.0, frame_reference_s=0.0), "A0"),
    ],
)
def test_o30_without_series_time_the_best_witness_of_the_acquisition_is_taken(bed, rule, judge):
    judged = judge(replace(TINY.with_header(beds=(bed,)), edits=NO_SERIES_TIME))
    assert judged.conversion.timing.verdict.rule.startswith(f"{rule}:")
    assert judged.error() <= EXACT
    code = "REF_TIME_FROM_ACQUISITION" if rule == "A0" else "REF_TIME_SERIES_AFTER_ACQ"
    assert judged.codes == {code}


def test_o30_without_any_time_of_the_scan_nothing_is_guessed(judge):
    judged = judge(replace(TINY, edits=NO_SERIES_TIME + NO_ACQUISITION_TIME))
    assert judged.refusals() == {"REF_TIME_UNRESOLVED"}


# 19.3: injection -------------------------------------------------------------------------------------------


def test_o8_an_injection_dated_one_day_late_is_put_back(judge):
    judged = judge(replace(TINY, edits=(("RadiopharmaceuticalStartDateTime", "20250102100000"),)))
    assert judged.error() <= EXACT
    assert judged.codes == {"INJ_DATE_SHIFTED"}


def test_o12_two_clocks_with_the_same_offset_are_compared_as_they_stand(judge):
    judged = judge(TINY, edit=zoned("+0100", "20250101100000+0100"))
    assert judged.error() <= EXACT
    assert judged.codes == {"TIMEZONE_APPLIED"}


def zoned(of_object, stamp, **others):
    def edit(dataset, _index):
        if of_object is not None:
            dataset.TimezoneOffsetFromUTC = of_object
        write_text(injection_item(dataset), "RadiopharmaceuticalStartDateTime", stamp)
        for keyword, text in others.items():
            write_text(dataset, keyword, text)

    return edit


def test_o12_two_clocks_with_different_offsets_are_compared_in_utc(judge):
    judged = judge(
        replace(TINY, edits=(("RadiopharmaceuticalStartTime", None),)),
        edit=zoned("+0100", "20250101090000+0000"),
    )
    assert judged.error() <= EXACT
    assert judged.conversion.timing.injection.at == TEN
    assert judged.codes == {"TIMEZONE_APPLIED"}


def test_o12_a_clock_time_of_the_same_moment_in_another_zone_does_not_disagree(judge):
    judged = judge(TINY, edit=zoned("+0100", "20250101090000+0000"))  # the TM is 10:00 in +0100
    assert "INJ_TIME_FIELDS_DISAGREE" not in judged.codes
    assert judged.error() <= EXACT


@pytest.mark.parametrize(
    ("of_object", "stamp"), [("+0100", None), (None, "20250101100000+0100")], ids=["series", "injection"]
)
def test_o12_an_offset_on_one_side_is_ignored_and_flagged(of_object, stamp, judge):
    def edit(dataset, _index):
        zoned(of_object, stamp or "20250101100000")(dataset, _index)

    judged = judge(TINY, edit=edit)
    assert judged.error() <= EXACT
    # DA and TM take the offset of the object, so that an offset of the object is never one-sided
    assert judged.codes == ({"TIMEZONE_APPLIED"} if stamp is None else {"TIMEZONE_ONE_SIDED"})


def test_o12_on_the_day_the_clocks_change_each_time_keeps_its_own_offset(judge):
    # 30 March 2025, 02:00+0100 becomes 03:00+0200: 01:30+0100 is one hour before 03:30+0200
    night = datetime.fromisoformat("2025-03-30T03:30:00")
    judged = judge(
        TINY.with_header(
            injected_at=night - timedelta(hours=1), series_at=night, beds=(Bed(acquired_at=night),)
        ),
        edit=zoned("+0200", "20250330013000+0100"),
    )
    assert judged.conversion.decay_interval_s == 3600.0
    assert judged.error() <= EXACT


def test_o12_an_acquisition_datetime_in_another_zone_is_brought_to_the_scanner_clock(judge):
    def edit(dataset, _index):
        dataset.TimezoneOffsetFromUTC = "+0100"
        del dataset.AcquisitionDate, dataset.AcquisitionTime
        write_text(dataset, "AcquisitionDateTime", "20250101100000+0000")

    judged = judge(TINY, edit=edit)
    assert {frame.acquired_at for frame in judged.conversion.frames} == {ELEVEN}
    assert judged.error() <= EXACT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0928", 0.0), ("09:28", 0.0), ("092830.05", 30.05), (" 092830 ", 30.0), ("09:28:30.5", 30.5)],
)
def test_o13_every_spelling_of_a_time_is_read(text, seconds, judge):
    judged = judge(
        TINY,
        edit=lambda dataset, _: (
            write_text(injection_item(dataset), "RadiopharmaceuticalStartTime", text),
            injection_item(dataset).__delitem__("RadiopharmaceuticalStartDateTime"),
        ),
    )
    expected = datetime.fromisoformat("2025-01-01T09:28:00") + timedelta(seconds=seconds)
    assert judged.conversion.timing.injection.at == expected
    assert judged.conversion.decay_interval_s == (ELEVEN - expected).total_seconds()


def test_o22_an_injection_half_an_hour_after_the_reference_is_a_dynamic_scan(judge):
    judged = judge(TINY.with_header(injected_at=ELEVEN + timedelta(minutes=30)))
    assert judged.error() <= EXACT
    assert "UPTAKE_NEGATIVE" in judged.codes
    assert judged.refusals() == set()


def test_o22_an_injection_two_hours_after_the_reference_falls_on_the_day_before(judge):
    judged = judge(TINY.with_header(injected_at=ELEVEN + timedelta(hours=2)))
    assert judged.refusals() == {"UPTAKE_IMPLAUSIBLE"}
    assert "INJ_DATE_SHIFTED" in judged.codes
    assert f"{22 * 60} min" in judged.message("UPTAKE_IMPLAUSIBLE")
    assert "12-hour" not in judged.message("UPTAKE_IMPLAUSIBLE")  # 10 h would not do either


def test_o22_a_twelve_hour_clock_error_is_named(judge):
    judged = judge(TINY.with_header(injected_at=TEN + timedelta(hours=12)))
    assert judged.refusals() == {"UPTAKE_IMPLAUSIBLE"}
    assert "60 min: a 12-hour clock error" in judged.message("UPTAKE_IMPLAUSIBLE")


def test_o23_a_delayed_scan_with_its_true_date_is_left_alone(judge):
    judged = judge(TINY.with_header(injected_at=ELEVEN - timedelta(hours=4)))
    assert judged.error() <= EXACT
    assert judged.codes == {"UPTAKE_OUTSIDE_PROTOCOL"}


# 19.3: dose, weight, nuclide -------------------------------------------------------------------------------


def test_o9_a_dose_of_140_is_megabecquerel_for_pentixafor_too(judge):
    pentixafor = TINY.with_header(radiopharmaceutical=PENTIXAFOR, injected_activity_bq=140e6)
    judged = judge(replace(pentixafor, edits=(("RadionuclideTotalDose", "140"),)))
    assert judged.error() <= EXACT
    assert judged.conversion.injected_activity_bq == 140e6
    assert "DOSE_IN_MBQ" in judged.codes


def test_o10_gallium_with_the_half_life_of_fluorine_is_refused(judge):
    wrong = TINY.with_header(radiopharmaceutical=PENTIXAFOR, half_life_s=T_18F)
    assert judge(wrong).refusals() == {"HALF_LIFE_WRONG_NUCLIDE"}
    # by the nuclide that code and name agree on: 2^(3600/4062.6) / 2^(3600/6586.2)
    lifted = judge(wrong, overrides={"half_life": "nuclide"})
    ratio = 2.0 ** (3600.0 / GALLIUM_68.half_life_s - 3600.0 / T_18F)
    assert lifted.error(lifted.study.truth["suv"]["factor"] * ratio) <= EXACT
    assert judge(wrong, overrides={"half_life": "4062.6"}).error(lifted.factors()) <= EXACT


def test_o11_a_wrong_nuclide_code_beside_a_right_name_is_flagged(judge):
    def edit(dataset, _index):
        code = injection_item(dataset).RadionuclideCodeSequence[0]
        code.CodeValue, code.CodingSchemeDesignator = "C-131A1", "SRT"

    judged = judge(TINY.with_header(radiopharmaceutical=PSMA_11, half_life_s=4057.7), edit=edit)
    assert judged.error() <= EXACT
    assert judged.codes == {"NUCLIDE_CODE_CONFLICT"}
    assert "66Ga" in judged.message("NUCLIDE_CODE_CONFLICT")


def test_o16_a_weight_of_72000_is_grams(judge):
    judged = judge(replace(TINY.with_header(weight_kg=72.0), edits=(("PatientWeight", "72000"),)))
    assert judged.error() <= EXACT
    assert judged.codes == {"WEIGHT_IN_GRAMS"}


def test_o16_a_height_of_178_is_centimetres(judge):
    header = TINY.with_header(height_m=1.78)
    judged = judge(replace(header, edits=(("PatientSize", "178"),)), suv_types=("bw", "bsa"))
    assert judged.codes == {"HEIGHT_IN_CM"}
    # Du Bois with 70 kg and 178 cm, in 10 m2, over the weight
    bsa = 10 * 0.007184 * 70.0**0.425 * 178.0**0.725
    assert judged.factors("bsa") == pytest.approx(judged.factors() * bsa / 70.0, rel=EXACT)


@pytest.mark.parametrize("height", ["1.78", "178"])
def test_o16_a_weight_that_equals_the_height_is_flagged(height, judge):
    judged = judge(replace(TINY, edits=(("PatientWeight", "178"), ("PatientSize", height))))
    assert "WEIGHT_EQUALS_HEIGHT" in judged.codes
    assert judged.refusals() == set()


def test_o17_a_dose_between_the_units_is_refused(judge):
    judged = judge(replace(TINY, edits=(("RadionuclideTotalDose", "3.7e5"),)))
    assert judged.refusals() == {"DOSE_UNIT_AMBIGUOUS"}
    lifted = judge(replace(TINY, edits=(("RadionuclideTotalDose", "3.7e5"),)), overrides={"dose_mbq": 350.0})
    assert lifted.error() <= EXACT


def test_o18_two_equal_items_are_one(judge):
    def twice(dataset, _index):
        dataset.RadiopharmaceuticalInformationSequence.append(deepcopy(injection_item(dataset)))

    judged = judge(TINY, edit=twice)
    assert judged.error() <= EXACT
    assert judged.codes == set()


def second_item(dataset, _index):
    other = deepcopy(injection_item(dataset))
    other.RadionuclideTotalDose = "175000000"
    dataset.RadiopharmaceuticalInformationSequence.append(other)


def test_o18_two_items_that_differ_are_refused_until_one_is_chosen(judge):
    assert judge(TINY, edit=second_item).refusals() == {"DOSE_MULTIPLE"}
    first = judge(TINY, edit=second_item, overrides={"radiopharm_index": 1})
    second = judge(TINY, edit=second_item, overrides={"radiopharm_index": 2})
    assert first.error() <= EXACT
    assert second.error(2.0 * np.asarray(first.study.truth["suv"]["factor"])) <= EXACT
    assert judge(TINY, edit=second_item, overrides={"radiopharm_index": 3}).refusals() == {"DOSE_MULTIPLE"}


# 19.3: corrections, units, vendors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decay", "corrections"), [("START", ("NORM", "ATTN")), ("ADMIN", ("ATTN",)), ("NONE", ("ATTN", "DECY"))]
)
def test_o19_decay_correction_and_corrected_image_must_say_the_same(decay, corrections, judge):
    contradictory = TINY.with_header(decay_correction=decay, corrected_image=corrections)
    judged = judge(contradictory)
    assert judged.refusals() == {"DECAY_CORRECTION_CONTRADICTION"}
    assert judge(contradictory, overrides={"decay_correction": decay}).error() <= EXACT


def philips_cnts(**changes):
    return TINY.in_dialect(vendor="philips_cnts").with_header(**changes)


@pytest.mark.parametrize("block", [0x10, 0x11, 0xA7])
def test_o20_the_block_of_the_private_creator_is_free(block, judge):
    judged = judge(philips_cnts(private_block=block))
    assert judged.error() <= EXACT
    assert judged.codes == set()


@pytest.mark.parametrize("vr", ["DS", "UN", "LO", "OB"])
def test_o20_a_private_value_with_blanks_is_read_in_any_representation(vr, judge):
    def edit(dataset, _index):
        value = b"0.003515736 "
        dataset[0x70531000] = DataElement(0x70531000, vr, value if vr in {"UN", "OB"} else value.decode())

    judged = judge(philips_cnts(philips_factors="suv", philips_suv_factor=0.003515736), edit=edit)
    assert judged.error(0.003515736) <= 1e-15
    assert "PRIVATE_VALUE_UNREADABLE" not in judged.codes


@pytest.mark.parametrize(
    ("manufacturer", "is_ge"),
    [("IMAGERIE GENERALE", False), ("GE MEDICAL SYSTEMS", True), ("GE", True), ("", False)],
)
def test_o21_only_a_whole_word_makes_it_ge(manufacturer, is_ge, judge):
    """Only GE may lack a frame duration, and only GE counts F from the start of the frame."""
    bed = Bed(acquired_at=ELEVEN, duration_s=300, frame_reference_s=0.0, decay_factor=1.0)
    judged = judge(
        TINY.with_header(beds=(bed,)), edit=lambda ds, _: setattr(ds, "Manufacturer", manufacturer)
    )
    assert (judged.conversion.acquisition.vendor == "ge") is is_ge
    assert judged.candidate("B").is_valid is is_ge


def test_o24_every_cause_of_a_refusal_is_named_at_once(judge):
    broken = replace(
        TINY.with_header(corrected_image=("NORM", "DECY"), attenuation_correction_method=""),
        edits=(("PatientWeight", None), ("RadionuclideTotalDose", None)),
    )
    assert judge(broken).refusals() == {"SERIES_NAC", "WEIGHT_MISSING", "DOSE_MISSING"}


def test_o31_an_uncorrected_export_is_refused_for_all_its_reasons(judge):
    export = replace(
        TINY.with_header(
            dialect="ge",
            units="PROPCPS",
            corrected_image=("DECY", "RAN"),
            attenuation_correction_method="NONE, 0.000000 cm-1,",
        ),
        edits=(("PatientWeight", None), *NO_SERIES_TIME),
    )
    assert judge(export).refusals() >= {"UNITS_NOT_QUANTITATIVE", "SERIES_NAC", "WEIGHT_MISSING"}


def test_o14_beside_a_series_without_attenuation_correction_the_corrected_one_is_computed(judge_files):
    corrected, uncorrected = pet_datasets(TINY), nac_datasets(TINY)
    judged = judge_files([*uncorrected, *corrected])
    assert judged.opened.series.uid == corrected[0].SeriesInstanceUID
    assert judged.refusals() == set()
    alone = judge_files([*uncorrected, *corrected], series=str(uncorrected[0].SeriesInstanceUID))
    assert alone.refusals() == {"SERIES_NAC"}


def test_o15_projections_and_captures_inside_the_series_are_dropped(judge_files):
    datasets = pet_datasets(TINY)
    capture = deepcopy(datasets[0])
    capture.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.SOPInstanceUID = f"{capture.SOPInstanceUID}.7"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    projection = deepcopy(datasets[0])
    projection.SOPInstanceUID = f"{projection.SOPInstanceUID}.8"
    projection.ImageType = ["DERIVED", "PRIMARY", "MIP"]
    judged = judge_files([*datasets, projection, capture])
    assert len(judged.opened.stack.instances) == len(datasets)
    assert "SERIES_NOT_VOLUME" in judged.codes
    assert judged.refusals() == set()


# 19.3: time frames -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", ["START", "NONE"])
def test_o25_frames_share_one_factor_or_have_their_own(decay, judge):
    dynamic = replace(TINY.in_dialect(decay=decay), time_frames=(1.0, 0.5, 0.25))
    assert "SERIES_DYNAMIC" in judge(dynamic).refusals()
    frames = [judge(dynamic, frame=number) for number in (1, 2, 3)]
    first = np.asarray(frames[0].study.truth["suv"]["factor"])
    for number, judged in enumerate(frames):
        # frames of 300 s follow each other; values without decay correction grow by exp(lambda 300 s) each
        growth = 2.0 ** (300.0 * number / T_18F) if decay == "NONE" else 1.0
        assert judged.error(first * growth) <= EXACT
        assert judged.refusals() == set()


def test_beds_without_decay_correction_have_their_own_factors(judge):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(seconds=190 * n), duration_s=180) for n in range(2))
    judged = judge(TINY.in_dialect(decay="NONE").with_header(beds=beds))
    first, last = judged.factors()[[0, -1]]
    assert judged.error() <= EXACT
    assert last / first == pytest.approx(2.0 ** (190.0 / T_18F), rel=EXACT)
    # W/D x exp(lambda 3600) / (1 - exp(-x)), x = lambda 180, as in suv.md section 2
    x = LAMBDA * 180.0
    assert first == pytest.approx(
        70e3 / 350e6 * x * math.exp(LAMBDA * 3600.0) / (1.0 - math.exp(-x)), rel=EXACT
    )
