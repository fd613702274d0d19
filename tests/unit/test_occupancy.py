"""Regions of other grids on the PET grid, against closed forms, exact rationals and the real masks."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petquant.errors import Refused
from petquant.grid import Grid
from petquant.nifti import read_label_map
from petquant.occupancy import nearest_onto, onto
from petquant.occupancy.frame import Frame
from petquant.occupancy.oblique import by_boxes
from petquant.roi import Roi

DATA = Path(__file__).parents[3] / "shared" / "data" / "sts_ibsi"

EXACT = 1e-9  # relative, of a volume on parallel axes (roi.md 3.1)
OBLIQUE = 1e-3  # relative, of a volume on oblique axes (roi.md 3.1)

PET_SPACING = (3.0, 4.07, 4.07)
CT_SPACING = (2.0, 0.977, 0.977)


def turned(axis, degrees):
    """The rotation about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    t = math.radians(degrees)
    return np.eye(3) + math.sin(t) * cross + (1 - math.cos(t)) * cross @ cross


def centred_grid(shape, spacing_mm, *, rotation=None, centre_mm=(0.0, 0.0, 0.0), slice_positions_mm=None):
    """A grid about a centre whose k, j, i run along z, y, x, or along those axes turned."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * spacing_mm
    if rotation is not None:
        affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape=shape, affine=affine, slice_positions_mm=slice_positions_mm)


def positions_mm(grid):
    return grid.position_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))


def sphere_on(grid, centre_mm, radius_mm, **attributes):
    mask = np.linalg.norm(positions_mm(grid) - centre_mm, axis=-1) <= radius_mm
    return region(mask, **attributes)


def region(mask, **attributes):
    return Roi(**{"roi_id": "1", "name": "lesion", "voxels": np.flatnonzero(mask)} | attributes)


def volume_ml(roi, grid):
    total = len(roi.voxels) if roi.weights is None else roi.weights.sum()
    return total * grid.voxel_volume_ml


def dense(roi, grid):
    weights = np.ones(len(roi.voxels)) if roi.weights is None else roi.weights
    return np.bincount(roi.voxels, weights, grid.size).reshape(grid.shape)


PET = centred_grid((30, 30, 30), PET_SPACING)


def test_a_region_put_on_its_own_grid_is_itself():
    roi = sphere_on(PET, (1.0, -2.0, 3.0), 14.0)
    (again,), findings = onto([roi], PET, from_grid=PET)
    assert np.array_equal(again.voxels, roi.voxels)
    assert again.weights is None
    assert {finding.code for finding in findings} == {"ROI_ON_OTHER_GRID"}


def test_weights_of_shifted_boxes_are_the_products_of_the_overlaps_of_intervals():
    """PET voxels of 4 mm; a region of 2 x 2 x 2 voxels of 3 mm whose box is [1, 7] mm along each axis.

    PET boxes are [-2, 2], [2, 6], [6, 10] mm: covered by 1/4, 1, 1/4.
    """
    pet = Grid(shape=(3, 3, 3), affine=np.diag([4.0, 4.0, 4.0, 1.0])[[2, 1, 0, 3]])
    affine = np.diag([3.0, 3.0, 3.0, 1.0])[[2, 1, 0, 3]]
    affine[:3, 3] = 2.5
    other = Grid(shape=(2, 2, 2), affine=affine)
    (roi,), _ = onto([region(np.ones((2, 2, 2), bool))], pet, from_grid=other)
    along = np.array([0.25, 1.0, 0.25])
    expected = along[:, None, None] * along[:, None] * along
    assert np.allclose(dense(roi, pet), expected, rtol=0, atol=1e-12)  # rounding
    assert roi.flags == ("ROI_ON_OTHER_GRID",)


@settings(max_examples=60, deadline=None)
@given(
    origin=st.tuples(*[st.integers(-24, 24)] * 3),
    steps=st.tuples(*[st.integers(4, 48)] * 3),
    order=st.permutations(range(3)),
    back=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_weights_are_those_of_exact_rational_arithmetic(origin, steps, order, back, seed):
    """Lengths in eighths of a mm, so that every box is a rational; axes permuted and reversed."""
    pet = centred_grid((9, 9, 9), (4.0, 4.0, 4.0))  # boxes from -18 to 18 mm
    random = np.random.default_rng(seed)
    mask = random.random((3, 3, 3)) < 0.6
    mask[0, 0, 0] = True
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(order)] * [
        (-s if b else s) / 8 for s, b in zip(steps, back, strict=True)
    ]
    affine[:3, 3] = np.array(origin) / 8
    other = Grid(shape=(3, 3, 3), affine=affine)
    expected = np.zeros((9, 9, 9), dtype=object)
    for n in np.argwhere(mask):
        overlaps = []
        for world in (2, 1, 0):  # z, y, x: the axes k, j, i of the PET
            axis = order.index(world)
            step = Fraction(steps[axis], 8)
            centre = Fraction(origin[world], 8) + int(n[axis]) * (-step if back[axis] else step)
            low, high = centre - step / 2, centre + step / 2
            overlaps.append(
                [max(Fraction(0), min(high, -14 + 4 * a) - max(low, -18 + 4 * a)) / 4 for a in range(9)]
            )
        at = [[a for a, overlap in enumerate(one) if overlap] for one in overlaps]
        for k in at[0]:
            for j in at[1]:
                for i in at[2]:
                    expected[k, j, i] += overlaps[0][k] * overlaps[1][j] * overlaps[2][i]
    total = sum(expected.ravel(), Fraction(0))
    if total == 0:
        with pytest.raises(Refused):
            onto([region(mask)], pet, from_grid=other)
        return
    (roi,), _ = onto([region(mask)], pet, from_grid=other)
    assert np.allclose(dense(roi, pet), expected.astype(float), rtol=0, atol=1e-10)  # rounding
    is_cut = total * 64 < int(mask.sum()) * math.prod(Fraction(s, 8) for s in steps)
    assert ("ROI_CLIPPED_BY_FOV" in roi.flags) == is_cut


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (0.3, -1.1, 2.2), (-1.9, 0.77, 1.3)])
@pytest.mark.parametrize("radius_mm", [4.0, 10.0, 25.0])
def test_parallel_axes_keep_the_volume_of_a_sphere(shift_mm, radius_mm):
    ct = centred_grid((40, 80, 80), CT_SPACING, centre_mm=shift_mm)
    sphere = sphere_on(ct, (0.5, 0.5, 0.5), radius_mm)
    (roi,), _ = onto([sphere], PET, from_grid=ct)
    assert volume_ml(roi, PET) == pytest.approx(volume_ml(sphere, ct), rel=EXACT)


def test_a_finely_drawn_sphere_has_its_analytic_volume_and_centre():
    """1 mL: r = 6.2035 mm, drawn in voxels of 0.2 mm at an arbitrary place."""
    centre = np.array([0.93, -1.71, 2.09])
    radius = (3000.0 / (4.0 * math.pi)) ** (1.0 / 3.0)
    fine = centred_grid((70, 70, 70), (0.2, 0.2, 0.2), centre_mm=centre + 0.03)
    (roi,), _ = onto([sphere_on(fine, centre, radius)], PET, from_grid=fine)
    assert volume_ml(roi, PET) == pytest.approx(1.0, rel=1e-3)  # what 0.2 mm voxels draw of it
    where = PET.position_mm(PET.index_of(roi.voxels))
    assert np.allclose((roi.weights[:, None] * where).sum(0) / roi.weights.sum(), centre, atol=0.05)


def test_a_box_on_a_finer_grid_has_its_analytic_weights():
    """[-6, 6] x [-5, 5] x [-4, 4] mm (x, y, z) in voxels of 1 mm, on PET voxels of 4 mm about 0."""
    pet = centred_grid((9, 9, 9), (4.0, 4.0, 4.0))
    fine = centred_grid((8, 10, 12), (1.0, 1.0, 1.0))
    (roi,), _ = onto([region(np.ones((8, 10, 12), bool))], pet, from_grid=fine)
    z = np.array([0.5, 1.0, 0.5])  # 4 mm: the centre voxel reaches to 2, half of the next
    y = np.array([0.75, 1.0, 0.75])
    x = np.array([1.0, 1.0, 1.0])
    expected = z[:, None, None] * y[:, None] * x
    assert np.allclose(dense(roi, pet)[3:6, 3:6, 3:6], expected, rtol=0, atol=1e-12)
    assert volume_ml(roi, pet) == pytest.approx(0.96, rel=EXACT)


def test_uneven_slices_meet_midway_between_their_centres():
    """Slices at 0, 3 and 7 mm of median step 3.5: boundaries at -1.75, 1.5, 5 and 8.75 mm."""
    pet = centred_grid((3, 1, 1), (3.5, 10.0, 10.0), slice_positions_mm=np.array([0.0, 3.0, 7.0]))
    first_z = float(pet.origin_mm[2])
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * [2.0, 10.0, 10.0]
    affine[:3, 3] = (0.0, 0.0, first_z + 2.0)  # one voxel from 1 to 3 mm above the first centre
    (roi,), _ = onto([region(np.ones((1, 1, 1), bool))], pet, from_grid=Grid(shape=(1, 1, 1), affine=affine))
    assert roi.voxels.tolist() == [0, 1]
    assert roi.weights == pytest.approx([0.5 / 3.25, 1.5 / 3.5], rel=1e-12)


def test_uneven_slices_of_a_scanner_keep_the_volume():
    steps = np.array([3.27] * 10 + [3.19] + [3.27] * 9 + [3.29] + [3.27] * 8)
    pet = centred_grid(
        (30, 30, 30), (3.27, 4.07, 4.07), slice_positions_mm=np.concatenate([[0.0], np.cumsum(steps)])
    )
    ct = centred_grid((40, 80, 80), CT_SPACING)
    sphere = sphere_on(ct, (0.0, 0.0, 0.0), 25.0)
    (roi,), _ = onto([sphere], pet, from_grid=ct)
    edges = np.concatenate([[-3.27 / 2], np.cumsum(steps) - steps / 2, [steps.sum() + 3.27 / 2]])
    thickness = np.diff(edges)
    mm3 = (dense(roi, pet).sum(axis=(1, 2)) * thickness).sum() * 4.07**2
    assert mm3 / 1000 == pytest.approx(volume_ml(sphere, ct), rel=EXACT)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("back", [(False, True, False), (True, True, True)])
def test_the_order_and_direction_of_the_axes_of_the_other_grid_change_nothing(order, back):
    ct = centred_grid((40, 80, 80), CT_SPACING, centre_mm=(0.3, -1.1, 2.2))
    mask = np.linalg.norm(positions_mm(ct) - (1.0, 2.0, -3.0), axis=-1) <= 12.0
    mask[20:22, 30:60, 33] = True
    (straight,), _ = onto([region(mask)], PET, from_grid=ct)
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in back)
    other = mask[flips].transpose(order)
    linear = ct.affine[:3, :3] * [-1.0 if flip else 1.0 for flip in back]
    affine = np.eye(4)
    affine[:3, :3] = linear[:, list(order)]
    start = [n - 1 if flip else 0 for n, flip in zip(ct.shape, back, strict=True)]
    affine[:3, 3] = ct.position_mm(start)
    (roi,), _ = onto([region(other)], PET, from_grid=Grid(shape=other.shape, affine=affine))
    assert np.allclose(dense(roi, PET), dense(straight, PET), rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 2, 3), (1, 1, 1)])
@pytest.mark.parametrize("degrees", [0.5, 10, 30, 45, 77])
@pytest.mark.parametrize("spacing_mm", [CT_SPACING, (1.0, 1.0, 1.0), (5.0, 5.0, 5.0)])
def test_oblique_axes_keep_the_volume_of_a_sphere(axis, degrees, spacing_mm):
    shape = tuple(int(44 / step) | 1 for step in spacing_mm)
    other = centred_grid(shape, spacing_mm, rotation=turned(axis, degrees), centre_mm=(1.1, -0.7, 0.4))
    sphere = sphere_on(other, (1.1, -0.7, 0.4), 16.0)
    (roi,), findings = onto([sphere], PET, from_grid=other)
    assert volume_ml(roi, PET) == pytest.approx(volume_ml(sphere, other), rel=OBLIQUE)
    assert "oblique" in findings[0].found
    assert "ROI_CLIPPED_BY_FOV" not in roi.flags


def test_an_oblique_box_has_its_analytic_overlap():
    """A square of 20 mm turned by 45 degrees about the centre of a PET voxel of 4 mm.

    Its corner reaches c = 14.142 mm along x. The voxel centred at 12 mm there, from 10 to 14, holds of the
    wedge |y| <= c - x the area ``(c - 10)^2 - (c - 14)^2 = 17.137`` mm2, less what lies beyond |y| = 2,
    ``(c - 12)^2 = 4.589``: 12.548 of 16 mm2.
    """
    pet = centred_grid((3, 11, 11), (4.0, 4.0, 4.0))
    other = centred_grid((2, 20, 20), (2.0, 1.0, 1.0), rotation=turned((0, 0, 1), 45))
    (roi,), _ = onto([region(np.ones((2, 20, 20), bool))], pet, from_grid=other)
    corner = 10 * math.sqrt(2)
    area = (corner - 10) ** 2 - (corner - 14) ** 2 - (corner - 12) ** 2
    assert dense(roi, pet)[1, 5, 8] == pytest.approx(area / 16, abs=5e-3)  # the blur of a small box
    assert dense(roi, pet)[1, 5, 5] == pytest.approx(1.0, abs=1e-3)
    assert volume_ml(roi, pet) == pytest.approx(1.6, rel=OBLIQUE)


@pytest.mark.parametrize("degrees", [0, 90])
def test_the_quadrature_of_oblique_grids_gives_the_exact_overlap_at_right_angles(degrees):
    other = centred_grid((30, 45, 45), CT_SPACING, rotation=turned((0, 0, 1), degrees), centre_mm=(1, 2, 3))
    sphere = sphere_on(other, (1.0, 2.0, 3.0), 16.0)
    (exact,), _ = onto([sphere], PET, from_grid=other)
    found = by_boxes(sphere, Frame.between(other, PET))
    assert np.allclose(
        np.bincount(found.voxels, found.weights, PET.size), dense(exact, PET).ravel(), rtol=0, atol=1e-9
    )


def test_turning_region_and_pet_together_changes_nothing():
    rotation = turned((1, 2, 3), 25)
    ct = centred_grid((40, 80, 80), CT_SPACING, centre_mm=(0.3, -1.1, 2.2))
    sphere = sphere_on(ct, (1.0, 2.0, -3.0), 12.0)
    (straight,), _ = onto([sphere], PET, from_grid=ct)
    turned_ct = Grid(
        shape=ct.shape, affine=np.block([[rotation, np.zeros((3, 1))], [0, 0, 0, 1]]) @ ct.affine
    )
    turned_pet = Grid(
        shape=PET.shape, affine=np.block([[rotation, np.zeros((3, 1))], [0, 0, 0, 1]]) @ PET.affine
    )
    (roi,), _ = onto([sphere], turned_pet, from_grid=turned_ct)
    assert np.allclose(dense(roi, turned_pet), dense(straight, PET), rtol=0, atol=1e-9)


def test_regions_go_together_or_alone_with_the_same_result_and_overlap_freely():
    ct = centred_grid((40, 80, 80), CT_SPACING)
    rois = [sphere_on(ct, (n, 0.0, 0.0), 3.0 + n, roi_id=str(n)) for n in range(5)]
    together, _ = onto(rois, PET, from_grid=ct)
    for roi, one in zip(rois, together, strict=True):
        (alone,), _ = onto([roi], PET, from_grid=ct)
        assert one.roi_id == roi.roi_id
        assert np.allclose(dense(one, PET), dense(alone, PET), rtol=0, atol=1e-12)


def test_fractional_weights_are_carried_to_the_other_grid():
    ct = centred_grid((40, 80, 80), CT_SPACING)
    sphere = sphere_on(ct, (0.0, 0.0, 0.0), 12.0)
    half = Roi(roi_id="1", name="half", voxels=sphere.voxels, weights=np.full(len(sphere.voxels), 0.5))
    (whole,), _ = onto([sphere], PET, from_grid=ct)
    (roi,), _ = onto([half], PET, from_grid=ct)
    assert np.allclose(dense(roi, PET), dense(whole, PET) / 2, rtol=0, atol=1e-12)


def test_a_region_cut_by_the_field_of_view_says_what_fraction_is_lost():
    """A box of 20 mm along z, of which 5 mm lie beyond the last face of the PET at 45 mm."""
    other = centred_grid((10, 4, 4), (2.0, 4.0, 4.0), centre_mm=(0.0, 0.0, 40.0))
    (roi,), findings = onto([region(np.ones((10, 4, 4), bool))], PET, from_grid=other)
    assert "ROI_CLIPPED_BY_FOV" in roi.flags
    (finding,) = [one for one in findings if one.code == "ROI_CLIPPED_BY_FOV"]
    assert "0.25 of" in finding.found
    assert "region 1 (lesion)" in finding.where
    assert volume_ml(roi, PET) == pytest.approx(0.75 * 20 * 16 * 16 / 1000, rel=EXACT)


def test_regions_wholly_outside_are_refused_together():
    other = centred_grid((60, 10, 10), (4.0, 4.0, 4.0))  # to 120 mm; the PET ends at 45 mm
    masks = [np.zeros(other.shape, bool) for _ in range(3)]
    masks[0][50] = masks[1][55] = masks[2][30] = True
    with pytest.raises(Refused) as error:
        onto([region(m, roi_id=str(n)) for n, m in enumerate(masks)], PET, from_grid=other)
    assert [finding.code for finding in error.value.findings] == ["ROI_OUTSIDE_FOV"] * 2
    assert "region 0" in error.value.findings[0].where


@pytest.mark.parametrize("put", [onto, nearest_onto])
@pytest.mark.parametrize("rotation", [None, turned((1, 2, 3), 30)])
def test_grids_that_do_not_meet_are_refused_with_both_extents(put, rotation):
    other = centred_grid((4, 4, 4), (4.0, 4.0, 4.0), centre_mm=(500.0, 0.0, 0.0), rotation=rotation)
    with pytest.raises(Refused) as error:
        put([region(np.ones((4, 4, 4), bool))], PET, from_grid=other)
    (finding,) = error.value.findings
    assert finding.code == "ROI_OUTSIDE_FOV"
    assert "x -61.05 to 61.05, y -61.05 to 61.05, z -45 to 45 mm LPS" in finding.found
    if rotation is None:
        assert "x 492 to 508, y -8 to 8, z -8 to 8 mm LPS" in finding.found


def test_a_rotated_grid_of_equal_shape_and_origin_is_another_grid():
    other = Grid(shape=PET.shape, affine=PET.affine.copy())
    other.affine[:3, :3] = turned((0, 0, 1), 5) @ other.affine[:3, :3]
    (roi,), findings = onto([sphere_on(other, (0, 0, 0), 9.0)], PET, from_grid=other)
    assert roi.weights is not None
    assert "turned by 5 degrees" in findings[0].found


def test_nearest_takes_the_voxels_whose_centre_lies_in_the_region():
    ct = centred_grid((41, 81, 81), CT_SPACING, rotation=turned((1, 2, 3), 20))
    radius = 12.0
    (roi,), _ = nearest_onto([sphere_on(ct, (0.0, 0.0, 0.0), radius)], PET, from_grid=ct)
    distance = np.linalg.norm(positions_mm(PET), axis=-1)
    taken = dense(roi, PET)
    reach = np.linalg.norm(CT_SPACING) / 2  # from the centre of a voxel to its corner
    assert (taken[distance < radius - reach] == 1).all()
    assert (taken[distance > radius + reach] == 0).all()
    assert roi.flags == ("ROI_ON_OTHER_GRID", "ROI_NEAREST")


def test_a_region_that_nearest_would_lose_is_refused():
    ct = centred_grid((41, 81, 81), CT_SPACING)
    mask = np.zeros(ct.shape, bool)
    mask[20, 40, 40] = True  # about the corner of eight PET voxels: 30 is even
    with pytest.raises(Refused) as error:
        nearest_onto([region(mask)], PET, from_grid=ct)
    assert [finding.code for finding in error.value.findings] == ["ROI_EMPTY"]
    (roi,), _ = onto([region(mask)], PET, from_grid=ct)
    assert len(roi.voxels) == 8


def test_no_regions_are_no_regions():
    assert onto([], PET, from_grid=centred_grid((4, 4, 4), (4.0, 4.0, 4.0))) == ((), ())


# roi.md 8.2: the CT mask on the PET grid
REAL = {
    "STS_001": {
        "voxels": 117_145,
        "volume_ml": 365.318083,
        "mean": 2.546751,
        "sd": 1.329279,
        "tlg": 930.374339,
        "n": 5088,
        "median": 2.488718,
    },
    "STS_008": {
        "voxels": 8862,
        "volume_ml": 27.636253,
        "mean": 3.053321,
        "sd": 1.351178,
        "tlg": 84.382345,
        "n": 377,
        "median": 3.055490,
    },
}


@pytest.mark.parametrize("patient", REAL)
def test_a_mask_drawn_on_ct_measures_on_pet_what_exact_overlap_gives(patient):
    folder = DATA / patient / "nifti"
    if not folder.is_dir():
        pytest.skip("the real data is not beside the repository")
    expected = REAL[patient]
    ct = read_label_map(folder / "CT_mask.nii.gz")
    pet = read_label_map(folder / "PET_mask.nii.gz").grid
    (roi,), _ = onto(ct.rois, pet, from_grid=ct.grid)
    values = np.asarray(nib.load(folder / "PET_image.nii.gz").dataobj, float).transpose(2, 1, 0)
    x, w = values.ravel()[roi.voxels], roi.weights
    mean = (w * x).sum() / w.sum()
    is_half = w >= 0.5 - 1e-9
    tolerance = 2e-6  # of the table
    assert len(ct.rois[0].voxels) == expected["voxels"]
    assert volume_ml(ct.rois[0], ct.grid) == pytest.approx(expected["volume_ml"], rel=tolerance)
    assert volume_ml(roi, pet) == pytest.approx(volume_ml(ct.rois[0], ct.grid), rel=EXACT)
    assert mean == pytest.approx(expected["mean"], rel=tolerance)
    assert math.sqrt((w * (x - mean) ** 2).sum() / w.sum()) == pytest.approx(expected["sd"], rel=tolerance)
    assert mean * volume_ml(roi, pet) == pytest.approx(expected["tlg"], rel=tolerance)
    assert is_half.sum() == expected["n"]
    assert np.median(x[is_half]) == pytest.approx(expected["median"], rel=tolerance)


def test_directions_that_differ_by_rounding_are_parallel():
    """Direction cosines written with six decimals: the weights move by less than the tilt over 60 mm."""
    ct = centred_grid((40, 80, 80), CT_SPACING)
    tilted = Grid(shape=ct.shape, affine=ct.affine.copy())
    tilted.affine[:3, :3] = turned((1, 2, 3), 0.001) @ tilted.affine[:3, :3]
    sphere = sphere_on(ct, (0.0, 0.0, 0.0), 12.0)
    (straight,), _ = onto([sphere], PET, from_grid=ct)
    (roi,), findings = onto([sphere], PET, from_grid=tilted)
    assert "exact" in findings[0].found
    assert volume_ml(roi, PET) == pytest.approx(volume_ml(sphere, ct), rel=EXACT)
    assert np.allclose(dense(roi, PET), dense(straight, PET), rtol=0, atol=1e-3)


def test_seventy_thousand_regions_go_onto_the_pet_together():
    ct = centred_grid((40, 80, 80), CT_SPACING)
    inner = np.arange(ct.size).reshape(ct.shape)[5:-5, 5:-5, 5:-5].ravel()
    rois = [Roi(roi_id=str(n), name="voxel", voxels=inner[[n % len(inner)]]) for n in range(70_000)]
    placed, _ = onto(rois, PET, from_grid=ct)
    volumes = np.array([roi.weights.sum() for roi in placed]) * PET.voxel_volume_ml
    assert np.allclose(volumes, ct.voxel_volume_ml, rtol=EXACT, atol=0)
