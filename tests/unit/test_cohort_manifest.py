"""A manifest of a cohort says of every scan what it divides by."""

from __future__ import annotations

import pytest

from petquant.compare import read_cohort
from petquant.delineation import Cylinder, Sphere
from petquant.errors import UsageError
from petquant.study import Choices


@pytest.fixture
def manifest(tmp_path):
    for name in ("study", "lesions.nii.gz", "pool.nii.gz"):
        (tmp_path / name).mkdir() if name == "study" else (tmp_path / name).write_bytes(b"")

    def of(backgrounds: str):
        path = tmp_path / "manifest.csv"
        path.write_text(
            "patient,tracer,study,roi,backgrounds\n"
            f"P1,FDG,study,lesions.nii.gz,{backgrounds}\nP1,Pentixafor,study,lesions.nii.gz,{backgrounds}\n",
            encoding="utf-8",
        )
        scans = read_cohort(path, choices=Choices())
        return scans[0].backgrounds

    return of


def test_backgrounds_are_files_with_a_label_or_are_found(manifest, tmp_path):
    pool, liver = manifest("blood_pool=pool.nii.gz:2;liver=auto:liver")
    assert (pool.name, pool.path, pool.label) == ("blood_pool", str(tmp_path / "pool.nii.gz"), "2")
    assert (liver.name, liver.path, liver.automatic) == ("liver", None, "liver")


def test_a_background_without_a_name_is_a_mistake(manifest):
    with pytest.raises(UsageError, match="NAME="):
        manifest("auto:liver")


def test_backgrounds_of_a_manifest_are_shapes_and_eroded_files_too(manifest, tmp_path):
    pool, liver, aorta = manifest(
        '"blood_pool=pool.nii.gz:2,erode=5;liver=sphere:-70,-20,-45,15;aorta=cylinder:12,42,20,5,20,0,0.6,0.8"'
    )
    assert (pool.path, pool.label, pool.erode_mm) == (str(tmp_path / "pool.nii.gz"), "2", 5.0)
    assert (liver.path, liver.shape) == (
        None,
        Sphere(name="liver", centre_mm=(-70.0, -20.0, -45.0), radius_mm=15.0),
    )
    assert aorta.shape == Cylinder(
        name="aorta", centre_mm=(12.0, 42.0, 20.0), radius_mm=5.0, length_mm=20.0, axis=(0.0, 0.6, 0.8)
    )


def test_every_odd_background_is_named_with_its_line(manifest):
    with pytest.raises(UsageError) as mistake:
        manifest('"liver=sphere:1,2,3"')
    assert [(one.code, one.where) for one in mistake.value.findings] == [
        ("OPTION_INVALID", "manifest.csv line 2"),
        ("OPTION_INVALID", "manifest.csv line 3"),
    ]
    with pytest.raises(UsageError, match="erode=MM"):
        manifest('"liver=pool.nii.gz,erode=-2"')
    with pytest.raises(UsageError, match=r"gone\.nii does not exist"):
        manifest("liver=gone.nii")
