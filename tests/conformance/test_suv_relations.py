"""What must hold between headers: relations of the physics, and no silent wrong number from any nonsense."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import numpy as np
import pytest
from petquant_phantoms import TINY, TRANSFER_SYNTAXES, Bed, write_text
from petquant_phantoms.definition import PetObject
from petquant_phantoms.dialects import DIALECTS

from petquant.errors import PetquantError
from petquant.flags import CODES, Severity
from petquant.study import Choices, open_study

# values that no standard allows are written on purpose
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

EXACT = 1e-9
ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")
STATES = ("START", "ADMIN", "NONE")
BEDS = tuple(Bed(acquired_at=ELEVEN + timedelta(seconds=190 * n), duration_s=180) for n in range(3))


def item_of(dataset):
    return dataset.RadiopharmaceuticalInformationSequence[0]


# Metamorphic relations -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_vendor_and_decay_state_gives_the_same_suv(vendor, state, judge):
    """The truth is what one stored unit is worth: factor x (stored per SUV) is 1 for every header."""
    definition = TINY.in_dialect(vendor=vendor, decay=state)
    judged = judge(definition)
    assert judged.refusals() == set()
    assert judged.error() <= EXACT


@pytest.mark.parametrize("units", ["GML", "CM2ML", "BQML", "CNTS"])
@pytest.mark.parametrize("state", STATES)
def test_every_unit_gives_the_same_suv(units, state, judge):
    vendor = "philips_cnts" if units == "CNTS" else "siemens"
    judged = judge(TINY.in_dialect(vendor=vendor, decay=state, units=units))
    assert judged.error() <= EXACT


@pytest.mark.parametrize("suv_type", ["BW", "LBM", "LBMJAMES128", "LBMJANMA", "IBW"])
@pytest.mark.parametrize("sex", ["M", "F", "O"])
def test_every_stored_suv_type_gives_the_same_suvbw(suv_type, sex, judge):
    judged = judge(TINY.with_header(units="GML", suv_type=suv_type, sex=sex))
    assert judged.error() <= EXACT


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips_cnts"])
@pytest.mark.parametrize("state", STATES)
def test_splitting_into_beds_changes_only_what_was_not_corrected(vendor, state, judge):
    judged = judge(TINY.in_dialect(vendor=vendor, decay=state).with_header(beds=BEDS))
    assert judged.error() <= EXACT
    assert isinstance(judged.conversion.scale("bw").factor, tuple) is (state == "NONE")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("changes", "ratio"),
    [
        ({"RadionuclideTotalDose": "700000000"}, 0.5),
        ({"PatientWeight": "140"}, 2.0),
        ({"PatientWeight": "140", "RadionuclideTotalDose": "700000000"}, 1.0),
    ],
)
def test_suv_goes_with_the_weight_and_against_the_dose(state, changes, ratio, judge):
    definition = TINY.in_dialect(decay=state)
    base = judge(definition).factors()
    changed = judge(replace(definition, edits=tuple(changes.items()))).factors()
    assert changed / base == pytest.approx(ratio, rel=EXACT)


@pytest.mark.parametrize(("state", "power"), [("START", 1.0), ("ADMIN", 0.0), ("NONE", 1.0)])
def test_one_half_life_more_of_uptake_doubles_the_factor(state, power, judge):
    definition = replace(
        TINY.in_dialect(decay=state),
        edits=(("RadiopharmaceuticalStartDateTime", None), ("RadiopharmaceuticalStartTime", "081013.8")),
    )
    # 10:00:00 less 6586.2 s is 08:10:13.8
    ratio = judge(definition).factors() / judge(TINY.in_dialect(decay=state)).factors()
    assert ratio == pytest.approx(2.0**power, rel=EXACT)


@pytest.mark.parametrize("state", STATES)
def test_moving_every_clock_by_the_same_time_changes_nothing(state, judge):
    definition = TINY.in_dialect(vendor="siemens", decay=state)
    base = judge(definition).factors()
    header = definition.header
    for by in (timedelta(days=-4000), timedelta(hours=13, minutes=17), timedelta(microseconds=1)):
        moved = definition.with_header(
            injected_at=header.injected_at + by,
            series_at=header.series_at + by,
            beds=tuple(replace(bed, acquired_at=bed.acquired_at + by) for bed in header.beds),
        )
        assert judge(moved).factors() / base == pytest.approx(1.0, rel=EXACT)


@pytest.mark.parametrize("kind", get_args(PetObject))
@pytest.mark.parametrize("transfer_syntax", [name for name in TRANSFER_SYNTAXES if name != "jpeg_2000"])
def test_the_encoding_of_the_file_changes_neither_factors_nor_values(transfer_syntax, kind, judge):
    definition = TINY.in_dialect(vendor="ge", decay="NONE", object=kind).with_header(beds=BEDS)
    judged, plain = judge(replace(definition, transfer_syntax=transfer_syntax)), judge(definition)
    assert np.array_equal(judged.factors(), plain.factors())
    assert np.array_equal(judged.opened.volume().values(), plain.opened.volume().values())


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_the_order_of_the_files_changes_no_factor(order, judge):
    definition = TINY.in_dialect(decay="NONE").with_header(beds=BEDS)
    assert np.array_equal(
        judge(replace(definition, instance_order=order)).factors(), judge(definition).factors()
    )


SHORT = replace(TINY, grid=replace(TINY.grid, shape=(len(BEDS), *TINY.grid.shape[1:])))  # a slice a bed

# Nonsense (O26) ---------------------------------------------------------------------------------------------

NUMBERS = (
    "PatientWeight",
    "PatientSize",
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "ActualFrameDuration",
    "FrameReferenceTime",
    "DecayFactor",
    "RescaleSlope",
    "RescaleIntercept",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "TriggerTime",
    "InstanceNumber",
)
WHOLE_NUMBERS = ("ActualFrameDuration", "InstanceNumber")
NOT_NUMBERS = ("nan", "inf", "-inf", "", "-1", "0", "1e400", "12 kg", "1,5", "1_0", "0x10", "1\\2",
               "1e300", "1e-300")  # fmt: skip
TIMES = (
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
    "TimezoneOffsetFromUTC",
)
NOT_TIMES = ("", "noon", "99999999", "00010101", "99991231", "240000", "235960", "-1", "nan", "20250101",
             "+9999", "11:00:00+0100", "1100000", "1")  # fmt: skip
WORDS = ("Units", "DecayCorrection", "CorrectedImage", "SUVType", "PatientSex", "Manufacturer", "SeriesType",
         "ImageType", "AttenuationCorrectionMethod")  # fmt: skip
NOT_WORDS = ("", "NAN", "\\\\", "BQML\\GML", "\x1b[31m", "A" * 64)


def outcome(judge, state, keyword, text, units="BQML"):
    """Return the codes, and the relative error of the factor where there is one."""

    def edit(dataset, _index):
        holder = item_of(dataset) if keyword in item_of(dataset) else dataset
        # an infinite IS cannot be written with pydicom
        is_infinite_whole = keyword in WHOLE_NUMBERS and text in {"inf", "-inf", "1e400"}
        write_text(holder, keyword, text, vr="DS" if is_infinite_whole else None)

    definition = SHORT.in_dialect(decay=state, units=units).with_header(beds=BEDS)
    try:
        judged = judge(definition, edit=edit)
    except PetquantError as refused:
        return {finding.code for finding in refused.findings} or {""}, None
    codes = judged.codes
    if judged.refusals():
        return codes, None
    return codes, judged.error()


def assert_no_silent_error(codes, error):
    assert codes <= set(CODES)
    if error is None:
        assert any(CODES[code].severity not in {Severity.FLAG, Severity.INFO} for code in codes)
        return
    is_flagged = any(CODES[code].severity is Severity.FLAG for code in codes)
    is_extreme = error >= 1e4  # refused as SUV_EXTREME when the voxels are read
    assert error <= EXACT or is_flagged or is_extreme, (codes, error)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("keyword", NUMBERS)
def test_o26_a_number_that_is_none_never_becomes_a_silent_wrong_suv(keyword, state, judge):
    for text in NOT_NUMBERS:
        codes, error = outcome(judge, state, keyword, text)
        assert_no_silent_error(codes, error)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("keyword", TIMES)
def test_o26_a_time_that_is_none_never_becomes_a_silent_wrong_suv(keyword, state, judge):
    for text in NOT_TIMES:
        codes, error = outcome(judge, state, keyword, text)
        assert_no_silent_error(codes, error)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("keyword", WORDS)
def test_o26_a_word_that_is_none_never_becomes_a_silent_wrong_suv(keyword, state, judge):
    for text in NOT_WORDS:
        codes, error = outcome(judge, state, keyword, text)
        assert_no_silent_error(codes, error)


@pytest.mark.parametrize("keyword", ["PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife"])
@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "12 kg"])
def test_o26_what_is_not_finite_says_so(keyword, text, judge):
    codes, error = outcome(judge, "START", keyword, text)
    assert "VALUE_NOT_FINITE" in codes
    assert error is None


@pytest.mark.parametrize(
    "keyword",
    ["PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife", "ActualFrameDuration", "DecayFactor"],
)
@pytest.mark.parametrize("text", ["nan", "-1", "", "1e300", "12 kg"])
def test_o26_values_that_are_suv_already_do_not_mind(keyword, text, judge):
    _, error = outcome(judge, "START", keyword, text, units="GML")
    assert error == pytest.approx(0.0, abs=EXACT)


@pytest.mark.parametrize("half_life", ["1", "1e-300", "1e300", "0.5", "109.77"])
@pytest.mark.parametrize("state", STATES)
def test_a_half_life_that_nothing_speaks_for_ends_in_a_code(half_life, state, judge):
    def edit(dataset, _index):
        item = item_of(dataset)
        del item.RadionuclideCodeSequence, item.RadiopharmaceuticalCodeSequence
        item.Radiopharmaceutical = "Solution"
        write_text(item, "RadionuclideHalfLife", half_life)

    judged = judge(TINY.in_dialect(decay=state).with_header(beds=BEDS), edit=edit)
    assert "NUCLIDE_UNKNOWN" in judged.codes
    factors = judged.factors()
    assert factors is None or (np.isfinite(factors).all() and (factors > 0).all())


@pytest.mark.parametrize("value", ["nan", "-1", "0", "", "1e400", "1_0", "1\\2", "abc", "9999123124"])
@pytest.mark.parametrize(
    ("vendor", "tag"),
    [("philips_cnts", 0x70531000), ("philips_cnts", 0x70531009), ("siemens", 0x00711022), ("ge", 0x0009103B)],
)
def test_a_private_value_that_is_none_is_absent(vendor, tag, value, judge):
    def edit(dataset, _index):
        element = dataset[tag]
        dataset[tag] = type(element)(tag, "UN", value.encode().ljust(len(value) + len(value) % 2))

    judged = judge(TINY.in_dialect(vendor=vendor), edit=edit)
    if value:
        is_number = vendor == "philips_cnts" and value in {"-1", "0", "9999123124"}
        assert ("PRIVATE_VALUE_UNREADABLE" in judged.codes) is not is_number
    if value != "9999123124":  # a number after all, if an absurd one
        # counts lose one of two factors that say the same; the others still have their public times
        assert judged.error() <= EXACT


def test_items_that_do_not_fit_into_each_other_are_an_error_and_no_traceback(judge):
    def edit(dataset, _index):
        item = deepcopy(item_of(dataset))
        item.add_new(0x00180031, "LO", "X" * 20)
        dataset.RadiopharmaceuticalInformationSequence = [item]

    definition = TINY
    study = judge(definition, edit=edit).study
    for path in study.pet.iterdir():
        content = path.read_bytes()
        broken = content.replace(b"LO\x14\x00XXXXXXXXXXXX", b"LO\xff\x7fXXXXXXXXXXXX")
        assert broken != content
        path.write_bytes(broken)
    with pytest.raises(PetquantError) as refused:
        open_study(study.dicom, Choices())
    assert "FILE_NOT_UNDERSTOOD" in {finding.code for finding in refused.value.findings}
