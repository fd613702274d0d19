"""Every code of suv.md section 17 that concerns classic PET, provoked by a DICOM file.

A fault is one change of a sound header. For each state of decay correction it says whether the code must
come: what a state does not need must not refuse it, and then the factor is still the truth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from petquant_phantoms import (
    TINY,
    Bed,
    Box,
    Definition,
    Uptake,
    nac_datasets,
    pet_datasets,
    write_study,
    write_text,
)
from petquant_phantoms.radiopharmaceuticals import ZR89_ANTIBODY
from pydicom.dataelem import DataElement

from petquant.errors import Refused
from petquant.flags import CODES, Severity
from petquant.overrides import Overrides
from petquant.quantify import Background, quantify
from petquant.reads.uncertainty import noise_differs
from petquant.study import Choices
from petquant.suv.ratio import ratio_refusals

EXACT = 1e-9
TEN, ELEVEN = (datetime.fromisoformat(f"2025-01-01T{hour}:00:00") for hour in (10, 11))
STATES = ("START", "ADMIN", "NONE")
DOSE_AND_TIMES = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
)


def item_of(dataset):
    return dataset.RadiopharmaceuticalInformationSequence[0]


@dataclass(frozen=True)
class Fault:
    """One code and the change that must provoke it.

    `states` are those that the code concerns; in the others it must not refuse. Where a flag says that the
    header lies, the factor is that of the header: which one it must be is tested elsewhere.
    """

    code: str
    edits: tuple[tuple[str, str | None], ...] = ()
    header: dict[str, Any] = field(default_factory=dict)
    edit: Callable[[Any, int], None] | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    states: tuple[str, ...] = STATES
    suv_types: tuple[str, ...] = ("bw",)
    keeps_factor: bool = True
    variant: str = ""

    @property
    def id(self) -> str:
        return f"{self.code}{'-' if self.variant else ''}{self.variant}"

    def definition(self, state: str) -> Definition:
        varied = TINY.with_header(decay_correction=state).with_header(**self.header)
        return replace(varied, edits=self.edits)


def unnamed(dataset, _index):
    item = item_of(dataset)
    del item.RadionuclideCodeSequence, item.RadiopharmaceuticalCodeSequence
    item.Radiopharmaceutical = "Solution"


def private_ge(element: int, vr: str, value: Any) -> Callable[[Any, int], None]:
    def edit(dataset, _index):
        dataset[0x00090010] = DataElement(0x00090010, "LO", "GEMS_PETD_01")
        dataset[0x00091000 | element] = DataElement(0x00091000 | element, vr, value)

    return edit


def private_assay(dataset, index):
    private_ge(0x38, "FL", 500.0)(dataset, index)  # 500 MBq against the 350 MBq of the header
    private_ge(0x39, "DT", "20250101100000")(dataset, index)


def private_injection(dataset, index):
    private_ge(0x3B, "DT", "20250101100000")(dataset, index)
    del item_of(dataset).RadiopharmaceuticalStartTime, item_of(dataset).RadiopharmaceuticalStartDateTime


def on_slice(number: int, keyword: str, text: str) -> Callable[[Any, int], None]:
    def edit(dataset, index):
        if index == number:
            holder = item_of(dataset) if keyword in item_of(dataset) else dataset
            write_text(holder, keyword, text)

    return edit


def zoned_injection(dataset, _index):
    write_text(item_of(dataset), "RadiopharmaceuticalStartDateTime", "20250101100000+0100")


def zoned_both(dataset, index):
    zoned_injection(dataset, index)
    dataset.TimezoneOffsetFromUTC = "+0100"


LATE_SERIES = {"series_at": ELEVEN + timedelta(minutes=30), "decay_reference_at": ELEVEN}
ONE_TIME_FOR_TWO_BEDS = {
    "beds": tuple(Bed(acquired_at=ELEVEN + timedelta(minutes=4 * n)) for n in range(2)),
    "acquisition_time_per_bed": False,
}
NEXT_DAY = {
    "injected_at": datetime.fromisoformat("2025-01-01T23:30:00"),
    "series_at": datetime.fromisoformat("2025-01-02T00:30:00"),
    "beds": (Bed(acquired_at=datetime.fromisoformat("2025-01-02T00:30:00")),),
}
ZIRCONIUM = {"radiopharmaceutical": ZR89_ANTIBODY, "injected_at": ELEVEN - timedelta(hours=96)}
COUNTS = {"dialect": "philips_cnts", "units": "CNTS"}
OBESE = {"weight_kg": 120.0, "height_m": 1.65, "sex": "F"}  # BMI 44.1, above the peak of 36.15
NOT_NONE, TIMED = ("START", "ADMIN"), ("START", "NONE")

FAULTS = (
    # weight, dose
    Fault("WEIGHT_MISSING", (("PatientWeight", None),)),
    Fault("WEIGHT_MISSING", (("PatientWeight", ""),), variant="empty"),
    Fault("WEIGHT_NOT_POSITIVE", (("PatientWeight", "0"),)),
    Fault("WEIGHT_NOT_POSITIVE", (("PatientWeight", "-70"),), variant="negative"),
    Fault("WEIGHT_IN_GRAMS", (("PatientWeight", "70000"),)),
    Fault("WEIGHT_IMPLAUSIBLE", header={"weight_kg": 350.0}),
    Fault("WEIGHT_IMPLAUSIBLE", header={"weight_kg": 0.3}, variant="mouse"),
    Fault("WEIGHT_EQUALS_HEIGHT", header={"weight_kg": 113.0, "height_m": 1.13}),
    Fault("DOSE_MISSING", (("RadionuclideTotalDose", None),)),
    Fault("DOSE_MISSING", edit=lambda ds, _: ds.__delattr__("RadiopharmaceuticalInformationSequence"),
          variant="no sequence"),
    Fault("DOSE_NOT_POSITIVE", (("RadionuclideTotalDose", "0"),)),
    Fault("DOSE_IN_MBQ", (("RadionuclideTotalDose", "350"),)),
    Fault("DOSE_UNIT_AMBIGUOUS", (("RadionuclideTotalDose", "350000"),)),
    Fault("DOSE_OUT_OF_RANGE", header={"injected_activity_bq": 3.5e9}),
    Fault("DOSE_OUT_OF_RANGE", header={"injected_activity_bq": 2e6}, variant="low"),
    Fault("DOSE_MULTIPLE", edit=lambda ds, _: ds.RadiopharmaceuticalInformationSequence.append(
        _changed(item_of(ds), "RadionuclideTotalDose", "175000000"))),
    Fault("DOSE_PRIVATE_CONFLICT", edit=private_assay),
    Fault("DOSE_NET_FROM_ASSAY",
          overrides={"assay_mbq": 350.0, "assay_time": "10:00:00"}),
    # nuclide
    Fault("HALF_LIFE_MISSING", (("RadionuclideHalfLife", None),), states=TIMED),
    Fault("HALF_LIFE_MISSING", (("RadionuclideHalfLife", "0"),), states=TIMED, variant="zero"),
    Fault("HALF_LIFE_OFF_TABLE", header={"half_life_s": 6800.0}),
    Fault("HALF_LIFE_WRONG_NUCLIDE", header={"half_life_s": 4062.6}),
    Fault("HALF_LIFE_WRONG_NUCLIDE", header={"half_life_s": 109.77}, variant="minutes"),
    Fault("NUCLIDE_CODE_CONFLICT", edit=lambda ds, _: setattr(item_of(ds), "Radiopharmaceutical", "Ga68-X")),
    Fault("NUCLIDE_UNKNOWN", edit=unnamed),
    Fault("TRACER_UNEXPECTED", overrides={"tracer": "Pentixafor"}),
    # injection
    Fault("INJ_TIME_MISSING", tuple((k, None) for k in DOSE_AND_TIMES[2:]), states=TIMED),
    Fault("INJ_TIME_FROM_PRIVATE", edit=private_injection),
    Fault("INJ_TIME_FIELDS_DISAGREE", (("RadiopharmaceuticalStartTime", "100200"),)),
    Fault("INJ_DATE_SHIFTED", (("RadiopharmaceuticalStartDateTime", "20250103100000"),)),
    Fault("INJ_DATE_SHIFTED_LONG_LIVED", (("RadiopharmaceuticalStartDateTime", "20200101110000"),),
          header=ZIRCONIUM, states=TIMED),
    Fault("INJ_TIME_ONLY_LONG_LIVED", (("RadiopharmaceuticalStartDateTime", None),),
          header=ZIRCONIUM, states=TIMED),
    Fault("MIDNIGHT_CROSSED", (("RadiopharmaceuticalStartDateTime", None),), header=NEXT_DAY),
    Fault("TIMEZONE_APPLIED", edit=zoned_both),
    Fault("TIMEZONE_ONE_SIDED", edit=zoned_injection),
    Fault("TIME_UNPARSABLE", (("RadiopharmaceuticalStartDateTime", "20250101 10h"),), states=TIMED),
    Fault("TIME_UNPARSABLE", (("RadiopharmaceuticalStartTime", "1O0000"),), states=TIMED, variant="clock"),
    Fault("TIME_UNPARSABLE", (("AcquisitionTime", "noon"),), states=TIMED, variant="acquisition"),
    Fault("TIME_UNPARSABLE", (("SeriesTime", "99:99"),), states=TIMED, variant="series"),
    Fault("TIME_UNPARSABLE", (("SeriesDate", "00010101"),), states=TIMED, variant="placeholder date"),
    Fault("UPTAKE_NEGATIVE", header={"injected_at": ELEVEN + timedelta(minutes=20)}),
    Fault("UPTAKE_IMPLAUSIBLE", header={"injected_at": ELEVEN - timedelta(hours=7)}),
    Fault("UPTAKE_OUTSIDE_PROTOCOL", header={"injected_at": ELEVEN - timedelta(minutes=90)}),
    Fault("CLOCK_OFFSET_APPLIED", overrides={"clock_offset_s": 60.0}, keeps_factor=False),
    # decay reference
    Fault("ACQ_DATE_SHIFTED", (("AcquisitionDate", "20190317"),)),
    Fault("FRAME_DURATION_MISSING", (("ActualFrameDuration", None),), states=TIMED),
    Fault("FRAME_DURATION_MISSING", (("ActualFrameDuration", "0"),), states=TIMED, variant="zero"),
    Fault("REF_TIME_SERIES_AFTER_ACQ", header=LATE_SERIES, states=("START",)),
    Fault("REF_TIME_FROM_ACQUISITION", states=("START",), header=LATE_SERIES | {
        "beds": (Bed(acquired_at=ELEVEN, frame_reference_s=0.0, decay_factor=1.0),)}),
    Fault("REF_TIME_CONFLICT", states=("START",), header={
        "beds": (Bed(acquired_at=ELEVEN, frame_reference_s=450.0, decay_factor=1.0),)}),
    Fault("REF_TIME_UNRESOLVED", states=("START",), header={
        "decay_reference_at": ELEVEN + timedelta(minutes=20),
        "beds": (Bed(acquired_at=ELEVEN + timedelta(minutes=20)),)}),
    Fault("REF_TIME_UNCHECKED", (("AcquisitionDate", None), ("AcquisitionTime", None)), states=("START",)),
    Fault("PRIVATE_TIME_REJECTED", edit=private_ge(0x0D, "DT", "20250101113000"), states=("START",)),
    Fault("ACQTIME_NOT_PER_BED", states=TIMED, header=ONE_TIME_FOR_TWO_BEDS, keeps_factor=False),
    Fault("REF_TIME_CONFLICT", header=ONE_TIME_FOR_TWO_BEDS, states=("NONE",), variant="beds 4 min apart",
          keeps_factor=False),
    # units and corrections
    Fault("UNITS_MISSING", (("Units", None),)),
    Fault("UNITS_NOT_QUANTITATIVE", (("Units", "PROPCNTS"),)),
    Fault("UNITS_NOT_SUV", (("Units", "UMOLML"),)),
    Fault("UNITS_NOT_SUV", (("Units", "FURLONG"),), variant="unheard of"),
    Fault("CPS_UNSUPPORTED", (("Units", "CPS"),)),
    Fault("CNTS_NO_FACTOR", header=COUNTS | {"philips_factors": "zero"}),
    Fault("CNTS_NO_FACTOR", (("Units", "CNTS"),), variant="no private tags"),
    Fault("PHILIPS_OVERRIDE_NEEDS_ACSF", header=COUNTS | {"philips_factors": "suv"},
          overrides={"dose_mbq": 350.0}, states=NOT_NONE),
    Fault("PHILIPS_FACTORS_DISAGREE", header=COUNTS | {"philips_suv_factor": 0.001}, states=NOT_NONE,
          keeps_factor=False),
    Fault("PHILIPS_FACTOR_IGNORED", header={"dialect": "philips"}),
    Fault("PRIVATE_CREATOR_MISSING", header=COUNTS | {"has_private_creator": False}),
    Fault("SUVTYPE_ASSUMED_BW", header={"units": "GML"}),
    Fault("SUVTYPE_ASSUMED_BSA", header={"units": "CM2ML"}),
    Fault("SUVTYPE_UNKNOWN", header={"units": "GML", "suv_type": "BSA"}),
    Fault("SUVTYPE_UNKNOWN", (("SUVType", "BMI"),), header={"units": "GML", "suv_type": "BW"},
          variant="word"),
    Fault("DECAY_CORRECTION_MISSING", (("DecayCorrection", None),)),
    Fault("DECAY_CORRECTION_MISSING", (("DecayCorrection", "YES"),), variant="word"),
    Fault("DECAY_CORRECTION_CONTRADICTION", header={"corrected_image": ("ATTN", "DECY")}, states=("NONE",)),
    Fault("DECAY_CORRECTION_CONTRADICTION", header={"corrected_image": ("ATTN",)}, states=NOT_NONE,
          variant="without DECY"),
    Fault("SERIES_NAC", header={"attenuation_correction_method": "NONE"}, edit=lambda ds, _: setattr(
        ds, "CorrectedImage", [c for c in ds.CorrectedImage if c != "ATTN"])),
    Fault("CORRECTED_IMAGE_MISSING", (("CorrectedImage", None), ("AttenuationCorrectionMethod", None),
          ("SeriesDescription", None))),
    Fault("ATTENUATION_ASSUMED", (("CorrectedImage", None),)),
    # all slices
    Fault("MIXED_VALUES", edit=on_slice(3, "PatientWeight", "71")),
    Fault("MIXED_VALUES", edit=on_slice(0, "RadionuclideTotalDose", "351000000"), variant="dose"),
    Fault("MIXED_VALUES", edit=on_slice(5, "RadionuclideHalfLife", "6588"), variant="half-life"),
    Fault("MIXED_VALUES", edit=on_slice(5, "RadiopharmaceuticalStartTime", "100001"), variant="injection"),
    Fault("MIXED_VALUES", edit=on_slice(2, "Units", "CNTS"), variant="units"),
    Fault("MIXED_VALUES", edit=on_slice(2, "DecayCorrection", "ADMIN"), header={"decay_correction": "START"},
          variant="decay correction"),
    Fault("MIXED_VALUES", edit=on_slice(7, "SeriesTime", "110001"), variant="series time"),
    Fault("MIXED_VALUES", edit=on_slice(7, "Manufacturer", "GE"), variant="manufacturer"),
    Fault("MIXED_VALUES", edit=on_slice(7, "CorrectedImage", "ATTN"), variant="corrected image"),
    Fault("MIXED_VALUES", edit=on_slice(4, "AcquisitionTime", ""), states=TIMED,
          variant="acquisition time"),
    Fault("MIXED_VALUES", header=COUNTS, variant="private",
          edit=lambda ds, n: ds.__setitem__(0x70531009, DataElement(0x70531009, "DS", f"2.{5 + (n == 4)}"))),
    Fault("MIXED_VALUES", header={"dialect": "siemens"}, variant="private only in later slices",
          edit=lambda ds, n: n or ds.__delitem__(0x00711022)),
    Fault("RESCALE_SLOPE_INVALID", edit=on_slice(4, "RescaleSlope", "0")),
    Fault("RESCALE_SLOPE_INVALID", edit=on_slice(4, "RescaleSlope", "nan"), variant="nan"),
    Fault("RESCALE_SLOPE_INVALID", (("RescaleSlope", None),), variant="missing"),
    Fault("RESCALE_INTERCEPT_NONZERO", (("RescaleIntercept", "-2"),)),
    Fault("VALUE_NOT_FINITE", (("PatientWeight", "inf"),)),
    Fault("VALUE_NOT_FINITE", (("RadionuclideTotalDose", "nan"),), variant="dose"),
    Fault("VALUE_NOT_FINITE", (("RadionuclideHalfLife", "1e400"),), states=TIMED, variant="half-life"),
    Fault("VALUE_NOT_FINITE", (("ActualFrameDuration", "nan"),), states=TIMED, variant="duration"),
    Fault("VALUE_NOT_FINITE", (("DecayFactor", "nan"),), states=TIMED, variant="decay factor"),
    Fault("LOSSY_COMPRESSION", (("LossyImageCompression", "01"),)),
    # other normalisations
    Fault("HEIGHT_MISSING", (("PatientSize", None),), suv_types=("lbm-janma",)),
    Fault("HEIGHT_MISSING", (("PatientSize", "0"),), suv_types=("bsa",), variant="zero"),
    Fault("HEIGHT_IN_CM", (("PatientSize", "175"),), suv_types=("bw", "bsa")),
    Fault("HEIGHT_IMPLAUSIBLE", (("PatientSize", "2.6"),), suv_types=("bw", "bsa")),
    Fault("SEX_INVALID", (("PatientSex", ""),), suv_types=("ibw",)),
    Fault("SEX_OTHER_MEAN", header={"sex": "O"}, suv_types=("bw", "lbm-janma")),
    Fault("LBM_JAMES_ABOVE_PEAK", header=OBESE, suv_types=("bw", "lbm-james128")),
    Fault("LBM_NOT_POSITIVE", header={"weight_kg": 200.0, "height_m": 1.4, "sex": "F"},
          suv_types=("lbm-morgan",)),
    Fault("OVERRIDE", overrides={"weight_kg": 70.0}),
)  # fmt: skip


def _changed(item, keyword, text):
    other = deepcopy(item)
    setattr(other, keyword, text)
    return other


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_is_met_where_it_matters_and_nowhere_else(fault, state, judge):
    judged = judge(
        fault.definition(fault.header.get("decay_correction", state)),
        edit=fault.edit,
        overrides=fault.overrides,
        suv_types=fault.suv_types,
    )
    refusals = judged.refusals()
    is_refusal = CODES[fault.code].severity is Severity.REFUSE
    if state in fault.states:
        assert fault.code in judged.codes
        assert (fault.code in refusals) is is_refusal
    else:
        assert fault.code not in refusals
    if judged.conversion.refusals(fault.suv_types):
        assert all(judged.conversion.scale(suv_type) is None for suv_type in fault.suv_types)
    elif fault.keeps_factor:
        assert judged.error() <= EXACT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_every_finding_says_what_where_and_the_way_out(fault, judge):
    state = fault.states[0]
    judged = judge(
        fault.definition(fault.header.get("decay_correction", state)),
        edit=fault.edit,
        overrides=fault.overrides,
        suv_types=fault.suv_types,
    )
    for finding in judged.findings:
        line = finding.line()
        assert line.startswith(f"{finding.code}: ")
        assert "\n" not in line
        assert finding.found
        assert finding.where or finding.path
        if CODES[finding.code].severity is Severity.REFUSE:
            assert finding.expected
            assert finding.remedy


# What the table above cannot provoke -----------------------------------------------------------------------


def codes_of(refused) -> set[str]:
    return {finding.code for finding in refused.value.findings}


def test_no_pet_series(judge_files):
    datasets = pet_datasets(TINY)
    for dataset in datasets:
        dataset.Modality = "CT"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(Refused) as refused:
        judge_files(datasets)
    assert codes_of(refused) == {"NO_PET_SERIES"}


def test_series_ambiguous(judge_files):
    with pytest.raises(Refused) as refused:
        judge_files([*pet_datasets(TINY), *pet_datasets(TINY, kind="PT again", number=2)])
    assert codes_of(refused) == {"SERIES_AMBIGUOUS"}


def test_sop_class_unsupported(judge_files):
    datasets = pet_datasets(TINY)
    for dataset in datasets:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.20"  # Nuclear Medicine
    with pytest.raises(Refused) as refused:
        judge_files(datasets)
    assert codes_of(refused) == {"SOP_CLASS_UNSUPPORTED"}


def test_dose_enhanced_in_bq(judge_files, enhanced_pet):
    assert judge_files([enhanced_pet.enhanced_pet(dose=350e6)]).codes == {"DOSE_ENHANCED_IN_BQ"}
    assert judge_files([enhanced_pet.enhanced_pet(dose=350.0)]).codes == set()


def test_series_not_volume(judge_files):
    datasets = pet_datasets(TINY)
    projection = deepcopy(datasets[0])
    projection.SOPInstanceUID = f"{projection.SOPInstanceUID}.8"
    projection.ImageType = ["DERIVED", "PRIMARY", "MIP"]
    assert "SERIES_NOT_VOLUME" in judge_files([*datasets, projection]).codes


def test_series_dynamic(judge):
    assert "SERIES_DYNAMIC" in judge(replace(TINY, time_frames=(1.0, 0.5))).refusals()


def test_series_gated(judge):
    assert "SERIES_GATED" in judge(replace(TINY, gates=(1.0, 0.5))).refusals()


def test_nac_allowed(judge_files):
    judged = judge_files(nac_datasets(TINY), allow_nac=True)
    assert "NAC_ALLOWED" in judged.codes
    assert judged.refusals() == set()


UNIFORM = replace(
    TINY,
    body=replace(
        TINY.body,
        uptakes=(
            Uptake(
                name="all", shape=Box(centre_mm=(0, 0, 0), half_widths_mm=(200, 200, 200)), contrast_suv=1.0
            ),
        ),
    ),
)


def codes_of_quantified(definition: Definition, folder: Path, **choices: Any) -> set[str]:
    study = write_study(definition, folder)
    found = quantify(study.dicom, [study.lesions], choices=Choices(**choices))
    return {finding.code for finding in found.findings}


def test_o28_activity_balance_high(tmp_path):
    # 16 x 16 x 8 voxels of 0.064 mL at SUV 1: 131.072 g of SUV x mL, 1.2 times a body of 109.2267 g
    definition = UNIFORM.with_header(weight_kg=131.072 / 1.2 / 1000.0)
    study = write_study(definition, tmp_path)
    found = quantify(study.dicom, [study.lesions])
    assert "ACTIVITY_BALANCE_HIGH" in {finding.code for finding in found.findings}
    # the stored integers of a uniform object are exact to half a unit in 32767
    assert found.activity_balance == pytest.approx(1.2, rel=2e-5)


def test_activity_balance_low(tmp_path):
    tall = replace(TINY, grid=replace(TINY.grid, spacing_mm=(80.0, 4.0, 4.0), origin_mm=(-30.0, -30.0, 1.0)))
    assert "ACTIVITY_BALANCE_LOW" in codes_of_quantified(tall, tmp_path)


def test_suv_extreme(tmp_path):
    definition = TINY.with_header(units="GML", suv_type="BW")
    scaled = tuple(replace(u, contrast_suv=4000.0 * u.contrast_suv) for u in TINY.body.uptakes)
    with pytest.raises(Refused) as refused:
        codes_of_quantified(replace(definition, body=replace(TINY.body, uptakes=scaled)), tmp_path)
    assert codes_of(refused) == {"SUV_EXTREME"}


def test_slice_total_outlier(tmp_path):
    study = write_study(
        replace(UNIFORM, slope="global"),
        tmp_path,
        edit=lambda ds, n: n == 3 and setattr(ds, "RescaleSlope", f"{2 * float(ds.RescaleSlope):.10g}"),
    )
    found = quantify(study.dicom, [study.lesions])
    assert "SLICE_TOTAL_OUTLIER" in {finding.code for finding in found.findings}


def with_background(definition: Definition, folder: Path, edit=None):
    study = write_study(definition, folder, edit=edit)
    background = Background(name="muscle", path=str(study.backgrounds["muscle"]))
    return quantify(study.dicom, [study.lesions], backgrounds=[background])


def test_suv_unavailable_tbr_valid(tmp_path):
    found = with_background(replace(TINY, edits=(("RadionuclideTotalDose", None),)), tmp_path)
    assert "SUV_UNAVAILABLE_TBR_VALID" in {finding.code for finding in found.findings}


def test_tbr_beds_not_aligned(judge):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(minutes=4 * n)) for n in range(2))
    undecayed = replace(
        TINY.with_header(decay_correction="NONE", beds=beds), edits=(("RadionuclideHalfLife", None),)
    )
    judged = judge(undecayed)
    assert {finding.code for finding in ratio_refusals(judged.conversion)} == {"TBR_BEDS_NOT_ALIGNED"}


def test_noise_differs():
    found = noise_differs(0.10, 0.16, tissue="liver")  # 0.16 / 0.10 > 1.5
    assert [finding.code for finding in found] == ["NOISE_DIFFERS"]
    assert not noise_differs(0.10, 0.14, tissue="liver")


# The table of section 17 -----------------------------------------------------------------------------------

SECTION_17 = {
    "refuse": """
        NO_PET_SERIES SERIES_AMBIGUOUS SOP_CLASS_UNSUPPORTED SERIES_NAC CORRECTED_IMAGE_MISSING SERIES_DYNAMIC
        SERIES_GATED MIXED_VALUES LOSSY_COMPRESSION RESCALE_SLOPE_INVALID VALUE_NOT_FINITE UNITS_MISSING
        UNITS_NOT_QUANTITATIVE UNITS_NOT_SUV CNTS_NO_FACTOR CPS_UNSUPPORTED PHILIPS_OVERRIDE_NEEDS_ACSF
        SUVTYPE_UNKNOWN DECAY_CORRECTION_MISSING DECAY_CORRECTION_CONTRADICTION DOSE_MISSING DOSE_NOT_POSITIVE
        DOSE_UNIT_AMBIGUOUS DOSE_MULTIPLE WEIGHT_MISSING WEIGHT_NOT_POSITIVE HEIGHT_MISSING SEX_INVALID
        LBM_NOT_POSITIVE HALF_LIFE_MISSING HALF_LIFE_WRONG_NUCLIDE TRACER_UNEXPECTED INJ_TIME_MISSING
        INJ_DATE_SHIFTED_LONG_LIVED INJ_TIME_ONLY_LONG_LIVED TIME_UNPARSABLE UPTAKE_IMPLAUSIBLE
        FRAME_DURATION_MISSING REF_TIME_UNRESOLVED SUV_EXTREME TBR_BEDS_NOT_ALIGNED""",
    "flag S": """
        ATTENUATION_ASSUMED RESCALE_INTERCEPT_NONZERO PHILIPS_FACTORS_DISAGREE REF_TIME_FROM_ACQUISITION
        REF_TIME_CONFLICT REF_TIME_UNCHECKED ACTIVITY_BALANCE_HIGH ACTIVITY_BALANCE_LOW
        SLICE_TOTAL_OUTLIER""",
    "flag": """
        SERIES_NOT_VOLUME SUVTYPE_ASSUMED_BW SUVTYPE_ASSUMED_BSA PRIVATE_CREATOR_MISSING DOSE_IN_MBQ
        DOSE_ENHANCED_IN_BQ DOSE_OUT_OF_RANGE DOSE_PRIVATE_CONFLICT WEIGHT_IN_GRAMS WEIGHT_IMPLAUSIBLE
        WEIGHT_EQUALS_HEIGHT HEIGHT_IN_CM HEIGHT_IMPLAUSIBLE SEX_OTHER_MEAN LBM_JAMES_ABOVE_PEAK
        HALF_LIFE_OFF_TABLE NUCLIDE_CODE_CONFLICT NUCLIDE_UNKNOWN INJ_TIME_FROM_PRIVATE
        INJ_TIME_FIELDS_DISAGREE
        INJ_DATE_SHIFTED TIMEZONE_ONE_SIDED ACQ_DATE_SHIFTED UPTAKE_NEGATIVE UPTAKE_OUTSIDE_PROTOCOL
        REF_TIME_SERIES_AFTER_ACQ PRIVATE_TIME_REJECTED SUV_UNAVAILABLE_TBR_VALID NOISE_DIFFERS""",
    "info": """
        PHILIPS_FACTOR_IGNORED DOSE_NET_FROM_ASSAY MIDNIGHT_CROSSED TIMEZONE_APPLIED ACQTIME_NOT_PER_BED
        CLOCK_OFFSET_APPLIED OVERRIDE""",
}
GRADES = {code: grade for grade, codes in SECTION_17.items() for code in codes.split()}

# Codes of parts that petquant does not have: they come into its table with the part.
NOT_YET = {}

PROVOKED_BY = {fault.code: "test_a_fault_is_met_where_it_matters_and_nowhere_else" for fault in FAULTS} | {
    "DOSE_ENHANCED_IN_BQ": "test_dose_enhanced_in_bq",
    "NO_PET_SERIES": "test_no_pet_series",
    "SERIES_AMBIGUOUS": "test_series_ambiguous",
    "SOP_CLASS_UNSUPPORTED": "test_sop_class_unsupported",
    "SERIES_NOT_VOLUME": "test_series_not_volume",
    "SERIES_DYNAMIC": "test_series_dynamic",
    "SERIES_GATED": "test_series_gated",
    "ACTIVITY_BALANCE_HIGH": "test_o28_activity_balance_high",
    "ACTIVITY_BALANCE_LOW": "test_activity_balance_low",
    "SUV_EXTREME": "test_suv_extreme",
    "SLICE_TOTAL_OUTLIER": "test_slice_total_outlier",
    "SUV_UNAVAILABLE_TBR_VALID": "test_suv_unavailable_tbr_valid",
    "TBR_BEDS_NOT_ALIGNED": "test_tbr_beds_not_aligned",
    "NOISE_DIFFERS": "test_noise_differs",
}


@pytest.mark.parametrize("code", GRADES)
def test_the_table_of_codes_grades_as_the_specification_does(code):
    if code in NOT_YET:
        assert code not in CODES, f"{code} has come: provoke it"
        return
    row = CODES[code]
    assert f"{row.severity}{' S' if row.strict else ''}" == GRADES[code]


@pytest.mark.parametrize("code", sorted(set(GRADES) - set(NOT_YET)))
def test_every_code_of_the_specification_is_provoked_by_a_file(code):
    assert callable(globals()[PROVOKED_BY[code]])


def test_strict_promotes_the_marked_flags_and_nothing_else():
    marked = {code for code, row in CODES.items() if row.strict}
    of_suv = {code for code, grade in GRADES.items() if grade == "flag S"}
    assert of_suv <= marked
    assert not {code for code in marked - of_suv if code in GRADES}
    assert all(CODES[code].severity is Severity.FLAG for code in marked)


# The way out: what lifts a refusal -------------------------------------------------------------------------

LIFTED = (
    ("WEIGHT_MISSING", {"weight_kg": 70.0}),
    ("DOSE_MISSING", {"dose_mbq": 350.0}),
    ("DOSE_UNIT_AMBIGUOUS", {"dose_mbq": 350.0}),
    ("HALF_LIFE_MISSING", {"half_life": "nuclide"}),
    ("HALF_LIFE_MISSING", {"half_life": "6586.2"}),
    ("INJ_TIME_MISSING", {"injection_time": "10:00:00"}),
    ("INJ_TIME_MISSING", {"injection_datetime": "2025-01-01T10:00:00"}),
    ("TIME_UNPARSABLE", {"injection_datetime": "2025-01-01 10:00"}),
    ("TIME_UNPARSABLE-clock", {"injection_datetime": "2025-01-01T10:00:00"}),
    ("TIME_UNPARSABLE-clock", {"injection_time": "10:00"}),
    ("TIME_UNPARSABLE-series", {"decay_reference": "11:00:00"}),
    ("TIME_UNPARSABLE-acquisition", {"decay_reference": "series"}),
    ("INJ_TIME_ONLY_LONG_LIVED", {"injection_datetime": "2024-12-28T11:00:00"}),
    ("INJ_DATE_SHIFTED_LONG_LIVED", {"injection_datetime": "2024-12-28T11:00:00"}),
    ("FRAME_DURATION_MISSING", {"frame_duration_s": 300.0}),
    ("FRAME_DURATION_MISSING", {"decay_reference": "series"}),
    ("VALUE_NOT_FINITE", {"weight_kg": 70.0}),
    ("VALUE_NOT_FINITE-dose", {"dose_mbq": 350.0}),
    ("VALUE_NOT_FINITE-half-life", {"half_life": "nuclide"}),
    ("VALUE_NOT_FINITE-duration", {"frame_duration_s": 300.0}),
    ("VALUE_NOT_FINITE-decay factor", {"decay_reference": "series"}),
    ("UNITS_MISSING", {"units": "BQML"}),
    ("DECAY_CORRECTION_MISSING", {"decay_correction": "START"}),
    ("SUVTYPE_UNKNOWN-word", {"suv_type": "BW"}),
    ("REF_TIME_UNRESOLVED", {"decay_reference": "acquisition"}),
)


@pytest.mark.parametrize(
    ("name", "overrides"), LIFTED, ids=[f"{name}{next(iter(over.items()))}" for name, over in LIFTED]
)
def test_an_option_lifts_the_refusal_that_names_it(name, overrides, judge):
    fault = next(fault for fault in FAULTS if fault.id == name)
    definition = fault.definition(fault.header.get("decay_correction", "START"))
    message = judge(definition, edit=fault.edit).message(fault.code)
    option = Overrides(**overrides).given()
    assert any(word in message for word in option) or "--injection-datetime" in message
    lifted = judge(definition, edit=fault.edit, overrides=overrides)
    assert lifted.refusals() == set()
    assert lifted.error() <= EXACT


def test_an_undecayed_series_takes_its_frame_duration_from_the_user(judge):
    definition = replace(TINY.in_dialect(decay="NONE"), edits=(("ActualFrameDuration", None),))
    assert judge(definition).refusals() == {"FRAME_DURATION_MISSING"}
    assert judge(definition, overrides={"frame_duration_s": 300.0}).error() <= EXACT


def test_an_uptake_time_stands_in_for_a_missing_injection(judge):
    def strip(dataset, _place):
        item = dataset.RadiopharmaceuticalInformationSequence[0]
        del item.RadiopharmaceuticalStartTime, item.RadiopharmaceuticalStartDateTime

    assert judge(TINY, edit=strip).refusals() == {"INJ_TIME_MISSING"}
    assert judge(TINY, edit=strip, overrides={"uptake_min": 60.0}).error() <= EXACT


def test_counts_take_their_factor_from_the_user(judge):
    definition = TINY.with_header(**COUNTS, philips_factors="activity", philips_activity_factor=2.5)
    stripped = replace(definition, header=replace(definition.header, has_private=False))
    # without private factors the phantom stores counts as Bq/mL / 2.5
    assert judge(stripped, overrides={"counts_to_bqml": 2.5}).error() <= EXACT


def test_calibrated_counts_per_second_become_a_concentration_on_request_only(judge):
    definition = replace(
        TINY.with_header(corrected_image=("ATTN", "DECY", "DCAL")), edits=(("Units", "CPS"),)
    )
    judged = judge(definition, overrides={"units_override": "cps-dcal"})
    # the phantom stores Bq/mL; read as Bq in a voxel of 0.064 mL it is 1 / 0.064 times as much
    assert judged.error(np.asarray(judged.study.truth["suv"]["factor"]) / 0.064) <= EXACT
    without = replace(definition, header=replace(definition.header, corrected_image=("ATTN", "DECY")))
    assert judge(without, overrides={"units_override": "cps-dcal"}).refusals() == {"CPS_UNSUPPORTED"}


def test_messages_name_attribute_and_tag(judge):
    line = judge(replace(TINY, edits=(("PatientWeight", None),))).message("WEIGHT_MISSING")
    assert re.search(r"series [\d.]+: PatientWeight \(0010,1030\) is missing; .*--weight-kg", line)
