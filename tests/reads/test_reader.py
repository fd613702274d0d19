"""Tables of reads: which lesion a row speaks of, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.errors import UnreadableInput
from petquant.grid import Grid
from petquant.reads.reader import attached, read_reads
from petquant.roi import Roi

GRID = Grid(shape=(4, 4, 4), affine=np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]] * [[5], [5], [5], [1]])
LESIONS = [
    Roi(roi_id="1", name="one", voxels=np.array([0])),
    Roi(roi_id="2", name="two", voxels=np.array([63])),
]


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "reads.csv"
        path.write_text(text)
        return path

    return write


def test_visual_calls_are_numbers_or_nothing(table):
    rows = read_reads(table("lesion_id,visual\n1,0\n2,1\n3,2\n4,\n"))
    assert [row.visual for row in rows] == [0, 1, 2, None]
    assert [row.visual for row in rows] == [0, 1, 2, None]


def test_a_row_speaks_of_the_scan_that_it_names(table):
    (row,) = read_reads(table("lesion_id,patient,tracer\n1,P1,FDG\n"))
    scan = {"patient": "P1", "session": "", "reader": ""}
    assert row.is_of(**scan, tracers=["fdg"])
    assert row.is_of(**scan, tracers=["a", "[18F]FDG"])
    assert row.is_of(**scan | {"reader": "R1"}, tracers=["FDG"])  # the row names no reader
    assert not row.is_of(**scan | {"patient": "P2"}, tracers=["FDG"])
    assert not row.is_of(**scan, tracers=["Pentixafor"])


def test_a_row_belongs_to_the_region_at_its_point_or_with_its_id(table):
    rows = read_reads(table("lesion_id,x,y,z\nhot,15,15,15\n1,,,\nelse,0,15,0\nfar,900,0,0\n"))
    drawn, undrawn = attached(rows, LESIONS, GRID)
    assert {roi: row.lesion_id for roi, row in drawn.items()} == {"2": "hot", "1": "1"}
    assert set(undrawn) == {"else", "far"}


def test_two_rows_of_one_lesion_are_refused(table):
    rows = read_reads(table("lesion_id,visual\n1,0\n1,2\n"))
    with pytest.raises(UnreadableInput, match="two rows"):
        attached(rows, LESIONS, GRID)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no row"),
        ("patient\nP1\n", "lesion_id"),
        ("lesion_id,colour\n1,red\n", "colour"),
        ("lesion_id,visual\n1,3\n", "visual is 3"),
        ("lesion_id,focal\n1,yes\n", "focal is yes"),
        ("lesion_id,x,y,z\n1,1,2,\n", "three numbers"),
        ("lesion_id,x,y,z\n1,1,2,inf\n", "finite"),
        ("lesion_id\n1,2\n", "more cells"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(text, why, table):
    with pytest.raises(UnreadableInput, match=why):
        read_reads(table(text))
