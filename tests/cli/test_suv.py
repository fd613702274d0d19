"""The main job and its sisters, as a user runs them: words in; numbers, files and exit codes out."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, catalogue, pet_datasets, suv_field, write_datasets, write_study
from scipy.spatial import cKDTree

MAIN = ("suv_max", "suv_mean", "suv_min", "suv_median", "suv_sd", "suv_p10", "suv_p90", "mtv_ml", "tlg_g")
WITHOUT_WEIGHT = replace(TINY, edits=(("PatientWeight", None),))


@pytest.fixture
def suv(petquant_within, tiny):
    """Run ``petquant suv`` on the tiny phantom with its regions and their names."""

    def run(*options, study=None, roi=None):
        labels = ("--labels", tiny.labels)
        return petquant_within("suv", study or tiny.dicom, "--roi", roi or tiny.lesions, *labels, *options)

    return run


@pytest.fixture
def record(suv):
    def run(*options, **how):
        result = suv("--format", "json", *options, **how)
        assert result.code == 0, result.err
        return result.json

    return run


def table_of(content, delimiter=","):
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=delimiter))


def rows_of(record):
    return {row["roi_name"]: row for row in record["measurements"]}


def within(found, want, *, factor=1.0):
    return abs(found - factor * want["value"]) <= factor * want["abs_tol"]


class TestNumbers:
    def test_the_command_gives_the_truth_of_the_phantom(self, computed, tiny):
        record = computed(tiny.dicom)
        assert record["summary"]["n_lesions"] == tiny.truth["study"]["n_lesions"]
        # sums of what is exact to the quantisation of the pixels
        assert record["summary"]["tmtv_ml"] == pytest.approx(tiny.truth["study"]["tmtv_ml"], rel=1e-9)
        tolerance = sum(tiny.expected(name)["tlg_g"]["abs_tol"] for name in ("hot", "cold"))
        assert record["summary"]["ttlg_g"] == pytest.approx(tiny.truth["study"]["ttlg_g"], abs=tolerance)
        assert record["summary"]["suv_max"] == rows_of(record)["hot"]["suv_max"]

    def test_one_file_of_the_series_is_one_slice_and_not_the_study(self, petquant_within, tiny):
        result = petquant_within("suv", tiny.pet / "IM0001.dcm", "--roi", tiny.lesions)
        assert result.code == 4
        assert set(result.codes) == {"ROI_OUTSIDE_FOV"}

    def test_the_json_holds_every_key_of_the_contract(self, record, tiny):
        found = record("--background", f"muscle={tiny.backgrounds['muscle']}")
        assert {
            "petquant_version", "study", "series", "conversion", "references", "measurements", "summary",
        } <= set(found)  # fmt: skip
        assert {
            "suv_type", "factor", "units", "rule", "decay_reference_at", "injected_at", "decay_interval_s",
            "uptake_time_min", "decayed_activity_bq", "weight_kg", "candidates", "evidence", "flags",
        } <= set(found["conversion"])  # fmt: skip
        assert found["conversion"]["candidates"]
        for candidate in found["conversion"]["candidates"]:
            assert {"id", "datetime", "valid", "effect_percent", "reason"} <= set(candidate)
        assert found["conversion"]["evidence"]
        for row in found["measurements"]:
            assert {"roi_id", "roi_name", "n_voxels", *MAIN, "suv_peak", "flags"} <= set(row)
            assert {"suv_peak_ibsi_local", "suv_peak_ibsi_global", "max_x_mm", "max_y_mm"} <= set(row)
            assert {"tbr_max_muscle", "tbr_mean_muscle", "tbr_peak_muscle"} <= set(row)
        assert set(found["summary"]) >= {"n_lesions", "tmtv_ml", "ttlg_g", "suv_max", "dmax_centroid_mm"}

    def test_the_conversion_is_that_of_the_formula(self, record, tiny):
        found, truth = record()["conversion"], tiny.truth["suv"]
        # 70 kg / (350 MBq x 2^(-3600 s / 6586.2 s))
        assert found["factor"] == pytest.approx(70_000 / (350e6 * 2 ** (-3600 / 6586.2)), rel=1e-12)
        assert found["factor"] == pytest.approx(truth["factor"], rel=1e-12)
        assert found["decay_interval_s"] == 3600
        assert found["uptake_time_min"] == 60
        assert found["decayed_activity_bq"] == pytest.approx(truth["decayed_activity_bq"], rel=1e-12)
        assert found["units"] == "BQML"
        assert found["suv_type"] == "bw"

    def test_csv_and_tsv_hold_the_same_names_and_numbers_as_the_json(self, suv, record):
        rows = record()["measurements"]
        for format_, delimiter in (("csv", ","), ("tsv", "\t")):
            cells = table_of(suv("--format", format_).out, delimiter)
            assert len(cells) == len(rows)
            for cell, row in zip(cells, rows, strict=True):
                for name, value in row.items():
                    if isinstance(value, float):
                        assert float(cell[name]) == value, "full precision"
                    elif name != "flags":
                        assert cell[name] == ("" if value is None else str(value))
                assert set(row["flags"]) <= set(cell["flags"].split())

    def test_a_pipe_gets_csv(self, suv):
        assert suv().out == suv("--format", "csv").out

    def test_two_runs_give_the_same_bytes(self, petquant, tiny):
        args = ("suv", tiny.dicom, "--roi", tiny.lesions, "--format", "json")
        assert petquant(*args).out == petquant(*args, env={"PYTHONHASHSEED": "7", "LANG": "C"}).out

    @pytest.mark.parametrize(
        ("name", "factor", "unit"),
        [
            ("lbm", 55.857108 / 70, "g/mL"),  # suv.md section 11: 70 kg, 1.75 m, M
            ("lbm-janma", 55.857108 / 70, "g/mL"),
            ("lbm-james128", 56.52 / 70, "g/mL"),
            ("lbm-morgan", 57.8 / 70, "g/mL"),
            ("ibw", 72.38 / 70, "g/mL"),
            ("bsa", 1.8481430 * 10 / 70, "cm2/mL"),
        ],
    )
    def test_another_suv_type_is_that_part_of_the_body(self, record, tiny, name, factor, unit):
        want = tiny.expected("hot")["suv_max"]
        row = rows_of(record("--suv", name))["hot"]
        # the table of suv.md prints eight digits
        assert row["suv_max"] == pytest.approx(factor * want["value"], abs=want["abs_tol"], rel=1e-7)
        assert row["suv_type"] == ("lbm-janma" if name == "lbm" else name)
        assert row["unit"] == unit

    def test_several_suv_types_follow_each_other_as_rows(self, record):
        rows = record("--suv", "bw", "--suv", "lbm", "--suv", "bsa")["measurements"]
        assert [(row["suv_type"], row["roi_id"]) for row in rows] == list(
            product(("bw", "lbm-janma", "bsa"), (1, 2))
        )

    def test_an_override_is_used_and_recorded(self, record, tiny):
        found = record("--weight-kg", "140")
        want = tiny.expected("hot")["suv_max"]
        assert within(rows_of(found)["hot"]["suv_max"], want, factor=2.0)
        assert found["conversion"]["overrides"] == [
            {"option": "--weight-kg", "value": 140.0, "replaced_value": "70", "tag": "(0010,1030)"}
        ]


class TestRegions:
    @pytest.mark.parametrize("form", ["json", "csv"])
    def test_labels_get_their_names(self, petquant_within, tiny, tmp_path, form):
        names = tmp_path / f"names.{form}"
        if form == "json":
            names.write_text('{"1": "left node", "2": "Größe, \\"necrotic\\""}', encoding="utf-8")
        else:
            names.write_text(
                'label,name\n1,left node\n2,"Größe, ""necrotic"""\n', encoding="utf-8-sig", newline=""
            )
        result = petquant_within(
            "suv", tiny.dicom, "--roi", tiny.lesions, "--labels", names, "--format", "csv"
        )
        assert [row["roi_name"] for row in table_of(result.out)] == ["left node", 'Größe, "necrotic"']

    def test_labels_without_names_are_called_by_their_number(self, petquant_within, tiny):
        result = petquant_within("suv", tiny.dicom, "--roi", tiny.lesions)
        assert [row["roi_name"] for row in table_of(result.out)] == ["label 1", "label 2"]

    def test_names_that_cannot_be_read_are_refused(self, refused, tiny, tmp_path):
        (tmp_path / "names.json").write_text('{"1": 5}')
        refused(tiny.dicom, "--labels", tmp_path / "names.json", code=3, because="SIDECAR_INVALID")

    @pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "SRP", "IPL"])
    def test_a_label_map_may_run_in_any_direction(self, record, tiny, tmp_path, axes):
        image = nib.load(tiny.lesions)
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
        )
        nib.save(image.as_reoriented(turn), tmp_path / "turned.nii.gz")
        assert nib.aff2axcodes(nib.load(tmp_path / "turned.nii.gz").affine) == tuple(axes)
        turned, plain = record(roi=tmp_path / "turned.nii.gz"), record()
        assert turned["measurements"] == plain["measurements"]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ("spacing", "spacing"),
            ("origin", "5 mm apart"),
            ("orientation", "turned by 10 degrees"),
        ],
    )
    def test_a_label_map_on_another_grid_is_measured_and_says_what_differs(
        self, petquant_within, tiny, tmp_path, change, words
    ):
        image = nib.load(tiny.lesions)
        labels, affine = np.asarray(image.dataobj), image.affine.copy()
        if change == "spacing":
            affine[:3, 2] *= 1.1
        elif change == "origin":
            affine[:3, 3] += [3, 4, 0]
        else:
            cos, sin = np.cos(np.radians(10)), np.sin(np.radians(10))
            affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ affine[:3, :3]
        nib.save(nib.Nifti1Image(labels, affine), tmp_path / "other.nii")
        result = petquant_within("suv", tiny.dicom, "--roi", tmp_path / "other.nii", "--format", "json")
        assert result.code == 0
        assert re.search(f"ROI_ON_OTHER_GRID: .*{re.escape(words)}", result.err)
        assert all("ROI_ON_OTHER_GRID" in row["flags"] for row in result.json["measurements"])

    def test_a_label_map_cut_out_of_the_grid_holds_the_same_voxels(self, record, tiny, tmp_path):
        image = nib.load(tiny.lesions)
        labels, affine = np.asarray(image.dataobj), image.affine.copy()
        at = np.argwhere(labels)
        first, last = at.min(axis=0), at.max(axis=0) + 1
        affine[:3, 3] += affine[:3, :3] @ first
        cut = labels[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
        nib.save(nib.Nifti1Image(cut, affine), tmp_path / "cut.nii")
        found, whole = (record(roi=path)["measurements"] for path in (tmp_path / "cut.nii", tiny.lesions))
        assert all("ROI_ON_OTHER_GRID" in row.pop("flags") for row in found)
        assert not any("ROI_ON_OTHER_GRID" in row.pop("flags") for row in whole)
        assert found == whole

    def test_a_label_map_of_another_patient_says_that_its_grid_is_another(
        self, petquant_within, tiny, study_of
    ):
        other = study_of(catalogue.load("non_square"), name="another patient")
        result = petquant_within("suv", tiny.dicom, "--roi", other.lesions)
        assert re.search("ROI_ON_OTHER_GRID: .*shape 8 x 12 x 20 against 8 x 16 x 16", result.err)

    def test_a_map_without_labels_is_an_answer_on_request_only(self, refused, record, tiny, tmp_path):
        image = nib.load(tiny.lesions)
        empty = tmp_path / "empty.nii.gz"
        nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), empty)
        refused(tiny.dicom, roi=empty, code=4, because="ROI_EMPTY")
        found = record("--allow-empty", roi=empty)
        assert found["measurements"] == []
        assert (found["summary"]["n_lesions"], found["summary"]["tmtv_ml"]) == (0, 0)

    def test_regions_of_several_maps_say_which_map_they_are_of(self, suv, tiny):
        result = suv("--roi", tiny.backgrounds["muscle"], "--format", "json")
        found = [(row["roi_id"], row["roi_source"]) for row in result.json["measurements"]]
        assert found == [(1, "label map 1"), (2, "label map 1"), (1, "label map 2")]
        assert result.json["summary"]["n_lesions"] == 3

    def test_names_may_be_replaced_by_numbers(self, suv):
        result = suv("--roi-names", "index", "--format", "json")
        assert [row["roi_name"] for row in result.json["measurements"]] == ["1", "2"]
        assert b"hot" not in result.out


class TestRatios:
    def expected_ratio(self, study, name, region, column):
        """Truth and tolerance of a ratio: relative tolerances of numerator and denominator added."""
        over, under = study.expected(region)[column], study.expected(name)["suv_mean"]
        value = over["value"] / under["value"]
        return value, value * (over["abs_tol"] / over["value"] + under["abs_tol"] / under["value"])

    def test_ratios_are_to_the_mean_of_the_background(self, record, tiny):
        found = record("--background", f"muscle={tiny.backgrounds['muscle']}")
        (reference,) = found["references"]
        assert within(reference["mean"], tiny.expected("muscle")["suv_mean"])
        assert reference["volume_ml"] == pytest.approx(tiny.expected("muscle")["mtv_ml"]["value"], rel=1e-9)
        for region, row in rows_of(found).items():
            for column in ("suv_max", "suv_mean"):
                value, tolerance = self.expected_ratio(tiny, "muscle", region, column)
                assert row[f"tbr_{column[4:]}_muscle"] == pytest.approx(value, abs=tolerance)
            assert row["tbr_peak_muscle"] == pytest.approx(row["suv_peak"] / reference["mean"], rel=1e-12)

    def test_a_background_may_be_one_label_of_a_file(self, record, tiny, tmp_path):
        image = nib.load(tiny.lesions)
        muscle = np.asarray(nib.load(tiny.backgrounds["muscle"]).dataobj) > 0
        organs = np.where(muscle, 7, np.asarray(image.dataobj))
        nib.save(nib.Nifti1Image(organs.astype(np.uint8), image.affine), tmp_path / "organs.nii.gz")
        found = record("--background", f"muscle={tmp_path / 'organs.nii.gz'}:7")
        alone = record("--background", f"muscle={tiny.backgrounds['muscle']}")
        assert rows_of(found) == rows_of(alone)

    def test_several_backgrounds_stand_side_by_side(self, record, tiny):
        muscle = tiny.backgrounds["muscle"]
        found = record("--background", f"muscle={muscle}", "--background", f"blood_pool={muscle}")
        row = rows_of(found)["hot"]
        assert row["tbr_max_muscle"] == row["tbr_max_blood_pool"]
        assert [reference["name"] for reference in found["references"]] == ["muscle", "blood_pool"]

    @pytest.mark.parametrize("words", ["muscle", "2nd=FILE", "my liver=FILE", "=FILE", "a=FILE,a=FILE"])
    def test_a_background_that_cannot_be_meant_is_a_mistake_of_usage(self, refused, tiny, words):
        path = str(tiny.backgrounds["muscle"])
        given = [part for word in words.split(",") for part in ("--background", word.replace("FILE", path))]
        refused(tiny.dicom, *given, code=2, because="OPTION_INVALID")

    def test_ratios_need_no_weight(self, petquant_within, study_of):
        study = study_of(WITHOUT_WEIGHT)
        args = ("--labels", study.labels, "--background", f"muscle={study.backgrounds['muscle']}")
        result = petquant_within("suv", study.dicom, "--roi", study.lesions, *args, "--format", "json")
        assert result.code == 0
        assert "SUV unavailable (WEIGHT_MISSING), TBR valid" in result.err
        found = result.json
        assert found["conversion"]["factor"] is None
        assert "SUV_UNAVAILABLE_TBR_VALID" in found["conversion"]["flags"]
        assert "WEIGHT_MISSING" in {entry["code"] for entry in found["conversion"]["codes"]}
        for region, row in rows_of(found).items():
            assert all(row[f"suv_{name}"] is None for name in ("max", "mean", "min", "median", "peak", "sd"))
            assert "SUV_UNAVAILABLE_TBR_VALID" in row["flags"]
            for column in ("suv_max", "suv_mean"):
                value, tolerance = self.expected_ratio(study, "muscle", region, column)
                assert row[f"tbr_{column[4:]}_muscle"] == pytest.approx(value, abs=tolerance)
                want = study.expected(region)[column]
                activity = row[f"activity_{column[4:]}_bqml"]
                assert within(activity * study.truth["suv"]["factor"], want)

    def test_without_a_background_a_missing_weight_refuses(self, refused, study_of):
        study = study_of(WITHOUT_WEIGHT)
        line = refused(study.dicom, code=4, because="WEIGHT_MISSING").line("WEIGHT_MISSING")
        assert "PatientWeight (0010,1030) is missing" in line
        assert "--weight-kg" in line
        assert "Retain Patient Characteristics" in line

    def test_all_causes_come_at_once(self, refused, study_of):
        nothing = (("PatientWeight", None), ("RadionuclideTotalDose", None), ("Units", ""))
        study = study_of(replace(TINY, edits=nothing))
        result = refused(study.dicom, code=4, because="WEIGHT_MISSING")
        assert {"WEIGHT_MISSING", "DOSE_MISSING", "UNITS_MISSING"} <= set(result.codes)

    def test_strict_refuses_what_is_flagged_as_doubtful(self, refused, petquant_within, study_of):
        def is_shifted(dataset, _):
            dataset.RescaleIntercept = 1.0

        study = study_of(edit=is_shifted)
        result = petquant_within("suv", study.dicom, "--roi", study.lesions, "--format", "json")
        assert result.code == 0
        assert "RESCALE_INTERCEPT_NONZERO" in result.json["conversion"]["flags"]
        refused(study.dicom, "--strict", code=4, because="RESCALE_INTERCEPT_NONZERO")


class TestOutput:
    @pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
    def test_the_suffix_decides_the_format(self, suv, tmp_path, suffix):
        result = suv("--out", "numbers." + suffix)
        assert (result.code, result.out, result.err) == (0, b"", "")
        assert (tmp_path / f"numbers.{suffix}").read_bytes() == suv("--format", suffix).out
        assert [path.name for path in tmp_path.iterdir()] == [f"numbers.{suffix}"]

    @pytest.mark.parametrize(
        "options",
        [
            ("--out", "numbers.csv", "--format", "json"),
            ("--out", "numbers.xlsx"),
            ("--out", "numbers"),
            ("--out", "numbers.csv", "--format", "table"),
            ("--format", "yaml"),
        ],
    )
    def test_contradictions_of_format_and_suffix_are_refused(self, suv, untouched, options):
        with untouched():
            result = suv(*options)
        assert (result.code, result.out, result.codes) == (2, b"", ["OPTION_INVALID"])

    def test_a_refusal_leaves_the_earlier_output_as_it_was(self, suv, study_of, tmp_path):
        study = study_of(WITHOUT_WEIGHT)
        (tmp_path / "numbers.json").write_text("of yesterday")
        assert suv("--out", "numbers.json", study=study.dicom).code == 4
        assert (tmp_path / "numbers.json").read_text() == "of yesterday"
        assert suv("--out", "numbers.json").code == 0
        assert json.loads((tmp_path / "numbers.json").read_text())["measurements"]

    def test_an_output_that_cannot_be_written_is_an_error_of_its_own(self, suv, untouched):
        with untouched():
            result = suv("--out", "nowhere/numbers.json")
        assert (result.code, result.codes) == (6, ["OUTPUT_FAILED"])

    def test_a_terminal_gets_a_table(self, tiny, tmp_path):
        command = [str(Path(sys.executable).with_name("petquant")), "suv", str(tiny.dicom)]
        command += ["--roi", str(tiny.lesions), "--labels", str(tiny.labels)]
        command += ["--background", f"muscle={tiny.backgrounds['muscle']}"]
        if not Path(command[0]).exists():
            pytest.skip("the command is not installed beside this Python")
        screen, end = pty.openpty()
        environment = {**os.environ, "COLUMNS": "130", "LINES": "40", "TERM": "xterm"}
        with subprocess.Popen(command, stdout=end, stderr=end, cwd=tmp_path, env=environment) as process:
            os.close(end)
            shown = b""
            while select.select([screen], [], [], 60)[0]:
                try:
                    shown += os.read(screen, 65_536)
                except OSError:  # the other end is closed
                    break
        os.close(screen)
        assert process.returncode == 0, shown
        words = shown.decode()
        for head in ("SUVmax", "SUVmean", "SUVpeak", "MTV mL", "TLG g", "TBRmax muscle"):
            assert head in words
        (hot,) = [line for line in words.splitlines() if "1 hot" in line]
        assert hot.split()[2:5] == ["35", "4", "4"]  # voxels, SUVmax, SUVmean
        assert "research use only" in words

    def test_help_and_version_need_no_study(self, petquant):
        assert petquant("--version").out.startswith(b"petquant ")
        shown = petquant("suv", "--help")
        assert shown.code == 0
        assert b"--background" in shown.out


class TestMessages:
    """Reliability.md section 2."""

    def said(self, suv, *options, **how):
        result = suv("--messages", "json", *options, **how)
        return result.code, [json.loads(line) for line in result.err.splitlines()]

    def test_a_refusal_has_the_fields_of_the_contract(self, suv, study_of):
        study = study_of(WITHOUT_WEIGHT)
        code, (said,) = self.said(suv, study=study.dicom)
        assert code == said.pop("exit_code") == 4
        assert "--weight-kg" in said.pop("remedy")
        assert said.pop("expected")
        assert said == {
            "code": "WEIGHT_MISSING",
            "path": None,
            "series_uid": study.truth["series"]["uid"],
            "tag": "(0010,1030)",
            "keyword": "PatientWeight",
            "found": "missing",
        }

    def test_the_series_of_a_refusal_is_its_uid_alone(self, suv, study_of):
        study = study_of(replace(catalogue.load("nac_only"), name="one"))
        other = replace(catalogue.load("nac_only"), name="one")

        def is_other(dataset, _):
            dataset.SeriesInstanceUID += ".7"
            dataset.SOPInstanceUID += ".7"

        write_datasets(pet_datasets(other, edit=is_other), study.dicom / "other")
        code, said = self.said(suv, study=study.dicom)
        assert code == 4
        uid = study.truth["series"]["uid"]
        assert [(one["code"], one["series_uid"]) for one in said] == [
            ("SERIES_NAC", uid),
            ("SERIES_NAC", f"{uid}.7"),
        ]

    def test_a_mistake_of_usage_has_the_same_fields(self, suv):
        code, (said,) = self.said(suv, "--nonsense")
        assert (code, said["code"], said["exit_code"]) == (2, "USAGE", 2)
        assert "--nonsense" in said["found"]
        assert said["path"] is None
        assert len(said) == 9

    def test_a_caveat_of_a_number_is_said_and_is_no_error(self, suv, study_of):
        study = study_of(replace(TINY, edits=(("PatientWeight", "70000"),)))
        code, (said,) = self.said(suv, study=study.dicom)
        assert (code, said["code"], said["exit_code"]) == (0, "WEIGHT_IN_GRAMS", 0)
        result = suv(study=study.dicom)
        assert result.err.startswith("petquant: note: WEIGHT_IN_GRAMS: ")

    def test_a_traceback_is_shown_on_request_only(self, suv, tmp_path):
        assert "Traceback" not in suv(study=tmp_path / "nowhere").err
        assert "Traceback" in suv("--debug", study=tmp_path / "nowhere").err

    def test_signs_that_move_the_cursor_or_turn_the_text_are_escaped(self, suv, tmp_path):
        study = tmp_path / "a\x1b[2J\u202eb\u2066c\r\nd\x07"
        line = suv(study=study).err
        assert line.count("\n") == 1
        assert r"a\x1b[2J\u202eb\u2066c\r\nd\x07" in line


CANARIES = {
    "PatientName": "Canary^Yellow",
    "PatientID": "CANARY-17",
    "PatientBirthDate": "19320229",
    "AccessionNumber": "CANARYACC",
    "ReferringPhysicianName": "Canary^Referrer",
    "InstitutionName": "Canary Hospital",
    "StudyDescription": "canary study",
    "SeriesDescription": "canary AC series",
    "OperatorsName": "Canary^Operator",
    "PatientComments": "canary comment",
    "StationName": "CANARYSTN",
    "StudyID": "CANARYID",
}


@pytest.fixture
def canary(tmp_path):
    """A study with planted strings in its attributes and in its path."""

    def plant(dataset, _):
        for keyword, value in CANARIES.items():
            setattr(dataset, keyword, value)

    return write_study(TINY, tmp_path / "canary_folder", edit=plant)


class TestIdentity:
    def assert_silent(self, content):
        assert b"canary" not in content.lower()
        assert b"19320229" not in content

    @pytest.mark.parametrize("format_", ["json", "csv", "tsv", "table"])
    def test_no_output_says_who_it_is(self, suv, canary, format_):
        background = f"muscle={canary.backgrounds['muscle']}"
        result = suv("--format", format_, "--background", background, study=canary.dicom, roi=canary.lesions)
        assert result.code == 0
        self.assert_silent(result.out)
        assert result.err == ""

    def test_the_sisters_do_not_either(self, petquant_within, canary, tmp_path):
        for format_ in ("table", "json"):
            self.assert_silent(petquant_within("check", canary.dicom, "--format", format_).out)
        assert petquant_within("convert", canary.dicom, "-o", "suv.nii").code == 0
        for name in ("suv.nii", "suv.json"):
            self.assert_silent((tmp_path / name).read_bytes())

    def test_messages_name_neither_person_nor_number(self, suv, tmp_path):
        def plant(dataset, index):
            for keyword, value in CANARIES.items():
                setattr(dataset, keyword, value)
            dataset.PatientID += str(index)
            dataset.PatientWeight = None

        study = write_study(TINY, tmp_path / "study", edit=plant)
        result = suv(study=study.dicom)
        assert {"PATIENTS_MIXED", "WEIGHT_MISSING"} <= set(result.codes)
        self.assert_silent(result.err.encode())

    def test_identifiers_stand_there_on_request(self, suv, canary):
        found = suv("--format", "json", "--with-identifiers", study=canary.dicom).json["study"]
        assert found["patient_name"] == "Canary^Yellow"
        assert found["patient_id"] == "CANARY-17"
        assert found["patient_birth_date"] == "19320229"
        (first, *_) = table_of(suv("--with-identifiers", study=canary.dicom).out)
        assert first["patient_id"] == "CANARY-17"

    def test_the_key_of_a_study_is_the_hash_of_its_uid(self, record):
        found = record()["study"]
        assert found["key"] == hashlib.sha256(found["study_uid"].encode()).hexdigest()[:16]

    def test_with_a_secret_the_key_is_that_of_the_patient(self, record, canary, tmp_path):
        secret = tmp_path / "secret"
        secret.write_bytes(b"\x00\xffnobody knows")
        want = hmac.new(secret.read_bytes(), b"CANARY-17\0", hashlib.sha256).hexdigest()[:16]
        assert record("--pseudonym-key", secret, study=canary.dicom)["study"]["key"] == want

    def test_an_empty_secret_is_none(self, refused, tiny, tmp_path):
        (tmp_path / "secret").write_bytes(b"\n")
        refused(tiny.dicom, "--pseudonym-key", tmp_path / "secret", code=2, because="OPTION_INVALID")

    @pytest.mark.parametrize("format_", ["json", "csv", "table"])
    def test_uids_may_be_replaced_by_hashes(self, suv, record, format_):
        plain = record()
        uids = [plain["series"]["series_uid"], plain["study"]["study_uid"]]
        uids.append(plain["series"]["frame_of_reference_uid"])
        out = suv("--hash-uids", "--format", format_).out.decode()
        assert not any(uid in out for uid in uids)
        if format_ != "table":
            assert hashlib.sha256(uids[0].encode()).hexdigest()[:16] in out


class TestLock:
    @pytest.fixture
    def locked(self, petquant_within, study_of, tmp_path):
        study = study_of()
        assert petquant_within("lock", study.dicom, "--out", "study.sha256").code == 0
        return study, tmp_path / "study.sha256"

    def test_a_lock_is_what_sha256sum_writes(self, petquant_within, locked):
        study, manifest = locked
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(study.dicom).as_posix()}\n"
            for path in sorted(study.pet.iterdir())
        ]
        assert manifest.read_text() == "".join(lines)
        assert petquant_within("lock", study.dicom).out == manifest.read_bytes()

    def test_a_study_that_is_as_it_was_is_measured(self, record, locked):
        study, manifest = locked
        found = record("--manifest", manifest, study=study.dicom)
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        assert found["inputs"]["manifest_sha256"] == digest

    def test_a_single_changed_bit_is_refused(self, refused, locked):
        study, manifest = locked
        path = study.pet / "IM0003.dcm"
        content = bytearray(path.read_bytes())
        content[-301] ^= 0b100
        path.write_bytes(content)
        result = refused(study.dicom, "--manifest", manifest, code=4, because="MANIFEST_MISMATCH")
        assert "PT/IM0003.dcm has changed" in result.err

    def test_a_missing_and_a_new_file_are_refused(self, refused, locked):
        study, manifest = locked
        (study.pet / "IM0003.dcm").rename(study.pet / "IM0009.dcm")
        result = refused(study.dicom, "--manifest", manifest, code=4, because="MANIFEST_MISMATCH")
        assert "PT/IM0003.dcm is missing" in result.err
        assert "PT/IM0009.dcm is not in the manifest" in result.err

    def test_what_is_no_manifest_is_unreadable(self, refused, tiny, tmp_path):
        (tmp_path / "notes.txt").write_text("locked on Monday\n")
        refused(tiny.dicom, "--manifest", tmp_path / "notes.txt", code=3, because="SIDECAR_INVALID")

    def test_a_manifest_does_not_lie_in_what_it_locks(self, petquant_within, untouched, study_of):
        study = study_of()
        with untouched():
            result = petquant_within("lock", study.dicom, "--out", study.dicom / "study.sha256")
        assert (result.code, result.codes) == (2, ["OPTION_INVALID"])


class TestCheck:
    def test_a_computable_series_is_explained(self, petquant_within, untouched, tiny):
        with untouched():
            result = petquant_within("check", tiny.dicom)
        assert result.code == 0
        words = result.out.decode()
        assert "can be computed" in words
        assert "PatientWeight (0010,1030)" in words
        assert "series time" in words
        assert result.err == ""

    def test_the_json_holds_values_rules_and_candidates(self, petquant_within, tiny):
        (series,) = petquant_within("check", tiny.dicom, "--format", "json").json["series"]
        assert series["is_computable"] is True
        assert series["outcome"] == "ok"
        assert series["series_uid"] == tiny.truth["series"]["uid"]
        evidence = {entry["quantity"]: entry for entry in series["conversion"]["evidence"]}
        assert evidence["weight_kg"]["tag"] == "(0010,1030)"
        assert {candidate["id"] for candidate in series["conversion"]["candidates"]} >= {"S", "A0", "D", "B"}
        assert series["conversion"]["factor"] == pytest.approx(tiny.truth["suv"]["factor"], rel=1e-12)

    def test_a_refused_series_is_explained_and_the_exit_code_says_so(
        self, petquant_within, untouched, study_of
    ):
        study = study_of(replace(TINY, edits=(("PatientWeight", None), ("RadionuclideHalfLife", ""))))
        with untouched():
            result = petquant_within("check", study.dicom)
        assert result.code == 4
        words = " ".join(result.out.decode().split())
        assert "SUV bw refused" in words
        for code, option in (("WEIGHT_MISSING", "--weight-kg"), ("HALF_LIFE_MISSING", "--half-life")):
            assert code in words
            assert option in words
            assert code in result.codes
        assert petquant_within("check", study.dicom, "--weight", "70", "--half-life", "nuclide").code == 0

    def test_one_computable_series_is_enough_and_every_series_has_its_row(self, petquant_within, study_of):
        study = study_of(replace(TINY, extras=("nac_series",)))
        result = petquant_within("check", study.dicom, "--out", "checked.json")
        assert (result.code, result.out, result.err) == (0, b"", "")
        found = json.loads((study.root.parent / "checked.json").read_text())["series"]
        assert [series["is_computable"] for series in found] == [True, False]
        assert [entry["code"] for entry in found[1]["refusals"]] == ["SERIES_NAC"]

    def test_a_tree_of_studies_has_a_row_a_series(self, petquant_within, study_of):
        study = study_of()
        write_datasets(pet_datasets(replace(WITHOUT_WEIGHT, name="other")), study.dicom / "other")
        found = petquant_within("check", study.dicom, "--format", "json").json["series"]
        assert sorted(series["outcome"] for series in found) == ["ok", "refuse"]
        assert len({series["study_uid"] for series in found}) == 2

    def test_check_reads_no_pixels(self, petquant_within, tmp_path):
        def is_odd(dataset, _):
            dataset.PixelData = b"\x7f\xff" * 256

        study = write_study(TINY, tmp_path / "study", edit=is_odd)
        assert petquant_within("check", study.dicom).code == 0


class TestConvert:
    @pytest.mark.parametrize("name", ["suv.nii", "suv.nii.gz"])
    @pytest.mark.parametrize("phantom", ["tiny", "oblique", "feet_first_supine", "anisotropic"])
    def test_the_volume_is_the_truth_on_the_grid_of_the_pet(
        self, petquant_within, study_of, tmp_path, name, phantom
    ):
        definition = catalogue.load(phantom)
        study = study_of(definition)
        result = petquant_within("convert", study.dicom, "-o", name)
        assert result.code == 0, result.err
        image = nib.load(tmp_path / name)
        truth = suv_field(definition.body, definition.grid, fwhm_mm=definition.fwhm_mm).transpose(2, 1, 0)
        assert image.shape == truth.shape
        assert image.get_data_dtype() == np.float32
        # half a stored unit of the coarsest slice, and 6e-8 of the value in single precision
        largest = max(region["expected"]["suv_max"]["abs_tol"] for region in study.truth["regions"])
        values = np.asarray(image.dataobj, np.float64)
        i, j, k = np.meshgrid(*map(np.arange, image.shape), indexing="ij")
        lps = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ image.affine.T * [-1, -1, 1, 1]
        centres = definition.grid.voxel_centres_mm().transpose(2, 1, 0, 3)
        apart_mm, which = cKDTree(lps[..., :3].reshape(-1, 3)).query(centres.reshape(-1, 3))
        assert apart_mm.max() < 1e-3
        assert np.unique(which).size == which.size
        assert np.abs(values.ravel()[which] - truth.ravel()).max() <= largest

    def test_the_sidecar_speaks_bids_where_bids_has_words(self, petquant_within, tiny, tmp_path):
        petquant_within("convert", tiny.dicom, "-o", "suv.nii.gz")
        found = json.loads((tmp_path / "suv.json").read_text())
        assert found["Units"] == "g/ml{SUVbw}"
        assert found["InjectedRadioactivity"] == 350
        assert found["InjectedRadioactivityUnits"] == "MBq"
        assert found["TracerRadionuclide"] == "18F"
        assert found["TimeZero"] == "11:00:00"
        assert found["InjectionStart"] == -3600
        assert found["ScanStart"] == 0
        assert found["FrameTimesStart"] == [0]
        assert found["FrameDuration"] == [300]
        assert found["ImageDecayCorrected"] is True
        assert found["ImageDecayCorrectionTime"] == 0
        assert found["petquant"]["conversion"]["factor"] == pytest.approx(
            tiny.truth["suv"]["factor"], rel=1e-12
        )

    def test_another_suv_type_can_be_written(self, petquant_within, tiny, tmp_path):
        assert petquant_within("convert", tiny.dicom, "-o", "sul.nii", "--suv", "lbm").code == 0
        assert petquant_within("convert", tiny.dicom, "-o", "suv.nii").code == 0
        sul, suv = (np.asarray(nib.load(tmp_path / name).dataobj) for name in ("sul.nii", "suv.nii"))
        # suv.md section 11: 70 kg, 1.75 m, M; both volumes in single precision
        np.testing.assert_allclose(sul, suv * 55.857108 / 70, rtol=2e-7)
        sidecar = json.loads((tmp_path / "sul.json").read_text())
        assert sidecar["Units"] == "g/ml{SUVlbm(Janma)}"

    def test_a_refusal_writes_neither_file(self, petquant_within, untouched, study_of):
        study = study_of(WITHOUT_WEIGHT)
        with untouched():
            result = petquant_within("convert", study.dicom, "-o", "suv.nii.gz")
        assert (result.code, result.codes) == (4, ["WEIGHT_MISSING"])

    def test_when_one_file_cannot_be_written_the_other_is_not_either(
        self, petquant_within, untouched, tiny, tmp_path
    ):
        (tmp_path / "suv.json").mkdir()  # where the side-car would stand
        with untouched():
            result = petquant_within("convert", tiny.dicom, "-o", "suv.nii.gz")
        assert (result.code, result.codes) == (6, ["OUTPUT_FAILED"])

    @pytest.mark.parametrize("options", [("-o", "suv.mgz"), ("-o", "a.nii", "--suv", "bw", "--suv", "lbm")])
    def test_what_cannot_be_meant_is_a_mistake_of_usage(self, petquant_within, untouched, tiny, options):
        with untouched():
            result = petquant_within("convert", tiny.dicom, *options)
        assert (result.code, result.codes) == (2, ["OPTION_INVALID"])


class TestInfoAndDemo:
    def test_info_lists_the_tables(self, petquant_within):
        found = petquant_within("info", "--json").json
        assert {"quantities", "flags", "tracers", "nuclides", "suv_types"} <= set(found)
        half_lives = {row["name"]: row["half_life_s"] for row in found["nuclides"]}
        assert half_lives["18F"] == 6586.2  # ICRP 107: 109.77 min
        assert half_lives["68Ga"] == 4062.6  # ICRP 107: 67.71 min
        flags = {row["code"]: row for row in found["flags"]}
        assert flags["WEIGHT_MISSING"]["severity"] == "refuse"
        assert flags["REF_TIME_CONFLICT"]["strict"] is True
        columns = {row["column"] for row in found["quantities"]}
        assert {"n_voxels", *MAIN, "suv_peak"} <= columns
        assert "WEIGHT_MISSING" in petquant_within("info").out.decode()

    def test_info_lists_the_rules_and_figures_of_reads(self, petquant_within):
        found = petquant_within("info", "--json").json
        assert {row["name"] for row in found["positivity_rules"]} == {"blood_pool", "liver", "marrow"}
        assert {"mzl", "cnsl", "mm", "pa", "solid"} <= {row["name"] for row in found["protocols"]}
        assert "percist" in {row["name"] for row in found["criteria"]}
        pentixafor = [row for row in found["repeatability"] if row["tracer"] == "[68Ga]Pentixafor"]
        assert pentixafor
        assert all("surrogate" in row["label"] for row in pentixafor)
        shown = petquant_within("info").out.decode()
        assert all(word in shown for word in ("NCT06125028", "percist", "surrogate"))

    def test_every_code_that_ends_a_run_names_a_way_out(self, petquant_within):
        flags = petquant_within("info", "--json").json["flags"]
        silent = [
            row["code"] for row in flags if row["severity"] not in {"flag", "info"} and not row["remedy"]
        ]
        assert silent == []

    def test_the_demo_measures_both_tracers_and_says_what_it_wrote(self, petquant, tmp_path):
        result = petquant("demo")
        assert result.code == 0, result.err
        words = result.out.decode()
        assert "SUVmax" in words
        assert "[18F]FDG" in words
        assert "entixafor" in words
        for name in ("fdg", "pentixafor"):
            report = json.loads((tmp_path / "petquant_demo" / f"{name}.json").read_text())
            assert report["measurements"]
            assert "patient_name" not in report["study"]  # of no living patient
            assert str(date.today().year) not in report["conversion"]["injected_at"]  # noqa: DTZ011
            assert f"petquant_demo/{name}.json" in words
            assert f"petquant_demo/{name}.html" in words
            assert (tmp_path / "petquant_demo" / f"{name}.html").read_bytes().startswith(b"<!DOCTYPE html>")
        shown = [line.split() for line in words.splitlines() if "known truth" in line]
        for line in shown:
            found, _, total = line[line.index("of") - 1 : line.index("of") + 2]
            assert found == total, "values within the quantisation bound"
        assert len(shown) == 2
        again = next(line for line in words.splitlines() if line.startswith("Next: "))
        assert petquant(*again.removeprefix("Next: petquant ").split()).code == 0


class TestWhatIsReadStays:
    def test_an_output_never_overwrites_an_input(self, petquant_within, tiny, tmp_path):
        names = tmp_path / "names.json"
        names.write_text('{"1": "a"}')
        before = names.read_bytes()
        result = petquant_within("suv", tiny.dicom, "--roi", tiny.lesions, "--labels", names, "--out", names)
        assert result.code == 2
        assert "would overwrite what is read" in result.err
        assert names.read_bytes() == before
