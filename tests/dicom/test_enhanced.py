"""Enhanced PET images are read frame by frame: the cases 7_x of suv.md section 19.2, and what may go wrong.

Expected values are the formula of suv.md section 2 by hand.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from petquant.check import check
from petquant.dicom.tags import TAG
from petquant.dicom.witness import confirm
from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput
from petquant.overrides import Overrides
from petquant.quantify import scaled, study_refusals
from petquant.study import Choices, open_study

LAMBDA = np.log(2) / 6586.2


@pytest.fixture
def e(enhanced_pet):
    return enhanced_pet


@pytest.fixture
def suv_of(tmp_path, e):
    """SUV values [k, j, i] and the opened study of what is written into one folder."""

    def read(*datasets, suv_type="bw", **choices):
        chosen = Choices(suv_types=(suv_type,), **choices)
        opened = open_study(e.save(tmp_path / "scan", *datasets), chosen)
        refused = study_refusals(opened, chosen)
        if refused:
            raise Refused.because(*refused)
        return scaled(opened.volume(), opened.conversion.scale(suv_type)).values(), opened

    return read


def volume_of(folder, choices):
    opened = open_study(folder, choices)
    refused = study_refusals(opened, choices)
    if refused:
        raise Refused.because(*refused)
    return opened.volume()


@pytest.fixture
def codes_of(tmp_path, e):
    """Every code that a folder with these datasets is refused with."""

    def read(*datasets, **choices):
        folder = e.save(tmp_path / "scan", *datasets)
        with pytest.raises(PetquantError) as caught:
            volume_of(folder, Choices(**choices))
        return [finding.code for finding in caught.value.findings]

    return read


def flags_of(opened):
    return [finding.code for finding in (*opened.findings, *opened.conversion.findings)]


# --- 7_x of suv.md 19.2, each with the dose in MBq and in Bq ---

DOSES = pytest.mark.parametrize("dose", [350.0, 350e6], ids=["MBq", "Bq"])


def has_flag_of(opened, dose):
    return ("DOSE_ENHANCED_IN_BQ" in flags_of(opened)) == (dose > 1e4)


@DOSES
def test_7_0_0_one_mapping_and_decay_corrected(suv_of, e, dose):
    values, opened = suv_of(e.enhanced_pet(dose=dose))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert opened.conversion.injected_activity_bq == 350e6
    assert opened.conversion.decay_interval_s == 3600
    assert has_flag_of(opened, dose)


@DOSES
def test_7_1_0_every_frame_has_its_own_slope(suv_of, e, dose):
    slopes = (2.0, 3.0, 0.5, 7.25)
    values, opened = suv_of(
        e.enhanced_pet(dose=dose, mappings=[[e.mapping(slope=slope)] for slope in slopes])
    )
    want = e.STORED * np.array(slopes)[:, None, None] * e.FACTOR
    np.testing.assert_allclose(values, want, rtol=1e-12)
    assert has_flag_of(opened, dose)


@DOSES
def test_7_2_0_values_in_suvbw_need_no_factor(suv_of, e, dose):
    values, opened = suv_of(e.enhanced_pet(dose=dose, mappings=[e.mapping(unit="g/ml{SUVbw}", slope=0.001)]))
    np.testing.assert_allclose(values, e.STORED * 0.001, rtol=1e-12)
    assert opened.conversion.stored.suv.suv_type == "BW"
    assert "SUVTYPE_ASSUMED_BW" not in flags_of(opened)


@DOSES
def test_7_3_0_the_series_time_is_no_decay_reference(suv_of, e, dose):
    scan = e.enhanced_pet(dose=dose)
    assert (scan.SeriesTime, scan.DecayCorrectionDateTime) == ("113000", "20250101110000")
    values, opened = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert opened.conversion.decay_reference_at == datetime(2025, 1, 1, 11)  # noqa: DTZ001 - a wall clock
    assert opened.conversion.timing.verdict.rule == "T: stated in the file"


@DOSES
def test_7_3_1_without_decay_correction_every_frame_has_its_reference(suv_of, e, dose):
    scan = e.enhanced_pet(dose=dose)
    scan.DecayCorrected = "NO"
    del scan.DecayCorrectionDateTime
    references_s = (3600 + 149, 3600 + 149, 3600 + 449, 3600 + 449)  # of two beds, after the injection
    for frame, reference_s in zip(scan.PerFrameFunctionalGroupsSequence, references_s, strict=True):
        minutes, seconds = divmod(reference_s - 3600, 60)
        frame.FrameContentSequence[0].FrameReferenceDateTime = f"2025010111{minutes:02d}{seconds:02d}"
    values, opened = suv_of(scan)
    factors = e.WEIGHT_G / (e.DOSE_BQ * 2 ** (-np.array(references_s) / e.HALF_LIFE_S))
    np.testing.assert_allclose(values, e.STORED * 2.0 * factors[:, None, None], rtol=1e-12)
    assert has_flag_of(opened, dose)


# --- decay ---


def test_without_a_frame_reference_the_average_count_time_of_the_frame_counts(suv_of, e):
    scan = e.enhanced_pet(acquired=("20250101110000",) * 2 + ("20250101110500",) * 2)
    scan.DecayCorrected = "NO"
    for frame in scan.PerFrameFunctionalGroupsSequence:
        del frame.FrameContentSequence[0].FrameReferenceDateTime
    values, _ = suv_of(scan)
    x = LAMBDA * 300.0
    average_s = np.log(x / (1 - np.exp(-x))) / LAMBDA  # 149.605344 s for 300 s of 18F, suv.md section 2
    assert abs(average_s - 149.605344) < 1e-6
    waited_s = np.array([3600, 3600, 3900, 3900]) + average_s
    factors = e.WEIGHT_G / (e.DOSE_BQ * 2 ** (-waited_s / e.HALF_LIFE_S))
    np.testing.assert_allclose(values, e.STORED * 2.0 * factors[:, None, None], rtol=1e-9)


def test_without_decay_correction_a_frame_without_any_time_is_refused(codes_of, e):
    scan = e.enhanced_pet()
    scan.DecayCorrected = "NO"
    for frame in scan.PerFrameFunctionalGroupsSequence:
        content = frame.FrameContentSequence[0]
        del content.FrameReferenceDateTime, content.FrameAcquisitionDateTime, content.FrameAcquisitionDuration
    assert codes_of(scan) == ["ACQUISITION_TIME_MISSING", "FRAME_DURATION_MISSING"]


def test_decay_corrected_to_no_date_time_is_refused(codes_of, e):
    scan = e.enhanced_pet()
    del scan.DecayCorrectionDateTime
    assert codes_of(scan) == ["REF_TIME_UNRESOLVED"]


def test_the_user_may_state_the_decay_reference(suv_of, e):
    scan = e.enhanced_pet()
    del scan.DecayCorrectionDateTime
    values, _ = suv_of(scan, overrides=Overrides(decay_reference="11:00:00"))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_whether_it_is_decay_corrected_must_be_said(codes_of, e):
    scan = e.enhanced_pet()
    del scan.DecayCorrected
    assert codes_of(scan) == ["DECAY_CORRECTION_MISSING"]


def counted_back(e, before_s):
    """A scan whose frames of 300 s were corrected to so many seconds before 11:00, when they began."""
    scan = e.enhanced_pet()
    factor = 2 ** ((before_s + 149.605344) / e.HALF_LIFE_S)
    correction = e.one(DecayFactor=f"{factor:.12f}")
    scan.SharedFunctionalGroupsSequence[0].PETFrameCorrectionFactorsSequence = correction
    return scan


def test_a_decay_factor_that_means_another_reference_is_flagged_from_1_percent(suv_of, e):
    assert "REF_TIME_CONFLICT" not in flags_of(suv_of(counted_back(e, 90.0))[1])  # 2^(-90/6586.2): -0.94 %
    assert "REF_TIME_CONFLICT" in flags_of(suv_of(counted_back(e, 100.0))[1])  # -1.05 %
    values, opened = suv_of(counted_back(e, 480.0))  # -4.93 %
    assert "REF_TIME_CONFLICT" in flags_of(opened)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_a_decay_factor_that_means_another_reference_is_refused_from_5_percent(suv_of, codes_of, e):
    scan = counted_back(e, 495.0)  # 2^(-495/6586.2): -5.08 %
    assert codes_of(scan) == ["REF_TIME_UNRESOLVED"]
    values, _ = suv_of(scan, overrides=Overrides(decay_reference="11:00:00"))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_offsets_from_utc_are_applied_to_reference_and_injection(suv_of, e):
    scan = e.enhanced_pet()
    scan.DecayCorrectionDateTime = "20250101110000+0100"
    scan.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20250101090000+0000"
    scan.TimezoneOffsetFromUTC = "+0100"
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_a_frame_with_its_reference_needs_no_start(suv_of, e):
    scan = e.enhanced_pet()
    scan.DecayCorrected = "NO"
    content = scan.PerFrameFunctionalGroupsSequence[1].FrameContentSequence[0]
    del content.FrameAcquisitionDateTime, content.FrameAcquisitionDuration
    values, _ = suv_of(scan)
    factor = e.WEIGHT_G / (e.DOSE_BQ * 2 ** (-3750 / e.HALF_LIFE_S))  # referred to 11:02:30
    np.testing.assert_allclose(values, e.STORED * 2.0 * factor, rtol=1e-12)


# --- injection, dose, attenuation ---


def test_the_injection_is_put_on_the_day_of_the_reference(suv_of, e):
    scan = e.enhanced_pet()
    scan.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20250102100000"
    values, opened = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert "INJ_DATE_SHIFTED" in flags_of(opened)


def test_a_clock_time_alone_is_no_injection_of_an_enhanced_image(codes_of, e):
    scan = e.enhanced_pet()
    (injected,) = scan.RadiopharmaceuticalInformationSequence
    del injected.RadiopharmaceuticalStartDateTime
    injected.RadiopharmaceuticalStartTime = "100000"
    assert codes_of(scan) == ["INJ_TIME_MISSING"]


@pytest.mark.parametrize(("dose", "bq"), [(9999.0, 9.999e9), (1e4, 1e4)])
def test_a_dose_is_mbq_below_1e4_and_bq_from_there(suv_of, e, dose, bq):
    _, opened = suv_of(e.enhanced_pet(dose=dose), allow_extreme=True)
    assert opened.conversion.injected_activity_bq == bq
    assert "DOSE_OUT_OF_RANGE" in flags_of(opened)


@pytest.mark.parametrize("state", ["NO", None])
def test_an_image_without_attenuation_correction_is_refused(codes_of, e, state):
    scan = e.enhanced_pet()
    scan.AttenuationCorrected = state
    assert codes_of(scan) == ["SERIES_NAC"]


def test_an_image_without_attenuation_correction_is_measured_on_request(suv_of, e):
    scan = e.enhanced_pet()
    scan.AttenuationCorrected = "NO"
    values, opened = suv_of(scan, allow_nac=True)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert "NAC_ALLOWED" in flags_of(opened)


# --- units and mappings ---


def test_several_mappings_the_one_in_activity_is_used_and_said(suv_of, e):
    mappings = [e.mapping(unit="g/ml{SUVbw}", slope=9.0), e.mapping(slope=2.0)]
    values, opened = suv_of(e.enhanced_pet(mappings=mappings))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    (finding,) = [one for one in opened.findings if one.code == "MAPPING_CHOSEN"]
    assert "g/ml{SUVbw}, Bq/ml; used Bq/ml" in finding.found


def test_without_activity_the_mapping_to_suvbw_is_used(suv_of, e):
    mappings = [e.mapping(unit="g/ml{SUVlbm(Janma)}", slope=0.007), e.mapping(unit="g/ml{SUVbw}", slope=0.01)]
    values, _ = suv_of(e.enhanced_pet(mappings=mappings))
    np.testing.assert_allclose(values, e.STORED * 0.01, rtol=1e-12)


# N in kg for 70 kg, 1.75 m, F: suv.md section 11; BSA 1.8481430 m2 as 10 BSA
@pytest.mark.parametrize(
    ("unit", "n"),
    [
        ("g/ml{SUVlbm}", 51.22),
        ("g/ml{SUVlbm(James128)}", 51.22),
        ("g/ml{SUVlbm(Janma)}", 45.197015),
        ("g/ml{SUVibw}", 66.43),
        ("cm2/ml{SUVbsa}", 18.481430),
        ("g/ml{SUVbsa}", 18.481430),
    ],
)
def test_other_suv_is_brought_to_body_weight(suv_of, e, unit, n):
    values, _ = suv_of(e.enhanced_pet(mappings=[e.mapping(unit=unit, slope=0.01)]))
    np.testing.assert_allclose(values, e.STORED * 0.01 * 70 / n, rtol=1e-7)


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("kBq/ml", "UNITS_NOT_SUV"),
        ("g/ml", "UNITS_NOT_SUV"),
        ("umol/min/ml", "UNITS_NOT_SUV"),
        ("{counts}", "CNTS_NO_FACTOR"),
        ("{counts}/s", "CPS_UNSUPPORTED"),
        ("{propcounts}", "UNITS_NOT_QUANTITATIVE"),
        ("{propcounts}/s", "UNITS_NOT_QUANTITATIVE"),
        ("/cm", "UNITS_NOT_QUANTITATIVE"),
        ("%", "UNITS_NOT_QUANTITATIVE"),
        ("cm2", "UNITS_NOT_QUANTITATIVE"),
        ("1", "UNITS_NOT_QUANTITATIVE"),
    ],
)
def test_another_unit_is_refused_as_its_classic_term_is(codes_of, e, unit, code):
    assert codes_of(e.enhanced_pet(mappings=[e.mapping(unit=unit)])) == [code]


def test_counts_take_the_factor_of_the_user_and_never_that_of_a_classic_image(suv_of, codes_of, e):
    scan = e.enhanced_pet(mappings=[e.mapping(unit="{counts}")])
    scan.Manufacturer = "Philips Medical Systems"
    block = scan.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.001")
    block.add_new(0x09, "DS", "3.0")
    assert codes_of(scan) == ["CNTS_NO_FACTOR"]
    values, _ = suv_of(scan, overrides=Overrides(counts_to_bqml=0.5))
    np.testing.assert_allclose(values, e.STORED * 2.0 * 0.5 * e.FACTOR, rtol=1e-12)


def test_without_a_mapping_the_pixel_transformation_counts_and_its_unit_is_asked_for(codes_of, suv_of, e):
    scan = e.enhanced_pet(mappings=[])
    for frame in scan.PerFrameFunctionalGroupsSequence:
        frame.PixelValueTransformationSequence[0].RescaleSlope = 2
    assert codes_of(scan) == ["UNITS_MISSING"]
    values, _ = suv_of(scan, overrides=Overrides(units="BQML"))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_stored_numbers_outside_the_mapped_range_are_refused(codes_of, e):
    largest = int(e.STORED.max())
    assert codes_of(e.enhanced_pet(mappings=[e.mapping(last=largest - 1)])) == ["STORED_VALUE_UNMAPPED"]


def test_stored_numbers_at_the_ends_of_the_mapped_range_are_read(suv_of, e):
    first, last = int(e.STORED.min()), int(e.STORED.max())
    values, _ = suv_of(e.enhanced_pet(mappings=[e.mapping(first=first, last=last)]))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


@pytest.mark.parametrize(("last", "codes"), [(1e9, []), (10.0, ["STORED_VALUE_UNMAPPED"])])
def test_a_range_in_doubles_is_held_to_as_well(suv_of, codes_of, e, last, codes):
    made = e.mapping()
    del made[0x00409216], made[0x00409211]
    made.DoubleFloatRealWorldValueFirstValueMapped = -1e9
    made.DoubleFloatRealWorldValueLastValueMapped = last
    if codes:
        assert codes_of(e.enhanced_pet(mappings=[made])) == codes
    else:
        values, _ = suv_of(e.enhanced_pet(mappings=[made]))
        np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_a_range_that_descends_as_signed_is_one_of_unsigned_numbers(suv_of, e):
    values, _ = suv_of(e.enhanced_pet(mappings=[e.mapping(first=0, last=-1)]))  # 0 to 65535 as US
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_floating_point_pixels_are_read_frame_by_frame(suv_of, e):
    stored = np.linspace(0.25, 900.5, e.STORED.size, dtype=np.float32).reshape(e.SHAPE)
    scan = e.enhanced_pet()
    del scan.PixelData, scan.PixelRepresentation, scan.BitsStored, scan.HighBit
    scan.BitsAllocated, scan.FloatPixelData = 32, stored.astype("<f4").tobytes()
    made = e.mapping()
    del made[0x00409216], made[0x00409211]
    scan.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = Items([made])
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, stored.astype(float) * 2.0 * e.FACTOR, rtol=1e-12)


def test_two_mappings_to_one_unit_that_are_one_line_cover_both_ranges(suv_of, e):
    mappings = [e.mapping(first=-32768, last=2000), e.mapping(first=2001, last=32767)]
    values, _ = suv_of(e.enhanced_pet(mappings=mappings))
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_two_mappings_to_one_unit_that_differ_are_refused(codes_of, e):
    mappings = [e.mapping(slope=2.0, last=2000), e.mapping(slope=3.0, first=2001)]
    assert codes_of(e.enhanced_pet(mappings=mappings)) == ["MAPPING_AMBIGUOUS"]


def test_units_that_differ_between_frames_are_refused(codes_of, e):
    mappings = [[e.mapping()]] * 3 + [[e.mapping(unit="g/ml{SUVbw}")]]
    assert "MIXED_VALUES" in codes_of(e.enhanced_pet(mappings=mappings))


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_a_slope_that_is_no_positive_number_is_refused_by_the_name_it_has(tmp_path, e, slope):
    scan = e.save(tmp_path / "scan", e.enhanced_pet(mappings=[e.mapping(slope=slope)]))
    opened = open_study(scan, Choices())
    (finding,) = study_refusals(opened, Choices())
    assert finding.code == "RESCALE_SLOPE_INVALID"
    assert (finding.keyword, finding.tag) == ("RealWorldValueSlope", "(0040,9225)")


def test_an_intercept_is_applied_and_flagged(suv_of, e):
    values, opened = suv_of(e.enhanced_pet(mappings=[e.mapping(slope=2.0, intercept=-50.0)]))
    np.testing.assert_allclose(values, (e.STORED * 2.0 - 50.0) * e.FACTOR, rtol=1e-12)
    assert "RESCALE_INTERCEPT_NONZERO" in flags_of(opened)


# --- frames, stacks, files ---


def test_frames_in_any_order_lie_where_they_say(suv_of, e):
    order = [2, 0, 3, 1]
    at = [e.positions()[k] for k in order]
    slopes = [[e.mapping(slope=1.0 + k)] for k in order]
    values, _ = suv_of(e.enhanced_pet(e.STORED[order], at=at, mappings=slopes))
    np.testing.assert_allclose(values, e.STORED * np.arange(1.0, 5)[:, None, None] * e.FACTOR, rtol=1e-12)


def test_several_files_make_one_series(suv_of, e):
    beds = [
        e.enhanced_pet(e.STORED[:2], at=e.positions(2), number=1),
        e.enhanced_pet(e.STORED[2:], at=e.positions(2, start=6.0), number=2, acquired="20250101110500"),
    ]
    random.Random(1).shuffle(beds)  # noqa: S311 - any order
    values, opened = suv_of(*beds)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert len(opened.index.series) == 1


def test_files_that_are_corrected_to_different_times_are_refused(codes_of, e):
    beds = [
        e.enhanced_pet(e.STORED[:2], at=e.positions(2), number=1),
        e.enhanced_pet(e.STORED[2:], at=e.positions(2, start=6.0), number=2),
    ]
    beds[1].DecayCorrectionDateTime = "20250101110500"
    assert codes_of(*beds) == ["MIXED_VALUES"]


def test_several_stacks_that_continue_each_other_are_one_volume(suv_of, e):
    scan = e.enhanced_pet()
    for k, frame in enumerate(scan.PerFrameFunctionalGroupsSequence):
        content = frame.FrameContentSequence[0]
        content.StackID, content.InStackPositionNumber = str(1 + k // 2), 1 + k % 2
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_a_missing_plane_is_refused(codes_of, e):
    kept = [0, 1, 2, 4, 5]
    at = [e.positions(6)[k] for k in kept]
    stored = np.concatenate([e.STORED, e.STORED[:1]])
    assert codes_of(e.enhanced_pet(stored, at=at)) == ["SLICE_MISSING"]


def test_two_images_at_one_position_and_time_are_refused(codes_of, e):
    at = [*e.positions(3), e.positions(3)[2]]
    assert codes_of(e.enhanced_pet(at=at)) == ["SLICE_DUPLICATED"]


def test_a_byte_equal_copy_of_the_file_is_dropped(suv_of, e):
    values, opened = suv_of(e.enhanced_pet(), e.enhanced_pet())
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert "COPY_DROPPED" in flags_of(opened)


def test_an_enhanced_image_and_its_classic_copy_are_two_series(codes_of, suv_of, e):
    assert codes_of(e.enhanced_pet(), *e.classic_slices()) == ["SERIES_AMBIGUOUS"]
    values, opened = suv_of(e.enhanced_pet(), *e.classic_slices(), series=f"{e.UID}.4")
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert opened.conversion.timing.verdict.rule == "S: series time"


def test_classic_and_enhanced_in_one_series_are_refused(codes_of, e):
    classic = e.classic_slices()
    for k, image in enumerate(classic):
        image.SeriesInstanceUID = f"{e.UID}.2"
        image.ImagePositionPatient = [0, 0, 12 + 3 * k]
    assert "MIXED_VALUES" in codes_of(e.enhanced_pet(), *classic)


def dynamic(e, *, differ_by):
    """Two time frames of two slices."""
    at = e.positions(2) * 2
    starts = ("20250101110000",) * 2 + ("20250101110500" if differ_by == "time" else "20250101110000",) * 2
    scan = e.enhanced_pet(at=at, acquired=starts)
    for k, frame in enumerate(scan.PerFrameFunctionalGroupsSequence):
        if differ_by == "index":
            frame.FrameContentSequence[0].TemporalPositionIndex = 1 + k // 2
        if differ_by == "trigger":
            frame.CardiacSynchronizationSequence = e.one(NominalCardiacTriggerDelayTime=200.0 * (k // 2))
    return scan


@pytest.mark.parametrize("differ_by", ["time", "index"])
def test_a_dynamic_image_is_measured_by_the_frame(codes_of, suv_of, e, differ_by):
    scan = dynamic(e, differ_by=differ_by)
    assert codes_of(scan) == ["SERIES_DYNAMIC"]
    values, _ = suv_of(scan, frame=2)
    np.testing.assert_allclose(values, e.STORED[2:] * 2.0 * e.FACTOR, rtol=1e-12)


def test_the_refusal_of_a_dynamic_image_lists_its_frames(tmp_path, e):
    opened = open_study(e.save(tmp_path / "scan", dynamic(e, differ_by="time")), Choices())
    (finding,) = study_refusals(opened, Choices())
    assert "1 (20250101110000, 300000 ms, 2 slices), 2 (20250101110500, 300000 ms, 2 slices)" in finding.found


def test_a_gated_image_is_measured_by_the_gate(codes_of, suv_of, e):
    scan = dynamic(e, differ_by="trigger")
    assert codes_of(scan) == ["SERIES_GATED"]
    values, _ = suv_of(scan, gate=2)
    np.testing.assert_allclose(values, e.STORED[2:] * 2.0 * e.FACTOR, rtol=1e-12)


def test_a_projection_is_no_volume(codes_of, e):
    scan = e.enhanced_pet()
    scan.VolumeBasedCalculationTechnique = "MAX_IP"
    assert "SERIES_NOT_VOLUME" in codes_of(scan)


# --- files that are not as they say ---


def test_frames_without_their_groups_are_damage(codes_of, e):
    scan = e.enhanced_pet()
    scan.NumberOfFrames = 5
    assert codes_of(scan) == ["FILE_NOT_UNDERSTOOD"]


@pytest.mark.parametrize(("n", "code"), [(-2, "FILE_TRUNCATED"), (2, "FILE_NOT_UNDERSTOOD")])
def test_pixels_must_be_those_of_all_frames(codes_of, e, n, code):
    scan = e.enhanced_pet()
    scan.PixelData = (scan.PixelData + bytes(2))[: len(scan.PixelData) + n]
    assert codes_of(scan) == [code]


def test_a_damaged_enhanced_file_elsewhere_does_not_stop_the_study(suv_of, e):
    other = e.enhanced_pet()
    other.SeriesInstanceUID, other.NumberOfFrames = f"{e.UID}.8", 5
    values, opened = suv_of(e.enhanced_pet(), other, series=f"{e.UID}.2")
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert "FILE_DAMAGED" in flags_of(opened)


@pytest.mark.parametrize("group", ["PlanePositionSequence", "FrameContentSequence"])
def test_a_frame_without_its_place_is_refused_and_without_its_times_is_not(codes_of, suv_of, e, group):
    scan = e.enhanced_pet()
    del scan.PerFrameFunctionalGroupsSequence[1][group]
    if group == "PlanePositionSequence":
        assert codes_of(scan) == ["GEOMETRY_MISSING"]
    else:
        values, _ = suv_of(scan)
        np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)


def test_lossy_compression_is_refused(codes_of, e):
    scan = e.enhanced_pet()
    scan.LossyImageCompression = "01"
    assert codes_of(scan) == ["LOSSY_COMPRESSION"]


def test_check_has_pydicom_read_the_header_as_well(tmp_path, e):
    (checked,) = check(e.save(tmp_path / "scan", e.enhanced_pet()))
    assert checked.is_computable


# --- encodings ---


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("is_undefined", [False, True])
def test_every_native_encoding_gives_the_same(tmp_path, e, syntax, is_undefined):
    scan = e.enhanced_pet(mappings=[[e.mapping(slope=1.0 + k)] for k in range(4)])
    if syntax == ExplicitVRBigEndian:
        scan.PixelData = e.STORED.astype(">i2").tobytes()
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        scan[keyword].is_undefined_length = is_undefined
        for group in scan[keyword].value:
            group.is_undefined_length_sequence_item = is_undefined
            for element in group:
                element.is_undefined_length = is_undefined
    scan.file_meta.TransferSyntaxUID = syntax
    path = tmp_path / "scan.dcm"
    scan.save_as(
        path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian,
        enforce_file_format=True,
    )  # fmt: skip
    opened = open_study(path, Choices())
    assert not study_refusals(opened, Choices())
    values = opened.volume().values() * opened.conversion.scale("bw").factor
    np.testing.assert_allclose(values, e.STORED * np.arange(1.0, 5)[:, None, None] * e.FACTOR, rtol=1e-12)


@pytest.mark.parametrize("packing", ["RLE", "JPEG-LS", "JPEG 2000"])
@pytest.mark.parametrize("has_table", [True, False])
def test_packed_frames_give_the_stored_numbers(suv_of, e, packing, has_table):
    syntax, plugin, module = {
        "RLE": (RLELossless, "pydicom", "pydicom"),
        "JPEG-LS": (JPEGLSLossless, "pyjpegls", "jpeg_ls"),
        "JPEG 2000": (JPEG2000Lossless, "pylibjpeg", "openjpeg"),
    }[packing]
    pytest.importorskip(module, reason="the decoder is not installed")
    stored = np.arange(4 * 32 * 32, dtype=np.int16).reshape(4, 32, 32)
    scan = e.enhanced_pet(stored)
    scan.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    if not has_table:
        frames = list(generate_frames(scan.PixelData, number_of_frames=4))
        scan.PixelData = encapsulate(frames, has_bot=False)
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, stored * 2.0 * e.FACTOR, rtol=1e-12)


@pytest.mark.parametrize("has_table", [True, False])
def test_fragments_of_a_frame_are_told_apart_by_the_table_alone(suv_of, codes_of, e, has_table):
    pytest.importorskip("jpeg_ls", reason="the decoder is not installed")
    scan = e.enhanced_pet()
    scan.compress(JPEGLSLossless, encoding_plugin="pyjpegls", generate_instance_uid=False)
    frames = list(generate_frames(scan.PixelData, number_of_frames=4))
    scan.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=has_table)
    if has_table:
        values, _ = suv_of(scan)
        np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    else:
        assert codes_of(scan) == ["PIXELS_UNSUPPORTED"]


def test_every_packed_frame_is_decoded_once_and_alone(suv_of, e, monkeypatch):
    from petquant.dicom import fragments  # noqa: PLC0415 - to count what is read of the file

    scan = e.enhanced_pet()
    scan.compress(RLELossless, generate_instance_uid=False)
    longest = []
    real = fragments.pread
    monkeypatch.setattr(fragments, "pread", lambda d, n, at: longest.append(n) or real(d, n, at))
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert sum(longest) <= len(scan.PixelData) + 8  # all fragments and heads, once


def test_items_that_do_not_fit_are_damage(tmp_path, e):
    scan = e.enhanced_pet()
    scan.PerFrameFunctionalGroupsSequence[0].RealWorldValueMappingSequence = Items([e.mapping()])
    folder = e.save(tmp_path / "scan", scan)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    head = content.index(b"\x40\x00\x25\x92FD\x08\x00")  # RealWorldValueSlope of 8 bytes
    path.write_bytes(content[: head + 4] + b"FD\x06\x00" + content[head + 8 :])
    with pytest.raises(UnreadableInput) as caught:
        open_study(folder, Choices())
    assert caught.value.findings[0].code == "FILE_NOT_UNDERSTOOD"


def test_more_frames_than_an_honest_file_has_are_a_limit(tmp_path, e):
    scan = e.enhanced_pet()
    scan.NumberOfFrames = 100_001
    with pytest.raises(LimitReached) as caught:
        open_study(e.save(tmp_path / "scan", scan), Choices())
    assert caught.value.findings[0].code == "SIZE_LIMIT"


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "RescaleSlope"])
def test_the_witness_objects_when_a_frame_was_read_otherwise(tmp_path, e, keyword):
    scan = e.enhanced_pet(mappings=[[e.mapping(slope=1.0 + k)] for k in range(4)])
    frames = open_study(e.save(tmp_path / "scan", scan), Choices()).stack.instances
    confirm(frames[2])
    wrong = replace(frames[2], values=frames[2].values | {TAG[keyword]: frames[1].values[TAG[keyword]]})
    with pytest.raises(UnreadableInput):
        confirm(wrong)
