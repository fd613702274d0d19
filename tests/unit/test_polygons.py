"""Contours on the PET grid: the known answers of roi.md 3.3, closed forms, and contours made to be hard."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.errors import LimitReached, Refused
from petquant.grid import Grid
from petquant.polygons import Edge, filled

SPACING = (3.27, 4.0, 5.0)  # k, j, i: not square, so that rows and columns cannot be confused
ORIGIN = (-100.0, 40.0, -500.0)


def grid_of(shape=(12, 40, 48), *, rotation=None, slice_positions_mm=None):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * SPACING
    if rotation is not None:
        affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = ORIGIN
    return Grid(shape=shape, affine=affine, slice_positions_mm=slice_positions_mm)


PET = grid_of()


def contour(points, k, grid=PET):
    """Corners (x, y) in voxels on slice k, as LPS positions."""
    x, y = np.asarray(points, float).T
    return np.stack([np.full(len(x), float(k)), y, x], axis=1) @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def square(half, *, at=(20.0, 18.0)):
    x, y = at
    return np.array([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])


def moved(points, x, y=0.0):
    return points + np.array([x, y])


def keyhole(outer, inner):
    """One contour that goes around, crosses over to the hole, around it the other way, and back."""
    return np.concatenate([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])


def on_slices(*outlines, slices=range(3, 9), off=0.0, grid=PET):
    return [contour(points, k + off, grid) for k in slices for points in outlines]


def total(found):
    return len(found.voxels) if found.weights is None else found.weights.sum()


def codes(found):
    return {finding.code for finding in found.findings}


def finding(found, code):
    (one,) = [one for one in found.findings if one.code == code]
    return one.found


def dense(found, grid=PET):
    weights = np.ones(len(found.voxels)) if found.weights is None else found.weights
    return np.bincount(found.voxels, weights, grid.size).reshape(grid.shape)


def shoelace(points):
    x, y = np.asarray(points).T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def turned(axis, degrees):
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    t = math.radians(degrees)
    return np.eye(3) + math.sin(t) * cross + (1 - math.cos(t)) * cross @ cross


SQUARE, HOLE = square(8.3), square(3.3)  # 17 x 17 = 289 and 7 x 7 = 49 voxel centres


# roi.md 3.3, the table of known answers


def test_a_square_on_six_slices():
    found = filled(on_slices(SQUARE), PET)
    assert len(found.voxels) == 6 * 17 * 17
    assert found.edge is Edge.CENTRE
    assert found.weights is None
    assert found.findings == ()
    assert dense(found)[3:9, 10:27, 12:29].all()  # rows 18 - 8.3 to 18 + 8.3, columns 20 - 8.3 to 20 + 8.3


@pytest.mark.parametrize(
    "outlines",
    [(SQUARE, HOLE), (HOLE, SQUARE), (SQUARE, HOLE[::-1]), (keyhole(SQUARE, HOLE),)],
    ids=["nested", "hole first", "opposite directions", "keyhole"],
)
@pytest.mark.parametrize(("edge", "expected"), [(Edge.CENTRE, 1440), (Edge.AREA, (16.6**2 - 6.6**2) * 6)])
def test_a_hole_is_left_out_however_it_is_written(outlines, edge, expected):
    """6 x (289 - 49) = 1440 centres."""
    found = filled(on_slices(*outlines), PET, edge=edge)
    assert total(found) == pytest.approx(expected, rel=1e-9)  # rounding
    assert codes(found) == set()


def test_slices_that_were_skipped_stay_empty_and_are_said():
    found = filled(on_slices(SQUARE, slices=(3, 5, 7)), PET, is_referenced=True)
    assert len(found.voxels) == 867  # 3 x 289
    assert codes(found) == {"CONTOUR_GAP"}
    assert finding(found, "CONTOUR_GAP").startswith("2 slices")


def test_skipped_slices_are_filled_on_request():
    """Every second of six slices: planes reach half-way to the next, and as far at the ends."""
    found = filled(on_slices(SQUARE, slices=(3, 5, 7)), PET, is_referenced=True, fill_gaps=True)
    assert len(found.voxels) == 1734  # 6 x 289
    assert np.unique(PET.index_of(found.voxels)[:, 0]).tolist() == [3, 4, 5, 6, 7, 8]
    assert codes(found) == {"CONTOUR_GAP_FILLED"}


def test_one_gap_is_filled_to_its_middle_and_nothing_is_added_at_the_ends():
    found = filled(on_slices(SQUARE, slices=(2, 3, 4, 7, 8, 9)), PET, fill_gaps=True)
    assert np.unique(PET.index_of(found.voxels)[:, 0]).tolist() == list(range(2, 10))
    assert finding(found, "CONTOUR_GAP_FILLED").startswith("2 slices")


def test_planes_off_the_slices_go_to_the_nearest_slice_by_centre():
    found = filled(on_slices(SQUARE, off=0.45), PET, edge=Edge.CENTRE)
    assert len(found.voxels) == 1734
    assert np.unique(PET.index_of(found.voxels)[:, 0]).tolist() == [3, 4, 5, 6, 7, 8]


def test_planes_off_the_slices_are_shared_between_slices_by_area():
    found = filled(on_slices(SQUARE, off=0.45), PET)
    assert found.edge is Edge.AREA
    assert total(found) == pytest.approx(1653.36, rel=1e-9)  # 16.6^2 x 6
    per_slice = dense(found).sum(axis=(1, 2)) / 16.6**2
    assert np.allclose(per_slice[3:10], [0.55, 1, 1, 1, 1, 1, 0.45], rtol=0, atol=1e-9)


@pytest.mark.parametrize("copy", [SQUARE, SQUARE[::-1], np.roll(SQUARE, 1, axis=0)])
def test_a_contour_that_occurs_twice_counts_once(copy):
    found = filled(on_slices(SQUARE, copy), PET)
    assert len(found.voxels) == 1734
    assert finding(found, "CONTOUR_DUPLICATE").startswith("6 copies")


# Planes


def test_planes_within_a_tenth_of_a_slice_are_slices_and_said_above_a_hundredth():
    assert codes(filled(on_slices(SQUARE, off=0.009), PET)) == set()
    found = filled(on_slices(SQUARE, off=-0.09), PET)
    assert len(found.voxels) == 1734
    assert finding(found, "CONTOUR_PLANE_SNAPPED").startswith("up to 0.09 slices (0.294 mm)")


def test_contours_of_one_slice_share_it_though_their_planes_differ_a_little():
    contours = on_slices(SQUARE, off=0.03) + on_slices(HOLE, off=-0.03)
    assert len(filled(contours, PET).voxels) == 1440


def test_planes_two_slices_apart_that_do_not_refer_to_the_pet_stand_for_their_spacing():
    """Drawn on a CT with twice the step: slabs of two slices each."""
    found = filled(on_slices(SQUARE, slices=(3, 5, 7)), PET)
    assert found.edge is Edge.AREA
    assert codes(found) == set()
    per_slice = dense(found).sum(axis=(1, 2)) / 16.6**2
    assert np.allclose(per_slice[2:9], [0.5, 1, 1, 1, 1, 1, 0.5], rtol=0, atol=1e-9)


def test_planes_finer_than_slices_are_weighted_by_their_slabs():
    """Planes of 1 mm on slices of 3.27 mm: 9 mm thick, wherever they lie."""
    planes = (np.arange(9) * 1.0 + 11.3) / 3.27
    found = filled([contour(SQUARE, k) for k in planes], PET)
    assert found.edge is Edge.AREA
    assert total(found) * 3.27 == pytest.approx(16.6**2 * 9.0, rel=1e-9)


def test_a_gap_between_planes_off_the_slices_is_left_or_filled():
    slices = [2, 3, 4, 7, 8]
    found = filled(on_slices(SQUARE, slices=slices, off=0.4), PET)
    assert finding(found, "CONTOUR_GAP").startswith("2 planes")
    assert total(found) == pytest.approx(5 * 16.6**2, rel=1e-9)
    found = filled(on_slices(SQUARE, slices=slices, off=0.4), PET, fill_gaps=True)
    assert codes(found) == {"CONTOUR_GAP_FILLED"}
    assert total(found) == pytest.approx(7 * 16.6**2, rel=1e-9)


def test_one_plane_is_one_slice_thick():
    assert len(filled([contour(SQUARE, 5)], PET).voxels) == 289
    found = filled([contour(SQUARE, 5.25)], PET)
    assert total(found) == pytest.approx(16.6**2, rel=1e-9)
    per_slice = dense(found).sum(axis=(1, 2)) / 16.6**2
    assert np.allclose(per_slice[5:7], [0.75, 0.25], rtol=0, atol=1e-9)


def test_uneven_slices_are_met_at_their_own_positions():
    steps = np.array([3.27, 3.27, 3.19, 3.29, 3.27, 3.27, 3.27, 3.19, 3.27, 3.27, 3.27])
    uneven = grid_of(slice_positions_mm=np.concatenate([[0.0], np.cumsum(steps)]))
    contours = [contour(SQUARE, uneven.slice_positions_mm[k] / 3.27) for k in range(2, 10)]
    found = filled(contours, uneven)
    assert codes(found) == set()
    assert len(found.voxels) == 8 * 289


def test_a_tilted_contour_is_refused_with_its_spread():
    tilted = contour(SQUARE, 5)
    tilted[0, 2] += 0.5
    with pytest.raises(Refused) as error:
        filled([contour(SQUARE, 4), tilted], PET, where="region 1 (GTV)")
    (one,) = error.value.findings
    assert one.code == "CONTOUR_NOT_PLANAR"
    assert one.found == "contour 2 spreads over 0.1529 slices"  # 0.5 / 3.27
    assert one.where == "region 1 (GTV)"


@pytest.mark.parametrize("edge", Edge)
def test_an_oblique_pet_is_filled_through_its_affine(edge):
    oblique = grid_of(rotation=turned((1, 2, 3), 33))
    straight = filled(on_slices(SQUARE, HOLE), PET, edge=edge)
    found = filled(on_slices(SQUARE, HOLE, grid=oblique), oblique, edge=edge)
    assert np.array_equal(found.voxels, straight.voxels)
    assert np.allclose(dense(found), dense(straight), rtol=0, atol=1e-6)  # rounding of positions


# Edges


def test_an_edge_shared_by_two_contours_belongs_to_one_of_them():
    """Edges on voxel centres: [8, 12) and [12, 16) columns, [8, 12) rows."""
    left = np.array([(8, 8), (12, 8), (12, 12), (8, 12)], float)
    right = moved(left, 4)
    one, other, both = (
        filled([contour(points, 5) for points in some], PET) for some in ([left], [right], [left, right])
    )
    assert len(one.voxels) == len(other.voxels) == 16
    assert np.array_equal(np.sort(np.concatenate([one.voxels, other.voxels])), both.voxels)
    assert codes(both) == set()
    index = PET.index_of(one.voxels)
    assert index[:, 1].tolist() == sorted([8, 9, 10, 11] * 4)
    assert set(index[:, 2].tolist()) == {8, 9, 10, 11}


corner = st.tuples(st.integers(0, 40), st.integers(0, 40))


def is_inside(points, x, y):
    """Even-odd with the crossing rule of roi.md 3.3, in exact arithmetic; corners in quarters of a voxel."""
    crossed = 0
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if min(y0, y1) <= y < max(y0, y1):
            crossed += x < x0 + Fraction((y - y0) * (x1 - x0), y1 - y0)
    return crossed % 2 == 1


@settings(max_examples=150, deadline=None)
@given(points=st.lists(corner, min_size=3, max_size=9))
def test_any_contour_is_filled_by_the_crossing_rule(points):
    grid = grid_of((3, 12, 12))
    expected = np.array([[is_inside(points, 4 * i, 4 * j) for i in range(12)] for j in range(12)])
    corners = contour(np.array(points) / 4, 1, grid)
    if not expected.any():
        with pytest.raises(Refused, match=r"ROI_EMPTY|ROI_NOT_AN_AREA"):
            filled([corners], grid, edge=Edge.CENTRE)
        return
    found = filled([corners], grid, edge=Edge.CENTRE)
    assert np.array_equal(dense(found, grid)[1] > 0, expected)


@settings(max_examples=100, deadline=None)
@given(points=st.lists(corner, min_size=3, max_size=9))
def test_any_contour_covers_the_area_that_even_odd_gives(points):
    """Against the centres of 40 x 40 parts of every voxel: a line misplaces at most its length in parts."""
    parts = 40
    grid, fine = grid_of((3, 12, 12)), grid_of((3, 12 * parts, 12 * parts))
    corners = np.array(points) / 4
    try:
        found = filled([contour(corners, 1, grid)], grid, edge=Edge.AREA)
    except Refused:
        return
    spread = (corners + 0.5) * parts - 0.5 + 1e-4  # off the centres, where a tie falls to one side
    try:
        drawn = dense(filled([contour(spread, 1, fine)], fine, edge=Edge.CENTRE), fine)[1]
    except Refused:
        drawn = np.zeros((12 * parts, 12 * parts))
    expected = drawn.reshape(12, parts, 12, parts).mean(axis=(1, 3))
    assert np.abs(dense(found, grid)[1] - expected).max() < 3 * len(points) / parts
    length = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1).sum()
    assert abs(dense(found, grid)[1].sum() - expected.sum()) < 1.5 * length / parts


@settings(max_examples=60, deadline=None)
@given(
    radii=st.lists(st.floats(1.0, 15.0), min_size=3, max_size=40),
    x=st.floats(16.0, 30.0),
    y=st.floats(16.0, 22.0),
    off=st.floats(0.0, 1.0),
)
def test_weights_add_up_to_the_shoelace_area_times_the_thickness(radii, x, y, off):
    """A star-shaped contour on four planes, off the slices or on them."""
    angle = 2 * math.pi * np.arange(len(radii)) / len(radii)
    points = np.stack([x + np.array(radii) * np.cos(angle), y + np.array(radii) * np.sin(angle)], axis=1)
    found = filled(on_slices(points, slices=range(3, 7), off=off), PET, edge=Edge.AREA)
    assert total(found) == pytest.approx(4 * shoelace(points), rel=1e-6)
    assert found.weights is None or ((found.weights > 0) & (found.weights <= 1)).all()
    assert "CONTOUR_SELF_CROSSING" not in codes(found)


def test_a_triangle_covers_its_exact_fractions():
    """Corners (0, 0), (2, 0), (0, 2) from the corner of a voxel: 1, 1/2 and 1/2."""
    points = np.array([(9.5, 9.5), (11.5, 9.5), (9.5, 11.5)])
    found = filled([contour(points, 5)], PET, edge=Edge.AREA)
    assert np.allclose(dense(found)[5, 10:12, 10:12], [[1.0, 0.5], [0.5, 0.0]], rtol=0, atol=1e-9)
    assert total(found) == pytest.approx(2.0, rel=1e-9)


def test_a_region_between_voxel_centres_is_refused_by_centre_and_measured_by_area():
    tiny = square(0.2, at=(20.5, 18.5))
    with pytest.raises(Refused) as error:
        filled([contour(tiny, 5)], PET)
    assert [one.code for one in error.value.findings] == ["ROI_EMPTY"]
    assert "--edge area" in error.value.findings[0].remedy
    assert total(filled([contour(tiny, 5)], PET, edge=Edge.AREA)) == pytest.approx(0.16, rel=1e-6)


# Contours that cross


def test_contours_that_partly_overlap_are_computed_by_even_odd_and_said():
    """Squares of 16.6 shifted by 8: what both cover, 8.6 x 16.6, is in neither."""
    shifted = moved(SQUARE, 8.0, 0.25)
    found = filled(on_slices(SQUARE, shifted, slices=[5]), PET, edge=Edge.AREA)
    assert total(found) == pytest.approx(2 * 16.6**2 - 2 * 8.6 * 16.35, rel=1e-9)
    assert finding(found, "CONTOUR_OVERLAP").startswith("1 pairs")
    assert "CONTOUR_SELF_CROSSING" not in codes(found)


def test_an_overlap_whose_lines_only_run_along_each_other_is_said():
    found = filled(on_slices(SQUARE, moved(SQUARE, 8.0), slices=[5]), PET, edge=Edge.AREA)
    assert total(found) == pytest.approx(2 * 16.6 * 8.0, rel=1e-9)
    assert codes(found) == {"CONTOUR_OVERLAP"}


def test_a_hole_that_touches_the_outer_contour_is_no_overlap():
    hole = np.array([(11.7, 15.0), (16.0, 15.0), (16.0, 20.0), (11.7, 20.0)])  # along the left side
    assert codes(filled(on_slices(SQUARE, hole), PET)) == set()


def test_islands_are_no_overlap():
    found = filled(on_slices(square(2.3, at=(5, 5)), square(2.3, at=(30, 30)), slices=[5]), PET)
    assert len(found.voxels) == 50
    assert codes(found) == set()


def test_a_figure_of_eight_keeps_both_loops_and_is_said():
    """A bow tie of width and height 12: its signed area is 0, its area 72."""
    bow = np.array([(10.0, 10.0), (22.0, 22.0), (22.0, 10.0), (10.0, 22.0)])
    found = filled([contour(bow, 5)], PET, edge=Edge.AREA)
    assert total(found) == pytest.approx(72.0, rel=1e-9)
    assert codes(found) == {"CONTOUR_SELF_CROSSING"}


def test_a_pentagram_has_its_points_and_not_its_middle():
    """Even-odd: the star minus the inner pentagon; areas by the formulas of regular pentagons."""
    radius = 12.0
    angle = 2 * math.pi * np.array([0, 2, 4, 1, 3]) / 5
    star = np.stack([22 + radius * np.cos(angle), 18 + radius * np.sin(angle)], axis=1)
    inner = radius * math.cos(2 * math.pi / 5) / math.cos(math.pi / 5)
    a, b = angle[0], angle[0] + math.pi / 5
    outline = []
    for n in range(5):
        for r, t in ((radius, a), (inner, b)):
            outline.append((r * math.cos(t + 2 * math.pi * n / 5), r * math.sin(t + 2 * math.pi * n / 5)))
    middle = [
        (inner * math.cos(b + 2 * math.pi * n / 5), inner * math.sin(b + 2 * math.pi * n / 5))
        for n in range(5)
    ]
    found = filled([contour(star, 5)], PET, edge=Edge.AREA)
    assert total(found) == pytest.approx(shoelace(outline) - shoelace(middle), rel=1e-6)


# Contours that are none


def test_contours_without_area_are_dropped_and_counted():
    point = np.array([(5.0, 5.0)])
    line = np.array([(5.0, 5.0), (9.0, 9.0), (7.0, 7.0)])
    twice = np.array([(5.0, 5.0), (5.0, 5.0), (9.0, 5.0), (9.0, 5.0)])
    found = filled(on_slices(SQUARE, point, line, twice, slices=[5]), PET)
    assert len(found.voxels) == 289
    assert finding(found, "CONTOUR_DEGENERATE").startswith("3 of 4")


def test_a_region_without_area_is_refused():
    with pytest.raises(Refused) as error:
        filled([contour([(5.0, 5.0), (9.0, 9.0), (7.0, 7.0)], 5)], PET)
    assert [one.code for one in error.value.findings] == ["ROI_NOT_AN_AREA"]


def test_a_closing_point_and_repeated_points_change_nothing():
    closed = np.concatenate([np.repeat(SQUARE, 2, axis=0), SQUARE[:1]])
    found = filled(on_slices(closed), PET)
    assert len(found.voxels) == 1734
    assert codes(found) == set()


# Field of view


@pytest.mark.parametrize("edge", Edge)
def test_what_lies_outside_the_image_is_cut_off_with_its_fraction(edge):
    """The outer face lies at column -0.5: of the square from -8.3 to 8.3 about it, half is cut off."""
    found = filled(on_slices(square(8.3, at=(-0.5, 18.0)), slices=[5]), PET, edge=edge)
    assert finding(found, "ROI_CLIPPED_BY_FOV").startswith("0.5 of")
    expected = {Edge.CENTRE: 8 * 17, Edge.AREA: 8.3 * 16.6}[edge]  # columns 0 to 7.8, rows 9.7 to 26.3
    assert total(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("at", [(-0.5, 18.0), (47.5, 18.0), (20.0, -0.5), (20.0, 39.5)])
def test_every_face_of_the_image_cuts(at):
    found = filled(on_slices(square(8.3, at=at), slices=[5]), PET, edge=Edge.AREA)
    assert finding(found, "ROI_CLIPPED_BY_FOV").startswith("0.5 of")
    assert total(found) == pytest.approx(8.3 * 16.6, rel=1e-9)


@pytest.mark.parametrize("edge", Edge)
def test_planes_beyond_the_last_slice_are_cut_off(edge):
    found = filled(on_slices(SQUARE, slices=range(10, 14)), PET, edge=edge)
    assert finding(found, "ROI_CLIPPED_BY_FOV").startswith("0.5 of")
    assert np.unique(PET.index_of(found.voxels)[:, 0]).tolist() == [10, 11]


@pytest.mark.parametrize(
    ("at", "slices"), [((-40.0, 18.0), [5]), ((20.0, 90.0), [5]), ((20.0, 18.0), [14, 15])]
)
def test_a_region_wholly_outside_is_refused(at, slices):
    with pytest.raises(Refused) as error:
        filled(on_slices(square(8.3, at=at), slices=slices), PET)
    (one,) = error.value.findings
    assert one.code == "ROI_OUTSIDE_FOV"
    assert "x -102.5 to 137.5, y 38 to 198, z -501.635 to -462.395 mm LPS" in one.found


def test_contours_far_away_cost_no_memory():
    """10 million voxels wide, and a million slices apart: what lies in the image is filled."""
    far = square(1e7, at=(1e7 + 5.0, 18.0))
    found = filled([contour(far, 5), contour(SQUARE, 1e6)], PET, is_referenced=True)
    assert len(found.voxels) == 40 * (48 - 5)  # every row from column 5 on
    assert codes(found) == {"ROI_CLIPPED_BY_FOV", "CONTOUR_GAP"}
    found = filled([contour(far, 5), contour(SQUARE, 1e6)], PET, is_referenced=True, fill_gaps=True)
    assert len(found.voxels) == 12 * 40 * (48 - 5)


def test_a_comb_of_lines_beyond_measure_reaches_a_limit():
    """40,000 lines side by side: 8e8 pairs."""
    n = 40_000
    x = np.linspace(5, 40, n)
    comb = np.stack([x, np.where(np.arange(n) % 2, 5.0, 30.0)], axis=1)
    with pytest.raises(LimitReached):
        filled([contour(np.concatenate([comb, [(40.0, 2.0), (5.0, 2.0)]]), 5)], PET)
