"""A frame is chosen by number, and a series with several is refused until one is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from petquant_phantoms import TINY, pet_datasets

from petquant.dicom.frames import one_frame
from petquant.dicom.index import index
from petquant.errors import UsageError


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


def test_a_static_series_is_one_frame(series_from, datasets):
    series = series_from(datasets)
    assert one_frame(series) == (series, ())
    assert one_frame(series, frame=1) == (series, ())


def test_a_dynamic_series_is_refused_with_its_frames_listed(series_from):
    series = series_from(pet_datasets(replace(TINY, time_frames=(1.0, 0.5))))
    assert len(series.instances) == 16
    first, (finding,) = one_frame(series)
    assert finding.code == "SERIES_DYNAMIC"
    assert finding.found.startswith("2 frames: 1 (")
    assert finding.found.count("8 slices") == 2
    assert len(first.instances) == 8


@pytest.mark.parametrize("number", [1, 2])
def test_a_chosen_frame_has_one_image_a_position_and_one_time(series_from, number):
    datasets = pet_datasets(replace(TINY, time_frames=(1.0, 0.5)))
    times = sorted({str(dataset.AcquisitionTime) for dataset in datasets})
    series, findings = one_frame(series_from(datasets), frame=number)
    assert codes(findings) == ["FRAME_CHOSEN"]
    assert {instance.text(0x00080032) for instance in series.instances} == {times[number - 1]}
    assert len({instance.text(0x00200032) for instance in series.instances}) == 8


def test_a_gated_series_is_refused_and_a_gate_chosen(series_from):
    series = series_from(pet_datasets(replace(TINY, gates=(1.0, 0.5, 0.25))))
    _, (finding,) = one_frame(series)
    assert finding.code == "SERIES_GATED"
    assert finding.found.startswith("3 gates: ")
    one, findings = one_frame(series, gate=3)
    assert codes(findings) == ["FRAME_CHOSEN"]
    assert len(one.instances) == 8


def test_positions_that_repeat_with_other_times_are_frames_whatever_the_series_type_says(series_from):
    datasets = pet_datasets(replace(TINY, time_frames=(1.0, 0.5)))
    for dataset in datasets:
        dataset.SeriesType = ["STATIC", "IMAGE"]
    _, findings = one_frame(series_from(datasets))
    assert codes(findings) == ["SERIES_DYNAMIC"]


def test_triggers_that_differ_at_one_position_are_gates(series_from, datasets):
    again = pet_datasets(TINY)
    for n, dataset in enumerate(again):
        dataset.SOPInstanceUID = f"1.2.3.{n}"
        dataset.TriggerTime = "250"
    for dataset in datasets:
        dataset.TriggerTime = "0"
    _, findings = one_frame(series_from([*datasets, *again]))
    assert codes(findings) == ["SERIES_GATED"]


def test_a_trigger_time_of_zero_and_bed_numbers_as_time_slices_are_static(series_from, datasets):
    for n, dataset in enumerate(datasets):
        dataset.TriggerTime = "0.0"
        dataset.NumberOfTimeSlices = 1 + n // 4
    series = series_from(datasets)
    assert one_frame(series) == (series, ())


def test_byte_equal_copies_are_no_frames(series_from, datasets):
    _, findings = one_frame(series_from([*datasets, datasets[0]]))
    assert findings == ()


def test_another_image_at_the_same_time_and_place_is_no_frame(series_from, datasets):
    other = pet_datasets(TINY)[0]
    other.SOPInstanceUID = "1.2.3"
    other.PixelData = bytes(512)
    series, findings = one_frame(series_from([*datasets, other]))
    assert findings == ()
    assert len(series.instances) == 9


@pytest.mark.parametrize("choice", [{"frame": 3}, {"frame": 0}, {"gate": 1}, {"frame": 1, "gate": 1}])
def test_a_frame_that_is_not_there_is_a_usage_error(series_from, choice):
    series = series_from(pet_datasets(replace(TINY, time_frames=(1.0, 0.5))))
    with pytest.raises(UsageError):
        one_frame(series, **choice)


def test_a_real_slice_of_a_dynamic_series_is_refused(real_data):
    (series,) = index(real_data / "header_samples").series
    assert codes(one_frame(series)[1]) == ["SERIES_DYNAMIC"]
    assert codes(one_frame(series, frame=1)[1]) == ["FRAME_CHOSEN"]
