"""A NIfTI image is judged by its side-car, in any dialect, as a DICOM series is by its header.

The worked scan of suv.md section 18: 350 MBq of 18F at 10:00, scan and decay reference at 11:00, 75 kg:
k = 75000 / (350e6 * 2^(-3600 / 6586.2)) = 3.1299359e-4 g/Bq.
"""

from __future__ import annotations

import gzip
import json
import math

import nibabel as nib
import numpy as np
import pytest

from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput, UsageError
from petquant.overrides import Overrides
from petquant.study import Choices, open_study

T_HALF = 6586.2
FACTOR = 75000.0 / (350e6 * 2.0 ** (-3600.0 / T_HALF))
LAMBDA = math.log(2.0) / T_HALF
X = LAMBDA * 300.0
AVERAGE_S = math.log(X / -math.expm1(-X)) / LAMBDA  # of a frame of 300 s, suv.md section 2
EXACT = 1e-12

BIDS = {
    "Units": "Bq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "TimeZero": "11:00:00",
    "ScanStart": 0,
    "InjectionStart": -3600,
    "FrameTimesStart": [0],
    "FrameDuration": [300],
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "AttenuationCorrection": "CT-based",
}
OF_2024 = {
    "Units": "Bq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "18Fluorine",
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "RadionuclideHalfLife": T_HALF,
    "DecayCorrection": "START",
    "DecayFactor": [math.exp(LAMBDA * AVERAGE_S)],
    "AcquisitionTime": "11:00:00.000000",
    "FrameTimesStart": [0],
    "FrameDuration": [300],
    "PatientWeight": 75,
    "AttenuationCorrection": "CT-based",
}
OF_2022 = {
    "Units": "BQML",
    "Radiopharmaceutical": "F-18 FDG",
    "RadionuclideTotalDose": 350000000.0,
    "RadionuclideHalfLife": T_HALF,
    "DecayCorrection": "START",
    "DecayFactor": [math.exp(LAMBDA * AVERAGE_S)],
    "AcquisitionTime": "11:00:00.000000",
    "FrameTimesStart": [0],
    "FrameDuration": [300],
    "AttenuationCorrectionMethod": "measured,AC_CT",
}


@pytest.fixture
def image(tmp_path):
    """Write an image, with a side-car unless that is None, and return its path."""

    def write(sidecar=None, *, shape=(4, 4, 3), name="pet.nii.gz", edit=None, values=None):
        content = np.full(shape, 1000.0, np.float32) if values is None else values
        made = nib.Nifti1Image(content, np.diag([2.0, 2.0, 2.0, 1.0]))
        made.set_sform(made.affine, code=1)
        made.set_qform(made.affine, code=1)
        if edit is not None:
            edit(made.header)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(made, path)
        if sidecar is not None:
            text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
            path.with_name(f"{name.rpartition('/')[2].split('.')[0]}.json").write_text(text, encoding="utf-8")
        return path

    return write


def opened(path, *, frame=None, **overrides):
    return open_study(path, Choices(frame=frame, overrides=Overrides(**overrides)))


def factor(study):
    scale = study.conversion.scale("bw")
    assert scale is not None, [f.line() for f in study.conversion.refusals(("bw",))]
    return scale.factor if isinstance(scale.factor, float) else scale.factor[0]


def refusals(study):
    return {finding.code for finding in study.conversion.refusals(("bw",))}


def codes(study):
    return {finding.code for finding in (*study.findings, *study.conversion.findings)}


def line(study, code):
    return " | ".join(f.line() for f in study.conversion.findings if f.code == code)


def without(sidecar, *keys, **changes):
    return {key: value for key, value in sidecar.items() if key not in keys} | changes


# The dialects ---------------------------------------------------------------------------------------------


def test_the_worked_value_of_the_specification():
    assert pytest.approx(3.1299359e-4, rel=1e-7) == FACTOR


def test_bids_states_everything_but_weight_and_half_life(image):
    study = opened(image(BIDS), weight_kg=75.0)
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)
    assert study.conversion.timing.verdict.rule == "T: stated in the file"
    assert "HALF_LIFE_FROM_NUCLIDE" in codes(study)
    assert "18F" in line(study, "HALF_LIFE_FROM_NUCLIDE")
    assert {"SIDECAR_DIALECT", "OVERRIDE", "HALF_LIFE_FROM_NUCLIDE"} == codes(study)


@pytest.mark.parametrize("how", [{"injection_time": "10:00:00"}, {"uptake_min": 60.0}])
@pytest.mark.parametrize("dialect", [OF_2022, OF_2024], ids=["2022", "2024"])
def test_dcm2niix_needs_the_injection_from_the_user(dialect, how, image):
    path = image(dialect)
    missing = opened(path, weight_kg=75.0)
    assert refusals(missing) == {"SIDECAR_TIMES_MISSING"}
    assert "--injection-time" in line(missing, "SIDECAR_TIMES_MISSING")
    assert "--uptake-min" in line(missing, "SIDECAR_TIMES_MISSING")
    study = opened(path, weight_kg=75.0, **how)
    # clock times of a side-car hold microseconds: 1e-6 s of 6586 s
    assert factor(study) == pytest.approx(FACTOR, rel=1e-9)
    assert study.conversion.uptake_time_min == pytest.approx(60.0, abs=1e-9)


def test_dcm2niix_hears_the_decay_factor_and_not_its_own_decay_correction_time(image):
    # corrected to 10:30, half an hour before the acquisition: DF = 2^((1800 + T_ave) / T_half), dt = 1800 s
    decay_factor = math.exp(LAMBDA * (1800.0 + AVERAGE_S))
    sidecar = OF_2024 | {
        "DecayFactor": [decay_factor],
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "ScanStart": 0,
        "SeriesTime": "11:20:00",
    }
    study = opened(image(sidecar), injection_time="10:00:00")
    assert factor(study) == pytest.approx(75000.0 / (350e6 * 2.0 ** (-1800.0 / T_HALF)), rel=1e-9)
    assert study.conversion.timing.verdict.rule.startswith("D")


def test_dcm2niix_takes_the_series_time_as_a_dicom_header_does(image):
    sidecar = OF_2024 | {"SeriesTime": "11:00:00"}
    study = opened(image(sidecar), injection_time="10:00:00")
    assert study.conversion.timing.verdict.rule.startswith("S")
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)


def test_the_two_generations_state_the_same_activity(image):
    old = opened(image(OF_2022), weight_kg=75.0, uptake_min=60.0)
    new = opened(image(OF_2024), weight_kg=75.0, uptake_min=60.0)
    assert old.conversion.injected_activity_bq == new.conversion.injected_activity_bq == 350e6
    assert factor(old) == factor(new)


@pytest.mark.parametrize(
    ("number", "unit", "bq"),
    [
        (350, "MBq", 350e6),
        (350000, "kBq", 350e6),
        (0.35, "GBq", 350e6),
        (10, "mCi", 370e6),
        (5000, "Bq", 5000.0),
    ],
)
def test_the_unit_decides_what_the_activity_is(number, unit, bq, image):
    sidecar = BIDS | {"InjectedRadioactivity": number, "InjectedRadioactivityUnits": unit}
    assert opened(image(sidecar)).conversion.injected_activity_bq == pytest.approx(bq, rel=EXACT)


def test_an_activity_without_unit_is_mbq_and_flagged(image):
    study = opened(image(without(BIDS, "InjectedRadioactivityUnits")), weight_kg=75.0)
    assert "SIDECAR_ACTIVITY_UNITS_ASSUMED" in codes(study)
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)
    lifted = opened(image(without(BIDS, "InjectedRadioactivityUnits")), weight_kg=75.0, dose_mbq=350.0)
    assert "SIDECAR_ACTIVITY_UNITS_ASSUMED" not in codes(lifted)


def test_an_activity_in_an_unknown_unit_is_refused(image):
    study = opened(image(BIDS | {"InjectedRadioactivityUnits": "cpm"}), weight_kg=75.0)
    assert refusals(study) == {"DOSE_UNIT_AMBIGUOUS"}
    assert "350 cpm" in line(study, "DOSE_UNIT_AMBIGUOUS")


@pytest.mark.parametrize("unit", ["MBq", None])
@pytest.mark.parametrize("other", [350e6, 350, 340e6, 330e6, 700e6, 0.35])
def test_two_activities_that_differ_by_more_than_5_percent_are_refused(unit, other, image):
    both = BIDS | {"RadionuclideTotalDose": other, "InjectedRadioactivityUnits": unit}
    study = opened(image(both), weight_kg=75.0)
    if other in {350e6, 350, 340e6}:
        assert factor(study) == pytest.approx(FACTOR, rel=EXACT)
        return
    assert refusals(study) == {"SIDECAR_ACTIVITIES_DISAGREE"}
    assert factor(opened(image(both), weight_kg=75.0, dose_mbq=350.0)) == pytest.approx(FACTOR, rel=EXACT)


def test_the_older_key_keeps_the_guard_for_mbq(image):
    study = opened(image(OF_2022 | {"RadionuclideTotalDose": 350}), weight_kg=75.0, uptake_min=60.0)
    assert "DOSE_IN_MBQ" in codes(study)
    assert refusals(
        opened(image(OF_2022 | {"RadionuclideTotalDose": 35000}), weight_kg=75.0, uptake_min=60.0)
    ) == {"DOSE_UNIT_AMBIGUOUS"}


@pytest.mark.parametrize("words", ["F18", "18F", "^18^Fluorine", "18Fluorine", "fluorine-18"])
def test_the_nuclide_is_known_by_any_of_its_names(words, image):
    study = opened(image(without(BIDS, "TracerName") | {"TracerRadionuclide": words}), weight_kg=75.0)
    assert study.conversion.half_life.half_life_s == T_HALF


def test_without_nuclide_the_half_life_is_missing(image):
    study = opened(image(without(BIDS, "TracerRadionuclide", "TracerName")), weight_kg=75.0)
    assert refusals(study) == {"HALF_LIFE_MISSING"}


# Times ----------------------------------------------------------------------------------------------------


def test_a_decay_correction_to_the_injection_needs_no_decay(image):
    study = opened(image(BIDS | {"ImageDecayCorrectionTime": -3600}), weight_kg=75.0)
    assert factor(study) == pytest.approx(75000.0 / 350e6, rel=EXACT)


def test_time_zero_may_be_the_injection(image):
    sidecar = BIDS | {
        "TimeZero": "10:00:00",
        "InjectionStart": 0,
        "ScanStart": 3600,
        "FrameTimesStart": [3600],
        "ImageDecayCorrectionTime": 3600,
    }
    assert factor(opened(image(sidecar), weight_kg=75.0)) == pytest.approx(FACTOR, rel=EXACT)


def test_intervals_alone_are_enough_and_no_clock_is_invented(image):
    study = opened(image(without(BIDS, "TimeZero")), weight_kg=75.0)
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)
    refused = opened(image(without(BIDS, "TimeZero")), weight_kg=75.0, injection_time="10:00:00")
    assert "SIDECAR_TIMES_MISSING" in refusals(refused)


@pytest.mark.parametrize(
    "times",
    [
        {"injection_datetime": "2025-01-01T10:00:00"},
        {"uptake_min": 60.0, "decay_reference": "2025-01-01T11:00:00"},
        {"uptake_min": 60.0, "assay_mbq": 360.0, "assay_time": "2025-01-01T09:50:00"},
    ],
)
def test_a_date_says_nothing_about_a_scan_without_one(times, image):
    study = opened(image(OF_2024), **times)
    assert "nothing says the date of the scan" in line(study, "SIDECAR_TIMES_MISSING")


def test_an_image_that_is_not_corrected_takes_the_formula_of_its_frame(image):
    # k = W/D x exp(lambda (t - t_adm)) / (1 - exp(-x)), suv.md section 2
    sidecar = without(BIDS, "ImageDecayCorrectionTime") | {"ImageDecayCorrected": False}
    expected = 75000.0 / 350e6 * X * math.exp(LAMBDA * 3600.0) / -math.expm1(-X)
    assert factor(opened(image(sidecar), weight_kg=75.0)) == pytest.approx(expected, rel=EXACT)


def test_admin_needs_neither_time_nor_half_life(image):
    study = opened(image(without(OF_2024, "DecayFactor") | {"DecayCorrection": "ADMIN"}))
    assert factor(study) == pytest.approx(75000.0 / 350e6, rel=EXACT)


def test_two_keys_that_contradict_each_other_on_decay_are_refused(image):
    study = opened(image(BIDS | {"DecayCorrection": "NONE"}), weight_kg=75.0)
    assert "DECAY_CORRECTION_CONTRADICTION" in refusals(study)
    lifted = opened(image(BIDS | {"DecayCorrection": "NONE"}), weight_kg=75.0, decay_correction="START")
    assert factor(lifted) == pytest.approx(FACTOR, rel=EXACT)


def test_injection_and_static_scan_at_once_are_refused(image):
    path = image(BIDS | {"InjectionStart": 0})
    study = opened(path, weight_kg=75.0)
    assert refusals(study) == {"SIDECAR_INJECTION_EQUALS_SCAN"}
    for option in ("--injection-time", "--uptake-min", "--trust-sidecar-times"):
        assert option in line(study, "SIDECAR_INJECTION_EQUALS_SCAN")
    trusted = opened(path, weight_kg=75.0, trust_sidecar_times=True)
    assert factor(trusted) / FACTOR == pytest.approx(2.0 ** (-3600.0 / T_HALF), rel=EXACT)  # 0.6846
    for how in ({"uptake_min": 60.0}, {"injection_time": "10:00:00"}):
        assert factor(opened(path, weight_kg=75.0, **how)) == pytest.approx(FACTOR, rel=EXACT)


def test_a_dynamic_scan_may_begin_with_the_injection(image):
    sidecar = BIDS | {"InjectionStart": 0, "FrameTimesStart": [0, 300], "FrameDuration": [300, 300]}
    study = opened(image(sidecar, shape=(4, 4, 3, 2)), frame=2, weight_kg=75.0)
    assert factor(study) == pytest.approx(75000.0 / 350e6, rel=EXACT)
    assert study.conversion.uptake_time_min == 5.0


def test_out_of_a_window_a_volume_gives_its_totals_alone(image):
    values = np.random.default_rng(7).normal(size=(8, 6, 3)).astype(np.float32)
    study = opened(image(BIDS, shape=values.shape, values=values), weight_kg=75.0)
    whole = study.volume()
    part = study.volume(keep=np.array([False, True, True]), window=((1, 3), (2, 6)))  # 8 of 48 in a slice
    assert part.stored.shape == (3, 2, 4)
    within = np.ravel_multi_index(np.meshgrid([1, 2], [1, 2], range(2, 6), indexing="ij"), (3, 6, 8)).ravel()
    np.testing.assert_array_equal(part.at(within), whole.at(within))
    np.testing.assert_array_equal(part.totals.total, whole.totals.total)
    for outside in (0, 2 * 48):  # slice 0; row 0 of slice 2
        with pytest.raises(LookupError):
            part.at([outside])


def test_which_ct_belongs_to_it_a_nifti_image_does_not_say(image):
    with pytest.raises(Refused, match=r"CT_MISSING: .*give the study in DICOM"):
        opened(image(BIDS), weight_kg=75.0).ct()


def test_a_decay_factor_that_contradicts_the_stated_reference_is_refused(image):
    # DF of a reference 30 min before the scan, where the side-car says the scan: SUV would change by 17 %
    sidecar = BIDS | {"DecayFactor": [math.exp(LAMBDA * (1800.0 + AVERAGE_S))]}
    study = opened(image(sidecar), weight_kg=75.0)
    assert refusals(study) == {"REF_TIME_UNRESOLVED"}
    lifted = opened(image(sidecar), weight_kg=75.0, decay_reference="acquisition")
    assert factor(lifted) == pytest.approx(FACTOR, rel=EXACT)


def test_a_corrected_image_without_its_reference_is_refused(image):
    study = opened(image(without(BIDS, "ImageDecayCorrectionTime")), weight_kg=75.0)
    assert refusals(study) == {"SIDECAR_TIMES_MISSING"}
    assert "ImageDecayCorrectionTime" in line(study, "SIDECAR_TIMES_MISSING")
    assert "--decay-reference" in line(study, "SIDECAR_TIMES_MISSING")


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((4, 4, 3), {"FrameTimesStart": [0, 300]}),
        ((4, 4, 3), {"FrameDuration": [300, 300]}),
        # cumulative end times in place of durations, as a public example has them
        ((4, 4, 3, 3), {"FrameTimesStart": [0, 300, 600], "FrameDuration": [300, 600, 900]}),
        ((4, 4, 3), {"ScanStart": 3600}),
    ],
)
def test_frame_times_that_contradict_each_other_are_refused(shape, changes, image):
    frame = 1 if len(shape) == 4 else None
    study = opened(image(BIDS | changes, shape=shape), frame=frame, weight_kg=75.0)
    assert refusals(study) == {"SIDECAR_FRAMES_INCONSISTENT"}


@pytest.mark.parametrize("words", ["25:00:00", "noon", "11:00", "١١:٠٠:٠٠"])
def test_a_time_zero_that_cannot_be_read_is_refused(words, image):
    assert "TIME_UNPARSABLE" in refusals(opened(image(BIDS | {"TimeZero": words}), weight_kg=75.0))


def test_midnight_lies_between_series_and_acquisition(image):
    sidecar = OF_2024 | {"SeriesTime": "23:59:59", "AcquisitionTime": "00:00:00.500000"}
    study = opened(image(sidecar), uptake_min=60.0)
    # dt = 3600 s - 1.5 s, counted to the series time
    expected = 75000.0 / (350e6 * 2.0 ** (-3598.5 / T_HALF))
    assert factor(study) == pytest.approx(expected, rel=EXACT)


# Units, weight, attenuation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "suv_type"),
    [
        ({"Units": "g/ml"}, "BW"),
        ({"Units": "GML", "SUVType": "LBMJANMA"}, "LBMJANMA"),
        ({"Units": "g/ml{SUVbw}"}, "BW"),
        ({"Units": "g/ml{SUVlbm(Janma)}"}, "LBMJANMA"),
        ({"Units": "SUVbw"}, "BW"),
    ],
)
def test_stored_suv_needs_no_dose_and_no_time(sidecar, suv_type, image):
    study = opened(image(sidecar), weight_kg=75.0, height_m=1.85, sex="M")
    assert study.conversion.stored.suv.suv_type == suv_type
    assert refusals(study) == set()


def test_a_bare_image_is_refused_with_the_way_out(image):
    study = opened(image())
    assert "NIFTI_UNITS_UNKNOWN" in refusals(study)
    assert "--units suv" in line(study, "NIFTI_UNITS_UNKNOWN")


def test_a_bare_image_of_suv_is_what_the_user_says(image):
    study = opened(image(), units="suv")
    assert refusals(study) == set()
    assert factor(study) == 1.0


def test_a_bare_image_of_bqml_works_with_explicit_options(image):
    study = opened(
        image(),
        units="bqml",
        weight_kg=75.0,
        dose_mbq=350.0,
        half_life=str(T_HALF),
        decay_correction="START",
        decay_reference="acquisition",
        uptake_min=60.0,
    )
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)


def test_other_units_are_refused_by_their_name(image):
    study = opened(image(BIDS | {"Units": "kBq/mL"}), weight_kg=75.0)
    assert "kBq/mL" in line(study, "UNITS_NOT_SUV")


def test_a_missing_weight_is_refused(image):
    assert refusals(opened(image(BIDS))) == {"WEIGHT_MISSING"}


@pytest.mark.parametrize(
    ("table", "dictionary", "code"),
    [
        ("participant_id\tage\tweight\nsub-02\t50\t99\nsub-01\t60\t75\n", None, None),
        ("participant_id\tweight\nsub-01\tn/a\n", None, "WEIGHT_MISSING"),
        ("participant_id\tage\nsub-01\t60\n", None, "WEIGHT_MISSING"),
        ("participant_id\tweight\nsub-01\t165\n", {"weight": {"Units": "lb"}}, "WEIGHT_MISSING"),
        ("participant_id\tweight\nsub-01\theavy\n", None, "VALUE_NOT_FINITE"),
    ],
)
def test_the_weight_of_a_bids_dataset_stands_with_its_participants(table, dictionary, code, image, tmp_path):
    path = image(BIDS, name="sub-01/ses-1/pet/sub-01_ses-1_pet.nii.gz")
    (tmp_path / "participants.tsv").write_text(table, encoding="utf-8")
    if dictionary is not None:
        (tmp_path / "participants.json").write_text(json.dumps(dictionary), encoding="utf-8")
    study = opened(path)
    if code is not None:
        assert refusals(study) == {code}
        return
    assert factor(study) == pytest.approx(FACTOR, rel=EXACT)
    assert study.acquisition.weight_kg.keyword == "weight in participants.tsv"


def test_a_side_car_without_attenuation_leaves_it_assumed(image):
    assert "ATTENUATION_ASSUMED" in codes(
        opened(image(without(BIDS, "AttenuationCorrection")), weight_kg=75.0)
    )
    nac = opened(image(BIDS | {"AttenuationCorrection": "none"}), weight_kg=75.0)
    assert refusals(nac) == {"SERIES_NAC"}


# The image ------------------------------------------------------------------------------------------------


def spoiled(path, at, value):
    """Write bytes into the header of an image that is not packed."""
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("at", "value", "error", "code"),
    [
        (112, np.float32(np.inf).tobytes(), Refused, "RESCALE_SLOPE_INVALID"),
        (112, np.array([1.0, np.inf], "<f4").tobytes(), Refused, "RESCALE_SLOPE_INVALID"),
        (112, np.float32(-2.0).tobytes(), Refused, "RESCALE_SLOPE_INVALID"),
        (252, np.array([0, 0], "<i2").tobytes(), Refused, "GEOMETRY_MISSING"),
        (292, np.float32(40.0).tobytes(), Refused, "PET_AFFINES_DISAGREE"),
        (42, np.array([20000] * 3, "<i2").tobytes(), LimitReached, "SIZE_LIMIT"),
        (80, np.float32(-2.0).tobytes(), UnreadableInput, "FILE_NOT_UNDERSTOOD"),
        (123, b"\x01", UnreadableInput, "FORMAT_UNSUPPORTED"),
        (123, b"\x03", UnreadableInput, "FORMAT_UNSUPPORTED"),
    ],
    ids=[
        "slope inf",
        "intercept inf",
        "slope negative",
        "no affine",
        "affines apart",
        "20000 cubed",
        "qform mirrored by a negative size",
        "lengths in metres",
        "lengths in micrometres",
    ],
)
def test_a_header_that_cannot_be_right_is_refused(at, value, error, code, image):
    path = spoiled(image(BIDS, name="pet.nii"), at, value)
    with pytest.raises(error, match=code):
        opened(path, weight_kg=75.0)


@pytest.mark.parametrize(("aside_mm", "is_refused"), [(0.05, False), (0.2, True)])
def test_axes_that_are_not_at_right_angles_are_refused(aside_mm, is_refused, image):
    # 3 steps along j of 4 voxels: 0.15 mm of 2 mm spacing pass, 0.6 mm are more than a tenth of it
    without_qform = spoiled(image(BIDS, name="pet.nii"), 252, np.int16(0).tobytes())
    path = spoiled(without_qform, 284, np.float32(aside_mm).tobytes())  # x of the second axis
    if not is_refused:
        assert factor(opened(path, weight_kg=75.0)) == pytest.approx(FACTOR, rel=EXACT)
        return
    with pytest.raises(Refused, match=r"GEOMETRY_MISSING.*right angles"):
        opened(path, weight_kg=75.0)


@pytest.mark.parametrize(
    "positions",
    [[0, 2, 4.03], [0, 4, 2], [4, 2, 0], [70, 72, 74], [0, 2], [0, 2.5, 4.5], [0, 3, 6], "all", [0, "a", 4]],
    ids=str,
)
def test_slice_positions_are_those_of_the_image_or_refused(positions, image):
    study = opened(image(BIDS | {"petquant": {"slice_positions_mm": positions}}), weight_kg=75.0)
    if positions == [0, 2, 4.03]:
        assert study.grid.slice_positions_mm.tolist() == positions
        assert "UNEVEN_SLICES" in codes(study)
        return
    (finding,) = [f for f in study.findings if f.code == "SIDECAR_SLICES_INCONSISTENT"]
    assert finding.quantities == ("*", "tbr")


def test_slice_positions_of_an_image_that_was_moved_are_refused(image):
    own = {"slice_positions_mm": [0, 2, 4.03], "series": {"origin_mm_lps": [0.0, 0.0, 2.0]}}
    assert "SIDECAR_SLICES_INCONSISTENT" in codes(opened(image(BIDS | {"petquant": own}), weight_kg=75.0))


def test_slope_and_intercept_of_the_header_are_applied(image):
    path = spoiled(
        image({"Units": "SUV"}, name="pet.nii", values=np.full((4, 4, 3), 10, np.int16)),
        112,
        np.array([0.5, 1.0], "<f4").tobytes(),
    )
    study = opened(path)
    assert "RESCALE_INTERCEPT_NONZERO" in codes(study)
    assert np.all(study.volume().values() == 6.0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_and_the_second_version_hold_the_same_values(order, image, tmp_path):
    values = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
    made = nib.Nifti2Image(values, np.diag([-2.0, -2.0, 2.0, 1.0]))
    made.set_sform(made.affine, code=1)
    path = tmp_path / "pet.nii"
    nib.save(nib.Nifti2Image(values, made.affine, made.header.as_byteswapped(order)), path)
    study = opened(path, units="suv")
    assert np.array_equal(study.volume().values(), values.transpose(2, 1, 0))
    part = study.volume(keep=np.array([False, True, False]))
    assert np.array_equal(part.slice_sums(), values.sum(axis=(0, 1)))


def test_a_frame_is_chosen_and_has_its_own_numbers(image):
    values = np.stack([np.full((4, 4, 3), n, np.float32) for n in (1.0, 2.0, 3.0)], axis=-1)
    sidecar = BIDS | {"FrameTimesStart": [0, 60, 120], "FrameDuration": [60, 60, 60]}
    path = image(sidecar, values=values)
    unchosen = opened(path, weight_kg=75.0)
    dynamic = next(f for f in unchosen.findings if f.code == "SERIES_DYNAMIC")
    assert "2 (60 s, 60 s)" in dynamic.found
    assert np.all(opened(path, frame=2, weight_kg=75.0).volume().values() == 2.0)
    with pytest.raises(UsageError, match="no frame 4"):
        opened(path, frame=4, weight_kg=75.0)


def test_a_packed_image_holds_no_more_than_its_header_declares(image):
    path = image({"Units": "SUV"})
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(10_000)))
    with pytest.raises(LimitReached, match="INFLATION_LIMIT"):
        opened(path).volume()


def test_a_truncated_image_is_not_read(image):
    path = image({"Units": "SUV"}, name="pet.nii")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableInput, match="FILE_TRUNCATED"):
        opened(path).volume()


@pytest.mark.parametrize(
    "text",
    ['{"Units": NaN}', '{"Units": "BQML", "Units": "GML"}', "[1]", "{", "[" * 100_000, "\udc80"],
    ids=["NaN", "twice", "list", "broken", "deep", "no text"],
)
def test_a_side_car_that_cannot_be_read_for_certain_is_not_read(text, image):
    path = image()
    path.with_name("pet.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadableInput, match="SIDECAR_INVALID"):
        opened(path)


@pytest.mark.parametrize("value", [True, [], {}, "x", 10**400, [None], "1_0", -1e300])
def test_a_value_of_another_kind_gives_a_code_and_no_traceback(value, image):
    for key in BIDS:
        try:
            study = opened(image(BIDS | {key: value}), weight_kg=75.0)
            study.conversion.refusals(("bw",))
        except PetquantError:
            continue


def test_what_is_written_on_during_the_run_is_noticed(image):
    path = image(BIDS)
    study = opened(path, weight_kg=75.0)
    path.with_name("pet.json").write_text(json.dumps(BIDS | {"InjectedRadioactivity": 175}), encoding="utf-8")
    with pytest.raises(Refused, match="INPUT_CHANGED"):
        study.verify_unchanged()


# Folders --------------------------------------------------------------------------------------------------


def test_a_folder_with_one_pair_is_that_study(image, tmp_path):
    image(BIDS, name="deep/er/pet.nii.gz")
    image(None, name="deep/mask.nii.gz")
    assert factor(opened(tmp_path, weight_kg=75.0)) == pytest.approx(FACTOR, rel=EXACT)


def test_a_folder_with_several_pairs_says_which(image, tmp_path):
    image(BIDS, name="a.nii.gz")
    image(BIDS, name="b.nii")
    with pytest.raises(Refused, match=r"SERIES_AMBIGUOUS.*a\.nii\.gz, b\.nii"):
        opened(tmp_path)


def test_a_folder_without_a_side_car_says_what_is_there(image, tmp_path):
    image(None, name="a.nii.gz")
    with pytest.raises(UnreadableInput, match=r"NO_DICOM.*a\.nii\.gz"):
        opened(tmp_path)
