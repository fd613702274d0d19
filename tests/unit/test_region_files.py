"""Regions in a file: names and methods come back, and what a label map cannot hold is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from petquant.errors import Refused, UnreadableInput
from petquant.export.regions import require_even
from petquant.label_names import read_names, read_sources


def test_uneven_slices_that_a_label_map_would_miss_are_refused(make_grid):
    # 10 steps of 3.2 mm and 9 of 3.0: the median is 3.2, the last slice 9 x 0.2 = 1.8 mm off
    positions = np.concatenate([[0.0], np.cumsum([3.2] * 10 + [3.0] * 9)])
    grid = make_grid((20, 4, 4), (3.2, 4.0, 4.0), slice_positions_mm=positions)
    with pytest.raises(Refused) as refused:
        require_even(grid)
    (finding,) = refused.value.findings
    assert finding.code == "NIFTI_UNEVEN_SLICES"
    assert "1.8 mm" in finding.found


def test_uneven_slices_within_a_tenth_of_a_voxel_are_written(make_grid):
    positions = np.arange(20) * 3.2
    positions[10:] += 0.1
    require_even(make_grid((20, 4, 4), (3.2, 4.0, 4.0), slice_positions_mm=positions))


@pytest.fixture
def sidecar(tmp_path):
    def write(content):
        path = tmp_path / "names.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


def test_a_side_car_holds_names_and_how_regions_came_about(sidecar):
    path = sidecar({"notice": "x", "regions": {"2": {"name": "node", "roi_source": "threshold fixed"}}})
    assert read_names(path) == {2: "node"}
    assert read_sources(path) == {2: "threshold fixed"}


def test_plain_names_have_no_source(sidecar, tmp_path):
    assert read_sources(sidecar({"1": "node"})) == {}
    (tmp_path / "names.csv").write_text("label,name\n1,node\n", encoding="utf-8")
    assert read_sources(tmp_path / "names.csv") == {}


@pytest.mark.parametrize(
    "content",
    [
        {"regions": {"1": {}}},
        {"regions": {"one": {"name": "x"}}},
        {"regions": {"1": {"name": 3}}},
        {"1": "half a pair \ud800"},  # no character: neither DICOM nor UTF-8 can hold it
    ],
)
def test_a_side_car_without_names_is_refused(sidecar, content):
    with pytest.raises(UnreadableInput) as refused:
        read_names(sidecar(content))
    assert refused.value.findings[0].code == "SIDECAR_INVALID"
