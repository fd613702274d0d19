"""A stack puts slices where their positions say, whatever the order of the files, and names what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from petquant_phantoms import TINY, pet_datasets, write_text

from petquant.dicom.frames import one_frame
from petquant.dicom.geometry import Plane, grid_of
from petquant.dicom.index import index
from petquant.dicom.limits import Limits
from petquant.dicom.stack import stack
from petquant.errors import LimitReached
from petquant.flags import refusals_of


def codes(found) -> list[str]:
    return [finding.code for finding in found.findings]


def by_z(datasets):
    return sorted(datasets, key=lambda dataset: float(dataset.ImagePositionPatient[2]))


def test_shuffled_files_stand_in_the_order_of_their_positions(series_from, datasets):
    want = [float(dataset.ImagePositionPatient[2]) for dataset in by_z(datasets)]
    shuffled = [datasets[n] for n in (5, 0, 7, 2, 6, 1, 4, 3)]
    found = stack(series_from(shuffled))
    assert found.findings == ()
    assert [instance.numbers(0x00200032)[2] for instance in found.instances] == want
    first = by_z(datasets)[0]
    assert found.grid.origin_mm == tuple(float(number) for number in first.ImagePositionPatient)
    assert found.grid.shape == (8, 16, 16)
    assert found.grid.slice_positions_mm is None
    np.testing.assert_allclose(found.grid.spacing_mm, 4.0, rtol=1e-12)


def test_every_slice_keeps_its_own_slope_and_intercept(series_from, datasets):
    for n, dataset in enumerate(by_z(datasets)):
        write_text(dataset, "RescaleSlope", f"{0.5 + n}")
        write_text(dataset, "RescaleIntercept", "3" if n == 2 else "0")
    found = stack(series_from(datasets))
    assert found.slope.tolist() == [0.5 + n for n in range(8)]
    assert found.intercept.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
    assert codes(found) == ["RESCALE_INTERCEPT_NONZERO"]


def test_an_absent_intercept_is_the_zero_that_pet_images_always_have(series_from, datasets):
    del datasets[0].RescaleIntercept
    found = stack(series_from(datasets))
    assert found.findings == ()
    assert found.intercept.tolist() == [0.0] * 8


def test_feet_first_slices_ascend_along_their_own_normal(series_from, datasets):
    """Row to the right, column to the front: the normal, and with it k, points to the feet."""
    for dataset in datasets:
        dataset.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
    found = stack(series_from(datasets))
    assert found.findings == ()
    np.testing.assert_allclose(found.grid.directions, [[0, 0, -1], [0, 1, 0], [-1, 0, 0]], atol=1e-12)
    z = [instance.numbers(0x00200032)[2] for instance in found.instances]
    assert z == sorted(z, reverse=True)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(angles=st.tuples(*[st.floats(-math.pi, math.pi)] * 3), step=st.floats(0.5, 10))
def test_oblique_slices_lie_where_their_header_says(angles, step):
    a, b, c = angles
    turn = (
        np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
        @ np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    )
    row, column, normal = turn.T
    plane = Plane(row=row, column=column, normal=normal, spacing_mm=(2.0, 3.0), shape=(4, 5))
    positions = np.array([10.0, -20.0, 30.0]) + step * np.arange(6)[:, None] * normal
    grid, findings = grid_of(positions, plane, [None] * 6, "series")
    assert findings == ()
    # row j, column i, slice k: PS3.3 equation C.7.6.2.1-1 with the slice's own position
    want = positions[4] + 3 * 2.0 * column + 2 * 3.0 * row
    np.testing.assert_allclose(grid.position_mm((4, 3, 2)), want, atol=1e-9)


def test_a_missing_slice_is_refused_with_the_size_and_place_of_the_gap(series_from, datasets):
    gone = by_z(datasets)[3]
    for dataset in datasets:
        del dataset.NumberOfSlices
    found = stack(series_from([dataset for dataset in datasets if dataset is not gone]))
    assert codes(found) == ["SLICE_MISSING"]
    assert "8 mm between (" in found.findings[0].found
    assert f"{float(by_z(datasets)[2].ImagePositionPatient[2]):.6g})" in found.findings[0].found


def test_steps_within_five_percent_are_used_as_they_are(series_from, datasets):
    """Bed joins: steps of 4 mm, one of 3.9 and one of 4.1."""
    z = np.cumsum([0, 4, 4, 3.9, 4, 4.1, 4, 4])
    for dataset, position in zip(by_z(datasets), z, strict=True):
        dataset.ImagePositionPatient[2] = float(position)
    found = stack(series_from(datasets))
    assert codes(found) == ["UNEVEN_SLICES"]
    np.testing.assert_allclose(found.grid.slice_positions_mm, z, atol=1e-9)
    assert found.grid.spacing_mm[0] == pytest.approx(4.0, abs=1e-12)


def test_steps_beyond_five_percent_are_refused(series_from, datasets):
    by_z(datasets)[7].ImagePositionPatient[2] += 0.3
    found = stack(series_from(datasets))
    assert codes(found) == ["SLICE_POSITIONS_UNEVEN"]
    assert "4.3 mm" in found.findings[0].found


def test_rounded_decimal_strings_are_even_steps(series_from, datasets):
    """2.025 mm steps written with two decimals: up to 0.005 mm off, a quarter of a percent."""
    for n, dataset in enumerate(by_z(datasets)):
        write_text(dataset, "ImagePositionPatient", f"0\\0\\{-100 + 4.0001 * n:.4f}")
    found = stack(series_from(datasets))
    assert found.findings == ()
    assert found.grid.spacing_mm[0] == pytest.approx(4.0001, abs=1e-9)


def test_a_byte_equal_copy_is_dropped(series_from, datasets):
    found = stack(series_from([*datasets, datasets[2]]))
    assert codes(found) == ["COPY_DROPPED"]
    assert found.grid.shape == (8, 16, 16)


@pytest.mark.parametrize("fault", ["pixels", "slope"])
def test_two_images_at_one_position_are_refused_with_both_files(fault, series_from, datasets):
    other = pet_datasets(TINY)[2]
    if fault == "pixels":
        other.PixelData = other.PixelData[:-2] + b"\7\0"
    else:
        write_text(other, "RescaleSlope", "9.5")
    found = stack(series_from([*datasets, other]))
    assert codes(found)[0] == "SLICE_DUPLICATED"
    assert "IM0003.dcm" in found.findings[0].found
    assert "IM0009.dcm" in found.findings[0].found
    assert found.grid is None


def test_a_single_slice_takes_its_thickness_as_its_step(series_from, datasets):
    del datasets[0].NumberOfSlices
    datasets[0].SliceThickness = 3.5
    found = stack(series_from(datasets[:1]))
    assert codes(found) == ["SINGLE_SLICE"]
    assert found.grid.spacing_mm[0] == 3.5


def test_a_single_slice_without_thickness_is_flagged(series_from, datasets):
    del datasets[0].NumberOfSlices
    del datasets[0].SliceThickness
    assert codes(stack(series_from(datasets[:1]))) == ["SLICE_THICKNESS_MISSING"]


def test_another_number_of_slices_than_declared_needs_a_word(series_from, datasets):
    series = series_from(by_z(datasets)[:7])
    assert codes(stack(series)) == ["SERIES_INCOMPLETE"]
    assert codes(stack(series, allow_incomplete=True)) == ["INCOMPLETE_ALLOWED"]


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("ImageOrientationPatient", [0.8, 0.6, 0, -0.6, 0.8, 0], "0.8\\0.6\\0"),
        ("PixelSpacing", [4.0, 4.1], "4.1"),
        ("FrameOfReferenceUID", "1.2.3", "1.2.3"),
        ("BitsStored", 12, "12"),
        ("Rows", 17, "17"),
    ],
)
def test_what_differs_between_slices_is_named_with_its_values(keyword, value, words, series_from, datasets):
    setattr(datasets[5], keyword, value)
    found = stack(series_from(datasets))
    (mixed,) = [finding for finding in found.findings if finding.code == "MIXED_VALUES"]
    assert mixed.keyword == keyword
    assert words in mixed.found
    assert "IM0006.dcm" in mixed.found


def test_two_spellings_of_one_number_are_one_value(series_from, datasets):
    write_text(datasets[1], "PixelSpacing", "4.0\\4.00")
    write_text(datasets[2], "ImageOrientationPatient", "1.0\\0\\0\\0\\1\\-0.00001")
    assert stack(series_from(datasets)).findings == ()


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "PatientBirthDate"])
def test_mixed_patients_are_refused_without_naming_them(keyword, series_from, datasets):
    setattr(datasets[4], keyword, "19010203" if keyword == "PatientBirthDate" else "1.77.88")
    found = stack(series_from(datasets))
    assert codes(found) == ["PATIENTS_MIXED"]
    assert "19010203" not in found.findings[0].line()
    assert "1.77.88" not in found.findings[0].line()


@pytest.mark.parametrize("text", ["0", "-1.5", "nan", "inf", "1e400", "", "abc", "1\\2", None])
def test_a_slope_that_is_no_positive_number_is_refused_with_its_file(text, series_from, datasets):
    if text is None:
        del datasets[2].RescaleSlope
    else:
        write_text(datasets[2], "RescaleSlope", text)
    found = stack(series_from(datasets))
    assert codes(found) == ["RESCALE_SLOPE_INVALID"]
    assert "IM0003.dcm" in found.findings[0].found
    assert np.isnan(found.slope).sum() == 1


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient", "RescaleIntercept"]
)
@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "abc"])
def test_numbers_that_are_not_finite_are_refused(keyword, text, series_from, datasets):
    write_text(datasets[0], keyword, text)
    found = stack(series_from(datasets))
    assert "VALUE_NOT_FINITE" in codes(found)
    assert refusals_of(found.findings)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("ImagePositionPatient", ""),
        ("PixelSpacing", "0\\4"),
        ("ImageOrientationPatient", "1\\0\\0\\1\\0\\0"),
        ("ImageOrientationPatient", "2\\0\\0\\0\\1\\0"),
    ],
)
def test_geometry_that_is_absent_or_impossible_is_refused(keyword, text, series_from, datasets):
    for dataset in datasets:
        write_text(dataset, keyword, text)
    found = stack(series_from(datasets))
    assert codes(found) == ["GEOMETRY_MISSING"]
    assert found.findings[0].keyword == keyword
    assert found.grid is None


def test_slices_that_do_not_lie_behind_each_other_are_refused(series_from, datasets):
    datasets[3].ImagePositionPatient[0] = float(datasets[3].ImagePositionPatient[0]) + 2.0
    assert codes(stack(series_from(datasets))) == ["GEOMETRY_MISSING"]


def test_lossy_pixels_are_refused(series_from, datasets):
    datasets[6].LossyImageCompression = "01"
    assert codes(stack(series_from(datasets))) == ["LOSSY_COMPRESSION"]


def test_findings_of_files_are_told_once(series_from, datasets):
    for dataset in datasets:
        write_text(dataset, "RescaleSlope", "2.5", vr="LO")
    found = stack(series_from(datasets))
    assert codes(found) == ["VALUE_IRREGULAR"]
    assert "and 7 more files" in found.findings[0].found


def test_a_volume_beyond_the_limit_is_refused(series_from, datasets):
    with pytest.raises(LimitReached):
        stack(series_from(datasets), limits=Limits(volume_voxels=8 * 16 * 16 - 1))


def test_no_rule_refuses_a_real_series(real_data):
    """All but the single slice of a dynamic series, which is 1 of 111."""
    shapes = {}
    for one in index(real_data).series:
        if one.modality != "PT":
            continue
        series, said = one_frame(one)
        found = stack(series)
        if "header_samples" in one.instances[0].path:
            refused = {finding.code for finding in refusals_of((*said, *found.findings))}
            assert refused == {"SERIES_DYNAMIC"}
        else:
            assert refusals_of((*said, *found.findings)) == (), one.description
            shapes[one.description] = found.grid.shape
    assert len(shapes) == 12
    assert shapes["PET AC"] == (267, 128, 128)
    assert shapes["PET HeadNeck_0"] == (545, 168, 168)


def test_real_bed_joins_are_kept(real_data):
    (series,) = [one for one in index(real_data / "sts001_ge_raw").series if one.modality == "PT"]
    found = stack(series)
    assert codes(found) == ["UNEVEN_SLICES"]
    steps = np.diff(found.grid.slice_positions_mm)
    assert steps.min() == pytest.approx(3.19, abs=0.005)
    assert steps.max() == pytest.approx(3.29, abs=0.005)
    assert found.grid.spacing_mm[0] == pytest.approx(3.27, abs=1e-6)
