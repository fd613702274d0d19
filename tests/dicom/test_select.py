"""Selection takes the attenuation-corrected PET, says why the others lost, and never guesses between two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from petquant_phantoms import TINY, nac_datasets, pet_datasets, write_datasets, write_study
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from petquant.dicom.index import index
from petquant.dicom.select import Attenuation, Selection, attenuation_of, select
from petquant.errors import PetquantError, Refused


def another(uid: str | None = None, *, number: int = 9, **changes: object) -> list[Dataset]:
    """The tiny PET again, as another series of the same study."""
    series_uid = uid or generate_uid(entropy_srcs=["another", str(number)])
    datasets = pet_datasets(TINY)
    for n, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID = series_uid
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[series_uid, str(n)])
        dataset.SeriesNumber = number
        for keyword, value in changes.items():
            if value is None:
                dataset.pop(keyword, None)
            else:
                setattr(dataset, keyword, value)
    return datasets


def put(folder: Path, *series: list[Dataset]) -> Path:
    for n, datasets in enumerate(series):
        write_datasets(datasets, folder / str(n))
    return folder


def chosen(folder: Path, **how: object) -> Selection:
    return select(index(folder), **how)


def refusal(folder: Path, **how: object) -> PetquantError:
    with pytest.raises(Refused) as caught:
        chosen(folder, **how)
    return caught.value


def test_the_corrected_series_wins_and_the_others_are_set_aside_with_a_reason(tmp_path):
    study = write_study(replace(TINY, extras=("nac_series", "mip")), tmp_path)
    selection = chosen(study.dicom)
    assert selection.series.uid == study.truth["series"]["uid"]
    assert len(selection.series.instances) == 8
    reasons = " | ".join(reason for _, reason in selection.set_aside)
    assert "NAC: CorrectedImage (0028,0051) = " in reasons
    assert [finding.code for finding in selection.findings] == ["SERIES_NOT_VOLUME"]


def test_two_corrected_series_are_ambiguous_and_named_in_full(tmp_path):
    folder = put(tmp_path, pet_datasets(TINY), another("1.2.3.4"))
    error = refusal(folder)
    assert error.findings[0].code == "SERIES_AMBIGUOUS"
    assert "1.2.3.4 (AC, 8 slices)" in str(error)
    assert f"{pet_datasets(TINY)[0].SeriesInstanceUID} (AC, 8 slices)" in str(error)


@pytest.mark.parametrize("wanted", ["1.2.3.4.77", "4.77", "1.2...77", "9"])
def test_a_series_is_chosen_by_uid_part_of_it_or_number(wanted, tmp_path):
    folder = put(tmp_path, pet_datasets(TINY), another("1.2.3.4.77"))
    assert chosen(folder, series=wanted).series.uid == "1.2.3.4.77"


def test_a_series_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    error = refusal(put(tmp_path, pet_datasets(TINY)), series="9.9.9")
    assert error.findings[0].code == "NO_SUCH_SERIES"
    assert pet_datasets(TINY)[0].SeriesInstanceUID in str(error)


def test_a_part_that_fits_two_series_chooses_neither(tmp_path):
    folder = put(tmp_path, another("1.2.3.41", number=1), another("1.2.3.42", number=2))
    assert refusal(folder, series="1.2.3.4").findings[0].code == "SERIES_AMBIGUOUS"


def test_several_studies_are_ambiguous_and_chosen_by_uid(tmp_path):
    other = another("1.2.3.4", StudyInstanceUID="1.5.6")
    folder = put(tmp_path, pet_datasets(TINY), other)
    error = refusal(folder)
    assert error.findings[0].code == "STUDY_AMBIGUOUS"
    assert "1.5.6 (1 PET series)" in str(error)
    assert chosen(folder, study="1.5.6").series.uid == "1.2.3.4"
    assert chosen(folder, series="1.2.3.4").series.study_uid == "1.5.6"
    assert refusal(folder, study="7.7.7").findings[0].code == "NO_SUCH_STUDY"


def test_a_single_uncorrected_series_is_returned_for_its_conversion_to_refuse(tmp_path):
    selection = chosen(put(tmp_path, nac_datasets(TINY)))
    assert attenuation_of(selection.series)[0] is Attenuation.ABSENT


def test_several_uncorrected_series_are_each_refused(tmp_path):
    first = another("1.2.1", number=1, CorrectedImage=["DECY"])
    second = another(
        "1.2.2", number=2, CorrectedImage=None, AttenuationCorrectionMethod=None, SeriesDescription="PET"
    )
    error = refusal(put(tmp_path, first, second))
    assert [finding.code for finding in error.findings] == ["SERIES_NAC", "CORRECTED_IMAGE_MISSING"]
    error = refusal(tmp_path, allow_nac=True)
    assert error.findings[0].code == "SERIES_AMBIGUOUS"


def test_without_pet_what_is_there_is_listed(tmp_path):
    ct = another(Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    error = refusal(put(tmp_path, ct))
    assert error.findings[0].code == "NO_PET_SERIES"
    assert "CT 8" in str(error)


def test_an_image_of_another_class_is_named_as_unread(tmp_path):
    other = another(SOPClassUID="1.2.840.10008.5.1.4.1.1.20")  # Nuclear Medicine
    error = refusal(put(tmp_path, other[:1]))
    assert error.findings[0].code == "SOP_CLASS_UNSUPPORTED"
    assert "1.2.840.10008.5.1.4.1.1.20" in str(error)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "1 maximum intensity projection"),
        ({"SeriesType": ["WHOLE BODY", "REPROJECTION"]}, "1 reprojection"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "1 secondary capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "1 screenshot"),
        ({"SamplesPerPixel": 3}, "1 colour picture"),
    ],
)
def test_what_is_no_slice_is_dropped_from_within_the_series_and_counted(changes, kind, tmp_path):
    datasets = pet_datasets(TINY)
    picture = another(datasets[0].SeriesInstanceUID)[0]
    picture.SOPInstanceUID = "1.2.3.4"
    for keyword, value in changes.items():
        setattr(picture, keyword, value)
    selection = chosen(put(tmp_path, datasets, [picture]))
    assert len(selection.series.instances) == 8
    assert [(finding.code, finding.found) for finding in selection.findings] == [
        ("SERIES_NOT_VOLUME", f"dropped: {kind}")
    ]


def test_derived_secondary_alone_is_no_reason_to_drop(tmp_path):
    selection = chosen(put(tmp_path, another(ImageType=["DERIVED", "SECONDARY"])))
    assert len(selection.series.instances) == 8
    assert selection.findings == ()


def test_nothing_but_projections_is_no_pet_series(tmp_path):
    error = refusal(put(tmp_path, another(ImageType=["DERIVED", "SECONDARY", "MIP"])))
    assert [finding.code for finding in error.findings] == ["NO_PET_SERIES", "SERIES_NOT_VOLUME"]


def test_an_axial_original_wins_over_its_coronal_reformat(tmp_path):
    coronal = another("1.2.3.4", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    selection = chosen(put(tmp_path, pet_datasets(TINY), coronal))
    assert selection.series.uid == pet_datasets(TINY)[0].SeriesInstanceUID
    assert {one.uid: why for one, why in selection.set_aside}["1.2.3.4"] == "reformatted or not axial"


@pytest.mark.parametrize(
    ("corrected", "method", "description", "expected"),
    [
        (["ATTN", "DECY"], None, "", Attenuation.CORRECTED),
        (["DECY"], "measured", "PET AC", Attenuation.ABSENT),
        (None, "measured,, 0.096000 cm-1,", "", Attenuation.ASSUMED),
        (None, "NONE, 0.000000 cm-1,", "PET AC", Attenuation.ABSENT),  # a real GE header carries this
        (None, None, "WB_CTAC 3D", Attenuation.ASSUMED),
        (None, None, "[WB AC] Body", Attenuation.ASSUMED),
        (None, None, "PET NAC", Attenuation.ABSENT),
        (None, None, "WB no AC", Attenuation.ABSENT),
        (None, None, "PET TRACER WB", Attenuation.UNKNOWN),
        (None, None, "", Attenuation.UNKNOWN),
    ],
)
def test_attenuation_is_told_by_the_table_of_the_specification(
    corrected, method, description, expected, tmp_path
):
    datasets = another(
        CorrectedImage=corrected, AttenuationCorrectionMethod=method, SeriesDescription=description
    )
    (series,) = index(put(tmp_path, datasets)).series
    state, evidence = attenuation_of(series)
    assert state is expected
    assert evidence


def test_one_uncorrected_slice_makes_the_series_uncorrected(tmp_path):
    datasets = another()
    datasets[3].CorrectedImage = ["DECY"]
    (series,) = index(put(tmp_path, datasets)).series
    assert attenuation_of(series)[0] is Attenuation.ABSENT


def test_a_capture_that_comes_before_the_slices_does_not_decide_what_the_series_is(tmp_path):
    datasets = pet_datasets(TINY)
    capture = pet_datasets(TINY)[0]
    capture.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.SOPInstanceUID = f"{capture.SOPInstanceUID}9"
    write_datasets([capture, *datasets], tmp_path)
    chosen = select(index(tmp_path))
    assert len(chosen.series.instances) == len(datasets)
    assert [finding.code for finding in chosen.findings] == ["SERIES_NOT_VOLUME"]
