"""Registration of a body whose every point is known, turned and shifted, and of a real CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from petquant.grid import Grid
from petquant.reads.registration import Registration, identity, register
from petquant.volume import SliceTotals, Unit, Volume

sitk = pytest.importorskip("SimpleITK")

SHAPE, SPACING = (50, 70, 90), 5.0  # k, j, i; 250 x 350 x 450 mm
CENTRE = np.array([SPACING * (n - 1) / 2 for n in SHAPE[::-1]])
OFFSET = np.array([12.0, -8.0, 16.0])


def motion(degrees: float, offset) -> np.ndarray:
    """Return (4, 4): a turn about a slanted axis through the centre, then an offset."""
    euler = sitk.Euler3DTransform()
    euler.SetCenter(CENTRE.tolist())
    turn = np.radians(degrees) * np.array([0.48, 0.36, 0.8])
    euler.SetRotation(*turn.tolist())
    euler.SetTranslation(np.asarray(offset, float).tolist())
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(euler.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = euler.TransformPoint((0.0, 0.0, 0.0))
    return matrix


def hounsfield(points: np.ndarray) -> np.ndarray:
    """Return HU of a body about the centre: elliptic trunk, lungs, spine, ribs like spheres, a liver."""
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    values = np.full(x.shape, -1000.0)
    values[(x / 170) ** 2 + (y / 115) ** 2 <= 1] = 40.0
    for side in (-1, 1):
        values[((x - side * 80) / 50) ** 2 + ((y + 5) / 70) ** 2 + ((z - 60) / 90) ** 2 <= 1] = -800.0
    values[((x + 70) / 70) ** 2 + ((y + 10) / 60) ** 2 + ((z + 70) / 50) ** 2 <= 1] = 60.0
    values[x**2 + (y - 75) ** 2 <= 18**2] = 400.0
    for n in range(8):
        height = -100 + 28 * n
        values[(x - 140) ** 2 + (y - 40) ** 2 + (z - height) ** 2 <= 9**2] = 400.0
        values[(x + 135) ** 2 + (y - 55) ** 2 + (z - height) ** 2 <= 11**2] = 400.0
    return values


def ct(matrix: np.ndarray) -> Volume:
    """Return the CT of the body moved by a matrix: every voxel the mean of eight points of it."""
    affine = np.eye(4)
    affine[:3, :3] = SPACING * np.eye(3)[:, ::-1]
    grid = Grid(shape=SHAPE, affine=affine)
    kji = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1).astype(float)
    back = np.linalg.inv(matrix)
    values = np.zeros(SHAPE)
    for eighth in np.ndindex(2, 2, 2):
        points = grid.position_mm(kji + np.array(eighth) / 2 - 0.25)
        values += hounsfield(points @ back[:3, :3].T + back[:3, 3]) / 8
    return volume(values, grid)


def volume(values: np.ndarray, grid: Grid) -> Volume:
    n = len(values)
    return Volume(
        grid=grid,
        unit=Unit.COUNTS,
        stored=values.astype(np.int16),
        slope=np.ones(n),
        intercept=np.zeros(n),
        totals=SliceTotals(total=np.zeros(n), smallest=np.zeros(n), largest=np.zeros(n)),
        is_loaded=np.ones(n, np.bool_),
    )


def error_mm(found, matrix, grid) -> float:
    inner = grid.corners_mm() * 0.7 + CENTRE * 0.3
    return float(
        np.linalg.norm(found.to_moving(inner) - (inner @ matrix[:3, :3].T + matrix[:3, 3]), axis=1).max()
    )


@pytest.fixture(scope="module")
def fixed() -> Volume:
    return ct(np.eye(4))


@pytest.mark.parametrize(
    ("degrees", "offset"), [(0.0, OFFSET), (5.0, OFFSET), (0.0, OFFSET * 4), (8.0, OFFSET * -3)]
)
def test_a_turned_and_shifted_patient_is_found_within_half_a_millimetre(degrees, offset, fixed):
    matrix = motion(degrees, offset)
    found = register(fixed, ct(matrix))
    assert error_mm(found, matrix, fixed.grid) < 0.5  # a tenth of a voxel of 5 mm
    assert found.inverse_consistency_mm < 1.0
    assert found.body_dice > 0.97
    assert found.is_plausible


def test_there_and_back_is_the_same_point(fixed):
    matrix = motion(5.0, OFFSET)
    found = register(fixed, ct(matrix))
    points = fixed.grid.corners_mm()
    np.testing.assert_allclose(found.to_fixed(found.to_moving(points)), points, atol=1e-9)
    np.testing.assert_allclose(
        found.into_fixed(fixed.grid).corners_mm(), found.to_fixed(fixed.grid.corners_mm()), atol=1e-9
    )
    np.testing.assert_allclose(
        found.into_moving(fixed.grid).corners_mm(), found.to_moving(fixed.grid.corners_mm()), atol=1e-9
    )


def test_two_runs_are_equal_to_the_bit(fixed):
    moved = ct(motion(3.0, OFFSET))
    assert (register(fixed, moved).matrix == register(fixed, moved).matrix).all()


def test_the_threads_of_others_are_as_before(fixed):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    register(fixed, fixed)
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before


@pytest.mark.parametrize(("mm", "dice", "want"), [(5.0, 0.8, True), (5.1, 0.9, False), (1.0, 0.79, False)])
def test_a_motion_that_misses_its_way_back_or_the_body_is_not_plausible(mm, dice, want):
    found = Registration(matrix=np.eye(4), method="", inverse_consistency_mm=mm, body_dice=dice)
    assert found.is_plausible is want


def test_a_scan_in_the_same_frame_is_not_moved():
    assert (identity("one frame of reference").to_moving([[1.0, 2.0, 3.0]]) == [[1.0, 2.0, 3.0]]).all()


def test_air_has_no_body(fixed):
    air = volume(np.full(SHAPE, -1000.0), fixed.grid)
    with pytest.raises(ValueError, match="-300 HU"):
        register(fixed, air)


def test_a_real_ct_is_found():
    beside = Path(__file__).parents[3] / "shared" / "data"
    path = beside / "sts_ibsi/STS_001/nifti/CT_image.nii.gz"
    if not path.exists():
        pytest.skip("the public data set is not beside the repository")
    image = sitk.ReadImage(path)
    euler = sitk.Euler3DTransform()
    euler.SetCenter(image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()]))
    euler.SetRotation(0.042, 0.031, 0.07)  # about 5 degrees
    euler.SetTranslation(OFFSET.tolist())
    moved = sitk.Resample(image, image, euler.GetInverse(), sitk.sitkLinear, -1000.0)
    volumes = []
    for one in (image, moved):
        affine = np.eye(4)
        axes = np.array(one.GetDirection()).reshape(3, 3) * np.array(one.GetSpacing())
        affine[:3, :3], affine[:3, 3] = axes[:, ::-1], one.GetOrigin()
        values = sitk.GetArrayFromImage(one)
        volumes.append(volume(values, Grid(shape=values.shape, affine=affine)))
    found = register(*volumes)
    corners = volumes[0].grid.corners_mm()
    want = np.array([euler.TransformPoint(point.tolist()) for point in corners])
    assert np.linalg.norm(found.to_moving(corners) - want, axis=1).max() < 1.0
