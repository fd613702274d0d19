"""Every statistic that a phantom states is measured within the tolerance that the phantom computed."""

import pytest
from petquant_phantoms import catalogue

from petquant.quantify import quantify

CONTENT = [
    "tiny",
    "oblique",
    "anisotropic",
    "non_square",
    "one_voxel",
    "three_beds",
    "touching_lesions",
    "uniform_cylinder",
    "two_tracer_fdg",
    "nema_earl2",
    "nema_noisy",
    "nema_cold_lung",
    "acr",
    "lesion_ladder",
    "off_grid",
    "voxel_mean",
    "voxel_mean_blurred",
    "torso_fdg",
    "torso_pentixafor",
]


@pytest.mark.parametrize("name", CONTENT)
def test_every_stated_value_is_measured(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    paths = {path.name.removesuffix(".nii.gz"): path for path in study.backgrounds.values()}
    measured = {
        region: quantify(study.dicom, [path]).measurements[0].values for region, path in paths.items()
    }
    if study.lesions is not None:
        rows = quantify(study.dicom, [study.lesions], labels=study.labels).measurements
        measured |= {row.roi_name: row.values for row in rows}
    wrong = [
        f"{region['name']} {quantity}: {measured[region['name']][quantity]} against {stated}"
        for region in study.truth["regions"]
        for quantity, stated in region["expected"].items()
        if not abs(measured[region["name"]][quantity] - stated["value"]) <= stated["abs_tol"]
    ]
    assert not wrong
    assert {region["name"] for region in study.truth["regions"]} == set(measured)


def test_tolerances_are_too_small_to_hide_a_wrong_definition(tmp_path):
    for region in catalogue.build("two_tracer_fdg", tmp_path).truth["regions"]:
        for quantity in ("suv_max", "suv_mean", "suv_peak", "suv_sd", "tlg_g"):
            stated = region["expected"][quantity]
            # a slice maximum of SUV 9 in 32767 steps is 1.4e-4 SUV; the smallest mean here is 1.7
            assert stated["abs_tol"] < 2e-4 * max(1.0, stated["value"]), (region["name"], quantity)
