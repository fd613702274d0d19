"""A ratio is right without an SUV only when all slices are decay-corrected to one time (reads.md 1)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from petquant_phantoms import TINY, Bed, write_study

from petquant.errors import Refused
from petquant.overrides import Overrides
from petquant.quantify import Background, quantify
from petquant.study import Choices

ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")


def background_of(study):
    name, path = next(iter(study.backgrounds.items()))
    return Background(name=name, path=str(path))


@pytest.mark.parametrize("vendor", ["ge", "siemens"])
def test_one_acquisition_time_for_undecayed_beds_gives_no_ratio(tmp_path, vendor):
    beds = tuple(Bed(acquired_at=ELEVEN + timedelta(seconds=240 * n), duration_s=240.0) for n in range(8))
    definition = TINY.in_dialect(vendor=vendor, decay="NONE")
    study = write_study(
        definition.with_header(series_at=ELEVEN, beds=beds, acquisition_time_per_bed=False), tmp_path
    )
    with pytest.raises(Refused, match="TBR_BEDS_NOT_ALIGNED"):
        quantify(study.dicom, [study.lesions], backgrounds=[background_of(study)])


def test_a_refused_suv_type_does_not_throw_the_others_away_in_silence(tmp_path):
    """Without a height there is no lean-body SUV: that is refused, not answered with ratios alone."""

    def without_height(dataset, index):
        dataset.PatientSize = ""

    study = write_study(TINY, tmp_path, edit=without_height)
    with pytest.raises(Refused, match="HEIGHT_MISSING"):
        quantify(
            study.dicom,
            [study.lesions],
            backgrounds=[background_of(study)],
            choices=Choices(suv_types=("bw", "lbm-janma")),
        )


def test_weight_and_height_in_each_others_place_are_flagged(tmp_path):
    def swapped(dataset, index):
        dataset.PatientWeight, dataset.PatientSize = "1.75", "70"

    study = write_study(TINY, tmp_path, edit=swapped)
    found = quantify(study.dicom, [study.lesions])
    assert "WEIGHT_EQUALS_HEIGHT" in {finding.code for finding in found.findings}


def test_a_half_life_of_another_nuclide_is_flagged_though_the_user_gave_it(tmp_path):
    study = write_study(TINY, tmp_path)
    found = quantify(study.dicom, [study.lesions], choices=Choices(overrides=Overrides(half_life="4062.6")))
    assert "HALF_LIFE_OFF_TABLE" in {finding.code for finding in found.findings}
