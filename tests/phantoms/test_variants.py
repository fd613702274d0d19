"""Every variant of a phantom gives the SUV of its truth, computed by a second path that shares no code."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

import shutil
import subprocess
from datetime import datetime
from itertools import groupby

import numpy as np
import pydicom
import pytest
from petquant_phantoms import (
    TINY,
    TRANSFER_SYNTAXES,
    Bed,
    catalogue,
    pet_objects,
    suv_field,
    write_datasets,
    write_study,
)
from petquant_phantoms.dialects import DIALECTS
from petquant_phantoms.pet_series import frames
from petquant_phantoms.variants import combinations, header_variants, reprocessed

TWO_BEDS = TINY.with_header(
    beds=(
        Bed(acquired_at=datetime(2025, 1, 1, 11, 0, 0), duration_s=603.0),
        Bed(acquired_at=datetime(2025, 1, 1, 11, 10, 20, 500000), duration_s=603.0),
    )
)
# Of the 16 digits of a decimal string and the microseconds of a datetime nothing larger is left: a second is
# worth 1e-4 of SUV, a microsecond 1e-10.
ROUNDING = 1e-9

BY_VENDOR = [
    (vendor, kind, list(variants))
    for vendor in DIALECTS
    for kind, variants in groupby(
        sorted(
            combinations(TWO_BEDS, vendors=[vendor], transfer_syntaxes=["explicit"]),
            key=lambda variant: variant.definition.object,
        ),
        key=lambda variant: variant.definition.object,
    )
]


def assert_truth_is_found(variant, folder, plain_suv):
    definition = variant.definition
    write_datasets(pet_objects(definition), folder, transfer_syntax=definition.transfer_syntax)
    suv = plain_suv.suv_volume(plain_suv.read(folder))
    truth = suv_field(definition.body, definition.grid, fwhm_mm=definition.fwhm_mm)
    half_unit = 0.5 * frames(definition)[0].suv_per_stored_unit[:, None, None]
    excess = np.abs(suv - truth) - half_unit - ROUNDING * np.abs(truth)
    assert excess.max() <= 0.0, variant.name


@pytest.mark.parametrize(
    ("vendor", "kind", "variants"), BY_VENDOR, ids=[f"{vendor}-{kind}" for vendor, kind, _ in BY_VENDOR]
)
def test_every_combination_that_can_be_computed_gives_the_truth(vendor, kind, variants, tmp_path, plain_suv):
    computable = [variant for variant in variants if variant.expected == "ok"]
    assert computable
    for variant in computable:
        assert_truth_is_found(variant, tmp_path / variant.name, plain_suv)


def test_combinations_are_the_product_of_their_axes():
    # 8 vendors, 3 decay corrections, 5 units, 3 objects; 6 of 7 transfer syntaxes, as JPEG 2000 needs 32 x 32
    names = [variant.name for variant in combinations(TINY)]
    assert len(names) == len(set(names)) == 8 * 3 * 5 * 6 * 3
    assert sum(1 for _ in combinations(catalogue.load("suv_dro_small"))) == 8 * 3 * 5 * 7 * 3


def test_slopes_are_an_axis_of_their_own(tmp_path, plain_suv):
    variants = list(
        combinations(
            TINY,
            vendors=["generic"],
            decays=["NONE"],
            units=["BQML"],
            transfer_syntaxes=["explicit"],
            slopes=["per_slice", "global"],
        )
    )
    assert len(variants) == 6
    for variant in variants:
        assert_truth_is_found(variant, tmp_path / variant.name, plain_suv)


def test_what_no_suv_can_be_made_of_names_its_refusal():
    expected = {v.name: v.expected for v in combinations(TINY, transfer_syntaxes=["explicit"])}
    assert {v for name, v in expected.items() if "-PROPCPS-" in name} == {"UNITS_NOT_QUANTITATIVE"}
    assert expected["siemens-START-CNTS-explicit-classic"] == "CNTS_NO_FACTOR"
    assert expected["philips-START-CNTS-explicit-legacy_converted"] == "ok"
    assert expected["philips-START-CNTS-explicit-enhanced"] == "CNTS_NO_FACTOR"
    assert {v for name, v in expected.items() if "ML-" in name} == {"ok"}


def test_phantoms_that_have_no_enhanced_form_are_left_out():
    for name in ("gated", "stripped"):
        variants = combinations(catalogue.load(name), transfer_syntaxes=["explicit"])
        assert {variant.definition.object for variant in variants} == {"classic", "legacy_converted"}
    variants = combinations(catalogue.load("mip_inside"), transfer_syntaxes=["explicit"])
    assert {variant.definition.object for variant in variants} == {"classic"}


@pytest.mark.parametrize("kind", ["classic", "enhanced", "legacy_converted"])
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_every_transfer_syntax_holds_the_same_frames(syntax, kind, tmp_path, plain_suv):
    if syntax == "jpeg_ls":
        pytest.importorskip("jpeg_ls", reason="no JPEG-LS codec installed")
    if syntax == "jpeg_2000":
        pytest.importorskip("openjpeg", reason="no JPEG 2000 codec installed")
    small = catalogue.load("suv_dro_small")
    (variant,) = combinations(
        small,
        vendors=["ge"],
        decays=["NONE"],
        units=["BQML"],
        transfer_syntaxes=[syntax],
        objects=[kind],
    )
    study = write_study(variant.definition.with_header(sex="M"), tmp_path)
    found = plain_suv.read(study.pet)
    stored = frames(variant.definition)[0].stored.integers
    np.testing.assert_array_equal(np.stack([ds.stored for ds in found]), stored)
    meta = pydicom.dcmread(study.pet / "IM0001.dcm").file_meta
    assert meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]


@pytest.mark.parametrize("kind", ["classic", "enhanced", "legacy_converted"])
@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_way_to_write_a_header_gives_the_truth(vendor, kind, tmp_path, plain_suv):
    for variant in header_variants(TINY.in_dialect(vendor=vendor, object=kind)):
        if variant.expected == "ok" and variant.name != "private_without_creator":
            assert_truth_is_found(variant, tmp_path / variant.name, plain_suv)


def test_header_variants_are_those_that_fit_the_dialect():
    times = {
        "datetime_only",
        "fractional",
        "tenths",
        "hours_minutes",
        "colons",
        "blanks",
        "dotted_dates",
    }
    private = {
        "private_block_11",
        "private_block_A7",
        "private_without_creator",
        "private_unknown",
        "private_blanks",
    }
    factors = {f"factors_{name}" for name in ("both", "suv", "activity", "zero", "none")}
    found = {
        (vendor, kind): {
            variant.name for variant in header_variants(TINY.in_dialect(vendor=vendor, object=kind))
        }
        for vendor, kind in (
            ("generic", "classic"),
            ("ge", "classic"),
            ("philips", "classic"),
            ("philips_cnts", "legacy_converted"),
            ("ge", "enhanced"),
        )
    }
    assert found == {
        ("generic", "classic"): times | {"time_only", "required_only", "reprocessed"},
        ("ge", "classic"): times | private | {"time_only", "required_only", "reprocessed"},
        ("philips", "classic"): times
        | private
        | {"time_only", "required_only"},  # nothing else tells its reference
        ("philips_cnts", "legacy_converted"): times
        | private
        | factors
        | {"time_only", "required_only", "reprocessed"},
        ("ge", "enhanced"): times | {"reprocessed"},
    }


def test_a_clock_time_alone_does_not_date_the_injection_of_a_long_lived_nuclide():
    antibody = catalogue.load("ibsi_suv_small/4_5")
    expected = {variant.name: variant.expected for variant in header_variants(antibody)}
    assert expected["time_only"] == "INJ_TIME_ONLY_LONG_LIVED"
    assert expected["required_only"] == "INJ_TIME_ONLY_LONG_LIVED"  # the date-time is optional
    assert expected["datetime_only"] == "ok"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("kind", ["classic", "legacy_converted"])
def test_variants_within_the_standard_validate(kind, tmp_path):
    against_it = {"colons", "dotted_dates", "private_without_creator"}
    for variant in header_variants(TINY.in_dialect(vendor="ge", object=kind)):
        if variant.name not in against_it:
            path = write_datasets(pet_objects(variant.definition), tmp_path / variant.name)[0]
            said = subprocess.run(
                ["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False
            )
            assert len((said.stdout + said.stderr).splitlines()) == 1, (variant.name, said.stderr)


@pytest.mark.parametrize(
    ("variant", "series_time", "injected"),
    [
        ("standard", b"110000", (b"100000", b"20250101100000")),
        ("fractional", b"110000.000000 ", (b"100000.000000 ", b"20250101100000.000000 ")),
        ("tenths", b"110000.0", (b"100000.0", b"20250101100000.0")),
        ("hours_minutes", b"1100", (b"1000", b"202501011000")),
        ("colons", b"11:00:00", (b"10:00:00", b"20250101100000")),
        ("blanks", b" 110000 ", (b" 100000 ", b"20250101100000  ")),
    ],
)
def test_times_are_spelt_as_asked(variant, series_time, injected, tmp_path):
    study = write_study(TINY.in_dialect(time_variant=variant), tmp_path)
    content = (study.pet / "IM0001.dcm").read_bytes()
    for tag, vr, value in (
        (b"\x08\x00\x31\x00", b"TM", series_time),
        (b"\x18\x00\x72\x10", b"TM", injected[0]),
        (b"\x18\x00\x78\x10", b"DT", injected[1]),
    ):
        assert tag + vr + len(value).to_bytes(2, "little") + value in content


def test_private_values_of_unknown_representation_are_bytes(tmp_path):
    definition = TINY.in_dialect(vendor="philips_cnts").with_header(
        private_is_unknown=True, private_block=0x11, private_blanks=1, philips_activity_factor=2.5
    )
    ds = pydicom.dcmread(write_study(definition, tmp_path).pet / "IM0001.dcm")
    assert ds[0x7053, 0x0011].value == "Philips PET Private Group"
    # pydicom knows this private element and reads its bytes; the file says UN
    content = (tmp_path / "study" / "PT" / "IM0001.dcm").read_bytes()
    assert b"\x53\x70\x09\x11UN\x00\x00\x04\x00\x00\x00" + b"2.5 " in content


def test_a_reprocessed_series_keeps_its_decay_reference():
    again = reprocessed(TINY.in_dialect(vendor="ge"))
    assert again.header.series_at == datetime(2025, 1, 1, 11, 30, 0)
    assert again.header.reference_at == datetime(2025, 1, 1, 11, 0, 0)
    assert reprocessed(again).header.reference_at == again.header.reference_at
