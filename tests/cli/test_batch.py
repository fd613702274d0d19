from __future__ import annotations

import csv
import io
import json
import os

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a batch needs a system that forks")


@pytest.fixture
def cohort(tmp_path, tiny) -> str:
    """A manifest with a study that is measured, one that is not there, and a column of the user."""
    rows = [
        "name,study,roi,arm",
        f"P01,{tiny.dicom},{tiny.lesions},=treated",
        f"P02,nowhere,{tiny.lesions},b",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return "cohort.csv"


def test_a_batch_says_its_account_and_collect_gives_its_tables(
    petquant, petquant_within, cohort, tmp_path, tiny
):
    result = petquant("batch", cohort, "-o", "out", "--workers", "1", "--timeout-s", "60")
    assert result.code == 5
    assert result.out == b""
    assert result.line("PATH_NOT_FOUND").startswith("petquant: PATH_NOT_FOUND: P02: ")
    assert "petquant: 2 studies: flagged 1, failed 1; 2 measured now\n" in result.err
    again = petquant_within("batch", cohort, "-o", "out")
    assert (again.code, "failed 1; 0 measured now" in again.err) == (5, True)

    rows = list(csv.DictReader(io.StringIO(petquant_within("collect", "out").out.decode())))
    alone = petquant_within("suv", tiny.dicom, "--roi", tiny.lesions, "--pseudonym-key", "out/pseudonym.key")
    expected = list(csv.DictReader(io.StringIO(alone.out.decode())))
    head = {"study": "P01", "outcome": "flagged", "message": "", "arm": "'=treated"}
    assert rows == [{**head, "code": "MAX_TIED PEAK_EXCEEDS_MAX THRESHOLD_EMPTY", **row} for row in expected]

    runs = json.loads(petquant_within("collect", "out", "--table", "runs", "--format", "json").out)["rows"]
    assert [row["code"] for row in runs] == ["MAX_TIED PEAK_EXCEEDS_MAX THRESHOLD_EMPTY", "PATH_NOT_FOUND"]
    assert "seconds" not in runs[0]
    timed = petquant_within("collect", "out", "--table", "runs", "--timings", "--out", "runs.tsv")
    assert timed.code == 0
    header = (tmp_path / "runs.tsv").read_text().splitlines()[0]
    assert header.split("\t")[-2:] == ["seconds", "attempts"]


def test_parquet_has_a_type_for_every_column_whatever_stands_in_it(petquant_within, cohort, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    petquant_within("batch", cohort, "-o", "out", "--workers", "1")
    for name in ("measurements", "runs", "warnings"):
        assert petquant_within("collect", "out", "--table", name, "-o", f"{name}.parquet").code == 0
    table = parquet.read_table(tmp_path / "measurements.parquet")
    assert table.num_rows == 2
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["study"], kinds["arm"], kinds["roi_id"], kinds["suv_factor"]) == ("string",) * 4
    assert (kinds["n_voxels"], kinds["suv_max"], kinds["weight_kg"]) == ("int64", "double", "double")
    assert table["arm"].to_pylist() == ["=treated"] * 2
    assert table["suv_max"].to_pylist() == pytest.approx([4.0, 0.2], abs=1e-4)  # of the phantom
    runs = parquet.read_table(tmp_path / "runs.parquet")
    assert runs["n_measurements"].to_pylist() == [2, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        ("batch", "cohort.csv", "-o", "out", "--workers", "0"),
        ("batch", "cohort.csv", "-o", "out", "--memory-gb", "0"),
        ("batch", "cohort.csv", "-o", "out", "--scheduler", "tcp://a:1", "--scheduler-file", "cohort.csv"),
        ("batch", "nowhere", "-o", "out"),
        ("collect", "nowhere"),
        ("collect", ".", "--table", "lesions"),
        ("collect", ".", "--format", "parquet"),
        ("collect", ".", "--timings"),
        ("collect", ".", "--out", "table.xlsx"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_and_nothing_is_written(
    petquant_within, cohort, tmp_path, wrong
):
    result = petquant_within(*wrong)
    assert result.code == 2, result.err
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.csv"]


def test_the_results_never_go_into_what_is_read(petquant_within, tmp_path, study_of):
    study = study_of()
    (tmp_path / "cohort.csv").write_text(f"name,study,roi\nP01,{study.dicom},{study.lesions}\n")
    result = petquant_within("batch", "cohort.csv", "-o", study.dicom / "out")
    assert (result.code, result.codes) == (2, ["OPTION_INVALID"])


def test_collect_takes_the_json_files_of_single_calls(petquant_within, tmp_path, tiny):
    (tmp_path / "results").mkdir()
    for name in ("b", "a"):
        petquant_within("suv", tiny.dicom, "--roi", tiny.lesions, "--out", f"results/{name}.json")
    result = petquant_within("collect", "results")
    rows = list(csv.DictReader(io.StringIO(result.out.decode())))
    assert [(row["study"], row["roi_id"]) for row in rows] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert petquant_within("collect", tiny.dicom).codes == ["TABLE_INVALID"]


def test_a_batch_with_messages_as_json_says_json_alone(petquant_within, cohort):
    result = petquant_within("batch", cohort, "-o", "out", "--messages", "json")
    records = [json.loads(line) for line in result.err.splitlines()]
    assert [record["code"] for record in records] == ["PATH_NOT_FOUND"]


def test_bad_103_what_a_batch_stores_names_no_path_of_its_input(petquant_within, cohort, tmp_path, tiny):
    petquant_within("batch", cohort, "-o", "out", "--hash-uids", "--roi-names", "index")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    table = petquant_within("collect", "out", "--table", "runs").out
    for told in (str(tiny.root).encode(), b"nowhere"):
        assert told not in stored
        assert told not in table
