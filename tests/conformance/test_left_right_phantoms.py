"""No region of any phantom is suspect of a flip on the side where it was put."""

from __future__ import annotations

import pytest
from petquant_phantoms import catalogue

from petquant.files import load_rois
from petquant.metrics import left_right_findings
from petquant.study import Choices, open_study

PARTS = {"dynamic": {"frame": 1}, "gated": {"gate": 1}}
WITHOUT_GRID = {"duplicate_position"}
WITH_LESIONS = [
    name for name in catalogue.names() if name not in WITHOUT_GRID and catalogue.load(name).body.lesions
]


@pytest.mark.parametrize("name", WITH_LESIONS)
def test_true_regions_are_not_suspect(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    opened = open_study(study.dicom, Choices(allow_nac=True, **PARTS.get(name, {})))
    rois = load_rois(study.lesions, onto=opened.grid).rois
    assert left_right_findings(opened.volume(), rois) == ()
