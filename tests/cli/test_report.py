"""Reports of a study, a comparison and a batch: pages beside numbers, whole or not at all."""

from __future__ import annotations

import csv
import io
import os
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


class TestOfAComparison:
    """Of one scan with itself: what is at stake is where the page lands."""

    @pytest.fixture
    def compared(self, petquant_within, tiny):
        words = ["compare", tiny.dicom, tiny.dicom, "--roi-a", tiny.lesions, "--roi-b", tiny.lesions]
        return lambda *options: petquant_within(*words, "-o", "out", *options)

    def test_the_page_appears_with_the_tables_and_the_numbers_are_the_same(self, compared, tmp_path):
        result = compared("--format", "csv", "--report", "out/page.html")
        assert result.code == 0, result.err
        tables = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")}
        page = (tmp_path / "out/page.html").read_text(encoding="utf-8")
        assert page.count('<table class="matrix">') == 2, "lesions and patients, no region"
        assert compared("--format", "csv").out == result.out
        assert tables == {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")}

    def test_a_page_that_cannot_be_written_leaves_nothing(self, compared, tmp_path):
        result = compared("--report", "missing/page.html")
        assert result.code == 6
        assert result.out == b""
        assert not (tmp_path / "out").exists()

    def test_the_page_is_no_other_kind_of_file_and_no_input(self, compared, tiny):
        assert compared("--report", "page.pdf").code == 2
        page = tiny.dicom / "page.html"
        page.write_text("a file of the study")
        try:
            assert compared("--report", page).code == 2
            assert page.read_text() == "a file of the study"
        finally:
            page.unlink()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a batch needs a system that forks")
def test_a_batch_writes_the_reports_of_its_studies_and_its_own(petquant_within, tiny, tmp_path):
    rows = [f"P01,{tiny.dicom},{tiny.lesions}", f"P02,nowhere,{tiny.lesions}"]
    (tmp_path / "cohort.csv").write_text("\n".join(["name,study,roi", *rows]) + "\n")

    def batch(*options):
        result = petquant_within("batch", "cohort.csv", "-o", "out", "--workers", "1", *options)
        assert result.code == 5
        return re.search(r"(\d+) measured now", result.err)[1]

    page = tmp_path / "out/studies/P01.html"
    assert batch() == "2"
    assert not page.exists()
    assert batch("--reports") == "1", (
        "what was measured without a report is measured again, what failed is not"
    )
    result = petquant_within(
        "suv",
        tiny.dicom,
        "--roi",
        tiny.lesions,
        "--pseudonym-key",
        "out/pseudonym.key",
        "--report",
        "alone.html",
    )
    assert result.code == 0, result.err
    assert page.read_bytes() == (tmp_path / "alone.html").read_bytes()
    assert batch("--reports") == "0"
    assert petquant_within("report", "out").code == 0
    text = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert '<a href="studies/P01.html">P01</a>' in text
    assert "studies/P02.html" not in text
    assert petquant_within("report", "out", "-o", "page.txt").code == 2
    assert batch("--more") == "2"
    assert not page.exists(), "its table lacked what was measured since"
