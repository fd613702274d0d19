"""Legacy Converted Enhanced PET images give what the classic slices gave from which they were made."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from petquant.errors import Refused
from petquant.quantify import scaled, study_refusals
from petquant.study import Choices, open_study


@pytest.fixture
def e(enhanced_pet):
    return enhanced_pet


@pytest.fixture
def suv_of(tmp_path, e):
    """SUVbw [k, j, i] and the opened study of what is written into one folder."""

    def read(*datasets, **choices):
        chosen = Choices(**choices)
        opened = open_study(e.save(tmp_path / "scan", *datasets), chosen)
        refused = study_refusals(opened, chosen)
        if refused:
            raise Refused.because(*refused)
        return scaled(opened.volume(), opened.conversion.scale("bw")).values(), opened

    return read


SLOPES = (1.5, 2.0, 3.25, 0.75)


def test_it_gives_what_its_classic_slices_give(suv_of, e):
    values, opened = suv_of(e.legacy_converted(e.classic_slices(slopes=SLOPES)))
    want = e.STORED * np.array(SLOPES)[:, None, None] * e.FACTOR
    np.testing.assert_allclose(values, want, rtol=1e-12)
    assert opened.conversion.timing.verdict.rule == "S: series time"
    assert opened.conversion.frames[0].reference_s == 149.6


def test_its_dose_is_bq_like_that_of_a_classic_image(suv_of, e):
    slices = e.classic_slices(slopes=SLOPES)
    for image in slices:
        image.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 350.0
    values, opened = suv_of(e.legacy_converted(slices))
    np.testing.assert_allclose(values, e.STORED * np.array(SLOPES)[:, None, None] * e.FACTOR, rtol=1e-12)
    assert "DOSE_IN_MBQ" in [finding.code for finding in opened.conversion.findings]


def test_a_slope_that_group_and_converted_attribute_state_differently_is_refused(suv_of, e):
    scan = e.legacy_converted(e.classic_slices(slopes=SLOPES))
    frame = scan.PerFrameFunctionalGroupsSequence[2]
    frame.UnassignedPerFrameConvertedAttributesSequence[0].RescaleSlope = 3.0
    with pytest.raises(Refused) as caught:
        suv_of(scan)
    (finding,) = caught.value.findings
    assert finding.code == "MIXED_VALUES"
    assert "3.25 in a functional group and 3.0 among the converted attributes" in finding.found


def test_a_slope_among_the_converted_attributes_alone_is_used(suv_of, e):
    scan = e.legacy_converted(e.classic_slices(slopes=SLOPES))
    for frame in scan.PerFrameFunctionalGroupsSequence:
        (transformation,) = frame.PixelValueTransformationSequence
        del frame.PixelValueTransformationSequence
        (unassigned,) = frame.UnassignedPerFrameConvertedAttributesSequence
        unassigned.RescaleSlope = transformation.RescaleSlope
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * np.array(SLOPES)[:, None, None] * e.FACTOR, rtol=1e-12)


def test_a_missing_frame_is_noticed_by_the_number_of_slices(suv_of, e):
    slices = e.classic_slices(slopes=SLOPES)
    with pytest.raises(Refused) as caught:
        suv_of(e.legacy_converted(slices[:3]))
    assert [finding.code for finding in caught.value.findings] == ["SERIES_INCOMPLETE"]


def test_start_of_acquisition_comes_from_the_frame_content_when_no_classic_one_is_there(suv_of, e):
    scan = e.legacy_converted(e.classic_slices())
    for frame in scan.PerFrameFunctionalGroupsSequence:
        (unassigned,) = frame.UnassignedPerFrameConvertedAttributesSequence
        del unassigned.AcquisitionDate, unassigned.AcquisitionTime, unassigned.ActualFrameDuration
    values, opened = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * 2.0 * e.FACTOR, rtol=1e-12)
    assert opened.conversion.frames[0].duration_s == 300
    assert opened.conversion.uptake_time_min == 60


def test_what_an_independent_converter_made_is_read(suv_of, e):
    legacy = pytest.importorskip("highdicom.legacy", reason="highdicom is not installed")
    slices = e.classic_slices(slopes=SLOPES)
    for number, image in enumerate(slices, start=1):
        image.PatientName, image.PatientBirthDate, image.AccessionNumber = "", "", ""
        image.StudyID, image.ReferringPhysicianName, image.PositionReferenceIndicator = "1", "", ""
        image.Laterality = image.PatientPosition = ""
        image.InstanceNumber, image.ImageIndex = number, number
        image.ImageType = ["ORIGINAL", "PRIMARY"]
        image.ContentDate, image.ContentTime = "20250101", "113000"
        image.ManufacturerModelName, image.DeviceSerialNumber, image.SoftwareVersions = "M", "1", "1"
        image.CollimatorType, image.CountsSource = "NONE", "EMISSION"
        image.BodyPartExamined = "CHEST"
    scan = legacy.LegacyConvertedEnhancedPETImage(
        legacy_datasets=slices,
        series_instance_uid=f"{e.UID}.6",
        series_number=6,
        sop_instance_uid=f"{e.UID}.6.1",
        instance_number=1,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    values, _ = suv_of(scan)
    np.testing.assert_allclose(values, e.STORED * np.array(SLOPES)[:, None, None] * e.FACTOR, rtol=1e-6)
