"""Automatic reference regions: a chest and belly of a few shapes, whose organs are where we put them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from petquant.background import AUTOMATIC
from petquant.delineation import reference
from petquant.delineation.reference import place
from petquant.errors import Refused
from petquant.roi import RoiSet
from petquant.volume import Unit

STEP_MM = 5.0
SHAPE = (80, 50, 76)
ORIGIN_MM = (-187.5, -122.5, -200.0)
LIVER = ((-75.0, -10.0, -40.0), (70.0, 65.0, 55.0))
SPLEEN = ((100.0, 30.0, -40.0), (26.0, 38.0, 44.0))
RIGHT_LUNG = ((-80.0, 0.0, 100.0), (50.0, 80.0, 90.0))
LEFT_LUNG = ((85.0, 0.0, 100.0), (45.0, 78.0, 88.0))
AORTA_MM = (22.0, 38.0)
AORTA_RADIUS_MM = 12.0


@dataclass(frozen=True)
class Torso:
    """Uptake by organ; a lesion is centre, radius and uptake."""

    liver: float = 2.2
    spleen: float = 1.8
    blood: float = 1.7
    muscle: float = 0.6
    lung: float = 0.4
    marrow: float = 1.2
    liver_at: tuple = LIVER
    lesions: tuple = ()
    noise: float = 0.0
    has_lungs: bool = True
    aorta_at: tuple = AORTA_MM
    wedge: float = field(default=0.0)  # a liver of another level in front


def positions_mm():
    k, j, i = np.indices(SHAPE)
    return tuple(ORIGIN_MM[axis] + STEP_MM * index for axis, index in zip((0, 1, 2), (i, j, k), strict=True))


def in_ellipsoid(shape):
    centre, semi = shape
    return sum(((p - c) / s) ** 2 for p, c, s in zip(positions_mm(), centre, semi, strict=True)) <= 1


def painted(torso: Torso):
    """Uptake and Hounsfield units, [k, j, i]."""
    x, y, _ = positions_mm()
    pet, hu = np.zeros(SHAPE), np.full(SHAPE, -1000.0)

    def paint(where, uptake, units):
        pet[where], hu[where] = uptake, units

    paint((x / 175) ** 2 + (y / 115) ** 2 <= 1, torso.muscle, 40.0)
    if torso.has_lungs:
        paint(in_ellipsoid(RIGHT_LUNG), torso.lung, -800.0)
        paint(in_ellipsoid(LEFT_LUNG), torso.lung, -800.0)
    paint(np.hypot(x, y - 78) <= 20, torso.marrow, 250.0)
    at_x, at_y = torso.aorta_at
    paint(np.hypot(x - at_x, y - at_y) <= AORTA_RADIUS_MM, torso.blood, 45.0)
    paint(in_ellipsoid(torso.liver_at), torso.liver, 55.0)
    paint(in_ellipsoid(SPLEEN), torso.spleen, 50.0)
    if torso.wedge:
        paint(in_ellipsoid(torso.liver_at) & (np.sin(x / 6.0) > 0), torso.wedge, 55.0)
    for centre, radius, uptake in torso.lesions:
        paint(in_ellipsoid((centre, (radius,) * 3)), uptake, 50.0)
    if torso.noise:
        pet *= np.random.default_rng(1).normal(1.0, torso.noise, SHAPE)
    return pet, hu


@pytest.fixture(scope="module")
def volumes(make_grid, make_volume):
    def of(torso: Torso):
        pet, hu = painted(torso)
        grid = make_grid(SHAPE, (STEP_MM,) * 3, origin_mm=ORIGIN_MM)
        return make_volume(pet, grid=grid), make_volume(hu, grid=grid, unit=Unit.HU)

    return of


def spare_mm(shape, organ):
    """How far a sphere stays inside of an ellipsoid, along the directions of a fine set; negative outside."""
    directions = np.random.default_rng(2).normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centre, semi = np.array(organ[0]), np.array(organ[1])
    away = np.array(shape.centre_mm) - centre
    # |(away + t d) / semi| = 1 along each direction d
    a = ((directions / semi) ** 2).sum(axis=1)
    b = (away * directions / semi**2).sum(axis=1)
    c = ((away / semi) ** 2).sum() - 1
    assert c < 0, "the centre lies outside"
    return float(((-b + np.sqrt(b**2 - a * c)) / a).min()) - shape.radius_mm


FDG = Torso()
PENTIXAFOR = Torso(liver=1.6, spleen=5.5, muscle=0.5, marrow=2.0)


def test_the_names_are_those_that_a_background_may_have():
    assert tuple(reference.AUTOMATIC) == AUTOMATIC


@pytest.mark.parametrize("with_ct", [True, False])
@pytest.mark.parametrize(
    "torso", [FDG, PENTIXAFOR, replace(FDG, noise=0.15), replace(PENTIXAFOR, noise=0.15)]
)
def test_the_sphere_lies_in_the_right_lobe_ten_mm_off_its_edge(volumes, torso, with_ct):
    pet, ct = volumes(torso)
    found = place("liver", pet, ct=ct if with_ct else None)
    assert found.shape.radius_mm == 15.0
    assert found.shape.centre_mm[0] < -15.0  # all of it on the right: LPS -x
    # the lattice knows an edge to half its step of 5 mm, along a diagonal to 0.87 of it
    assert spare_mm(found.shape, LIVER) >= 10.0 - 0.87 * 5.0
    assert found.mean == pytest.approx(torso.liver, rel=0.03)  # 15 % of noise on 113 voxels: 1.4 %
    assert (found.hu is not None) == with_ct


def test_the_place_does_not_depend_on_the_unit(volumes):
    pet, ct = volumes(FDG)
    one = place("liver", pet, ct=ct)
    other = place("liver", pet.scaled(4000.0, unit=Unit.BQML), ct=ct)
    assert one.shape == other.shape
    assert other.mean == pytest.approx(4000 * one.mean, rel=1e-12)


def test_the_place_is_the_same_on_turned_axes(volumes):
    pet, ct = volumes(FDG)
    grid = pet.grid
    affine = grid.affine.copy()
    affine[:3, 3] = grid.position_mm([grid.shape[0] - 1, 0, grid.shape[2] - 1])
    affine[:, 0] *= -1
    affine[:, 2] *= -1
    turned = replace(
        pet, stored=np.ascontiguousarray(pet.stored[::-1, :, ::-1]), grid=replace(grid, affine=affine)
    )
    assert place("liver", turned, ct=ct).shape == place("liver", pet, ct=ct).shape


@pytest.mark.parametrize("uptake", [8.0, 0.3])
def test_lesions_of_the_liver_are_kept_away_from(volumes, uptake):
    lesion = ((-105.0, -20.0, -40.0), 13.0, uptake)
    pet, ct = volumes(replace(FDG, lesions=(lesion,)))
    found = place("liver", pet, ct=ct)
    assert np.linalg.norm(np.subtract(found.shape.centre_mm, lesion[0])) >= 15.0 + 13.0 + 10.0 - 4.35
    assert spare_mm(found.shape, LIVER) >= 5.65


def test_a_lesion_in_the_middle_may_leave_no_place(volumes):
    # from the lesion at 13 mm to the edge at 55 to 70 mm, 30 mm of sphere and 20 mm of margins do not fit
    pet, ct = volumes(replace(FDG, lesions=((LIVER[0], 13.0, 8.0),)))
    with pytest.raises(Refused, match="deep enough"):
        place("liver", pet, ct=ct)


def test_lesions_that_are_given_are_kept_away_from(volumes, make_roi):
    pet, ct = volumes(FDG)
    free = np.array(place("liver", pet, ct=ct).shape.centre_mm)
    apart_mm = np.linalg.norm(np.stack(positions_mm(), axis=-1) - free, axis=-1)
    avoid = RoiSet(grid=pet.grid, rois=(make_roi(apart_mm <= 10.0),))
    found = place("liver", pet, ct=ct, avoid=avoid)
    assert np.linalg.norm(np.subtract(found.shape.centre_mm, free)) >= 25.0


@pytest.mark.parametrize("with_ct", [True, False])
@pytest.mark.parametrize(
    ("torso", "because"),
    [
        (replace(FDG, liver=0.6), "no large volume of even uptake"),
        (replace(FDG, liver_at=((75.0, -10.0, -40.0), LIVER[1])), "no large volume of even uptake"),
        (
            replace(FDG, liver_at=((-75.0, -10.0, -165.0), LIVER[1])),
            "end of the field of view|right of the midline below the lung",
        ),
        (replace(FDG, liver_at=(LIVER[0], (40.0, 40.0, 40.0))), "no large volume|holds"),
    ],
    ids=["as the body", "on the left", "cut", "too small"],
)
def test_what_is_no_liver_for_certain_is_refused(volumes, torso, because, with_ct):
    pet, ct = volumes(torso)
    with pytest.raises(Refused, match=because) as refusal:
        place("liver", pet, ct=ct if with_ct else None)
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"


def test_a_second_volume_like_a_liver_is_refused(volumes):
    pet, _ = volumes(replace(FDG, lesions=(((-85.0, 0.0, 100.0), 65.0, 4.0),)))
    with pytest.raises(Refused, match="two even volumes"):
        place("liver", pet)


def test_uneven_uptake_is_refused(volumes):
    pet, ct = volumes(replace(FDG, wedge=1.2))
    with pytest.raises(Refused, match=r"uneven|no large volume|deep enough"):
        place("liver", pet, ct=ct)


@pytest.mark.parametrize("name", ["liver", "blood_pool", "marrow", "muscle"])
def test_a_ct_without_lungs_is_refused(volumes, name):
    pet, ct = volumes(replace(FDG, has_lungs=False))
    with pytest.raises(Refused, match="lung"):
        place(name, pet, ct=ct)


@pytest.mark.parametrize("name", AUTOMATIC)
def test_an_empty_pet_is_refused(volumes, make_volume, name):
    pet, ct = volumes(FDG)
    with pytest.raises(Refused, match="no body"):
        place(name, replace(pet, stored=np.zeros(SHAPE)), ct=ct)


@pytest.mark.parametrize("torso", [FDG, PENTIXAFOR, replace(FDG, noise=0.1)])
def test_the_cylinder_lies_in_the_lumen_of_the_descending_aorta(volumes, torso):
    pet, ct = volumes(torso)
    found = place("blood_pool", pet, ct=ct)
    x, y, z = found.shape.centre_mm
    assert (found.shape.radius_mm, found.shape.length_mm) == (5.0, 20.0)
    # a radius of 12 mm leaves 7 mm around the cylinder; a voxel of the wall is 5 mm
    assert np.hypot(x - AORTA_MM[0], y - AORTA_MM[1]) <= 4.0
    assert 10.0 < z < 190.0  # between the lowest and the highest lung
    assert found.contrast > 1.15
    assert found.mean == pytest.approx(torso.blood, rel=0.06)


def test_the_aorta_is_refused_on_pet_alone(volumes):
    pet, _ = volumes(FDG)
    with pytest.raises(Refused) as refusal:
        place("blood_pool", pet)
    assert refusal.value.findings[0].code == "REFERENCE_NEEDS_CT"


@pytest.mark.parametrize(
    ("torso", "because"),
    [
        (replace(FDG, blood=0.6), "stands out"),
        (replace(FDG, aorta_at=(-60.0, 90.0)), "stands out|uneven|straight"),
        (
            replace(FDG, lesions=tuple(((22.0, 30.0, z), 8.0, 6.0) for z in range(20, 200, 20))),
            r"high|uneven|straight|stands",
        ),
    ],
    ids=["no contrast", "elsewhere", "hot neighbours"],
)
def test_what_is_no_aorta_for_certain_is_refused(volumes, torso, because):
    pet, ct = volumes(torso)
    with pytest.raises(Refused, match=because) as refusal:
        place("blood_pool", pet, ct=ct)
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"
