"""Regions of real patients are not suspect of a flip; flipped ones are where the anatomy can show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petquant.files import load_rois
from petquant.metrics import left_right_findings
from petquant.study import Choices, open_study


@pytest.mark.parametrize(
    ("images", "mask", "is_caught"),
    [
        ("qin0139_siemens_seg/image", "qin0139_siemens_seg/mask", True),
        ("sts001_ge_raw/FDG_PET/image", "sts001_ge_raw/FDG_PET/mask", True),
        # cropped around the tumour, so that the mirror image is the tumour again
        ("sts_ibsi/STS_001/PET/image", "sts_ibsi/STS_001/PET/mask", False),
        ("sts_ibsi/STS_002/PET/image", "sts_ibsi/STS_002/PET/mask", False),
        ("sts_ibsi/STS_003/PET/image", "sts_ibsi/STS_003/PET/mask", False),
        ("sts_ibsi/STS_008/PET/image", "sts_ibsi/STS_008/PET/mask", False),
    ],
)
def test_real_regions_are_not_suspect_and_flipped_ones_are_where_the_body_allows(
    real_path, images, mask, is_caught
):
    opened = open_study(real_path(images), Choices())
    rois = load_rois(next(real_path(mask).iterdir()), onto=opened.grid, pet=opened.facts).rois
    volume = opened.volume()
    assert left_right_findings(volume, rois) == ()
    ni = opened.grid.shape[2]
    flipped = [
        replace(roi, voxels=np.sort(roi.voxels + ni - 1 - 2 * (roi.voxels % ni)), weights=None)
        for roi in rois
    ]
    assert bool(left_right_findings(volume, flipped)) is is_caught
