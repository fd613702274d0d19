"""Every dialect writes the same image: an independent reader finds the same SUV in all of them."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

from dataclasses import replace
from datetime import datetime

import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY, TRANSFER_SYNTAXES, Bed, catalogue, region_mask, write_study
from petquant_phantoms.dialects import DIALECTS

TWO_BEDS = (
    Bed(acquired_at=datetime(2025, 1, 1, 11, 0, 0), duration_s=603.0),
    Bed(acquired_at=datetime(2025, 1, 1, 11, 10, 20, 500000), duration_s=603.0),
)


def assert_truth_is_found(definition, study, plain_suv):
    suv = plain_suv.suv_volume(plain_suv.read(study.pet))
    for region in definition.body.regions:
        values = suv[region_mask(region, definition.grid)]
        expected = study.expected(region.name)
        for quantity, found in (
            ("suv_max", values.max()),
            ("suv_mean", values.mean()),
            ("suv_min", values.min()),
            ("suv_median", np.median(values)),
            ("suv_sd", values.std()),
        ):
            entry = expected[quantity]
            assert abs(found - entry["value"]) <= entry["abs_tol"], (region.name, quantity, entry["why"])


@pytest.mark.parametrize("decay", ["START", "ADMIN", "NONE"])
@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_dialect_and_decay_correction_gives_the_truth(vendor, decay, tmp_path, plain_suv):
    definition = TINY.in_dialect(vendor=vendor, decay=decay).with_header(beds=TWO_BEDS)
    assert_truth_is_found(definition, write_study(definition, tmp_path), plain_suv)


@pytest.mark.parametrize(
    ("units", "suv_type"),
    [
        ("GML", "BW"),
        ("GML", "LBM"),
        ("GML", "LBMJAMES128"),
        ("GML", "LBMJANMA"),
        ("GML", "IBW"),
        ("CM2ML", "BSA"),
    ],
)
def test_every_stored_suv_gives_the_truth(units, suv_type, tmp_path, plain_suv):
    definition = TINY.with_header(units=units, suv_type=suv_type)
    assert_truth_is_found(definition, write_study(definition, tmp_path), plain_suv)


@pytest.mark.parametrize("factors", ["both", "suv", "activity"])
@pytest.mark.parametrize("decay", ["START", "ADMIN", "NONE"])
def test_counts_give_the_truth_by_whichever_factor_is_written(factors, decay, tmp_path, plain_suv):
    if decay == "NONE" and factors == "suv":
        pytest.skip("undecayed counts have no SUV factor")
    definition = TINY.in_dialect(vendor="philips_cnts", decay=decay).with_header(philips_factors=factors)
    assert_truth_is_found(definition, write_study(definition, tmp_path), plain_suv)


@pytest.mark.parametrize("slope", ["per_slice", "global", (2.0, 1.5)])
def test_every_way_to_scale_gives_the_truth(slope, tmp_path, plain_suv):
    definition = replace(TINY, slope=slope)
    assert_truth_is_found(definition, write_study(definition, tmp_path), plain_suv)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_every_transfer_syntax_holds_the_same_pixels(syntax, tmp_path):
    if syntax == "jpeg_ls":
        pytest.importorskip("jpeg_ls", reason="no JPEG-LS codec installed")
    if syntax == "jpeg_2000":
        pytest.importorskip("openjpeg", reason="no JPEG 2000 codec installed")
    small = catalogue.load("suv_dro_small")
    plain = write_study(small, tmp_path / "plain")
    other = write_study(small.in_dialect(transfer_syntax=syntax), tmp_path / "other")
    for path in sorted(plain.pet.iterdir()):
        encoded = pydicom.dcmread(other.pet / path.name)
        assert encoded.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
        np.testing.assert_array_equal(encoded.pixel_array, pydicom.dcmread(path).pixel_array)


def test_philips_reference_time_is_far_from_its_clock(tmp_path):
    study = write_study(TINY.in_dialect(vendor="philips"), tmp_path)
    ds = pydicom.dcmread(study.pet / "IM0001.dcm")
    assert (ds.SeriesTime, ds.AcquisitionTime) == ("110000", "110001")
    # one second to the frame, 149.6053 s to its average count (18F, 300 s), and the published excess
    assert float(ds.FrameReferenceTime) == pytest.approx(1000.0 * (1.0 + 149.605344 + 1267.4), abs=0.01)


def test_ge_counts_to_the_start_of_the_frame_and_others_to_its_average(tmp_path):
    beds = (Bed(acquired_at=datetime(2025, 1, 1, 11, 2, 0), duration_s=300.0),)
    found = {}
    for vendor in ("ge", "siemens"):
        definition = TINY.in_dialect(vendor=vendor).with_header(beds=beds)
        ds = pydicom.dcmread(write_study(definition, tmp_path / vendor).pet / "IM0001.dcm")
        found[vendor] = float(ds.FrameReferenceTime)
        # lambda (120 s + 149.605344 s) with lambda = ln 2 / 6586.2 s
        assert float(ds.DecayFactor) == pytest.approx(2.0 ** (269.605344 / 6586.2), abs=1e-9)
    assert found["ge"] == 120000.0
    assert found["siemens"] == pytest.approx(269605.344, abs=0.01)


def test_private_decay_references_name_the_true_reference_after_reprocessing(tmp_path):
    for vendor, group, creator, place in (
        ("ge", 0x0009, "GEMS_PETD_01", 0x0D),
        ("siemens", 0x0071, "SIEMENS MED PT", 0x22),
    ):
        definition = TINY.in_dialect(vendor=vendor).with_header(
            series_at=datetime(2025, 1, 1, 15, 0, 0), decay_reference_at=datetime(2025, 1, 1, 11, 0, 0)
        )
        ds = pydicom.dcmread(write_study(definition, tmp_path / vendor).pet / "IM0001.dcm")
        assert ds.SeriesTime.startswith("150000")
        assert ds.private_block(group, creator)[place].value.startswith("20250101110000")


def test_constant_acquisition_time_keeps_growing_reference_times(tmp_path):
    study = catalogue.build("bed_constant_time", tmp_path)
    datasets = [pydicom.dcmread(path) for path in sorted(study.pet.iterdir())]
    assert {ds.AcquisitionTime for ds in datasets} == {"110000"}
    assert sorted({float(ds.FrameReferenceTime) for ds in datasets}) == [0.0, 200000.0, 400000.0]


def test_units_without_suv_turn_a_phantom_into_one_to_refuse():
    assert TINY.in_dialect(units="PROPCPS").expected == "UNITS_NOT_QUANTITATIVE"
    assert TINY.in_dialect(vendor="siemens", units="CNTS").expected == "CNTS_NO_FACTOR"
    assert TINY.in_dialect(vendor="philips", units="CNTS").expected == "ok"
    assert TINY.in_dialect(vendor="ge").expected == "ok"


def test_undecayed_counts_with_only_an_suv_factor_have_no_usable_factor():
    only_suv = TINY.with_header(philips_factors="suv")
    assert only_suv.in_dialect(vendor="philips_cnts").expected == "ok"
    assert only_suv.in_dialect(vendor="philips_cnts", decay="NONE").expected == "CNTS_NO_FACTOR"
