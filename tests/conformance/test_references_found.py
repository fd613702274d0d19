"""Automatic reference regions on the torso phantoms, whose organs are known, and on real scans."""

from __future__ import annotations

import json

import numpy as np
import pytest
from petquant_phantoms import catalogue, cohorts

from petquant.delineation.reference import place
from petquant.errors import Refused
from petquant.export.record import Privacy, as_json, record_of
from petquant.quantify import Background, quantify, scaled
from petquant.roi import Roi, RoiSet
from petquant.study import Choices, open_study

# centre and semi-axes of the liver, axis and radius of the aorta: definitions/torso_fdg.toml
LIVER = (np.array([-70.0, -10.0, -10.0]), np.array([70.0, 65.0, 55.0]))
METASTASIS = (np.array([-92.6, -21.3, -6.8]), 13.0)
AORTA_XY, AORTA_RADIUS_MM, AORTA_Z = np.array([17.0, 38.0]), 11.0, (-100.0, 180.0)
SPINE_XY, SPINE_RADIUS_MM = np.array([0.0, 78.0]), 20.0
# Semi-axes of the trunk, and what lies in its back beside the spine: centre and semi-axes
TRUNK_XY = np.array([175.0, 115.0])
OTHERS = (
    LIVER,
    (np.array([105.0, 30.0, 0.0]), np.array([26.0, 38.0, 44.0])),  # spleen
    (np.array([-58.0, 62.0, -98.0]), np.array([23.0, 19.0, 46.0])),
    (np.array([58.0, 60.0, -88.0]), np.array([23.0, 19.0, 46.0])),
)
LUNGS_END_MM = 52.0
TRUE = {
    "torso_fdg": {"liver": 2.2, "blood_pool": 1.7, "marrow": 1.2, "muscle": 0.6},
    "torso_pentixafor": {"liver": 1.6, "blood_pool": 1.7, "marrow": 2.0, "muscle": 0.5},
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


def test_all_regions_lie_inside_of_their_organs(torso):
    name, study = torso
    found = quantify(
        study.dicom,
        [study.lesions],
        backgrounds=[Background(name=organ, automatic=organ) for organ in TRUE[name]],
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
    marrow = on_sphere(found.placements["marrow"].shape)
    assert np.linalg.norm(marrow[:, :2] - SPINE_XY, axis=1).max() < SPINE_RADIUS_MM
    assert LUNGS_END_MM - 160.0 < marrow[:, 2].min() < marrow[:, 2].max() < LUNGS_END_MM
    muscle = on_sphere(found.placements["muscle"].shape)
    assert ((muscle[:, :2] / TRUNK_XY) ** 2).sum(axis=1).max() < 1.0
    assert np.linalg.norm(muscle[:, :2] - SPINE_XY, axis=1).min() > SPINE_RADIUS_MM
    for centre, semi in OTHERS:
        assert (((muscle - centre) / semi) ** 2).sum(axis=1).min() > 1.0
    for reference in found.references:
        # the liver is 17 mm away from its edge, where a PSF of 6 mm leaves 1e-10, marrow and muscle 5 mm and
        # more, where 2 SD leave 2 % of the contrast in single voxels; in the lumen of 11 mm it takes from the
        # rim of the cylinder: a tenth of the contrast at 2 SD (5.1 mm) of the wall
        near = {"liver": 1e-3, "blood_pool": 0.02, "marrow": 5e-3, "muscle": 5e-3}[reference.name]
        assert reference.values["mean"] == pytest.approx(TRUE[name][reference.name], rel=near)
        assert reference.homogeneity_qc == "pass"
        assert reference.flags == ()
        assert reference.values["n_eff"] > 1.0
    codes = [finding.code for finding in found.findings]
    assert codes.count("REFERENCE_PLACED") == len(TRUE[name])
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
def test_what_is_told_by_density_is_refused_on_a_real_scan_without_ct(name, real_path):
    opened = open_study(real_path(name), Choices())
    pet = suv(opened)
    lesion = Roi(roi_id="1", name="", voxels=np.array([pet.grid.shape[2] // 2], np.int64))
    for organ in ("blood_pool", "marrow", "muscle", "contralateral"):
        with pytest.raises(Refused) as refusal:
            place(organ, pet, avoid=RoiSet(grid=pet.grid, rois=(lesion,)))
        assert refusal.value.findings[0].code == "REFERENCE_NEEDS_CT"


@pytest.mark.parametrize("organ", ["liver", "blood_pool", "marrow", "muscle"])
@pytest.mark.parametrize("name", ["STS_001", "STS_008"])
def test_a_scan_cropped_to_a_tumour_of_the_thigh_is_refused(name, organ, real_path):
    opened = open_study(real_path(f"sts_ibsi/{name}"), Choices())
    with pytest.raises(Refused, match="no lung") as refusal:
        place(organ, suv(opened), ct=opened.ct().volume())
    assert refusal.value.findings[0].code == "REFERENCE_NOT_FOUND"


@pytest.mark.parametrize("name", ["STS_001", "STS_008"])
def test_a_thigh_has_no_skull_to_mirror_over(name, real_path):
    opened = open_study(real_path(f"sts_ibsi/{name}"), Choices())
    pet = suv(opened)
    middle = np.ravel_multi_index([n // 2 for n in pet.grid.shape], pet.grid.shape)
    lesion = Roi(roi_id="1", name="", voxels=np.array([middle], np.int64))
    with pytest.raises(Refused, match="no skull"):
        place("contralateral", pet, ct=opened.ct().volume(), avoid=RoiSet(grid=pet.grid, rois=(lesion,)))


# Lesion, shift of the session and SUV of the brain: definitions/cohorts/cohort_b.{csv,toml}
LESION_B01 = np.array([28.7, 0.9, -12.7])
HEADS = {"pentixafor": ((0.0, 0.0, 0.0), 0.25, 16.60), "fdg": ((8.0, -4.0, 5.0), 6.0, 1.82)}


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    return cohorts.build("cohort_b", tmp_path_factory.mktemp("b"), patients=["B01"]).root / "B01"


@pytest.mark.parametrize("tracer", sorted(HEADS))
def test_normal_brain_lies_opposite_of_the_lesion(heads, tracer):
    shift, brain, ratio = HEADS[tracer]
    found = quantify(
        heads / tracer / "study",
        [heads / tracer / "rois" / "lesions.nii.gz"],
        backgrounds=[Background(name="brain", automatic="contralateral")],
    )
    mirrored = LESION_B01 * (-1.0, 1.0, 1.0) + np.array(shift)
    # half a voxel of 4 mm: the region's own centre is known to that
    assert np.linalg.norm(np.array(found.placements["brain"].shape.centre_mm) - mirrored) < 2.0
    assert found.references[0].values["mean"] == pytest.approx(brain, rel=1e-3)
    (row,) = found.measurements
    assert row.values["tbr_max_brain"] == pytest.approx(ratio, rel=1e-3)


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
