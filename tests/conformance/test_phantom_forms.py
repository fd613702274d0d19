"""Every phantom gives its truth, in every form that its regions have, or the refusal that it must meet."""

from __future__ import annotations

import pytest
from petquant_phantoms import catalogue

from petquant.errors import PetquantError
from petquant.polygons import Edge
from petquant.quantify import quantify
from petquant.roi import Reading, VoxelValues
from petquant.study import Choices

LARGE = {"suv_dro"}  # 256 x 256 x 20 voxels
COMPUTED = [n for n in catalogue.names() if n not in LARGE and catalogue.load(n).expected == "ok"]
REFUSED = [n for n in catalogue.names() if n not in LARGE and catalogue.load(n).expected != "ok"]


def reading_of(study, form):
    """What a fraction of a voxel means must be said for NIfTI."""
    is_weighted = catalogue.load(study.truth["phantom"]).segmentation_type == "FRACTIONAL"
    return Reading(values=VoxelValues.OCCUPANCY if is_weighted and form.endswith(".nii.gz") else None)


def forms_of(study):
    lesions = [entry for entry in study.truth["regions"] if entry["role"] == "lesion"]
    return lesions, (lesions[0]["files"] if lesions else [])


def row_of(rows, entry, form):
    """The measurement of an entry: by name where names travel with the form, else by label."""
    if form.endswith(".nii.gz"):
        (row,) = [row for row in rows if row.roi_id == str(entry["label"])]
    else:
        (row,) = [row for row in rows if row.roi_name == entry["name"]]
    return row


def assert_truth(row, entry):
    for column, truth in entry["expected"].items():
        if column not in row.values:
            continue
        found = row.values[column]
        assert abs(found - truth["value"]) <= truth["abs_tol"], (entry["name"], column, found, truth)
    assert set(entry["flags"]) <= set(row.flags), entry["name"]


@pytest.mark.parametrize("name", COMPUTED)
def test_every_form_of_the_regions_gives_the_truth(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    lesions, forms = forms_of(study)
    for form in forms:
        choices = Choices(reading=reading_of(study, form))
        found = quantify(study.dicom, [study.root / form], choices=choices)
        for entry in lesions:
            assert_truth(row_of(found.measurements, entry, form), entry)
        truth = study.truth["study"]
        for column, tolerance in truth["abs_tol"].items():
            if truth[column] is None:
                assert found.summary[column] is None
            else:
                assert found.summary[column] == pytest.approx(truth[column], abs=tolerance), (form, column)
        codes = {finding.code for finding in found.findings}
        assert set(truth["flags"]) <= codes
        # every form names images, or frames of the image, that its phantom has; a CT is none of the PET
        flagged = {row.roi_name for row in found.measurements if "ROI_REFERENCES_MISSING" in row.flags}
        assert flagged == {row.roi_name for row in found.measurements if row.roi_name == "drawn on CT"}
        assert ("ROI_REFERENCES_MISSING" in codes) is bool(flagged)


@pytest.mark.parametrize("name", REFUSED)
def test_a_phantom_to_refuse_is_refused_with_its_code(name, tmp_path):
    study = catalogue.build(name, tmp_path)
    with pytest.raises(PetquantError) as error:
        quantify(study.dicom, [study.lesions])
    assert error.value.exit_code == study.truth["series"]["exit_code"]
    assert study.truth["series"]["error_code"] in [finding.code for finding in error.value.findings]


def test_contours_follow_their_options_and_those_without_area_are_refused(tmp_path):
    study = catalogue.build("rtstruct_rules", tmp_path)
    options = {
        ("--fill-gaps",): Reading(fills_gaps=True),
        ("--edge", "centre"): Reading(edge=Edge.CENTRE),
        ("--edge", "area"): Reading(edge=Edge.AREA),
    }
    seen = 0
    for entry in study.truth["regions"]:
        for variant in entry["variants"]:
            found = quantify(
                study.dicom,
                [study.root / entry["files"][0]],
                choices=Choices(reading=options[tuple(variant["options"])]),
            )
            row = row_of(found.measurements, entry, entry["files"][0])
            for column, truth in variant["expected"].items():
                assert abs(row.values[column] - truth["value"]) <= truth["abs_tol"], (entry["name"], column)
            seen += 1
    assert seen == 3
    for entry in study.truth["refused_regions"]:
        with pytest.raises(PetquantError) as error:
            quantify(study.dicom, [study.root / entry["files"][0]])
        assert error.value.exit_code == entry["exit_code"]
        assert [finding.code for finding in error.value.findings] == [entry["error_code"]]


def test_a_background_is_the_same_in_every_form(tmp_path):
    study = catalogue.build("whole_study", tmp_path)
    (entry,) = [entry for entry in study.truth["regions"] if entry["role"] == "background"]
    for form in entry["files"]:
        found = quantify(study.dicom, [study.root / form])
        assert_truth(found.measurements[0], entry)
