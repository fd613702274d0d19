"""What must hold between measurements of one scene that is stored, filed or drawn in different ways."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, TRANSFER_SYNTAXES, Bed, ImageGrid, catalogue, write_study
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from petquant.quantify import Background, quantify

ARITHMETIC = 1e-9  # of float64 sums over a few hundred voxels in another order
CUBE = (16, 16, 16)
UNIT_VECTORS = [tuple(float(sign * (axis == n)) for n in range(3)) for axis in range(3) for sign in (1, -1)]
TURNS = [
    (*along_columns, *along_rows)
    for along_columns, along_rows in itertools.permutations(UNIT_VECTORS, 2)
    if np.dot(along_columns, along_rows) == 0.0
]


def values_of(study, *, lesions: Path | None = None, dicom: Path | None = None):
    """Return what is measured of every lesion, by label."""
    found = quantify(
        dicom or study.dicom,
        [lesions or study.lesions],
        backgrounds=[Background(name="muscle", path=str(study.backgrounds["muscle"]))],
    )
    return {row.roi_id: dict(row.values) for row in found.measurements}


@pytest.fixture
def tiny(tmp_path):
    three_beds = tuple(
        Bed(acquired_at=bed.acquired_at, duration_s=180.0) for bed in catalogue.load("three_beds").header.beds
    )
    return write_study(TINY.with_header(beds=three_beds), tmp_path / "tiny")


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for label, values in expected.items():
        for column, value in values.items():
            assert found[label][column] == pytest.approx(value, rel=ARITHMETIC, abs=ARITHMETIC), column


def test_there_are_24_ways_to_lay_rows_columns_and_slices():
    assert len(set(TURNS)) == 24


@pytest.mark.parametrize("orientation", TURNS, ids=str)
def test_rows_columns_and_slices_may_run_along_any_axis(orientation, tmp_path):
    """One cube of voxels, stored along other axes and in other directions, with its label map."""
    # the voxels of the cold sphere tie for its maximum, and the first of them depends on the order
    body = replace(TINY.body, regions=tuple(r for r in TINY.body.regions if r.name != "cold"))

    def built(name, turn):
        grid = ImageGrid.centred(shape=CUBE, spacing_mm=(4.0, 4.0, 4.0), orientation=turn)
        definition = replace(TINY, body=body, grid=grid, fwhm_mm=6.0, slope="global")
        return write_study(definition, tmp_path / name)

    plain = values_of(built("plain", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)))
    assert_close(values_of(built("turned", orientation)), plain)


def test_a_label_map_in_another_order_of_voxels_is_the_same_region(tiny, tmp_path):
    image = nib.load(tiny.lesions)
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            order = np.column_stack([axes, signs])
            turned = tmp_path / "turned.nii"
            image.as_reoriented(order).to_filename(turned)
            assert values_of(tiny, lesions=turned) == values_of(tiny)


def test_names_and_order_of_the_files_change_nothing(tiny, tmp_path):
    expected = values_of(tiny)
    names = [f"{n:x}" for n in range(len(list(tiny.pet.iterdir())))]
    random.Random(7).shuffle(names)  # noqa: S311 - a fixed order, no secret
    other = tmp_path / "other"
    other.mkdir()
    for path, name in zip(sorted(tiny.pet.iterdir()), names, strict=True):
        path.rename(other / name)
    assert values_of(tiny, dicom=other) == expected


def test_beds_in_folders_of_their_own_are_one_series(tiny, tmp_path):
    expected = values_of(tiny)
    paths = sorted(tiny.pet.iterdir())
    for n, path in enumerate(paths):
        bed = tmp_path / "beds" / f"bed {n * 3 // len(paths)}" / "DICOM"
        bed.mkdir(parents=True, exist_ok=True)
        path.rename(bed / path.name)
    assert values_of(tiny, dicom=tmp_path / "beds") == expected


@pytest.mark.parametrize("transfer_syntax", TRANSFER_SYNTAXES)
def test_measurements_are_bit_equal_in_every_encoding(transfer_syntax, tmp_path):
    # JPEG 2000 needs 32 rows
    grid = ImageGrid.centred(shape=(8, 32, 32), spacing_mm=(4.0, 2.0, 2.0))
    plain = write_study(replace(TINY, grid=grid), tmp_path / "plain")
    packed = write_study(replace(TINY, grid=grid, transfer_syntax=transfer_syntax), tmp_path / "packed")
    assert values_of(packed) == values_of(plain)


def write_encapsulated_pdf(path: Path, study_uid: str) -> None:
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    document.SOPInstanceUID = document.file_meta.MediaStorageSOPInstanceUID = "2.25.104"
    document.StudyInstanceUID, document.SeriesInstanceUID = study_uid, "2.25.105"
    document.Modality = "DOC"
    document.EncapsulatedDocument = b"%PDF-1.4\n"
    document.save_as(path, enforce_file_format=True)


def test_a_series_without_attenuation_correction_a_projection_and_documents_change_nothing(tmp_path):
    plain = write_study(TINY, tmp_path / "plain")
    crowded = write_study(replace(TINY, extras=("nac_series", "mip")), tmp_path / "crowded")
    (crowded.dicom / "report.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    study_uid = quantify(plain.dicom, [plain.lesions]).study.series.study_uid
    write_encapsulated_pdf(crowded.dicom / "report.dcm", study_uid)
    assert len(list(crowded.dicom.rglob("*.dcm"))) == 8 + 8 + 1 + 1
    assert values_of(crowded) == values_of(plain)


def test_a_lesion_split_into_two_labels_adds_up(tiny, tmp_path):
    image = nib.load(tiny.lesions)
    labels = np.asarray(image.dataobj).copy()
    whole = values_of(tiny)["1"]
    columns = np.flatnonzero((labels == 1).any(axis=(1, 2)))
    right = labels[columns[len(columns) // 2] :]
    right[right == 1] = 9
    path = tmp_path / "split.nii"
    nib.save(nib.Nifti1Image(labels, image.affine), path)
    split = values_of(tiny, lesions=path)
    parts = split["1"], split["9"]
    assert min(part["n_voxels"] for part in parts) > 0
    assert sum(part["n_voxels"] for part in parts) == whole["n_voxels"]
    for column in ("mtv_ml", "tlg_g", "mtv_suv2_5_ml"):
        assert sum(part[column] for part in parts) == pytest.approx(whole[column], rel=ARITHMETIC)
    assert max(part["suv_max"] for part in parts) == whole["suv_max"]


def test_two_tracers_with_equal_uptake_give_equal_suvs(tmp_path):
    """Dose, half-life, uptake time and slopes differ; what lies in the torso does not."""
    fdg, pentixafor = catalogue.load("torso_fdg"), catalogue.load("torso_pentixafor")
    node = tuple(region for region in fdg.body.regions if region.name == "mediastinal node")
    body = replace(fdg.body, regions=node)
    around = ImageGrid.centred(
        shape=(10, 16, 16), spacing_mm=fdg.grid.spacing_mm, centre_mm=node[0].shape.centre_mm
    )
    studies = [
        write_study(replace(scan, body=body, grid=around, ct=None), tmp_path / scan.name)
        for scan in (fdg, pentixafor)
    ]
    first, second = (quantify(study.dicom, [study.lesions]).measurements[0].values for study in studies)
    truths = [study.expected("mediastinal node") for study in studies]
    for column in ("suv_max", "suv_mean", "suv_peak", "suv_min", "mtv_ml", "tlg_g"):
        tolerance = sum(truth[column]["abs_tol"] for truth in truths)  # half a stored unit of each
        assert first[column] == pytest.approx(second[column], abs=tolerance), column
    factors = [study.truth["suv"]["factor"] for study in studies]
    assert factors[0] != pytest.approx(factors[1], rel=0.1)
