"""The anchors of suv.md section 19.1: real headers and published objects, with factors known from outside.

They lie beside the repository and are never part of it; without them these tests skip.
"""

from __future__ import annotations

import json
import math
from datetime import datetime

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY, pet_datasets
from pydicom.dataelem import DataElement

from petquant.overrides import Overrides
from petquant.quantify import quantify
from petquant.study import Choices

EXACT = 1e-9


def candidates(judged) -> dict[str, object]:
    return {one.id: one for one in judged.conversion.timing.verdict.candidates}


def seconds_apart(judged, one: str, other: str) -> float:
    at = candidates(judged)
    return (at[one].at - at[other].at).total_seconds()


# Four real headers of calculate-suv, as JSON ----------------------------------------------------------------

PHILIPS_ELEMENTS = {"SUVScaleFactor": 0x70531000, "ActivityConcentrationScaleFactor": 0x70531009}


@pytest.fixture
def judge_json(real_path, judge_files):
    """Write the headers of a JSON file into the slices of a phantom and judge them."""

    def of(name: str, manufacturer: str):
        headers = json.loads(real_path(f"calculate_suv_headers/{name}-instances.json").read_text())
        datasets = pet_datasets(TINY)[: len(headers)]
        for dataset, header in zip(datasets, headers, strict=True):
            item = dataset.RadiopharmaceuticalInformationSequence[0]
            dataset.Manufacturer = manufacturer
            dataset.NumberOfSlices = len(headers)
            for keyword in ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"):
                delattr(item, keyword)
            del dataset.DecayFactor, dataset.PatientSize
            for keyword, value in header.items():
                if keyword == "PhilipsPETPrivateGroup":
                    for name_, text in value.items():
                        dataset[0x70530010] = DataElement(0x70530010, "LO", "Philips PET Private Group")
                        dataset[PHILIPS_ELEMENTS[name_]] = DataElement(PHILIPS_ELEMENTS[name_], "DS", text)
                    continue
                holder = item if keyword.startswith("Radio") else dataset
                setattr(holder, keyword, value)
        return judge_files(datasets)

    return of


def test_siemens_header(judge_json):
    judged = judge_json("SIEMENS", "SIEMENS")
    assert judged.error(0.00042748316187197236) <= EXACT
    assert judged.conversion.decay_interval_s == 8264.0
    assert judged.conversion.timing.verdict.rule.startswith("S")
    assert abs(seconds_apart(judged, "B", "S")) <= 0.03
    assert judged.codes <= {"UPTAKE_OUTSIDE_PROTOCOL"}
    assert judged.refusals(is_strict=True) == set()


def test_ge_header(judge_json):
    judged = judge_json("GE_MEDICAL_AND_BQML", "GE MEDICAL SYSTEMS")
    assert judged.error(0.0005367387681819742) <= EXACT
    assert judged.conversion.decay_interval_s == 4281.0
    assert judged.conversion.timing.verdict.convention.startswith("frame-start")
    assert seconds_apart(judged, "B", "S") == 0.0


def test_philips_header_in_becquerel_keeps_its_series_time(judge_json):
    judged = judge_json("PHILIPS_BQML", "Philips Medical Systems")
    assert judged.error(0.0007463747013889488) <= EXACT
    assert judged.conversion.decay_interval_s == 3657.0
    assert {"REF_TIME_CONFLICT", "PHILIPS_FACTOR_IGNORED"} <= judged.codes
    assert candidates(judged)["B"].effect_percent == pytest.approx(-12.49, abs=0.005)
    assert "supported by R" in judged.message("REF_TIME_CONFLICT")
    # the scanner's own factors put the reference at the acquisition, 3658 s after injection, within 0.4 ms
    injected_at = judged.conversion.timing.injection.at
    assert (candidates(judged)["R"].at - injected_at).total_seconds() == pytest.approx(3658.0, abs=0.5e-3)
    assert judged.refusals() == set()


def test_philips_header_in_counts(judge_json):
    judged = judge_json("PHILIPS_CNTS_AND_SUV", "Philips Medical Systems")
    assert judged.error(0.000728) <= EXACT
    assert judged.refusals() == set()


# Digital reference objects of the IBSI SUV survey ----------------------------------------------------------

DROS = {
    "DRO_0_0": set(),
    "DRO_1_0": set(),
    "DRO_2_4": {"PRIVATE_CREATOR_MISSING"},
    "DRO_3_2": {"REF_TIME_SERIES_AFTER_ACQ"},
    "DRO_4_2": {"MIDNIGHT_CROSSED"},
    "DRO_5_0": {"NUCLIDE_CODE_CONFLICT"},
}


@pytest.mark.parametrize("name", DROS)
def test_a_published_object_gives_its_levels_at_two_decimals(name, judge_real, real_path):
    judged = judge_real(f"ibsi_suv_dro/{name}/PT")
    assert judged.codes == DROS[name]
    assert judged.refusals() == set()
    suv = suv_of(judged)
    mask = np.asarray(nib.load(real_path(f"ibsi_suv_dro/{name}/mask/DRO_mask.nii.gz")).dataobj)
    inside = suv[mask.transpose(2, 1, 0) > 0]
    assert [round(float(x), 2) for x in (inside.min(), np.median(inside), inside.max())] == [0.2, 1.0, 4.0]


def suv_of(judged) -> np.ndarray:
    """Stored value x slope x factor, read with pydicom alone."""
    return np.stack(
        [
            ds.pixel_array * float(ds.RescaleSlope) * k
            for one, k in zip(judged.opened.stack.instances, judged.factors(), strict=True)
            for ds in [pydicom.dcmread(one.path)]
        ]
    )


def test_a_reprocessed_object_is_computed_back_from_its_frame_reference_times(judge_real):
    judged = judge_real("ibsi_suv_dro/DRO_3_2/PT")
    assert judged.conversion.timing.verdict.rule.startswith("B")
    # acquisition 11:02:30 + T_ave(603 s) - 450 s, T_ave by its definition
    rate = math.log(2.0) / 6586.2
    t_ave = math.log(rate * 603.0 / (1.0 - math.exp(-rate * 603.0))) / rate
    after_s = (candidates(judged)["B"].at - datetime.fromisoformat("2025-01-01T11:02:30")).total_seconds()
    assert after_s == pytest.approx(t_ave - 450.0, abs=1e-5)


# Whole-body series ------------------------------------------------------------------------------------------


def test_ge_whole_body_series_with_one_acquisition_time(judge_real):
    judged = judge_real("sts001_ge_raw/FDG_PET/image")
    assert judged.error(0.00024290297661484547) <= EXACT
    assert judged.conversion.decay_interval_s == 2711.0
    assert isinstance(judged.conversion.scale("bw").factor, float)
    found = candidates(judged)
    for name in ("B", "D"):
        assert not found[name].is_valid
        assert "1215 s" in found[name].reason
    assert "ACQTIME_NOT_PER_BED" in judged.codes
    assert judged.refusals() == set()


def test_siemens_whole_body_series_keeps_its_fractional_seconds(judge_real):
    judged = judge_real("qin0139_siemens_seg/image", suv_types=("bw", "lbm-janma", "bsa", "ibw"))
    assert judged.conversion.scale("bw").factor == pytest.approx(0.0004016640142, rel=1e-8)
    assert judged.conversion.decay_interval_s == pytest.approx(6151.687, abs=1e-6)
    assert abs(seconds_apart(judged, "B", "S")) <= 0.1
    assert abs(seconds_apart(judged, "D", "S")) <= 0.1
    assert judged.conversion.refusals(("bw",)) == ()
    for suv_type in ("lbm-janma", "bsa", "ibw"):
        assert {f.code for f in judged.conversion.refusals((suv_type,))} == {"HEIGHT_MISSING"}
        assert judged.conversion.scale(suv_type) is None
    # 89.8587641855 is 3D Slicer's maximum with its constant of six digits, 0.000401664
    assert suv_of(judged).max() == pytest.approx(89.8587641855 / 0.000401664 * 0.0004016640142, rel=1e-9)


@pytest.mark.parametrize("number", ["001", "002", "003", "008"])
def test_a_series_stored_as_suv_is_not_converted_twice(number, judge_real):
    judged = judge_real(f"sts_ibsi/STS_{number}/PET/image")
    assert judged.conversion.scale("bw").factor == 1.0
    assert judged.conversion.decay_correction == "ADMIN"
    assert judged.refusals() == set()
    stored = pydicom.dcmread(judged.opened.stack.instances[0].path, stop_before_pixels=True)
    assert (stored.Units, stored.SUVType) == ("GML", "BW")


@pytest.mark.parametrize(
    ("number", "largest", "mean"),
    [
        ("001", 7.910674, 2.555134),
        ("002", 21.675747, 7.369624),
        ("003", 10.265304, 5.816285),
        ("008", 6.501776, 3.083310),
    ],
)
def test_a_bare_nifti_in_suv_gives_the_independent_values_of_the_sarcomas(number, largest, mean, real_path):
    folder = real_path(f"sts_ibsi/STS_{number}/nifti")
    choices = Choices(overrides=Overrides(units="suv"))
    found = quantify(folder / "PET_image.nii.gz", [folder / "PET_mask.nii.gz"], choices=choices)
    (row,) = found.measurements
    # independent values of roi.md section 8, whose six decimals hold 2e-6
    assert row.values["suv_max"] == pytest.approx(largest, rel=2e-6)
    assert row.values["suv_mean"] == pytest.approx(mean, rel=2e-6)


def test_the_stored_suv_of_sts_001_is_the_raw_series_times_its_factor(judge_real):
    raw, cropped = judge_real("sts001_ge_raw/FDG_PET/image"), judge_real("sts_ibsi/STS_001/PET/image")

    def slices(judged):
        read = [pydicom.dcmread(one.path) for one in judged.opened.stack.instances]
        return np.array([float(ds.ImagePositionPatient[2]) for ds in read]), read

    (whole_z, whole), (cropped_z, small_slices) = slices(raw), slices(cropped)
    ratios = []
    factor = raw.conversion.scale("bw").factor
    for z, small in zip(cropped_z, small_slices, strict=True):
        nearest = np.abs(whole_z - z).argmin()
        assert abs(whole_z[nearest] - z) <= 0.03  # the export made bed joins even
        large = whole[nearest]
        first = np.array(small.ImagePositionPatient[:2]) - np.array(large.ImagePositionPatient[:2])
        i, j = np.rint(first / float(large.PixelSpacing[0])).astype(int)
        rows, columns = small.Rows, small.Columns
        suv = large.pixel_array[j : j + rows, i : i + columns] * float(large.RescaleSlope) * factor
        stored = small.pixel_array * float(small.RescaleSlope)
        ratios.append(stored[suv > 0.5] / suv[suv > 0.5])
    ratio = np.median(np.concatenate(ratios))
    assert ratio == pytest.approx(1.0, abs=1e-7)


def test_the_shifted_injection_date_of_sts_002_is_repaired(judge_real):
    judged = judge_real("sts_ibsi/STS_002/PET/image")
    assert "INJ_DATE_SHIFTED" in judged.codes
    assert judged.conversion.timing.injection.at == datetime.fromisoformat("2006-01-28T13:51:00")
    # 13:51:00 to 14:57:59
    assert judged.conversion.uptake_time_min == pytest.approx((66 * 60 + 59) / 60.0, abs=1e-9)


# One slice of a dynamic series ------------------------------------------------------------------------------


def test_a_dynamic_slice_has_two_intervals(judge_real):
    name = "header_samples/siemens1094_flt_dynamic.dcm"
    assert "SERIES_DYNAMIC" in judge_real(name, allow_incomplete=True).refusals()
    judged = judge_real(name, allow_incomplete=True, frame=1)
    header = pydicom.dcmread(judged.opened.stack.instances[0].path, stop_before_pixels=True)
    assert header.get("Manufacturer", "") == ""
    assert judged.conversion.timing.verdict.convention.startswith("average-count (by DecayFactor)")
    assert float(header.DecayFactor) == pytest.approx(1.11682, abs=5e-6)
    assert float(header.FrameReferenceTime) / 1000.0 == pytest.approx(1048.858, abs=5e-4)
    assert abs(seconds_apart(judged, "B", "S")) <= 1.5
    assert judged.conversion.decay_interval_s == pytest.approx(0.109, abs=1e-6)
    assert judged.conversion.uptake_time_min == pytest.approx(16.0, abs=0.005)
    written = header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime
    assert f"{judged.conversion.timing.injection.at:%H%M%S.%f}" == written
