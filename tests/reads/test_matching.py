"""Matching by hand: far lesions never displace near ones, and no lesion is lost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.reads.matching import Located, match


def at(lesion_id, *centre, radius=6.0, region="", side=""):
    x, y, z = (*centre, 0.0, 0.0, 0.0)[:3]
    return Located(
        lesion_id=str(lesion_id), centroid_mm=(x, y, z), radius_mm=radius, region=region, side=side
    )


def pairs_of(a, b, *, dice=None, error=2.0, same=None):
    found = match(a, b, dice=dice or {}, registration_error_mm=error, same=same)
    return {(one.a, one.b): one for one in found}


def test_lesions_at_one_place_are_pairs_and_the_others_stand_alone():
    found = pairs_of([at(1, 0.0), at(2, 100.0)], [at(7, 3.0), at(8, 300.0)])
    assert set(found) == {("1", "7"), ("2", None), (None, "8")}
    assert found["1", "7"].by == "distance"
    assert found["1", "7"].distance_mm == pytest.approx(3.0)


def test_the_gate_is_ten_millimetres_or_half_the_radii_and_the_error_of_registration():
    assert ("1", "7") in pairs_of([at(1, 0.0)], [at(7, 10.0)])
    assert ("1", "7") not in pairs_of([at(1, 0.0)], [at(7, 10.01)])
    large = {"radius": 12.0}  # (12 + 12)/2 + 2 = 14
    assert ("1", "7") in pairs_of([at(1, 0.0, **large)], [at(7, 14.0, **large)])
    assert ("1", "7") not in pairs_of([at(1, 0.0, **large)], [at(7, 14.01, **large)])


def test_a_far_lesion_does_not_displace_a_near_one():
    # 1 at 0 and 2 at 9; 7 at 9.5, 8 at 30: an assignment gated afterwards would take 1-7 and 2-8 and drop the
    # last
    found = pairs_of([at(1, 0.0), at(2, 9.0)], [at(7, 9.5), at(8, 30.0)])
    assert set(found) == {("2", "7"), ("1", None), (None, "8")}


def test_overlap_beats_distance():
    # 7 touches 1 by a tenth and lies nearer to 2
    found = pairs_of([at(1, 0.0), at(2, 9.0)], [at(7, 8.0)], dice={("1", "7"): 0.1})
    assert set(found) == {("1", "7"), ("2", None)}
    assert found["1", "7"].by == "overlap"


def test_the_largest_overlap_wins_over_two_small_ones():
    dice = {("1", "7"): 0.9, ("1", "8"): 0.05, ("2", "7"): 0.05}
    found = pairs_of([at(1, 0.0), at(2, 40.0)], [at(7, 0.0), at(8, 41.0)], dice=dice)
    assert ("1", "7") in found


def test_a_merge_lists_all_its_members_and_drops_none():
    # one lesion of b covers two of a
    dice = {("1", "7"): 0.6, ("2", "7"): 0.3}
    found = pairs_of([at(1, 0.0), at(2, 12.0), at(3, 200.0)], [at(7, 5.0)], dice=dice)
    assert set(found) == {("1", "7"), ("3", None)}
    assert found["1", "7"].members_a == ("1", "2")
    assert found["1", "7"].members_b == ()
    split = pairs_of([at(7, 5.0)], [at(1, 0.0), at(2, 12.0)], dice={("7", "1"): 0.6, ("7", "2"): 0.3})
    assert split["7", "1"].members_b == ("1", "2")


def test_a_reader_overrules_place():
    found = pairs_of([at(1, 0.0), at(2, 500.0)], [at(7, 0.0)], same={"2": "7"})
    assert set(found) == {("2", "7"), ("1", None)}
    assert found["2", "7"].by == "id"


def test_sides_and_regions_that_contradict_are_no_pair():
    assert ("1", "7") not in pairs_of([at(1, 0.0, side="left")], [at(7, 1.0, side="right")])
    assert ("1", "7") in pairs_of([at(1, 0.0, side="left")], [at(7, 1.0)])
    dice = {("1", "7"): 0.8}
    assert ("1", "7") not in pairs_of([at(1, 0.0, region="node")], [at(7, 0.0, region="lung")], dice=dice)


def test_a_reader_may_pair_only_what_is_there():
    with pytest.raises(ValueError, match="not there"):
        pairs_of([at(1)], [at(7)], same={"1": "9"})
    with pytest.raises(ValueError, match="unique"):
        pairs_of([at(1), at(1)], [at(7)])


def test_nothing_matches_nothing():
    assert match([], [], dice={}, registration_error_mm=2.0) == ()
    assert set(pairs_of([at(1)], [])) == {("1", None)}


places = st.lists(st.tuples(*[st.floats(-60.0, 60.0)] * 3), max_size=7)


@settings(max_examples=60, deadline=None)
@given(places, places, st.randoms(use_true_random=False))
def test_every_lesion_stands_once_whatever_the_order(of_a, of_b, random):
    a = [at(n, *place) for n, place in enumerate(of_a)]
    b = [at(n, *place) for n, place in enumerate(of_b)]
    apart = {(o.lesion_id, p.lesion_id): math.dist(o.centroid_mm, p.centroid_mm) for o in a for p in b}
    dice = {ids: 1.0 - mm / 12.0 for ids, mm in apart.items() if mm < 12.0}
    found = match(a, b, dice=dice, registration_error_mm=2.0)
    for side, lesions in (("a", a), ("b", b)):
        listed = [x for m in found for x in getattr(m, f"members_{side}") or (getattr(m, side),)]
        assert sorted((x for x in listed if x is not None), key=int) == [one.lesion_id for one in lesions]
    random.shuffle(a)
    random.shuffle(b)
    assert match(a, b, dice=dice, registration_error_mm=2.0) == found
