"""How sure the numbers of ``petquant compare`` are: from images whose noise is set to what the table assumes.

The images are NIfTI of float64, so that nothing is rounded. Their noise correlation is stated as 0.1 mm, far
below a voxel, so that N voxels are N independent ones. Relative to their means the liver has an SD of 5.6 %,
and the pool of 25 voxels one of 10 %, so that its mean is known to 10 % / sqrt(25) = 2 %: with that reads.md
section 10 gives its table.
"""

from __future__ import annotations

import csv
import json
import math

import nibabel as nib
import numpy as np
import pytest

TRACERS = {"FDG": ("F18", 6586.2), "Pentixafor": ("Ga68", 4062.6)}  # nuclide, half-life in s
LESION, LIVER, POOL = 1, 2, 3
SHAPE = (6, 10, 10)
NOISE, SE_OF_POOL, SD_OF_POOL, N_POOL, N_LESION = 5.6, 2.0, 10.0, 25, 4


def image():
    """Return activity in Bq/mL and the labels: k, j, i."""
    activity, labels = np.full(SHAPE, 500.0), np.zeros(SHAPE, np.uint8)
    labels[1, 4, 3 : 3 + N_LESION] = LESION
    activity[labels == LESION] = (40_000.0, 30_000.0, 30_000.0, 30_000.0)
    labels[3, :4, :] = LIVER
    activity[labels == LIVER] = 10_000.0 * (1.0 + NOISE / 100.0 * np.tile([1.0, -1.0], 20))
    labels[5, :5, :5] = POOL
    above = SD_OF_POOL / 100.0 * math.sqrt(N_POOL / (N_POOL - 1))  # 12 above, 12 below, 1 at the mean
    activity[labels == POOL] = 5_000.0 * (1.0 + above * np.array([1.0] * 12 + [-1.0] * 12 + [0.0]))
    return activity, labels


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Write a scan of one tracer: its folder."""
    root = tmp_path_factory.mktemp("noise")
    activity, labels = image()
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    for tracer, (nuclide, _) in TRACERS.items():
        folder = root / tracer / "sub-01/pet"
        folder.mkdir(parents=True)
        nib.save(nib.Nifti1Image(activity.transpose(2, 1, 0), affine), folder / "sub-01_pet.nii.gz")
        for name, of in (("labels", labels), ("lesion", (labels == LESION).astype(np.uint8))):
            nib.save(nib.Nifti1Image(of.transpose(2, 1, 0), affine), root / tracer / f"{name}.nii.gz")
        sidecar = {
            "Units": "Bq/mL",
            "TracerName": tracer,
            "TracerRadionuclide": nuclide,
            "InjectedRadioactivity": 200,
            "InjectedRadioactivityUnits": "MBq",
            "TimeZero": "11:00:00",
            "ScanStart": 0,
            "InjectionStart": -3000,
            "FrameTimesStart": [0],
            "FrameDuration": [300],
            "ImageDecayCorrected": True,
            "ImageDecayCorrectionTime": 0,
            "AttenuationCorrection": "CT-based",
        }
        (folder / "sub-01_pet.json").write_text(json.dumps(sidecar), encoding="utf-8")
        (root / tracer / "participants.tsv").write_text("participant_id\tweight\nsub-01\t70\n")
    return root


@pytest.fixture
def compared(petquant_within, study, tmp_path):
    """Compare the two scans; the tables, the record and the methods."""

    def run(*options, widths=(0.1, 0.1), tracers=("FDG", "Pentixafor"), livers=(LIVER, LIVER), code=0):
        words = [study / tracer / "sub-01/pet/sub-01_pet.nii.gz" for tracer in tracers]
        for letter, tracer, width, liver in zip("ab", tracers, widths, livers, strict=True):
            labels = study / tracer / "labels.nii.gz"
            words += [f"--roi-{letter}", study / tracer / "lesion.nii.gz"]
            words += [f"--background-{letter}", f"liver={labels}:{liver}"]
            words += [f"--background-{letter}", f"blood_pool={labels}:{POOL}"]
            words += [] if width is None else [f"--psf-fwhm-mm-{letter}", str(width)]
        result = petquant_within("compare", *words, "--match-ids", "-o", "out", "--format", "json", *options)
        assert result.code == code, result.err
        if code:
            return result
        tables = {}
        for name in ("lesions", "pairs"):
            with (tmp_path / f"out/{name}.csv").open(newline="") as file:
                tables[name] = list(csv.DictReader(file))
        return tables, result.json, (tmp_path / "out/methods.txt").read_text()

    return run


def clock_percent(tracer, minutes):
    return 100.0 * math.log(2.0) * 60.0 * minutes / TRACERS[tracer][1]


@pytest.mark.parametrize(
    ("minutes", "suv"), [(1, {"FDG": 7.19, "Pentixafor": 7.24}), (3, {"FDG": 7.41, "Pentixafor": 7.80})]
)
def test_the_table_of_uncertainties_comes_out_of_images(minutes, suv, compared):
    tables, _, _ = compared("--uncertainty", f"weight=1,clock={minutes}")
    for row, tracer in zip(tables["lesions"], TRACERS, strict=True):
        shared = math.sqrt(3**2 + 3**2 + 1**2 + 1**2 + clock_percent(tracer, minutes) ** 2)
        assert float(row["u_shared_percent"]) == pytest.approx(2 * shared, rel=1e-6)
        assert float(row["u_local_suv_max_percent"]) == pytest.approx(2 * NOISE, rel=1e-6)
        assert float(row["u_suv_max_percent"]) / 2 == pytest.approx(suv[tracer], abs=0.005)
        assert float(row["u_tbr_max_blood_pool_percent"]) / 2 == pytest.approx(5.95, abs=0.005)
        # the mean of four voxels, of 10 % / sqrt(25) and of 5.6 % / sqrt(40)
        of_mean = NOISE / math.sqrt(N_LESION)
        assert float(row["u_local_suv_mean_percent"]) == pytest.approx(2 * of_mean, rel=1e-6)
        behind = math.hypot(of_mean, NOISE / math.sqrt(40))
        assert float(row["u_tbr_mean_liver_percent"]) == pytest.approx(2 * behind, rel=1e-6)
        assert row["u_missing"] == ""


def test_a_ratio_of_tracers_has_what_does_not_cancel(compared):
    tables, record, _ = compared("--uncertainty", "weight=1")
    (row,) = tables["pairs"]
    of_scan = [math.sqrt(20 + clock_percent(tracer, 1) ** 2 + NOISE**2) for tracer in TRACERS]
    assert float(row["u_ratio_suv_max_percent"]) == pytest.approx(2 * math.hypot(*of_scan), rel=1e-6)
    local = math.sqrt(2 * (NOISE**2 + SE_OF_POOL**2))
    assert float(row["u_ratio_tbr_max_blood_pool_percent"]) == pytest.approx(2 * local, rel=1e-6)
    a, b = float(row["suv_max_a"]), float(row["suv_max_b"])
    assert float(row["ratio_suv_max"]) == pytest.approx(a / b, rel=1e-12)
    (pair,) = record["pairs"]
    assert pair["ratios"]["suv_max"]["percent"] == pytest.approx(float(row["u_ratio_suv_max_percent"]))
    assert pair["change"] is None  # two tracers: no change of one
    assert pair["a"]["uncertainty"]["suv_max"]["left_out"] == ["partial volume"]
    assert "change_percent" not in row


def test_without_a_width_nothing_local_is_guessed(compared):
    tables, record, methods = compared(widths=(None, 0.1))
    without, with_width = tables["lesions"]
    # weight as stated: 5 %
    shared = math.sqrt(3**2 + 3**2 + 1**2 + 5**2 + clock_percent("FDG", 1) ** 2)
    assert float(without["u_shared_percent"]) == pytest.approx(2 * shared, rel=1e-6)
    for name in ("u_local_suv_max", "u_suv_max", "u_suv_mean", "u_tbr_max_liver", "u_tbr_peak_blood_pool"):
        assert without[f"{name}_percent"] == ""
        assert float(with_width[f"{name}_percent"]) > 0
    assert "no width of the noise correlation" in without["u_missing"]
    (pair,) = tables["pairs"]
    assert (pair["u_ratio_suv_max_percent"], pair["u_ratio_tbr_max_liver_percent"]) == ("", "")
    assert pair["u_missing"].startswith("a: no width")
    technical = record["scans"][0]["technical"]
    assert (technical["psf_fwhm_mm"], technical["noise_of"]) == (None, "liver")
    assert technical["why_no_noise"]
    assert "1 scans have no local uncertainty" in methods


def test_every_assumption_stands_in_methods_and_record(compared):
    _, record, methods = compared("--uncertainty", "calibration=2,clock=0.5")
    words = (
        "calibration 2 % (given), activity 3 % (assumed), residual 1 % (assumed), weight 5 % (assumed), "
        "clock 0.5 min (given)"
    )
    assert words in methods
    assert "correlation width of 0.1 mm" in methods
    inputs = {one["name"]: (one["value"], one["source"]) for one in record["uncertainty"]["terms"]}
    assert inputs["calibration"] == (2.0, "given")
    assert inputs["weight"][0] == 5.0
    assert inputs["weight"][1].startswith("assumed")
    assert record["uncertainty"]["coverage_factor"] == 2.0
    terms = {one["name"]: one["percent"] for one in record["scans"][1]["technical"]["shared"]}
    assert terms["clock"] == pytest.approx(clock_percent("Pentixafor", 0.5))


def test_the_change_needed_is_that_of_the_tracer_and_says_when_it_is_borrowed(compared):
    tables, record, methods = compared("--repeatability", "pentixafor_bone")
    fdg, pentixafor = tables["lesions"]
    # exp(-+2.77 x 0.10) - 1, exp(-+2.77 x 0.117) - 1
    for row, wcv in ((fdg, 0.10), (pentixafor, 0.117)):
        needed = [100 * math.expm1(sign * 1.96 * math.sqrt(2) * wcv) for sign in (-1, 1)]
        found = [float(row[f"change_needed_{end}_percent"]) for end in ("low", "high")]
        assert found == pytest.approx(needed, abs=0.05)
    assert "surrogate: figures of [68Ga]PSMA-11" in pentixafor["repeatability"]
    assert "surrogate" not in fdg["repeatability"]
    assert [one["is_surrogate"] for one in record["repeatability"]] == [False, True]
    assert "surrogate: figures of [68Ga]PSMA-11" in methods


def test_two_scans_of_one_tracer_have_a_change(compared):
    tables, record, _ = compared(tracers=("FDG", "FDG"))
    (row,) = tables["pairs"]
    assert (float(row["change_percent"]), row["change_exceeds_rc"]) == (0.0, "False")
    assert record["pairs"][0]["change"]["exceeds_rc"] is False


def test_scans_of_different_noise_are_flagged(compared):
    def codes(**choices):
        return [entry["code"] for entry in compared(**choices)[1]["sessions"][0]["codes"]]

    assert "NOISE_DIFFERS" not in codes()
    assert "NOISE_DIFFERS" in codes(livers=(LIVER, POOL))  # 10 % is more than 1.5 times 5.6 %


@pytest.mark.parametrize(
    "words",
    [
        ("--uncertainty", "weight"),
        ("--uncertainty", "mass=2"),
        ("--uncertainty", "weight=-1"),
        ("--uncertainty", "clock=1,clock=2"),
        ("--uncertainty", "clock=inf"),
        ("--uncertainty", "weight=1e200"),
        ("--repeatability", "nobody"),
        ("--repeatability", "dcfpyl_volume"),  # of volumes
        ("--repeatability", "fdg_normal"),  # no limits
        ("--repeatability", "fdg", "--repeatability", "fdg_qiba"),
        ("--psf-fwhm-mm-a", "0"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake(words, compared):
    result = compared(*words, code=2)
    assert set(result.codes) == {"OPTION_INVALID"}
