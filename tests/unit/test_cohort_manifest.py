"""A manifest of a cohort says of every scan what it divides by."""

from __future__ import annotations

import pytest

from petquant.compare import read_cohort
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
