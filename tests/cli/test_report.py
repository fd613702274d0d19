"""``petquant suv --report``: a page beside the numbers, whole or not at all, apart from what is read."""

from __future__ import annotations

import csv
import io
import re

import pydicom
import pytest
from petquant_phantoms import TINY, write_study

HOSTILE = "<script>alert(1)</script>^=cmd|'/c calc'!A1"


@pytest.fixture
def run(petquant_within, tiny):
    return lambda *options: petquant_within("suv", tiny.dicom, "--roi", tiny.lesions, *options)


def test_the_report_stands_beside_numbers_that_are_the_same(run, tmp_path):
    alone = run("--format", "csv")
    result = run("--format", "csv", "--report", "page.html")
    assert result.code == 0, result.err
    assert result.out == alone.out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    largest = next(csv.DictReader(io.StringIO(result.out.decode())))["suv_max"]
    assert f'data-key="{largest}"' in page


def test_a_report_that_cannot_be_written_is_exit_code_6_and_no_number(run, tmp_path):
    result = run("--report", "missing/page.html")
    assert result.code == 6
    assert result.out == b""
    assert "OUTPUT_FAILED" in result.codes
    assert not list(tmp_path.glob("**/*.html"))


def test_a_report_has_the_name_of_a_page(run):
    result = run("--report", "page.pdf")
    assert result.code == 2
    assert "OPTION_INVALID" in result.codes


def test_a_report_never_overwrites_an_input(petquant_within, study_of):
    study = study_of()
    page = study.dicom / "page.html"
    page.write_text("a file of the study")
    result = petquant_within("suv", study.dicom, "--roi", study.lesions, "--report", page)
    assert result.code == 2
    assert "--report" in result.err
    assert page.read_text() == "a file of the study"


def test_where_suv_is_refused_the_report_shows_ratios_alone(petquant_within, tmp_path):
    unweighed = write_study(TINY, tmp_path / "phantom")
    for path in unweighed.pet.glob("*.dcm"):
        data = pydicom.dcmread(path)
        del data.PatientWeight
        data.save_as(path)
    muscle = unweighed.backgrounds["muscle"]
    result = petquant_within(
        "suv", unweighed.dicom, "--roi", unweighed.lesions, "--background", f"muscle={muscle}",
        "--format", "csv", "--report", "page.html",
    )  # fmt: skip
    assert result.code == 0, result.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "SUV was refused; ratios are valid" in page
    heads = re.findall(
        r"<button type=\"button\">(\w+)", page.partition("<thead>")[2].partition("</thead>")[0]
    )
    assert heads == ["No", "Region", "Voxels", "Maximum", "Mean", "MTV", "TBRmax", "Flags"]
    assert "SUV_UNAVAILABLE_TBR_VALID" in page


def test_a_name_that_attacks_harms_neither_page_nor_table_nor_terminal(petquant_within, tmp_path):
    study = write_study(TINY.with_header(patient_name=HOSTILE + "\x7f"), tmp_path / "phantom")
    command = ("suv", study.dicom, "--roi", study.lesions, "--with-identifiers")
    as_csv = petquant_within(*command, "--format", "csv", "--report", "page.html")
    assert as_csv.code == 0, as_csv.err
    cells = [cell for row in csv.reader(io.StringIO(as_csv.out.decode())) for cell in row]
    assert any(HOSTILE in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\x7f" not in page
    assert r"\x7f" in page
    table = petquant_within(*command, "--format", "table").out.decode()
    assert HOSTILE in table
    assert "\x7f" not in table
