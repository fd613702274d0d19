"""Projections, outlines and their places, from small arrays by arithmetic."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from petquant.export.report.oriented import Window, levels_of, orientation_of
from petquant.export.report.picture import evenly, outline_path
from petquant.export.report.projections import FRAMES, body_box, projection, rotation
from petquant.export.report.shown import Shown, shown_lesions
from petquant.export.report.thumbnails import anatomy_of, thumbnails
from petquant.grid import Grid
from petquant.occupancy.frame import slices_beside
from petquant.roi import Roi
from petquant.volume import SliceTotals, Unit, Volume


def affine_of(k, j, i, origin):
    """Columns are the steps of k, j, i in LPS mm."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([k, j, i], float).T
    affine[:3, 3] = origin
    return affine


def volume_of(values, affine, slice_positions_mm=None):
    n = len(values)
    return Volume(
        grid=Grid(shape=values.shape, affine=affine, slice_positions_mm=slice_positions_mm),
        unit=Unit.GML,
        stored=values,
        slope=np.ones(n),
        intercept=np.zeros(n),
        totals=SliceTotals(total=np.zeros(n), smallest=np.zeros(n), largest=np.zeros(n)),
        is_loaded=np.ones(n, bool),
    )


def pixels_of(url):
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))))


WINDOW = Window(lower=0.0, upper=255.0, unit="1")
ALONG = affine_of((0, 0, 3), (0, 2, 0), (2, 0, 0), (-5, -3, 10))


def boxed(levels):
    return tuple(slice(0, n) for n in levels.shape)


class TestProjection:
    values = np.random.default_rng(3).integers(0, 256, (4, 5, 6)).astype(np.int16)

    def seen(self, values, affine, view, regions=()):
        volume = volume_of(values, affine)
        orientation = orientation_of(volume.grid)
        levels = levels_of(volume, orientation, WINDOW)
        return projection(view, levels, orientation, boxed(levels), regions, spacing=1.0)

    def test_coronal_is_the_maximum_along_y_head_up_right_of_the_patient_left(self):
        pixels = pixels_of(self.seen(self.values, ALONG, "coronal").picture.url)
        assert np.array_equal(pixels, 255 - self.values.max(axis=1)[::-1])

    def test_sagittal_is_the_maximum_along_x_front_left(self):
        pixels = pixels_of(self.seen(self.values, ALONG, "sagittal").picture.url)
        assert np.array_equal(pixels, 255 - self.values.max(axis=2)[::-1])

    def test_the_picture_fills_the_outer_faces_of_its_voxels(self):
        picture = self.seen(self.values, ALONG, "coronal").picture
        # x: six voxels of 2 mm whose first centre is -5; z: four of 3 mm from 10, head (19 + 1.5) on top
        assert (picture.left, picture.width) == (-6.0, 12.0)
        assert (picture.top, picture.height) == (-20.5, 12.0)

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    @pytest.mark.parametrize("flipped", [(), (0,), (1, 2), (0, 1, 2)])
    def test_order_and_sense_of_the_axes_of_a_file_change_no_picture(self, order, flipped):
        steps = [np.array(ALONG[:3, axis]) for axis in range(3)]
        origin, values = ALONG[:3, 3].copy(), self.values
        for axis in flipped:
            origin += steps[axis] * (values.shape[axis] - 1)
            steps[axis] = -steps[axis]
            values = np.flip(values, axis)
        affine = affine_of(*(steps[axis] for axis in order), origin)
        turned = np.ascontiguousarray(values.transpose(order))
        for view in ("coronal", "sagittal"):
            assert self.seen(turned, affine, view).picture == self.seen(self.values, ALONG, view).picture

    def test_uneven_slices_take_the_height_they_have(self):
        # centres 0, 2, 8: boundaries -1.5, 1, 5, 9.5 with the median step 3 outside
        rows = np.array([[10], [20], [30]], np.uint8)
        tall = evenly(rows, np.array([0.0, 1.0, 3.0, 7.0]))
        assert tall[:, 0].tolist() == [10, 20, 20, 30, 30, 30, 30]

    def test_values_beyond_the_window_are_clipped_and_no_number_is_white(self):
        window = Window(lower=0.0, upper=10.0, unit="1")
        levels = window.levels(np.array([-1.0, 0.0, 5.0, 10.0, 99.0, np.nan]))
        assert levels.tolist() == [0, 0, 128, 255, 255, 0]


class TestRotation:
    def turned(self, x, y, values=None):
        grid = Grid(shape=(2, 41, 41), affine=affine_of((0, 0, 4), (0, 4, 0), (4, 0, 0), (-80, -80, 0)))
        values = np.zeros((2, 41, 41), np.int16)
        values[1, 20 + y, 20 + x] = 200
        values[0, 20, [0, 40]] = 9  # the width, in the other slice
        orientation = orientation_of(grid)
        levels = levels_of(volume_of(values, grid.affine), orientation, WINDOW)
        found = rotation(levels, orientation, boxed(levels))
        strip = 255 - pixels_of(found.url)
        return strip.reshape(2, FRAMES, -1), found

    def test_a_hot_voxel_runs_along_x_cos_a_plus_y_sin_a(self):
        x, y = 10, -6
        frames, found = self.turned(x, y)
        middle = frames.shape[2] // 2
        assert found.width == frames.shape[2] * 4.0
        for frame in range(FRAMES):
            angle = 2 * np.pi * frame / FRAMES
            (at,) = np.flatnonzero(frames[0, frame] == 200)  # the upper row is the head
            assert at - middle == pytest.approx(x * np.cos(angle) + y * np.sin(angle), abs=0.5 + 1e-5)

    def test_no_bin_inside_the_patient_stays_empty(self):
        shape = (1, 30, 20)
        affine = affine_of((0, 0, 4), (0, 4, 0), (5, 0, 0), (-47.5, -58, 0))
        volume = volume_of(np.full(shape, 100, np.int16), affine)
        orientation = orientation_of(volume.grid)
        levels = levels_of(volume, orientation, WINDOW)
        frames = (255 - pixels_of(rotation(levels, orientation, boxed(levels)).url)).reshape(FRAMES, -1)
        for frame in frames:
            held = np.flatnonzero(frame)
            assert len(held) == held[-1] - held[0] + 1


class TestOutline:
    def lines(self, path):
        return [
            (float(x), float(y), kind, float(end))
            for x, y, kind, end in re.findall(r"M(\S+) (\S+?)([HV])([-\d.]+)", path)
        ]

    def test_it_is_the_edges_of_its_pixels(self):
        # an L of three pixels of 2 (across) by 3 mm (down): perimeter 2 x (2 x 2 + 2 x 3) = 20 mm
        edges = (np.arange(0.0, 10.0, 3.0), np.arange(-4.0, 7.0, 2.0))
        lines = self.lines(outline_path(np.array([0, 1, 1]), np.array([1, 1, 2]), edges))
        assert sum(abs(end - (x if kind == "H" else y)) for x, y, kind, end in lines) == 20.0
        assert {(x, y, end) for x, y, kind, end in lines if kind == "V"} == {
            (-2.0, 0.0, 6.0),
            (0.0, 0.0, 3.0),
            (2.0, 3.0, 6.0),
        }

    def test_a_hole_is_outlined_too(self):
        rows, columns = np.nonzero(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]))
        edges = (np.arange(5.0), np.arange(5.0))
        lines = self.lines(outline_path(rows, columns, edges))
        assert sum(abs(end - (x if kind == "H" else y)) for x, y, kind, end in lines) == 12 + 4


def test_pet_and_ct_of_a_lesion_show_it_at_its_place(whole):
    """definitions/whole_study.toml: a nodule of SUV 5 and 30 HU in a lung of 0.4 and -750 HU."""
    measured = whole.plain
    volume = measured.volume
    orientation = orientation_of(volume.grid)
    window = Window(lower=0.0, upper=5.0, unit="SUV")
    rows = [{"roi_id": "1", "roi_name": "node"}, {"roi_id": "2", "roi_name": "nodule"}]
    shown = shown_lesions(rows, measured.lesions, volume=volume, orientation=orientation)
    levels = levels_of(volume, orientation, window)
    _, nodule = thumbnails(levels, orientation, shown, anatomy=anatomy_of(measured.ct, orientation))
    assert nodule.z_mm == pytest.approx(-1.6, abs=2.0), "half a slice"

    def at(picture, x, y):
        pixels = pixels_of(picture.url)
        row = int((y - picture.top) / picture.height * len(pixels))
        return int(pixels[row, int((x - picture.left) / picture.width * pixels.shape[1])])

    assert at(nodule.ct, 20.7, -3.2) == round(255 * (30 + 160) / 400)
    assert at(nodule.ct, 20.7, 6.8) == 0, "lung, 10 mm behind, below -160 HU"
    assert at(nodule.ct, 0.7, -3.2) == at(nodule.ct, -8.0, -30.0) > 100, "body on the patient's right"
    pixels = pixels_of(nodule.pet.url)
    step = nodule.pet.width / pixels.shape[1]
    pixels = pixels[:, int(-nodule.pet.left / step) :]  # the patient's left half; the node is in the other
    row, column = np.unravel_index(pixels.argmin(), pixels.shape)
    left = nodule.pet.left + int(-nodule.pet.left / step) * step
    assert left + (column + 0.5) * step == pytest.approx(20.7, abs=step)
    assert nodule.pet.top + (row + 0.5) * step == pytest.approx(-3.2, abs=step)


def test_the_slices_beside_regions_are_found_across_grids():
    # PET slices of 4 mm at 0, 4, 8 ...; a region in the slice at 8 mm. CT of 2 mm from -3: 8 lies in slice
    # 5 (6 to 8) or 6 (8 to 10), by the edge; both with their neighbours
    pet = Grid(shape=(5, 3, 3), affine=affine_of((0, 0, 4), (0, 4, 0), (4, 0, 0), (0, 0, 0)))
    ct = Grid(shape=(12, 9, 9), affine=affine_of((0, 0, 2), (0, 1, 0), (1, 0, 0), (0, 0, -3)))
    roi = Roi(roi_id="1", name="1", voxels=np.array([2 * 9 + 4], np.int64))
    assert np.flatnonzero(slices_beside(pet, [roi], of=ct)).tolist() == [5, 6, 7]
    far = Grid(shape=(4, 9, 9), affine=affine_of((0, 0, 2), (0, 1, 0), (1, 0, 0), (0, 0, 90)))
    assert not slices_beside(pet, [roi], of=far)[1:].any()


def test_the_body_is_cut_out_with_its_regions():
    grid = Grid(shape=(2, 60, 60), affine=affine_of((0, 0, 4), (0, 4, 0), (4, 0, 0), (0, 0, 0)))
    levels = np.zeros((2, 60, 60), np.uint8)
    levels[0, 20:30, 25:40] = 100
    region = Shown(label="1", name="1", kind="lesion", zyx=np.array([[1, 50, 30]]), rank=0)
    box = body_box(levels, orientation_of(grid), [region])
    assert box == (slice(0, 2), slice(17, 54), slice(22, 43))  # 12 mm, three voxels, around y 20-50, x 25-39


def test_a_ct_askew_to_the_pet_is_not_laid_over_it():
    straight = affine_of((0, 0, 3), (0, 2, 0), (2, 0, 0), (0, 0, 0))
    tilt = np.radians(5.0)
    askew = affine_of(
        (0, -3 * np.sin(tilt), 3 * np.cos(tilt)),
        (0, 2 * np.cos(tilt), 2 * np.sin(tilt)),
        (2, 0, 0),
        (0, 0, 0),
    )
    values = np.zeros((3, 4, 5), np.int16)
    pet = orientation_of(volume_of(values, straight).grid)
    assert anatomy_of(volume_of(values, straight), pet) is not None
    assert anatomy_of(volume_of(values, askew), pet) is None
