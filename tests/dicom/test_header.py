"""A header as an acquisition: every value with its tag, and what is one per series held to be so."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from petquant_phantoms import TINY, Bed, pet_datasets, write_text

from petquant.acquisition import ClockTime, Instant
from petquant.dicom.attenuation import attenuation_of
from petquant.dicom.header import read_acquisition

TEN, ELEVEN = (datetime.fromisoformat(f"2025-01-01T{hour}:00:00") for hour in (10, 11))


@pytest.fixture
def read(series_from):
    def of(datasets, **how):
        series = series_from(datasets, **how)
        return read_acquisition(series.instances, series_uid=series.uid, attenuation=attenuation_of(series))

    return of


def item_of(dataset):
    return dataset.RadiopharmaceuticalInformationSequence[0]


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


def put(datasets, keyword, text, slices=None):
    for index, dataset in enumerate(datasets):
        if slices is None or index in slices:
            holder = item_of(dataset) if keyword in item_of(dataset) else dataset
            write_text(holder, keyword, text)
    return datasets


@pytest.mark.parametrize("transfer_syntax", ["explicit", "implicit", "big_endian", "deflated", "rle"])
def test_a_sound_header_is_read_whole_in_every_encoding(transfer_syntax, datasets, read):
    found = read(datasets, transfer_syntax=transfer_syntax)
    assert (found.weight_kg.value, found.weight_kg.tag) == (70.0, "(0010,1030)")
    assert (found.height_m.value, found.sex.value) == (1.75, "M")
    assert (found.units.value, found.decay_correction.value, found.suv_type.value) == ("BQML", "START", None)
    assert found.corrections.value == ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")
    assert found.series_at.value == Instant(ELEVEN)
    (item,) = found.radiopharmaceuticals
    assert (item.dose.value, item.dose.tag) == (350e6, "(0018,1074)")
    assert item.half_life_s.value == 6586.2
    assert item.injected_at.value == Instant(TEN)
    assert item.injected_clock.value == ClockTime(timedelta(hours=10))
    assert (item.nuclide_code.text, item.tracer_code.text) == ("77004003", "35321007")
    assert {frame.acquired_at for frame in found.frames} == {ELEVEN}
    assert {frame.duration_s for frame in found.frames} == {300.0}
    assert len(found.frames) == len(datasets)
    assert (found.findings, found.time_findings) == ((), ())


def test_what_is_absent_keeps_its_tag(datasets, read):
    for dataset in datasets:
        del dataset.PatientWeight, dataset.SeriesTime, dataset.CorrectedImage
    found = read(datasets)
    assert (found.weight_kg.value, found.weight_kg.text, found.weight_kg.tag) == (None, "", "(0010,1030)")
    assert found.series_at.value is None
    assert found.corrections.value is None


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "70 kg", "70,5", "7_0", "70\\71"])
def test_a_number_that_is_none_keeps_its_text_and_its_defect(text, datasets, read):
    found = read(put(datasets, "PatientWeight", text)).weight_kg
    assert (found.value, found.text, found.defect) == (None, text, "VALUE_NOT_FINITE")


@pytest.mark.parametrize(
    ("keyword", "other", "is_mixed"),
    [
        ("PatientWeight", "70.5", True),
        ("PatientWeight", "70.0", False),
        ("PatientWeight", "7e1", False),
        ("PatientSize", "1.76", True),
        ("PatientSex", "F", True),
        ("Units", "CNTS", True),
        ("DecayCorrection", "NONE", True),
        ("CorrectedImage", "ATTN", True),
        ("Manufacturer", "GE", True),
        ("SeriesTime", "110000.000000", False),
        ("SeriesTime", "110001", True),
        ("SeriesDate", "20250102", True),
        ("RadionuclideTotalDose", "350000001", True),
        ("RadionuclideTotalDose", "3.5e8", False),
        ("RadionuclideHalfLife", "6588", True),
        ("RadiopharmaceuticalStartTime", "100001", True),
        ("RadiopharmaceuticalStartDateTime", "20250102100000", True),
        ("TimezoneOffsetFromUTC", "+0100", True),
        ("AcquisitionTime", "110500", False),
        ("DecayFactor", "1.5", False),
        ("SeriesDescription", "another", False),
    ],
)
@pytest.mark.parametrize("where", [0, 4, 7])
def test_what_is_one_per_series_may_not_differ(*, keyword, other, is_mixed, where, datasets, read):
    found = read(put(datasets, keyword, other, slices=[where]))
    assert codes(found.findings) == (["MIXED_VALUES"] if is_mixed else [])
    if is_mixed:
        assert found.findings[0].keyword == keyword
        assert "on 7 slices" in found.findings[0].found


@pytest.mark.parametrize("where", [0, 3])
@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips_cnts"])
def test_a_private_value_that_is_missing_in_a_slice_is_noticed(vendor, where, read):
    datasets = pet_datasets(TINY.in_dialect(vendor=vendor))
    tag = {"siemens": 0x00711022, "ge": 0x0009100D, "philips_cnts": 0x70531009}[vendor]
    del datasets[where][tag]
    assert codes(read(datasets).findings) == ["MIXED_VALUES"]


def test_frames_keep_the_order_of_the_slices(read):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(seconds=190 * n), duration_s=180) for n in range(4))
    found = read(pet_datasets(TINY.with_header(beds=beds)))
    starts = [(frame.acquired_at - ELEVEN).total_seconds() for frame in found.frames]
    assert starts == [0, 0, 190, 190, 380, 380, 570, 570]


@pytest.mark.parametrize("text", ["0", "-300000", "0.5"])
def test_a_duration_below_a_millisecond_is_none(text, datasets, read):
    assert {frame.duration_s for frame in read(put(datasets, "ActualFrameDuration", text)).frames} == {None}


@pytest.mark.parametrize("keyword", ["ActualFrameDuration", "FrameReferenceTime", "DecayFactor"])
def test_a_number_of_a_frame_that_is_none_is_a_finding_about_times(keyword, datasets, read):
    found = read(put(datasets, keyword, "nan", slices=[2, 3]))
    assert found.findings == ()
    assert codes(found.time_findings) == ["VALUE_NOT_FINITE"]
    assert found.time_findings[0].found == "nan on 2 slices"


@pytest.mark.parametrize(
    ("text", "code"), [("noon", "TIME_UNPARSABLE"), ("", "MIXED_VALUES"), ("235960", "TIME_ROLLED_OVER")]
)
def test_an_odd_acquisition_time_is_named_with_its_number_of_slices(text, code, datasets, read):
    found = read(put(datasets, "AcquisitionTime", text, slices=[1, 6]))
    finding = next(f for f in found.time_findings if f.code == code)
    assert "2 " in finding.found
    assert finding.tag == "(0008,0032)"


def test_an_acquisition_date_time_is_used_only_without_a_time(datasets, read):
    found = read(put(datasets, "AcquisitionDateTime", "20200101000000"))
    assert {frame.acquired_at for frame in found.frames} == {ELEVEN}


def test_an_acquisition_date_time_stands_in_for_a_missing_time(datasets, read):
    for dataset in datasets:
        del dataset.AcquisitionTime, dataset.AcquisitionDate
    found = read(put(datasets, "AcquisitionDateTime", "20250101110000.5"))
    assert {frame.acquired_at for frame in found.frames} == {ELEVEN + timedelta(seconds=0.5)}


@pytest.mark.parametrize(
    ("of_object", "hours", "code"),
    [("+0100", 11, "TIMEZONE_APPLIED"), (None, 10, "TIMEZONE_ONE_SIDED"), ("+0000", 10, None)],
)
def test_an_acquisition_date_time_has_an_offset_of_its_own(of_object, hours, code, datasets, read):
    for dataset in datasets:
        del dataset.AcquisitionTime, dataset.AcquisitionDate
        if of_object is not None:
            dataset.TimezoneOffsetFromUTC = of_object
    found = read(put(datasets, "AcquisitionDateTime", "20250101100000+0000"))
    assert {frame.acquired_at.hour for frame in found.frames} == {hours}
    assert codes(found.time_findings) == ([code] if code else [])


def test_an_acquisition_time_without_date_takes_that_of_the_series(datasets, read):
    for dataset in datasets:
        del dataset.AcquisitionDate
    found = read(datasets)
    assert {frame.acquired_at for frame in found.frames} == {ELEVEN}
    assert codes(found.time_findings) == ["ACQ_DATE_SHIFTED"]


def test_the_content_date_is_never_used(datasets, read):
    for dataset in datasets:
        del dataset.AcquisitionTime, dataset.AcquisitionDate
    found = read(datasets)
    assert {frame.acquired_at for frame in found.frames} == {None}


@pytest.mark.parametrize("text", ["+0160", "UTC", "+9999"])
def test_an_offset_that_is_none_is_refused(text, datasets, read):
    found = read(put(datasets, "TimezoneOffsetFromUTC", text))
    assert found.utc_offset is None
    assert codes(found.time_findings) == ["TIME_UNPARSABLE"]


def test_de_identification_is_carried_along(datasets, read):
    for dataset in datasets:
        dataset.PatientIdentityRemoved = "YES"
        dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    assert read(datasets).deidentification == (
        ("PatientIdentityRemoved", "YES"),
        ("LongitudinalTemporalInformationModified", "MODIFIED"),
    )


def test_no_name_and_no_id_enters_an_acquisition(datasets, read):
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID = "Canary^Yellow", "CANARY-4711"
    words = repr(read(datasets))
    assert "Canary" not in words
    assert "4711" not in words
