"""Measurements written as SR are what other programs read, and what petquant reads again."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace

import highdicom
import pydicom
import pytest
from petquant_phantoms import TINY, write_study
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes

from petquant.code import Code
from petquant.dicom import sr_writing
from petquant.dicom.seg_writing import seg_bytes
from petquant.dicom.sr import read_measurements
from petquant.dicom.sr_writing import sr_bytes
from petquant.errors import Refused, UnreadableInput
from petquant.export.dicom_results import dicom_contents
from petquant.output import write_all
from petquant.quantify import Background, measure_study
from petquant.quantities import QUANTITIES
from petquant.study import Choices
from petquant.suv.normalisation import NORMALISATIONS

EVIL = "<script>alert(1)</script>^=cmd|'/c calc'!A1"
OF_SUV = ("suv_max", "suv_mean", "suv_peak", "suv_min", "suv_sd", "suv_cov", "suv_median")
COLUMNS = (*OF_SUV, "mtv_ml", "tlg_g", "tbr_max_muscle", "tbr_mean_muscle", "tbr_peak_muscle")
CONCEPTS = {"SUVbw", "Metabolic Volume", "Total Lesion Glycolysis", "Lesion to Background SUV Ratio"}

needs_validators = pytest.mark.skipif(
    shutil.which("dciodvfy") is None or shutil.which("dsrdump") is None,
    reason="dciodvfy (dicom3tools) and dsrdump (dcmtk) are not installed",
)
READER = shutil.which("tid1500reader")


class Written:
    """A study that was measured, and the two objects made of it."""

    def __init__(self, folder, definition=TINY, **choices):
        self.study = write_study(definition, folder / "phantom")
        background = Background(name="muscle", path=str(self.study.backgrounds["muscle"]))
        measured = measure_study(
            self.study.dicom, [self.study.lesions], backgrounds=[background], choices=Choices(**choices)
        )
        self.quantification, self.lesions = measured.quantification, measured.lesions
        self.seg, self.sr = folder / "seg.dcm", folder / "sr.dcm"
        write_all(dicom_contents(self.quantification, self.lesions, seg=self.seg, sr=self.sr))

    @property
    def rows(self):
        return self.quantification.measurements[: len(self.lesions)]

    def values(self):
        """Every number that the report must hold, by region."""
        return [[row.values[column] for column in COLUMNS] for row in self.rows]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return Written(tmp_path_factory.mktemp("sr"), replace(TINY, edits=(("PatientName", EVIL),)))


def said(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_every_code_is_one_of_the_dictionaries_of_dicom():
    known = {
        (value, scheme): [meaning, *(cids or ())]
        for scheme, by_keyword in concepts.items()
        for of_keyword in by_keyword.values()
        for value, (meaning, cids) in of_keyword.items()
    }
    used = [code for row in QUANTITIES for code in (row.dicom, row.derivation) if code is not None]
    used += [code for row in NORMALISATIONS for code in (row.dicom, row.method)]
    used += [code for name, code in vars(sr_writing).items() if isinstance(code, Code) and name != "_METHOD"]
    assert {code for code in used if (code.value, code.scheme) not in known} == set()
    # one concept has several names in pydicom's dictionary: of DCM, which PS3.16 defines, there is one
    assert [
        code for code in used if code.scheme == "DCM" and known[code.value, "DCM"][0] != code.meaning
    ] == []
    derivations = {row.derivation for row in QUANTITIES} - {None}
    of_group = {(one.value, one.scheme_designator) for one in codes.cid7464.concepts.values()}
    assert {(one.value, one.scheme) for one in derivations} <= of_group
    units = {one.value for one in codes.cid85.concepts.values()}
    assert {row.ucum for row in NORMALISATIONS} == units


@needs_validators
def test_validators_find_nothing_to_say(written):
    assert said("dciodvfy", "-new", written.sr)[1:] == ("", "Comprehensive3DSR\n")
    assert said("dciodvfy", "-new", written.seg)[1:] == ("", "Segmentation\n")
    code, out, err = said("dsrdump", written.sr)
    assert (code, err) == (0, "")
    assert "Total Lesion Glycolysis" in out


def test_highdicom_reads_the_same_numbers(written):
    report = highdicom.sr.srread(written.sr).content
    groups = report.get_volumetric_roi_measurement_groups()
    assert [[one.value for one in group.get_measurements()] for group in groups] == written.values()
    seg = pydicom.dcmread(written.seg)
    for group, segment in zip(groups, seg.SegmentSequence, strict=True):
        assert (group.tracking_uid, group.tracking_identifier) == (segment.TrackingUID, segment.TrackingID)
        assert group.tracking_identifier in {"1 label 1", "2 label 2"}
        reference = group.referenced_segment
        assert reference[0].referenced_segment_numbers == [segment.SegmentNumber]
        assert reference[0].referenced_sop_instance_uid == seg.SOPInstanceUID
        maximum = group.get_measurements(name=codes.DCM.Suvbw)[0]
        assert maximum.derivation == codes.SCT.Maximum
        assert maximum.unit == codes.UCUM.StandardizedUptakeValueBodyWeight
        (volume,) = group.get_measurements(name=codes.cid7466.MetabolicVolume)
        assert volume.unit.value == "ml"
    (background,) = report.get_image_measurement_groups()
    assert background.get_measurements()[0].name == codes.cid7466.BackgroundForLesionToBackgroundSUVRatio
    assert background.get_measurements()[0].value == written.quantification.references[0].values["mean"]


@pytest.mark.skipif(READER is None, reason="tid1500reader (dcmqi) is not installed")
def test_dcmqi_reads_the_same_numbers(written, tmp_path):
    code, *_ = said(READER, "--inputDICOM", written.sr, "--outputMetadata", tmp_path / "found.json")
    assert code == 0
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["Measurements"]
    regions = [group for group in found if "ReferencedSegment" in group]
    for group, values in zip(regions, written.values(), strict=True):
        assert {one["quantity"]["CodeMeaning"] for one in group["measurementItems"]} == CONCEPTS
        decimal = [float(one["value"]) for one in group["measurementItems"]]
        assert decimal == pytest.approx(values, rel=1e-12, abs=1e-15)  # a DS has 16 characters
        assert group["segmentationSOPInstanceUID"] == pydicom.dcmread(written.seg).SOPInstanceUID
        assert group["measurementMethod"]["CodeValue"] == "126410"  # by body weight


def test_petquant_reads_numbers_names_and_flags_again(written):
    *regions, background = read_measurements(written.sr)
    assert [[one.column for one in region.values] for region in regions] == [list(COLUMNS)] * len(regions)
    assert [[one.value for one in region.values] for region in regions] == written.values()
    truth = {region["name"]: region["expected"]["suv_max"] for region in written.study.truth["regions"]}
    assert regions[0].value("suv_max") == pytest.approx(truth["hot"]["value"], abs=truth["hot"]["abs_tol"])
    for region, row in zip(regions, written.rows, strict=True):
        assert [words.partition(":")[0] for words in region.comments] == list(row.flags)
    assert (background.segment, background.tracking_id) == (0, "background muscle")
    assert [one.column for one in background.values] == ["mean", "sd", "median"]


def test_the_segments_measured_again_give_the_numbers_of_the_report(written):
    again = measure_study(written.study.dicom, [written.seg]).quantification.measurements
    of_report = read_measurements(written.sr)
    for row, region in zip(again, of_report, strict=False):
        assert [row.values[column] for column in OF_SUV] == [region.value(column) for column in OF_SUV]


def test_the_image_library_says_what_was_injected(written):
    sr = pydicom.dcmread(written.sr)
    library = next(one for one in sr.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == "111028")
    items = {
        one.ConceptNameCodeSequence[0].CodeValue: one for one in library.ContentSequence[0].ContentSequence
    }
    assert items["89457008"].ConceptCodeSequence[0].CodeValue == "77004003"  # 18F
    assert items["349358000"].ConceptCodeSequence[0].CodeValue == "35321007"  # FDG
    assert items["304283002"].MeasuredValueSequence[0].NumericValue == 6586.2
    assert items["123003"].DateTime == "20250101100000"
    assert items["123006"].MeasuredValueSequence[0].NumericValue == 350e6
    pets = {pydicom.dcmread(path).SOPInstanceUID for path in written.study.pet.glob("*")}
    (study,) = sr.CurrentRequestedProcedureEvidenceSequence
    uids = [item.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence]  # fmt: skip
    assert sorted(uids) == sorted({*pets, pydicom.dcmread(written.seg).SOPInstanceUID})


def test_patient_and_study_are_those_of_the_source_whatever_their_text(written):
    source = pydicom.dcmread(next(written.study.pet.glob("*")))
    for path in (written.sr, written.seg):
        found = pydicom.dcmread(path)
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
            assert found[keyword].value == source[keyword].value
        assert found.PatientName == EVIL


def test_the_same_measurements_are_the_same_bytes_and_others_have_other_uids(written):
    conversion, rows = written.quantification.study.conversion, written.quantification.measurements
    stack, seg = written.quantification.study.stack, written.seg.read_bytes()
    first, second, other = (
        sr_bytes(stack, seg, measurements, conversion=conversion)
        for measurements in (rows, rows, [replace(rows[0], flags=("ROI_OVERLAP",)), *rows[1:]])
    )
    assert first == second
    uids = {pydicom.dcmread(pydicom.filebase.DicomBytesIO(one)).SOPInstanceUID for one in (first, other)}
    assert len(uids) == 2


def test_a_second_suv_type_adds_its_numbers_and_no_second_volume(tmp_path):
    both = Written(tmp_path, suv_types=("bw", "lbm-janma"))
    region = read_measurements(both.sr)[0]
    units = [one.unit for one in region.values if one.column == "suv_max"]
    assert units == ["g/ml{SUVbw}", "g/ml{SUVlbm(Janma)}"]
    expected = [row.values["suv_max"] for row in both.quantification.measurements if row.roi_id == "1"]
    assert [one.value for one in region.values if one.column == "suv_max"] == expected
    assert [one.column for one in region.values].count("mtv_ml") == 1
    of_lean = next(one for one in region.values if one.unit == "g/ml{SUVlbm(Janma)}")
    assert of_lean.concept == Code("126405", "DCM", "SUVlbm(Janma)")


def test_what_has_no_value_is_not_written(written):
    rows = [replace(row, values=row.values | {"suv_peak": None}) for row in written.rows]
    study, path = written.quantification.study, written.sr.with_name("without.dcm")
    path.write_bytes(sr_bytes(study.stack, written.seg.read_bytes(), rows, conversion=study.conversion))
    region = read_measurements(path)[0]
    assert region.value("suv_peak") is None
    assert region.value("suv_max") == rows[0].values["suv_max"]


def test_frames_of_an_enhanced_image_are_named_by_their_file(tmp_path):
    enhanced = Written(tmp_path, replace(TINY, object="enhanced"))
    sr = pydicom.dcmread(enhanced.sr)
    (study,) = sr.CurrentRequestedProcedureEvidenceSequence
    assert [len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence] == [1, 1]
    assert read_measurements(enhanced.sr)[0].value("suv_max") == enhanced.rows[0].values["suv_max"]


def test_text_beyond_ascii_and_controls_is_kept_or_made_harmless(written, tmp_path):
    study = written.quantification.study
    lesions = [replace(roi, name="größter\x1b[2J Knoten\\1") for roi in written.lesions]
    rows = [replace(row, roi_source="=cmd()\n\x07") for row in written.rows]
    seg = seg_bytes(study.stack, lesions, grid=study.grid, algorithm="x")
    path = tmp_path / "sr.dcm"
    path.write_bytes(sr_bytes(study.stack, seg, rows, conversion=study.conversion))
    assert read_measurements(path)[0].tracking_id == "1 größter [2J Knoten\\1"
    assert pydicom.dcmread(path).SpecificCharacterSet == "ISO_IR 192"
    assert b"\x1b" not in path.read_bytes()


def test_a_report_of_nothing_is_refused(written):
    study = written.quantification.study
    with pytest.raises(Refused, match="ROI_EMPTY"):
        sr_bytes(study.stack, written.seg.read_bytes(), [], conversion=study.conversion)


def test_measurements_of_other_regions_are_a_mistake_of_the_caller(written):
    study, rows = written.quantification.study, written.rows
    with pytest.raises(ValueError, match="other regions"):
        sr_bytes(study.stack, written.seg.read_bytes(), rows[:1], conversion=study.conversion)


def test_a_file_that_is_no_report_is_said_to_be_none(written):
    with pytest.raises(UnreadableInput, match="no measurement group"):
        read_measurements(written.seg)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_number_that_is_none_is_not_read(written, tmp_path, value):
    sr = pydicom.dcmread(written.sr)
    group = sr.ContentSequence[-1].ContentSequence[0]
    number = next(one for one in group.ContentSequence if one.ValueType == "NUM")
    number.MeasuredValueSequence[0].FloatingPointValue = value
    sr.save_as(tmp_path / "sr.dcm")
    with pytest.raises(UnreadableInput, match="FILE_NOT_UNDERSTOOD"):
        read_measurements(tmp_path / "sr.dcm")


def test_a_report_by_dcmqi_is_read_with_its_retired_codes(real_data):
    (region, *_) = read_measurements(real_data / "dcmqi_sr_example/sr.dcm")
    assert (region.tracking_id, region.segment) == ("primary tumor", 1)
    # as dsrdump prints the file
    expected = {"suv_max": 10.3814, "suv_mean": 6.01529, "suv_peak": 9.45534, "tlg_g": 202.008}
    assert {column: region.value(column) for column in expected} == expected
