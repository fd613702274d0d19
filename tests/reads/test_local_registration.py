"""Tissue around a lesion that moved against the rest of the body, and what must not be followed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from petquant.compare.frames import registered_around_lesions
from petquant.grid import Grid
from petquant.reads.local_registration import MOST_SHIFT_MM, locally_registered
from petquant.reads.pairing import pairs_of
from petquant.reads.positivity import Call
from petquant.reads.registration import Registration, identity
from petquant.reads.scan import ReadScan
from petquant.roi import Roi
from petquant.study import Choices, open_study
from petquant.volume import SliceTotals, Unit, Volume

SHAPE, STEP_MM = (54, 54, 54), 3.0
LESION = np.array([4.0, -3.0, 5.0])  # LPS, about the middle of the volume
STILL = identity("of the test")


def hounsfield(points: np.ndarray, *, seed: int = 3) -> np.ndarray:
    """Muscle in which balls of fat and bone lie, different everywhere."""
    values = np.full(points.shape[:-1], 45.0)
    random = np.random.default_rng(seed)
    for hu in (-100.0, -100.0, 300.0) * 14:
        centre, radius = random.uniform(-75.0, 75.0, 3), random.uniform(6.0, 14.0)
        values[((points - centre) ** 2).sum(axis=-1) <= radius**2] = hu
    return values


def volume(values: np.ndarray, *, unit: Unit = Unit.HU, origin_mm: float | None = None) -> Volume:
    n = len(values)
    affine = np.eye(4)
    affine[:3, :3] = STEP_MM * np.eye(3)[:, ::-1]
    affine[:3, 3] = -STEP_MM * (SHAPE[0] - 1) / 2 if origin_mm is None else origin_mm
    return Volume(
        grid=Grid(shape=values.shape, affine=affine),
        unit=unit,
        stored=np.ascontiguousarray(values),
        slope=np.ones(n),
        intercept=np.zeros(n),
        totals=SliceTotals(total=np.zeros(n), smallest=np.zeros(n), largest=np.zeros(n)),
        is_loaded=np.ones(n, np.bool_),
    )


GRID = volume(np.zeros(SHAPE)).grid
POINTS = GRID.position_mm(np.stack(np.indices(SHAPE), axis=-1))


def ct(shift_mm=(0.0, 0.0, 0.0), *, noise_hu: float = 15.0, seed: int = 3, noise_seed: int = 1) -> Volume:
    """The tissue within 60 mm of the lesion lies `shift_mm` further; towards 75 mm the shift fades."""
    away = np.linalg.norm(POINTS - LESION, axis=-1)
    part = np.clip((75.0 - away) / 15.0, 0.0, 1.0)[..., None]
    values = hounsfield(POINTS - np.array(shift_mm) * part, seed=seed)
    return volume(values + np.random.default_rng(noise_seed).normal(0.0, noise_hu, SHAPE))


@pytest.fixture(scope="module")
def fixed() -> Volume:
    return ct(noise_seed=2)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 6.0), (4.0, -4.0, 2.0), (-6.0, 0.0, -8.0)])
def test_tissue_that_moved_against_the_body_is_followed_within_a_third_of_a_voxel(fixed, shift):
    found = locally_registered(fixed, ct(shift), registration=STILL, centre_mm=LESION)
    assert found.kept == ""
    assert np.linalg.norm(STILL.to_moving(LESION) - LESION - shift) >= 6.0  # the global motion misplaces it
    assert np.linalg.norm(found.registration.to_moving(LESION) - LESION - shift) < STEP_MM / 3
    assert found.shift_mm == pytest.approx(np.linalg.norm(shift), abs=STEP_MM / 3)
    assert found.correlation[1] > max(found.correlation[0], 0.95)
    assert found.registration.inverse_consistency_mm == found.inverse_consistency_mm < 1.0


def test_the_refinement_comes_on_top_of_the_global_motion(fixed):
    # b is the whole of a, 9 mm further along x, with the tissue around the lesion 6 mm further along z
    matrix = np.eye(4)
    matrix[0, 3] = 9.0
    globally = replace(STILL, matrix=matrix)
    moving = ct((0.0, 0.0, 6.0))
    affine = moving.grid.affine.copy()
    affine[0, 3] += 9.0
    moving = replace(moving, grid=replace(moving.grid, affine=affine))
    found = locally_registered(fixed, moving, registration=globally, centre_mm=LESION)
    assert found.is_accepted
    np.testing.assert_allclose(
        found.registration.to_moving(LESION), LESION + np.array([9.0, 0.0, 6.0]), atol=1.0
    )
    np.testing.assert_allclose(
        found.registration.to_fixed(found.registration.to_moving(LESION)), LESION, atol=1e-9
    )


def test_where_the_body_moved_as_one_the_global_motion_stays(fixed):
    found = locally_registered(fixed, ct(), registration=STILL, centre_mm=LESION)
    assert found.kept == "agrees"
    assert found.registration is STILL
    assert not found.is_unsure


def test_a_box_without_structure_keeps_the_global_motion():
    # noise of 20 HU over a slope of 1 HU/mm along x: y and z say nothing
    slope = POINTS[..., 0]
    noise = [np.random.default_rng(n).normal(0.0, 20.0, SHAPE) for n in (1, 2)]
    found = locally_registered(
        volume(45.0 + slope + noise[0]), volume(51.0 + slope + noise[1]), registration=STILL, centre_mm=LESION
    )
    assert found.kept == "no structure"
    assert found.registration is STILL
    assert found.structure_hu_per_mm < 1.0


def test_noise_alone_is_neither_followed_nor_warned_of():
    noise = [np.random.default_rng(n).normal(45.0, 60.0, SHAPE) for n in (1, 2)]
    found = locally_registered(volume(noise[0]), volume(noise[1]), registration=STILL, centre_mm=LESION)
    assert found.registration is STILL
    assert not found.is_unsure


def test_a_wall_says_nothing_along_itself():
    hu = np.where(POINTS[..., 0] > 0.0, 45.0, -100.0)
    found = locally_registered(volume(hu), volume(hu), registration=STILL, centre_mm=LESION)
    assert found.kept == "no structure"


def test_a_shift_beyond_the_limit_is_not_followed(fixed):
    found = locally_registered(
        fixed, ct((0.0, 0.0, MOST_SHIFT_MM + 3.0)), registration=STILL, centre_mm=LESION
    )
    assert found.registration is STILL
    assert found.is_unsure


def test_other_tissue_is_not_followed(fixed):
    found = locally_registered(fixed, ct(seed=8), registration=STILL, centre_mm=LESION)
    assert found.registration is STILL
    assert found.is_unsure
    assert found.kept in found.words()


def test_a_box_that_a_ct_holds_less_than_three_quarters_of_is_left_alone(fixed):
    # the volume ends at 79.5 mm: of 80 mm around z = 65 a third lies beyond
    found = locally_registered(fixed, ct((0.0, 0.0, 6.0)), registration=STILL, centre_mm=(0.0, 0.0, 65.0))
    assert found.kept == "box outside of a CT"
    assert found.registration is STILL


def test_two_runs_are_equal_to_the_bit(fixed):
    moving = ct((0.0, 0.0, 6.0))
    one, other = (
        locally_registered(fixed, moving, registration=STILL, centre_mm=LESION).registration.matrix
        for _ in range(2)
    )
    assert (one == other).all()


def scan_stub(ct_volume: Volume, at: np.ndarray, frame: str) -> SimpleNamespace:
    """What `registered_around_lesions` asks of an open scan."""
    source = SimpleNamespace(frame_of_reference_uid=frame)
    return SimpleNamespace(
        ct=lambda: ct_volume,
        read=read_scan(at, is_drawn=True),
        quantification=SimpleNamespace(study=SimpleNamespace(source=source)),
    )


@pytest.mark.parametrize(
    ("shift", "codes"),
    [
        ((0.0, 0.0, 0.0), []),
        ((0.0, 0.0, 6.0), ["REGISTRATION_REFINED"]),
        ((0.0, 0.0, MOST_SHIFT_MM + 3.0), ["REGISTRATION_LOCALLY_UNSURE"] * 2),
    ],
)
def test_what_was_refined_and_what_is_unsure_is_said(fixed, shift, codes):
    a, b = scan_stub(fixed, LESION, "one"), scan_stub(ct(shift), LESION + np.array(shift), "other")
    found, said = registered_around_lesions(a, b, STILL)
    assert set(found) == {("a", "1"), ("b", "1")}
    assert [one.code for one in said] == codes


def test_in_one_frame_places_are_compared_as_they_stand(fixed):
    a, b = scan_stub(fixed, LESION, "one"), scan_stub(ct((0.0, 0.0, 6.0)), LESION, "one")
    assert registered_around_lesions(a, b, STILL) == ({}, ())


def test_tissue_of_a_real_ct_that_moved_is_followed_within_a_third_of_a_slice():
    path = Path(__file__).parents[3] / "shared/data/sts_ibsi/STS_008"
    if not path.exists():
        pytest.skip("the public data set is not beside the repository")
    real = open_study(path, Choices()).ct().volume()
    values, grid = real.values(), real.grid
    centre = grid.position_mm(np.argwhere(values > 0).mean(axis=0))
    points = grid.position_mm(np.stack(np.indices(grid.shape), axis=-1))
    part = np.clip((75.0 - np.linalg.norm(points - centre, axis=-1)) / 15.0, 0.0, 1.0)[..., None]
    shift = np.array([4.0, -4.0, 2.0])
    at = (points - shift * part - grid.origin_mm) @ np.linalg.inv(grid.affine[:3, :3]).T
    moved = ndimage.map_coordinates(values, np.moveaxis(at, -1, 0), order=1, mode="nearest")
    plain = {"slope": np.ones(len(values)), "intercept": np.zeros(len(values))}
    fixed, moving = (replace(real, stored=one, **plain) for one in (values, moved))
    found = locally_registered(fixed, moving, registration=STILL, centre_mm=centre)
    assert found.is_accepted
    assert np.linalg.norm(found.registration.to_moving(centre) - centre - shift) < grid.spacing_mm[0] / 3


def call(*_: object) -> Call:
    return Call(is_positive=None, by="rule", rule="", why="none in this test")


def read_scan(at: np.ndarray, *, is_drawn: bool) -> ReadScan:
    """A PET of 1 with a ball of 9 g/mL, drawn or not."""
    is_lesion = ((POINTS - at) ** 2).sum(axis=-1) <= 6.0**2
    pet = volume(np.where(is_lesion, 9.0, 1.0), unit=Unit.GML)
    scan = ReadScan(volume=pet, suv_type="bw", lesions=(), measurements=())
    roi = Roi(roi_id="1", name="lesion", voxels=np.flatnonzero(is_lesion).astype(np.int64))
    return replace(scan, lesions=(roi,), measurements=tuple(scan.measured([roi]))) if is_drawn else scan


def paired(a: ReadScan, b: ReadScan, registration: Registration, local):
    pairs, _, _ = pairs_of(a, b, patient="P", registration=registration, same={}, call=call, local=local)
    return pairs


def test_a_forced_read_lies_where_the_tissue_went(fixed):
    shift = np.array([0.0, 0.0, 12.0])
    found = locally_registered(fixed, ct(shift), registration=STILL, centre_mm=LESION)
    a, b = read_scan(LESION, is_drawn=True), read_scan(LESION + shift, is_drawn=False)
    (globally,) = paired(a, b, STILL, {})
    (locally,) = paired(a, b, STILL, {("a", "1"): found})
    # balls of radius 6 mm, 12 mm apart, touch in a point: the global region holds tissue alone
    assert globally.b.values["suv_mean"] < 2.0
    assert locally.b.is_forced
    # off by at most a third of a voxel, 1 mm, which a ball of radius 6 mm shares 3 d/(4 r) = 1/8 of
    assert locally.b.values["suv_mean"] > 9.0 - 8.0 * 0.25
    assert locally.b.values["suv_max"] == 9.0


def test_lesions_whose_tissue_moved_apart_are_matched_by_their_overlap(fixed):
    shift = np.array([0.0, 0.0, 12.0])
    found = locally_registered(fixed, ct(shift), registration=STILL, centre_mm=LESION + shift)
    a, b = read_scan(LESION, is_drawn=True), read_scan(LESION + shift, is_drawn=True)
    assert len(paired(a, b, STILL, {})) == 2  # 12 mm apart: beyond 10 mm and their radius
    (pair,) = paired(a, b, STILL, {("b", "1"): found})
    assert pair.matched_by == "overlap"
    assert pair.distance_mm < 1.5
