"""What a scanner makes of a body: point spreads with overshoot, shells, half-spaces."""

import math
from dataclasses import replace

import numpy as np
import pytest
from petquant_phantoms import Body, Definition, ImageGrid, Sphere, Uptake, catalogue, recoveries
from petquant_phantoms.body import HalfSpace
from petquant_phantoms.image import Gaussian, image_suv

SIZES_MM = (37, 28, 22, 17, 13, 10)
# name, point spread, A50, maximum and peak at 9.7 : 1, as tabulated in the specification of the phantoms
TABULATED = [
    (
        "nema_earl1",
        (0.8284, 0.7835, 0.7302, 0.6364, 0.4938, 0.3507),
        (1.0000, 0.9984, 0.9769, 0.8781, 0.6810, 0.4713),
        (0.9996, 0.9830, 0.8970, 0.7052, 0.4804, 0.3132),
    ),
    (
        "nema_earl2",
        (0.9303, 0.9146, 0.9009, 0.8418, 0.6876, 0.4941),
        (1.0883, 1.1230, 1.1835, 1.1652, 0.9642, 0.6833),
        (1.0424, 1.1198, 1.1121, 0.9280, 0.6440, 0.4113),
    ),
    (
        "nema_fail",
        (0.9013, 0.8736, 0.8445, 0.8069, 0.7572, 0.6807),
        (1.0000, 1.0000, 1.0000, 0.9998, 0.9919, 0.9310),
        (1.0000, 1.0000, 0.9973, 0.9395, 0.7269, 0.4723),
    ),
]


@pytest.mark.parametrize(("name", "a50", "maximum", "peak"), TABULATED)
def test_nema_phantoms_have_the_tabulated_recoveries(name, a50, maximum, peak):
    spread = catalogue.load(name).gaussians
    found = [recoveries.in_background(radius_mm=d / 2, point_spread=spread, ratio=9.7) for d in SIZES_MM]
    np.testing.assert_allclose([one.a50 for one in found], a50, atol=0.5e-4 + 1e-9)  # four decimals
    np.testing.assert_allclose([one.maximum for one in found], maximum, atol=0.5e-4 + 1e-9)
    np.testing.assert_allclose([one.peak for one in found], peak, atol=0.5e-4 + 1e-9)


def ball(radius_mm, suv=1.0, **more):
    return Uptake(name=f"{radius_mm}", shape=Sphere(centre_mm=(0.3, -0.2, 0.1), radius_mm=radius_mm),
                  contrast_suv=suv, **more)  # fmt: skip


def test_an_overshooting_point_spread_is_the_weighted_sum_of_its_blurs():
    body = Body(background_suv=1.0, uptakes=(ball(12.0, 8.7),))
    one = Definition(name="x", body=body)
    both = replace(one, point_spread=(Gaussian(weight=1.5, fwhm_mm=8.0), Gaussian(weight=-0.5, fwhm_mm=16.0)))
    parts = [image_suv(replace(one, fwhm_mm=fwhm)) for fwhm in (8.0, 16.0)]
    np.testing.assert_allclose(image_suv(both), 1.5 * parts[0] - 0.5 * parts[1], rtol=1e-13)
    assert image_suv(both).max() > 9.7  # it overshoots


def test_a_point_spread_that_loses_activity_is_refused():
    with pytest.raises(ValueError, match=r"must sum to 1, found 0\.9"):
        Definition(point_spread=(Gaussian(weight=0.9, fwhm_mm=6.0),))


def test_a_shell_is_a_ball_less_the_smaller_one():
    shell = Body(uptakes=(ball(12.0, 2.0), ball(9.0, -2.0)))
    grid = ImageGrid()
    whole, hole = (
        image_suv(Definition(grid=grid, body=Body(uptakes=(ball(r, 2.0),)), fwhm_mm=5.0)) for r in (12.0, 9.0)
    )
    found = image_suv(Definition(grid=grid, body=shell, fwhm_mm=5.0))
    np.testing.assert_allclose(found, whole - hole, atol=1e-14)


def test_a_half_space_falls_along_its_normal_by_one_error_function():
    slope = HalfSpace(centre_mm=(1.0, 0.0, 0.0), normal=(0.6, 0.8, 0.0))
    points = np.array([[1.0, 0.0, 5.0], [1.6, 0.8, 0.0], [-2.0, -4.0, 0.0]])  # depths 0, 1 and -5 mm
    s = 6.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    expected = [0.5 * (1.0 + math.erf(depth / (math.sqrt(2.0) * s))) for depth in (0.0, 1.0, -5.0)]
    np.testing.assert_allclose(slope.field(points, fwhm_mm=6.0), expected, atol=1e-15)
    np.testing.assert_array_equal(slope.field(points, fwhm_mm=0.0), [1.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="must have length 1"):
        HalfSpace(centre_mm=(0.0, 0.0, 0.0), normal=(1.0, 1.0, 0.0))


def test_both_torsos_show_one_anatomy_in_one_frame_of_reference(tmp_path):
    fdg, pentixafor = catalogue.load("torso_fdg"), catalogue.load("torso_pentixafor")
    assert [(u.name, u.shape, u.hu) for u in fdg.body.uptakes] == [
        (u.name, u.shape, u.hu) for u in pentixafor.body.uptakes
    ]
    assert pentixafor.frame_of_reference == fdg.name
    seen = [{region.name for region in phantom.body.lesions} for phantom in (fdg, pentixafor)]
    assert seen[0] - seen[1] == {"lung nodule", "liver metastasis", "splenic lesion"}
    assert seen[1] - seen[0] == {"vertebral lesion", "para-aortic node"}
    assert len(seen[0] & seen[1]) == 4
