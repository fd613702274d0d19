"""The brain opposite of a lesion: a turned head of ellipsoids whose midsagittal plane we know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from petquant.delineation.contralateral import head_of, opposite_of
from petquant.delineation.reference import place
from petquant.errors import Refused
from petquant.roi import RoiSet
from petquant.volume import Unit

STEP_MM, SHAPE = 3.0, (64, 80, 70)
MIDDLE = np.array([9.0, -5.0, 4.0])  # of the head, in patient coordinates
TURN = Rotation.from_euler("zy", [12.0, -8.0], degrees=True)  # the head is turned and tilted
NORMAL = TURN.apply([1.0, 0.0, 0.0])
SKULL, BRAIN = (72.0, 88.0, 74.0), (65.0, 81.0, 67.0)
LESION = (-34.0, 12.0, 10.0)  # in the frame of the head: right, behind the middle, above
BRAIN_SUV = {"fdg": 6.0, "pentixafor": 0.25}


@pytest.fixture(scope="module")
def head(make_grid, make_volume, make_roi):
    """PET, CT and lesions of a head; lesions by centre and radius."""
    origin = tuple(-STEP_MM * (n - 1) / 2 for n in SHAPE[::-1])
    grid = make_grid(SHAPE, (STEP_MM,) * 3, origin_mm=origin)
    own = (
        TURN.inv()
        .apply(grid.position_mm(np.stack(np.indices(SHAPE), axis=-1)).reshape(-1, 3) - MIDDLE)
        .reshape(*SHAPE, 3)
    )

    def ball(centre, radius):
        return ((own - centre) ** 2).sum(axis=-1) <= radius**2

    def of(lesions=((LESION, 9.0),), *, tracer="fdg"):
        is_skull, is_brain = ((own**2 / np.square(axes)).sum(axis=-1) <= 1 for axes in (SKULL, BRAIN))
        hu = np.full(SHAPE, -1000.0)
        hu[(own[..., :2] ** 2 / np.square((80.0, 96.0))).sum(axis=-1) <= 1] = 40.0
        hu[is_skull], hu[is_brain] = 900.0, 35.0
        for centre in ((-30, -84, -40), (30, -84, -40)):  # orbits
            hu[ball(centre, 12.0)] = -20.0
        hu[ball((52.0, 40.0, -45.0), 11.0)] = 700.0  # one mastoid: no head is the same on both sides
        hu += np.random.default_rng(1).normal(0.0, 8.0, SHAPE)
        pet = np.where(hu > -500.0, 0.3, 0.0)
        pet[is_brain] = BRAIN_SUV[tracer]
        rois = []
        for n, (centre, radius) in enumerate(lesions, start=1):
            pet[ball(centre, radius)] = 20.0
            rois.append(make_roi(ball(centre, radius), roi_id=str(n)))
        ct = make_volume(hu, grid=grid, unit=Unit.HU)
        return make_volume(pet, grid=grid), ct, RoiSet(grid=grid, rois=tuple(rois))

    return of


def in_head(shape) -> np.ndarray:
    """The centre of a shape in the frame of the head."""
    return TURN.inv().apply(np.array(shape.centre_mm) - MIDDLE)


@pytest.fixture(scope="module")
def found_head(head):
    pet, ct, _ = head()
    return head_of(pet, ct)


def opposite(found_head, head, lesions):
    """The place opposite of lesions, in the frame of the head, and why."""
    _, _, rois = head(lesions)
    points = [rois.grid.position_mm(rois.grid.index_of(roi.voxels)) for roi in rois.rois]
    found = opposite_of(points, found_head, radius_mm=10.0, margin_mm=10.0)
    return TURN.inv().apply(np.array(found.centre_mm) - MIDDLE), found


def test_the_plane_is_that_of_the_head_though_one_mastoid_is_denser(found_head):
    # 0.5 degrees move a point on the skull, 70 mm away, by 0.6 mm: a fifth of a voxel; 0.3 mm do as much
    assert np.degrees(np.arccos(found_head.normal @ NORMAL)) < 0.5
    assert found_head.off_mm(MIDDLE) == pytest.approx(0.0, abs=0.3)
    assert found_head.symmetry > 0.95
    volume_ml = 4 / 3 * np.pi * np.prod(BRAIN) / 1000.0
    # half a voxel of 3 mm off a radius of 70 mm are 6 %; the opening and the wall take another 3 mm: 13 %
    assert found_head.cavity_ml == pytest.approx(volume_ml, rel=0.2)


def test_the_sphere_lies_where_the_mirror_image_of_the_lesion_does(head):
    pet, ct, lesions = head(tracer="pentixafor")
    found = place("contralateral", pet, ct=ct, avoid=lesions)
    assert found.shape.radius_mm == 10.0
    centre = TURN.inv().apply(np.array(found.shape.centre_mm) - MIDDLE)
    assert np.linalg.norm(centre - np.array([34.0, 12.0, 10.0])) < STEP_MM / 2
    assert found.mean == pytest.approx(BRAIN_SUV["pentixafor"], rel=1e-6)
    assert found.hu == pytest.approx(35.0, abs=5.0)
    assert "mirror image" in found.why


def test_a_lesion_at_the_skull_is_mirrored_and_moved_inwards(found_head, head):
    (x, y, z), found = opposite(found_head, head, (((-54.0, 0.0, 5.0), 7.0),))
    assert 30.0 < x < 54.0
    assert np.hypot(y, z - 5.0) < 6.0
    assert "aside" in found.why
    assert found.edge_mm >= 13.0


def test_the_next_lesion_is_taken_where_the_largest_leaves_no_place(found_head, head):
    # the largest crosses the midline; opposite of the second there is brain
    centre, _ = opposite(found_head, head, (((0.0, -30.0, 10.0), 14.0), ((-36.0, 35.0, 10.0), 8.0)))
    assert np.linalg.norm(centre - np.array([36.0, 35.0, 10.0])) < STEP_MM


def test_lesions_on_both_sides_leave_no_normal_brain(found_head, head):
    with pytest.raises(Refused, match="a lesion lies too near") as refusal:
        opposite(found_head, head, (((-34.0, 12.0, 10.0), 9.0), ((34.0, 12.0, 10.0), 8.0)))
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"


def test_liquor_is_no_brain(found_head, head):
    with pytest.raises(Refused, match="no brain"):
        opposite(replace(found_head, hu=found_head.hu - 31.0), head, ((LESION, 9.0),))


def test_without_a_lesion_there_is_nothing_to_look_opposite_of(found_head):
    with pytest.raises(Refused, match="no lesion"):
        opposite_of([], found_head, radius_mm=10.0, margin_mm=10.0)


def test_the_plane_is_not_taken_from_the_pet(head):
    pet, _, lesions = head()
    with pytest.raises(Refused) as refusal:
        place("contralateral", pet, avoid=lesions)
    assert refusal.value.findings[0].code == "REFERENCE_NEEDS_CT"


def test_a_ct_without_a_skull_is_refused(head, make_volume):
    pet, ct, lesions = head()
    soft = make_volume(np.minimum(ct.stored, 60.0), grid=ct.grid, unit=Unit.HU)
    with pytest.raises(Refused, match="no skull"):
        place("contralateral", pet, ct=soft, avoid=lesions)
