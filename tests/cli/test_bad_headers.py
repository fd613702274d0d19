"""Reliability 43 to 68: headers as they really come, through the whole command.

Every fault is a real DICOM file; what the number must be follows from the phantom's truth by the arithmetic
that stands beside it.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from petquant_cli.main import main
from petquant_phantoms import TINY, Bed, Definition, Study, write_text
from petquant_phantoms.radiopharmaceuticals import PENTIXAFOR, ZR89_ANTIBODY

# the writer of the phantoms warns of what is spoiled here on purpose
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

STATES = ("START", "ADMIN", "NONE")
T_HALF_S = 6586.2  # 18F, ICRP 107
UPTAKE_S = 3600.0  # of the tiny phantom: injected at 10:00, scanned from 11:00
FRAME_S = 300.0
HOT_SUV, COLD_SUV = 4.0, 0.2

in_every_state = pytest.mark.parametrize("state", STATES)
# Values corrected to the injection are W / D (suv.md section 2): without time and half-life they are right.
needing_decay = pytest.mark.parametrize("state", ["START", "NONE"])


def tiny_in(state: str) -> Definition:
    return TINY.in_dialect(decay=state)


def edited(state: str, *edits: tuple[str, str | None]) -> Definition:
    return replace(tiny_in(state), edits=edits)


def injected_at(text: str) -> tuple[tuple[str, str | None], ...]:
    """Both attributes of the injection, as one date-time ``YYYYMMDDHHMMSS``."""
    return (("RadiopharmaceuticalStartDateTime", text), ("RadiopharmaceuticalStartTime", text[8:]))


def clock_only(text: str) -> tuple[tuple[str, str | None], ...]:
    return (("RadiopharmaceuticalStartDateTime", None), ("RadiopharmaceuticalStartTime", text))


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run left: exit code and both streams."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        return re.findall(r"^petquant: ([A-Z][A-Z0-9_]+): ", self.err, flags=re.MULTILINE)

    def line(self, code: str) -> str:
        (line,) = [line for line in self.err.splitlines() if line.startswith(f"petquant: {code}: ")]
        return line


@pytest.fixture
def petquant(tmp_path, monkeypatch) -> Iterator[Callable[..., Run]]:
    """Run the command from arguments to exit code within this process: rows are many, starts are slow.

    That the installed command does the same is held below.
    """
    monkeypatch.chdir(tmp_path)
    terminated = signal.getsignal(signal.SIGTERM)

    def run(*args: object) -> Run:
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["petquant", *map(str, args)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as left:
                main()
        return Run(code=left.value.code, out=out.buffer.getvalue(), err=err.getvalue())

    yield run
    signal.signal(signal.SIGTERM, terminated)


@pytest.fixture
def measured(petquant, study_of, untouched) -> Callable[..., dict[str, Any]]:
    """Run the command on a phantom and hold JSON and CSV to the truth times `times`, and to each other.

    Flags must stand in both, information in the JSON; ``without`` must stand in neither.
    """

    def run(
        definition: Definition,
        *options: str,
        times: float = 1.0,
        flags: tuple[str, ...] = (),
        info: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        edit: Callable[..., None] | None = None,
        suv_type: str = "bw",
    ) -> dict[str, Any]:
        study = study_of(definition, edit=edit)
        given = ("suv", study.dicom, "--roi", study.lesions, "--labels", study.labels, *options)
        with untouched():
            as_json = petquant(*given, "--format", "json")
            as_csv = petquant(*given, "--format", "csv")
        assert as_json.code == 0, as_json.err
        assert as_csv.code == 0, as_csv.err
        record = as_json.json
        rows = list(csv.DictReader(io.StringIO(as_csv.out.decode())))
        said = set(record["conversion"]["flags"])
        assert set(flags) | set(info) <= said, said
        assert not set(without) & said, said
        assert all(f"petquant: note: {flag}: " in as_json.err for flag in flags), as_json.err
        for name, suv in (("hot", HOT_SUV), ("cold", COLD_SUV)):
            (entry,) = [row for row in record["measurements"] if row["roi_name"] == name]
            (row,) = [row for row in rows if row["roi_name"] == name]
            assert entry["suv_type"] == row["suv_type"] == suv_type
            bound = study.expected(name)["suv_max"]["abs_tol"] * abs(times)
            for column in ("suv_max", "suv_mean"):
                # 1e-9 of the value is room for the decimal texts of slope and time
                assert abs(entry[column] - suv * times) <= bound + 1e-9 * suv * times, (name, column, entry)
                assert float(row[column]) == entry[column]
            assert set(flags) <= set(row["flags"].split()), row["flags"]
            assert set(flags) <= set(entry["flags"]), entry["flags"]
        return record

    return run


def factor_of(state: str, *, uptake_s: float = UPTAKE_S, half_life_s: float = T_HALF_S) -> float:
    """SUV of a stored Bq/mL per W/D (suv.md section 2), for the tiny phantom in one state."""
    decay = math.log(2.0) / half_life_s
    if state == "ADMIN":
        return 1.0
    if state == "START":
        return math.exp(decay * uptake_s)
    x = decay * FRAME_S
    return x * math.exp(decay * uptake_s) / -math.expm1(-x)


def replacing_slope(text: str | None, *, only: int | None = None) -> Callable[..., None]:
    def edit(dataset: Any, index: int) -> None:
        if only is not None and index != only:
            return
        if text is None:
            del dataset.RescaleSlope
        else:
            write_text(dataset, "RescaleSlope", text)

    return edit


# 43: slope and numbers that are none


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e400", "", None])
@pytest.mark.parametrize("only", [None, 3], ids=["all slices", "one slice"])
def test_bad_043_slope_that_is_no_positive_number_is_refused(study_of, refused, text, only):
    study = study_of(edit=replacing_slope(text, only=only))
    result = refused(study.dicom, code=4, because="RESCALE_SLOPE_INVALID")
    assert "RescaleSlope (0028,1053)" in result.line("RESCALE_SLOPE_INVALID")


@in_every_state
def test_bad_043_slope_is_refused_in_every_state_of_decay_correction(study_of, refused, state):
    refused(study_of(edited(state, ("RescaleSlope", "-2"))).dicom, code=4, because="RESCALE_SLOPE_INVALID")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400"])
@pytest.mark.parametrize(
    "keyword",
    [
        "PatientWeight",
        "RadionuclideTotalDose",
        "RadionuclideHalfLife",
        "RescaleIntercept",
        "FrameReferenceTime",
        "DecayFactor",
    ],
)
def test_bad_043_number_that_is_not_finite_is_refused(study_of, refused, keyword, text):
    study = study_of(edited("START", (keyword, text)))
    result = refused(study.dicom, code=4, because="VALUE_NOT_FINITE")
    assert keyword in result.line("VALUE_NOT_FINITE")


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "PixelSpacing", "SliceThickness"])
def test_bad_043_geometry_that_is_not_finite_is_refused(study_of, refused, keyword):
    text = {"ImagePositionPatient": "0\\nan\\0", "PixelSpacing": "4\\inf", "SliceThickness": "nan"}[keyword]
    refused(study_of(edited("START", (keyword, text))).dicom, code=4, because="VALUE_NOT_FINITE")


def test_bad_043_height_that_is_not_finite_refuses_what_needs_it_alone(study_of, refused, measured):
    definition = edited("START", ("PatientSize", "nan"))
    refused(study_of(definition).dicom, "--suv", "lbm", code=4, because="VALUE_NOT_FINITE")
    measured(definition)


def test_bad_043_an_option_lifts_a_weight_that_is_not_finite(measured):
    measured(edited("START", ("PatientWeight", "nan")), "--weight", "70", info=("OVERRIDE",))


# 44


def _intercept(text: str) -> Callable[..., None]:
    return lambda dataset, _: write_text(dataset, "RescaleIntercept", text)


@in_every_state
def test_bad_044_intercept_is_applied_and_flagged(petquant, study_of, refused, state):
    intercept = 1000.0  # Bq/mL
    study = study_of(tiny_in(state), edit=_intercept("1000"))
    factor = study.truth["suv"]["factor"]
    shift = intercept * (factor[0] if isinstance(factor, list) else factor)
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "json")
    assert result.code == 0, result.err
    assert "RESCALE_INTERCEPT_NONZERO" in result.json["conversion"]["flags"]
    for row, suv in zip(result.json["measurements"], (HOT_SUV, COLD_SUV), strict=True):
        assert row["suv_max"] == pytest.approx(suv + shift, abs=1e-4)  # half a stored unit is 6e-5
        assert "RESCALE_INTERCEPT_NONZERO" in row["flags"]
    as_csv = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out.decode())))
    assert all("RESCALE_INTERCEPT_NONZERO" in row["flags"].split() for row in rows)
    refused(study.dicom, "--strict", code=4, because="RESCALE_INTERCEPT_NONZERO")


# 45 to 48: pixels


def in_twelve_bits(dataset: Any, _index: int) -> None:
    """Store the pixels in 12 bits, the cold ones negative, with overlay bits above them."""
    pixels = np.frombuffer(dataset.PixelData, "<i2").astype(np.int64)
    lowest = pixels[pixels > 0].min()  # the cold sphere
    small = np.where(pixels == lowest, -(pixels // 16), pixels // 16)
    overlay = 0xA000
    dataset.PixelData = ((small & 0x0FFF) | overlay).astype("<u2").tobytes()
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.RescaleSlope = format(float(dataset.RescaleSlope) * 16, ".10g")


@in_every_state
def test_bad_045_overlay_bits_are_masked_and_the_sign_is_extended(petquant, study_of, state):
    study = study_of(replace(tiny_in(state), slope="global"), edit=in_twelve_bits)
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "json")
    assert result.code == 0, result.err
    hot, cold = result.json["measurements"]
    unit = HOT_SUV / 2047  # one stored unit: the hot sphere is the largest of 12 bits
    assert hot["suv_max"] == pytest.approx(HOT_SUV, abs=unit)
    assert cold["suv_mean"] == pytest.approx(-COLD_SUV, abs=unit)
    assert "MEAN_NOT_POSITIVE" in cold["flags"]


def test_bad_045_high_bit_that_is_not_the_last_stored_one_is_not_read(study_of, refused):
    def edit(dataset, _index):
        dataset.BitsStored, dataset.HighBit = 12, 15

    result = refused(study_of(edit=edit).dicom, code=3, because="PIXELS_UNSUPPORTED")
    assert "HighBit (0028,0102)" in result.err


def with_noise(representation: int) -> Callable[..., None]:
    """Noise of -3 and +3 about 0 outside a bright square, as a subtraction leaves it."""

    def edit(dataset: Any, _index: int) -> None:
        pixels = np.frombuffer(dataset.PixelData, "<i2").reshape(16, 16).copy()
        checks = np.where(np.add.outer(np.arange(16), np.arange(16)) % 2, 3, -3)
        pixels[:, 12:] = checks[:, 12:]
        dataset.PixelData = pixels.tobytes()
        dataset.PixelRepresentation = representation

    return edit


def test_bad_046_unsigned_pixels_that_jump_like_signed_ones_are_refused(study_of, refused):
    study = study_of(edit=with_noise(0))
    result = refused(study.dicom, code=4, because="PIXELS_CONTRADICT_SIGN")
    assert "PixelRepresentation (0028,0103)" in result.err


def test_bad_046_negative_signed_pixels_are_no_reason(petquant, study_of):
    study = study_of(edit=with_noise(1))
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "json")
    assert result.code == 0, result.err
    want = study.expected("hot")["suv_max"]
    assert abs(result.json["measurements"][0]["suv_max"] - want["value"]) <= want["abs_tol"]


def test_bad_047_colour_is_not_read(study_of, refused):
    def edit(dataset, _index):
        dataset.SamplesPerPixel = 3
        dataset.PhotometricInterpretation = "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.PixelData = bytes(16 * 16 * 3)

    refused(study_of(edit=edit).dicom, code=3, because="PIXELS_UNSUPPORTED")


@in_every_state
def test_bad_047_float_pixels_are_read_as_what_they_are(measured, state):
    def edit(dataset, _index):
        pixels = np.frombuffer(dataset.PixelData, "<i2").astype("<f4")
        for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, keyword)
        dataset.BitsAllocated = 32
        dataset.add_new(0x7FE00008, "OF", pixels.tobytes())

    measured(tiny_in(state), edit=edit)


@in_every_state
def test_bad_048_big_endian_gives_the_same_numbers(measured, state):
    measured(tiny_in(state).in_dialect(transfer_syntax="big_endian"))


# 49, 50: dose


@in_every_state
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0", "DOSE_NOT_POSITIVE"),
        ("-350000000", "DOSE_NOT_POSITIVE"),
        (None, "DOSE_MISSING"),
        ("", "DOSE_MISSING"),
    ],
)
def test_bad_049_dose_that_is_missing_or_not_positive_is_refused(study_of, refused, state, text, code):
    result = refused(study_of(edited(state, ("RadionuclideTotalDose", text))).dicom, code=4, because=code)
    assert "--dose-mbq" in result.line(code)
    assert "RadionuclideTotalDose (0018,1074)" in result.line(code)


@in_every_state
@pytest.mark.parametrize("text", ["0", None])
def test_bad_049_an_option_gives_the_dose(measured, state, text):
    record = measured(edited(state, ("RadionuclideTotalDose", text)), "--dose-mbq", "350", info=("OVERRIDE",))
    assert record["conversion"]["injected_activity_bq"] == 350e6
    (override,) = record["conversion"]["overrides"]
    assert override["option"] == "--dose-mbq"
    assert override["replaced_value"] == text


@in_every_state
def test_bad_050_dose_in_mbq_is_read_as_such_and_flagged(measured, state):
    record = measured(edited(state, ("RadionuclideTotalDose", "350")), flags=("DOSE_IN_MBQ",))
    assert record["conversion"]["injected_activity_bq"] == 350e6


@in_every_state
def test_bad_050_dose_in_mbq_is_read_so_for_any_tracer(measured, state):
    definition = tiny_in(state).with_header(radiopharmaceutical=PENTIXAFOR)
    measured(replace(definition, edits=(("RadionuclideTotalDose", "350"),)), flags=("DOSE_IN_MBQ",))


@in_every_state
@pytest.mark.parametrize("text", ["10000", "350000", "999999"])
def test_bad_050_dose_that_is_neither_bq_nor_mbq_is_refused(study_of, refused, state, text):
    study = study_of(edited(state, ("RadionuclideTotalDose", text)))
    result = refused(study.dicom, code=4, because="DOSE_UNIT_AMBIGUOUS")
    assert "--dose-mbq" in result.line("DOSE_UNIT_AMBIGUOUS")


@pytest.mark.parametrize(("text", "dose_bq"), [("9999", 9999e6), ("1000000", 1e6)])
def test_bad_050_the_limits_of_the_dose_belong_to_the_readable_side(measured, text, dose_bq):
    flags = ("DOSE_OUT_OF_RANGE", *(("DOSE_IN_MBQ",) if text == "9999" else ()))
    measured(edited("START", ("RadionuclideTotalDose", text)), times=350e6 / dose_bq, flags=flags)


@pytest.mark.parametrize(("dose", "flags"), [(350.0, []), (350e6, ["DOSE_ENHANCED_IN_BQ"])])
def test_bad_050_the_dose_of_enhanced_pet_is_mbq_and_bq_is_seen(
    petquant, enhanced_pet, tmp_path, dose, flags
):
    scan = enhanced_pet.save(tmp_path / "scan", enhanced_pet.enhanced_pet(dose=dose))
    roi = enhanced_pet.region(tmp_path / "roi.nii.gz")
    result = petquant("suv", scan, "--roi", roi, "--format", "json")
    assert result.code == 0, result.err
    assert result.json["conversion"]["injected_activity_bq"] == 350e6
    assert result.json["conversion"]["flags"] == flags


# 51 to 53: the patient


@in_every_state
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0", "WEIGHT_NOT_POSITIVE"),
        ("-70", "WEIGHT_NOT_POSITIVE"),
        (None, "WEIGHT_MISSING"),
        ("", "WEIGHT_MISSING"),
    ],
)
def test_bad_051_weight_that_is_missing_or_not_positive_is_refused(study_of, refused, state, text, code):
    result = refused(study_of(edited(state, ("PatientWeight", text))).dicom, code=4, because=code)
    assert "--weight" in result.line(code)
    assert "PatientWeight (0010,1030)" in result.line(code)
    if code == "WEIGHT_MISSING":
        assert "113108" in result.line(code), "the option of de-identification that keeps the weight"


@in_every_state
@pytest.mark.parametrize("option", ["--weight", "--weight-kg"])
def test_bad_051_an_option_gives_the_weight_and_is_recorded(measured, state, option):
    record = measured(edited(state, ("PatientWeight", "0")), option, "70", info=("OVERRIDE",))
    (override,) = record["conversion"]["overrides"]
    assert override == {"option": "--weight-kg", "value": 70.0, "replaced_value": "0", "tag": "(0010,1030)"}


@in_every_state
@pytest.mark.parametrize(
    ("text", "weight_kg", "flag"),
    [
        ("70000", 70.0, "WEIGHT_IN_GRAMS"),
        ("350", 350.0, "WEIGHT_IMPLAUSIBLE"),
        ("0.5", 0.5, "WEIGHT_IMPLAUSIBLE"),
        ("175", 175.0, "WEIGHT_EQUALS_HEIGHT"),
        ("1.75", 1.75, "WEIGHT_EQUALS_HEIGHT"),
    ],
)
def test_bad_052_doubtful_weight_is_used_and_flagged(measured, state, text, weight_kg, flag):
    record = measured(edited(state, ("PatientWeight", text)), times=weight_kg / 70.0, flags=(flag,))
    assert record["conversion"]["weight_kg"] == weight_kg


def test_bad_052_pounds_cannot_be_told_from_kilograms(measured):
    codes = ("WEIGHT_IN_GRAMS", "WEIGHT_IMPLAUSIBLE", "WEIGHT_EQUALS_HEIGHT")
    measured(edited("START", ("PatientWeight", "154")), times=154 / 70, without=codes)


JANMA = 55.857108 / 70  # kg of lean mass over weight, man of 70 kg and 1.75 m (suv.md section 11)


@in_every_state
def test_bad_053_height_in_cm_is_converted_and_flagged(measured, state):
    record = measured(
        edited(state, ("PatientSize", "175")),
        "--suv",
        "lbm",
        times=JANMA,
        flags=("HEIGHT_IN_CM",),
        suv_type="lbm-janma",
    )
    assert record["conversion"]["height_m"] == 1.75


@pytest.mark.parametrize("suv_type", ["lbm", "lbm-james128", "lbm-morgan", "bsa", "ibw"])
def test_bad_053_what_needs_a_height_is_refused_without_one(study_of, refused, suv_type):
    study = study_of(edited("START", ("PatientSize", None)))
    result = refused(study.dicom, "--suv", suv_type, code=4, because="HEIGHT_MISSING")
    assert "--height" in result.line("HEIGHT_MISSING")


@in_every_state
def test_bad_053_body_weight_suv_needs_no_height(measured, state):
    measured(edited(state, ("PatientSize", None)), without=("HEIGHT_MISSING",))


# 54 to 56: the nuclide


@in_every_state
def test_bad_054_half_life_a_little_off_is_used_and_flagged(measured, state):
    times = factor_of(state, half_life_s=6500.0) / factor_of(state)
    definition = edited(state, ("RadionuclideHalfLife", "6500"))
    record = measured(definition, times=times, flags=("HALF_LIFE_OFF_TABLE",))
    assert record["conversion"]["half_life_s"] == 6500.0


@in_every_state
def test_bad_054_half_life_of_another_nuclide_is_refused(study_of, refused, state):
    study = study_of(edited(state, ("RadionuclideHalfLife", "4062.6")))
    result = refused(study.dicom, code=4, because="HALF_LIFE_WRONG_NUCLIDE")
    assert "--half-life" in result.line("HALF_LIFE_WRONG_NUCLIDE")


@in_every_state
@pytest.mark.parametrize("given", ["nuclide", "6586.2"])
def test_bad_054_an_option_gives_the_half_life(measured, state, given):
    definition = edited(state, ("RadionuclideHalfLife", "4062.6"))
    record = measured(definition, "--half-life", given, info=("OVERRIDE",))
    assert record["conversion"]["half_life_s"] == T_HALF_S


def without_nuclide(*, half_life: str | None) -> Callable[..., None]:
    def edit(dataset: Any, _index: int) -> None:
        (item,) = dataset.RadiopharmaceuticalInformationSequence
        del item.Radiopharmaceutical, item.RadionuclideCodeSequence, item.RadiopharmaceuticalCodeSequence
        if half_life is None:
            del item.RadionuclideHalfLife
        else:
            item.RadionuclideHalfLife = half_life

    return edit


@in_every_state
def test_bad_055_half_life_without_a_nuclide_is_used_and_flagged(measured, state):
    measured(tiny_in(state), edit=without_nuclide(half_life="6586.2"), flags=("NUCLIDE_UNKNOWN",))


@needing_decay
@pytest.mark.parametrize("half_life", [None, "0", "-1"])
def test_bad_055_a_half_life_is_never_made_up(study_of, refused, state, half_life):
    study = study_of(tiny_in(state), edit=without_nuclide(half_life=half_life))
    refused(study.dicom, code=4, because="HALF_LIFE_MISSING")
    refused(study.dicom, "--half-life", "nuclide", code=4, because="HALF_LIFE_MISSING")


def test_bad_055_values_corrected_to_the_injection_need_no_half_life(measured):
    record = measured(tiny_in("ADMIN"), edit=without_nuclide(half_life=None))
    assert record["conversion"]["half_life_s"] is None


@in_every_state
def test_bad_056_another_tracer_than_expected_is_refused(study_of, refused, state):
    result = refused(
        study_of(tiny_in(state)).dicom, "--tracer", "Pentixafor", code=4, because="TRACER_UNEXPECTED"
    )
    assert "FDG" in result.line("TRACER_UNEXPECTED")


def test_bad_056_the_expected_tracer_passes(measured):
    measured(TINY, "--tracer", "FDG", without=("TRACER_UNEXPECTED",))


# 57 to 61: times


@in_every_state
def test_bad_057_injection_up_to_an_hour_after_the_scan_is_flagged(measured, state):
    # injected at 11:30, scanned at 11:00: the interval is -1800 s instead of 3600 s
    times = factor_of(state, uptake_s=-1800.0) / factor_of(state)
    if state == "ADMIN":  # corrected to the injection: the interval is 0 by definition
        measured(edited(state, *injected_at("20250101113000")))
        return
    measured(edited(state, *injected_at("20250101113000")), times=times, flags=("UPTAKE_NEGATIVE",))


@in_every_state
@pytest.mark.parametrize(
    "day", ["20250102", "20241201", "20260101"], ids=["next day", "month ago", "next year"]
)
def test_bad_057_a_shifted_date_of_injection_is_repaired_by_its_clock_time(measured, state, day):
    record = measured(edited(state, *injected_at(f"{day}100000")), flags=("INJ_DATE_SHIFTED",))
    assert record["conversion"]["injected_at"] == "2025-01-01T10:00:00"


@needing_decay
@pytest.mark.parametrize(
    ("edits", "code"),
    [
        (injected_at("20250201100000"), "INJ_DATE_SHIFTED_LONG_LIVED"),
        (clock_only("100000"), "INJ_TIME_ONLY_LONG_LIVED"),
    ],
    ids=["shifted date", "no date"],
)
def test_bad_057_a_long_lived_nuclide_needs_the_date(study_of, refused, state, edits, code):
    definition = tiny_in(state).with_header(radiopharmaceutical=ZR89_ANTIBODY)
    result = refused(study_of(replace(definition, edits=edits)).dicom, code=4, because=code)
    assert "--injection-datetime" in result.line(code)


@in_every_state
def test_bad_058_a_day_too_early_is_repaired_and_flagged(measured, state):
    definition = edited(state, *injected_at("20241231100000"))
    measured(definition, flags=("INJ_DATE_SHIFTED",))


@pytest.mark.parametrize("state", ["START", "NONE"])
def test_bad_058_five_hours_are_long_and_possible(measured, state):
    # 06:00 is 5 h before the scan: beyond two half-lives (3.66 h), within max(6 h, 3 half-lives)
    times = factor_of(state, uptake_s=18000.0) / factor_of(state)
    measured(edited(state, *injected_at("20250101060000")), times=times, without=("INJ_DATE_SHIFTED",))


@in_every_state
def test_bad_058_more_than_six_hours_are_refused(study_of, refused, state):
    study = study_of(edited(state, *injected_at("20250101043000")))
    result = refused(study.dicom, code=4, because="UPTAKE_IMPLAUSIBLE")
    assert "390 min" in result.line("UPTAKE_IMPLAUSIBLE")


def test_bad_058_twelve_hours_too_many_are_named_as_such(study_of, refused):
    # 22:00 of the day before is 13 h before 11:00; 12 h less would be one hour
    study = study_of(edited("START", *injected_at("20241231220000")))
    assert "12-hour clock" in refused(study.dicom, code=4, because="UPTAKE_IMPLAUSIBLE").err


def over_midnight(state: str) -> Definition:
    """Injected at 23:30, scanned at 00:30 of the next day."""
    after = datetime(2025, 1, 2, 0, 30)  # noqa: DTZ001  DICOM times carry no zone here
    return tiny_in(state).with_header(
        injected_at=datetime(2025, 1, 1, 23, 30),  # noqa: DTZ001
        series_at=after,
        beds=(Bed(acquired_at=after),),
    )


@in_every_state
def test_bad_059_a_time_without_a_date_lies_before_midnight(measured, state):
    definition = replace(over_midnight(state), edits=clock_only("233000"))
    record = measured(definition, info=("MIDNIGHT_CROSSED",))
    assert record["conversion"]["injected_at"] == "2025-01-01T23:30:00"


@in_every_state
def test_bad_060_two_known_offsets_are_compared_in_utc(measured, state):
    # 09:00 in UTC is 10:00 on the scanner's clock
    edits = (("TimezoneOffsetFromUTC", "+0100"), *injected_at("20250101090000+0000")[:1])
    definition = replace(tiny_in(state), edits=(*edits, ("RadiopharmaceuticalStartTime", None)))
    measured(definition, info=("TIMEZONE_APPLIED",))


@in_every_state
def test_bad_060_one_sided_offset_is_ignored_and_flagged(measured, state):
    stamp = ("RadiopharmaceuticalStartDateTime", "20250101100000+0200")
    measured(edited(state, stamp), flags=("TIMEZONE_ONE_SIDED",))


def test_bad_060_the_hour_of_daylight_saving_is_counted(measured):
    # scanned at 11:00 in summer time (+0200), injected at 09:00 in winter time (+0100): one hour apart
    stamp = ("RadiopharmaceuticalStartDateTime", "20250101090000+0100")
    clock = ("RadiopharmaceuticalStartTime", None)
    measured(edited("START", ("TimezoneOffsetFromUTC", "+0200"), stamp, clock), info=("TIMEZONE_APPLIED",))


@in_every_state
@pytest.mark.parametrize(
    "text", ["10:00:00", "10:00", "1000", "10", "100000.000000", " 100000 ", "10:00:00.0"]
)
def test_bad_061_ways_of_writing_a_time_are_read(measured, state, text):
    measured(edited(state, *clock_only(text)))


def test_bad_061_a_fraction_is_decimal(measured):
    # SeriesTime 11:00:01.05: 1.05 s later than true, in DT 20250101100001.05 as well
    edits = (*injected_at("20250101100001.05"), ("SeriesTime", "110001.05"))
    record = measured(edited("START", *edits))
    assert record["conversion"]["decay_interval_s"] == pytest.approx(3600.0, abs=1e-6)


@in_every_state
def test_bad_061_hour_twenty_four_is_the_next_midnight(measured, state):
    after = datetime(2025, 1, 2, 1, 0)  # noqa: DTZ001
    definition = tiny_in(state).with_header(
        injected_at=datetime(2025, 1, 2, 0, 0),  # noqa: DTZ001
        series_at=after,
        beds=(Bed(acquired_at=after),),
    )
    measured(replace(definition, edits=clock_only("2400")), flags=("TIME_ROLLED_OVER",))


@needing_decay
@pytest.mark.parametrize("text", ["noon", "1061", "2500", "10-00", "10.5"])
def test_bad_061_any_other_time_is_refused(study_of, refused, state, text):
    study = study_of(edited(state, *clock_only(text)))
    result = refused(study.dicom, code=4, because="TIME_UNPARSABLE")
    assert text in result.line("TIME_UNPARSABLE")
    assert "(0018,1072)" in result.line("TIME_UNPARSABLE")


def test_bad_061_values_corrected_to_the_injection_need_no_time(measured):
    record = measured(edited("ADMIN", *clock_only("noon")))
    assert record["conversion"]["uptake_time_min"] is None


@pytest.mark.parametrize("keyword", ["SeriesTime", "AcquisitionTime"])
def test_bad_061_an_unreadable_time_of_the_scan_is_refused(study_of, refused, keyword):
    study = study_of(edited("START", (keyword, "11h00")))
    assert keyword in refused(study.dicom, code=4, because="TIME_UNPARSABLE").line("TIME_UNPARSABLE")


# 62 to 64: corrections and units


@in_every_state
def test_bad_062_every_state_of_decay_correction_has_its_formula(measured, state):
    record = measured(tiny_in(state))
    assert record["conversion"]["decay_correction"] == state


@pytest.mark.parametrize("text", [None, "", "YES"])
def test_bad_062_an_unknown_state_is_refused_and_given_by_an_option(study_of, refused, measured, text):
    definition = edited("START", ("DecayCorrection", text))
    result = refused(study_of(definition).dicom, code=4, because="DECAY_CORRECTION_MISSING")
    assert "--decay-correction" in result.line("DECAY_CORRECTION_MISSING")
    measured(definition, "--decay-correction", "START", info=("OVERRIDE",))


@in_every_state
def test_bad_062_a_contradiction_is_refused(study_of, refused, state):
    corrections = ("NORM", "DTIM", "ATTN", "SCAT", "RAN", *(("DECY",) if state == "NONE" else ()))
    study = study_of(tiny_in(state).with_header(corrected_image=corrections))
    refused(study.dicom, code=4, because="DECAY_CORRECTION_CONTRADICTION")


@pytest.mark.parametrize("factors", ["none", "zero"])
@pytest.mark.parametrize("state", ["START", "NONE"])
def test_bad_063_counts_without_a_factor_are_refused(study_of, refused, factors, state):
    definition = TINY.in_dialect(vendor="philips_cnts", decay=state).with_header(philips_factors=factors)
    result = refused(study_of(definition).dicom, code=4, because="CNTS_NO_FACTOR")
    assert "--counts-to-bqml" in result.line("CNTS_NO_FACTOR")


@in_every_state
def test_bad_063_an_option_gives_the_factor(measured, state):
    definition = TINY.in_dialect(vendor="philips_cnts", decay=state).with_header(philips_factors="none")
    measured(definition, "--counts-to-bqml", "2.5", info=("OVERRIDE",))


@in_every_state
def test_bad_063_stored_suv_needs_neither_dose_nor_time(measured, state):
    definition = tiny_in(state).in_dialect(units="GML")
    gone = ("RadionuclideTotalDose", "RadionuclideHalfLife", *(edit[0] for edit in injected_at("")))
    times = ("SeriesTime", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration", "DecayFactor")
    definition = replace(definition, edits=tuple((keyword, None) for keyword in (*gone, *times)))
    record = measured(definition)
    assert record["conversion"]["factor"] == 1.0


@pytest.mark.parametrize("state", ["START", "ADMIN"])
def test_bad_064_vendor_factor_that_contradicts_the_header_is_flagged_with_both(
    petquant, study_of, refused, measured, state
):
    definition = TINY.in_dialect(vendor="philips_cnts", decay=state)
    honest = definition.header.suv_per_count
    definition = definition.with_header(philips_suv_factor=float(f"{1.03 * honest:.6e}"))
    record = measured(definition, flags=("PHILIPS_FACTORS_DISAGREE",))
    (entry,) = [e for e in record["conversion"]["codes"] if e["code"] == "PHILIPS_FACTORS_DISAGREE"]
    words = f"{entry['found']} {entry['expected']}"
    assert "3" in words
    assert "%" in words
    refused(study_of(definition).dicom, "--strict", code=4, because="PHILIPS_FACTORS_DISAGREE")


@pytest.mark.parametrize("state", ["START", "ADMIN"])
def test_bad_064_vendor_factor_within_a_percent_is_no_news(measured, state):
    definition = TINY.in_dialect(vendor="philips_cnts", decay=state)
    near = float(f"{1.005 * definition.header.suv_per_count:.6e}")
    measured(definition.with_header(philips_suv_factor=near), without=("PHILIPS_FACTORS_DISAGREE",))


# 65, 66


def two_items(second_dose: str) -> Callable[..., None]:
    def edit(dataset: Any, _index: int) -> None:
        (item,) = dataset.RadiopharmaceuticalInformationSequence
        other = copy.deepcopy(item)
        other.RadionuclideTotalDose = second_dose
        dataset.RadiopharmaceuticalInformationSequence = [item, other]

    return edit


@in_every_state
def test_bad_065_two_equal_items_are_one(measured, state):
    measured(tiny_in(state), edit=two_items("350000000"))


@in_every_state
def test_bad_065_two_different_items_are_refused_until_one_is_chosen(study_of, refused, measured, state):
    definition = tiny_in(state)
    study = study_of(definition, edit=two_items("175000000"))
    result = refused(study.dicom, code=4, because="DOSE_MULTIPLE")
    assert "--radiopharm-index" in result.line("DOSE_MULTIPLE")
    refused(study.dicom, "--radiopharm-index", "3", code=4, because="DOSE_MULTIPLE")
    measured(definition, "--radiopharm-index", "1", edit=two_items("175000000"))
    measured(definition, "--radiopharm-index", "2", edit=two_items("175000000"), times=2.0)


@pytest.mark.parametrize("charset", ["ISO 2022 IR 87", "ISO_IR 192", "FOO", "\\ISO 2022 IR 149", "GB18030"])
def test_bad_066_a_wrong_character_set_does_not_matter(measured, charset):
    def edit(dataset, _index):
        write_text(dataset, "SpecificCharacterSet", charset)
        write_text(dataset, "PatientName", b"\x1b$B\xff\xfe^\x80\x81=\xc3\x28")
        write_text(dataset, "SeriesDescription", b"\xe3\x28\xa1\x1b(J")

    measured(TINY, edit=edit)


# 67, 68: the voxels


@in_every_state
def test_bad_067_more_activity_than_was_injected_is_flagged(study_of, refused, measured, state):
    # The phantom holds 0.2 % of its dose; one part in 2000 of the true dose leaves four times too much.
    definition = tiny_in(state).with_header(injected_activity_bq=2e9)
    definition = replace(definition, edits=(("RadionuclideTotalDose", "1000000"),))
    record = measured(definition, times=2000.0, flags=("ACTIVITY_BALANCE_HIGH",))
    assert record["conversion"]["activity_balance"] > 1.02
    refused(study_of(definition).dicom, "--strict", code=4, because="ACTIVITY_BALANCE_HIGH")


def doubled_slope(dataset: Any, index: int) -> None:
    if index == 4:
        dataset.RescaleSlope = format(2 * float(dataset.RescaleSlope), ".10g")


@in_every_state
def test_bad_067_a_slice_out_of_step_is_flagged(petquant, study_of, refused, state):
    study = study_of(tiny_in(state), edit=doubled_slope)
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "json")
    assert result.code == 0, result.err
    (entry,) = [e for e in result.json["conversion"]["codes"] if e["code"] == "SLICE_TOTAL_OUTLIER"]
    # the neighbours hold a little less: they reach less far into the spheres
    assert re.search(r": slice 5 by \+(9\d|10\d)%$", entry["found"]), entry["found"]
    hot = result.json["measurements"][0]
    assert hot["suv_max"] == pytest.approx(2 * HOT_SUV, abs=2e-4)  # a slice of the sphere is doubled
    as_csv = petquant("suv", study.dicom, "--roi", study.lesions, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out.decode())))
    assert all("SLICE_TOTAL_OUTLIER" in row["flags"].split() for row in rows)
    refused(study.dicom, "--strict", code=4, because="SLICE_TOTAL_OUTLIER")


def blank(dataset: Any, _index: int) -> None:
    dataset.PixelData = bytes(len(dataset.PixelData))


@in_every_state
def test_bad_068_a_volume_of_zeros_is_refused(petquant, study_of, refused, state):
    study = study_of(tiny_in(state), edit=blank)
    refused(study.dicom, code=4, because="SUV_EXTREME")
    result = petquant("suv", study.dicom, "--roi", study.lesions, "--allow-extreme", "--format", "json")
    assert result.code == 0, result.err
    assert "EXTREME_ALLOWED" in result.json["conversion"]["flags"]
    assert [row["suv_max"] for row in result.json["measurements"]] == [0.0, 0.0]


@in_every_state
def test_bad_068_values_that_no_tissue_reaches_are_refused(study_of, refused, measured, state):
    # a dose of 3 MBq in place of 9 GBq: SUV 4 becomes 12,000
    definition = tiny_in(state).with_header(injected_activity_bq=9e9)
    definition = replace(definition, edits=(("RadionuclideTotalDose", "3000000"),))
    result = refused(study_of(definition).dicom, code=4, because="SUV_EXTREME")
    assert "--allow-extreme" in result.line("SUV_EXTREME")
    measured(definition, "--allow-extreme", times=3000.0, flags=("EXTREME_ALLOWED",))


def test_bad_068_a_volume_is_not_converted_either(petquant, study_of, untouched, tmp_path):
    study = study_of(edit=blank)
    with untouched():
        result = petquant("convert", study.dicom, "--out", tmp_path / "suv.nii.gz")
    assert result.code == 4
    assert result.codes == ["SUV_EXTREME"]


def test_every_refused_header_is_explained_by_check_as_well(petquant, study_of: Callable[..., Study]):
    edits = (("PatientWeight", None), ("RadionuclideTotalDose", "0"), ("RadionuclideHalfLife", "nan"))
    study = study_of(edited("START", *edits))
    result = petquant("check", study.dicom, "--format", "json")
    assert result.code == 4
    assert {"WEIGHT_MISSING", "DOSE_NOT_POSITIVE", "VALUE_NOT_FINITE"} <= set(result.codes)
    (series,) = result.json["series"]
    assert {entry["code"] for entry in series["refusals"]} >= set(result.codes)


def test_the_installed_command_says_what_this_process_said(petquant, study_of, tmp_path):
    """Rows above run within one process; here the entry point itself does, and gives the same bytes."""
    command = Path(sys.executable).with_name("petquant")
    if not command.exists():
        pytest.skip("petquant is not installed beside this interpreter")
    for name, edits in (
        ("fine", ()),
        ("flagged", (("RadionuclideTotalDose", "350"),)),
        ("refused", (("PatientWeight", None), ("RescaleSlope", "nan"))),
        ("unread", (("SamplesPerPixel", None), ("BitsStored", None))),
    ):
        study = study_of(edited("START", *edits), name)
        args = ("suv", study.dicom, "--roi", study.lesions, "--format", "csv")
        here = petquant(*args)
        there = subprocess.run([command, *args], capture_output=True, check=False, cwd=tmp_path)
        assert (there.returncode, there.stdout, there.stderr.decode()) == (here.code, here.out, here.err)
