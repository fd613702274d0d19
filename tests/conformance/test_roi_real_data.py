"""What is measured in regions, against published and independent values on real and reference images.

The images are read here with nibabel and pydicom alone; petquant measures.
"""

from __future__ import annotations

import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from petquant.delineation import Delineation, delineate
from petquant.files import load_rois
from petquant.grid import Grid
from petquant.metrics import burden, measure
from petquant.roi import Roi
from petquant.volume import SliceTotals, Unit, Volume

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not at hand")

INDEPENDENT = 2e-6  # relative: the references are printed with six decimals
PRINTED = 6e-7  # absolute: half of the sixth decimal


def volume_of(stored, grid, slope):
    n = len(stored)
    flat = stored.reshape(n, -1).astype(np.float64)
    return Volume(
        grid=grid,
        unit=Unit.GML,
        stored=stored,
        slope=np.broadcast_to(slope, n).astype(np.float64),
        intercept=np.zeros(n),
        totals=SliceTotals(total=flat.sum(1), smallest=flat.min(1), largest=flat.max(1)),
        is_loaded=np.ones(n, np.bool_),
    )


def nifti_volume(path):
    image = nib.load(path)
    values = np.ascontiguousarray(np.asarray(image.dataobj).T)
    affine = (np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)[:, [2, 1, 0, 3]]
    return volume_of(values, Grid(shape=values.shape, affine=affine), 1.0)


def close(found, expected):
    assert found == pytest.approx(expected, rel=INDEPENDENT, abs=PRINTED)


@pytest.fixture(scope="module")
def phantom():
    folder = DATA / "ibsi1_digital_phantom" / "nifti"
    volume = nifti_volume(folder / "image" / "phantom.nii.gz")
    rois = load_rois(folder / "mask" / "mask.nii.gz", onto=volume.grid)
    return measure(volume, rois.rois, suv_type="bw")[0]


@pytest.mark.parametrize(
    ("column", "reference"),
    [
        ("suv_mean", 2.15),
        ("suv_median", 1.0),
        ("suv_p10", 1.0),
        ("suv_p90", 4.0),
        ("suv_max", 6.0),
        ("suv_min", 1.0),
        ("suv_cov", 0.812),
        ("suv_peak_ibsi_local", 2.6),
        ("suv_peak_ibsi_global", 3.1),
        ("mtv_ml", 0.592),
    ],
)
def test_digital_phantom_gives_the_consensus_of_ibsi(phantom, column, reference):
    # three significant digits are published: half a unit of the third
    half_a_unit = 0.5 * 10 ** (math.floor(math.log10(reference)) - 2)
    assert abs(phantom.values[column] - reference) <= half_a_unit * (1 + 1e-9)


def test_digital_phantom_variance_is_that_of_ibsi(phantom):
    assert phantom.values["suv_sd"] ** 2 == pytest.approx(3.05, abs=0.005)


def test_digital_phantom_to_ten_digits(phantom):
    expected = {
        "n_voxels": 74,
        "suv_mean": 2.1486486486,
        "suv_sd": 1.7451278311,
        "suv_cov": 0.8121978585,
        "suv_peak_ibsi_global": 90 / 29,
        "suv_peak": 2.9000658092,
        "peak_in_fov_fraction": 0.2343374731,
        "tlg_g": 1.2720,
        "mtv41_ml": 0.192,
        "mtv42_ml": 0.192,
        "mtv50_ml": 0.192,
        "mtv_suv4_0_ml": 0.184,
        "peak_ibsi_sphere_ml": 0.984,
    }
    for column, value in expected.items():
        assert phantom.values[column] == pytest.approx(value, abs=6e-11), column


STS = {
    "n_voxels": (5095, 555, 817, 388),
    "mtv_ml": (366.078733, 54.277130, 79.899847, 27.878027),
    "suv_max": (7.910674, 21.675747, 10.265304, 6.501776),
    "suv_mean": (2.555134, 7.369624, 5.816285, 3.083310),
    "suv_min": (0.168604, 0.694655, 0.340631, 0.865826),
    "suv_median": (2.486837, 5.354791, 6.288415, 2.980603),
    "suv_sd": (1.332042, 5.687262, 2.233800, 1.322751),
    "suv_p10": (0.801284, 1.492889, 2.059933, 1.300254),
    "suv_p25": (1.481607, 2.564885, 4.638189, 2.020519),
    "suv_p75": (3.507347, 12.036771, 7.411702, 4.093855),
    "suv_p90": (4.353502, 16.639803, 8.298001, 4.848509),
    "suv_peak": (5.984033, 17.517293, 9.275618, 5.406446),
    "suv_peak_ibsi_global": (6.078408, 18.762666, 9.827566, 5.505999),
    "suv_peak_ibsi_local": (5.312990, 17.393320, 9.258249, 4.468654),
    "tlg_g": (935.380115, 400.002047, 464.720288, 85.956599),
    "mtv41_ml": (113.020971, 18.776953, 62.687640, 16.238232),
    "mtv42_ml": (106.698119, 18.581360, 62.394250, 16.022681),
    "mtv50_ml": (59.492285, 15.647461, 56.428656, 12.502002),
    "mtv_suv2_5_ml": (181.566430, 41.172381, 70.120184, 17.315991),
    "mtv_suv4_0_ml": (55.899756, 30.805939, 64.154589, 7.256909),
}
STS_POSITIONS = {
    "max": (
        (44.5313, 44.5313, -789.7400),
        (79.2969, 123.0469, -566.8900),
        (-62.8906, 68.3594, -787.1700),
        (166.4063, 11.7188, -191.1800),
    ),
    "centroid": (
        (70.1437, 12.3858, -791.2617),
        (81.2873, 129.4616, -551.4827),
        (-55.8355, 72.4760, -768.7867),
        (179.5385, 11.2838, -194.5090),
    ),
}


@pytest.mark.parametrize(("at", "patient"), list(enumerate(["STS_001", "STS_002", "STS_003", "STS_008"])))
def test_sarcomas_give_the_independent_values(at, patient):
    folder = DATA / "sts_ibsi" / patient / "nifti"
    volume = nifti_volume(folder / "PET_image.nii.gz")
    rois = load_rois(folder / "PET_mask.nii.gz", onto=volume.grid).rois
    (row,) = measure(volume, rois, suv_type="bw")
    for column, values in STS.items():
        close(row.values[column], values[at])
    for position, points in STS_POSITIONS.items():
        for axis, expected in zip("xyz", points[at], strict=True):
            # four decimals are printed
            assert row.values[f"{position}_{axis}_mm"] == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(("at", "patient"), list(enumerate(["STS_001", "STS_002", "STS_003", "STS_008"])))
def test_a_fraction_of_the_maximum_of_a_sarcoma_is_its_threshold_volume(at, patient):
    folder = DATA / "sts_ibsi" / patient / "nifti"
    volume = nifti_volume(folder / "PET_image.nii.gz")
    rois = load_rois(folder / "PET_mask.nii.gz", onto=volume.grid).rois
    for column, fraction in (("mtv41_ml", 0.41), ("mtv42_ml", 0.42), ("mtv50_ml", 0.50)):
        method = Delineation(method="fraction", fraction=fraction)
        (made,) = delineate(volume, method, suv_type="bw", within=rois)
        close(len(made.roi.voxels) * volume.grid.voxel_volume_ml, STS[column][at])


QIN_COLUMNS = (
    "n_voxels",
    "suv_max",
    "suv_mean",
    "suv_sd",
    "suv_median",
    "suv_peak",
    "suv_peak_ibsi_global",
    "suv_peak_ibsi_local",
    "mtv_ml",
    "mtv50_ml",
    "tlg_g",
)
QIN = """
1697 20.834312 10.295455 3.915655 9.313324 18.685367 19.037733 18.978805 39.585613 16.492062 407.551899
113 6.957569 5.183113 0.722130 4.977527 5.746178 5.893010 5.893010 2.635931 2.635931 13.662327
457 15.582540 8.048015 2.856221 7.423783 13.075448 13.456869 13.356312 10.660357 4.781998 85.794713
4230 19.526168 3.288226 4.129711 1.166908 17.335032 17.665318 17.338053 98.672447 9.400708 324.457332
211 9.955055 6.274974 1.697853 5.981260 8.758255 8.895418 8.475544 4.921959 3.382389 30.885165
375 16.737107 8.709497 2.682030 8.092938 13.320952 13.722604 13.677108 8.747557 3.988886 76.186828
922 21.791423 9.244213 4.439815 7.975014 19.276848 19.692402 19.562312 21.507328 6.694797 198.818313
950 16.961987 5.792589 3.753281 5.070770 14.199722 14.612420 14.612420 22.160479 5.341842 128.366546
222 12.143521 7.750652 1.881346 7.382647 10.184586 10.450030 10.412480 5.178554 4.082193 40.137172
43 4.930906 4.044907 0.350675 4.075265 5.169806 5.168021 5.168021 1.003053 1.003053 4.057257
62 8.419289 6.484984 0.821376 6.361088 6.817075 6.776919 6.721719 1.446263 1.446263 9.378992
"""
QIN_FACTOR = 0.0004016640142  # g/mL per Bq/mL, published with the series


@pytest.fixture(scope="module")
def qin():
    """A whole-body PET and its eleven lesions, each frame put on the nearest slice."""
    folder = DATA / "qin0139_siemens_seg"
    slices = [pydicom.dcmread(path) for path in sorted((folder / "image").iterdir())]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    z_mm = np.array([float(ds.ImagePositionPatient[2]) for ds in slices])
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = [np.median(np.diff(z_mm)), *map(float, slices[0].PixelSpacing)]
    affine[:3, 3] = [float(value) for value in slices[0].ImagePositionPatient]
    affine[3, 3] = 1.0
    stored = np.stack([ds.pixel_array for ds in slices])
    slope = np.array([float(ds.RescaleSlope) for ds in slices]) * QIN_FACTOR
    volume = volume_of(stored, Grid(shape=stored.shape, affine=affine), slope)
    seg = pydicom.dcmread(folder / "mask" / "mask.dcm")
    voxels = {}
    for frame, item in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        at_mm = float(item.PlanePositionSequence[0].ImagePositionPatient[2])
        k = int(np.abs(z_mm - at_mm).argmin())
        voxels.setdefault(number, []).append(np.flatnonzero(frame) + k * frame.size)
    rois = [
        Roi(roi_id=str(number), name="", voxels=np.sort(np.concatenate(parts)))
        for number, parts in sorted(voxels.items())
    ]
    return volume, rois, measure(volume, rois, suv_type="bw")


def test_head_and_neck_lesions_give_the_independent_values(qin):
    _, _, rows = qin
    for row, line in zip(rows, QIN.strip().splitlines(), strict=True):
        for column, expected in zip(QIN_COLUMNS, line.split(), strict=True):
            close(row.values[column], float(expected))


def test_peak_of_region_ten_exceeds_its_maximum_and_says_so(qin):
    _, _, rows = qin
    assert [row.roi_id for row in rows if "PEAK_EXCEEDS_MAX" in row.flags] == ["10"]


def test_burden_of_the_head_and_neck_study_is_the_independent_one(qin):
    found = burden(*qin).values
    assert found["n_lesions"] == 11
    close(found["tmtv_ml"], 216.519540)
    close(found["ttlg_g"], 1319.296543)
    # four decimals are printed
    assert found["dmax_centroid_mm"] == pytest.approx(124.7898, abs=6e-5)
    assert found["dmax_voxel_mm"] == pytest.approx(154.9457, abs=6e-5)


def test_volume_maximum_of_the_head_and_neck_study_is_that_of_slicer(qin):
    volume, _, _ = qin
    # Slicer holds its voxels in float32, which rounds by up to 6e-8
    assert volume.largest() == pytest.approx(89.8587641855, rel=1e-7)
