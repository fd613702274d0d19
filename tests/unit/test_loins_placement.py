"""Marrow and muscle: loins with vertebrae, discs, a canal and kidneys, on a CT finer than the PET."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import ndimage

from petquant.delineation.reference import place
from petquant.errors import Refused
from petquant.roi import RoiSet
from petquant.volume import Unit

CT_MM, PET_MM = 2.5, 5.0
SHAPE = (112, 100, 156)
ORIGIN_MM = (-193.75, -123.75, -198.75)
PERIOD_MM, BODY_MM = 36.0, 28.0  # a vertebra with its disc, and the bone of it
CENTRE_Y, SEMI_X, SEMI_Y = 26.0, 22.5, 16.0  # of the vertebral bodies
NORMAL, OLD = 180.0, 70.0  # HU of spongy bone
LUNG_END_MM = 10.0


@dataclass(frozen=True)
class Loins:
    """HU and uptake; vertebrae are numbered from z = 0 downwards; balls are centre, radius, value."""

    spongy_hu: float = NORMAL
    muscle_hu: float = 50.0
    marrow: float = 1.3
    muscle: float = 0.6
    vertebrae: tuple = ()  # (number, uptake) of those that differ
    dense: tuple = ()  # balls of other HU
    hot: tuple = ()  # balls of other uptake


FDG, PENTIXAFOR = Loins(), Loins(marrow=2.2, muscle=0.5)
Z, Y, X = (first + CT_MM * index for first, index in zip(ORIGIN_MM[::-1], np.indices(SHAPE), strict=True))
NUMBER = np.round(-Z / PERIOD_MM).astype(int)
ALONG = np.abs(Z + NUMBER * PERIOD_MM)
IN_TRUNK = (X / 175) ** 2 + (Y / 115) ** 2 <= 1
IN_SKIN = IN_TRUNK & ~((X / 163) ** 2 + (Y / 103) ** 2 <= 1)
ACROSS = (X / SEMI_X) ** 2 + ((Y - CENTRE_Y) / SEMI_Y) ** 2
IS_BODY = (ACROSS <= 1) & (ALONG <= BODY_MM / 2)
IS_SPONGY = ((X / (SEMI_X - 2)) ** 2 + ((Y - CENTRE_Y) / (SEMI_Y - 2)) ** 2 <= 1) & (ALONG <= BODY_MM / 2 - 2)
CANAL_MM = np.hypot(X, Y - 52)
IS_ARCH = ((CANAL_MM > 9) & (CANAL_MM <= 13) & (Y > CENTRE_Y + SEMI_Y - 4)) | (
    (np.abs(X) <= 4) & (Y > 62) & (Y < 90)
)


def ball(centre, radius):
    return sum((p - c) ** 2 for p, c in zip((X, Y, Z), centre, strict=True)) <= radius**2


TISSUES = (  # where, name of the uptake or its value, HU or its name; what comes later covers
    (IN_TRUNK, "muscle", "muscle_hu"),
    (IN_SKIN, 0.3, -100.0),
    *(
        (((X - x) / 48) ** 2 + (Y / 80) ** 2 + ((Z - LUNG_END_MM - 90) / 90) ** 2 <= 1, 0.4, -800.0)
        for x in (-80, 85)
    ),
    *((((X - x) / 24) ** 2 + ((Y - 34) / 20) ** 2 + ((Z + 60) / 50) ** 2 <= 1, 3.5, 35.0) for x in (-62, 62)),
    (ACROSS <= 1, 0.7, 85.0),  # discs
    (IS_BODY, "marrow", 500.0),
    (IS_SPONGY, "marrow", "spongy_hu"),
    (IS_ARCH, "marrow", 400.0),
    (CANAL_MM <= 9, 0.6, 25.0),
)
NOISE_HU = np.random.default_rng(1).normal(0.0, 20.0, SHAPE).astype(np.float32)


def painted(loins: Loins):
    """Uptake, blurred by 6 mm, and Hounsfield units, [k, j, i] on the CT."""
    pet, hu = np.zeros(SHAPE, np.float32), np.full(SHAPE, -1000.0, np.float32)
    for where, uptake, units in TISSUES:
        pet[where] = getattr(loins, uptake) if isinstance(uptake, str) else uptake
        hu[where] = getattr(loins, units) if isinstance(units, str) else units
    for number, uptake in loins.vertebrae:
        pet[IS_BODY & (number == NUMBER)] = uptake
    for centre, radius, units in loins.dense:
        hu[ball(centre, radius)] = units
    for centre, radius, uptake in loins.hot:
        pet[ball(centre, radius)] = uptake
    return ndimage.gaussian_filter(pet, 6.0 / 2.3548 / CT_MM), hu + NOISE_HU


@pytest.fixture(scope="module")
def volumes(make_grid, make_volume):
    known = {}

    def of(loins: Loins):
        if loins not in known:
            pet, hu = painted(loins)
            coarse = pet.reshape(56, 2, 50, 2, 78, 2).mean(axis=(1, 3, 5))
            origin = tuple(o + CT_MM / 2 for o in ORIGIN_MM)
            known[loins] = (
                make_volume(coarse, grid=make_grid(coarse.shape, (PET_MM,) * 3, origin_mm=origin)),
                make_volume(hu, grid=make_grid(SHAPE, (CT_MM,) * 3, origin_mm=ORIGIN_MM), unit=Unit.HU),
            )
        return known[loins]

    return of


def on_sphere(shape):
    """Points on the surface of a sphere, 6 degrees apart."""
    theta, phi = np.radians(np.mgrid[0:181:6, 0:360:6].reshape(2, -1))
    away = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    return np.array(shape.centre_mm) + shape.radius_mm * away


def vertebra_of(shape) -> int:
    """The number of the vertebra that a sphere lies in, all of it in spongy bone."""
    x, y, z = on_sphere(shape).T
    assert ((x / (SEMI_X - 2)) ** 2 + ((y - CENTRE_Y) / (SEMI_Y - 2)) ** 2).max() <= 1.0
    number = round(-shape.centre_mm[2] / PERIOD_MM)
    assert np.abs(z + number * PERIOD_MM).max() <= BODY_MM / 2 - 2
    return number


@pytest.mark.parametrize("loins", [FDG, replace(PENTIXAFOR, spongy_hu=OLD)], ids=["fdg", "cxcr4, old"])
def test_the_sphere_lies_in_the_spongy_bone_of_a_vertebra_below_the_lungs(volumes, loins):
    pet, ct = volumes(loins)
    found = place("marrow", pet, ct=ct)
    number = vertebra_of(found.shape)
    assert -150.0 <= -number * PERIOD_MM - LUNG_END_MM <= -10.0
    # a PSF of 6 mm and voxels of 5 mm see 8.5 mm (sd 3.3): the ends of the body, 6.5 mm off the sphere, take
    # 2.5 % of the contrast at its poles
    assert found.mean == pytest.approx(loins.marrow, rel=0.03)
    assert found.cov < 0.1
    assert found.hu == pytest.approx(loins.spongy_hu, abs=15.0)


def test_a_vertebra_unlike_the_others_is_not_taken(volumes):
    pet, ct = volumes(FDG)
    free = vertebra_of(place("marrow", pet, ct=ct).shape)
    pet, ct = volumes(replace(FDG, vertebrae=((free, 6.0),)))
    found = place("marrow", pet, ct=ct)
    assert vertebra_of(found.shape) != free
    assert found.mean == pytest.approx(FDG.marrow, rel=0.1)


def test_vertebrae_that_all_differ_give_no_marrow(volumes):
    pet, ct = volumes(replace(FDG, vertebrae=((0, 1.0), (1, 1.7), (2, 3.0), (3, 5.2), (4, 9.0))))
    with pytest.raises(Refused, match=r"differs|can be taken"):
        place("marrow", pet, ct=ct)


def test_lesions_that_are_given_are_kept_away_from(volumes, make_roi):
    pet, ct = volumes(FDG)
    free = np.array(place("marrow", pet, ct=ct).shape.centre_mm)
    points = pet.grid.position_mm(np.stack(np.indices(pet.grid.shape), axis=-1))
    lesion = make_roi(np.linalg.norm(points - free, axis=-1) <= 8.0)
    found = place("marrow", pet, ct=ct, avoid=RoiSet(grid=pet.grid, rois=(lesion,)))
    vertebra_of(found.shape)
    assert np.linalg.norm(np.subtract(found.shape.centre_mm, free)) >= 7.5 + 10.0


def test_contrast_medium_before_the_spine_is_no_marrow(volumes):
    bowel = tuple(((0.0, -12.0, z), 18.0, 250.0) for z in (-20.0, -75.0, -110.0))
    pet, ct = volumes(replace(FDG, dense=bowel))
    vertebra_of(place("marrow", pet, ct=ct).shape)


def test_a_vertebra_with_cement_is_not_taken(volumes):
    pet, ct = volumes(FDG)
    free = vertebra_of(place("marrow", pet, ct=ct).shape)
    cement = ((0.0, CENTRE_Y, -free * PERIOD_MM), 9.0, 1500.0)
    pet, ct = volumes(replace(FDG, dense=(cement,)))
    assert vertebra_of(place("marrow", pet, ct=ct).shape) != free


@pytest.mark.parametrize("loins", [FDG, PENTIXAFOR], ids=["fdg", "cxcr4"])
def test_the_sphere_lies_in_the_muscle_of_the_back_behind_the_kidneys(volumes, loins):
    pet, ct = volumes(loins)
    found = place("muscle", pet, ct=ct)
    x, y, z = on_sphere(found.shape).T
    assert ((x / 163) ** 2 + (y / 103) ** 2).max() < 1.0  # below the fat of the skin
    assert np.hypot(x, y - 52).min() > 13.0  # beside the arch
    assert np.abs(x).min() > 4.0  # and the spinous process
    assert y.min() > CENTRE_Y + SEMI_Y  # behind the vertebral bodies
    kidney = ((np.abs(x) - 62) / 24) ** 2 + ((y - 34) / 20) ** 2 + ((z + 60) / 50) ** 2
    assert kidney.min() > 1.0
    assert found.mean == pytest.approx(loins.muscle, rel=0.05)
    assert found.hu == pytest.approx(loins.muscle_hu, abs=10.0)


@pytest.mark.parametrize(
    ("loins", "because"),
    [
        (replace(FDG, muscle_hu=-60.0), "0 of 0 places in muscle"),
        (
            replace(
                FDG, hot=tuple(((x, 78.0, z), 30.0, 4.0) for x in (-35, 35) for z in range(-140, 20, 25))
            ),
            "times that",
        ),
    ],
    ids=["fat", "active"],
)
def test_what_is_no_muscle_at_rest_is_refused(volumes, loins, because):
    pet, ct = volumes(loins)
    with pytest.raises(Refused, match=because) as refusal:
        place("muscle", pet, ct=ct)
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"


@pytest.mark.parametrize("name", ["marrow", "muscle"])
def test_neither_is_looked_for_without_a_ct(volumes, name):
    pet, _ = volumes(FDG)
    with pytest.raises(Refused) as refusal:
        place(name, pet)
    assert refusal.value.findings[0].code == "REFERENCE_NEEDS_CT"


@pytest.mark.parametrize("name", ["marrow", "muscle"])
def test_a_ct_that_ends_below_the_lungs_is_refused(volumes, make_grid, name):
    pet, ct = volumes(FDG)
    first = int((LUNG_END_MM - 60.0 - pet.grid.affine[2, 3]) / PET_MM)
    affine = pet.grid.affine.copy()
    affine[2, 3] += first * PET_MM
    shape = (pet.grid.shape[0] - first, *pet.grid.shape[1:])
    cropped = replace(
        pet,
        grid=replace(pet.grid, shape=shape, affine=affine),
        stored=pet.stored[first:],
        slope=pet.slope[first:],
        intercept=pet.intercept[first:],
        is_loaded=pet.is_loaded[first:],
    )
    with pytest.raises(Refused, match="above the lumbar spine"):
        place(name, cropped, ct=ct)
