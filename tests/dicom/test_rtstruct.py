"""RTSTRUCT onto the PET grid: the real files beside the repository, and files made to be odd."""

from __future__ import annotations

import io
import math

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from petquant.dicom.belonging import PetFacts
from petquant.dicom.index import index
from petquant.dicom.rtstruct import RTSTRUCT_CLASS, read_rtstruct
from petquant.dicom.stack import stack
from petquant.errors import PetquantError, Refused, UnreadableInput
from petquant.grid import Grid
from petquant.nifti import read_label_map
from petquant.polygons import Edge
from petquant.roi import Reading

SPACING = (3.0, 4.0, 5.0)
PET = Grid(
    shape=(10, 30, 36), affine=np.array([[0, 0, 5, -70], [0, 4, 0, -50], [3, 0, 0, 20], [0, 0, 0, 1.0]])
)
FRAME, SERIES = "1.2.3.4", "1.2.3.5"
SLICES = {f"1.2.3.5.{k}": k for k in range(10)}
FACTS = PetFacts(
    frame_of_reference_uid=FRAME,
    patient_ids=frozenset({"P1"}),
    series_uid=SERIES,
    slices=SLICES,
    instance_uids=frozenset(SLICES),
)


def item(**attributes):
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, Items(value) if keyword.endswith("Sequence") else value)
    return ds


def square(half, *, at=(17.0, 14.0)):
    x, y = at
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def contour(points, k, *, kind="CLOSED_PLANAR", references=None, **attributes):
    """Corners (x, y) in voxels on slice k, as an item of ContourSequence."""
    up = np.array([0.0, 0.0, 3.0 * k])  # k may be a fraction or outside
    position = [PET.position_mm((0, y, x)) + up for x, y in points]
    ds = item(
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points),
        ContourData=[f"{number:.6f}" for mm in position for number in mm],
        **attributes,
    )
    uids = [f"{SERIES}.{round(k)}"] if references is None else references
    if uids:
        ds.ContourImageSequence = Items([item(ReferencedSOPInstanceUID=uid) for uid in uids])
    return ds


def rtstruct(*regions, frame=FRAME, patient="P1", **attributes):
    """A structure set; a region is (number, name, contours)."""
    ds = item(
        SOPClassUID=RTSTRUCT_CLASS,
        SOPInstanceUID="1.2.3.9",
        Modality="RTSTRUCT",
        PatientID=patient,
        StructureSetROISequence=[
            item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame)
            for number, name, _ in regions
        ],
        ROIContourSequence=[
            item(ReferencedROINumber=number, ContourSequence=contours) for number, _, contours in regions
        ],
    )
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def written(ds, path, syntax=ImplicitVRLittleEndian):
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.9"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def read(tmp_path):
    def read_it(ds, *, syntax=ImplicitVRLittleEndian, pet=FACTS, **options):
        return read_rtstruct(written(ds, tmp_path / "rs.dcm", syntax), onto=PET, pet=pet, **options)

    return read_it


def box(half, slices=range(3, 7), **attributes):
    return [contour(square(half), k, **attributes) for k in slices]


def codes(found):
    return {finding.code for finding in found.findings}


def refused_codes(error):
    return {finding.code for finding in error.value.findings}


# Real files


def of_series(folder):
    """The grid of the single series of a folder, and what regions are held against."""
    (series,) = index(folder).series
    stacked = stack(series)
    return stacked.grid, PetFacts.of(series, stacked)


@pytest.mark.parametrize("patient", ["STS_001", "STS_002", "STS_003", "STS_008"])
def test_contours_reproduce_the_masks_of_ibsi_voxel_by_voxel(real_data, patient):
    folder = real_data / "sts_ibsi" / patient
    grid, facts = of_series(folder / "PET" / "image")
    (roi,) = read_rtstruct(folder / "PET" / "mask" / "RS.dcm", onto=grid, pet=facts).rois
    mask = read_label_map(folder / "nifti" / "PET_mask.nii.gz")
    axes = grid.axes_of(mask.grid)
    expected = np.zeros(mask.grid.shape, bool)
    expected.ravel()[mask.rois[0].voxels] = True
    assert roi.name == "GTV_Mass_PET"
    assert roi.weights is None
    assert np.array_equal(roi.voxels, np.flatnonzero(axes.apply(expected)))


@pytest.mark.parametrize(("patient", "area_ml"), [("STS_001", 365.181), ("STS_002", 53.173)])
def test_by_area_the_contours_of_ibsi_have_their_shoelace_volume(real_data, patient, area_ml):
    """roi.md 3.3, to its three decimals; the planes fill slices of 3.27 mm."""
    folder = real_data / "sts_ibsi" / patient
    grid, facts = of_series(folder / "PET" / "image")
    (roi,) = read_rtstruct(folder / "PET" / "mask" / "RS.dcm", onto=grid, pet=facts, edge=Edge.AREA).rois
    assert roi.weights.sum() * grid.voxel_volume_ml == pytest.approx(area_ml, abs=6e-4)
    assert roi.source == "RTSTRUCT, edge by exact area"


def test_contours_drawn_on_the_raw_series_of_a_scanner(real_data):
    """sts001_ge_raw: 5095 voxels, 366.0787 mL on uneven slices (data README)."""
    folder = real_data / "sts001_ge_raw" / "FDG_PET"
    grid, facts = of_series(folder / "image")
    found = read_rtstruct(folder / "mask" / "1-1.dcm", onto=grid, pet=facts)
    mass, edema = found.rois
    assert (mass.roi_id, mass.name, edema.name) == ("1", "GTV_Mass", "GTV_Edema")
    assert len(mass.voxels) == 5095
    assert len(mass.voxels) * grid.voxel_volume_ml == pytest.approx(366.0787, rel=2e-6)
    assert mass.source == "RTSTRUCT, edge by voxel centre"


def test_contours_of_a_digital_reference_object(real_data):
    """roi.md 3.3: 174,690 voxels on 16 slices."""
    folder = real_data / "ibsi_suv_dro" / "DRO_0_0"
    grid, facts = of_series(folder / "PT")
    (roi,) = read_rtstruct(folder / "RS" / "RS_dro_0_0.dcm", onto=grid, pet=facts).rois
    assert len(roi.voxels) == 174_690
    assert len(np.unique(grid.index_of(roi.voxels)[:, 0])) == 16


# What a file says


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_regions_come_in_the_order_of_the_file_with_number_and_name(read, syntax):
    found = read(rtstruct((7, "GTV", box(3.3)), (2, "node", box(1.3, [5]))), syntax=syntax)
    assert [(roi.roi_id, roi.name, len(roi.voxels)) for roi in found.rois] == [
        ("7", "GTV", 4 * 49),
        ("2", "node", 9),
    ]
    assert found.grid is PET
    assert found.findings == ()
    assert found.rois[0].flags == ()


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_nested_contours_make_a_hole_in_either_type(read, kind):
    found = read(rtstruct((1, "ring", box(4.3, kind=kind) + box(1.3, kind=kind))))
    assert len(found.rois[0].voxels) == 4 * (81 - 9)
    assert found.findings == ()


def test_rows_and_columns_are_not_confused(read):
    """A bar of 3 rows and 21 columns on a matrix of 30 rows and 36 columns."""
    bar = [(6.7, 12.7), (27.3, 12.7), (27.3, 15.3), (6.7, 15.3)]
    (roi,) = read(rtstruct((1, "bar", [contour(bar, 4)]))).rois
    index_of = PET.index_of(roi.voxels)
    assert sorted(set(index_of[:, 1].tolist())) == [13, 14, 15]
    assert sorted(set(index_of[:, 2].tolist())) == list(range(7, 28))


def test_a_region_described_twice_in_contours_is_one(read):
    ds = rtstruct((1, "GTV", box(3.3, [3])))
    ds.ROIContourSequence.append(item(ReferencedROINumber=1, ContourSequence=box(3.3, [4])))
    assert len(read(ds).rois[0].voxels) == 2 * 49


def test_a_region_without_contours_has_no_voxel_and_harms_no_other(read):
    ds = rtstruct((1, "empty", []), (2, "GTV", box(3.3)))
    del ds.ROIContourSequence[0].ContourSequence
    found = read(ds)
    assert [len(roi.voxels) for roi in found.rois] == [0, 4 * 49]


def test_lines_and_points_beside_contours_are_said(read):
    extra = [contour(square(1.0), 5, kind="OPEN_PLANAR"), contour([(3, 3)], 5, kind="POINT")]
    found = read(rtstruct((1, "GTV", box(3.3) + extra)))
    assert len(found.rois[0].voxels) == 4 * 49
    assert found.rois[0].flags == ("CONTOUR_NOT_AN_AREA",)
    (finding,) = found.findings
    assert "1 OPEN_PLANAR, 1 POINT" in finding.found
    assert finding.where == "region 1 (GTV)"


def test_a_region_of_points_alone_is_refused_unless_another_is_chosen(read):
    ds = rtstruct((1, "isocentre", [contour([(3, 3)], 5, kind="POINT")]), (2, "GTV", box(3.3)))
    with pytest.raises(Refused) as error:
        read(ds)
    assert refused_codes(error) == {"ROI_NOT_AN_AREA"}
    assert "region 1 (isocentre)" in str(error.value)
    (roi,) = read(ds, only="2").rois
    assert roi.name == "GTV"


def test_a_number_that_does_not_occur_is_refused_with_those_that_do(read):
    with pytest.raises(Refused) as error:
        read(rtstruct((1, "GTV", box(3.3)), (4, "node", box(1.3))), only="3")
    assert refused_codes(error) == {"ROI_LABEL_MISSING"}
    assert "one of 1, 4" in str(error.value)


def test_all_regions_that_cannot_be_drawn_are_named_at_once(read):
    tilted = contour(square(3.3), 5)
    tilted.ContourData[2] = f"{float(tilted.ContourData[2]) + 2:.6f}"
    far = [contour(square(1.3, at=(90.0, 14.0)), 5)]
    with pytest.raises(Refused) as error:
        read(rtstruct((1, "tilted", [tilted]), (2, "far", far), (3, "GTV", box(3.3))))
    assert [finding.code for finding in error.value.findings] == ["CONTOUR_NOT_PLANAR", "ROI_OUTSIDE_FOV"]
    assert all(finding.path.endswith("rs.dcm") for finding in error.value.findings)


def test_flags_ride_on_their_region_alone(read):
    found = read(rtstruct((1, "gap", box(3.3, [3, 4, 6, 7])), (2, "GTV", box(3.3))))
    assert [roi.flags for roi in found.rois] == [("CONTOUR_GAP",), ()]


def test_gaps_are_filled_on_request_and_the_source_says_so(read):
    (roi,) = read(rtstruct((1, "gap", box(3.3, [3, 5, 7]))), fill_gaps=True).rois
    assert len(roi.voxels) == 6 * 49
    assert roi.source == "RTSTRUCT, edge by voxel centre, gaps filled"
    assert roi.flags == ("CONTOUR_GAP_FILLED",)


# Belonging


def test_every_second_slice_of_another_series_stands_for_two(read):
    """Planes two PET slices apart that refer to other images were drawn with that step; see the next test."""
    (roi,) = read(rtstruct((1, "GTV", box(3.3, [3, 5, 7], references=["1.9"])))).rois
    assert roi.weights.sum() == pytest.approx(6 * 6.6**2, rel=1e-6)
    assert roi.flags == ("ROI_REFERENCES_MISSING",)


@pytest.mark.parametrize("how", ["contours", "series", "images"])
def test_every_second_slice_of_the_pet_leaves_gaps(read, how):
    ds = rtstruct((1, "GTV", box(3.3, [3, 5, 7], references=None if how == "contours" else [])))
    if how != "contours":
        series = item(SeriesInstanceUID=SERIES if how == "series" else "1.9")
        series.ContourImageSequence = Items([item(ReferencedSOPInstanceUID=f"{SERIES}.1")])
        study = item(RTReferencedSeriesSequence=[series])
        frame = item(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=[study])
        ds.ReferencedFrameOfReferenceSequence = Items([frame])
    (roi,) = read(ds).rois
    assert roi.weights is None
    assert roi.flags == ("CONTOUR_GAP",)


def test_only_regions_that_refer_to_absent_images_carry_the_flag(read):
    found = read(rtstruct((1, "GTV", box(3.3)), (2, "node", box(1.3, references=["1.9.1", "1.9.2"]))))
    assert [roi.flags for roi in found.rois] == [(), ("ROI_REFERENCES_MISSING",)]
    (finding,) = found.findings
    assert finding.found.startswith("2 of 6 images")  # 4 slices of the PET and 2 others


def test_another_frame_of_reference_and_another_patient_are_refused_at_once(read):
    with pytest.raises(Refused) as error:
        read(rtstruct((1, "GTV", box(3.3)), frame="1.9.9", patient="P2"))
    assert refused_codes(error) == {"FRAME_OF_REFERENCE_DIFFERS", "PATIENT_ID_DIFFERS"}
    assert "P2" not in str(error.value)
    reading = Reading(ignore_frame_of_reference=True, ignore_patient_id=True)
    (roi,) = read(rtstruct((1, "GTV", box(3.3)), frame="1.9.9", patient="P2"), reading=reading).rois
    assert roi.flags == ("FRAME_OF_REFERENCE_IGNORED", "PATIENT_ID_IGNORED")


def test_a_frame_of_reference_that_only_the_file_states_holds_for_its_regions(read):
    ds = rtstruct((1, "GTV", box(3.3)), FrameOfReferenceUID=FRAME)
    del ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    assert read(ds).findings == ()
    del ds.FrameOfReferenceUID
    with pytest.raises(Refused) as error:
        read(ds)
    assert refused_codes(error) == {"FRAME_OF_REFERENCE_DIFFERS"}


# Damage


@pytest.mark.parametrize("text", ["1\\2", "1\\2\\x", "1\\2\\3\\4", "1\\2\\3"])
def test_corners_that_are_not_what_was_declared_are_not_drawn(read, text):
    ds = rtstruct((1, "GTV", box(3.3)))
    ds.ROIContourSequence[0].ContourSequence[1][0x30060050]._value = text.split("\\")
    with pytest.raises(UnreadableInput) as error:
        read(ds)
    assert refused_codes(error) == {"FILE_NOT_UNDERSTOOD"}
    assert "contour 2" in str(error.value)


@pytest.mark.parametrize("text", ["nan", "inf", "-1e30"])
def test_corners_that_are_no_position_are_refused(read, text):
    ds = rtstruct((1, "GTV", box(3.3)))
    ds.ROIContourSequence[0].ContourSequence[1][0x30060050]._value[4] = text
    with pytest.raises(Refused) as error:
        read(ds)
    assert refused_codes(error) == {"VALUE_NOT_FINITE"}


@pytest.mark.parametrize("keyword", ["StructureSetROISequence", "ROIContourSequence"])
def test_a_file_without_its_sequences_is_not_understood(read, keyword):
    ds = rtstruct((1, "GTV", box(3.3)))
    delattr(ds, keyword)
    with pytest.raises(UnreadableInput, match=keyword):
        read(ds)


def test_two_regions_with_one_number_are_not_understood(read):
    with pytest.raises(UnreadableInput, match="one ROINumber"):
        read(rtstruct((1, "GTV", box(3.3)), (1, "node", box(1.3))))


def test_another_object_is_not_read(read):
    with pytest.raises(UnreadableInput, match="FORMAT_UNSUPPORTED"):
        read(rtstruct((1, "GTV", box(3.3)), SOPClassUID="1.2.840.10008.5.1.4.1.1.128"))


@pytest.mark.parametrize("has_lengths", [True, False])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_file_that_ends_anywhere_too_early_never_gives_a_smaller_region(tmp_path, syntax, has_lengths):
    ds = rtstruct((1, "GTV", box(3.3)), (2, "node", box(1.3, [5])))
    for element in ds.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = not has_lengths
            for one in element.value:
                one.is_undefined_length_sequence_item = not has_lengths
    whole = written(ds, tmp_path / "rs.dcm", syntax).read_bytes()
    expected = [roi.voxels for roi in read_rtstruct(tmp_path / "rs.dcm", onto=PET, pet=FACTS).rois]
    cut = tmp_path / "cut.dcm"
    for n in range(140, len(whole), 37):
        cut.write_bytes(whole[:n])
        try:
            rois = read_rtstruct(cut, onto=PET, pet=FACTS).rois
        except PetquantError:
            continue
        assert len(rois) == 2
        assert all(np.array_equal(roi.voxels, voxels) for roi, voxels in zip(rois, expected, strict=True))


def test_an_absent_file_and_one_that_is_no_dicom_are_unreadable(tmp_path):
    with pytest.raises(UnreadableInput, match="FILE_UNREADABLE"):
        read_rtstruct(tmp_path / "none.dcm", onto=PET, pet=FACTS)
    (tmp_path / "text.dcm").write_bytes(b"no DICOM at all, but long enough for a preamble" * 10)
    with pytest.raises(UnreadableInput):
        read_rtstruct(tmp_path / "text.dcm", onto=PET, pet=FACTS)


def test_an_oblique_pet_is_met_through_its_affine(tmp_path):
    """The PET and the corners turned by 30 degrees about x: the same voxels."""
    t = math.radians(30)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]]
    oblique = Grid(shape=PET.shape, affine=turn @ PET.affine)
    ds = rtstruct((1, "GTV", box(3.3)))
    straight = read_rtstruct(written(ds, tmp_path / "rs.dcm"), onto=PET, pet=FACTS)
    for one in ds.ROIContourSequence[0].ContourSequence:
        corners = np.array([float(number) for number in one.ContourData]).reshape(-1, 3) @ turn[:3, :3].T
        one.ContourData = [f"{number:.6f}" for number in corners.ravel()]
    found = read_rtstruct(written(ds, tmp_path / "rs.dcm"), onto=oblique, pet=FACTS)
    assert np.array_equal(found.rois[0].voxels, straight.rois[0].voxels)


def test_corners_are_read_as_pydicom_reads_them(tmp_path):
    """The text of ContourData is parsed here; pydicom is the judge."""
    ds = rtstruct((1, "GTV", box(3.3)))
    again = pydicom.dcmread(io.BytesIO(written(ds, tmp_path / "rs.dcm").read_bytes()))
    data = [float(number) for number in again.ROIContourSequence[0].ContourSequence[0].ContourData]
    x, y = np.array(data).reshape(-1, 3)[:, :2].T
    (roi,) = read_rtstruct(tmp_path / "rs.dcm", onto=PET, pet=FACTS).rois
    at = PET.position_mm(PET.index_of(roi.voxels))
    assert ((at[:, 0] > x.min()) & (at[:, 0] < x.max()) & (at[:, 1] > y.min()) & (at[:, 1] < y.max())).all()
