"""Behaviours of other tools, seen in source or measured (suv.md 19.4), none of which may return here.

Each test states the wrong factor next to the right one, so that a slip is recognised by its size.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from petquant_phantoms import TINY, Bed, nac_datasets, pet_datasets, write_text
from petquant_phantoms.radiopharmaceuticals import PSMA_11

from petquant.suv.normalisation import normalisation, normaliser

EXACT = 1e-9
T_18F = 6586.2
HOUR = 2.0 ** (3600.0 / T_18F)  # 1.4606
ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")


def item_of(dataset):
    return dataset.RadiopharmaceuticalInformationSequence[0]


def test_decay_is_not_applied_to_values_that_are_suv_already(judge):
    for suv_type in ("BW", "LBMJANMA", "IBW"):
        judged = judge(TINY.with_header(units="GML", suv_type=suv_type))
        assert judged.error() <= EXACT
        assert judged.conversion.decayed_activity_bq is None
    assert pytest.approx(1.4606, abs=5e-5) == HOUR  # what it would have been multiplied by


@pytest.mark.parametrize(
    ("suv_type", "sex", "share"), [("LBMJAMES128", "M", 56.52 / 70.0), ("IBW", "O", 69.405 / 70.0)]
)
def test_suv_by_lean_or_ideal_mass_is_not_taken_for_suvbw(suv_type, sex, share, judge):
    judged = judge(TINY.with_header(units="GML", suv_type=suv_type, sex=sex))
    # 70 kg and 1.75 m: 1.10 x 70 - 128 x 0.4^2 = 56.52; (72.38 + 66.43) / 2 = 69.405
    assert judged.factors() == pytest.approx(1.0 / share, rel=EXACT)


def test_body_surface_is_in_square_centimetres(judge):
    judged = judge(TINY, suv_types=("bw", "bsa"))
    square_cm_per_g = 0.007184 * 70.0**0.425 * 175.0**0.725 * 1e4 / 70e3
    assert judged.factors("bsa") / judged.factors() == pytest.approx(square_cm_per_g, rel=EXACT)
    stored = judge(TINY.with_header(units="CM2ML", suv_type="BSA"))
    assert stored.factors() == pytest.approx(3.7875857, rel=1e-7)  # suv.md section 11, eight digits


def test_the_vendor_factor_of_counts_is_used_and_nothing_else(judge):
    counts = TINY.in_dialect(vendor="philips_cnts").with_header(
        philips_factors="suv", philips_suv_factor=0.0005
    )
    edits = (("RadionuclideTotalDose", None), ("PatientWeight", None), ("RadiopharmaceuticalStartTime", None),
             ("RadiopharmaceuticalStartDateTime", None), ("RadionuclideHalfLife", None),
             ("ActualFrameDuration", None))  # fmt: skip
    judged = judge(replace(counts, edits=edits))
    assert judged.factors() == pytest.approx(0.0005, rel=1e-15)
    assert judged.refusals() == set()


@pytest.mark.parametrize("compound", [None, PSMA_11], ids=["FDG", "PSMA"])
def test_megabecquerel_in_a_becquerel_attribute_is_seen_for_every_tracer(compound, judge):
    header = TINY if compound is None else TINY.with_header(radiopharmaceutical=compound)
    judged = judge(replace(header, edits=(("RadionuclideTotalDose", "350"),)))
    assert judged.error() <= EXACT
    assert "DOSE_IN_MBQ" in judged.codes


def test_values_corrected_to_the_injection_are_not_decayed_again(judge):
    judged = judge(TINY.in_dialect(decay="ADMIN"))
    assert judged.factors() == pytest.approx(70e3 / 350e6, rel=EXACT)
    assert judged.conversion.decay_interval_s == 0.0


def test_a_series_time_after_the_acquisition_is_not_used(judge):
    late = TINY.with_header(series_at=ELEVEN + timedelta(minutes=30), decay_reference_at=ELEVEN)
    judged = judge(late)
    assert judged.error() <= EXACT
    wrong = 2.0 ** (1800.0 / T_18F)
    assert wrong == pytest.approx(1.2086, abs=5e-5)
    assert judged.candidate("S").effect_percent == pytest.approx(100.0 * (wrong - 1.0), abs=1e-6)


def test_beds_of_a_corrected_series_have_no_reference_of_their_own(judge):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(minutes=5 * n)) for n in range(4))
    judged = judge(TINY.with_header(beds=beds))
    assert np.unique(judged.factors()).size == 1
    assert judged.error() <= EXACT
    assert pytest.approx(1.032, abs=5e-4) == 2.0 ** (300.0 / T_18F)  # per bed, elsewhere


def test_one_second_between_series_and_acquisition_computes_nothing_back(judge):
    judged = judge(TINY.in_dialect(vendor="philips"))
    assert judged.conversion.decay_reference_at == ELEVEN
    assert judged.candidate("B").effect_percent == pytest.approx(-12.49, abs=0.01)


@pytest.mark.parametrize(("duration_s", "wrong_percent"), [(120, 0.63), (300, 1.59)])
def test_ge_counts_frame_reference_time_to_the_start_of_the_frame(duration_s, wrong_percent, judge):
    bed = Bed(acquired_at=ELEVEN, duration_s=duration_s, decay_factor=1.0)
    judged = judge(
        TINY.with_header(
            dialect="ge",
            has_private=False,
            series_at=ELEVEN + timedelta(minutes=30),
            decay_reference_at=ELEVEN,
            beds=(bed,),
        )
    )
    assert judged.conversion.timing.verdict.rule.startswith("B")
    assert judged.error() <= EXACT
    # adding the average-count time, T/2 to first order, would shift by this much
    assert 100.0 * (2.0 ** (duration_s / 2.0 / T_18F) - 1.0) == pytest.approx(wrong_percent, abs=0.005)


def test_an_undecayed_series_is_not_taken_as_decayed_to_its_start(judge):
    bed = Bed(acquired_at=ELEVEN, duration_s=603)
    judged = judge(TINY.in_dialect(decay="NONE").with_header(beds=(bed,)))
    assert judged.error() <= EXACT
    as_start = 70e3 / 350e6 * HOUR
    assert as_start / judged.factors()[0] == pytest.approx(0.969, abs=5e-4)


def test_midnight_neither_adds_a_day_nor_loses_one(judge):
    injected = datetime.fromisoformat("2024-12-31T23:30:00")
    scanned = injected + timedelta(hours=1)
    header = TINY.with_header(injected_at=injected, series_at=scanned, beds=(Bed(acquired_at=scanned),))
    for edits in (
        (),
        (("RadiopharmaceuticalStartDateTime", None),),
        (("RadiopharmaceuticalStartTime", None),),
    ):
        judged = judge(replace(header, edits=edits))
        assert judged.conversion.decay_interval_s == 3600.0
        assert judged.error() <= EXACT


@pytest.mark.parametrize("keyword", ["RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"])
def test_one_of_two_injection_times_is_enough(keyword, judge):
    judged = judge(replace(TINY, edits=((keyword, None),)))
    assert judged.error() <= EXACT
    assert judged.codes == set()


def test_a_fraction_of_a_second_is_decimal_and_is_kept(judge):
    def edit(dataset, _index):
        write_text(item_of(dataset), "RadiopharmaceuticalStartDateTime", "20250101100000.05")

    judged = judge(TINY, edit=edit)
    assert judged.conversion.decay_interval_s == 3599.95
    factor = 70e3 / 350e6 * 2.0 ** (3599.95 / T_18F)
    assert judged.factors() == pytest.approx(factor, rel=1e-12)


def test_an_offset_is_not_read_as_a_fraction(judge):
    def edit(dataset, _index):
        write_text(item_of(dataset), "RadiopharmaceuticalStartDateTime", "20250101100000+0100")

    assert judge(TINY, edit=edit).conversion.decay_interval_s == 3600.0


def test_sex_o_does_not_matter_to_body_weight(judge):
    judged = judge(TINY.with_header(sex="O"))
    assert judged.error() <= EXACT
    assert judged.codes == set()


def test_there_is_no_default_half_life(judge):
    judged = judge(replace(TINY, edits=(("RadionuclideHalfLife", None),)))
    assert judged.refusals() == {"HALF_LIFE_MISSING"}
    assert judged.conversion.half_life.half_life_s is None


def test_james_is_the_formula_with_128_and_sexes_are_not_swapped():
    rows = {name: normalisation(name) for name in ("lbm-james128", "lbm-morgan")}
    body = {"weight_kg": 75.0, "height_m": 1.85}
    # 1.10 x 75 - 128 (75/185)^2, 1.10 x 75 - 120 (75/185)^2, 1.07 x 75 - 148 (75/185)^2
    share = (75.0 / 185.0) ** 2
    assert normaliser(rows["lbm-james128"], sex="M", **body)[0] == pytest.approx(
        82.5 - 128 * share, rel=1e-12
    )
    assert normaliser(rows["lbm-morgan"], sex="M", **body)[0] == pytest.approx(82.5 - 120 * share, rel=1e-12)
    assert normaliser(rows["lbm-james128"], sex="F", **body)[0] == pytest.approx(
        80.25 - 148 * share, rel=1e-12
    )


def test_an_uncorrected_series_is_refused_and_breaks_no_other(judge_files):
    corrected, uncorrected = pet_datasets(TINY), nac_datasets(TINY)
    assert judge_files(uncorrected).refusals() == {"SERIES_NAC"}
    assert judge_files([*uncorrected, *corrected]).refusals() == set()


@pytest.mark.parametrize("hours", [2, 3, 5])
def test_a_negative_interval_gives_no_number(hours, judge):
    judged = judge(TINY.with_header(injected_at=ELEVEN + timedelta(hours=hours)))
    assert judged.refusals() == {"UPTAKE_IMPLAUSIBLE"}
    assert judged.conversion.scales == ()


@pytest.mark.parametrize("units", ["PROPCNTS", "PROPCPS", "1CM", "PCNT", "NONE", "CM2"])
def test_a_unit_that_is_none_is_never_labelled_suv(units, judge):
    judged = judge(TINY.with_header(units=units))
    assert judged.refusals() == {"UNITS_NOT_QUANTITATIVE"}
    assert units in judged.message("UNITS_NOT_QUANTITATIVE")
    assert judged.conversion.scales == ()


@pytest.mark.parametrize("manufacturer", ["IMAGERIE GENERALE", "GENERIC", "GENESIS", "Sungei", "GEMINI"])
def test_ge_is_a_word_and_no_part_of_one(manufacturer, judge):
    judged = judge(TINY, edit=lambda dataset, _: setattr(dataset, "Manufacturer", manufacturer))
    assert judged.conversion.acquisition.vendor != "ge"


@pytest.mark.parametrize("last", [0, 7])
def test_header_values_are_compared_over_all_slices(last, judge):
    def edit(dataset, index):
        if index == last:
            write_text(dataset, "PatientWeight", "71")

    judged = judge(TINY, edit=edit)
    assert judged.refusals() == {"MIXED_VALUES"}
    message = judged.message("MIXED_VALUES")
    assert "70.0 on 7 slices" in message
    assert "71.0 on 1 slices" in message
