"""Automatic reference regions on the torso phantoms, whose organs are known, and on real scans."""

from __future__ import annotations

import json

import numpy as np
import pytest
from petquant_phantoms import catalogue

from petquant.delineation.reference import place
from petquant.errors import Refused
from petquant.export.record import Privacy, as_json, record_of
from petquant.quantify import Background, quantify, scaled
from petquant.study import Choices, open_study

# centre and semi-axes of the liver, axis and radius of the aorta: definitions/torso_fdg.toml
LIVER = (np.array([-70.0, -10.0, -10.0]), np.array([70.0, 65.0, 55.0]))
METASTASIS = (np.array([-92.6, -21.3, -6.8]), 13.0)
AORTA_XY, AORTA_RADIUS_MM, AORTA_Z = np.array([17.0, 38.0]), 11.0, (-100.0, 180.0)
TRUE = {
    "torso_fdg": {"liver": 2.2, "blood_pool": 1.7},
    "torso_pentixafor": {"liver": 1.6, "blood_pool": 1.7},
}


@pytest.fixture(scope="module", params=sorted(TRUE))
def torso(request, tmp_path_factory):
    return request.param, catalogue.build(request.param, tmp_path_factory.mktemp(request.param))


def suv(opened):
    return scaled(opened.volume(), opened.conversion.scale("bw"))


def on_sphere(shape):
    """Points on the surface of a sphere, 3 degrees apart."""
    theta, phi = np.radians(np.mgrid[0:181:3, 0:360:3].reshape(2, -1))
    away = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    return np.array(shape.centre_mm) + shape.radius_mm * away


def test_both_regions_lie_inside_of_their_organs(torso):
    name, study = torso
    found = quantify(
        study.dicom,
        [study.lesions],
        backgrounds=[Background(name=organ, automatic=organ) for organ in ("liver", "blood_pool")],
        psf_fwhm_mm=6.0,
    )
    sphere = found.placements["liver"].shape
    assert (((on_sphere(sphere) - LIVER[0]) / LIVER[1]) ** 2).sum(axis=1).max() < 1.0
    if name == "torso_fdg":
        assert np.linalg.norm(sphere.centre_mm - METASTASIS[0]) > METASTASIS[1] + sphere.radius_mm + 5.0
    cylinder = found.placements["blood_pool"].shape
    off_axis = np.linalg.norm(np.array(cylinder.centre_mm[:2]) - AORTA_XY)
    assert off_axis + cylinder.radius_mm < AORTA_RADIUS_MM - 2.5  # the wall stays outside
    assert AORTA_Z[0] < cylinder.centre_mm[2] - 10.0
    assert cylinder.centre_mm[2] + 10.0 < AORTA_Z[1]
    for reference in found.references:
        # the liver is 17 mm away from its edge, where a PSF of 6 mm leaves 1e-10; in the lumen of 11 mm it
        # takes from the rim of the cylinder: a tenth of the contrast at 2 SD (5.1 mm) of the wall
        near = 1e-3 if reference.name == "liver" else 0.02
        assert reference.values["mean"] == pytest.approx(TRUE[name][reference.name], rel=near)
        assert reference.homogeneity_qc == "pass"
        assert reference.flags == ()
        assert reference.values["n_eff"] > 1.0
    codes = [finding.code for finding in found.findings]
    assert codes.count("REFERENCE_PLACED") == 2
    assert "REFERENCE_WITHOUT_CT" not in codes


def test_the_liver_is_found_on_the_pet_alone(torso):
    name, study = torso
    opened = open_study(study.dicom, Choices())
    found = place("liver", suv(opened))
    assert (((on_sphere(found.shape) - LIVER[0]) / LIVER[1]) ** 2).sum(axis=1).max() < 1.0
    assert found.mean == pytest.approx(TRUE[name]["liver"], rel=1e-3)


# Boxes in LPS mm that lie inside of the right lobe on all three planes through their middle, drawn by eye
REAL = {
    "sts001_ge_raw": ((-95.0, -10.0, -420.0), (-35.0, 55.0, -345.0)),
    "qin0139_siemens_seg/image": ((-145.0, -260.0, -1300.0), (-65.0, -190.0, -1245.0)),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_the_liver_of_a_real_scan_is_found_on_its_pet(name, real_path):
    opened = open_study(real_path(name), Choices())
    found = place("liver", suv(opened))
    low, high = np.array(REAL[name])
    assert (np.array(found.shape.centre_mm) >= low).all()
    assert (np.array(found.shape.centre_mm) <= high).all()
    assert 1.3 <= found.mean <= 3.0  # the band of [18F]FDG, reads.md section 2
    assert found.cov <= 0.25


@pytest.mark.parametrize("name", sorted(REAL))
def test_the_aorta_of_a_real_scan_is_refused_without_ct(name, real_path):
    opened = open_study(real_path(name), Choices())
    with pytest.raises(Refused) as refusal:
        place("blood_pool", suv(opened))
    assert refusal.value.findings[0].code == "REFERENCE_NEEDS_CT"


@pytest.mark.parametrize("organ", ["liver", "blood_pool"])
@pytest.mark.parametrize("name", ["STS_001", "STS_008"])
def test_a_scan_cropped_to_a_tumour_of_the_thigh_is_refused(name, organ, real_path):
    opened = open_study(real_path(f"sts_ibsi/{name}"), Choices())
    with pytest.raises(Refused, match="no lung") as refusal:
        place(organ, suv(opened), ct=opened.ct().volume())
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"


def test_the_record_says_where_and_why(torso):
    _, study = torso
    found = quantify(study.dicom, [study.lesions], backgrounds=[Background(name="liver", automatic="liver")])
    (reference,) = json.loads(as_json(record_of(found, Privacy())))["references"]
    placement = reference["placement"]
    assert placement["shape"] == "sphere"
    assert placement["centre_mm_lps"] == list(found.placements["liver"].shape.centre_mm)
    assert placement["edge_mm"] >= 25.0
    assert placement["hu"] == pytest.approx(55.0, abs=1e-3)  # the liver of the phantom
    assert "largest even volume on the right" in placement["why"]
    assert reference["roi_source"].startswith("auto liver: sphere of radius 15 mm at")
    assert reference["se"] is None
