"""A batch over real studies gives the numbers of single runs, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from petquant.batch import Settings, run
from petquant.batch.collected import opened
from petquant.batch.sources import tasks_of
from petquant.discover import discover
from petquant.export.record import Privacy, rows_of
from petquant.quantify import quantify

DATA = Path(__file__).parents[3] / "shared/data/sts_ibsi"
STUDIES = ("STS_002", "STS_003")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no shared/data beside the repository")


def test_a_manifest_gives_what_single_runs_give(tmp_path):
    manifest = tmp_path / "cohort.csv"
    rows = [f"{name},{DATA / name}/PET/image,{DATA / name}/PET/mask/RS.dcm\n" for name in STUDIES]
    manifest.write_text("name,study,roi\n" + "".join(rows), encoding="utf-8")
    summary = run(tasks_of(manifest), tmp_path / "out", settings=Settings(workers=1))
    assert (summary.total, summary.missing, summary.exit_code) == (2, 0, 0)
    with opened(tmp_path / "out") as collected:
        table = collected.measurements()
        found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        odd = {warning.code for warning in collected.cohort()}
    single = [
        row
        for name in STUDIES
        for row in rows_of(quantify(DATA / name / "PET/image", [DATA / name / "PET/mask/RS.dcm"]), Privacy())
    ]
    numbers = [name for name in single[0] if name not in {"study_key", "flags", "suv_factor"}]
    assert [[row[name] for name in numbers] for row in found] == [
        [row[name] for name in numbers] for row in single
    ]
    assert odd == set()  # one scanner, one protocol


def test_the_studies_of_a_tree_are_found_with_their_own_regions():
    tasks = {task.name: task for task in tasks_of(DATA, roi_patterns=["dicom:rtstruct"])}
    assert tasks["STS_002_PET_image"].rois == (str(DATA / "STS_002/PET/mask/RS.dcm"),)
    assert "2 RTSTRUCT objects" in tasks["STS_008"].reason_to_skip  # one drawn on the CT, one on the PET
    found = {one.folder: one for one in discover(DATA).series}
    assert all(one.is_computable for one in found.values())
    assert found[str(DATA / "STS_002/PET/image")].facts["tracer"] == "[18F]FDG"
